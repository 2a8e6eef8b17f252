"""Emptying an account, or all of them: what it holds is gone at once, and left to be swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import remains
from localzure.services.blob.model import ContainerRecord, Remains

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure_storage.store import Writer

_decode = msgspec.msgpack.Decoder(ContainerRecord).decode


def empty(engine: Engine, writer: Writer, account: str | None, budget: int) -> bool:
    """Remove up to `budget` containers of an account, None for all, and its properties; True while there may be more.

    Neither leases nor holds nor retention keep anything.
    """
    keys = engine.keys
    below = () if account is None else (account,)
    for space in (keys.containers, keys.gone_containers):
        found = list(writer.scan(*space.range(*below), limit=budget))
        for key, value in found:
            writer.delete(key)
            remains.leave(engine, writer, Remains(container=_decode(value).id))
        budget -= len(found)
        if not budget:
            return True
    start, stop = keys.accounts.range() if account is None else (keys.accounts.pack(account), b"")
    found = list(writer.scan(start, stop or start + b"\x00", limit=budget))
    for key, _ in found:
        writer.delete(key)
    return len(found) == budget

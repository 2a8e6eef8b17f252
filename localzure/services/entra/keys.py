"""The authority's key space: its signing keys, and the codes that wait to be approved or used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace


class EntraKeys:
    """Where the authority keeps what."""

    def __init__(self, space: Subspace) -> None:
        self.signing = space.subspace("keys")
        """Signing keys, by their number, the newest last."""
        self.devices = space.subspace("devices")
        """Device codes, by the code."""
        self.codes = space.subspace("codes")
        """Authorization codes, by the code."""

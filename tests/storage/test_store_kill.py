"""A process that is killed loses nothing that it was told is committed."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: the same in every run
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore

_SCRIPT = """
import itertools, sys, threading
from pathlib import Path
from localzure_storage.lmdb import LmdbStore
from localzure_storage.store import Durability

store = LmdbStore(Path(sys.argv[1]), Durability(sys.argv[2]))
checkpoint = store.checkpoint
flush = None
for number in itertools.count(int(sys.argv[3])):
    txn = store.begin()
    with txn.nested() as inner:
        inner.put(b"last", b"%d" % number)
        inner.put(b"k%d" % (number % 50), b"%d " % number * (1 + number * 37 % 4000))
        inner.delete(b"k%d" % ((number + 25) % 50))
    txn.commit()
    print(number, flush=True)
    if checkpoint is not None and flush is None and checkpoint.begin():
        flush = threading.Thread(target=checkpoint.flush)
        flush.start()
    elif flush is not None and not flush.is_alive():
        checkpoint.finish()
        flush = None
"""


def _expected(last: int) -> dict[bytes, bytes]:
    content: dict[bytes, bytes] = {}
    for number in range(last + 1):
        content[b"last"] = b"%d" % number
        content[b"k%d" % (number % 50)] = b"%d " % number * (1 + number * 37 % 4000)
        content.pop(b"k%d" % ((number + 25) % 50), None)
    return content


@pytest.mark.parametrize(("durability", "commits"), [("process", 400), ("full", 40)])
def test_every_commit_that_was_told_of_is_there_after_a_kill(tmp_path: Path, durability: str, commits: int) -> None:
    rng = random.Random(durability)
    told = -1
    for _ in range(4):
        command = [sys.executable, "-c", _SCRIPT, str(tmp_path), durability, str(told + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, commits)):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
        store = LmdbStore(tmp_path)
        with store.read() as reader:
            found = dict(reader.scan(b"", b"\xff"))
        store.close()
        last = int(found[b"last"])
        assert last in {told, told + 1}
        assert found == _expected(last)
        told = last

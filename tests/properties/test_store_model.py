"""Both backends behave as a sorted dict with transactions does, whatever is done to them in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import lmdb
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from localzure_storage.data_file import require_whole
from localzure_storage.lmdb import LmdbStore
from localzure_storage.lmdb_keys import SHORT_KEY_BYTES_MAX
from localzure_storage.lmdb_transactions import _Writer
from localzure_storage.lmdb_values import PIECE_BYTES, POINTER_BYTES
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Reader, Store, Writer, WriteTransaction

_HEADS = st.sampled_from(
    [b"", b"a" * SHORT_KEY_BYTES_MAX, b"a" * 1012, b"a" * 1011 + b"\x00", b"\xff" * 520, b"b" * 4000]
)
_TAILS = st.binary(max_size=3) | st.sampled_from([b"\x00", b"\xff" * 30, b"a" * 502, b"t" * 90])
_KEYS = st.builds(bytes.__add__, _HEADS, _TAILS).filter(len)
_SIZES = st.integers(0, 3) | st.sampled_from(
    [POINTER_BYTES, 2039, PIECE_BYTES, PIECE_BYTES + 1, 9000, 70_000, 2_000_000]
)
_VALUES = st.builds(lambda size, fill: bytes([fill]) * size, _SIZES, st.integers(0, 255))
_BOUNDS = st.just(b"") | st.just(b"\xff" * 700) | _KEYS
_LIMITS = st.none() | st.integers(0, 4)


class _UndoneError(Exception):
    pass


class _StoreMachine(RuleBasedStateMachine):
    """Drives a store and a model side by side: the model is a dict for each open transaction, outermost first."""

    store: Store

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.store = self.open_store()
        self.committed: dict[bytes, bytes] = {}
        self.transaction: WriteTransaction | None = None
        self.nested: list[tuple[AbstractContextManager[Writer], Writer]] = []
        self.model: list[dict[bytes, bytes]] = []
        self.readers: list[tuple[AbstractContextManager[Reader], Reader, dict[bytes, bytes]]] = []

    def open_store(self) -> Store:
        raise NotImplementedError

    @property
    def writer(self) -> Writer:
        assert self.transaction is not None
        return self.nested[-1][1] if self.nested else self.transaction

    @precondition(lambda self: self.transaction is None)
    @rule()
    def begin(self) -> None:
        self.transaction = self.store.begin()
        self.model = [dict(self.committed)]

    @precondition(lambda self: self.transaction is not None)
    @rule(key=_KEYS, value=_VALUES)
    def put(self, key: bytes, value: bytes) -> None:
        self.writer.put(key, value)
        self.model[-1][key] = value

    @precondition(lambda self: self.model and self.model[-1])
    @rule(data=st.data(), value=_VALUES)
    def replace(self, data: st.DataObject, value: bytes) -> None:
        self.put(data.draw(st.sampled_from(sorted(self.model[-1]))), value)

    @precondition(lambda self: self.transaction is not None)
    @rule(key=_KEYS)
    def delete_any(self, key: bytes) -> None:
        assert self.writer.delete(key) is (self.model[-1].pop(key, None) is not None)

    @precondition(lambda self: self.model and self.model[-1])
    @rule(data=st.data())
    def delete_present(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.model[-1])))
        assert self.writer.delete(key)
        del self.model[-1][key]

    @precondition(lambda self: self.transaction is not None and len(self.nested) < 3)
    @rule()
    def enter_nested(self) -> None:
        block = self.writer.nested()
        self.nested.append((block, block.__enter__()))
        self.model.append(dict(self.model[-1]))

    @precondition(lambda self: self.nested)
    @rule()
    def leave_nested(self) -> None:
        self.nested.pop()[0].__exit__(None, None, None)
        self.model[-2:] = self.model[-1:]

    @precondition(lambda self: self.nested)
    @rule()
    def undo_nested(self) -> None:
        error = _UndoneError()
        assert not self.nested.pop()[0].__exit__(_UndoneError, error, None)
        self.model.pop()

    @precondition(lambda self: self.transaction is not None and not self.nested)
    @rule()
    def commit(self) -> None:
        assert self.transaction is not None
        self.transaction.commit()
        self.committed = self.model.pop()
        self.transaction = None

    @precondition(lambda self: self.transaction is not None and not self.nested)
    @rule()
    def abort(self) -> None:
        assert self.transaction is not None
        self.transaction.abort()
        self.model, self.transaction = [], None

    @precondition(lambda self: len(self.readers) < 3)
    @rule()
    def open_reader(self) -> None:
        block = self.store.read()
        self.readers.append((block, block.__enter__(), self.committed))

    @precondition(lambda self: self.readers)
    @rule(at=st.integers(0, 2))
    def close_reader(self, at: int) -> None:
        self.readers.pop(at % len(self.readers))[0].__exit__(None, None, None)

    @rule(start=_BOUNDS, stop=_BOUNDS, reverse=st.booleans(), limit=_LIMITS, key=_KEYS)
    def look(self, start: bytes, stop: bytes, reverse: bool, limit: int | None, key: bytes) -> None:
        views: list[tuple[Reader, dict[bytes, bytes]]] = [(reader, seen) for _, reader, seen in self.readers]
        if self.transaction is not None:
            views.append((self.writer, self.model[-1]))
        for view, seen in views:
            within = sorted((item for item in seen.items() if start <= item[0] < stop), reverse=reverse)
            assert list(view.scan(start, stop, reverse=reverse, limit=limit)) == within[:limit]
            assert view.get(key) == seen.get(key)

    @precondition(lambda self: self.transaction is None and not self.readers)
    @rule()
    def reopen(self) -> None:
        self.reopen_store()

    def reopen_store(self) -> None:
        """Close the store and open it again, where that keeps its content."""

    @invariant()
    def the_last_commit_is_what_a_new_reader_sees(self) -> None:
        with self.store.read() as reader:
            assert dict(reader.scan(b"", b"\xff" * 700)) == self.committed

    def teardown(self) -> None:
        while self.nested:
            self.undo_nested()
        if self.transaction is not None:
            self.abort()
        while self.readers:
            self.close_reader(0)
        self.store.close()
        shutil.rmtree(self.directory)


class _MemoryMachine(_StoreMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class _LmdbMachine(_StoreMachine):
    store: LmdbStore

    def open_store(self) -> LmdbStore:
        return LmdbStore(self.directory)

    def reopen_store(self) -> None:
        self.store.close()
        self.store = self.open_store()

    @rule()
    def make_checkpoint(self) -> None:
        checkpoint = self.store.checkpoint
        assert checkpoint is not None
        if checkpoint.begin():
            checkpoint.flush()
            checkpoint.finish()

    @invariant()
    def nothing_is_left_behind(self) -> None:
        """The pieces are exactly those that the content needs, and without content there are no branches."""
        with self.store.read() as reader:
            self.require_no_more_than(reader._txn, self.committed)
        if self.transaction is not None:
            writer = self.writer
            assert isinstance(writer, _Writer)
            self.require_no_more_than(writer._txn, self.model[-1])

    @invariant()
    def the_file_would_open_again(self) -> None:
        """Whatever the last commits left at the file's end, it is not taken for one that was cut short."""
        with (self.directory / "store" / "data.mdb").open("rb") as file:
            require_whole(file.fileno())

    def require_no_more_than(self, txn: lmdb.Transaction[bytes], content: dict[bytes, bytes]) -> None:
        trees = self.store._engine.trees
        long_values = (len(value) for value in content.values() if len(value) > PIECE_BYTES)
        assert txn.stat(trees.pieces)["entries"] == sum(-(-length // PIECE_BYTES) for length in long_values)
        if not content:
            assert [txn.stat(tree)["entries"] for tree in (trees.top.tree, trees.branches)] == [0, 0]


_SETTINGS = settings(max_examples=60, stateful_step_count=40, deadline=None)

TestMemoryModel = _MemoryMachine.TestCase
TestMemoryModel.settings = _SETTINGS
TestLmdbModel = _LmdbMachine.TestCase
TestLmdbModel.settings = _SETTINGS

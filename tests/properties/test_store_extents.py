"""Extents keep exactly what is referenced or pinned, through rollbacks, sweeps and restarts."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from localzure_storage.extents import CHUNK_BYTES, ExtentId, Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore

_SPACE = Subspace(b"x")
_LENGTHS = st.integers(0, 40) | st.sampled_from([4000, 4080, 5000, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])


class _UndoneError(Exception):
    pass


@dataclass
class _Model:
    """One extent, as it should be."""

    content: bytes = b""
    references: int = 0
    pins: int = 0


class ExtentsMachine(RuleBasedStateMachine):
    """Each rule is one transaction, kept or undone."""

    @initialize()
    def open(self) -> None:
        self.store = MemoryStore()
        self.extents = Extents(_SPACE)
        self.model: dict[ExtentId, _Model] = {}

    def pick(self, data: st.DataObject) -> ExtentId:
        return data.draw(st.sampled_from(sorted(self.model)))

    @rule(length=_LENGTHS, fill=st.integers(0, 255), undone=st.booleans())
    def create(self, length: int, fill: int, undone: bool) -> None:
        content = bytes([fill]) * length
        txn = self.store.begin()
        extent = self.extents.create(txn, content)
        assert extent not in self.model
        if undone:
            txn.abort()
            self.extents.unpin(extent)
        else:
            txn.commit()
            self.model[extent] = _Model(content, pins=1)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), length=_LENGTHS, fill=st.integers(0, 255), undone=st.booleans())
    def append(self, data: st.DataObject, length: int, fill: int, undone: bool) -> None:
        extent = self.pick(data)
        model = self.model[extent]
        if model.references:
            return
        txn = self.store.begin()
        self.extents.append(txn, extent, bytes([fill]) * length)
        if undone:
            txn.abort()
        else:
            txn.commit()
            model.content += bytes([fill]) * length

    @precondition(lambda self: self.model)
    @rule(data=st.data(), change=st.sampled_from([1, -1]), undone=st.booleans())
    def count(self, data: st.DataObject, change: int, undone: bool) -> None:
        extent = self.pick(data)
        model = self.model[extent]
        if model.references + change < 0:
            return
        txn = self.store.begin()
        try:
            with txn.nested() as inner:
                (self.extents.retain if change > 0 else self.extents.release)(inner, extent)
                if undone:
                    raise _UndoneError
            model.references += change
        except _UndoneError:
            pass
        txn.commit()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        extent = self.pick(data)
        self.extents.pin(extent)
        self.model[extent].pins += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        extent = self.pick(data)
        if self.model[extent].pins:
            self.extents.unpin(extent)
            self.model[extent].pins -= 1

    @rule(budget=st.sampled_from([1, 4096, 50_000, 10**9]), undone=st.booleans())
    def sweep(self, budget: int, undone: bool) -> None:
        txn = self.store.begin()
        self.extents.sweep(txn, budget)
        if undone:
            txn.abort()
        else:
            txn.commit()

    @rule()
    def restart(self) -> None:
        self.extents = Extents(_SPACE)
        for model in self.model.values():
            model.pins = 0

    @precondition(lambda self: self.model)
    @rule(data=st.data(), offset=_LENGTHS, length=_LENGTHS)
    def read(self, data: st.DataObject, offset: int, length: int) -> None:
        extent = self.pick(data)
        content = self.model[extent].content
        with self.store.read() as reader:
            assert self.extents.read(reader, extent, offset, length) == content[offset : offset + length]

    @invariant()
    def what_is_held_is_whole(self) -> None:
        """What nobody holds may be swept from now on: nothing more is asked of it."""
        self.model = {extent: model for extent, model in self.model.items() if model.references or model.pins}
        with self.store.read() as reader:
            for extent, model in self.model.items():
                assert self.extents.size(reader, extent) == len(model.content)
                assert self.extents.read(reader, extent, 0, 10**9) == model.content

    def teardown(self) -> None:
        """Swept to the end, nothing is left but what is held."""
        more = True
        while more:
            txn = self.store.begin()
            more = self.extents.sweep(txn, 100_000)
            txn.commit()
        with self.store.read() as reader:
            kept = sum(len(value) for _, value in reader.scan(*_SPACE.range()))
        assert kept == sum(len(model.content) + 24 for model in self.model.values())


TestExtents = ExtentsMachine.TestCase
TestExtents.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

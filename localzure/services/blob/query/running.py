"""A query on its way through a blob: bytes go in, blocks of the reply come out, a bounded step at a time.

Compiled once the columns are known, which the header of a CSV blob tells; so what is wrong with the names of a query is
told in the reply, and what is wrong with its grammar before that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from localzure.services.blob.query import avro
from localzure.services.blob.query.aggregates import Aggregate, is_aggregate
from localzure.services.blob.query.arrow import ArrowWriter
from localzure.services.blob.query.compiling import Compiler, truth
from localzure.services.blob.query.delimited import DelimitedReader, DelimitedWriter
from localzure.services.blob.query.formats import Arrow, Delimited, JsonText, Result
from localzure.services.blob.query.grammar import Reading
from localzure.services.blob.query.json_text import JsonReader, JsonWriter
from localzure.services.blob.query.splitting import read_splitting
from localzure.services.blob.query.syntax import NODES_MAX, Apply, Name, Node, Path, QueryError, Select, size_of
from localzure.services.blob.query.values import RowError

if TYPE_CHECKING:
    from datetime import datetime

    from localzure.services.blob.query.compiling import Evaluate
    from localzure.services.blob.query.formats import Format, Row, RowReader, RowWriter

STEP_EVALUATIONS = 10_000
"""Parts of expressions that one step evaluates: about five milliseconds of work."""

STEP_RESULT_BYTES = 256 * 1024
"""Result after which a step ends, however few rows it looked at."""

ROWS_AT_ONCE = 32
"""Rows whose results are written together."""


class LateQuery:
    """A query that is read while it is answered, in steps as a `Query`'s: for those that take long to read."""

    wants_bytes = False

    def __init__(self, expression: str, source: Format, result: Format, total: int, now: datetime) -> None:
        """As `Query` takes them; what is wrong with the expression is told in the reply."""
        self._reading = Reading(expression)
        self._begin = partial(Query, source=source, result=result, total=total, now=now)
        self._total = total
        self.is_done = False
        self.successor: Query | None = None
        """The query, once it has been read: whom to ask for the next step."""

    def step(self, _data: bytes) -> list[bytes]:
        """Read on; returns objects of the reply."""
        try:
            select = self._reading.step()
            if select is not None:
                self.successor = self._begin(select)
        except QueryError as error:
            self.is_done = True
            told = avro.error(error.name, error.description, error.position, is_fatal=True)
            return [avro.data(b""), told, avro.progress(0, self._total), avro.end(self._total)]
        return [avro.progress(0, self._total)]


class Query:
    """One query over one blob."""

    def __init__(self, select: Select, source: Format, result: Format, total: int, now: datetime) -> None:
        """`total` is the length of the blob, `now` what UTCNOW() gives. Raises QueryError."""
        self._select = select
        self._now = now
        self._total = total
        self._scanned = 0
        self._reader = _reader(source, select)
        self._is_json = isinstance(source, JsonText)
        self._writer = _writer(result)
        self._rows: list[Row] = []
        self._next_row = 0
        self._plan: _Plan | None = None
        self._left = select.limit
        self._has_data = False
        self.successor: Query | None = None
        self.wants_bytes = True
        """Whether the next step takes more of the blob."""
        self.is_done = False

    def step(self, data: bytes) -> list[bytes]:
        """Take the next piece of the blob, where it is wanted, and go on; returns objects of the reply.

        The result of a step is one object, and what went wrong comes behind it: the Python SDK takes no error for the
        first object of a reply.
        """
        result: list[bytes] = []
        errors: list[bytes] = []
        try:
            if self.wants_bytes:
                self._scanned += len(data)
                self._rows = self._reader.feed(data, is_last=self._scanned >= self._total)
                self._next_row = 0
            self._look(result, errors)
            self.wants_bytes = self._next_row >= len(self._rows)
            if self._left == 0 or (self.wants_bytes and self._scanned >= self._total):
                rest = self._prepared().results(self._total) if self._left != 0 else []
                result += [self._writer.write(rest), self._writer.close()]
                self.is_done = True
        except QueryError as error:
            errors.append(avro.error(error.name, error.description, error.position, is_fatal=True))
            self.is_done = True
        out = [avro.progress(self._scanned, self._total), *errors]
        content = b"".join(result)
        if content or (self.is_done and not self._has_data):
            self._has_data = True
            out.insert(0, avro.data(content))
        if self.is_done:
            out.append(avro.end(self._total))
        return out

    def _look(self, result: list[bytes], errors: list[bytes]) -> None:
        """Look at rows until the step is full."""
        plan = self._prepared()
        budget, room = STEP_EVALUATIONS, STEP_RESULT_BYTES
        while self._next_row < len(self._rows) and budget > 0 and room > 0 and self._left != 0:
            first = self._next_row
            found: list[Result] = []
            for row in self._rows[first : first + ROWS_AT_ONCE]:
                self._next_row += 1
                budget -= plan.cost
                try:
                    taken = plan.take(row)
                except RowError as error:
                    errors.append(avro.error(error.name, error.description, row.position, is_fatal=False))
                    continue
                if taken is not None:
                    found.append(taken)
                    if self._left is not None:
                        self._left -= 1
                if budget <= 0 or self._left == 0:
                    break
            result.append(self._writer.write(found))
            room -= len(result[-1])

    def _prepared(self) -> _Plan:
        if self._plan is None:
            self._plan = _Plan(self._select, self._reader, self._now, is_json=self._is_json)
        return self._plan


class _Plan:
    """What is done with each row."""

    def __init__(self, select: Select, reader: RowReader, now: datetime, *, is_json: bool) -> None:
        compiler = Compiler(reader.columns, now, is_json=is_json)
        self._is_json = is_json
        self._columns = reader.columns
        self._where: Evaluate | None = None if select.where is None else compiler.compile(select.where)
        nodes = [projection.node for projection in select.projections]
        self.cost = 2 + sum(map(size_of, nodes)) + (0 if select.where is None else size_of(select.where))
        self._names = [
            projection.alias or _name(projection.node, number)
            for number, projection in enumerate(select.projections, start=1)
        ]
        if self.cost > NODES_MAX:
            raise QueryError("ParseError", "The query has too many parts.")
        self._splitting = read_splitting(nodes, is_json=is_json)
        self._aggregates: list[Aggregate] = []
        self._evaluates: list[Evaluate] = []
        if any(map(is_aggregate, nodes)):
            if not all(map(is_aggregate, nodes)):
                raise QueryError("ParseError", "A query has aggregates or columns, not both.")
            self._aggregates = [Aggregate(node, compiler) for node in nodes if isinstance(node, Apply)]
        elif self._splitting is None:
            self._evaluates = [compiler.compile(node) for node in nodes]
        self._star_names: list[str] = list(self._columns or ())

    def take(self, row: Row) -> Result | None:
        """Look at one row; returns what it gives. Raises RowError."""
        value = row.value
        if self._where is not None and not truth(self._where(value)):
            return None
        if self._splitting is not None:
            return self._splitting.take(row)
        if self._aggregates:
            for aggregate in self._aggregates:
                aggregate.add(value)
            return None
        if self._evaluates:
            return Result(self._names, [evaluate(value) for evaluate in self._evaluates])
        return self._whole(value)

    def results(self, total: int) -> list[Result]:
        """What is told once all rows of a blob of `total` bytes have been looked at."""
        if self._splitting is not None:
            return self._splitting.result(total)
        if self._aggregates:
            return [Result(self._names, [aggregate.result() for aggregate in self._aggregates])]
        return []

    def _whole(self, value: Any) -> Result:
        """What `*` gives of a row."""
        if isinstance(value, dict):
            return Result(list(value), list(value.values()))
        if self._is_json:
            return Result(["_1"], [value])
        while len(self._star_names) < len(value):
            self._star_names.append(f"_{len(self._star_names) + 1}")
        return Result(self._star_names, value)


def _name(node: Node, number: int) -> str:
    """What a column is called that has no alias: as its field, else by its ordinal."""
    step = node.steps[-1] if isinstance(node, Path) else None
    return step.text if isinstance(step, Name) else f"_{number}"


def _reader(source: Format, select: Select) -> RowReader:
    if isinstance(source, JsonText):
        return JsonReader(source, select.table)
    assert isinstance(source, Delimited), "an Arrow stream is output only"
    if select.table:
        raise QueryError("ParseError", "The table of a query over delimited text has no path.")
    return DelimitedReader(source)


def _writer(result: Format) -> RowWriter:
    if isinstance(result, JsonText):
        return JsonWriter(result)
    return ArrowWriter(result) if isinstance(result, Arrow) else DelimitedWriter(result)

"""What queries answer: columns, conditions, functions, aggregates, and what they make of rows that they cannot read."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import nanoarrow
import pytest
from nanoarrow.ipc import InputStream

from localzure.services.blob.query.splitting import SPLIT_BYTES_MIN
from tests.blob_queries import CSV, HEADED, JSON, ask
from tests.blob_world import BlobWorld

PEOPLE = b"""name,age,city
Ada,36,London
Grace,85,"New York, NY"
Edsger,72,Nuenen
Barbara,,Cambridge
"""

MICE = b"""{"id": 1, "name": "mouse", "price": 12.5, "tags": ["wireless", "accessory"], "none": null,
 "dimensions": {"length": 3, "width": 2}, "warehouses": [{"latitude": 41.8}, {"latitude": -87.6}]}
{"id": 2, "name": "keyboard", "price": 20}
"""


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    world.put("box/people", PEOPLE)
    world.put("box/mice", MICE)
    world.put("box/one", b"1\n")
    return world


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        ("SELECT * FROM BlobStorage", PEOPLE.decode().splitlines()[1:]),
        ("SELECT name FROM BlobStorage WHERE age <> '' AND age > 50", ["Grace", "Edsger"]),
        ("SELECT \"name\" FROM BlobStorage WHERE NAME = 'Ada'", ["Ada"]),
        ("SELECT _1, _2 FROM BlobStorage LIMIT 2", ["Ada,36", "Grace,85"]),
        ("select city as town, age + 1 from blobstorage where age <> '' and age < 40;", ["London,37"]),
        ("SELECT name FROM BlobStorage WHERE age <> '' AND age BETWEEN 36 AND 72", ["Ada", "Edsger"]),
        ("SELECT name FROM BlobStorage WHERE age <> '' AND age NOT BETWEEN 36 AND 72", ["Grace"]),
        ("SELECT name FROM BlobStorage WHERE city IN ('London', 'Nuenen')", ["Ada", "Edsger"]),
        ("SELECT name FROM BlobStorage WHERE NOT city IN ('London', 'Nuenen')", ["Grace", "Barbara"]),
        ("SELECT name FROM BlobStorage WHERE name LIKE '%a'", ["Ada", "Barbara"]),
        ("SELECT name FROM BlobStorage WHERE name LIKE '_r%e'", ["Grace"]),
        ("SELECT name FROM BlobStorage WHERE name LIKE '%a%b%r%'", ["Barbara"]),
        ("SELECT name FROM BlobStorage WHERE name NOT LIKE '%a%'", ["Edsger"]),
        ("SELECT name FROM BlobStorage WHERE city = 'London' OR city = 'Nuenen' AND age = 1", ["Ada"]),
        ("SELECT COUNT(*) FROM BlobStorage", ["4"]),
        ("SELECT COUNT(*), MIN(name), MAX(name) FROM BlobStorage WHERE age <> ''", ["3,Ada,Grace"]),
        ("SELECT SUM(age) FROM BlobStorage WHERE age <> ''", ["193"]),
        ("SELECT AVG(CAST(age AS FLOAT)) FROM BlobStorage WHERE name LIKE 'A%' OR name LIKE 'E%'", ["54.0"]),
        ("SELECT MAX(CAST(age AS INT)) FROM BlobStorage WHERE age <> ''", ["85"]),
        ("SELECT SUM(age) FROM BlobStorage WHERE name = 'nobody'", [""]),
    ],
)
def test_text_with_a_header(world: BlobWorld, expression: str, lines: list[str]) -> None:
    asked = ask(world, "box/people", expression, HEADED)
    assert (asked.lines, asked.errors) == (lines, [])
    assert asked.total == len(PEOPLE)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CHARACTER_LENGTH('abcdefg')", "7"),
        ("CHAR_LENGTH(_1)", "1"),
        ("LOWER('AbCdEfG')", "abcdefg"),
        ("UPPER('AbCdEfG')", "ABCDEFG"),
        ("SUBSTRING('123456789', 1, 5)", "23456"),
        ("SUBSTRING('123456789', 6)", "789"),
        ("TRIM('  x  ')", "x"),
        ("TRIM(BOTH '123' FROM '1112211Microsoft22211122')", "Microsoft"),
        ("TRIM(LEADING '0' FROM '0070')", "70"),
        ("TRIM(TRAILING FROM ' x ')", '" x"'.strip('"')),
        ("CAST('12' AS INT) * 2 - 4 / 3", "23"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("7.5 % 2", "1.5"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("- - 1", "1"),
        ("COALESCE(NULLIF(_1, 1), 'none')", "none"),
        ("NULL", ""),
        ("NULL = NULL", ""),
        ("NULL IS NULL", "true"),
        ("NOT TRUE OR FALSE", "false"),
        ("CAST('true' AS BOOLEAN)", "true"),
        ("CAST(2.9 AS INT)", "2"),
        ("CAST('2017-01-02T03:04:05.006Z' AS TIMESTAMP)", "2017-01-02T03:04:05.006Z"),
        ("DATE_ADD('minute', 1, CAST('2017-01-02T03:04:05.006Z' AS TIMESTAMP))", "2017-01-02T03:05:05.006Z"),
        ("DATE_ADD('month', 1, TO_TIMESTAMP('2020-01-31T'))", "2020-02-29T00:00:00Z"),
        ("DATE_DIFF('hour','2018-11-09T00:00+05:30','2018-11-09T01:00:23-08:00')", "14"),
        ("DATE_DIFF('year', '2010-06-01', '2009-06-02')", "0"),
        ("DATE_DIFF(month, '2010-01-31', '2010-03-01')", "1"),
        ("EXTRACT(YEAR FROM '2010-01-01T')", "2010"),
        ("EXTRACT(timezone_hour FROM '2010-01-01T00:00-08:30')", "-8"),
        ("EXTRACT(timezone_minute FROM '2010-01-01T00:00-08:30')", "-30"),
        ("TO_STRING(CAST('1969-07-20T20:18Z' AS TIMESTAMP), 'MMMM d, y')", '"July 20, 1969"'),
        ("TO_STRING('1969-07-20T20:18:07.25Z', 'yy MM MMM dd hh:mm:ss.SS a X')", "69 07 Jul 20 08:18:07.25 PM Z"),
        ("TO_STRING('1969-07-20T20:18+05:30', 'H x xx xxx')", "20 +05 +0530 +05:30"),
        ("TO_TIMESTAMP('2007T')", "2007-01-01T00:00:00Z"),
        ("TO_TIMESTAMP('2007T') + 1", "2007-01-02T00:00:00Z"),
        ("UTCNOW()", "2026-01-01T00:00:00Z"),
        ("'50%' LIKE '%!%' ESCAPE '!'", "true"),
        ("'503' LIKE '%!%' ESCAPE '!'", "false"),
        ("'aXbXc' LIKE 'a%X_'", "true"),
        ("'ab' LIKE 'ab%b'", "false"),
        ("'it''s'", "it's"),
    ],
)
def test_expressions(world: BlobWorld, expression: str, value: str) -> None:
    asked = ask(world, "box/one", f"SELECT {expression} FROM BlobStorage")
    assert (asked.data.decode(), asked.errors) == (f"{value}\n", [])


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("SELECT name, price FROM BlobStorage[*]", '{"name":"mouse","price":12.5}\n{"name":"keyboard","price":20}\n'),
        ("SELECT none FROM BlobStorage", '{"none":null}\n{}\n'),
        ("SELECT latitude FROM BlobStorage[*].warehouses[*]", '{"latitude":41.8}\n{"latitude":-87.6}\n'),
        ("SELECT length l FROM BlobStorage[*].dimensions", '{"l":3}\n'),
        (
            "SELECT warehouses[0].latitude,tags[1],id FROM BlobStorage LIMIT 1",
            '{"latitude":41.8,"_2":"accessory","id":1}\n',
        ),
        ("SELECT id FROM BlobStorage WHERE tags IS MISSING", '{"id":2}\n'),
        ("SELECT id FROM BlobStorage WHERE none IS NOT MISSING", '{"id":1}\n'),
        ("SELECT id FROM BlobStorage WHERE none IS NULL", '{"id":1}\n{"id":2}\n'),
        ("SELECT COUNT(tags) FROM BlobStorage", '{"_1":1}\n'),
        ("SELECT * FROM BlobStorage WHERE id = 2", '{"id":2,"name":"keyboard","price":20}\n'),
        ("SELECT * FROM BlobStorage[*].tags[0]", '{"_1":"wireless"}\n'),
    ],
)
def test_json(world: BlobWorld, expression: str, text: str) -> None:
    asked = ask(world, "box/mice", expression, JSON, JSON)
    assert (asked.data.decode(), asked.errors) == (text, [])


def test_an_array_of_records(world: BlobWorld) -> None:
    world.put("box/array", b' [ {"a": 1},\n {"a": 2}\n ] ')
    assert ask(world, "box/array", "SELECT a FROM BlobStorage", JSON).lines == ["1", "2"]


def test_text_becomes_json_and_json_becomes_text(world: BlobWorld) -> None:
    assert ask(world, "box/people", "SELECT * FROM BlobStorage LIMIT 1", HEADED, JSON).data == (
        b'{"name":"Ada","age":"36","city":"London"}\n'
    )
    assert ask(world, "box/people", "SELECT * FROM BlobStorage LIMIT 1", CSV, JSON).data == (
        b'{"_1":"name","_2":"age","_3":"city"}\n'
    )
    assert ask(world, "box/mice", "SELECT tags, price FROM BlobStorage", JSON, HEADED).data == (
        b'tags,price\n"[""wireless"",""accessory""]",12.5\n,20\n'
    )


def test_a_row_that_cannot_be_looked_at_is_left_out_and_told(world: BlobWorld) -> None:
    world.put("box/rows", b"1,2\nx,2\n3\n4,0\n")
    asked = ask(world, "box/rows", "SELECT 8 / _2 FROM BlobStorage WHERE _1 < 9")
    assert asked.lines == ["4"]
    assert asked.errors == [
        ("InvalidTypeConversion", False, 4),
        ("InvalidColumnOrdinal", False, 8),
        ("DivideByZero", False, 10),
    ]
    assert asked.scanned == asked.total


@pytest.mark.parametrize(
    ("path", "expression", "source"),
    [
        ("people", "SELECT shoe FROM BlobStorage", HEADED),
        ("people", "SELECT name FROM BlobStorage", JSON),
        ("people", "SELECT NOFUNCTION(1) FROM BlobStorage", CSV),
        ("people", "SELECT LOWER() FROM BlobStorage", CSV),
        ("people", "SELECT CAST(_1 AS BLOB) FROM BlobStorage", CSV),
        ("people", "SELECT COUNT(*), _1 FROM BlobStorage", CSV),
        ("people", "SELECT SUM(*) FROM BlobStorage", CSV),
        ("people", "SELECT sys.split(1) FROM BlobStorage", CSV),
    ],
)
def test_what_ends_a_query(world: BlobWorld, path: str, expression: str, source: str) -> None:
    asked = ask(world, f"box/{path}", expression, source)
    assert asked.data == b""
    assert [is_fatal for _, is_fatal, _ in asked.errors] == [True]
    assert asked.total == len(PEOPLE)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "DELETE FROM BlobStorage",
        "SELECT FROM BlobStorage",
        "SELECT * FROM Elsewhere",
        "SELECT * FROM BlobStorage WHERE",
        "SELECT * FROM BlobStorage LIMIT -1",
        "SELECT * FROM BlobStorage.path",
        "SELECT " + ",".join(["_1"] * 50) + " FROM BlobStorage",
        "SELECT " + "(" * 300 + "1" + "+1)" * 300 + " FROM BlobStorage",
        "SELECT 99999999999999999999 FROM BlobStorage",
        "SELECT 'open FROM BlobStorage",
        "SELECT * FROM BlobStorage; SELECT * FROM BlobStorage",
    ],
)
def test_what_is_no_query(world: BlobWorld, expression: str) -> None:
    assert ask(world, "box/people", expression).status == 400


@pytest.mark.parametrize(
    ("source", "result", "status"),
    [
        ("<Format><Type>parquet</Type></Format>", CSV, 501),
        ("<Format><Type>arrow</Type><ArrowConfiguration><Schema/></ArrowConfiguration></Format>", CSV, 400),
        ("<Format><Type>yaml</Type></Format>", CSV, 400),
        ("<Format/>", CSV, 400),
        (CSV, "<Format><Type>arrow</Type></Format>", 400),
    ],
)
def test_formats_that_are_refused(world: BlobWorld, source: str, result: str, status: int) -> None:
    assert ask(world, "box/people", "SELECT * FROM BlobStorage", source, result).status == status


def test_what_is_asked_of(world: BlobWorld) -> None:
    assert ask(world, "box/nothing", "SELECT * FROM BlobStorage").code == "BlobNotFound"
    world.ask("PUT", "box/pages", headers={"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"})
    assert ask(world, "box/pages", "SELECT * FROM BlobStorage").code == "InvalidBlobType"
    assert world.ask("POST", "box/people", "comp=query", body=b"<Other/>").code == "InvalidXmlDocument"
    assert world.ask("POST", "box/people", "comp=query", body=b"<").code == "InvalidXmlDocument"
    world.put("box/empty", b"")
    asked = ask(world, "box/empty", "SELECT COUNT(*) FROM BlobStorage")
    assert (asked.data, asked.total) == (b"0\n", 0)


def test_batches_of_whole_records(world: BlobWorld) -> None:
    record = b"x" * 999_999 + b"\n"
    world.put("box/large", record * 25)
    asked = ask(world, "box/large", f"SELECT sys.split({SPLIT_BYTES_MIN})FROM BlobStorage")
    assert asked.lines == ["11000000", "11000000", "3000000"]


def test_a_large_blob_is_read_in_steps_and_stays_readable(world: BlobWorld) -> None:
    rows = b"".join(b"%d,%d\n" % (number, number % 7) for number in range(60_000))
    for block in range(3):
        world.stage("box/rows", str(block), rows)
    world.commit("box/rows", "0", "1", "2")
    asked = ask(world, "box/rows", "SELECT COUNT(*) FROM BlobStorage WHERE _2 = 3")
    assert asked.lines == [str(3 * 8571)]
    assert asked.records > 3 * len(rows) // (32 * 1024)
    assert ask(world, "box/rows", "SELECT _1 FROM BlobStorage LIMIT 2").scanned < 64 * 1024


def test_a_long_query_is_read_in_steps(world: BlobWorld) -> None:
    names = ",".join(f"'nobody {number}'" for number in range(4000))
    expression = f"SELECT age FROM BlobStorage WHERE name IN ({names},'Ada')"
    asked = ask(world, "box/people", expression, HEADED)
    assert (asked.lines, asked.errors) == (["36"], [])
    assert asked.records > 10
    assert ask(world, "box/people", f"{expression} !", HEADED).errors == [("ParseError", True, 0)]
    sums = " OR ".join(["_1 = 'x'"] * 90)
    asked = ask(world, "box/people", f"SELECT {','.join([f'({sums})'] * 40)} FROM BlobStorage")
    assert asked.errors == [("ParseError", True, 0)]


def test_an_arrow_stream_is_read_by_another_implementation(world: BlobWorld) -> None:
    world.put("box/typed", b"7,x,true,1.5,12.34,2020-01-02T03:04:05Z\n\n8,,false,2,5,1969-12-31T\n")
    kinds = ["int64", "string", "bool", "double", "decimal", "timestamp[ms]", "int64"]
    fields = "".join(
        f"<Field><Type>{kind}</Type><Name>c{number}</Name><Precision>6</Precision><Scale>2</Scale></Field>"
        for number, kind in enumerate(kinds)
    )
    arrow = f"<Format><Type>arrow</Type><ArrowConfiguration><Schema>{fields}</Schema></ArrowConfiguration></Format>"
    select = "SELECT _1, _2, _3, _4, _5, _6, NULLIF(_1, 7) FROM BlobStorage"
    asked = ask(world, "box/typed", select, CSV, arrow)
    with nanoarrow.ArrayStream(InputStream.from_readable(BytesIO(asked.data))) as stream:
        rows = [row for chunk in stream.read_all().iter_chunks() for row in chunk.to_pylist()]
    assert [list(row.values())[:4] for row in rows] == [[7, "x", True, 1.5], [8, "", False, 2.0]]
    assert [row["c5"].timestamp() for row in rows] == [
        datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp(),
        datetime(1969, 12, 31, tzinfo=UTC).timestamp(),
    ]
    assert [row["c6"] for row in rows] == [None, 8]
    wrong = ask(world, "box/typed", "SELECT _2 FROM BlobStorage", CSV, arrow)
    assert wrong.errors == [("InvalidTypeConversion", True, 0)]

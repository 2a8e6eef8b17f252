"""The text of a message: whatever XML can say comes back as it is, and what it cannot is refused."""

from __future__ import annotations

import pytest

from localzure.services.queue.requests import TEXT_BYTES_MAX
from tests.queue_world import QueueWorld
from tests.storage_world import Answer


@pytest.fixture
def world() -> QueueWorld:
    world = QueueWorld()
    world.queue()
    return world


def put_raw(world: QueueWorld, body: bytes) -> Answer:
    return world.ask("POST", "jobs/messages", body=body)


def wrapped(raw: str | bytes) -> bytes:
    inside = raw.encode() if isinstance(raw, str) else raw
    return b"<QueueMessage><MessageText>%b</MessageText></QueueMessage>" % inside


TEXTS = [
    "",
    " ",
    "  mess\t age1\n",
    "<message1>",
    "&lt;&amp;lt;&#65;]]>\"'",
    "啊齄丂狛狜 \U0001f600 ÿ\u0085\u2028\ufffd\ufdd0\ue000",
    "aGVsbG8gd29ybGQ=",
    '{"json": [1, 2, {"a": "\\u0001"}]}',
    "\x7f\x80\x9f\xa0",
    "x" * TEXT_BYTES_MAX,
    "é" * (TEXT_BYTES_MAX // 2),
    "\U0001f600" * (TEXT_BYTES_MAX // 4),
    "<" * TEXT_BYTES_MAX,
    "&" * TEXT_BYTES_MAX,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_texts_come_back_as_they_are(world: QueueWorld, text: str) -> None:
    put = world.put(text)
    assert world.peek()[0].text == text
    assert world.get()[0].text == text
    world.advance(31)
    assert world.get()[0].text == text
    assert put.text is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("&#13;&#10;&#9;", "\r\n\t"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("<![CDATA[<a>&amp;]]>", "<a>&amp;"),
        ("a<!-- not this -->b<?nor this?>c", "abc"),
        ("&quot;&apos;&#x1F600;", "\"'\U0001f600"),
    ],
)
def test_what_is_said_in_xml_is_read_as_xml(world: QueueWorld, raw: str, text: str) -> None:
    assert put_raw(world, wrapped(raw)).status == 201
    assert world.get()[0].text == text


@pytest.mark.parametrize(
    ("declaration", "codec"),
    [
        ('<?xml version="1.0" encoding="utf-8"?>', "utf-8"),
        ("<?xml version='1.0' encoding='utf-8'?>\n", "utf-8-sig"),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16"),
        ('<?xml version="1.0" encoding="iso-8859-1"?>', "latin-1"),
    ],
)
def test_encodings_of_the_document(world: QueueWorld, declaration: str, codec: str) -> None:
    body = f"{declaration}<QueueMessage>\n  <MessageText>é ÿ</MessageText>\n</QueueMessage>".encode(codec)
    assert put_raw(world, body).status == 201
    assert world.get()[0].text == "é ÿ"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "InvalidXmlDocument"),
        (b"frogs", "InvalidXmlDocument"),
        (wrapped("\x01"), "InvalidXmlDocument"),
        (wrapped("\x00"), "InvalidXmlDocument"),
        (wrapped("\x0b"), "InvalidXmlDocument"),
        (wrapped("&#1;"), "InvalidXmlDocument"),
        (wrapped("&#0;"), "InvalidXmlDocument"),
        (wrapped("&#xD800;"), "InvalidXmlDocument"),
        (wrapped("\uffff"), "InvalidXmlDocument"),
        (wrapped("\ufffe"), "InvalidXmlDocument"),
        (wrapped("&frogs;"), "InvalidXmlDocument"),
        (wrapped("a & b"), "InvalidXmlDocument"),
        (wrapped(b"\xff\xfe"), "InvalidXmlDocument"),
        (wrapped(b"\xed\xa0\x80"), "InvalidXmlDocument"),
        (b"<QueueMessage><MessageText>a</QueueMessage>", "InvalidXmlDocument"),
        (b"<QueueMessage><MessageText>a</MessageText></QueueMessage>x", "InvalidXmlDocument"),
        (b'<!DOCTYPE a [<!ENTITY b "b">]>' + wrapped("&b;"), "InvalidXmlDocument"),
        (wrapped("<b>bold</b>"), "InvalidXmlDocument"),
        (b"<Message><MessageText>a</MessageText></Message>", "InvalidXmlDocument"),
        (
            b"<QueueMessage><MessageText>a</MessageText><MessageText>b</MessageText></QueueMessage>",
            "InvalidXmlDocument",
        ),
        (b"<QueueMessage><MessageText>a</MessageText><Other/></QueueMessage>", "InvalidXmlDocument"),
        (b"<QueueMessage/>", "MissingRequiredXmlNode"),
        (b"<QueueMessage><messagetext>a</messagetext></QueueMessage>", "MissingRequiredXmlNode"),
    ],
)
def test_bodies_that_are_no_message(world: QueueWorld, body: bytes, code: str) -> None:
    put = world.put("before")
    for answer in (
        put_raw(world, body),
        world.ask("PUT", f"jobs/messages/{put.id}", f"popreceipt={put.receipt}&visibilitytimeout=0", body=body or b" "),
    ):
        assert (answer.status, answer.code) == (400, code)
    assert world.texts() == ["before"]
    assert world.delete(put).status == 204


def test_the_place_of_the_fault_is_told(world: QueueWorld) -> None:
    reason = put_raw(world, b"<?xml version='1.0'?>\n" + wrapped("\x01")).xml.findtext("Reason")
    assert reason is not None
    assert "line 2, column 27" in reason


@pytest.mark.parametrize("text", ["x" * (TEXT_BYTES_MAX + 1), "é" * (TEXT_BYTES_MAX // 2) + "x", "x" * 10_000_000])
def test_texts_that_are_too_long(world: QueueWorld, text: str) -> None:
    put = world.put("before")
    for answer in (world.try_put(text), world.update(put, 0, text)):
        assert (answer.status, answer.code) == (413, "RequestBodyTooLarge")
        assert answer.xml.findtext("MaxLimit") == "65536"
    assert (world.texts(), world.count()) == (["before"], 1)
    assert world.delete(put).status == 204


def test_a_body_may_arrive_in_pieces(world: QueueWorld) -> None:
    body = wrapped("piecemeal é")
    answer = world.ask("POST", "jobs/messages", body=[body[at : at + 1] for at in range(len(body))])
    assert answer.status == 201
    assert world.texts() == ["piecemeal é"]


def test_a_body_without_an_end_is_refused_as_it_arrives(world: QueueWorld) -> None:
    answer = world.ask("POST", "jobs/messages", headers={"content-length": "10"}, body=[b" " * 65536] * 100)
    assert answer.code == "RequestBodyTooLarge"

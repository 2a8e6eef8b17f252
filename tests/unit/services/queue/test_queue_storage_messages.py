"""Messages: put, get, peek, update, delete and clear, their order, and who may do what."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from tests.queue_world import DAY, QueueWorld, messages_in

START = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def world() -> QueueWorld:
    world = QueueWorld()
    world.queue()
    return world


def test_put_tells_how_to_take_it_back(world: QueueWorld) -> None:
    answer = world.try_put()
    assert (answer.status, answer.headers["content-type"]) == (201, "application/xml")
    put = messages_in(answer)[0]
    assert (put.inserted, put.visible, put.expires) == (START, START, "Thu, 08 Jan 2026 00:00:00 GMT")
    assert (put.count, put.text) == ("", None)
    assert world.delete(put).status == 204
    assert world.texts() == []


def test_get_hides_and_peek_does_not(world: QueueWorld) -> None:
    put = world.put("hello")
    world.clock.advance(3)
    peeked = world.peek()[0]
    assert peeked == replace(put, receipt="", visible="", count="0", text="hello")
    got = world.get()[0]
    assert (got.id, got.inserted, got.expires) == (put.id, put.inserted, put.expires)
    assert (got.visible, got.count, got.text) == ("Thu, 01 Jan 2026 00:00:33 GMT", "1", "hello")
    assert got.receipt != put.receipt
    assert world.peek() == world.get() == []
    world.clock.advance(29.999999)
    assert world.get() == []
    world.clock.advance(0.000001)
    again = world.get()[0]
    assert (again.id, again.count) == (put.id, "2")
    assert again.receipt not in {got.receipt, put.receipt}
    assert world.count() == 1


def test_replies_to_reading_are_not_to_be_cached(world: QueueWorld) -> None:
    for query in ("", "peekonly=true"):
        answer = world.ask("GET", "jobs/messages", query)
        assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-cache", "application/xml")
        assert answer.xml.tag == "QueueMessagesList"


def test_messages_come_in_order_up_to_32_at_once(world: QueueWorld) -> None:
    for number in range(40):
        world.put(str(number))
    assert world.texts() == [str(number) for number in range(32)]
    assert [message.text for message in world.get("numofmessages=32")] == [str(number) for number in range(32)]
    assert [message.text for message in world.get("numofmessages=5")] == ["32", "33", "34", "35", "36"]
    assert [message.text for message in world.get()] == ["37"]
    assert world.texts() == ["38", "39"]


def test_the_order_is_that_of_becoming_visible(world: QueueWorld) -> None:
    world.put("late", "visibilitytimeout=20")
    world.put("first")
    world.clock.advance(1)
    world.put("second")
    assert [message.text for message in world.get("visibilitytimeout=10")] == ["first"]
    world.clock.advance(30)
    world.put("last")
    assert world.texts() == ["second", "first", "late", "last"]


def test_messages_that_were_hidden_together_keep_their_order(world: QueueWorld) -> None:
    for number in range(5):
        world.put(str(number))
    world.get("numofmessages=5&visibilitytimeout=10")
    world.clock.advance(10)
    assert world.texts() == ["0", "1", "2", "3", "4"]


def test_an_updated_message_goes_to_the_back(world: QueueWorld) -> None:
    world.put("a")
    world.put("b")
    got = world.get()[0]
    world.clock.advance(1)
    world.update(got, 0)
    assert world.texts() == ["b", "a"]


# --- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "visible", "expires"),
    [
        ("visibilitytimeout=0", START, "Thu, 08 Jan 2026 00:00:00 GMT"),
        ("visibilitytimeout=604799", "Wed, 07 Jan 2026 23:59:59 GMT", "Thu, 08 Jan 2026 00:00:00 GMT"),
        (
            "visibilitytimeout=604800&messagettl=604801",
            "Thu, 08 Jan 2026 00:00:00 GMT",
            "Thu, 08 Jan 2026 00:00:01 GMT",
        ),
        ("messagettl=1", START, "Thu, 01 Jan 2026 00:00:01 GMT"),
        ("messagettl=1048576", START, "Tue, 13 Jan 2026 03:16:16 GMT"),
        ("messagettl=-1", START, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("messagettl=9007199254740991", START, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("messagettl=-1&visibilitytimeout=604800", "Thu, 08 Jan 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("messagettl=&visibilitytimeout=", START, "Thu, 08 Jan 2026 00:00:00 GMT"),
    ],
)
def test_times_of_put(world: QueueWorld, query: str, visible: str, expires: str) -> None:
    put = world.put("x", query)
    assert (put.visible, put.expires) == (visible, expires)


RANGE = "OutOfRangeQueryParameterValue"
INVALID = "InvalidQueryParameterValue"


@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ("visibilitytimeout=-1", RANGE, "visibilitytimeout"),
        ("visibilitytimeout=604801", RANGE, "visibilitytimeout"),
        ("visibilitytimeout=1.5", INVALID, "visibilitytimeout"),
        ("visibilitytimeout=" + "9" * 40, INVALID, "visibilitytimeout"),
        ("messagettl=0", INVALID, "messagettl"),
        ("messagettl=-2", INVALID, "messagettl"),
        ("messagettl=frogs", INVALID, "messagettl"),
        ("messagettl=30&visibilitytimeout=30", INVALID, "visibilitytimeout"),
        ("messagettl=30&visibilitytimeout=31", INVALID, "visibilitytimeout"),
        ("visibilitytimeout=604800", INVALID, "visibilitytimeout"),
    ],
)
def test_times_that_put_refuses(world: QueueWorld, query: str, code: str, name: str) -> None:
    answer = world.try_put("x", query)
    assert (answer.status, answer.code, answer.xml.findtext("QueryParameterName")) == (400, code, name)
    assert world.count() == 0


def test_the_limits_are_told(world: QueueWorld) -> None:
    answer = world.ask("GET", "jobs/messages", "numofmessages=100&peekonly=true")
    details = ("QueryParameterName", "QueryParameterValue", "MinimumAllowed", "MaximumAllowed")
    assert [answer.xml.findtext(name) for name in details] == ["numofmessages", "100", "1", "32"]
    answer = world.try_put("x", "messagettl=30&visibilitytimeout=30")
    assert answer.xml.findtext("Reason") == "messagettl must be greater than visibilitytimeout"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("numofmessages=0", RANGE),
        ("numofmessages=33", RANGE),
        ("numofmessages=-1", RANGE),
        ("numofmessages=many", INVALID),
        ("visibilitytimeout=0", RANGE),
        ("visibilitytimeout=604801", RANGE),
        ("visibilitytimeout=soon", INVALID),
        ("peekonly=maybe", INVALID),
        ("comp=metadata", INVALID),
    ],
)
def test_what_get_refuses(world: QueueWorld, query: str, code: str) -> None:
    world.put()
    answer = world.ask("GET", "jobs/messages", query)
    assert (answer.status, answer.code) == (400, code)
    assert world.texts() == ["hello"]


def test_peek_has_no_visibility_timeout(world: QueueWorld) -> None:
    world.put()
    assert len(world.peek("visibilitytimeout=frogs")) == 1


def test_get_may_hide_a_message_beyond_its_end(world: QueueWorld) -> None:
    world.put("x", "messagettl=10")
    assert world.get("visibilitytimeout=604800")[0].visible == "Thu, 08 Jan 2026 00:00:00 GMT"
    world.advance(11)
    assert world.count() == 0


def test_peek_may_be_said_to_be_false_in_any_case(world: QueueWorld) -> None:
    world.put()
    assert messages_in(world.ask("GET", "jobs/messages", "peekonly=FALSE"))[0].receipt
    world.put()
    assert not messages_in(world.ask("GET", "jobs/messages", "peekonly=True"))[0].receipt


# --- update and delete --------------------------------------------------------------------------------------------


def test_update_hides_and_gives_another_receipt(world: QueueWorld) -> None:
    put = world.put("old")
    world.clock.advance(2)
    answer = world.update(put, 10)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-ms-time-next-visible"] == "Thu, 01 Jan 2026 00:00:12 GMT"
    receipt = answer.headers["x-ms-popreceipt"]
    assert receipt != put.receipt
    assert world.texts() == []
    world.clock.advance(10)
    peeked = world.peek()[0]
    assert (peeked.text, peeked.count, peeked.expires) == ("old", "0", put.expires)
    assert world.delete(put, receipt).status == 204


@pytest.mark.parametrize("before", ["short", "x" * 5000, ""])
@pytest.mark.parametrize("after", ["other", "y" * 6000, ""])
def test_update_changes_the_text(world: QueueWorld, before: str, after: str) -> None:
    put = world.put(before)
    world.update(put, 0, after)
    got = world.get()[0]
    assert (got.text, got.count) == (after, "1")
    world.delete(got)
    assert world.count() == 0


def test_update_without_a_body_keeps_the_text(world: QueueWorld) -> None:
    for text in ("short", "x" * 5000):
        world.update(world.put(text), 0)
        got = world.get()[0]
        assert got.text == text
        world.delete(got)


@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ("popreceipt={}", "MissingRequiredQueryParameter", "visibilitytimeout"),
        ("visibilitytimeout=0", "MissingRequiredQueryParameter", "popreceipt"),
        ("popreceipt={}&visibilitytimeout=-1", RANGE, "visibilitytimeout"),
        ("popreceipt={}&visibilitytimeout=604801", RANGE, "visibilitytimeout"),
        ("popreceipt={}&visibilitytimeout=x", INVALID, "visibilitytimeout"),
        ("popreceipt=&visibilitytimeout=0", INVALID, "popreceipt"),
        ("popreceipt={}Random&visibilitytimeout=0", INVALID, "popreceipt"),
    ],
)
def test_what_update_refuses(world: QueueWorld, query: str, code: str, name: str) -> None:
    put = world.put("old")
    receipt = put.receipt.replace("+", "%2B")
    answer = world.ask("PUT", f"jobs/messages/{put.id}", query.format(receipt), body=b"<QueueMessage>")
    assert (answer.status, answer.code, answer.xml.findtext("QueryParameterName")) == (400, code, name)
    assert world.delete(put).status == 204, "the receipt is still good"


def test_a_receipt_must_have_its_form(world: QueueWorld) -> None:
    put = world.put()
    answer = world.delete(put, "invalid")
    details = ("QueryParameterName", "QueryParameterValue", "Reason")
    assert (answer.status, answer.code) == (400, INVALID)
    assert [answer.xml.findtext(name) for name in details] == ["popreceipt", "invalid", "Invalid pop receipt format"]
    assert world.ask("DELETE", f"jobs/messages/{put.id}").code == "MissingRequiredQueryParameter"
    assert world.texts() == ["hello"]


def test_a_stale_receipt_has_lost_the_message(world: QueueWorld) -> None:
    put = world.put()
    got = world.get("visibilitytimeout=1")[0]
    for stale in (world.delete(put), world.update(put, 0)):
        assert (stale.status, stale.code) == (404, "MessageNotFound")
    world.clock.advance(1)
    again = world.get()[0]
    assert world.delete(got).code == "MessageNotFound"
    updated = world.update(again, 5).headers["x-ms-popreceipt"]
    assert world.delete(again).code == "MessageNotFound"
    assert world.delete(again, updated).status == 204
    assert world.delete(again, updated).code == "MessageNotFound"


def test_a_receipt_is_good_until_somebody_else_gets_the_message(world: QueueWorld) -> None:
    got = [world.put(), world.get("visibilitytimeout=1")[0]][1]
    world.clock.advance(DAY)
    assert world.texts() == ["hello"]
    assert world.delete(got).status == 204


def test_a_receipt_of_another_message_is_a_mismatch(world: QueueWorld) -> None:
    mine, other = world.put("mine"), world.put("other")
    for foreign in (other.receipt, base64.b64encode(bytes(20)).decode(), "YQ=="):
        for answer in (world.delete(mine, foreign), world.update(mine, 0, "changed", foreign)):
            assert (answer.status, answer.code) == (400, "PopReceiptMismatch")
    assert world.texts() == ["mine", "other"]


def test_the_tag_of_a_receipt_alone_is_worth_nothing(world: QueueWorld) -> None:
    put = world.put()
    raw = base64.b64decode(put.receipt)
    for forged in (raw[:8], raw[:8] + bytes(12), raw[:-1], raw + b"\x00"):
        assert world.delete(put, base64.b64encode(forged).decode()).code == "MessageNotFound"
    assert world.delete(put).status == 204


def test_ids_of_no_message(world: QueueWorld) -> None:
    put = world.put()
    other = world.queue("other")
    for name in (put.id + "Random", "x", put.id[:-1] + "9", "0" + put.id[1:] if put.id[0] != "0" else "1" + put.id[1:]):
        answer = world.delete(replace(put, id=name))
        assert (answer.status, answer.code) == (404, "MessageNotFound"), name
    assert world.delete(put, queue=other).code == "MessageNotFound"
    assert world.delete(replace(put, id=put.id.upper())).status == 204


def test_an_empty_message_id_is_not_all_messages(world: QueueWorld) -> None:
    world.put()
    for path in ("jobs/messages/", "jobs//", "jobs/", "jobs/message", "jobs/Messages"):
        answer = world.ask("DELETE", path, "popreceipt=YQ==")
        assert (answer.status, answer.code) == (400, "InvalidUri"), path
    assert world.texts() == ["hello"]


def test_counts(world: QueueWorld) -> None:
    assert world.count() == 0
    world.put("hidden", "visibilitytimeout=100")
    messages = [world.put() for _ in range(3)]
    assert world.count() == 4
    world.get("numofmessages=2")
    world.peek()
    assert world.count() == 4
    world.delete(messages[2])
    assert world.count() == 3


def test_clear(world: QueueWorld) -> None:
    before = world.stored_keys()
    assert world.ask("DELETE", "jobs/messages").status == 204
    assert world.stored_keys() == before, "there was nothing to clear"
    put = world.put("visible")
    world.put("hidden", "visibilitytimeout=100")
    answer = world.ask("DELETE", "jobs/messages")
    assert (answer.status, answer.body) == (204, b"")
    assert (world.count(), world.texts()) == (0, [])
    assert world.delete(put).code == "MessageNotFound"
    new = world.put("new")
    assert new.id != put.id
    world.clock.advance(100)
    assert world.texts() == ["new"]
    world.sweep()
    assert (world.texts(), world.count()) == (["new"], 1)
    world.delete(new)
    assert world.ask("DELETE", "jobs/messages").status == 204


def test_messages_survive_a_restart(world: QueueWorld) -> None:
    world.put("a")
    world.put("b" * 5000)
    got = world.get()[0]
    world.start()
    assert world.texts() == ["b" * 5000]
    assert world.delete(got).status == 204
    assert world.put("c").id != got.id
    assert world.count() == 2

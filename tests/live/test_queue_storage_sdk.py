"""The unmodified azure-storage-queue package against a real server, with the well-known development account."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.queue import (
    AccessPolicy,
    BinaryBase64DecodePolicy,
    BinaryBase64EncodePolicy,
    CorsRule,
    Metrics,
    QueueAnalyticsLogging,
    QueueClient,
    QueueSasPermissions,
    QueueServiceClient,
    RetentionPolicy,
    TextBase64DecodePolicy,
    TextBase64EncodePolicy,
)
from azure.storage.queue import aio as queue_aio

from localzure.testing import LocalZure

WRONG_KEY = "d3Jvbmcga2V5IG9mIHRoZSBkZXZlbG9wbWVudCBhY2NvdW50"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


def account_key(azure: LocalZure) -> str:
    return azure.queue_connection_string.partition("AccountKey=")[2].partition(";")[0]


@pytest.fixture
def service(azure: LocalZure) -> Iterator[QueueServiceClient]:
    with QueueServiceClient.from_connection_string(azure.queue_connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
def queue(service: QueueServiceClient, request: pytest.FixtureRequest) -> Iterator[QueueClient]:
    name = "queue-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    client = service.create_queue(name)
    yield client
    client.delete_queue()


def code(caught: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str]:
    """The status and code of an error."""
    return caught.value.status_code, caught.value.error_code  # type: ignore[attr-defined]  # set by the SDK


def wait_for(look: Callable[[], Any]) -> Any:
    """Look until there is something to see, for a few seconds."""
    deadline = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
    return found


def texts(queue: QueueClient) -> list[Any]:
    return [message.content for message in queue.peek_messages(32)]


# --- queues -------------------------------------------------------------------------------------------------------


def test_queues(service: QueueServiceClient) -> None:
    names = [f"list-{number}" for number in range(5)]
    for name in names:
        service.create_queue(name, metadata={"Name": name})
    listed = list(service.list_queues(name_starts_with="list-", include_metadata=True, results_per_page=2))
    assert [(found.name, found.metadata) for found in listed] == [(name, {"Name": name}) for name in names]
    pages: Any = service.list_queues(name_starts_with="list-", results_per_page=2).by_page()
    assert [found.name for found in next(pages)] == names[:2]
    rest = service.list_queues(name_starts_with="list-").by_page(pages.continuation_token)
    assert [found.name for found in next(rest)] == names[2:]
    with pytest.raises(ResourceExistsError):
        service.create_queue("list-0", metadata={"Name": "list-0"})
    with pytest.raises(ResourceExistsError) as other:
        service.create_queue("list-0")
    assert code(other) == (409, "QueueAlreadyExists")
    client = service.get_queue_client("list-0")
    client.set_queue_metadata({"UPPER": "Case"})
    properties = client.get_queue_properties()
    assert (properties.name, properties.metadata) == ("list-0", {"UPPER": "Case"})
    assert properties.approximate_message_count == 0
    for name in names:
        service.delete_queue(name)
    with pytest.raises(ResourceNotFoundError) as gone:
        client.get_queue_properties()
    assert code(gone) == (404, "QueueNotFound")
    service.create_queue("list-0")
    service.delete_queue("list-0")


@pytest.mark.parametrize(("name", "expected"), [("Upper", "InvalidResourceName"), ("ab", "OutOfRangeInput")])
def test_names_that_cannot_be(service: QueueServiceClient, name: str, expected: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        service.create_queue(name)
    assert code(refused) == (400, expected)


def test_access_policies(queue: QueueClient) -> None:
    assert queue.get_queue_access_policy() == {}
    start = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    policy = AccessPolicy(QueueSasPermissions(read=True, process=True), start + timedelta(days=1), start)
    policies: dict[str, Any] = {"full": policy, "empty": None}
    queue.set_queue_access_policy(policies)
    found = queue.get_queue_access_policy()
    assert set(found) == {"full", "empty"}
    full: Any = found["full"]
    assert (full.permission, full.start[:19], full.expiry[:19]) == ("rp", "2026-01-01T12:30:00", "2026-01-02T12:30:00")
    queue.set_queue_access_policy({})
    assert queue.get_queue_access_policy() == {}


def test_service_properties(service: QueueServiceClient) -> None:
    retention = RetentionPolicy(enabled=True, days=5)
    rule = CorsRule(["http://app.example"], ["GET", "PUT"], max_age_in_seconds=60, allowed_headers=["x-ms-*"])
    service.set_service_properties(
        analytics_logging=QueueAnalyticsLogging(read=True, write=True, delete=True, retention_policy=retention),
        hour_metrics=Metrics(enabled=True, include_apis=True, retention_policy=retention),
        cors=[rule],
    )
    found = service.get_service_properties()
    assert (found["analytics_logging"].read, found["analytics_logging"].retention_policy.days) == (True, 5)
    assert (found["hour_metrics"].include_apis, found["minute_metrics"].enabled) == (True, False)
    assert found["cors"][0].allowed_origins == "http://app.example"
    service.set_service_properties(cors=[])
    assert service.get_service_properties()["cors"] == []
    with pytest.raises(HttpResponseError) as refused:
        service.set_service_properties(cors=[rule] * 6)
    assert code(refused) == (400, "InvalidXmlDocument")


def test_stats_are_the_secondarys(azure: LocalZure) -> None:
    url = f"{azure.endpoints['queue'].rstrip('/')}/devstoreaccount1-secondary"
    credential = {"account_name": "devstoreaccount1", "account_key": account_key(azure)}
    with QueueServiceClient(url, credential=credential, secondary_hostname=urlsplit(url).netloc) as secondary:
        stats: Any = secondary.get_service_stats()
        assert stats["geo_replication"]["status"] == "live"
        assert stats["geo_replication"]["last_sync_time"] is not None
        with pytest.raises(HttpResponseError) as refused:
            secondary.create_queue("written")
    assert code(refused) == (403, "InsufficientAccountPermissions")


# --- messages -----------------------------------------------------------------------------------------------------


def test_messages_go_round(queue: QueueClient) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    sent: list[Any] = [queue.send_message(f"message {number}") for number in range(5)]
    assert before < sent[0].inserted_on <= datetime.now(UTC)
    assert sent[0].expires_on - sent[0].inserted_on == timedelta(days=7)
    assert queue.get_queue_properties().approximate_message_count == 5
    assert texts(queue) == [f"message {number}" for number in range(5)]
    got = list(queue.receive_messages(messages_per_page=2, visibility_timeout=60))
    assert [message.content for message in got] == [f"message {number}" for number in range(5)]
    assert [message.id for message in got] == [message.id for message in sent]
    assert {message.dequeue_count for message in got} == {1}
    assert texts(queue) == []
    assert queue.receive_message() is None
    for message in got[:3]:
        queue.delete_message(message)
    assert queue.get_queue_properties().approximate_message_count == 2
    queue.clear_messages()
    assert queue.get_queue_properties().approximate_message_count == 0


def test_a_hidden_message_comes_back(queue: QueueClient) -> None:
    queue.send_message("again")
    first = queue.receive_message(visibility_timeout=1)
    assert first is not None
    assert queue.receive_message() is None
    second: Any = wait_for(lambda: queue.receive_message(visibility_timeout=60))
    assert (second.id, second.dequeue_count) == (first.id, 2)
    assert second.inserted_on == first.inserted_on
    with pytest.raises(ResourceNotFoundError) as lost:
        queue.delete_message(first)
    assert code(lost) == (404, "MessageNotFound")
    queue.delete_message(second)


def test_a_message_that_is_sent_for_later(queue: QueueClient) -> None:
    queue.send_message("later", visibility_timeout=1)
    queue.send_message("now")
    assert texts(queue) == ["now"]
    assert wait_for(lambda: len(texts(queue)) == 2)
    assert texts(queue) == ["now", "later"]


def test_a_message_expires_and_is_removed(queue: QueueClient) -> None:
    queue.send_message("short", time_to_live=1)
    queue.send_message("forever", time_to_live=-1)
    assert wait_for(lambda: texts(queue) == ["forever"])
    assert wait_for(lambda: queue.get_queue_properties().approximate_message_count == 1)
    assert queue.peek_messages()[0].expires_on == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_update_rotates_the_receipt(queue: QueueClient) -> None:
    queue.send_message("old")
    got = queue.receive_message()
    assert got is not None
    updated = queue.update_message(got, visibility_timeout=0, content="new")
    assert updated.pop_receipt != got.pop_receipt
    again = queue.receive_message(visibility_timeout=60)
    assert again is not None
    assert (again.id, again.content, again.dequeue_count) == (got.id, "new", 2)
    for stale in (got, updated):
        with pytest.raises(ResourceNotFoundError):
            queue.update_message(stale, visibility_timeout=0)
    renewed: Any = queue.update_message(again, visibility_timeout=120)
    assert renewed.next_visible_on - datetime.now(UTC) > timedelta(seconds=100)
    queue.delete_message(renewed.id, renewed.pop_receipt)


def test_receipts_that_are_wrong(queue: QueueClient) -> None:
    mine, other = queue.send_message("mine"), queue.send_message("other")
    with pytest.raises(HttpResponseError) as mismatch:
        queue.delete_message(mine.id, other.pop_receipt)
    assert code(mismatch) == (400, "PopReceiptMismatch")
    with pytest.raises(HttpResponseError) as malformed:
        queue.delete_message(mine.id, "invalid")
    assert code(malformed) == (400, "InvalidQueryParameterValue")
    with pytest.raises(ResourceNotFoundError) as missing:
        queue.delete_message("00000000-0000-4000-8000-000000000000", mine.pop_receipt)
    assert code(missing) == (404, "MessageNotFound")
    assert texts(queue) == ["mine", "other"]


TEXTS = ["", " \t\n ", '<tag/> & "quotes" ]]>', "日本語 ünï \U0001f600 \u0085\u2028", "x" * 65536, "<" * 65536]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_texts(queue: QueueClient, text: str) -> None:
    queue.send_message(text)
    got = queue.receive_message()
    assert got is not None
    assert (got.content or "") == text
    queue.update_message(got, visibility_timeout=0, content=text + "" if len(text) == 65536 else text + "!")
    assert (texts(queue)[0] or "") == (text if len(text) == 65536 else text + "!")


def test_encodings(queue: QueueClient, azure: LocalZure) -> None:
    def client(encode: Any, decode: Any) -> QueueClient:
        return QueueClient.from_connection_string(
            azure.queue_connection_string, queue.queue_name, message_encode_policy=encode, message_decode_policy=decode
        )

    with client(TextBase64EncodePolicy(), TextBase64DecodePolicy()) as text:
        text.send_message("\u0001 control \x00")
        assert queue.peek_messages()[0].content == "ASBjb250cm9sIAA="
        assert text.receive_message().content == "\u0001 control \x00"  # type: ignore[union-attr]  # there is one
    with client(BinaryBase64EncodePolicy(), BinaryBase64DecodePolicy()) as binary:
        body = bytes(range(256)) * 190
        binary.send_message(body)
        assert binary.receive_message().content == body  # type: ignore[union-attr]  # as above


def test_what_xml_cannot_say_is_refused(queue: QueueClient) -> None:
    with pytest.raises(HttpResponseError) as refused:
        queue.send_message("\u0001")
    assert code(refused) == (400, "InvalidXmlDocument")


def test_a_message_that_is_too_long(queue: QueueClient) -> None:
    with pytest.raises(HttpResponseError) as refused:
        queue.send_message("x" * 65537)
    assert code(refused) == (413, "RequestBodyTooLarge")
    assert texts(queue) == []


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda queue: queue.send_message("x", visibility_timeout=604801), "OutOfRangeQueryParameterValue"),
        (lambda queue: queue.send_message("x", visibility_timeout=30, time_to_live=30), "InvalidQueryParameterValue"),
        (lambda queue: next(queue.receive_messages(messages_per_page=33)), "OutOfRangeQueryParameterValue"),
        (lambda queue: queue.receive_message(visibility_timeout=604801), "OutOfRangeQueryParameterValue"),
    ],
)
def test_limits(queue: QueueClient, ask: Callable[[QueueClient], object], expected: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        ask(queue)
    assert code(refused) == (400, expected)


# --- who, where, and for how long ---------------------------------------------------------------------------------


def test_a_wrong_key_is_refused(azure: LocalZure, queue: QueueClient) -> None:
    url = f"{azure.endpoints['queue']}/devstoreaccount1"
    credential = {"account_name": "devstoreaccount1", "account_key": WRONG_KEY}
    with (
        QueueClient(url, queue.queue_name, credential=credential, retry_total=0) as stranger,
        pytest.raises(ClientAuthenticationError) as refused,
    ):
        stranger.send_message("x")
    assert code(refused) == (403, "AuthenticationFailed")
    assert texts(queue) == []


@pytest.mark.parametrize("style", ["host", "gateway", "gateway host"])
def test_the_other_ways_to_an_account(azure: LocalZure, queue: QueueClient, style: str) -> None:
    """By host name, behind the gateway's path prefix, and both."""
    port = urlsplit(azure.endpoints["queue" if style == "host" else "gateway"]).port
    url = f"http://127.0.0.1:{port}/queue/devstoreaccount1"
    headers = {}
    if "host" in style:
        url = f"http://127.0.0.1:{port}"
        headers = {"Host": f"devstoreaccount1.queue.localhost:{port}"}
    credential = {"account_name": "devstoreaccount1", "account_key": account_key(azure)}
    with QueueClient(url, queue.queue_name, credential=credential, retry_total=0) as client:
        client.send_message(style, headers=dict(headers))
        assert client.get_queue_properties(headers=dict(headers)).approximate_message_count == 1
    assert texts(queue) == [style]


def test_the_asynchronous_client(azure: LocalZure, queue: QueueClient) -> None:
    async def work() -> None:
        client = queue_aio.QueueServiceClient.from_connection_string(azure.queue_connection_string)
        async with client, client.get_queue_client(queue.queue_name) as jobs:
            await asyncio.gather(*(jobs.send_message(f"job {number:02}") for number in range(60)))
            assert (await jobs.get_queue_properties()).approximate_message_count == 60
            seen: list[str] = []

            async def worker() -> None:
                async for message in jobs.receive_messages(messages_per_page=7, visibility_timeout=60):
                    seen.append(message.content)
                    await jobs.delete_message(message)

            await asyncio.gather(*(worker() for _ in range(4)))
            assert sorted(seen) == [f"job {number:02}" for number in range(60)]
            assert (await jobs.get_queue_properties()).approximate_message_count == 0
            assert queue.queue_name in [found.name async for found in client.list_queues(results_per_page=1)]
            with pytest.raises(ResourceNotFoundError):
                await client.get_queue_client("nowhere").send_message("x")

    asyncio.run(work())


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_everything_is_there_after_a_restart(azure: LocalZure, service: QueueServiceClient, ends: str) -> None:
    queue = service.create_queue(f"kept-{ends}", metadata={"K": "v"})
    for number in range(50):
        queue.send_message(f"{number}".ljust(5000 if number % 10 == 0 else 5))
    queue.send_message("later", visibility_timeout=600)
    queue.send_message("short", time_to_live=2, visibility_timeout=1)
    held = queue.receive_message(visibility_timeout=600)
    assert held is not None
    before = texts(queue)
    getattr(azure, ends)()
    azure.start()
    assert texts(queue)[: len(before)] == before
    assert queue.get_queue_properties().metadata == {"K": "v"}
    assert wait_for(lambda: queue.get_queue_properties().approximate_message_count == 51)
    queue.delete_message(held)
    got = list(queue.receive_messages(messages_per_page=32, max_messages=100))
    assert [int(message.content) for message in got] == list(range(1, 50))
    queue.delete_queue()

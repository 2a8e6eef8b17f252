"""The sinks of documents: gathered up to a limit, and then given whole."""

from __future__ import annotations

import pytest

from localzure.services.interface import HttpReply, HttpRequest
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.sinks import Bodiless, Collecting


def _request(**headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("PUT", "/", "", named, "http", "localhost", "127.0.0.1", "id")


def test_pieces_are_given_whole() -> None:
    seen: list[bytes] = []

    def finish(body: bytes) -> HttpReply:
        seen.append(body)
        return HttpReply(202)

    sink = Collecting(_request(), 6, finish)
    for piece in (b"ab", b"", b"cdef"):
        sink.write(piece)
    assert sink.finish().status == 202
    assert seen == [b"abcdef"]


def test_a_body_beyond_the_limit_is_refused_when_it_gets_there() -> None:
    sink = Collecting(_request(), 4, lambda _: HttpReply(200))
    sink.write(b"abcd")
    with pytest.raises(StorageRestError) as caught:
        sink.write(b"e")
    assert (caught.value.code, caught.value.status) == ("RequestBodyTooLarge", 413)
    assert caught.value.details == {"MaxLimit": "4"}
    sink.abandon()


def test_the_limit_that_is_told_may_be_of_another_measure() -> None:
    sink = Collecting(_request(), 4, lambda _: HttpReply(200), told_limit=2)
    sink.write(b"abcd")
    with pytest.raises(StorageRestError) as caught:
        sink.write(b"e")
    assert caught.value.details == {"MaxLimit": "2"}


@pytest.mark.parametrize("length", ["5", "9" * 30])
def test_a_head_that_promises_too_much_is_refused_at_once(length: str) -> None:
    with pytest.raises(StorageRestError, match="RequestBodyTooLarge"):
        Collecting(_request(content_length=length), 4, lambda _: HttpReply(200))


def test_a_body_that_nobody_asked_for_is_dropped() -> None:
    sink = Bodiless(lambda: HttpReply(204))
    sink.write(b"x" * 100)
    assert sink.finish().status == 204
    sink.abandon()

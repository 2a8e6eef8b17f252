"""How errors of the storage services look on the wire."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from localzure.auth.principal import AUTHENTICATION_ERRORS, AuthenticationError
from localzure.services.interface import HttpRequest, Instant, ServiceError
from localzure.services.storage_rest.errors import COMMON_ERRORS, StorageRestError, WireError, describe, render_xml
from localzure_storage.store import StorageError, StoreFullError

NOW = Instant(784_111_777_123_456)


def request(method: str = "GET", **headers: str) -> HttpRequest:
    return HttpRequest(method, "/", "", headers, "http", "h", "", "the-request")


def test_the_body_has_azures_form() -> None:
    error = StorageRestError("InvalidHeaderValue", HeaderName="Range", HeaderValue='<&">')
    reply = render_xml(describe(error), request(), NOW)
    assert reply.status == 400
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b'<?xml version="1.0" encoding="utf-8"?><Error><Code>')
    root = ET.fromstring(reply.body)
    assert [child.tag for child in root] == ["Code", "Message", "HeaderName", "HeaderValue"]
    assert root.findtext("Code") == "InvalidHeaderValue"
    assert root.findtext("Message") == (
        "The value for one of the HTTP headers is not in the correct format.\n"
        "RequestId:the-request\nTime:1994-11-06T08:49:37.1234560Z"
    )
    assert root.findtext("HeaderValue") == '<&">'
    headers = dict(reply.headers)
    assert headers["x-ms-error-code"] == "InvalidHeaderValue"
    assert headers["content-type"] == "application/xml"


def test_every_reply_repeats_version_and_client_request_id() -> None:
    asked = request(**{"x-ms-version": "2031-01-01", "x-ms-client-request-id": "mine"})
    headers = dict(render_xml(describe(None), asked, NOW).headers)
    assert headers["x-ms-version"] == "2031-01-01"
    assert headers["x-ms-client-request-id"] == "mine"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 400), ("HEAD", 416), ("GET", 304)])
def test_some_replies_have_no_body(method: str, status: int) -> None:
    error = StorageRestError("ConditionNotMet", status=status, headers=(("content-range", "bytes */3"),))
    reply = render_xml(describe(error), request(method), NOW)
    assert (reply.status, reply.body) == (status, b"")
    headers = dict(reply.headers)
    assert headers["x-ms-error-code"] == "ConditionNotMet"
    assert headers["content-range"] == "bytes */3"
    assert "content-type" not in headers


def test_details_without_a_value_are_left_out() -> None:
    assert StorageRestError("InvalidInput", Reason="", Other="x").details == {"Other": "x"}


@pytest.mark.parametrize("code", sorted(AUTHENTICATION_ERRORS))
def test_authentication_errors_have_their_row(code: str) -> None:
    plain = describe(AuthenticationError(code, headers=(("www-authenticate", "x"),)))
    assert (plain.code, plain.status, plain.details) == (code, AUTHENTICATION_ERRORS[code][0], {})
    assert plain.headers == (("www-authenticate", "x"),)
    assert describe(AuthenticationError(code, detail="why")).details == {"AuthenticationErrorDetail": "why"}


def test_what_nobody_foresaw_is_an_internal_error() -> None:
    row = COMMON_ERRORS["InternalError"]
    for error in (None, StorageError("torn"), ServiceError("of another service")):
        assert describe(error) == WireError("InternalError", 500, row.message)


def test_a_full_store_asks_to_try_again() -> None:
    error = describe(StoreFullError("no room"))
    assert (error.code, error.status) == ("ServerBusy", 503)

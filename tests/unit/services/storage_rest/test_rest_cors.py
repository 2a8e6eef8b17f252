"""CORS: what the rules answer to preflight requests, and what they add to actual replies."""

from __future__ import annotations

import pytest

from localzure.services.interface import BodySink, HttpReply, HttpRequest, ServiceError
from localzure.services.storage_rest.cors import CorsRule, SharingSink, answer_preflight, share
from localzure.services.storage_rest.errors import StorageRestError, describe
from localzure.services.storage_rest.sinks import Bodiless
from localzure_storage.store import StorageError

CONTOSO = CorsRule(["http://www.contoso.com"], ["PUT", "GET"], ["x-ms-meta-data*", "X-Exact"], ["x-ms-meta-*"], 200)
ANYBODY = CorsRule(["*"], ["GET"], ["*"], ["*"], 5)
SUBDOMAINS = CorsRule(["https://*.contoso.com"], ["GET"], [], [], 0)


def request(method: str = "OPTIONS", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, "/acct/things", "", named, "http", "h", "127.0.0.1", "id")


def preflight(origin: str, method: str, headers: str = "") -> HttpRequest:
    more = {"access_control_request_headers": headers} if headers else {}
    return request(origin=origin, access_control_request_method=method, **more)


def names(reply: HttpReply) -> dict[str, str]:
    return dict(reply.headers)


def test_a_preflight_request_that_is_allowed() -> None:
    asked = preflight("http://www.contoso.com", "PUT", "x-ms-meta-data1, X-EXACT")
    reply = answer_preflight(asked, [SUBDOMAINS, CONTOSO])
    assert (reply.status, reply.body) == (200, b"")
    found = names(reply)
    assert found["access-control-allow-origin"] == "http://www.contoso.com"
    assert found["access-control-allow-methods"] == "PUT"
    assert found["access-control-allow-headers"] == "x-ms-meta-data1, X-EXACT"
    assert found["access-control-max-age"] == "200"
    assert found["access-control-allow-credentials"] == "true"


def test_a_rule_for_everybody_allows_no_credentials() -> None:
    found = names(answer_preflight(preflight("http://x", "GET"), [ANYBODY]))
    assert found["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in found
    assert "access-control-allow-headers" not in found


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("http://www.contoso.com", "DELETE", ""),
        ("http://www.contoso.com", "PUT", "x-ms-meta-target"),
        ("http://other", "GET", ""),
        ("https://contoso.com", "GET", ""),
        ("http://a.contoso.com", "GET", ""),
    ],
)
def test_a_preflight_request_that_is_not(origin: str, method: str, headers: str) -> None:
    with pytest.raises(StorageRestError) as caught:
        answer_preflight(preflight(origin, method, headers), [CONTOSO, SUBDOMAINS])
    assert (caught.value.code, caught.value.status) == ("CorsPreflightFailure", 403)


@pytest.mark.parametrize("origin", ["https://a.contoso.com", "https://a.b.contoso.com"])
def test_a_wildcard_stands_for_subdomains(origin: str) -> None:
    assert names(answer_preflight(preflight(origin, "GET"), [SUBDOMAINS]))["access-control-allow-origin"] == origin


def test_the_first_rule_that_fits_decides_also_against() -> None:
    strict = CorsRule(["*"], ["GET"], [], [], 1)
    with pytest.raises(StorageRestError, match="CorsPreflightFailure"):
        answer_preflight(preflight("http://x", "GET", "x-any"), [strict, ANYBODY])


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({"access_control_request_method": "GET"}, "Origin"),
        ({"origin": "http://x"}, "Access-Control-Request-Method"),
    ],
)
def test_a_preflight_request_without_its_headers(headers: dict[str, str], missing: str) -> None:
    with pytest.raises(StorageRestError) as caught:
        answer_preflight(request(**headers), [ANYBODY])
    assert (caught.value.status, caught.value.details) == (400, {"HeaderName": missing})


def shared(asked: HttpRequest, rules: list[CorsRule]) -> dict[str, str]:
    reply = HttpReply(200, [("x-ms-version", "v"), ("x-ms-meta-a", "1"), ("etag", "e")])
    share(asked, rules, reply)
    return names(reply)


def test_an_actual_request_is_shared_with_who_may_have_it() -> None:
    found = shared(request("GET", origin="http://www.contoso.com"), [CONTOSO])
    assert found["access-control-allow-origin"] == "http://www.contoso.com"
    assert found["access-control-allow-credentials"] == "true"
    assert found["access-control-expose-headers"] == "x-ms-meta-a"
    assert found["vary"] == "Origin"


def test_a_rule_for_everybody_exposes_the_headers_of_the_server_too() -> None:
    found = shared(request("GET", origin="http://x"), [ANYBODY])
    assert found["access-control-allow-origin"] == "*"
    assert set(found["access-control-expose-headers"].split(",")) >= {"etag", "x-ms-request-id", "date", "server"}
    assert "vary" not in found


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_to_others_is_told_that_the_reply_depends_on_who_asks(method: str) -> None:
    found = shared(request(method, origin="http://x"), [CONTOSO])
    assert not any(name.startswith("access-control") for name in found)
    assert ("vary" in found) is (method == "GET")


def test_without_an_origin_or_rules_nothing_is_added() -> None:
    for asked, rules in ((request("GET"), [ANYBODY]), (request("GET", origin="http://x"), [])):
        assert list(shared(asked, rules)) == ["x-ms-version", "x-ms-meta-a", "etag"]


class Refusing:
    """A sink that refuses at one of its steps, and tells whether it was let go."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.abandoned = 0

    def write(self, data: bytes) -> None:
        if self.step == "write":
            raise StorageRestError("RequestBodyTooLarge")

    def finish(self) -> HttpReply:
        raise StorageRestError("ResourceNotFound")

    def abandon(self) -> None:
        self.abandoned += 1


def refuse(error: ServiceError | StorageError) -> HttpReply:
    return HttpReply(describe(error).status)


def sharing(sink: BodySink) -> SharingSink:
    return SharingSink(request("GET", origin="http://x"), [ANYBODY], lambda: sink, refuse)


@pytest.mark.parametrize(("step", "status"), [("write", 413), ("finish", 404)])
def test_an_error_is_shared_as_well(step: str, status: int) -> None:
    inner = Refusing(step)
    sink = sharing(inner)
    sink.write(b"x")
    sink.write(b"y")
    reply = sink.finish()
    assert reply.status == status
    assert names(reply)["access-control-allow-origin"] == "*"
    sink.abandon()
    assert inner.abandoned == 1


def test_a_request_that_is_not_accepted_is_answered_at_its_end() -> None:
    def accept() -> BodySink:
        raise StorageRestError("InsufficientAccountPermissions")

    sink = SharingSink(request("PUT", origin="http://www.contoso.com"), [CONTOSO], accept, refuse)
    sink.write(b"x")
    reply = sink.finish()
    assert (reply.status, names(reply)["access-control-allow-origin"]) == (403, "http://www.contoso.com")


def test_a_request_that_succeeds_keeps_its_reply() -> None:
    reply = sharing(Bodiless(lambda: HttpReply(201, [("etag", "e")], b"body"))).finish()
    assert (reply.status, reply.body, names(reply)["etag"]) == (201, b"body", "e")


def test_a_client_that_goes_away_leaves_the_sink() -> None:
    inner = Refusing("finish")
    sharing(inner).abandon()
    assert inner.abandoned == 1

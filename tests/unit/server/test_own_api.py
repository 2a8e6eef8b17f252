"""LocalZure's own API: which requests are for it, its table of calls, its guard, and what waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from localzure.server.health import Health
from localzure.server.own_api.guard import Guard
from localzure.server.own_api.routes import BODY_BYTES_MAX, OwnApiError, OwnCall, Route
from localzure.server.own_api.service import OwnApi
from localzure.services.interface import Address, HttpReply, HttpRequest, LaterReply
from localzure_storage.store import StorageError, StoreFullError
from tests.twins import ManualClock

NOWHERE = Address("", secondary=False, path="", base_url="")


class Names(msgspec.Struct, forbid_unknown_fields=True):
    name: str = "nobody"


async def wait(call: OwnCall) -> dict[str, object]:
    await asyncio.sleep(0)
    kind = call.request.raw_query
    if kind == "refused":
        raise OwnApiError(409, "Busy", "somebody else is at it")
    if kind == "full":
        raise StoreFullError("no room")
    if kind == "bug":
        raise RuntimeError("a bug")
    return {"waited": True}


ROUTES = (
    Route("GET", "names", lambda call: {"names": [], "query": call.query}),
    Route("POST", "names", lambda call: {"name": call.read(Names).name}),
    Route("DELETE", "names/{name}", lambda _: None),
    Route("GET", "tree/{name}/{rest*}", lambda call: dict(call.names)),
    Route("GET", "public", lambda _: HttpReply(200, body=b"all may know"), is_public=True),
    Route("POST", "wait", wait),
)


def request(method: str, path: str, host: str = "localhost:8080", query: str = "", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, path, query, named, "http", host, "127.0.0.1", "an-id")


def api(**guard: Any) -> OwnApi:
    return OwnApi(Health(["blob"], ManualClock()), Guard(**guard), ROUTES[:3], {"more": ROUTES[3:]})


def ask(own: OwnApi, head: HttpRequest, body: bytes = b"") -> HttpReply:
    try:
        sink = own.accept(head, NOWHERE)
        sink.write(body)
        return sink.finish()
    except (OwnApiError, StorageError) as error:
        return own.refuse(head, error)


def content(reply: HttpReply) -> Any:
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def error_code(reply: HttpReply) -> tuple[int, str]:
    return reply.status, content(reply)["error"]["code"]


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:10000", "[::1]:1", "", "ns.servicebus.localhost"])
def test_it_answers_below_its_prefix(host: str) -> None:
    assert api().answers(request("GET", "/_localzure/names", host))
    assert api().answers(request("GET", "/_localzure/", host))


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/_localzure/names", "acct.blob.localhost:10000"),
        ("/_localzure/names", "acct.table.core.windows.net"),
        ("/_localzure", "localhost"),
        ("/%5Flocalzure/names", "localhost"),
        ("/_localzure2/names", "localhost"),
        ("/devstoreaccount1/_localzure/names", "localhost"),
    ],
)
def test_it_shadows_no_account_or_container(path: str, host: str) -> None:
    assert not api().answers(request("GET", path, host))


def test_calls_are_found_by_method_and_path() -> None:
    own = api()
    assert content(ask(own, request("GET", "/_localzure/names", query="a=1%20x&b="))) == {
        "names": [],
        "query": {"a": "1 x", "b": ""},
    }
    assert content(ask(own, request("POST", "/_localzure/names"), b'{"name": "me"}')) == {"name": "me"}
    assert content(ask(own, request("POST", "/_localzure/names"))) == {"name": "nobody"}
    assert ask(own, request("DELETE", "/_localzure/names/x")).status == 204
    found = content(ask(own, request("GET", "/_localzure/tree/a%2Fb/c/d%20e")))
    assert found == {"name": "a/b", "rest": "c/d e"}
    assert ask(own, request("HEAD", "/_localzure/names")).status == 200


def test_what_is_not_there() -> None:
    own = api()
    assert error_code(ask(own, request("GET", "/_localzure/nothing"))) == (404, "NotFound")
    assert error_code(ask(own, request("DELETE", "/_localzure/names/"))) == (404, "NotFound")
    reply = ask(own, request("PUT", "/_localzure/names"))
    assert error_code(reply) == (405, "MethodNotAllowed")
    assert ("allow", "GET, POST") in reply.headers


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": 1}', b'{"nome": "x"}', b"\xff"])
def test_bodies_that_are_wrong(body: bytes) -> None:
    assert error_code(ask(api(), request("POST", "/_localzure/names"), body)) == (400, "InvalidRequest")


def test_a_body_that_is_too_long() -> None:
    reply = ask(api(), request("POST", "/_localzure/names"), b" " * (BODY_BYTES_MAX + 1))
    assert error_code(reply) == (413, "BodyTooLarge")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:1",
        "10.1.2.3",
        "[::1]:8080",
        "localzure:8080",
        "host.docker.internal:8080",
        "localzure.default.svc.cluster.local",
        "",
    ],
)
def test_local_hosts_are_answered(host: str) -> None:
    assert ask(api(), request("GET", "/_localzure/names", host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.org"])
def test_foreign_hosts_are_refused(host: str) -> None:
    for path in ("names", "public", "nothing"):
        assert error_code(ask(api(), request("GET", f"/_localzure/{path}", host))) == (403, "ForeignHost")


def test_a_host_that_the_configuration_allows() -> None:
    own = api(hosts=["Dev.Example"])
    assert ask(own, request("GET", "/_localzure/names", "dev.example:8080")).status == 200
    assert ask(own, request("GET", "/_localzure/names", "dev.example.:8080")).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", "http://[", ""])
def test_pages_of_other_sites_are_refused(origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        reply = ask(api(), request(method, "/_localzure/names", origin=origin))
        assert error_code(reply) == (403, "ForeignOrigin")


def test_a_page_without_origin_says_so_in_another_header() -> None:
    reply = ask(api(), request("GET", "/_localzure/names", sec_fetch_site="cross-site"))
    assert error_code(reply) == (403, "ForeignOrigin")
    assert ask(api(), request("GET", "/_localzure/names", sec_fetch_site="none")).status == 200


def test_pages_of_its_own_are_answered() -> None:
    assert ask(api(), request("POST", "/_localzure/names", origin="http://LOCALHOST:8080")).status == 200


def test_the_admin_token() -> None:
    own = api(token="s3cret")
    reply = ask(own, request("GET", "/_localzure/names"))
    assert error_code(reply) == (401, "AdminTokenRequired")
    assert ("www-authenticate", 'Bearer realm="localzure"') in reply.headers
    for wrong in ("Bearer s3cre", "Bearer", "s3cret", "Basic s3cret", "Bearer s3cr\xe9t"):
        assert ask(own, request("GET", "/_localzure/names", authorization=wrong)).status == 401
    for right in ("Bearer s3cret", "bearer  s3cret"):
        assert ask(own, request("GET", "/_localzure/names", authorization=right)).status == 200
    assert ask(own, request("GET", "/_localzure/public")).status == 200
    assert ask(own, request("GET", "/_localzure/nothing")).status == 401
    foreign = request("GET", "/_localzure/names", "evil.example", authorization="Bearer s3cret")
    assert ask(own, foreign).status == 403


@pytest.mark.parametrize(
    ("query", "answer"),
    [("", 200), ("refused", (409, "Busy")), ("full", (503, "StoreFailed")), ("bug", (500, "InternalError"))],
)
def test_what_waits_answers_when_it_has_ended(query: str, answer: object) -> None:
    async def talk() -> HttpReply:
        own = api()
        own.spawn = asyncio.get_running_loop().create_task
        later = ask(own, request("POST", "/_localzure/wait", query=query))
        assert isinstance(later, LaterReply)
        arrived: asyncio.Future[HttpReply] = asyncio.get_running_loop().create_future()
        later.then(lambda make: arrived.set_result(make()))
        assert not arrived.done()
        return await arrived

    reply = asyncio.run(talk())
    if answer == 200:
        assert content(reply) == {"waited": True}
    else:
        assert error_code(reply) == answer


def test_the_error_of_a_request_that_reaches_nobody() -> None:
    reply = api().refuse(request("GET", "/"), None)
    assert error_code(reply) == (500, "InternalError")
    assert "an-id" in content(reply)["error"]["message"]

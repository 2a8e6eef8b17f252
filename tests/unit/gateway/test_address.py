"""Which service and account a request is for."""

import pytest

from localzure.gateway.address import Host, parse_host, resolve
from localzure.services.interface import Address, HttpRequest


def request(path: str, host: str = "127.0.0.1:10000", scheme: str = "http") -> HttpRequest:
    return HttpRequest("GET", path, "", {}, scheme, host, "127.0.0.1", "id")


@pytest.mark.parametrize("service", ["blob", "queue", "table"])
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:10000", "localhost:10000", "localhost", "host.docker.internal:10000", "[::1]:10000", "azurite", ""],
)
def test_a_services_own_port_is_path_style_for_any_plain_host(service: str, host: str) -> None:
    assert resolve(service, request("/acct/box/a%2Fb//c+d", host)) == (
        service,
        Address("acct", secondary=False, path="box/a%2Fb//c+d", base_url=f"http://{host}/acct"),
    )


@pytest.mark.parametrize(
    ("path", "account", "rest"),
    [("/", "", ""), ("", "", ""), ("/acct", "acct", ""), ("/acct/", "acct", ""), ("//box", "", "box"), ("*", "*", "")],
)
def test_short_paths(path: str, account: str, rest: str) -> None:
    service, address = resolve("blob", request(path))
    assert (service, address.account, address.path) == ("blob", account, rest)


def test_the_secondary_is_named_behind_the_account() -> None:
    _, address = resolve("blob", request("/acct-secondary/box"))
    assert address == Address("acct", secondary=True, path="box", base_url="http://127.0.0.1:10000/acct-secondary")
    _, address = resolve(None, request("/", "acct-secondary.blob.localhost"))
    assert (address.account, address.secondary) == ("acct", True)


@pytest.mark.parametrize("default", ["blob", "table", "servicebus", None])
@pytest.mark.parametrize(
    "host",
    [
        "acct.blob.localhost:10000",
        "acct.blob.localhost",
        "ACCT.Blob.LocalHost:1",
        "acct.blob.localhost.:1",
        "acct.blob.core.windows.net",
        "acct.blob.core.usgovcloudapi.net",
    ],
)
def test_host_style_decides_on_every_port(default: str | None, host: str) -> None:
    assert resolve(default, request("/acct/box/blob", host, "https")) == (
        "blob",
        Address("acct", secondary=False, path="acct/box/blob", base_url=f"https://{host}"),
    )


@pytest.mark.parametrize(
    "host",
    [
        "acct.blob.example.com",
        "blob.localhost",
        ".blob.localhost",
        "acct.files.localhost",
        "a.b.blob.localhost",
        "10.0.0.1",
    ],
)
def test_other_hosts_leave_the_decision_to_the_path(host: str) -> None:
    assert parse_host(host) == Host(None)
    assert resolve("blob", request("/acct/box", host))[1].account == "acct"


@pytest.mark.parametrize("service", ["blob", "queue", "table"])
def test_the_gateway_takes_the_service_from_the_path(service: str) -> None:
    assert resolve(None, request(f"/{service}/acct/box", "localhost:8080")) == (
        service,
        Address("acct", secondary=False, path="box", base_url=f"http://localhost:8080/{service}/acct"),
    )


def test_service_bus_has_no_accounts() -> None:
    whole = Address("", secondary=False, path="queue.1/messages", base_url="http://localhost:8080/servicebus")
    assert resolve(None, request("/servicebus/queue.1/messages", "localhost:8080")) == ("servicebus", whole)
    own_port = Address("", secondary=False, path="queue.1/messages", base_url="http://localhost:5300")
    assert resolve("servicebus", request("/queue.1/messages", "localhost:5300")) == ("servicebus", own_port)
    service, address = resolve("servicebus", request("/queue.1", "ns.servicebus.windows.net"))
    assert (service, address.path) == ("servicebus", "queue.1")


@pytest.mark.parametrize("path", ["/", "/acct/box", "/blobs/acct", "/Blob/acct"])
def test_the_gateway_leaves_other_paths_to_nobody(path: str) -> None:
    service, address = resolve(None, request(path, "localhost:8080"))
    assert service is None
    assert address.path == path[1:]


def test_an_account_called_like_a_service_is_an_account_on_the_services_port() -> None:
    assert resolve("blob", request("/queue/box"))[1].account == "queue"

"""Shared Key Lite for blobs and queues: what is signed, and that nothing of it can be changed."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import BLOB_DOOR, authenticate
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.shared_key_lite import string_to_sign
from localzure.services.interface import SECOND, Address, HttpRequest, Instant

NOW = Instant(784_111_777 * SECOND)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ACCOUNTS = prepare_accounts({"acct": (b"first", b"second")})
ADDRESS = Address("acct", secondary=False, path="box/blob", base_url="http://h/acct")
OWNER = Principal(PrincipalKind.OWNER, "acct")


def request(query: str = "", path: str = "/acct/box/blob", **headers: str) -> HttpRequest:
    sent = {"x-ms-date": DATE, "x-ms-version": "2026-10-06"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("PUT", path, query, sent, "http", "h", "127.0.0.1", "id")


def signed(asked: HttpRequest, text: bytes | None = None, key: bytes = b"first") -> HttpRequest:
    data = string_to_sign(asked, "acct").encode("latin-1") if text is None else text
    signature = base64.b64encode(hmac.new(key, data, hashlib.sha256).digest()).decode()
    asked.headers["authorization"] = f"SharedKeyLite acct:{signature}"
    return asked


def check(asked: HttpRequest, now: Instant = NOW) -> Principal:
    return authenticate(asked, ADDRESS, ACCOUNTS, "verify", now, BLOB_DOOR)


def test_the_string_to_sign_of_the_documentation() -> None:
    """The example of "Authorize with Shared Key", Shared Key Lite, for Put Blob."""
    asked = HttpRequest(
        "PUT",
        "/testaccount1/mycontainer/hello.txt",
        "",
        {
            "content-type": "text/plain; charset=UTF-8",
            "x-ms-date": "Sun, 20 Sep 2009 20:36:40 GMT",
            "x-ms-meta-m1": "v1",
            "x-ms-meta-m2": "v2",
            "content-length": "11",
        },
        "http",
        "h",
        "",
        "id",
    )
    assert string_to_sign(asked, "testaccount1") == (
        "PUT\n\ntext/plain; charset=UTF-8\n\nx-ms-date:Sun, 20 Sep 2009 20:36:40 GMT\nx-ms-meta-m1:v1\n"
        "x-ms-meta-m2:v2\n/testaccount1/testaccount1/mycontainer/hello.txt"
    )


def test_of_the_query_only_comp_is_signed() -> None:
    assert string_to_sign(request("comp=metadata&timeout=3"), "acct").endswith("/acct/acct/box/blob?comp=metadata")
    assert string_to_sign(request("timeout=3"), "acct").endswith("/acct/acct/box/blob")


def test_without_an_x_ms_date_the_date_is_signed() -> None:
    asked = request(date=DATE)
    del asked.headers["x-ms-date"]
    assert string_to_sign(asked, "acct").split("\n")[3] == DATE
    assert check(signed(asked)) == OWNER


@pytest.mark.parametrize("key", [b"first", b"second"])
def test_a_good_signature_makes_the_owner(key: bytes) -> None:
    assert check(signed(request("comp=list"), key=key)) == OWNER


def test_headers_may_be_sorted_as_windows_sorts_words() -> None:
    asked = request(x_ms_meta_a_b="1", x_ms_meta_a1="2")
    text = string_to_sign(asked, "acct").encode()
    one, two = b"x-ms-meta-a-b:1\n", b"x-ms-meta-a1:2\n"
    assert one + two in text
    assert check(signed(asked, text.replace(one + two, two + one))) == OWNER


def test_the_root_path_may_be_signed_as_nothing() -> None:
    asked = request(path="/")
    assert check(signed(asked, string_to_sign(asked, "acct").removesuffix("/").encode())) == OWNER


def test_values_beyond_ascii_may_be_signed_as_utf8() -> None:
    asked = request(x_ms_meta_name="caf\xe9")
    assert check(signed(asked, string_to_sign(asked, "acct").encode("utf-8"))) == OWNER


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("method", "GET"),
        ("raw_path", "/acct/box/other"),
        ("raw_query", "comp=metadata"),
        ("content-type", "text/html"),
        ("content-md5", "x"),
        ("x-ms-date", "Sun, 06 Nov 1994 08:49:38 GMT"),
        ("x-ms-meta-a", "1"),
    ],
)
def test_whatever_is_signed_cannot_be_changed(part: str, value: str) -> None:
    asked = signed(request(content_type="text/plain"))
    if part in {"method", "raw_path", "raw_query"}:
        setattr(asked, part, value)
    else:
        asked.headers[part] = value
    with pytest.raises(AuthenticationError) as caught:
        check(asked)
    assert (caught.value.code, caught.value.status) == ("AuthenticationFailed", 403)


@pytest.mark.parametrize("seconds", [-901, 901])
def test_a_date_outside_of_fifteen_minutes(seconds: int) -> None:
    with pytest.raises(AuthenticationError) as caught:
        check(signed(request()), Instant(NOW + seconds * SECOND))
    assert caught.value.code == "AuthenticationFailed"

"""Shared Key: what is signed, and what becomes of signatures that do not hold."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy, _storage_header_sort

from localzure.auth.accounts import SigningKey, prepare_accounts
from localzure.auth.authenticate import BLOB_DOOR, authenticate
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.shared_key import _word_order, string_to_sign
from localzure.services.interface import SECOND, Address, HttpRequest, Instant

KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
ACCOUNTS = prepare_accounts({"acct": (KEY, b"second key"), "other": (b"other key",)})
NOW = Instant(784_111_777 * SECOND)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ADDRESS = Address("acct", secondary=False, path="box/blob", base_url="http://h/acct")
OWNER = Principal(PrincipalKind.OWNER, "acct")


def request(
    method: str = "PUT", path: str = "/acct/box/blob", query: str = "", headers: dict[str, str] | None = None
) -> HttpRequest:
    sent = {"x-ms-date": DATE, "x-ms-version": "2026-10-06", **(headers or {})}
    return HttpRequest(method, path, query, sent, "http", "h", "127.0.0.1", "id")


def signed(asked: HttpRequest, text: str | None = None, key: bytes = KEY, account: str = "acct") -> HttpRequest:
    """Sign a request, or with the signature of another text."""
    data = (string_to_sign(asked, "acct") if text is None else text).encode("latin-1")
    signature = base64.b64encode(hmac.new(key, data, hashlib.sha256).digest()).decode()
    asked.headers["authorization"] = f"SharedKey {account}:{signature}"
    return asked


def check(asked: HttpRequest, address: Address = ADDRESS, now: Instant = NOW) -> Principal:
    return authenticate(asked, address, ACCOUNTS, "verify", now, BLOB_DOOR)


def refusal(asked: HttpRequest, address: Address = ADDRESS, now: Instant = NOW) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        check(asked, address, now)
    return caught.value


def test_the_string_to_sign_of_the_documentation() -> None:
    """The example of "Authorize with Shared Key" for the Get Container Metadata operation."""
    asked = HttpRequest(
        "GET",
        "/mycontainer",
        "restype=container&comp=metadata&timeout=20",
        {"x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT", "x-ms-version": "2015-02-21"},
        "https",
        "myaccount.blob.core.windows.net",
        "127.0.0.1",
        "id",
    )
    assert string_to_sign(asked, "myaccount") == (
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
        "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
    )


def test_every_standard_header_has_its_line() -> None:
    names = (
        "content-encoding content-language content-length content-md5 content-type date if-modified-since if-match "
        "if-none-match if-unmodified-since range"
    )
    headers = {name: name.upper() for name in names.split()}
    del (asked := request(headers=headers)).headers["x-ms-date"]
    lines = string_to_sign(asked, "acct").split("\n")
    assert lines[:12] == ["PUT", *(name.upper() for name in names.split())]


def test_with_an_x_ms_date_the_date_header_is_not_signed() -> None:
    assert string_to_sign(request(headers={"date": "x"}), "acct").split("\n")[6] == ""


@pytest.mark.parametrize(("version", "line"), [("2015-02-21", ""), ("2014-02-14", "0"), ("2026-10-06", "")])
def test_an_empty_body_is_signed_as_its_version_says(version: str, line: str) -> None:
    asked = request(headers={"content-length": "0", "x-ms-version": version})
    assert string_to_sign(asked, "acct").split("\n")[3] == line


def test_query_names_fold_and_repeated_values_are_joined() -> None:
    asked = request(query="B=2&a=1%2C1&b=1&&flag&c=%C3%A9")
    assert string_to_sign(asked, "acct").endswith("/acct/acct/box/blob\na:1,1\nb:1,2\nc:Ã©\nflag:")


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        request("GET", query="comp=list&restype=container&prefix=a%20b"),
        request(path="/acct/box/a%2Fb/%C3%A9+c"),
        request(path="/blob/acct/box/blob"),
        request(path="/acct-secondary/box/blob"),
        request(headers={"content-length": "5", "content-type": "text/plain", "range": "bytes=0-1"}),
    ],
    ids=lambda asked: asked.raw_path + asked.raw_query,
)
def test_a_good_signature_makes_the_owner(asked: HttpRequest) -> None:
    assert check(signed(asked)) == OWNER


def test_either_key_of_an_account_is_good() -> None:
    assert check(signed(request(), key=b"second key")) == OWNER
    assert refusal(signed(request(), key=b"other key")).code == "AuthenticationFailed"


class _Sent:
    """What the SDK's policy needs of a request that it signs."""

    def __init__(self, method: str, url: str, query: dict[str, str], headers: dict[str, str]) -> None:
        self.method, self.url, self.query, self.headers = method, url, query, headers

    @property
    def http_request(self) -> _Sent:
        return self

    @property
    def context(self) -> _Sent:
        return self

    transport = None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ms-meta-a-b": "1", "x-ms-meta-ab": "2", "x-ms-meta-a_b": "3", "x-ms-meta-a1": "4", "x-ms-meta-A2": "5"},
        {"x-ms-meta-note": "two  blanks"},
    ],
    ids=["plain", "names that sort otherwise", "blanks"],
)
@pytest.mark.parametrize("query", [{}, {"comp": "block", "blockid": "a%2Bb%3D%3D"}, {"prefix": "%C3%A9%20x"}])
def test_the_python_sdks_signature_is_good(headers: dict[str, str], query: dict[str, str]) -> None:
    sent = {"x-ms-date": DATE, "x-ms-version": "2026-10-06", "Content-Length": "3", **headers}
    policy = SharedKeyCredentialPolicy("acct", base64.b64encode(KEY).decode())  # type: ignore[no-untyped-call]  # the SDK's own
    policy.on_request(_Sent("PUT", "http://h:1/acct/box/%C3%A9?x", query, sent))  # type: ignore[no-untyped-call]  # the SDK\'s own
    raw_query = "&".join(f"{name}={value}" for name, value in query.items())
    lower = {name.lower(): value for name, value in sent.items()}
    assert check(HttpRequest("PUT", "/acct/box/%C3%A9", raw_query, lower, "http", "h:1", "", "id")) == OWNER


def test_headers_may_be_sorted_as_windows_sorts_words() -> None:
    names = [
        f"x-ms-meta-{rest}"
        for rest in ["a", "a-b", "ab", "ab-", "a_b", "a1", "a-1", "a.b", "a+b", "a~b", "a!b", "b", "a-bc", "abc", "a'b"]
    ]
    expected = [name for name, _ in _storage_header_sort([(name, "") for name in names])]
    assert sorted(names, key=_word_order) == expected


def test_a_plus_in_a_query_may_be_signed_as_itself_or_as_a_space() -> None:
    asked = request(query="prefix=a+b")
    text = string_to_sign(asked, "acct")
    assert text.endswith("prefix:a b")
    assert check(signed(asked, text)) == OWNER
    assert check(signed(asked, text.replace("a b", "a+b"))) == OWNER


def test_values_beyond_ascii_may_be_signed_as_sent_or_as_utf8() -> None:
    asked = request(headers={"x-ms-meta-name": "caf\xe9"})
    text = string_to_sign(asked, "acct")
    assert check(signed(asked, text)) == OWNER
    assert check(signed(asked, text.encode("utf-8").decode("latin-1"))) == OWNER


def test_the_root_path_may_be_signed_as_nothing() -> None:
    asked = request("GET", "/", "comp=list")
    text = string_to_sign(asked, "acct")
    assert check(signed(asked, text)) == OWNER
    assert check(signed(asked, text.replace("/acct/\n", "/acct\n"))) == OWNER


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"raw_path": "/acct/box/Blob"},
        {"raw_path": "/acct/box/bl%6Fb"},
        {"raw_query": "comp=metadata"},
        {"x-ms-version": "2026-10-07"},
        {"x-ms-meta-a": "1"},
        {"content-length": "4"},
        {"content-type": "text/html"},
        {"content-md5": "x"},
        {"if-match": "*"},
        {"range": "bytes=0-1"},
    ],
    ids=str,
)
def test_whatever_is_signed_cannot_be_changed(change: dict[str, str]) -> None:
    asked = signed(request(headers={"content-length": "5", "content-type": "text/plain"}))
    for name, value in change.items():
        if hasattr(asked, name):
            setattr(asked, name, value)
        else:
            asked.headers[name] = value
    error = refusal(asked)
    assert (error.code, error.status) == ("AuthenticationFailed", 403)
    assert "The MAC signature found in the HTTP request '" in error.detail
    assert "Server used following string to sign: '" in error.detail


def test_the_refusal_tells_neither_key_nor_signature() -> None:
    asked = signed(request(), key=b"wrong")
    detail = refusal(asked).detail
    right = SigningKey(KEY).sign(string_to_sign(asked, "acct").encode())
    assert right not in detail
    assert base64.b64encode(KEY).decode() not in detail
    assert "..." in repr(SigningKey(KEY))


@pytest.mark.parametrize("minutes", [-15, 0, 15])
def test_a_date_within_fifteen_minutes_is_good(minutes: int) -> None:
    assert check(signed(request()), now=Instant(NOW + minutes * 60 * SECOND)) == OWNER


def test_a_date_outside_is_not() -> None:
    late = refusal(signed(request()), now=Instant(NOW + 901 * SECOND))
    assert (late.code, late.detail) == ("AuthenticationFailed", f"Request date header too old: '{DATE}'")
    early = refusal(signed(request()), now=Instant(NOW - 901 * SECOND))
    assert (early.code, early.detail) == ("AuthenticationFailed", f"Request date header too new: '{DATE}'")


@pytest.mark.parametrize("date", ["", "now", "1994-11-06T08:49:37Z"])
def test_a_request_needs_a_date(date: str) -> None:
    asked = signed(request(headers={"x-ms-date": date}))
    assert refusal(asked).detail == "The Date header in the request is incorrect."


def test_the_date_header_is_enough() -> None:
    asked = request(headers={"date": DATE})
    del asked.headers["x-ms-date"]
    assert check(signed(asked)) == OWNER


@pytest.mark.parametrize(
    "header",
    ["SharedKey", "SharedKey acct", "SharedKey acct:", "SharedKey acct:é", "SharedKey :YQ==", "Basic YTpi", "x y"],
)
def test_a_malformed_header_is_told(header: str) -> None:
    error = refusal(request(headers={"authorization": header}))
    assert (error.code, error.status) == ("InvalidAuthenticationInfo", 400)


def test_an_account_signs_only_for_itself() -> None:
    other = Address("other", secondary=False, path="box/blob", base_url="")
    assert refusal(signed(request()), other).code == "AuthenticationFailed"
    assert refusal(signed(request(), key=b"other key", account="other")).code == "AuthenticationFailed"

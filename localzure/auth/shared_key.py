"""Shared Key of the Blob, Queue and File services: a signature with an account key over the request's head.

The string to sign is that of version 2009-09-19 and later ("Authorize with Shared Key"): the method, eleven standard
headers, the `x-ms-` headers, and the resource with its query. The resource is `/{account}` followed by the path **as
sent**: so a path-style request for the development account names it twice, behind the gateway the gateway's prefix is
part of it, and `-secondary` stands where the client put it.

Where the documentation leaves room, official clients fill it differently, and Azure takes them all. The commonest
form is computed first; the rarer ones only when it does not match:

- `x-ms-` headers sorted by code unit (Go, .NET), or as Windows sorts words, hyphens looked at last (Python,
  JavaScript, Java);
- `+` in a query's value decoded to a space (Go), or kept (Python);
- values beyond ASCII as the bytes on the wire, or as UTF-8 of what these bytes mean in Latin-1;
- the root path as `/`, or as nothing.

Each form covers the same parts of the request, so accepting several weakens nothing.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from localzure.auth.dates import parse_http_date
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.auth.accounts import Accounts, SigningKey
    from localzure.services.interface import Address, HttpRequest, Instant

SKEW = 15 * 60 * SECOND
"""How far a request's date may be from the server's."""

EMPTY_LENGTH_VERSION = "2015-02-21"
"""From this `x-ms-version` on, a content length of 0 is signed as an empty line."""

_PARAMETERS = re.compile(r"([^:\s]+):([A-Za-z0-9+/]+={0,2})", re.ASCII)


def verify(request: HttpRequest, parameters: str, address: Address, accounts: Accounts, now: Instant) -> Principal:
    """Check `account:signature` against a request (see `localzure.auth.authenticate.Scheme`)."""
    signature = claimed_signature(request, parameters, address, now)
    account = address.account
    keys = accounts[account]
    text = string_to_sign(request, account)
    if is_signed(keys, signature, text.encode("latin-1")):
        return Principal(PrincipalKind.OWNER, account)
    for variant in _variants(request, account):
        if is_signed(keys, signature, variant):
            return Principal(PrincipalKind.OWNER, account)
    raise not_signed(signature, text)


def claimed_signature(request: HttpRequest, parameters: str, address: Address, now: Instant) -> str:
    """Return the signature of `account:signature`, once it is by the request's account and of this quarter-hour."""
    match = _PARAMETERS.fullmatch(parameters)
    if match is None:
        raise AuthenticationError("InvalidAuthenticationInfo")
    account, signature = match.groups()
    if account != address.account:
        raise AuthenticationError(
            "AuthenticationFailed",
            detail=f"The account '{account}' that signed the request is not the account '{address.account}' it is for.",
        )
    _check_date(request, now)
    return signature


def not_signed(signature: str, text: str) -> AuthenticationError:
    """Return the error of a signature that no key of the account makes of `text`."""
    return AuthenticationError(
        "AuthenticationFailed",
        detail=f"The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. "
        f"Server used following string to sign: '{text}'.",
    )


def string_to_sign(request: HttpRequest, account: str) -> str:
    """Return what a client signs, in its commonest form; each character is one byte on the wire."""
    headers = sorted([item for item in request.headers.items() if item[0].startswith("x-ms-")])
    query = _canonical_query(request.raw_query, plus_is_space=True) if request.raw_query else ""
    return _join(request, account, headers, request.raw_path, query)


def _join(
    request: HttpRequest, account: str, ms_headers: list[tuple[str, str]], path: str, canonical_query: str
) -> str:
    headers = request.headers
    get = headers.get
    date = "" if "x-ms-date" in headers else get("date", "")
    length = get("content-length", "")
    if length == "0" and get("x-ms-version", EMPTY_LENGTH_VERSION) >= EMPTY_LENGTH_VERSION:
        length = ""
    canonical_headers = "".join([f"{name}:{value}\n" for name, value in ms_headers])
    return (
        f"{request.method}\n{get('content-encoding', '')}\n{get('content-language', '')}\n{length}\n"
        f"{get('content-md5', '')}\n{get('content-type', '')}\n{date}\n{get('if-modified-since', '')}\n"
        f"{get('if-match', '')}\n{get('if-none-match', '')}\n{get('if-unmodified-since', '')}\n{get('range', '')}\n"
        f"{canonical_headers}/{account}{path}{canonical_query}"
    )


def _canonical_query(raw_query: str, *, plus_is_space: bool) -> str:
    """Return `\\nname:value` for each name, sorted; the values of a name that repeats sorted and joined by commas."""
    parameters: dict[str, list[str]] = {}
    for part in raw_query.split("&"):
        if part:
            name, _, value = part.partition("=")
            parameters.setdefault(_decode(name, plus_is_space).lower(), []).append(_decode(value, plus_is_space))
    return "".join([f"\n{name}:{','.join(sorted(values))}" for name, values in sorted(parameters.items())])


def _decode(text: str, plus_is_space: bool) -> str:
    if plus_is_space and "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("latin-1") if "%" in text else text


def header_orders(request: HttpRequest) -> list[list[tuple[str, str]]]:
    """Return the `x-ms-` headers in the orders in which clients sign them, the commonest first."""
    ordinal = sorted([item for item in request.headers.items() if item[0].startswith("x-ms-")])
    by_word = sorted(ordinal, key=lambda item: _word_order(item[0]))
    return [ordinal] if by_word == ordinal else [ordinal, by_word]


def _variants(request: HttpRequest, account: str) -> Iterator[bytes]:
    """Yield the rarer forms of the string to sign, without the one that `string_to_sign` gives."""
    queries = [_canonical_query(request.raw_query, plus_is_space=True)]
    if "+" in request.raw_query:
        queries.append(_canonical_query(request.raw_query, plus_is_space=False))
    paths = [request.raw_path, ""] if request.raw_path == "/" else [request.raw_path]
    first = True
    for headers in header_orders(request):
        for query in queries:
            for path in paths:
                text = _join(request, account, headers, path, query)
                if not first:
                    yield text.encode("latin-1")
                if not text.isascii():
                    yield text.encode("utf-8")
                first = False


@lru_cache(maxsize=1024)
def _word_order(name: str) -> tuple[list[int], list[tuple[int, str]]]:
    """Return the sort key of a header's name as Windows sorts words.

    Punctuation comes before digits and these before letters; hyphens and apostrophes count only between names that
    are otherwise the same, and then the one whose hyphen comes later is first.
    """
    weights = []
    hyphens = []
    for place, character in enumerate(name):
        if character in "-'":
            hyphens.append((-place, character))
        elif character.isdigit():
            weights.append(0x100 + ord(character))
        elif character.isalpha():
            weights.append(0x200 + ord(character))
        else:
            weights.append(_PUNCTUATION.find(character) + 1)
    return weights, hyphens


_PUNCTUATION = "!#$%&*.^_`|~+"
"""What header names may hold beside hyphens, digits and letters, in the order of Windows' word sort."""


def is_signed(keys: tuple[SigningKey, ...], signature: str, text: bytes) -> bool:
    """Whether one of the keys made the signature of `text`; compared in constant time."""
    return any(hmac.compare_digest(key.sign(text), signature) for key in keys)


def _check_date(request: HttpRequest, now: Instant) -> None:
    text = request.headers.get("x-ms-date") or request.headers.get("date", "")
    sent = parse_http_date(text)
    if sent is None:
        raise AuthenticationError("AuthenticationFailed", detail="The Date header in the request is incorrect.")
    if sent < now - SKEW:
        raise AuthenticationError("AuthenticationFailed", detail=f"Request date header too old: '{text}'")
    if sent > now + SKEW:
        raise AuthenticationError("AuthenticationFailed", detail=f"Request date header too new: '{text}'")

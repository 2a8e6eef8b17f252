"""Shared Key Lite of the Blob, Queue and File services: a signature with an account key over less of the request.

The string to sign is that of version 2009-09-19 and later ("Authorize with Shared Key", Shared Key Lite): the method,
the MD5 and type of the body, the date unless `x-ms-date` gives it, the `x-ms-` headers, and the resource, which has of
the query the parameter `comp` alone. Where official clients differ, the forms are those of `localzure.auth.shared_key`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.principal import Principal, PrincipalKind
from localzure.auth.shared_key import claimed_signature, header_orders, is_signed, not_signed
from localzure.auth.table_shared_key import comp_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localzure.auth.accounts import Accounts
    from localzure.services.interface import Address, HttpRequest, Instant


def verify(request: HttpRequest, parameters: str, address: Address, accounts: Accounts, now: Instant) -> Principal:
    """Check `account:signature` against a request (see `localzure.auth.authenticate.Scheme`)."""
    signature = claimed_signature(request, parameters, address, now)
    account = address.account
    keys = accounts[account]
    for text in _variants(request, account):
        if is_signed(keys, signature, text):
            return Principal(PrincipalKind.OWNER, account)
    raise not_signed(signature, string_to_sign(request, account))


def string_to_sign(request: HttpRequest, account: str) -> str:
    """Return what a client signs, in its commonest form; each character is one byte on the wire."""
    return _join(request, account, header_orders(request)[0], request.raw_path)


def _join(request: HttpRequest, account: str, ms_headers: Iterable[tuple[str, str]], path: str) -> str:
    headers = request.headers
    get = headers.get
    date = "" if "x-ms-date" in headers else get("date", "")
    canonical_headers = "".join([f"{name}:{value}\n" for name, value in ms_headers])
    return (
        f"{request.method}\n{get('content-md5', '')}\n{get('content-type', '')}\n{date}\n"
        f"{canonical_headers}/{account}{path}{comp_of(request.raw_query)}"
    )


def _variants(request: HttpRequest, account: str) -> Iterator[bytes]:
    """Yield the forms of the string to sign, the commonest first."""
    paths = [request.raw_path, ""] if request.raw_path == "/" else [request.raw_path]
    for headers in header_orders(request):
        for path in paths:
            text = _join(request, account, headers, path)
            yield text.encode("latin-1")
            if not text.isascii():
                yield text.encode("utf-8")

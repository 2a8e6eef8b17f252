"""Shared Key and Shared Key Lite of the Table service: signatures with an account key over little of the request.

"Authorize with Shared Key", the parts for the Table service; the forms are the same for all versions. Shared Key signs
the method, the MD5 and type of the body, the date and the resource; Shared Key Lite, which .NET, JavaScript and Java
use, only the date and the resource. The date is that of `x-ms-date`, else of `Date`. The resource is `/{account}` and
the path as sent, and of the query the parameter `comp` alone. A request to the secondary endpoint of an account that is
a segment of the path may be signed as if it went to the primary: so azure-data-tables for Python does it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from localzure.auth.principal import Principal, PrincipalKind
from localzure.auth.shared_key import claimed_signature, is_signed, not_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.auth.accounts import Accounts
    from localzure.services.interface import Address, HttpRequest, Instant


SECONDARY = "-secondary"
"""What follows the account's name in a path to its secondary endpoint."""


def verify(request: HttpRequest, parameters: str, address: Address, accounts: Accounts, now: Instant) -> Principal:
    """Check Shared Key (see `localzure.auth.authenticate.Scheme`)."""
    return _verify(request, parameters, address, accounts, now, string_to_sign)


def verify_lite(request: HttpRequest, parameters: str, address: Address, accounts: Accounts, now: Instant) -> Principal:
    """Check Shared Key Lite (see `localzure.auth.authenticate.Scheme`)."""
    return _verify(request, parameters, address, accounts, now, string_to_sign_lite)


def string_to_sign(request: HttpRequest, account: str) -> str:
    """Return what Shared Key signs; each character is one byte on the wire."""
    get = request.headers.get
    head = f"{request.method}\n{get('content-md5', '')}\n{get('content-type', '')}\n"
    return head + string_to_sign_lite(request, account)


def string_to_sign_lite(request: HttpRequest, account: str) -> str:
    """Return what Shared Key Lite signs."""
    headers = request.headers
    date = headers.get("x-ms-date") or headers.get("date", "")
    return f"{date}\n/{account}{request.raw_path}{comp_of(request.raw_query)}"


def comp_of(raw_query: str) -> str:
    """Return `?comp=value` where a query has it."""
    if "comp=" in raw_query:
        for part in raw_query.split("&"):
            name, _, value = part.partition("=")
            if name == "comp":
                return f"?comp={unquote(value)}"
    return ""


def _verify(
    request: HttpRequest,
    parameters: str,
    address: Address,
    accounts: Accounts,
    now: Instant,
    text_of: Callable[[HttpRequest, str], str],
) -> Principal:
    account = address.account
    signature = claimed_signature(request, parameters, address, now)
    text = text_of(request, account)
    if not is_signed(accounts[account], signature, text.encode("latin-1", "replace")):
        primary = _sent_to_primary(request, address)
        if primary is None or not is_signed(
            accounts[account], signature, text_of(primary, account).encode("latin-1", "replace")
        ):
            raise not_signed(signature, text)
    return Principal(PrincipalKind.OWNER, account)


def _sent_to_primary(request: HttpRequest, address: Address) -> HttpRequest | None:
    """Return the request as it would be to the primary endpoint; None where it is, or where the path is the same."""
    prefix = f"/{address.account}{SECONDARY}"
    if not address.secondary or not f"{request.raw_path}/".startswith(f"{prefix}/"):
        return None
    path = request.raw_path.removeprefix(prefix)
    if not f"{path}/".startswith(f"/{address.account}/"):
        path = f"/{address.account}{path}"
    return replace(request, raw_path=path)

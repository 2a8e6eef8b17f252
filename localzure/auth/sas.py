"""Shared access signatures: who shows one is believed as far as its signature, its time and its bounds go.

What a request costs here is finding its token among those that were read, the name of what it is for, a look whether
that pair was proved before, and a few comparisons; the HMAC is computed once per token and resource. What the operation
needs is asked later, by `localzure.auth.permissions`, once it is known.

A token names what it is for by its signature alone: the server puts the name of what the request is for into the text
to sign, and where that is something else the signature does not match.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from localzure.auth import delegation
from localzure.auth.dates import http_date
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.sas_signing import canonical_resource, form_of, string_to_sign
from localzure.auth.sas_token import fields_of, parse_token
from localzure.auth.shared_key import is_signed

if TYPE_CHECKING:
    from localzure.auth.accounts import Accounts
    from localzure.auth.sas_token import SasToken
    from localzure.auth.tokens import Claims
    from localzure.services.interface import Address, HttpRequest, Instant

ROOT_CONTAINER = "$root"

SIGNED_NAMES_MAX = 32
"""Most headers or parameters that one signature may name."""


def read(request: HttpRequest) -> SasToken:
    """Return the token in a request's query. Raises AuthenticationError where it is malformed."""
    return parse_token(fields_of(request.raw_query))


def verify(
    request: HttpRequest,
    token: SasToken,
    address: Address,
    accounts: Accounts,
    now: Instant,
    service: str,
    bearer: Claims | None = None,
) -> Principal:
    """Check a token against a request to a service (`b`, `q` or `t`) at wall time `now`. Raises AuthenticationError.

    `bearer` is who showed a token of the authority beside it, which signatures bound to a user ask for.
    """
    account = address.account
    words = {"@account": account} if token.kind == "account" else _words(request, token, address, service)
    proof = (token, account, service, *words.values())
    if not accounts.is_proved(proof):
        _check_signature(token, account, accounts, service, words)
        accounts.prove(proof)
    _check_time(token, now)
    if token.kind == "account" and service not in token.get("ss"):
        raise AuthenticationError("AuthorizationServiceMismatch")
    if token.is_https_only and request.scheme != "https":
        raise AuthenticationError("AuthorizationProtocolMismatch")
    if token.addresses is not None and not _is_within(request.peer, token.addresses):
        raise AuthenticationError("AuthorizationSourceIPMismatch", source_ip=request.peer)
    if "sduoid" in token.values:
        _check_user(token, bearer)
    return Principal(PrincipalKind.SIGNATURE, account, token)


def _words(request: HttpRequest, token: SasToken, address: Address, service: str) -> dict[str, str]:
    """Return what of the request goes into the text to sign."""
    path = address.path
    if service == "b":
        name = _blob_path(path, token, request)
    elif service == "q":
        name = _decode(path.partition("/")[0])
    else:
        name = token.get("tn").lower()
    words = {"@resource": canonical_resource(token, service, address.account, name)}
    if token.resource in {"bs", "bv"}:
        words["@snapshot"] = _parameter(request, "snapshot" if token.resource == "bs" else "versionid")
    if "srh" in token.values or "srq" in token.values:
        words["@headers"] = _signed_headers(request, token.get("srh"))
        words["@query"] = _signed_query(request, token.get("srq"))
    return words


def _blob_path(path: str, token: SasToken, request: HttpRequest) -> str:
    """Return `container`, `container/blob` or `container/directory`, whichever the token is for.

    A listing is in the directory that its prefix names.
    """
    first, _, rest = path.partition("/")
    container, blob = _decode(first), _decode(rest)
    if not blob and not _parameter(request, "restype"):
        container, blob = ROOT_CONTAINER, container
    if token.resource == "d":
        blob = blob or _parameter(request, "prefix")
        return "/".join((container, *blob.split("/")[: token.depth]))
    return f"{container}/{blob}" if token.resource in {"b", "bs", "bv"} and blob else container


def _signed_headers(request: HttpRequest, names: str) -> str:
    if not names:
        return ""
    get = request.headers.get
    return "".join([f"{name}:{get(name.lower(), '')}\n" for name in names.split(",")[:SIGNED_NAMES_MAX]])


def _signed_query(request: HttpRequest, names: str) -> str:
    if not names:
        return ""
    return "".join([f"\n{name}:{_parameter(request, name)}" for name in names.split(",")[:SIGNED_NAMES_MAX]])


def _parameter(request: HttpRequest, wanted: str) -> str:
    for part in request.raw_query.split("&"):
        name, _, value = part.partition("=")
        if unquote_plus(name).lower() == wanted.lower():
            return unquote_plus(value)
    return ""


def _decode(path: str) -> str:
    return unquote(path) if "%" in path else path


def _check_signature(token: SasToken, account: str, accounts: Accounts, service: str, words: dict[str, str]) -> None:
    if token.kind == "delegation" and token.get("sks") != service:
        raise _failed("The signed key is not one of this service.")
    keys = delegation.signing_keys(accounts, account, token) if token.kind == "delegation" else accounts[account]
    text = string_to_sign(form_of(token, service), token, words)
    if not token.signature.isascii() or not is_signed(keys, token.signature, text.encode()):
        raise _failed(f"Signature did not match. String to sign used was {text}")


def _check_time(token: SasToken, now: Instant) -> None:
    start, expiry = token.start, token.expiry
    if (start is not None and now < start) or (expiry is not None and now >= expiry):
        raise not_in_time(start, expiry, now)
    if token.kind == "delegation":
        first, last = token.key_start, token.key_expiry
        if first is None or last is None or not first <= now < last:
            raise _failed(f"Signature not valid in the specified key time frame: {_frame(first, last, now)}")


def not_in_time(start: Instant | None, expiry: Instant | None, now: Instant) -> AuthenticationError:
    """Return the error of a signature whose time is over or has not come."""
    return _failed(f"Signature not valid in the specified time frame: {_frame(start, expiry, now)}")


def _frame(start: Instant | None, expiry: Instant | None, now: Instant) -> str:
    first = "" if start is None else f"Start [{http_date(start)}] - "
    last = "" if expiry is None else f"Expiry [{http_date(expiry)}] - "
    return f"{first}{last}Current [{http_date(now)}]"


def _is_within(peer: str, addresses: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]) -> bool:
    try:
        own = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(own, IPv6Address) and own.ipv4_mapped is not None:
        own = own.ipv4_mapped
    first, last = addresses
    return own.version == first.version and int(first) <= int(own) <= int(last)


def _check_user(token: SasToken, bearer: Claims | None) -> None:
    """A signature that is bound to a user needs that user's own token beside it."""
    if bearer is None:
        raise _failed("A signature with sduoid is used together with a token of that user.")
    tid = token.get("skdutid") or token.get("sktid")
    if (bearer.oid, bearer.tid) != (token.get("sduoid"), tid):
        raise AuthenticationError("AuthorizationFailure")


def _failed(detail: str) -> AuthenticationError:
    return AuthenticationError("AuthenticationFailed", detail=detail)

"""Who may ask for what: the tokens that come in the headers of a request.

`Authorization` has a shared access signature as it stands, for the whole URL, the host or an entity, or `Bearer` and a
JSON Web Token. Where messages are to be forwarded to, two more headers have tokens for the targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.access import SIGNATURE_SCHEME, Claims, Right
from localzure.services.servicebus.admin.errors import AdminError, unauthorized
from localzure.services.servicebus.errors import ServiceBusError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure.services.interface import HttpRequest
    from localzure.services.servicebus.access import Authority, Grant
    from localzure_storage.store import Reader

FORWARDING_HEADERS = {
    "ForwardTo": "servicebussupplementaryauthorization",
    "ForwardDeadLetteredMessagesTo": "servicebusdlqsupplementaryauthorization",
}
"""The header that has the token for a property's target."""

_BEARER = "bearer "


def authorize(
    authority: Authority,
    reader: Reader,
    request: HttpRequest,
    right: Right,
    paths: Sequence[str],
    operation: str,
    wall: int,
) -> None:
    """Raise AdminError (401) unless the request's token is good for `right` on one of `paths`, which mean the same."""
    if not authority.enforces:
        return
    header = request.headers.get("authorization", "")
    if not header:
        raise AdminError(401, "MissingToken: The request has no Authorization header.")
    try:
        claims = _claims(authority.grant_of_token(_token(header), wall, reader))
    except ServiceBusError as error:
        raise AdminError(401, error.text) from None
    if not any(claims.allows(path, right, wall) for path in paths):
        raise unauthorized(operation, f"sb://{request.host}/{paths[0]}")


def may_forward(
    authority: Authority, headers: Mapping[str, str], wall: int, reader: Reader, name: str, path: str
) -> bool:
    """Whether messages may be forwarded to `path` by the property `name`: a token that is given must allow to send."""
    text = headers.get(FORWARDING_HEADERS[name])
    if not text or not authority.enforces:
        return True
    try:
        return _claims(authority.grant_of_token(_token(text), wall, reader)).allows(path, Right.SEND, wall)
    except ServiceBusError:
        return False


def _token(header: str) -> str:
    if header[: len(_BEARER)].lower() == _BEARER:
        return header[len(_BEARER) :].strip()
    if header[: len(SIGNATURE_SCHEME)].lower() == SIGNATURE_SCHEME.lower():
        return SIGNATURE_SCHEME + header[len(SIGNATURE_SCHEME) :].strip()
    return header


def _claims(grant: Grant) -> Claims:
    claims = Claims()
    claims.add(grant)
    return claims

"""Client assertions: tokens by which a client proves itself without a secret (RFC 7523, section 2.2).

A client with a certificate signs its own; one whose workload has an identity elsewhere (a Kubernetes service account, a
build) shows what that issuer gave it. The first names its client as issuer and subject, and is checked with the
certificate that it carries, where it carries one; of the second the issuer is unknown here, so its form and its time
are what can be checked.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.entra.errors import EntraError
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.services.interface import Instant

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

ASSERTION_CHARS_MAX = 16 * 1024

SKEW = 5 * 60 * SECOND

_ALGORITHMS = ["PS256", "RS256"]


def check(assertion: str, client: str, now: Instant) -> None:
    """Raise EntraError where an assertion does not prove `client`."""
    if len(assertion) > ASSERTION_CHARS_MAX or assertion.count(".") != 2:
        raise EntraError("assertion_malformed")
    header, claims = (_decode(part) for part in assertion.split(".")[:2])
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if _seconds(expires) * SECOND + SKEW <= now or _seconds(not_before) * SECOND - SKEW > now:
        raise EntraError("assertion_expired")
    said = (claims.get("iss"), claims.get("sub"))
    is_own = said[0] == said[1] or client in said
    if not is_own or ("x5t" not in header and "x5t#S256" not in header):
        return
    if said != (client, client):
        raise EntraError("client_mismatch")
    chain = header.get("x5c")
    if chain:
        _check_signature(assertion, chain[0] if isinstance(chain, list) else chain)


def _check_signature(assertion: str, certificate: object) -> None:
    import jwt  # late: importing it takes longer than all else that a start does
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = x509.load_der_x509_certificate(base64.b64decode(str(certificate), validate=True)).public_key()
        if not isinstance(key, RSAPublicKey):
            raise EntraError("assertion_invalid")
        jwt.api_jws.decode(assertion, key, algorithms=_ALGORITHMS)
    except (ValueError, jwt.exceptions.PyJWTError):
        raise EntraError("assertion_invalid") from None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise EntraError("assertion_malformed")
    return value


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise EntraError("assertion_malformed") from None
    if not isinstance(decoded, dict):
        raise EntraError("assertion_malformed")
    return decoded

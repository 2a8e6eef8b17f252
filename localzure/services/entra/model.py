"""What the authority is told to be, keeps, is asked and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - dataclasses keep the annotation
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

from msgspec import Struct

DEFAULT_TENANT = "00000000-0000-0000-0000-000000000000"
"""The tenant of whoever names none, or `common`, `organizations` or `consumers`."""

NAMES = UUID("6c6f6361-6c7a-5572-a565-6e7472612121")
"""The namespace of the ids that are made from names."""

_MULTI_TENANT = frozenset({"common", "organizations", "consumers", ""})
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """What the authority is told to be."""

    token_seconds: int = 3599
    """How long an access token holds."""
    refresh_seconds: int = 90 * 86_400
    """How long a refresh token holds."""
    key_days: int = 30
    """After how many days tokens are signed with a new key; the older one stays published until its tokens are over."""
    device_approval: Literal["auto", "page"] = "auto"
    """Whether device codes and sign-ins are approved at once, or at a page: `/devicelogin`, or the one signed in at."""
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Client id → its secrets. A client that is not here has any secret."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims that every access token gets beside, or in place of, its own."""


class SigningKeyRecord(Struct, array_like=True):
    """A key that signs tokens."""

    id: str
    created: int
    """Instant of the wall clock."""
    private: bytes
    """As PKCS8 in DER."""


class DeviceRecord(Struct, array_like=True):
    """A device code that was asked for."""

    code: str
    user_code: str
    tenant: str
    client: str
    scope: str
    expires: int
    """Instant of the wall clock."""
    is_approved: bool


class CodeRecord(Struct, array_like=True):
    """An authorization code that was given out."""

    tenant: str
    client: str
    redirect: str
    scope: str
    nonce: str
    challenge: str
    """Empty for a client without PKCE."""
    is_hashed: bool
    """The challenge is the verifier's SHA-256."""
    expires: int
    """Instant of the wall clock."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token is for."""

    tenant: str
    """A GUID."""
    client: str
    is_user: bool = False
    """A user who signed in or approved a device, not the client itself."""
    proof: Literal["0", "1", "2"] = "1"
    """How the client proved itself: not at all, by a secret, or by a certificate or assertion (claim `appidacr`)."""
    user: str = ""
    """The object id of a user who is known from elsewhere, by a token that the client was shown."""

    @property
    def oid(self) -> str:
        """The object id of the user or service principal, always the same for one client in one tenant."""
        if self.user:
            return self.user
        return str(uuid5(NAMES, f"{'user' if self.is_user else 'client'}/{self.tenant}/{self.client}"))


def is_guid(text: str) -> bool:
    """Whether a text is a GUID, in lower case."""
    return _GUID.fullmatch(text) is not None


def tenant_id(name: str) -> str:
    """Return the id of a tenant by what clients call it: its id, a domain, or one of the words for any tenant."""
    name = name.lower()
    if name in _MULTI_TENANT:
        return DEFAULT_TENANT
    return name if is_guid(name) else str(uuid5(NAMES, f"tenant/{name}"))

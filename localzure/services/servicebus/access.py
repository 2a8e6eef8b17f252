"""Who may do what: shared access keys, the tokens made with them, and what a connection has been granted.

A shared access signature is an HMAC over the resource exactly as the token writes it, so it is checked over the text
as received; the key is used as it stands, it is not base64.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from enum import Flag
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from localzure.auth.tokens import TokenError, is_for_service_bus, read_claims
from localzure.services.interface import SECOND, Instant
from localzure.services.servicebus.addresses import audience_path
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from localzure.auth.tokens import TokenVerifier
    from localzure.config.settings import AuthLevel
    from localzure.services.servicebus.roles import NamespaceRoles
    from localzure_storage.store import Reader

SIGNATURE_SCHEME = "SharedAccessSignature "
"""What a shared access signature token begins with, whatever type the client claims that it has."""


class Right(Flag):
    """What an access key allows. `MANAGE` comes with the two others."""

    LISTEN = 1
    SEND = 2
    MANAGE = 4


RIGHTS = {right.name.capitalize(): right for right in Right if right.name}
"""Rights by the names that Azure gives them."""

RULES_MAX = 12
"""Most authorization rules of one entity or namespace (Azure's quota)."""

KEY_CHARACTERS_MAX = 256
"""Longest name of a rule, and longest key (Azure's quotas)."""


def rights_called(names: Iterable[str]) -> Right:
    """The rights of these names, which are those of `RIGHTS`."""
    found = Right(0)
    for name in names:
        found |= RIGHTS[name]
    return found


GRANTS_MAX = 1000
"""Paths that one connection may hold tokens for; the oldest is forgotten when another comes."""

EVERYTHING = Right.LISTEN | Right.SEND | Right.MANAGE


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A shared access key of the namespace."""

    name: str
    key: str = field(repr=False)
    rights: Right = EVERYTHING


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows, and until when."""

    path: str
    """Lower case; it covers the entity of that path and all below it, and when empty everything."""
    rights: Right
    expires_at: int | None
    """An instant of the machine's clock; None for never."""
    may: Callable[[str, Right], bool] | None = None
    """Whether one of some rights is given at a path, where that is not known beforehand: roles can change."""

    def allows(self, path: str, right: Right, wall: int) -> bool:
        """Whether something at `path`, in lower case, may be done at machine time `wall`."""
        right |= Right.MANAGE
        return (
            bool(self.rights & right)
            and (self.expires_at is None or self.expires_at > wall)
            and (not self.path or path == self.path or path.startswith(f"{self.path}/"))
            and (self.may is None or self.may(path, right))
        )


class Authority:
    """Checks tokens against the configured keys."""

    def __init__(
        self,
        level: AuthLevel,
        keys: Sequence[AccessKey],
        tokens: TokenVerifier | None = None,
        keys_at: Callable[[Reader, str], Sequence[AccessKey]] | None = None,
        roles: NamespaceRoles | None = None,
    ) -> None:
        """`tokens` checks what the mock Entra ID issues; without it no JSON Web Token is good.

        `keys` are the namespace's, `keys_at` gives those of the entity at a path. `roles` say what identities may do,
        without it everything.
        """
        self._roles = roles
        self._level = level
        self._tokens = tokens
        self._keys_at = keys_at
        self._keys = {key.name: key for key in keys}

    @property
    def enforces(self) -> bool:
        """Links need a token for what they do."""
        return self._level in {"verify", "rbac"}

    def grant_of_token(self, token: str, wall: int, reader: Reader | None = None) -> Grant:
        """Check a token at machine time `wall`. Raises ServiceBusError (TOKEN_REFUSED).

        Keys of entities are found with `reader`; without it there are none.
        """
        if not self.enforces:
            return Grant("", EVERYTHING, None)
        if token.startswith(SIGNATURE_SCHEME):
            return self._grant_of_signature(token.removeprefix(SIGNATURE_SCHEME), wall, reader)
        try:
            read_claims(token)
        except TokenError:
            raise _refused(
                "MalformedToken: The token is neither a shared access signature nor a JSON Web Token."
            ) from None
        return self._grant_of_identity(token, wall)

    def grant_of_password(self, key_name: str, key: str) -> Grant:
        """Check a key that came as user name and password. Raises ServiceBusError (TOKEN_REFUSED)."""
        found = self._keys.get(key_name)
        if not self.enforces:
            return Grant("", EVERYTHING, None)
        if found is None or not hmac.compare_digest(found.key.encode(), key.encode()):
            raise _refused("InvalidSignature: The access key is not known or does not have this value.")
        return Grant("", found.rights, None)

    def _grant_of_identity(self, token: str, wall: int) -> Grant:
        """Check a token of Entra ID, which is for the whole namespace, as far as roles allow."""
        if self._tokens is None:
            raise _refused("InvalidToken: There is no authority whose tokens are trusted.")
        try:
            claims = self._tokens.verify(token, Instant(wall))
        except TokenError as error:
            raise _refused(f"InvalidToken: {error}") from None
        if not is_for_service_bus(claims):
            raise _refused("InvalidAudience: The token is not for Service Bus.")
        may = None if self._roles is None else self._roles.of(claims)
        return Grant("", EVERYTHING, claims.expires_at, may)

    def _grant_of_signature(self, parameters: str, wall: int, reader: Reader | None) -> Grant:
        fields = dict(part.partition("=")[::2] for part in parameters.split("&"))
        try:
            resource, signature, expiry = fields["sr"], fields["sig"], fields["se"]
            key_name, expires_at = unquote_plus(fields["skn"]), int(expiry) * SECOND
        except (KeyError, ValueError):
            raise _refused(
                "MalformedToken: A shared access signature has sr, sig, se (seconds since 1970) and skn."
            ) from None
        path = audience_path(resource)
        candidates = self._keys_called(key_name, path, reader)
        if not candidates:
            raise _refused("InvalidSignature: The token was signed with a key that is not known.")
        # A plus sign that was not percent-encoded is one, in a value that is base64.
        given = unquote(signature).encode()
        for found in candidates:
            expected = hmac.digest(found.key.encode(), f"{resource}\n{expiry}".encode(), "sha256")
            if hmac.compare_digest(base64.b64encode(expected), given):
                if expires_at <= wall:
                    raise _refused("ExpiredToken: The token is expired.")
                return Grant(path, found.rights, expires_at)
        raise _refused("InvalidSignature: The token has an invalid signature.")

    def _keys_called(self, name: str, path: str, reader: Reader | None) -> list[AccessKey]:
        """The keys of that name that are good for `path`: the namespace's, then the entity's own."""
        found = [self._keys[name]] if name in self._keys else []
        if self._keys_at is not None and reader is not None and path:
            found += [key for key in self._keys_at(reader, path) if key.name == name]
        return found


class Claims:
    """What one connection has been granted so far."""

    __slots__ = ("_grants", "were_made")

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self.were_made = False
        """There was at least one, though it may have expired."""

    def add(self, grant: Grant) -> None:
        """Take note of a grant; a later one for the same path takes its place."""
        self.were_made = True
        self._grants.pop(grant.path, None)
        self._grants[grant.path] = grant
        if len(self._grants) > GRANTS_MAX:
            del self._grants[next(iter(self._grants))]

    def drop_expired(self, wall: int) -> bool:
        """Forget what has expired by machine time `wall`; True if there was something."""
        expired = [
            path for path, grant in self._grants.items() if grant.expires_at is not None and grant.expires_at <= wall
        ]
        for path in expired:
            del self._grants[path]
        return bool(expired)

    def next_expiry(self) -> int | None:
        """When the first of the grants expires, an instant of the machine's clock; None for never."""
        return min((grant.expires_at for grant in self._grants.values() if grant.expires_at is not None), default=None)

    def allows(self, path: str, right: Right, wall: int) -> bool:
        """Whether something at `path` may be done at machine time `wall`."""
        path = path.lower()
        return any(grant.allows(path, right, wall) for grant in self._grants.values())


def _refused(detail: str) -> ServiceBusError:
    return ServiceBusError(ErrorCode.TOKEN_REFUSED, detail=detail)

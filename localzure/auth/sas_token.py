"""Shared access signatures as they stand in a query: which parameters make one, and what they say.

A token is read once: the same parameters come with every request of a client, so readings are remembered, and what is
asked per request (is it time, is it this address) are comparisons of numbers. What is read here is not yet believed:
`localzure.auth.sas` checks the signature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, unquote_plus

from localzure.auth.dates import parse_iso_date
from localzure.auth.principal import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import Instant

_NAMES = (
    "sv ss srt sr st se sp sip spr si sig ses rscc rscd rsce rscl rsct tn spk srk epk erk "
    "skoid sktid skt ske sks skv skdutid sduoid saoid suoid scid sdd srh srq"
)
FIELDS = frozenset(_NAMES.split())
"""Every parameter that may be part of a signature's token."""

OVERRIDES: Mapping[str, str] = {
    "rscc": "cache-control",
    "rscd": "content-disposition",
    "rsce": "content-encoding",
    "rscl": "content-language",
    "rsct": "content-type",
}
"""Parameter → the header of replies that it overrides."""

TOKENS_MAX = 1024
"""Readings that are remembered."""

DEPTH_MAX = 63
"""Deepest directory that a token can be for."""

FIELD_CHARS_MAX = 4096
"""Longest value of a parameter."""

IP_VERSION = "2015-04-05"
"""The first version that knows addresses and protocols, and tokens for a whole account."""

SasKind = Literal["account", "service", "delegation"]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The entities of a table between two pairs of keys; None is an open end."""

    first: tuple[str, str] | None
    last: tuple[str, str] | None

    def holds(self, partition_key: str, row_key: str) -> bool:
        """Whether an entity is inside; both ends are."""
        keys = (_units(partition_key), _units(row_key))
        if self.first is not None and keys < (_units(self.first[0]), _units(self.first[1])):
            return False
        return self.last is None or keys <= (_units(self.last[0]), _units(self.last[1]))


@dataclass(frozen=True, slots=True, eq=False)
class SasToken:
    """What a token says. Compared by identity: the same parameters give the same object while it is remembered."""

    kind: SasKind
    version: str
    """`sv`; empty for the oldest form, which has none."""
    values: Mapping[str, str] = field(repr=False)
    """Every parameter but the signature, decoded."""
    signature: str = field(repr=False)
    permissions: frozenset[str]
    start: Instant | None
    expiry: Instant | None
    key_start: Instant | None
    """From when the user delegation key holds."""
    key_expiry: Instant | None
    addresses: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address] | None
    """The first and the last address that it may be sent from."""
    is_https_only: bool
    resource: str
    """`sr`: b, bs, bv, c or d; empty where there is none."""
    depth: int
    """`sdd`: how many segments a directory's path has."""
    overrides: tuple[tuple[str, str], ...]
    """Headers that replies get in place of their own."""
    key_range: KeyRange | None

    def get(self, name: str) -> str:
        """Return a parameter's value, an empty string where it is not there."""
        return self.values.get(name, "")


def fields_of(raw_query: str) -> tuple[str, ...]:
    """Return those parts of a query that make a token, as sent and in the order in which they were sent."""
    return tuple([part for part in raw_query.split("&") if part[: part.find("=")] in FIELDS])


@lru_cache(maxsize=TOKENS_MAX)
def parse_token(fields: tuple[str, ...]) -> SasToken:
    """Read what `fields_of` returned. Raises AuthenticationError for what is no token."""
    values = _values(fields)
    signature = values.pop("sig", "")
    version = values.get("sv", "")
    kind = _kind(values)
    _check_mandatory(values, kind, version, signature)
    protocol = values.get("spr", "")
    if set(protocol.split(",")) - {"https", "http"} and protocol:
        raise _malformed("spr")
    return SasToken(
        kind=kind,
        version=version,
        values=values,
        signature=signature,
        permissions=frozenset(values.get("sp", "")),
        start=_instant(values, "st"),
        expiry=_instant(values, "se"),
        key_start=_instant(values, "skt"),
        key_expiry=_instant(values, "ske"),
        addresses=_addresses(values.get("sip", "")),
        is_https_only=protocol == "https",
        resource=values.get("sr", ""),
        depth=_depth(values),
        overrides=tuple((header, values[name]) for name, header in OVERRIDES.items() if values.get(name)),
        key_range=_key_range(values),
    )


def malformed(reason: str) -> AuthenticationError:
    """Return the error of a token that breaks a rule of its form."""
    return AuthenticationError("AuthenticationFailed", detail=reason)


def _values(fields: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in fields:
        name, _, value = part.partition("=")
        if name in values or len(value) > FIELD_CHARS_MAX:
            raise _malformed(name)
        # A plus sign that was not percent-encoded is one in base64, and a space everywhere else.
        values[name] = unquote(value) if name == "sig" else unquote_plus(value)
    return values


def _kind(values: Mapping[str, str]) -> SasKind:
    if "ss" in values or "srt" in values:
        return "account"
    return "delegation" if "skoid" in values else "service"


_MANDATORY: Mapping[SasKind, tuple[str, ...]] = {
    "account": ("sv", "ss", "srt", "sp", "se"),
    "service": (),
    "delegation": ("sv", "sp", "se", "sktid", "skt", "ske", "sks", "skv"),
}


def _check_mandatory(values: Mapping[str, str], kind: SasKind, version: str, signature: str) -> None:
    if not signature:
        raise _malformed("sig")
    if "sv" in values and not _is_version(version):
        raise _malformed("sv")
    mandatory = _MANDATORY[kind]
    if kind == "service" and not values.get("si"):
        mandatory = ("sp", "se")
    for name in mandatory:
        if not values.get(name):
            raise malformed(f"{name} is mandatory. Cannot be empty")
    if kind == "account" and version < IP_VERSION:
        raise malformed("sv is too old for a signature of the whole account")
    if "sr" in values and values["sr"] not in {"b", "bs", "bv", "c", "d"}:
        raise _malformed("sr")
    if set(values.get("srt", "")) - set("sco") or set(values.get("ss", "")) - set("bqtf"):
        raise _malformed("srt")


def _is_version(text: str) -> bool:
    return len(text) == 10 and text.isascii() and parse_iso_date(text) is not None


def _instant(values: Mapping[str, str], name: str) -> Instant | None:
    text = values.get(name)
    if not text:
        return None
    instant = parse_iso_date(text)
    if instant is None:
        raise _malformed(name)
    return instant


def _addresses(text: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address] | None:
    if not text:
        return None
    first, dash, last = text.partition("-")
    try:
        low = ip_address(first)
        high = ip_address(last) if dash else low
    except ValueError:
        raise _malformed("sip") from None
    if low.version != high.version:
        raise _malformed("sip")
    return low, high


def _depth(values: Mapping[str, str]) -> int:
    text = values.get("sdd", "")
    if values.get("sr") != "d":
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 2 or int(text) > DEPTH_MAX:
        raise _malformed("sdd")
    return int(text)


def _key_range(values: Mapping[str, str]) -> KeyRange | None:
    """A RowKey bounds only together with its PartitionKey."""
    if ("srk" in values and "spk" not in values) or ("erk" in values and "epk" not in values):
        raise malformed("A RowKey of a range must accompany its PartitionKey.")
    if "spk" not in values and "epk" not in values:
        return None
    first = (values["spk"], values.get("srk", "")) if "spk" in values else None
    last = (values["epk"], values.get("erk", _LAST_KEY)) if "epk" in values else None
    return KeyRange(first, last)


_LAST_KEY = "\uffff"
"""Behind every RowKey, none of which may hold this character."""


def _units(text: str) -> bytes:
    """Keys are ordered by UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


def _malformed(name: str) -> AuthenticationError:
    return malformed(f"Signature fields not well formed: {name}.")

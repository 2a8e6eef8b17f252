"""Taking secrets out of whatever is about to be logged.

The rules know secrets by their surroundings (a query's `sig=`, an Authorization header, a connection string, a
field called password), by their shape (the base64 of a SHA-256 or of an account key, a JSON Web Token) and by value
(the configured keys). They rather take too much than too little. Every pattern is linear in the text: repeats are
bounded or stop at their first foreign character, and none starts with an open repeat.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REDACTED = "***"

LITERAL_CHARS_MIN = 6
"""Shorter keys are not looked for by value: they would redact half of the language."""

DEPTH_MAX = 8
"""How deep containers among the extras are followed."""

ITEMS_MAX = 100
"""How many items of a container are shown."""

_FLAGS = re.IGNORECASE | re.ASCII

# Between a name and its value: = or :, also percent-encoded, after an optional closing quote; the comma of a pair
# ('name', 'value'); the words of a sentence. Then the opening of a list or of bytes.
_SEPARATOR = (
    r"""(?:\\{0,4}["']?\s{0,4}(?:=>?|:|%3D|%253D)\s{0,4}|\\{0,4}["']\s{0,4},\s{0,4}|\s(?:is|was)\s)[\[({]?\s{0,4}b?"""
)
_QUOTED = r""""(?:[^"\\]|\\.|"")*"?|'(?:[^'\\]|\\.|'')*'?|\\+["'].*"""
_NAMES = (
    r"(?:accountkey|sharedaccesskey|sharedaccesssignature|passw(?:or)?d|passphrase|pwd|secret|credential|signature|"
    r"api[_-]?key|access[_-]?key(?![_-]?name)|private[_-]?key|encryption[_-]key(?!-sha256)|cookie|"
    r"(?:access|refresh|id|bearer|sas|auth|security)[_-]?token|client[_-]?assertion|connection[ _-]?string)"
    r"(?!name)[\w-]{0,40}"
)

_CONNECTION_WORD = re.compile(r"""[^\s'"<>]+""")
_CONNECTION_KEY = re.compile(r"(?:accountkey|sharedaccesskey|sharedaccesssignature)(?:=|%3D)", _FLAGS)
_SECRET_FIELD = re.compile(
    r"passw(?:or)?d|passphrase|pwd|secret|authorization|accountkey|sharedaccesskey(?!name)|apikey|accesskey(?!name)|"
    r"privatekey|encryptionkey(?!sha)|credential|cookie|signature|connectionstring|clientassertion|"
    r"(?:access|refresh|id|bearer|sas|auth|security)token|^(?:sig|token|keys?|pass)$"
)


def _redact_words(text: str) -> str:
    """Replace each word that holds a connection string's key: the whole string goes."""
    return _CONNECTION_WORD.sub(lambda word: REDACTED if _CONNECTION_KEY.search(word[0]) else word[0], text)


def _pattern(pattern: str, replacement: str = rf"\g<1>{REDACTED}") -> Callable[[str], str]:
    """The replacement of a pattern that keeps its first group."""
    compiled = re.compile(pattern, _FLAGS)
    return lambda text: compiled.sub(replacement, text)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One kind of secret: the rule runs only on texts that hold one of its hints, in lower case."""

    hints: tuple[str, ...]
    apply: Callable[[str], str]


_RULES = (
    # SAS: in a query, in a query inside a query, in a parsed query. A plus sign may have become a space.
    _Rule(
        ("sig",),
        _pattern(rf"""((?<![a-z])sig{_SEPARATOR})(?:{_QUOTED}|[a-z0-9+/ ]{{43}}=|[^\s&"'<>;]+)"""),
    ),
    _Rule(("authorization",), _pattern(rf"""(authorization{_SEPARATOR})(?:{_QUOTED}|[^\r\n"']+)""")),
    _Rule(
        ("sharedkey", "bearer", "sharedaccesssignature"),
        _pattern(r"""((?<![a-z])(?:sharedkey(?:lite)?|bearer|sharedaccesssignature)(?:\s|%20|\+){1,4})[^\s"'<>]+"""),
    ),
    _Rule(("basic",), _pattern(r"((?<![a-z])basic\s{1,4})[a-z0-9+/]{4,}={0,2}")),
    _Rule(
        ("key", "pass", "pwd", "secret", "credential", "signature", "cookie", "token", "assertion", "string"),
        _pattern(rf"""({_NAMES}{_SEPARATOR})(?:{_QUOTED}|[^\s"'<>&]+)"""),
    ),
    _Rule(("accountkey", "sharedaccess"), _redact_words),
    # Bare: an HMAC-SHA256 or a 32-byte key, a 64-byte account key, a JSON Web Token.
    _Rule(
        ("=", "%3d"),
        _pattern(
            r"(?<![a-z0-9+/])(?:(?:[a-z0-9+/]|%2[bf]){43}(?:=|%3D)|(?:[a-z0-9+/]|%2[bf]){86}(?:==|%3D%3D))(?![a-z0-9+/=])",
            REDACTED,
        ),
    ),
    _Rule(("eyj",), _pattern(r"(?<![a-z0-9])eyj[\w-]{6,}\.[\w-]+\.?[\w-]*", REDACTED)),
)


@dataclass(frozen=True, slots=True)
class _Literal:
    """A configured key."""

    core: str
    """Its longest stretch that no encoding changes: where that is not found, no form of the key is."""
    forms: tuple[str, ...]
    """Longest first."""


class Redactor:
    """Redacts texts and structured values; knows the configured secrets by value."""

    __slots__ = ("_literals",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._literals = tuple(
            _literal(secret) for secret in dict.fromkeys(secrets) if len(secret) >= LITERAL_CHARS_MIN
        )

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for literal in self._literals:
            if literal.core in text:
                for form in literal.forms:
                    text = text.replace(form, REDACTED)
        lowered = text.lower()
        for rule in _RULES:
            if any(hint in lowered for hint in rule.hints):
                text = rule.apply(text)
        return text

    def value(self, value: object, depth: int = 0) -> object:
        """`value` as JSON takes it, without secrets; items whose key names a secret lose their value whole."""
        if value is None or type(value) in (bool, int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if depth < DEPTH_MAX and isinstance(value, Mapping):
            items = list(value.items())[:ITEMS_MAX]
            return {self.text(_shown(key)): self.field(key, item, depth + 1) for key, item in items}
        if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth + 1) for item in list(value)[:ITEMS_MAX]]
        return self.text(_shown(value))

    def field(self, name: object, value: object, depth: int = 0) -> object:
        """`value` of the field `name`."""
        return REDACTED if is_secret_field(name) else self.value(value, depth)


def is_secret_field(name: object) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    return bool(_SECRET_FIELD.search(re.sub(r"[^a-z0-9]", "", _shown(name).lower())))


def _shown(value: object) -> str:
    """`value` as text, also where it cannot be."""
    try:
        return value if type(value) is str else str(value)
    except Exception:  # noqa: BLE001 -- a broken __str__ of anybody must not lose the log line
        return f"<{type(value).__name__} that cannot be shown>"


def _literal(secret: str) -> _Literal:
    """The forms in which a key turns up: as it is, unpadded, URL-safe, percent-encoded once and twice, escaped."""
    plain = {secret, secret.rstrip("="), secret.replace("+", "-").replace("/", "_").rstrip("=")}
    once = {quote(form, safe="") for form in plain}
    encoded = once | {re.sub("%..", lambda code: code[0].lower(), form) for form in once}
    twice = {quote(form, safe="") for form in encoded}
    escaped = {repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    forms = {form for form in plain | encoded | twice | escaped if len(form) >= LITERAL_CHARS_MIN}
    core = max(re.findall(r"[A-Za-z0-9]+", secret), key=len, default="")
    return _Literal(core, tuple(sorted(forms, key=len, reverse=True)))

"""No secret reaches a log line, wherever a program puts it."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from localzure.config.settings import LogFormat, LogSettings
from localzure.server import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMS: tuple[LogFormat, ...] = ("json", "text")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
WINDOW = 8
"""No stretch of a secret this long may be in a line."""

WORDS = (
    Path(__file__).read_text(encoding="utf-8") + " timestamp correlation_id exception Traceback (most recent call last)"
)
"""What lines hold besides the secret: the words of this file, and those of every line."""

log = logging.getLogger("localzure.test")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    logs.reset()


def unlikely(text: str) -> bool:
    """Whether the windows of `text` do not turn up in a line by chance, or in its own words."""
    windows = {text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)}
    return len(set(text)) > WINDOW and not any(window in WORDS for window in windows)


signatures = st.text(BASE64, min_size=43, max_size=43).filter(unlikely).map(lambda text: f"{text}=")
account_keys = st.text(BASE64, min_size=86, max_size=86).filter(unlikely).map(lambda text: f"{text}==")
tokens = st.text(BASE64[:62] + "-_.", min_size=20, max_size=60).filter(unlikely)
passwords = st.text(
    st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="\"'<>&\\%"),
    min_size=20,
    max_size=40,
).filter(unlikely)
anything = st.text(st.characters(codec="utf-8"), min_size=20, max_size=60).filter(unlikely)

SIGNATURE_PLACES = [
    "{}",
    "sig={}",
    "GET /c/b?sv=2021&sig={}&se=2030-01-01 403",
    "http://h/b?se=1&sig={}",
    "SharedAccessSignature sr=a&sig={}&se=1&skn=b",
    "Authorization: SharedKey acct:{}",
    "SharedKey acct:{}",
    "SharedKeyLite acct:{} was refused",
    "('authorization', 'SharedKey acct:{}')",
    "[(b'Authorization', b'SharedKey acct:{}')]",
    '{{"sig": ["{}"]}}',
    "computed {} and got another",
]
KEY_PLACES = [
    "{}",
    "AccountKey={}",
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey={};BlobEndpoint=http://h/a;",
    "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey={};EntityPath=q",
    "account_key: {}",
    "{{'account_key': '{}'}}",
]
TOKEN_PLACES = [
    "Authorization: Bearer {}",
    "bearer {} expired",
    "access_token={}&x=y",
    '{{"refresh_token":"{}"}}',
    "client_secret={}",
    "SharedAccessKey={}",
    "x-ms-encryption-key: {}",
]
PASSWORD_PLACES = [
    "password={}",
    "user=me;pwd={};",
    "password: {}",
    "the password is {}",
    '{{"password": "{}"}}',
    "['passwd', '{}']",
    "passphrase='{}'",
]

planted = st.one_of(
    st.tuples(signatures, st.sampled_from(SIGNATURE_PLACES)),
    st.tuples(account_keys, st.sampled_from(KEY_PLACES)),
    st.tuples(tokens, st.sampled_from(TOKEN_PLACES)),
    st.tuples(passwords, st.sampled_from(PASSWORD_PLACES)),
)


def _raise(text: str) -> None:
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        log.exception("failed")


class Shown:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


WAYS: dict[str, Callable[[str], None]] = {
    "message": log.info,
    "argument": lambda text: log.info("got %s, and %d", text, 5),
    "repr of an argument": lambda text: log.info("got %r", text),
    "argument in a mapping": lambda text: log.info("got %(what)s", {"what": text}),
    "argument in a list": lambda text: log.info("got %s", [text, {"x": (text,)}]),
    "bytes": lambda text: log.info("got %s", text.encode()),
    "object": lambda text: log.info("got %s", Shown(text)),
    "arguments that do not fit": lambda text: log.info("%d", text),
    "extra": lambda text: log.info("x", extra={"what": text}),
    "extra deep inside": lambda text: log.info("x", extra={"what": {"a": [{"b": (text,)}, {text}]}}),
    "extra object": lambda text: log.info("x", extra={"what": Shown(text)}),
    "extra bytes": lambda text: log.info("x", extra={"what": text.encode()}),
    "exception": _raise,
    "exception as argument": lambda text: log.info("failed: %s", ValueError(text)),
    "correlation id": lambda text: log.info("x", extra={"correlation_id": text}),
    "logger name": lambda text: logging.getLogger(f"localzure.{text}").warning("x"),
}

FIELD_WAYS: dict[str, Callable[[str, Any], None]] = {
    "extra": lambda name, value: log.info("x", extra={name: value}),
    "extra deep inside": lambda name, value: log.info("x", extra={"a": [{name: value}]}),
    "mapping as argument": lambda name, value: log.info("x %s y", [{name: value}]),
    "argument by name": lambda name, value: log.info(f"x %({name})s y", {name: value}),
}


def logged(form: LogFormat, secrets: list[str], write: Callable[[], None]) -> str:
    stream = io.StringIO()
    logs.configure(LogSettings(format=form), secrets, stream)
    write()
    assert stream.getvalue()
    return stream.getvalue()


def assert_absent(secret: str, line: str) -> None:
    for start in range(len(secret) - WINDOW + 1):
        assert secret[start : start + WINDOW] not in line, line


quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(planted, st.sampled_from(list(WAYS)), st.sampled_from(FORMS))
def test_a_secret_known_by_its_place_or_shape(what: tuple[str, str], way: str, form: LogFormat) -> None:
    secret, place = what
    assert_absent(secret, logged(form, [], lambda: WAYS[way](place.format(secret))))


@quick
@given(
    anything | st.integers(10**19, 10**20),
    st.sampled_from(["password", "client_secret", "AccountKey", "authorization", "sig", "token"]),
    st.sampled_from(list(FIELD_WAYS)),
    st.sampled_from(FORMS),
)
def test_a_secret_known_by_its_field(value: str | int, name: str, way: str, form: LogFormat) -> None:
    assert_absent(str(value), logged(form, [], lambda: FIELD_WAYS[way](name, value)))


@quick
@given(
    account_keys | tokens, st.sampled_from(list(WAYS)), st.sampled_from(FORMS), st.text(max_size=5), st.text(max_size=5)
)
@example("A" * 30 + "+/+/" + "B" * 50 + "==", "message", "json", "x", "y")
def test_a_configured_key_anywhere(key: str, way: str, form: LogFormat, before: str, after: str) -> None:
    line = logged(form, ["other-key", key], lambda: WAYS[way](f"{before}{key}{after}"))
    assert key not in line
    assert key.rstrip("=") not in line


def test_the_property_can_fail() -> None:
    """A canary: a word that no rule knows is found again."""
    with pytest.raises(AssertionError):
        assert_absent("plain-words-0123456789", logged("text", [], lambda: log.info("plain-words-0123456789")))

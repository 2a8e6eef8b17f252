"""Tokens, keys and what they allow."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import quote

import pytest

from localzure.config.settings import AuthLevel
from localzure.services.interface import SECOND
from localzure.services.servicebus.access import EVERYTHING, GRANTS_MAX, AccessKey, Authority, Claims, Grant, Right
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.settings import DEFAULT_KEY
from tests.entra_world import EntraWorld

EXPIRY = 1_700_000_000
BEFORE = (EXPIRY - 1) * SECOND
LISTENER = AccessKey("listener", "key/of+listener=", Right.LISTEN)
AUTHORITY = Authority("verify", (DEFAULT_KEY, LISTENER))

# Made with Microsoft's own library.
QUEUE_TOKEN = (
    "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%3A5672%2Fq1&sig=8r5L%2BZUFR4uGBLZwD23%2F%2FLP4Z9je3Ri8cogqloUa8ro%3D"
    "&se=1700000000&skn=RootManageSharedAccessKey"
)
OTHER_HOST_TOKEN = (
    "SharedAccessSignature sr=amqps%3A%2F%2Fns.example%2Fq1&sig=jiZZgUF0GGzh%2B%2FD7abRl3%2BHe2RvzX7H0UQy02vvz7AY%3D"
    "&se=1700000000&skn=RootManageSharedAccessKey"
)


def token(resource: str, key: AccessKey = DEFAULT_KEY, expiry: object = EXPIRY) -> str:
    """A token whose parameters come in another order than Microsoft writes them."""
    resource = quote(resource, safe="").lower()
    digest = base64.b64encode(hmac.digest(key.key.encode(), f"{resource}\n{expiry}".encode(), "sha256"))
    return f"SharedAccessSignature skn={quote(key.name)}&se={expiry}&sig={quote(digest, safe='')}&sr={resource}"


def refusal(text: str, wall: int = BEFORE, authority: Authority = AUTHORITY) -> str:
    with pytest.raises(ServiceBusError) as caught:
        authority.grant_of_token(text, wall)
    assert caught.value.code is ErrorCode.TOKEN_REFUSED
    assert caught.value.status == 401
    return caught.value.text


@pytest.mark.parametrize("text", [QUEUE_TOKEN, OTHER_HOST_TOKEN])
def test_tokens_of_microsofts_library_are_good(text: str) -> None:
    assert AUTHORITY.grant_of_token(text, BEFORE) == Grant("q1", EVERYTHING, EXPIRY * SECOND)


def test_a_token_is_good_however_its_resource_is_written() -> None:
    assert AUTHORITY.grant_of_token(token("sb://h/A/B"), BEFORE).path == "a/b"


def test_a_key_gives_its_own_rights() -> None:
    assert AUTHORITY.grant_of_token(token("sb://h/q", LISTENER), BEFORE).rights == Right.LISTEN


def test_another_signature_is_refused() -> None:
    assert "InvalidSignature" in refusal(QUEUE_TOKEN.replace("8r5L", "8r5M"))
    assert "InvalidSignature" in refusal(token("sb://h/q", AccessKey("RootManageSharedAccessKey", "other")))
    assert "InvalidSignature" in refusal(QUEUE_TOKEN.replace("q1", "q2"))


@pytest.mark.parametrize("field", ["sr", "sig", "se"])
def test_one_changed_byte_in_any_field_is_enough(field: str) -> None:
    fields = dict(part.partition("=")[::2] for part in QUEUE_TOKEN.removeprefix("SharedAccessSignature ").split("&"))
    value = fields[field]
    for at in range(len(value)):
        letter = "1" if value[at] != "1" else "2"
        changed = fields | {field: f"{value[:at]}{letter}{value[at + 1 :]}"}
        text = "&".join(f"{name}={each}" for name, each in changed.items())
        assert refusal(f"SharedAccessSignature {text}")


def test_an_unknown_key_is_refused() -> None:
    assert "not known" in refusal(token("sb://h/q", AccessKey("nobody", "SAS_KEY_VALUE")))


def test_a_token_is_good_until_it_expires() -> None:
    assert "ExpiredToken" in refusal(QUEUE_TOKEN, EXPIRY * SECOND)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SharedAccessSignature ",
        "SharedAccessSignature sr=x&sig=y&se=soon&skn=RootManageSharedAccessKey",
        "SharedAccessSignature sr=x&sig=y&skn=RootManageSharedAccessKey",
        "a.b.c",
        "a.b",
        "é.é.é",
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert "MalformedToken" in refusal(text)


def test_tokens_of_the_authority_are_good_for_everything_until_they_expire() -> None:
    world = EntraWorld()
    authority = Authority("verify", (), world.verifier)
    wall = world.clock.wall()
    token = world.token(scope="https://servicebus.azure.net/.default")
    assert authority.grant_of_token(token, wall) == Grant("", EVERYTHING, wall + 3599 * SECOND)
    assert "InvalidAudience" in refusal(world.token(), wall, authority)
    assert "InvalidToken" in refusal(token, wall + 4000 * SECOND, authority)
    assert "InvalidToken" in refusal(token, wall)


@pytest.mark.parametrize("level", ["off", "any"])
def test_below_verify_anything_will_do(level: AuthLevel) -> None:
    authority = Authority(level, ())
    assert authority.grant_of_token("whatever", BEFORE) == Grant("", EVERYTHING, None)
    assert authority.grant_of_password("nobody", "nothing") == Grant("", EVERYTHING, None)
    assert not authority.enforces


def test_a_key_can_come_as_user_name_and_password() -> None:
    assert AUTHORITY.grant_of_password("listener", LISTENER.key) == Grant("", Right.LISTEN, None)
    for name, key in (("listener", "wrong"), ("nobody", LISTENER.key)):
        with pytest.raises(ServiceBusError):
            AUTHORITY.grant_of_password(name, key)


def test_keys_are_not_shown() -> None:
    assert "SAS_KEY_VALUE" not in repr(DEFAULT_KEY)


@pytest.mark.parametrize(
    ("granted", "path", "allowed"),
    [
        ("q", "q", True),
        ("q", "Q", True),
        ("q", "q/$DeadLetterQueue", True),
        ("q", "q2", False),
        ("", "anything", True),
        ("t", "t/Subscriptions/s", True),
        ("t/subscriptions/s", "t", False),
    ],
)
def test_a_grant_covers_its_path_and_what_is_below(granted: str, path: str, allowed: bool) -> None:
    claims = Claims()
    claims.add(Grant(granted, EVERYTHING, None))
    assert claims.allows(path, Right.SEND, BEFORE) is allowed


def test_rights_are_told_apart_and_manage_has_them_all() -> None:
    claims = Claims()
    claims.add(Grant("q", Right.LISTEN, None))
    assert claims.allows("q", Right.LISTEN, 0)
    assert not claims.allows("q", Right.SEND, 0)
    assert claims.allows("q", Right.SEND | Right.LISTEN, 0)
    claims.add(Grant("r", Right.MANAGE, None))
    assert claims.allows("r", Right.SEND, 0)


def test_a_grant_ends_with_its_token_and_is_renewed_by_another() -> None:
    claims = Claims()
    claims.add(Grant("q", EVERYTHING, 10))
    assert claims.allows("q", Right.SEND, 9)
    assert not claims.allows("q", Right.SEND, 10)
    claims.add(Grant("q", EVERYTHING, 20))
    assert claims.allows("q", Right.SEND, 10)


def test_a_connection_holds_a_bounded_number_of_grants() -> None:
    claims = Claims()
    for number in range(GRANTS_MAX + 1):
        claims.add(Grant(f"q{number}", EVERYTHING, None))
    assert not claims.allows("q0", Right.SEND, 0)
    assert claims.allows("q1", Right.SEND, 0)

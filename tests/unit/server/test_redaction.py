"""What is taken out of log lines, and what is left in them."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.server.redaction import DEPTH_MAX, ITEMS_MAX, REDACTED, Redactor, is_secret_field

KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SIGNATURE = "pJL/WyrnI61NL5zW/6ZL3qXWnZ4XSNjmN6rlS/c+cMU="

redact = Redactor().text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /a/b?sv=1&sig=a%2Bb%3D&se=2 403", "GET /a/b?sv=1&sig=***&se=2 403"),
        ("x-ms-copy-source: http://h/b?sig%3Dabc%26se%3D2 x", "x-ms-copy-source: http://h/b?sig%3D*** x"),
        ("{'sv': ['1'], 'sig': ['a b+c='], 'se': ['2']}", "{'sv': ['1'], 'sig': [***], 'se': ['2']}"),
        (f"sig={SIGNATURE.replace('+', ' ')} rest", "sig=*** rest"),
        (f"expected {SIGNATURE} computed", "expected *** computed"),
        ("Authorization: SharedKey acct:abc=", "Authorization: ***"),
        ("sent SharedKeyLite acct:abc= to us", "sent SharedKeyLite *** to us"),
        ("(b'authorization', b'Bearer a.b.c')", "(b'authorization', b***)"),
        ("with Bearer abc.def.ghi now", "with Bearer *** now"),
        ("with Basic dXNlcjpwYXNz now", "with Basic *** now"),
        ("token SharedAccessSignature sr=x&sig=y&se=1&skn=z end", "token SharedAccessSignature *** end"),
        (f"used DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY};X=y; here", "used *** here"),
        ("Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k;", "***"),
        ('AccountKey="a b c" x', "*** x"),
        ("user=me password=hunter2 host=h", "user=me password=*** host=h"),
        ("the password is hunter2!", "the password is ***"),
        ("db_password: 'it''s'", "db_password: ***"),
        (r'{"client_secret": "a\"b c", "user": "me"}', '{"client_secret": ***, "user": "me"}'),
        (r'"{\"pwd\": \"x y\"}"', r'"{\"pwd\": ***'),
        (
            "x-ms-encryption-key: abc x-ms-encryption-key-sha256: def",
            "x-ms-encryption-key: *** x-ms-encryption-key-sha256: def",
        ),
        ("jwt eyJhbGciOiJI.eyJzdWIi.c2ln end", "jwt *** end"),
    ],
)
def test_taken_out(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /devstoreaccount1/c/design.json?comp=list 200 in 1.2 ms",
        "lock_token=8c7e1b2a-0d7c-4a39-9d53-4c1c3e6a2f10 of queue.1 expired",
        "SharedAccessKeyName=RootManageSharedAccessKey has no Listen claim",
        "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg== does not match",
        "the basics of a signed configuration; key lengths of 2",
        "etag 0x8DC0A1B2C3D4E5F, continuation token 2!92!MDAw",
    ],
)
def test_left_in(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        KEY.rstrip("="),
        KEY.replace("/", "%2F").replace("=", "%3D"),
        KEY.replace("/", "%2f").replace("=", "%3d"),
        KEY.replace("/", "%252F").replace("=", "%253D"),
        KEY.replace("/", "_").rstrip("="),
    ],
)
def test_a_configured_key_goes_however_it_is_written(written: str) -> None:
    left = Redactor([KEY]).text(f"<{written}>")
    assert "Eby8" not in left
    assert "GMGw" not in left


def test_a_very_short_key_is_not_looked_for_by_value() -> None:
    assert Redactor(["key", ""]).text("a key is a key") == "a key is a key"


SECRET_FIELDS = [
    *("password", "PASSWD", "Pwd", "client_secret", "clientSecret", "credential", "Cookie", "keys"),
    *("authorization", "x-ms-authorization-auxiliary", "sig", "token", "refresh_token", b"password"),
    *("AccountKey", "account_key", "SharedAccessKey", "api-key", "connection_string"),
]


@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_names_of_secret_fields(name: object) -> None:
    assert is_secret_field(name)


@pytest.mark.parametrize(
    "name", ["lock_token", "SharedAccessKeyName", "partition_key", "row_key", "key_name", "design", "path", "", 5, None]
)
def test_names_of_other_fields(name: object) -> None:
    assert not is_secret_field(name)


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("sig=planted")


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (1.5, 1.5),
        (float("nan"), "nan"),
        ("sig=x", "sig=***"),
        (b"sig=x", "sig=***"),
        (b"\xff", "\\xff"),
        ({"password": 5, "n": {"pwd": ["a"]}}, {"password": "***", "n": {"pwd": "***"}}),
        ([("a", "sig=x"), {1}], [["a", "sig=***"], [1]]),
        ({"sig=x": 1}, {"sig=***": 1}),
        (ValueError("sig=x"), "sig=***"),
        (Unshowable(), "<Unshowable that cannot be shown>"),
        (range(3), "range(0, 3)"),
    ],
)
def test_values_become_what_json_takes_without_secrets(value: Any, left: Any) -> None:
    assert Redactor().value(value) == left


def test_containers_are_bounded() -> None:
    endless: list[Any] = []
    endless.append(endless)
    shown = Redactor().value(endless)
    depth = 0
    while isinstance(shown, list):
        (shown,) = shown
        depth += 1
    assert (depth, shown) == (DEPTH_MAX, "[[...]]")
    assert Redactor().value(list(range(ITEMS_MAX + 1))) == list(range(ITEMS_MAX))
    assert REDACTED == "***"

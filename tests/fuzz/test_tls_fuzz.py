"""Whatever a client sends, a TLS connection raises nothing, says little, and gives out only what a client encrypted."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localzure_protocols.tls import TlsConnection
from tests.protocols.tls_client import TlsClient, authority, client_context

SECRET = b"only this, or a beginning of it"
OUTPUT_BYTES_MAX = 8 * 1024
"""A server's whole handshake with its certificate, two session tickets and an alert take less."""

Edit = tuple[int, int, bytes]
EDITS = st.lists(
    st.tuples(st.integers(0, 700), st.integers(0, 8), st.binary(max_size=8)), max_size=3
)  # where, how many bytes go, what comes in their place


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    for at, removed, inserted in edits:
        data = data[:at] + inserted + data[at + removed :]
    return data


def _converse(hello_edits: list[Edit], rest_edits: list[Edit], cut: int) -> tuple[TlsConnection, bytes, int]:
    """Hold a conversation whose client flights are edited and cut; returns the plaintext and how much was said."""
    client, server = TlsClient(client_context("h2"), "fuzz.example"), TlsConnection(authority().context)
    plaintext, said = b"", 0
    hello = client.step()
    edited = _edited(hello, hello_edits)
    for part in (edited[:cut], edited[cut:]):
        plaintext += b"".join(server.receive(part))
    if edited == hello:
        output = server.data_to_send()
        said += sum(map(len, output))
        rest = _edited(client.step(output) + client.write(SECRET) + client.close(), rest_edits)
        for part in (rest[:cut], rest[cut:]):
            plaintext += b"".join(server.receive(part))
    return server, plaintext, said + sum(map(len, server.data_to_send()))


def _check(server: TlsConnection, plaintext: bytes, said: int) -> None:
    assert SECRET.startswith(plaintext)
    assert said <= OUTPUT_BYTES_MAX
    assert server.is_finished == (server.failure is not None)
    server.receive_eof()
    assert server.is_finished or server.is_established


# CPython tells sys.unraisablehook about a name that is no ASCII, and refuses the handshake.
names_without_text = pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")


@names_without_text
@settings(max_examples=150, deadline=None)
@given(EDITS, EDITS, st.integers(0, 700))
@example([], [], 100)
@example([(130, 2, b"\xff\xfe")], [], 0)
def test_an_edited_client_is_harmless(hello_edits: list[Edit], rest_edits: list[Edit], cut: int) -> None:
    _check(*_converse(hello_edits, rest_edits, cut))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_junk_is_harmless(junk: bytes, as_handshake: bool) -> None:
    server = TlsConnection(authority().context)
    wire = b"\x16\x03\x01" + len(junk).to_bytes(2, "big") + junk if as_handshake else junk
    _check(server, b"".join(server.receive(wire)), sum(map(len, server.data_to_send())))


@names_without_text
@pytest.mark.parametrize(
    "name", [b"fuzz\xff\xfexample", b"fuzz\x00example", b"-_..........", b"............", b"\x7f\x01 *?%:/ []"]
)
def test_a_name_that_is_no_name_is_harmless(name: bytes) -> None:
    hello = TlsClient(None, "fuzz.example").step()
    server = TlsConnection(authority().context)
    server.receive(hello.replace(b"fuzz.example", name))
    _check(server, b"", sum(map(len, server.data_to_send())))


def test_the_check_notices_what_nobody_encrypted() -> None:
    server, plaintext, said = _converse([], [], 0)
    assert plaintext == SECRET
    _check(server, plaintext, said)
    with pytest.raises(AssertionError):
        _check(server, b"forged", said)

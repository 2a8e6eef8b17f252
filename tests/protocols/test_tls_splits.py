"""A TLS handshake and its data come out the same, whole or in any two pieces or byte by byte."""

from __future__ import annotations

import ssl

import pytest

from localzure_protocols.tls import RECORD_BYTES, TlsConnection, server_context
from tests.protocols.tls_client import TlsClient, authority, client_context, shake_hands

GREETING = b"PUT / HTTP/1.1\r\n\r\n"


def _in_pieces(server: TlsConnection, data: bytes, cut: int) -> list[bytes]:
    """Feed `data` cut in two at `cut`, or byte by byte where it is 0."""
    parts = [data[:cut], data[cut:]] if cut else [data[index : index + 1] for index in range(len(data))]
    return [piece for part in parts for piece in server.receive(part)]


def _converse(cut_hello: int, cut_rest: int) -> tuple[bytes, str | None, str | None, bool]:
    """Shake hands with the client's two flights cut; the second carries data and the end already."""
    client, server = TlsClient(client_context("h2")), TlsConnection(authority().context)
    assert _in_pieces(server, client.step(), cut_hello) == []
    rest = client.step(server.data_to_send()) + client.write(GREETING) + client.close()
    received = b"".join(_in_pieces(server, rest, cut_rest))
    assert server.is_established
    return received, server.alpn, server.server_name, server.is_peer_ended


WHOLE = (GREETING, "h2", "localhost", True)


def test_byte_by_byte_gives_the_same() -> None:
    assert _converse(10_000, 10_000) == WHOLE
    assert _converse(0, 0) == WHOLE


@pytest.mark.parametrize("start", range(0, 512, 64))
def test_every_split_of_the_client_hello_gives_the_same(start: int) -> None:
    length = len(TlsClient(client_context("h2")).step())
    for cut in range(start or 1, min(start + 64, length)):
        assert _converse(cut, 10_000) == WHOLE


def test_every_split_of_what_follows_gives_the_same() -> None:
    for cut in range(1, 200):
        assert _converse(10_000, cut) == WHOLE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_data_goes_both_ways_in_records(version: ssl.TLSVersion) -> None:
    context = client_context()
    context.maximum_version = version
    client, server = TlsClient(context), TlsConnection(authority().context)
    shake_hands(client, server)
    assert server.version == version.name.replace("_", ".")
    data = bytes(range(256)) * 1000
    pieces = server.receive(client.write(data))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == RECORD_BYTES
    server.send([data[:10], data[10:]])
    client.step(server.data_to_send())
    assert client.received == data


def test_many_small_pieces_share_a_record() -> None:
    client, server = TlsClient(), TlsConnection(authority().context)
    shake_hands(client, server)
    server.send([b"a"] * 1000)
    (record,) = server.data_to_send()
    assert len(record) < 1100
    assert server.data_to_send() == []


def test_alpn_chooses_and_may_be_absent() -> None:
    for offered, chosen in [(("http/1.1", "h2"), "h2"), (("http/1.1",), "http/1.1"), (("amqp",), None), ((), None)]:
        client, server = TlsClient(client_context(*offered)), TlsConnection(authority().context)
        shake_hands(client, server)
        assert server.alpn == client.tls.selected_alpn_protocol() == chosen


def test_before_the_handshake_nothing_is_known() -> None:
    server = TlsConnection(authority().context)
    assert (server.alpn, server.server_name, server.version) == (None, None, None)
    assert not server.is_established
    assert server.data_to_send() == []


def test_either_side_may_end_first() -> None:
    client, server = TlsClient(), TlsConnection(authority().context)
    shake_hands(client, server)
    assert server.receive(client.write(b"last") + client.close()) == [b"last"]
    assert (server.is_peer_ended, server.is_finished) == (True, False)
    server.send([b"answer"])
    server.close()
    assert (server.is_finished, server.failure) == (True, None)
    server.send([b"too late"])
    client.step(server.data_to_send())
    assert client.received == b"answer"
    assert server.data_to_send() == []


def test_the_server_ends_without_waiting() -> None:
    client, server = TlsClient(), TlsConnection(authority().context)
    shake_hands(client, server)
    server.close()
    client.step(server.data_to_send())
    assert client.ended
    assert server.receive(client.write(b"unheard")) == []


def test_a_connection_can_be_closed_before_its_handshake() -> None:
    server = TlsConnection(authority().context)
    server.close()
    assert (server.is_finished, server.data_to_send()) == (True, [])


def test_a_client_without_trust_is_told_apart() -> None:
    client, server = TlsClient(ssl.create_default_context()), TlsConnection(authority().context)
    hello = client.step()
    server.receive(hello)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.step(server.data_to_send())
    server.receive(client.alert())
    assert server.is_finished
    assert server.failure == "the client does not trust the certificate (tlsv1 alert unknown ca)"


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\x16\x03\x01\x00\x04junk", "unexpected message"),
        (b"\x16\x03\x01\xff\xffjunk", "packet length too long"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "unexpected message"),
        (b"\x17\x03\x03\x00\x01\x00", "unexpected message"),
    ],
)
def test_junk_is_refused_with_an_alert(wire: bytes, reason: str) -> None:
    server = TlsConnection(authority().context)
    assert server.receive(wire) == []
    assert server.is_finished
    assert server.failure is not None
    assert reason in server.failure
    assert server.receive(wire) == []
    assert sum(map(len, server.data_to_send())) <= 7


def test_old_versions_are_refused() -> None:
    context = client_context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = TlsConnection(authority().context)
    server.receive(TlsClient(context).step())
    assert server.is_finished
    assert server.failure == "unsupported protocol"
    assert server.data_to_send()


def test_a_client_that_goes_away_is_noticed() -> None:
    server = TlsConnection(authority().context)
    server.receive(TlsClient().step()[:50])
    assert server.receive_eof() == []
    assert server.is_finished
    assert server.failure == "the client went away during the handshake"
    client, server = TlsClient(), TlsConnection(authority().context)
    shake_hands(client, server)
    server.receive_eof()
    assert server.is_peer_ended
    assert not server.is_finished


def test_a_damaged_record_ends_the_connection() -> None:
    client, server = TlsClient(), TlsConnection(authority().context)
    shake_hands(client, server)
    record = bytearray(client.write(b"secret"))
    record[-1] ^= 1
    assert server.receive(bytes(record)) == []
    assert server.is_finished
    assert server.failure is not None
    assert "decryption failed" in server.failure


def test_a_context_without_a_certificate_refuses_everyone() -> None:
    server = TlsConnection(server_context())
    server.receive(TlsClient().step())
    assert server.is_finished
    assert server.failure == "no shared cipher"

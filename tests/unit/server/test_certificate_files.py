"""Certificates on disk: made once, read again, and every fault one line that names the file."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from localzure.server.certificate_files import CERTIFICATE_BYTES_MAX, open_authority, own_context
from localzure.server.certificates import (
    AUTHORITY_LIFE,
    LEAF_LIFE,
    CertificateAuthority,
    Identity,
    make_authority,
    make_leaf,
    private_pem,
)
from localzure.server.startup import StartupError
from localzure_protocols.tls import TlsConnection
from tests.protocols.tls_client import TlsClient, client_context, shake_hands
from tests.twins import START, ManualClock, SeededEntropy

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

ENCRYPTED = BestAvailableEncryption(b"secret")


def _open(folder: Path, clock: ManualClock | None = None, seed: int = 7) -> Identity:
    return open_authority(folder, clock or ManualClock(), SeededEntropy(seed))


def test_an_authority_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ca"
    made = _open(folder)
    again = _open(folder, seed=8)
    assert again.certificate == made.certificate
    assert private_pem(again.key) == private_pem(made.key)
    assert (folder / "ca.pem").read_bytes() == made.certificate_pem
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem"]


def test_only_this_user_may_read_the_key(tmp_path: Path) -> None:
    _open(tmp_path)
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ca.pem").stat().st_mode & 0o444


def test_a_start_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    first = _open(tmp_path)
    (tmp_path / "ca.pem").unlink()
    (tmp_path / "ca.pem.new").write_bytes(b"half")
    second = _open(tmp_path, seed=8)
    assert second.certificate != first.certificate
    assert _open(tmp_path).certificate == second.certificate
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.key", "ca.pem"]


def test_an_authority_that_ends_before_its_leaves_is_replaced(tmp_path: Path) -> None:
    clock = ManualClock()
    first = _open(tmp_path, clock)
    clock.advance((AUTHORITY_LIFE - LEAF_LIFE - timedelta(hours=1)).total_seconds() - 1)
    assert _open(tmp_path, clock).certificate == first.certificate
    clock.advance(1)
    assert _open(tmp_path, clock, seed=8).certificate != first.certificate


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("ca.pem", b"", "ca.pem holds no certificate that can be read"),
        ("ca.pem", b"-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n", "ca.pem holds no certificate"),
        ("ca.pem", b"x" * (CERTIFICATE_BYTES_MAX + 1), "ca.pem is too large"),
        ("ca.key", b"junk", "ca.key holds no private key that can be read without a password"),
        ("ca.key", None, "ca.key: No such file or directory"),
        ("ca.key", private_pem(make_authority(START, SeededEntropy(9)).key), "ca.key is not its key"),
        ("ca.key", private_pem(rsa.generate_private_key(65537, 2048)), "ca.key is not its key"),
    ],
)
def test_a_damaged_authority_is_told_and_left_alone(
    tmp_path: Path, name: str, content: bytes | None, text: str
) -> None:
    _open(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StartupError, match="the certificate authority is damaged: ") as caught:
        _open(tmp_path)
    assert text in str(caught.value)
    assert "delete" in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca").write_bytes(b"a file")
    with pytest.raises(StartupError, match=r"cannot write the certificate authority to .*/ca: "):
        _open(tmp_path / "ca")


# A certificate of the user's.

AUTHORITY = make_authority(START, SeededEntropy(7))
LEAF = make_leaf(AUTHORITY, AUTHORITY.key, ["own.example"], START, SeededEntropy(8))
CHAIN_PEM = LEAF.public_bytes(Encoding.PEM) + AUTHORITY.certificate_pem
KEY_PEM = private_pem(AUTHORITY.key)
ENCRYPTED_KEY_PEM = AUTHORITY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, ENCRYPTED)


def _pfx(encryption: KeySerializationEncryption, *, with_key: bool = True) -> bytes:
    if with_key:
        return pkcs12.serialize_key_and_certificates(b"x", AUTHORITY.key, LEAF, [AUTHORITY.certificate], encryption)
    return pkcs12.serialize_key_and_certificates(b"x", None, LEAF, None, encryption)


def _is_served_by(context: ssl.SSLContext) -> bool:
    """A client that trusts the authority verifies the chain, whatever it offers by name."""
    client = TlsClient(client_context("h2", trusted=AUTHORITY.certificate_pem), "own.example")
    server = TlsConnection(context)
    shake_hands(client, server)
    return server.is_established and server.alpn == "h2"


def _write(folder: Path, **contents: bytes) -> dict[str, Path]:
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / name
        paths[name].write_bytes(content)
    return paths


def test_pem_with_the_key_beside_or_inside(tmp_path: Path) -> None:
    paths = _write(tmp_path, chain=CHAIN_PEM, key=KEY_PEM, locked=ENCRYPTED_KEY_PEM, both=KEY_PEM + CHAIN_PEM)
    assert _is_served_by(own_context(paths["chain"], paths["key"]))
    assert _is_served_by(own_context(paths["chain"], paths["key"], "not needed"))
    assert _is_served_by(own_context(paths["chain"], paths["locked"], "secret"))
    assert _is_served_by(own_context(paths["both"]))


def test_pfx_with_and_without_a_password(tmp_path: Path) -> None:
    paths = _write(tmp_path, locked=_pfx(ENCRYPTED), open=_pfx(NoEncryption()))
    assert _is_served_by(own_context(paths["locked"], password="secret"))
    assert _is_served_by(own_context(paths["open"]))


def test_an_own_certificate_is_shown_under_every_name(tmp_path: Path) -> None:
    paths = _write(tmp_path, chain=CHAIN_PEM, key=KEY_PEM)
    client = TlsClient(client_context(trusted=AUTHORITY.certificate_pem), "other.example")
    server = TlsConnection(own_context(paths["chain"], paths["key"]))
    with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
        shake_hands(client, server)


def test_what_is_wrong_with_an_own_certificate_is_told(tmp_path: Path) -> None:
    other = private_pem(make_authority(START, SeededEntropy(9)).key)
    paths = _write(
        tmp_path,
        chain=CHAIN_PEM,
        key=KEY_PEM,
        other=other,
        locked=ENCRYPTED_KEY_PEM,
        junk=b"junk",
        pfx=_pfx(ENCRYPTED),
        keyless=_pfx(ENCRYPTED, with_key=False),
        broken=b"-----BEGIN CERTIFICATE-----\n",
    )
    missing = tmp_path / "missing"
    for certificate, key, password, text in [
        (missing, None, None, "cannot read {missing}: No such file or directory"),
        (tmp_path, None, None, "cannot read {folder}: Is a directory"),
        (paths["chain"], missing, None, "cannot read {missing}: No such file or directory"),
        (paths["chain"], None, None, "{chain} holds no private key that can be read without a password"),
        (paths["chain"], paths["junk"], None, "{junk} holds no private key that can be read without a password"),
        (paths["chain"], paths["other"], None, "the private key in {other} does not belong to {chain}"),
        (paths["chain"], paths["locked"], None, "the private key in {locked} is encrypted: give its password"),
        (paths["chain"], paths["locked"], "wrong", "{locked} holds no private key that can be read with this password"),
        (paths["broken"], paths["key"], None, "{broken} holds no certificate that can be read"),
        (paths["junk"], None, None, "{junk} is neither PEM nor a PFX that can be read without a password"),
        (paths["pfx"], None, None, "{pfx} is neither PEM nor a PFX that can be read without a password"),
        (paths["pfx"], None, "wrong", "{pfx} is neither PEM nor a PFX that can be read with this password"),
        (paths["keyless"], None, "secret", "{keyless} holds no private key"),
    ]:
        with pytest.raises(StartupError) as caught:
            own_context(certificate, key, password)
        assert str(caught.value) == text.format(missing=missing, folder=tmp_path, **paths)


def test_a_key_that_openssl_finds_too_weak_is_told(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(LEAF.subject)
        .issuer_name(LEAF.subject)
        .public_key(weak.public_key())
        .serial_number(1)
        .not_valid_before(LEAF.not_valid_before_utc)
        .not_valid_after(LEAF.not_valid_after_utc)
        .sign(weak, SHA256())
    )
    paths = _write(tmp_path, both=certificate.public_bytes(Encoding.PEM) + private_pem(weak))
    with pytest.raises(StartupError, match=r"OpenSSL refuses the certificate in .*/both: EE_KEY_TOO_SMALL"):
        own_context(paths["both"])


def test_what_was_read_again_signs_what_clients_trust(tmp_path: Path) -> None:
    _open(tmp_path)
    authority = CertificateAuthority(_open(tmp_path), ManualClock(), SeededEntropy(8))
    client = TlsClient(client_context(trusted=(tmp_path / "ca.pem").read_bytes()))
    server = TlsConnection(authority.context)
    shake_hands(client, server)
    assert server.is_established

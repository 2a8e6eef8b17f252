"""The local authority: what its certificates say, who accepts them, and when they are made anew."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from localzure.server.certificates import (
    AUTHORITY_LIFE,
    BACKDATING,
    LEAF_LIFE,
    LEAVES_MAX,
    RENEWAL,
    TRUSTSTORE_PASSWORD,
    CertificateAuthority,
    certificate_names,
    load_chain_by_file,
    make_authority,
    make_leaf,
    moment,
    private_pem,
)
from localzure_protocols.tls import TlsConnection, server_context
from tests.protocols.tls_client import TlsClient, client_context, shake_hands
from tests.twins import START, ManualClock, SeededEntropy

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = ("localhost", "localzure", "127.0.0.1", "::1")


def _authority(seed: int = 7) -> CertificateAuthority:
    clock, entropy = ManualClock(), SeededEntropy(seed)
    return CertificateAuthority(make_authority(clock.wall(), entropy), clock, entropy)


@pytest.mark.parametrize(
    ("server_name", "local_address", "names"),
    [
        (None, None, LOOPBACK),
        (None, "127.0.0.1", LOOPBACK),
        (None, "127.8.8.8", LOOPBACK),
        (None, "::ffff:10.0.0.1", (*LOOPBACK, "10.0.0.1")),
        (None, "fe80::1%eth0", (*LOOPBACK, "fe80::1")),
        ("localhost", "192.168.1.5", (*LOOPBACK, "192.168.1.5")),
        ("LocalHost.", None, LOOPBACK),
        ("localzure", None, ("localzure", "localhost", "127.0.0.1", "::1")),
        ("azurite", None, ("azurite", *LOOPBACK)),
        ("my_service", None, ("my_service", *LOOPBACK)),
        ("blob.localhost", None, ("blob.localhost", *LOOPBACK)),
        ("acct.blob.localhost", None, ("blob.localhost", "*.blob.localhost", *LOOPBACK)),
        ("a.b.blob.localhost", None, ("b.blob.localhost", "*.b.blob.localhost", *LOOPBACK)),
        ("acct.blob.core.windows.net", None, ("acct.blob.core.windows.net", *LOOPBACK)),
        ("10.0.0.1", None, ("10.0.0.1", *LOOPBACK)),
        ("", None, LOOPBACK),
        ("..", None, LOOPBACK),
        ("*.example.com", None, LOOPBACK),
        ("-a.example", None, LOOPBACK),
        ("a" * 64, None, LOOPBACK),
        (".".join(["a" * 60] * 5), None, LOOPBACK),
        ("spaces in it", None, LOOPBACK),
        ("x", "not an address", ("x", *LOOPBACK)),
    ],
)
def test_which_names_a_leaf_is_for(server_name: str | None, local_address: str | None, names: tuple[str, ...]) -> None:
    assert certificate_names(server_name, local_address) == names


def test_the_authority_says_what_it_is() -> None:
    identity = make_authority(START, SeededEntropy(7))
    certificate = identity.certificate
    assert certificate.issuer == certificate.subject
    assert certificate.subject.rfc4514_string().startswith("CN=LocalZure local CA ")
    assert certificate.not_valid_before_utc == moment(START) - BACKDATING
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == AUTHORITY_LIFE
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    certificate.verify_directly_issued_by(certificate)


def test_a_leaf_says_what_it_is() -> None:
    entropy = SeededEntropy(7)
    authority = make_authority(START, entropy)
    leaf = make_leaf(authority, authority.key, ("a.example", "*.b.localhost", "10.0.0.1", "::1"), START, entropy)
    leaf.verify_directly_issued_by(authority.certificate)
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["a.example", "*.b.localhost"]
    assert alternatives.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.1"), ip_address("::1")]
    assert leaf.not_valid_before_utc == moment(START) - BACKDATING
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == LEAF_LIFE
    assert LEAF_LIFE.days < 398
    own = leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ca = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert issuer == ca == own  # signed over the authority's own key here, to see that each points at its key
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_serials_are_random_and_keys_are_never_seeded() -> None:
    one, same, other = (make_authority(START, SeededEntropy(seed)) for seed in (1, 1, 2))
    assert one.certificate.serial_number == same.certificate.serial_number != other.certificate.serial_number
    assert one.certificate.serial_number.bit_length() == 129
    assert private_pem(one.key) != private_pem(same.key)
    assert one.certificate.subject != other.certificate.subject


def _served_certificate(authority: CertificateAuthority, name: str, local_address: str | None = None) -> bytes:
    """Connect as a client that verifies `name`; returns the certificate that it was shown."""
    client = TlsClient(client_context(trusted=authority.pem), name)
    server = TlsConnection(authority.context, local_address)
    shake_hands(client, server)
    assert server.is_established
    certificate = client.tls.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "::1",
        "10.9.8.7",
        "blob.localhost",
        "acct.blob.localhost",
        "localzure",
        "my_service",
        "host.docker.internal",
        "acct.servicebus.windows.net",
        "xn--bcher-kva.example",
    ],
)
def test_a_strict_client_accepts_every_name(name: str) -> None:
    _served_certificate(_authority(), name, "10.9.8.7")


def test_the_machines_own_names_are_covered_without_being_asked_for() -> None:
    clock, entropy = ManualClock(), SeededEntropy(7)
    own_names = ["Build-17", "not a name", "10.1.1.1"]
    authority = CertificateAuthority(make_authority(clock.wall(), entropy), clock, entropy, own_names)
    client = TlsClient(client_context(trusted=authority.pem), "build-17")
    server = TlsConnection(authority.leaf_context(None, None))
    shake_hands(client, server)
    assert server.is_established


def test_another_authority_is_not_trusted() -> None:
    client, server = TlsClient(client_context(trusted=_authority(1).pem)), TlsConnection(_authority(2).context)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server)


def test_a_leaf_is_minted_once_for_all_accounts_of_a_service() -> None:
    authority = _authority()
    first = _served_certificate(authority, "one.blob.localhost")
    assert _served_certificate(authority, "two.blob.localhost") == first
    assert _served_certificate(authority, "one.queue.localhost") != first
    assert authority.leaf_context("one.blob.localhost", None) is authority.leaf_context("ONE.blob.localhost.", None)


def test_the_leaf_used_longest_ago_gives_way() -> None:
    authority = _authority()
    kept = authority.leaf_context("kept.example", None)
    dropped = authority.leaf_context("dropped.example", None)
    for number in range(LEAVES_MAX - 1):
        authority.leaf_context(f"n{number}.example", None)
        assert authority.leaf_context("kept.example", None) is kept
    assert authority.leaf_context("dropped.example", None) is not dropped


def test_a_leaf_is_renewed_in_time_and_when_the_clock_is_set_back() -> None:
    clock, entropy = ManualClock(), SeededEntropy(7)
    authority = CertificateAuthority(make_authority(clock.wall(), entropy), clock, entropy)
    first = authority.leaf_context("localhost", None)
    life = (LEAF_LIFE - RENEWAL - BACKDATING).total_seconds()
    clock.advance(life - 1)
    assert authority.leaf_context("localhost", None) is first
    clock.advance(1)
    second = authority.leaf_context("localhost", None)
    assert second is not first
    clock.set_wall(START)
    assert authority.leaf_context("localhost", None) is not second


def test_the_authority_is_handed_out_for_every_kind_of_client() -> None:
    authority = _authority()
    certificate = x509.load_pem_x509_certificate(authority.pem)
    store = pkcs12.load_pkcs12(authority.truststore(), TRUSTSTORE_PASSWORD.encode())
    assert [entry.certificate for entry in store.additional_certs] == [certificate]
    assert store.key is None


@pytest.mark.skipif(shutil.which("keytool") is None, reason="needs keytool, which comes with a Java runtime")
def test_java_reads_the_trust_store(tmp_path: Path) -> None:
    path = tmp_path / "ca.p12"
    path.write_bytes(_authority().truststore())
    command = ["keytool", "-list", "-keystore", str(path), "-storepass", TRUSTSTORE_PASSWORD]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "1 entry" in listing
    assert "localzure" in listing
    assert "trustedCertEntry" in listing


def test_a_certificate_is_loaded_by_a_file_where_memory_has_none() -> None:
    identity = make_authority(START, SeededEntropy(7))
    context = server_context()
    load_chain_by_file(context, identity.certificate.public_bytes(Encoding.PEM) + private_pem(identity.key))
    server = TlsConnection(context)
    server.receive(TlsClient().step())
    assert server.failure is None
    assert server.data_to_send()

"""The local certificate authority: made once, it signs a certificate for every name that a client asks for.

A user trusts one certificate (`ca.pem`) and every endpoint is trusted under every name: `localhost`, loopback
addresses, `account.blob.localhost`, a container's name, whatever stands in the client's SNI. A leaf names what it is
for in its subject alternative names only, since Java, Go and Node look nowhere else, and is valid for no longer than
Apple's and Chrome's verifiers accept.

Leaves are minted on the first handshake for a name and kept, a bounded number of them. All leaves share one key that
lives as long as the process. Names below `.localhost` share a leaf with a wildcard per parent, because tests make
accounts by the thousand: those names never leave the machine (RFC 6761, section 6.3). Other names get no wildcard.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localzure.services.interface import SECOND
from localzure_protocols.tls import choose_by_name, server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from localzure.services.interface import Clock, Entropy, Instant

AUTHORITY_LIFE = timedelta(days=3650)

LEAF_LIFE = timedelta(days=397)
"""Apple's verifier refuses more than 398 days, Chrome's likewise."""

RENEWAL = timedelta(days=30)
"""How long before its end a certificate is replaced."""

BACKDATING = timedelta(hours=1)
"""How far in the past validity starts, for clients whose clock is behind."""

LEAVES_MAX = 256
"""Leaves that are kept, about 20 KB each; the one that was used longest ago gives way."""

TRUSTSTORE_PASSWORD = "changeit"  # noqa: S105 - guards nothing: Java insists on a password, and this is its own default
"""The password of `ca.p12`."""

_ALWAYS = ("localhost", "localzure", "127.0.0.1", "::1")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAME_CHARACTERS_MAX = 253


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as clients trust it."""
        return self.certificate.public_bytes(Encoding.PEM)


def make_authority(now: Instant, entropy: Entropy) -> Identity:
    """Make a new certificate authority, valid from a little before `now` for ten years.

    Its key comes from OpenSSL's own generator and never from `entropy`, so that no seed can bring a key back. Its
    name ends with a part of its serial number: stores that hold several of them must be able to tell them apart.
    """
    serial = _serial(entropy)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "LocalZure"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"LocalZure local CA {serial & 0xFFFFFFFF:08x}"),
        ]
    )
    start = moment(now) - BACKDATING
    builder = (
        _builder(name, name, key, serial, start, start + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Identity(builder.sign(key, SHA256()), key)


def make_leaf(
    authority: Identity,
    key: ec.EllipticCurvePrivateKey,
    names: Iterable[str],
    now: Instant,
    entropy: Entropy,
) -> x509.Certificate:
    """Sign a server's certificate over `key` for `names`: host names, wildcards and IP addresses."""
    issuer = authority.certificate
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LocalZure")])
    start = moment(now) - BACKDATING
    authority_key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    builder = (
        _builder(subject, issuer.subject, key, _serial(entropy), start, start + LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(authority_key_id, critical=False)
    )
    return builder.sign(authority.key, SHA256())


def certificate_names(server_name: str | None, local_address: str | None) -> tuple[str, ...]:
    """The names of the leaf for a client that asked for `server_name`, or for none, at `local_address`.

    Clients that connect to an IP address send no name (RFC 6066, section 3), nor does Java for a name without a dot,
    such as a container's. So every leaf covers loopback, the address that was connected to, and the usual name of the
    container. What cannot be a host name is left out.
    """
    names = dict.fromkeys((*_names_for(server_name), *_ALWAYS))
    address = _address(local_address)
    if address is not None and not address.is_loopback:
        names[str(address)] = None
    return tuple(names)


class CertificateAuthority:
    """Answers every TLS handshake with a certificate for the name that it asks for."""

    def __init__(self, identity: Identity, clock: Clock, entropy: Entropy, own_names: Iterable[str] = ()) -> None:
        """`identity` comes from `make_authority`, or from `certificate_files.open_authority`.

        Every leaf covers `own_names` too: those of the machine, for clients that do not say which they use.
        """
        self._identity = identity
        self._clock = clock
        self._entropy = entropy
        self._own_names = tuple(name for own in own_names for name in _names_for(own))
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaves: OrderedDict[tuple[str, ...], _Leaf] = OrderedDict()
        self.context = server_context()
        """What `TlsConnection` takes: it finds, or mints, the certificate in the handshake."""
        choose_by_name(self.context, self.leaf_context)

    @property
    def pem(self) -> bytes:
        """The authority's certificate as `ca.pem` holds it: what clients have to trust."""
        return self._identity.certificate_pem

    def truststore(self) -> bytes:
        """The authority's certificate as `ca.p12`: a PKCS#12 trust store for Java, with `TRUSTSTORE_PASSWORD`."""
        entry = pkcs12.PKCS12Certificate(self._identity.certificate, b"localzure")
        return pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode()))

    def leaf_context(self, server_name: str | None, local_address: str | None) -> ssl.SSLContext:
        """The context whose certificate is for `server_name`, or for `local_address` where no name was sent."""
        names = tuple(dict.fromkeys((*certificate_names(server_name, local_address), *self._own_names)))
        now = self._clock.wall()
        leaf = self._leaves.get(names)
        if leaf is None or not leaf.fresh_from <= now < leaf.fresh_until:
            leaf = self._leaves[names] = self._mint(names, now)
        self._leaves.move_to_end(names)
        if len(self._leaves) > LEAVES_MAX:
            self._leaves.popitem(last=False)
        return leaf.context

    def _mint(self, names: tuple[str, ...], now: Instant) -> _Leaf:
        certificate = make_leaf(self._identity, self._leaf_key, names, now, self._entropy)
        context = server_context()
        load_chain(context, certificate.public_bytes(Encoding.PEM) + private_pem(self._leaf_key))
        return _Leaf(
            context,
            fresh_from=_instant(certificate.not_valid_before_utc),
            fresh_until=_instant(certificate.not_valid_after_utc - RENEWAL),
        )


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A context with its certificate, and when it may be handed out."""

    context: ssl.SSLContext
    fresh_from: int
    fresh_until: int


def load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """Give `context` a certificate chain and its key. Raises ssl.SSLError where OpenSSL refuses them.

    The `ssl` module only reads files: where the system has files in memory, the key never touches a disk.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("localzure-certificate")
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    else:
        load_chain_by_file(context, pem)


def load_chain_by_file(context: ssl.SSLContext, pem: bytes) -> None:
    """Like `load_chain`, by a file that only this user can read and that is gone afterwards."""
    descriptor, name = tempfile.mkstemp(prefix="localzure-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def private_pem(key: PrivateKeyTypes) -> bytes:
    """A private key as PEM, in the clear."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """What every certificate has; the key identifier lets verifiers tell keys of the same name apart."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _serial(entropy: Entropy) -> int:
    """A positive serial number of at most 20 bytes, random enough (RFC 5280, section 4.1.2.2)."""
    return int.from_bytes(entropy.bytes(16), "big") | 1 << 128


def moment(instant: Instant) -> datetime:
    """An instant as certificates have it, in whole seconds."""
    return datetime.fromtimestamp(instant // SECOND, UTC)


def _instant(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


def _names_for(server_name: str | None) -> tuple[str, ...]:
    """What the leaf for one name names; nothing for what cannot be a host name."""
    if server_name is None:
        return ()
    name = server_name.lower().rstrip(".")
    if (address := _address(name)) is not None:
        return (str(address),)
    labels = name.split(".")
    if len(name) > _NAME_CHARACTERS_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        return ()
    if len(labels) > 2 and labels[-1] == "localhost":
        parent = ".".join(labels[1:])
        return (parent, f"*.{parent}")
    return (name,)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Read an IP address, without the scope that a link-local one may carry; IPv4 inside IPv6 is IPv4."""
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)

"""Certificates on disk: the folder of the local authority, and a certificate that the user brings along.

Whatever is wrong with a file is one line that names it (`StartupError`), and nothing here ever prompts for a password.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12

from localzure.server.certificates import LEAF_LIFE, Identity, load_chain, make_authority, moment, private_pem
from localzure.server.startup import StartupError
from localzure_protocols.tls import server_context

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from localzure.services.interface import Clock, Entropy

AUTHORITY_FOLDER = "ca"
"""Where the authority lies in the data directory."""

CERTIFICATE_FILE = "ca.pem"
KEY_FILE = "ca.key"

CERTIFICATE_BYTES_MAX = 1024 * 1024
"""Longest file that is taken for a certificate or key; chains are a few KiB."""

_PEM_START = b"-----BEGIN "


def open_authority(folder: Path, clock: Clock, entropy: Entropy) -> Identity:
    """Read the authority in `folder`, or make one where there is none, or none that lives long enough.

    The caller holds the data directory's lock. Raises StartupError.
    """
    certificate_path, key_path = folder / CERTIFICATE_FILE, folder / KEY_FILE
    if certificate_path.exists():
        identity = _read_authority(certificate_path, key_path)
        if identity.certificate.not_valid_after_utc - moment(clock.wall()) > LEAF_LIFE:
            return identity
    identity = make_authority(clock.wall(), entropy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The key goes first: a crash between the two leaves a key without a certificate, which is made anew.
        _write(key_path, private_pem(identity.key), 0o600)
        _write(certificate_path, identity.certificate_pem, 0o644)
    except OSError as error:
        raise StartupError(f"cannot write the certificate authority to {folder}: {error.strerror}") from error
    return identity


def own_context(certificate: Path, key: Path | None = None, password: str | None = None) -> ssl.SSLContext:
    """The context for a certificate of the user's: PEM with its chain, the key in it or in `key`, or PFX.

    Raises StartupError.
    """
    content = _read(certificate)
    if _PEM_START in content:
        key_path = key or certificate
        chain, private = _pem_chain(certificate, content), _pem_key(key_path, _read(key_path), password)
    else:
        chain, private = _pfx(certificate, content, password)
    if private.public_key() != chain[0].public_key():
        raise StartupError(f"the private key in {key or certificate} does not belong to {certificate}")
    context = server_context()
    pem = b"".join(link.public_bytes(Encoding.PEM) for link in chain) + private_pem(private)
    try:
        load_chain(context, pem)
    except ssl.SSLError as error:
        raise StartupError(f"OpenSSL refuses the certificate in {certificate}: {error.reason}") from error
    return context


def _read_authority(certificate_path: Path, key_path: Path) -> Identity:
    remedy = f"put it back, or delete {certificate_path} to have a new authority made, which clients must trust again"
    try:
        (certificate, *_) = _pem_chain(certificate_path, _read(certificate_path))
        key = _pem_key(key_path, _read(key_path), None)
    except StartupError as error:
        raise StartupError(f"the certificate authority is damaged: {error}; {remedy}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise StartupError(f"the certificate authority is damaged: {key_path} is not its key; {remedy}")
    return Identity(certificate, key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(CERTIFICATE_BYTES_MAX + 1)
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > CERTIFICATE_BYTES_MAX:
        raise StartupError(f"{path} is too large to be a certificate or a key")
    return content


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, on disk when this returns. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _pem_chain(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise StartupError(f"{path} holds no certificate that can be read") from error


def _pem_key(path: Path, content: bytes, password: str | None) -> PrivateKeyTypes:
    try:
        return _load_key(content, password)
    except TypeError as error:
        raise StartupError(f"the private key in {path} is encrypted: give its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise StartupError(f"{path} holds no private key that can be read{_with_password(password)}") from error


def _load_key(content: bytes, password: str | None) -> PrivateKeyTypes:
    """A password that is not needed is ignored. Raises TypeError where one is needed."""
    try:
        return load_pem_private_key(content, None)
    except TypeError:
        if password is None:
            raise
    return load_pem_private_key(content, password.encode())


def _pfx(path: Path, content: bytes, password: str | None) -> tuple[list[x509.Certificate], PrivateKeyTypes]:
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, (password or "").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        text = f"{path} is neither PEM nor a PFX that can be read{_with_password(password)}"
        raise StartupError(text) from error
    if key is None or certificate is None:
        raise StartupError(f"{path} holds no {'private key' if key is None else 'certificate'}")
    return [certificate, *others], key


def _with_password(password: str | None) -> str:
    return " without a password" if password is None else " with this password"

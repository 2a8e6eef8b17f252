"""CRC-64/NVME, which Azure Storage computes of every body, and what a request and its reply say of it.

"x-ms-content-crc64": the eight bytes of the sum, lowest first, in base64. A request gives the MD5 of its body or the
CRC-64, never both; a reply always bears the CRC-64 (since version 2019-02-02).
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, NamedTuple

from azure.storage.extensions.checksums import crc64

from localzure.services.blob import requests
from localzure.services.blob.errors import BlobError

if TYPE_CHECKING:
    from localzure.services.blob.call import Call

CRC64_BYTES = 8
"""Bytes of a sum."""


class Sums(NamedTuple):
    """What was computed of a body; None where nobody asked for it."""

    md5: bytes | None
    crc64: bytes | None

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers of a reply that tell them."""
        headers = []
        if self.md5 is not None:
            headers.append(("content-md5", _text(self.md5)))
        if self.crc64 is not None:
            headers.append(("x-ms-content-crc64", _text(self.crc64)))
        return headers


class Promise(NamedTuple):
    """What the head of a request says of the sums of its body."""

    md5: bytes | None = None
    crc64: bytes | None = None

    def check(self, sums: Sums) -> None:
        """Raise BlobError `Md5Mismatch` or `Crc64Mismatch` where a body is not the one that its sender had."""
        if self.md5 is not None and self.md5 != sums.md5:
            raise BlobError("Md5Mismatch", UserSpecifiedMd5=_text(self.md5), ServerCalculatedMd5=_text(sums.md5 or b""))
        if self.crc64 is not None and self.crc64 != sums.crc64:
            raise BlobError(
                "Crc64Mismatch", UserSpecifiedCrc=_text(self.crc64), ServerCalculatedCrc=_text(sums.crc64 or b"")
            )


class Summing:
    """Computes the sums of a body that arrives in pieces."""

    __slots__ = ("_crc", "_md5")

    def __init__(self, *, with_md5: bool) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self._crc = 0

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        if self._md5 is not None:
            self._md5.update(data)
        self._crc = crc64.compute(data, self._crc)

    def sums(self) -> Sums:
        """Return the sums of what was taken so far."""
        return Sums(None if self._md5 is None else self._md5.digest(), crc64_bytes(self._crc))


def crc64_bytes(value: int) -> bytes:
    """Return a sum as it is sent."""
    return value.to_bytes(CRC64_BYTES, "little")


def add_crc64(data: bytes, value: int = 0) -> int:
    """Return the sum of what `value` is the sum of, with data behind it."""
    return crc64.compute(data, value)


def join_crc64(first: int, first_bytes: int, second: int, second_bytes: int) -> int:
    """Return the sum of what two sums are of, one behind the other."""
    return crc64.concat(0, 0, first, first_bytes, 0, second, second_bytes)


def sums_of(data: bytes, *, with_md5: bool) -> Sums:
    """Return the sums of a whole body."""
    summing = Summing(with_md5=with_md5)
    summing.update(data)
    return summing.sums()


def promise(call: Call, md5_name: str = "content-md5", crc64_name: str = "x-ms-content-crc64") -> Promise:
    """Read what a head says of its body, or of the body of its source. Raises BlobError."""
    given = Promise(requests.md5(call, md5_name), _crc64(call, crc64_name))
    if given.md5 is not None and given.crc64 is not None:
        raise BlobError("BothCrc64AndMd5HeaderPresent")
    return given


def source_promise(call: Call) -> Promise:
    """Read what a copy says of the bytes of its source. Raises BlobError."""
    return promise(call, "x-ms-source-content-md5", "x-ms-source-content-crc64")


def _crc64(call: Call, name: str) -> bytes | None:
    """Read a CRC-64. One that is too short is malformed, one that is too long does not match."""
    text = call.request.headers.get(name)
    if not text:
        return None
    try:
        value = b64decode(text, validate=True)
    except ValueError:
        value = b""
    if len(value) < CRC64_BYTES:
        raise requests.bad_header(name, text)
    return value


def _text(value: bytes) -> str:
    return b64encode(value).decode("ascii")

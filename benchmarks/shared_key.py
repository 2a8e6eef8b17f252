"""Requests to a storage account, signed with its key as a client does it ("Authorize with Shared Key")."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVELOPMENT_ACCOUNT = "devstoreaccount1"
DEVELOPMENT_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known key of the development account."""

SERVICE_VERSION = "2023-11-03"

_SIGNED_HEADERS = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip
"""The headers that are signed by place, in their order."""


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account at an address of its own, path-style."""

    host: str
    port: int
    name: str = DEVELOPMENT_ACCOUNT
    key: str = DEVELOPMENT_ACCOUNT_KEY

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        """Return a whole signed request, good for a quarter of an hour.

        `path` is what follows the account, with its query, in ASCII without escapes.
        """
        target = f"/{self.name}{path}"
        fields = self._fields(method, headers, body)
        return self._wire(method, target, fields, self._signature(method, target, fields), body)

    def table_request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        """Return a whole request to the Table service, which signs less, good for a quarter of an hour.

        `path` is what follows the account, without a query, in ASCII without escapes.
        """
        target = f"/{self.name}{path}"
        fields = self._fields(method, headers, body)
        lines = (method, "", fields.get("content-type", ""), fields["x-ms-date"], f"/{self.name}{target}")
        return self._wire(method, target, fields, self._digest("\n".join(lines)), body)

    def _fields(self, method: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        fields = {
            "host": f"{self.host}:{self.port}",
            "user-agent": "localzure-benchmark",
            "accept": "application/xml",
            "x-ms-version": SERVICE_VERSION,
            "x-ms-date": formatdate(usegmt=True),
            **headers,
        }
        if body or method == "PUT":
            fields["content-length"] = str(len(body))
        return fields

    def _wire(self, method: str, target: str, fields: Mapping[str, str], signature: str, body: bytes) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        authorization = f"authorization: SharedKey {self.name}:{signature}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{head}{authorization}\r\n".encode("ascii") + body

    def _signature(self, method: str, target: str, fields: Mapping[str, str]) -> str:
        path, _, query = target.partition("?")
        standard = [fields.get(name, "") for name in _SIGNED_HEADERS]
        if standard[2] == "0":
            standard[2] = ""
        extended = [f"{name}:{fields[name]}" for name in sorted(fields) if name.startswith("x-ms-")]
        resource = [f"/{self.name}{path}"] + [f"{name}:{value}" for name, value in sorted(parse_qsl(query))]
        text = "\n".join([method, *standard, *extended, *resource])
        return self._digest(text)

    def _digest(self, text: str) -> str:
        digest = hmac.digest(base64.b64decode(self.key), text.encode(), hashlib.sha256)
        return base64.b64encode(digest).decode()

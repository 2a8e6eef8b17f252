"""A client of LocalZure's own API, for the command line and for tests: plain calls, errors of one line."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

DEFAULT_ENDPOINT = "http://127.0.0.1:8080"
"""The gateway of a server that was started without flags."""

CALL_SECONDS_MAX = 60.0
"""How long the server may be silent: emptying a store of millions of records takes a while."""

ERROR_BYTES_MAX = 64 * 1024
"""Longest refusal that is read."""


class ClientError(Exception):
    """A call that did not come about; the text is one line."""


class NoServerError(ClientError):
    """Nobody answers at the endpoint."""


class RefusedError(ClientError):
    """The server answered, and did not do it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        """`NotFound` and its like; empty where the answer was none of LocalZure's."""


class Readable(Protocol):
    """A file to read from."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes; none at the end."""
        ...


class OwnApiClient:
    """Calls to one server."""

    def __init__(
        self, endpoint: str = DEFAULT_ENDPOINT, token: str | None = None, *, seconds_max: float = CALL_SECONDS_MAX
    ) -> None:
        """`endpoint` is the URL of any HTTP listener. Raises ValueError for one that is no URL."""
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError(f"expected a URL such as {DEFAULT_ENDPOINT}, got {endpoint!r}")
        self._endpoint = endpoint.rstrip("/")
        self._base = f"{self._endpoint}/_localzure/"
        self._token = token
        self._seconds_max = seconds_max

    def call(self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None) -> Any:
        """Call `path`, such as `clock`, with `body` as JSON, and return the answer; None where it has no content.

        Raises ClientError.
        """
        data = None if body is None else json.dumps(body).encode()
        return self._decoded(path, self.fetch(method, path, data, query=query))

    def call_with_file(
        self, method: str, path: str, file: Readable, length: int, *, query: Mapping[str, str] | None = None
    ) -> Any:
        """Call `path` with the next `length` bytes of a file as body, and return the answer. Raises ClientError."""
        return self._decoded(path, self._content(path, self.open(method, path, file, length=length, query=query)))

    def fetch(
        self, method: str, path: str, body: bytes | None = None, *, query: Mapping[str, str] | None = None
    ) -> bytes:
        """Call `path` and return the content of the answer. Raises ClientError."""
        return self._content(path, self.open(method, path, body, query=query))

    def open(
        self,
        method: str,
        path: str,
        body: bytes | Readable | None = None,
        *,
        length: int | None = None,
        query: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Call `path`, with the next `length` bytes of a file as body, and return the answer to read from.

        Raises ClientError.
        """
        import http.client  # late, as below: most commands and tests call nobody
        import urllib.error
        import urllib.request

        direct = _direct()
        url = self._base + quote(path, safe="/%") + (f"?{urlencode(query)}" if query else "")
        headers = {"content-type": "application/json"} if body is not None else {}
        if length is not None:
            headers["content-length"] = str(length)
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            request = urllib.request.Request(url, body, headers, method=method)  # type: ignore[arg-type] # noqa: S310
            reply: HTTPResponse = direct.open(request, timeout=self._seconds_max)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(url, error.code, error.reason, error.read(ERROR_BYTES_MAX)) from None
        except urllib.error.URLError as error:
            raise NoServerError(f"cannot reach {url}: {_reason(error.reason)}{_remedy(url)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoServerError(f"cannot reach {url}: {_reason(error)}{_remedy(url)}") from None
        return reply

    def health(self) -> dict[str, Any] | None:
        """What the server says of itself at `/health`, healthy or not; None where there is no server of ours."""
        import http.client
        import urllib.error

        try:
            with _direct().open(f"{self._endpoint}/health", timeout=self._seconds_max) as reply:
                content = reply.read()
        except urllib.error.HTTPError as error:
            with error:
                content = error.read()
        except (OSError, http.client.HTTPException, ValueError):
            return None
        try:
            told = json.loads(content)
        except ValueError:
            return None
        return told if isinstance(told, dict) and "status" in told else None

    def _content(self, path: str, reply: HTTPResponse) -> bytes:
        import http.client

        with closing(reply):
            try:
                content: bytes = reply.read()
            except (OSError, http.client.HTTPException) as error:
                raise NoServerError(f"{self._base}{path} broke off: {_reason(error)}") from None
        return content

    def _decoded(self, path: str, content: bytes) -> Any:
        try:
            return json.loads(content) if content else None
        except ValueError:
            raise ClientError(f"{self._base}{path} answers something else than JSON") from None


def _direct() -> OpenerDirector:
    """What opens URLs without a proxy: a local server is behind none."""
    import urllib.request

    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _refusal(url: str, status: int, reason: str, content: bytes) -> RefusedError:
    """The server's own words where there are some."""
    try:
        told = json.loads(content)["error"]
        return RefusedError(status, str(told["code"]), str(told["message"]))
    except (ValueError, KeyError, TypeError):
        return RefusedError(status, "", f"{url} answers {status} {reason}")


def _reason(error: object) -> str:
    """Why a call failed, in the system's words where there are some."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _remedy(url: str) -> str:
    """A closing remark: nobody can verify a certificate with what is only being fetched."""
    return "; the same port answers http:// too" if url.startswith("https:") else ""

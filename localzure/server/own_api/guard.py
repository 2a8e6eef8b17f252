"""Who may call LocalZure's own API, which can empty the store and needs no key.

Anybody who reaches the port may, but for web pages: a page that the user merely visits can make the browser send
requests here. One of another site gives itself away by its `Origin` (or, without one, by `Sec-Fetch-Site`). One whose
name was pointed at this machine after it was loaded (DNS rebinding) is of the same origin for the browser, and gives
itself away by the `Host`: a public name. So a call must name the server by an address, a name without dots, one below
a domain that nobody can register, or a name that the configuration allows.

With an admin token, everything but what is public also needs that token.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.server.own_api.routes import OwnApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.interface import HttpRequest

PRIVATE_DOMAINS = (".localhost", ".internal", ".cluster.local", ".test")
"""Domains that no public DNS delegates (RFC 6761; ICANN's .internal), and the one of Kubernetes."""

_OWN_FETCHES = ("same-origin", "none")
"""`Sec-Fetch-Site` of what a page of ours sends, and of what the user typed."""


class Guard:
    """Decides on each call by its head."""

    def __init__(self, hosts: Iterable[str] = (), token: str | None = None) -> None:
        """`hosts` are further names that the server is called by; `token` is the admin token, if one is demanded."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token

    def check(self, request: HttpRequest, *, is_public: bool = False) -> None:
        """Raise OwnApiError, 403 or 401, for a call that may not be made."""
        if not self._is_own_host(request.host):
            raise OwnApiError(
                403,
                "ForeignHost",
                "LocalZure's own API is not called by this host name; allow it with admin.hosts in the configuration.",
            )
        if not _is_own_origin(request):
            raise OwnApiError(403, "ForeignOrigin", "LocalZure's own API is not called from pages of other sites.")
        if self._token is not None and not is_public and not self._has_token(request):
            headers = [("www-authenticate", 'Bearer realm="localzure"')]
            raise OwnApiError(401, "AdminTokenRequired", "This call needs the admin token as bearer token.", headers)

    def _is_own_host(self, host: str) -> bool:
        name = _name_of(host)
        if "." not in name or name in self._hosts or name.endswith(PRIVATE_DOMAINS):
            return True
        return _is_address(name)

    def _has_token(self, request: HttpRequest) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("latin-1", "replace"), (self._token or "").encode()
        )


def _is_own_origin(request: HttpRequest) -> bool:
    """Whether a request is of no page, or of one that this server gave."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in _OWN_FETCHES
    try:
        return urlsplit(origin).netloc.lower() == request.host.lower() != ""
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """The name or address in a Host header, in lower case; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

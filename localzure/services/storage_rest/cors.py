"""Cross-origin resource sharing: the rules of a service, and what they answer to browsers.

"Cross-Origin Resource Sharing (CORS) support for Azure Storage": rules are looked at in their order; the first whose
origins and methods fit decides, also where its headers then refuse. A preflight request is answered by the rules
alone, whatever it names and whoever sends it; an actual request is answered as any other, with headers added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.services.interface import HttpReply, LaterReply, ServiceError
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Bodiless
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localzure.services.interface import BodySink, HttpRequest

SERVER_HEADERS = ("x-ms-request-id", "server", "content-length", "date")
"""Headers that the server adds to every reply: a rule may expose them too."""


class CorsRule(Struct, array_like=True):
    """One rule, as clients set it: lists as they are written, without spaces around the commas."""

    allowed_origins: list[str]
    allowed_methods: list[str]
    allowed_headers: list[str]
    exposed_headers: list[str]
    max_age: int
    """Seconds for which a browser may keep the answer to a preflight request."""


def accept_shared(
    request: HttpRequest,
    find_rules: Callable[[], list[CorsRule]],
    accept: Callable[[], BodySink],
    refuse: Callable[[HttpRequest, ServiceError | StorageError], HttpReply],
) -> BodySink:
    """Accept a preflight request, or one that names its origin, by the rules that `find_rules` gives for its account.

    `accept` accepts it as one without an origin, and what it raises is raised; `refuse` writes an error as the service
    does.
    """
    if request.method == "OPTIONS":
        return Bodiless(lambda: answer_preflight(request, find_rules()))
    rules = find_rules()
    if not rules:
        return accept()
    return SharingSink(request, rules, accept, lambda error: refuse(request, error))


def answer_preflight(request: HttpRequest, rules: Iterable[CorsRule]) -> HttpReply:
    """Answer an OPTIONS request. Raises StorageRestError: 400 without its two headers, 403 where no rule allows it."""
    headers = request.headers
    origin = headers.get("origin")
    method = headers.get("access-control-request-method")
    if not origin or not method:
        name = "Origin" if not origin else "Access-Control-Request-Method"
        raise StorageRestError("InvalidHeaderValue", HeaderName=name)
    asked = headers.get("access-control-request-headers", "")
    rule = _matching(rules, origin, method)
    if rule is None or not all(_allows(rule.allowed_headers, name) for name in _split(asked)):
        raise StorageRestError("CorsPreflightFailure")
    reply = reply_headers(request)
    reply.append(("access-control-allow-origin", "*" if "*" in rule.allowed_origins else origin))
    reply.append(("access-control-allow-methods", method))
    if asked:
        reply.append(("access-control-allow-headers", asked))
    reply.append(("access-control-max-age", str(rule.max_age)))
    if "*" not in rule.allowed_origins:
        reply.append(("access-control-allow-credentials", "true"))
    return HttpReply(200, reply)


def share(request: HttpRequest, rules: list[CorsRule], reply: HttpReply) -> None:
    """Add to the reply to an actual request what the rules say of its origin."""
    origin = request.headers.get("origin")
    if origin is None or not rules:
        return
    rule = _matching(rules, origin, request.method)
    is_cacheable = request.method in {"GET", "HEAD"}
    if rule is None:
        if is_cacheable:
            reply.headers.append(("vary", "Origin"))
        return
    names = [name for name, _ in reply.headers]
    exposed = [name for name in dict.fromkeys((*names, *SERVER_HEADERS)) if _allows(rule.exposed_headers, name)]
    if "*" in rule.allowed_origins:
        reply.headers.append(("access-control-allow-origin", "*"))
    else:
        reply.headers.append(("access-control-allow-origin", origin))
        reply.headers.append(("access-control-allow-credentials", "true"))
        if is_cacheable:
            reply.headers.append(("vary", "Origin"))
    if exposed:
        reply.headers.append(("access-control-expose-headers", ",".join(exposed)))


class SharingSink:
    """The sink of an actual request from another origin: its reply, an error as well, says what the rules allow."""

    __slots__ = ("_refuse", "_request", "_rules", "_sink")

    def __init__(
        self,
        request: HttpRequest,
        rules: list[CorsRule],
        accept: Callable[[], BodySink],
        refuse: Callable[[ServiceError | StorageError], HttpReply],
    ) -> None:
        """`accept` accepts the request and may refuse it; `refuse` writes an error as the service does."""
        self._request = request
        self._rules = rules
        self._refuse = refuse
        self._sink: BodySink | ServiceError | StorageError
        try:
            self._sink = accept()
        except (ServiceError, StorageError) as error:
            self._sink = error

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        sink = self._sink
        if isinstance(sink, (ServiceError, StorageError)):
            return
        try:
            sink.write(data)
        except (ServiceError, StorageError) as error:
            self._sink = error
            sink.abandon()

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        reply = self._reply()
        if isinstance(reply, LaterReply):
            reply.touch(lambda made: share(self._request, self._rules, made))
        else:
            share(self._request, self._rules, reply)
        return reply

    def abandon(self) -> None:
        """See `BodySink`."""
        if not isinstance(self._sink, (ServiceError, StorageError)):
            self._sink.abandon()

    def _reply(self) -> HttpReply:
        sink = self._sink
        if isinstance(sink, (ServiceError, StorageError)):
            return self._refuse(sink)
        try:
            return sink.finish()
        except (ServiceError, StorageError) as error:
            self._sink = error
            sink.abandon()
            return self._refuse(error)


def _matching(rules: Iterable[CorsRule], origin: str, method: str) -> CorsRule | None:
    for rule in rules:
        if method in rule.allowed_methods and any(_is_origin(allowed, origin) for allowed in rule.allowed_origins):
            return rule
    return None


def _is_origin(allowed: str, origin: str) -> bool:
    """Whether an origin fits: exactly, or by a wildcard for everything or for the subdomains of a domain."""
    if allowed in {"*", origin}:
        return True
    before, star, domain = allowed.partition("*.")
    return bool(star) and origin.startswith(before) and origin.endswith(f".{domain}")


def _allows(patterns: list[str], name: str) -> bool:
    lower = name.lower()
    return any(
        lower.startswith(pattern[:-1].lower()) if pattern.endswith("*") else lower == pattern.lower()
        for pattern in patterns
    )


def _split(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]

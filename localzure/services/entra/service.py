"""The authority on HTTP: which address answers what.

`ROUTES` is the table of its addresses, with `{tenant}` for any tenant. What Entra ID has beside them is told apart from
what nobody has: it is a 501 that names itself.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode

from localzure.services.entra import authorizing, discovery, pages
from localzure.services.entra.devices import CODE_SECONDS, Devices
from localzure.services.entra.errors import EntraError
from localzure.services.entra.grants import Parts, TokenRequest, grant
from localzure.services.entra.issuing import DEFAULT_RESOURCE, Issuer, resource_of
from localzure.services.entra.keys import EntraKeys
from localzure.services.entra.managed_identity import APP_SERVICE_PATH, IMDS_PATH, app_service_token, imds_token
from localzure.services.entra.model import DEFAULT_TENANT, Subject, tenant_id
from localzure.services.entra.signing import KeyRing
from localzure.services.interface import SECOND, HttpReply, LaterReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.entra.model import EntraSettings
    from localzure.services.interface import Address, Aside, HttpRequest, Instant, ServiceContext, ServiceError
    from localzure_storage.store import StorageError, Writer

BODY_BYTES_MAX = 64 * 1024

DEFAULT_CLIENT = "00000000-0000-0000-0000-000000000001"
"""Whose tokens `/.localzure/oauth/token` gives to those who name no client."""

POLL_SECONDS = 5

_TENANT = r"/(?P<tenant>[^/]{1,128})"

_NOT_BUILT = re.compile(rf"{_TENANT}/(?:oauth2(?:/v2\.0)?/(?:logout)|saml2|login|kmsi|reprocess)")


class EntraService:
    """A mock Entra ID (see `localzure.services.interface.HttpService`)."""

    def __init__(self, context: ServiceContext, settings: EntraSettings, aside: Aside) -> None:
        """`aside` makes its keys."""
        self._clock = context.clock
        self._entropy = context.entropy
        self._settings = settings
        self._keys = keys = EntraKeys(context.space)
        self.ring = KeyRing(keys, context.transactions, settings, aside)
        """The keys that sign tokens, for those who check them."""
        self._issuer = Issuer(self.ring, context.entropy, settings)
        devices = Devices(keys, context.transactions, context.entropy, is_automatic=settings.device_approval == "auto")
        codes = authorizing.Codes(keys, context.transactions, context.entropy)
        self._parts = Parts(settings, self._issuer, devices, codes)

    def empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Remove the signing keys, and the codes that wait: what was signed before is not believed any more."""
        del account, budget  # it has no accounts, and few records
        for start, stop in (self._keys.signing.range(), self._keys.devices.range(), self._keys.codes.range()):
            for key, _ in list(writer.scan(start, stop)):
                writer.delete(key)
        self.ring.reset()
        return False

    def accept(self, request: HttpRequest, address: Address) -> _Form:
        """Find who answers a request. Raises EntraError."""
        path = f"/{unquote(address.path)}"
        methods = set()
        for method, pattern, answer, use in ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if method == request.method:
                asked = Asked(request, address.base_url, match.groupdict(), self._clock.wall())
                self.ring.prepare(asked.now)
                return _Form(self, partial(answer, self, asked), use, asked.now)
            methods.add(method)
        if methods:
            raise EntraError("method_not_allowed")
        if _NOT_BUILT.fullmatch(path):
            raise EntraError("not_implemented", path.rpartition("/")[2])
        raise EntraError("not_found")

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`: the last segment of the path, such as `token`."""
        del address
        return request.raw_path.rpartition("/")[2]

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as Entra ID does."""
        refusal = error if isinstance(error, EntraError) else EntraError("internal_error")
        row = refusal.row
        stamp = _stamp(self._clock.wall())
        correlation = request.headers.get("client-request-id", request.request_id)[:64]
        prefix = f"AADSTS{row.code}: " if row.code else ""
        body = {
            "error": row.error,
            "error_description": f"{prefix}{refusal.text} Trace ID: {request.request_id} "
            f"Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [row.code],
            "timestamp": stamp,
            "trace_id": request.request_id,
            "correlation_id": correlation,
        }
        return _json(body, row.status)

    def answer(self, answer: Callable[[], HttpReply], use: KeyUse, now: Instant) -> HttpReply:
        """Answer, once the key is there that the answer needs."""
        if use is KeyUse.NEW:
            self.ring.rotate(now)
        if use is KeyUse.NONE:
            return answer()

        def answer_or_fail() -> HttpReply:
            if not self.ring.has_key:
                raise EntraError("internal_error")
            return answer()

        if not self.ring.is_making or (use is KeyUse.SIGNS and self.ring.has_key):
            return answer_or_fail()
        waiting = _Waiting(answer_or_fail)
        self.ring.wait(waiting.ready)
        return waiting.reply

    # --- answers --------------------------------------------------------------------------------------------------

    def token(self, asked: Asked, body: bytes, *, is_v2: bool) -> HttpReply:
        """The token endpoint."""
        request = TokenRequest(asked.tenant, _form(body), is_v2, asked.now)
        return _json(grant(self._parts, request))

    def authorize(self, asked: Asked, body: bytes, *, is_v2: bool) -> HttpReply:
        """The authorization endpoint: sends the browser back with a code, or shows the page for signing in first."""
        query = _form(body) if asked.request.method == "POST" else _form(asked.request.raw_query.encode())
        request = TokenRequest(asked.tenant, query, is_v2, asked.now)
        client, redirect = request.need("client_id"), request.need("redirect_uri")
        authorizing.check_redirect(redirect)
        mode = query.get("response_mode", "query")
        if mode not in authorizing.MODES:
            raise EntraError("response_mode_invalid")
        if self._settings.device_approval == "page" and query.get("approved") != "yes":
            return pages.sign_in(client, f"?{urlencode({**query, 'approved': 'yes'})}")
        told = self._authorized(request)
        if "state" in query:
            told["state"] = query["state"]
        if mode == "form_post":
            return pages.form_post(redirect, told)
        headers = [("location", authorizing.location(redirect, mode, told)), ("cache-control", "no-store")]
        return HttpReply(302, headers)

    def _authorized(self, request: TokenRequest) -> dict[str, str]:
        """What the app is told: a code, or what is wrong with what it asked for."""
        query = request.form
        if query.get("response_type") != "code":
            return _told(EntraError("response_type_unsupported"))
        scope = query.get("scope", "")
        if not request.is_v2 and "resource" in query:
            scope = f"{query['resource']}/.default"
        try:
            resource_of(scope)
            code = self._parts.codes.make(request.tenant, scope, query, request.now)
        except EntraError as error:
            return _told(error)
        return {"code": code, "session_state": code[:36]}

    def device_code(self, asked: Asked, body: bytes, *, is_v2: bool) -> HttpReply:
        """The device authorization endpoint."""
        form = _form(body)
        request = TokenRequest(asked.tenant, form, is_v2, asked.now)
        scope = form.get("scope", "") if is_v2 else f"{request.need('resource')}/.default"
        resource_of(scope)
        record = self._parts.devices.ask(asked.tenant, request.need("client_id"), scope, asked.now)
        page = f"{asked.origin}/devicelogin"
        seconds: int | str = CODE_SECONDS if is_v2 else str(CODE_SECONDS)
        return _json(
            {
                "user_code": record.user_code,
                "device_code": record.code,
                "verification_uri" if is_v2 else "verification_url": page,
                "expires_in": seconds,
                "interval": POLL_SECONDS if is_v2 else str(POLL_SECONDS),
                "message": f"To sign in, open the page {page} and enter the code {record.user_code}.",
            }
        )

    def device_page(self, asked: Asked, body: bytes) -> HttpReply:
        """The page at which a person enters a user code."""
        del body
        return pages.page(pages.ENTER, _form(asked.request.raw_query.encode()).get("otc", ""))

    def approve_device(self, asked: Asked, body: bytes) -> HttpReply:
        """What that page sends."""
        code = _form(body).get("otc", "")
        is_known = self._parts.devices.approve(code, asked.now)
        return pages.page(pages.APPROVED if is_known else pages.UNKNOWN, code)

    def local_token(self, asked: Asked, body: bytes) -> HttpReply:
        """A token without further ado, for command lines and tests; `lifetime` and `claims` may be anything."""
        form = _form(asked.request.raw_query.encode()) | _form(body)
        resource = form.get("resource") or resource_of(form.get("scope", f"{DEFAULT_RESOURCE}/.default"))[0]
        subject = Subject(tenant_id(form.get("tenant", DEFAULT_TENANT)), form.get("client_id", DEFAULT_CLIENT))
        seconds = _integer(form.get("lifetime", str(self._settings.token_seconds)))
        extra = _claims(form.get("claims", "{}"))
        token = self._issuer.access_token(subject, resource, asked.now, seconds=seconds, extra=extra)
        expires = asked.now // SECOND + seconds
        return _json({"token_type": "Bearer", "expires_in": seconds, "expires_on": expires, "access_token": token})

    def managed_identity(self, asked: Asked, body: bytes, *, answer: ManagedIdentityAnswer) -> HttpReply:
        """A token for what runs on a virtual machine or in App Service."""
        del body
        query = _form(asked.request.raw_query.encode())
        return _json(answer(self._issuer, asked.request.headers, query, asked.now, self._settings.token_seconds))

    def no_resources(self, asked: Asked, body: bytes) -> HttpReply:
        """The subscriptions or tenants of who has signed in, which command lines list then: there are none here."""
        del asked, body
        return _json({"value": []})

    def keys(self, asked: Asked, body: bytes) -> HttpReply:
        """The published keys."""
        del asked, body
        return _json({"keys": self.ring.published()})

    def rotated(self, asked: Asked, body: bytes) -> HttpReply:
        """A new key signs from now on."""
        del asked, body
        return _json({"kid": self.ring.signing_key()[0]}, 201)

    def configuration(self, asked: Asked, body: bytes, *, is_v2: bool) -> HttpReply:
        """The OpenID configuration of a tenant."""
        del body
        return _json(discovery.configuration(asked.origin, asked.named.get("tenant", "common"), is_v2=is_v2))

    def instance(self, asked: Asked, body: bytes) -> HttpReply:
        """Instance discovery."""
        del body
        endpoint = _form(asked.request.raw_query.encode()).get("authorization_endpoint", "")
        scheme, _, rest = endpoint.partition("://")
        host, _, path = rest.partition("/")
        origin = f"{scheme}://{host}" if scheme == "https" and host else asked.origin
        return _json(discovery.instance(origin, path.partition("/")[0] or "common"))

    def user_realm(self, asked: Asked, body: bytes) -> HttpReply:
        """Where a user signs in: here."""
        del asked, body
        return _json({"ver": "1.0", "account_type": "Managed", "cloud_instance_name": "microsoftonline.com"})


class KeyUse(Enum):
    """What an answer needs of the signing keys."""

    NONE = "nothing"
    SIGNS = "one to sign with, or to show"
    NEW = "a new one"


class Asked:
    """A request that found who answers it."""

    __slots__ = ("named", "now", "origin", "request")

    def __init__(self, request: HttpRequest, origin: str, named: Mapping[str, str], now: Instant) -> None:
        self.request = request
        self.origin = origin
        self.named = named
        self.now = now

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return tenant_id(self.named["tenant"])


class _Form:
    """Gathers a body (a `BodySink`)."""

    __slots__ = ("_answer", "_body", "_now", "_service", "_use")

    def __init__(self, service: EntraService, answer: Callable[[bytes], HttpReply], use: KeyUse, now: Instant) -> None:
        self._service = service
        self._answer = answer
        self._use = use
        self._now = now
        self._body = b""

    def write(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > BODY_BYTES_MAX:
            raise EntraError("too_large")

    def finish(self) -> HttpReply:
        return self._service.answer(partial(self._answer, self._body), self._use, self._now)

    def abandon(self) -> None:
        self._body = b""


class _Waiting:
    """A request that waits for the key."""

    __slots__ = ("_answer", "reply")

    def __init__(self, answer: Callable[[], HttpReply]) -> None:
        self._answer: Callable[[], HttpReply] | None = answer
        self.reply = LaterReply(self._forget)

    def ready(self) -> None:
        """The key is there, or could not be made."""
        if self._answer is not None:
            self.reply.answer(self._answer)

    def _forget(self) -> None:
        self._answer = None


def _stamp(now: Instant) -> str:
    """Return an instant as error replies have it: `2026-11-21 12:00:00Z`."""
    return datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _form(body: bytes) -> dict[str, str]:
    """Read `application/x-www-form-urlencoded`; of a name that repeats the first counts."""
    form: dict[str, str] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=64):
        form.setdefault(name, value)
    return form


def _told(error: EntraError) -> dict[str, str]:
    """What an app is told by way of the browser."""
    return {"error": error.row.error, "error_description": f"AADSTS{error.row.code}: {error.text}"}


def _integer(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 2**32
    if abs(number) > 10**9:
        raise EntraError("missing_parameter", "lifetime")
    return number


def _claims(text: str) -> dict[str, Any]:
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise EntraError("missing_parameter", "claims")
    return claims


def _json(body: Mapping[str, Any], status: int = 200) -> HttpReply:
    headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "no-store, no-cache"),
        ("pragma", "no-cache"),
    ]
    return HttpReply(status, headers, json.dumps(body).encode())


if TYPE_CHECKING:
    from typing import TypeAlias

    ManagedIdentityAnswer: TypeAlias = Callable[
        [Issuer, Mapping[str, str], Mapping[str, str], Instant, int], dict[str, str]
    ]
    Answer: TypeAlias = Callable[[EntraService, Asked, bytes], HttpReply]


def _at(path: str) -> re.Pattern[str]:
    """Compile an address with holes."""
    pattern = re.escape(path).replace(re.escape("/{tenant}"), _TENANT).replace(re.escape("{user}"), "[^/]{1,256}")
    return re.compile(pattern)


_NONE, _SIGNS, _NEW = KeyUse
_CONFIGURATION_V2 = partial(EntraService.configuration, is_v2=True)

ROUTES: tuple[tuple[str, re.Pattern[str], Answer, KeyUse], ...] = (
    ("POST", _at("/{tenant}/oauth2/v2.0/token"), partial(EntraService.token, is_v2=True), _SIGNS),
    ("POST", _at("/{tenant}/oauth2/token"), partial(EntraService.token, is_v2=False), _SIGNS),
    ("GET", _at("/{tenant}/oauth2/v2.0/authorize"), partial(EntraService.authorize, is_v2=True), _NONE),
    ("POST", _at("/{tenant}/oauth2/v2.0/authorize"), partial(EntraService.authorize, is_v2=True), _NONE),
    ("GET", _at("/{tenant}/oauth2/authorize"), partial(EntraService.authorize, is_v2=False), _NONE),
    ("POST", _at("/{tenant}/oauth2/v2.0/devicecode"), partial(EntraService.device_code, is_v2=True), _NONE),
    ("POST", _at("/{tenant}/oauth2/devicecode"), partial(EntraService.device_code, is_v2=False), _NONE),
    ("GET", _at("/{tenant}/v2.0/.well-known/openid-configuration"), _CONFIGURATION_V2, _NONE),
    ("GET", _at("/{tenant}/.well-known/openid-configuration"), partial(EntraService.configuration, is_v2=False), _NONE),
    ("GET", _at("/.well-known/openid-configuration"), _CONFIGURATION_V2, _NONE),
    ("GET", _at("/{tenant}/discovery/v2.0/keys"), EntraService.keys, _SIGNS),
    ("GET", _at("/{tenant}/discovery/keys"), EntraService.keys, _SIGNS),
    ("GET", _at("/{tenant}/discovery/instance"), EntraService.instance, _NONE),
    ("GET", _at("/{tenant}/userrealm/{user}"), EntraService.user_realm, _NONE),
    ("GET", _at("/devicelogin"), EntraService.device_page, _NONE),
    ("POST", _at("/devicelogin"), EntraService.approve_device, _NONE),
    ("GET", _at("/subscriptions"), EntraService.no_resources, _NONE),
    ("GET", _at("/tenants"), EntraService.no_resources, _NONE),
    ("GET", _at(IMDS_PATH), partial(EntraService.managed_identity, answer=imds_token), _SIGNS),
    ("GET", _at(APP_SERVICE_PATH), partial(EntraService.managed_identity, answer=app_service_token), _SIGNS),
    ("GET", _at("/.localzure/oauth/token"), EntraService.local_token, _SIGNS),
    ("POST", _at("/.localzure/oauth/token"), EntraService.local_token, _SIGNS),
    ("GET", _at("/.localzure/oauth/keys"), EntraService.keys, _SIGNS),
    ("POST", _at("/.localzure/oauth/keys"), EntraService.rotated, _NEW),
)
"""(method, address, what answers it, what that needs of the signing keys)."""


def answers(path: str) -> bool:
    """Whether a path, as sent, is one of the authority's, whatever the method."""
    decoded = unquote(path)
    return any(pattern.fullmatch(decoded) for _, pattern, *_ in ROUTES) or bool(_NOT_BUILT.fullmatch(decoded))

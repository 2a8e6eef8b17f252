"""Which service answers an HTTP request: LocalZure's own API, or what the gateway decides."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from localzure.gateway.address import resolve
from localzure.server.gates import Refusing, busy
from localzure.server.own_api.routes import NoServiceError, OwnApiError
from localzure.services.entra.service import answers as is_entra
from localzure.services.interface import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from localzure.config.settings import Listener, NamedHost
    from localzure.server.gates import Gates
    from localzure.server.own_api.service import OwnApi
    from localzure.services.interface import HttpReply, HttpRequest, HttpService, ServiceError
    from localzure_storage.store import StorageError

_NOBODY: Mapping[str, str] = MappingProxyType({})

_OWN = Address("", secondary=False, path="", base_url="")


class Router:
    """Routes requests to HTTP services by listener, host and path."""

    def __init__(
        self,
        services: Mapping[str, HttpService],
        own_api: OwnApi,
        gates: Gates,
        hosts: Mapping[str, NamedHost],
        use_account: Callable[[str], None],
        resting: Mapping[str, str] = _NOBODY,
        plugins: Container[str] = (),
    ) -> None:
        """`services` are those that run, by name; `hosts` are the host names of the configuration.

        `resting` has those that are not to be asked now, with their state; `plugins` are those that are not ours.
        `use_account` is told each storage account that is asked for, before its service is.
        """
        self._use_account = use_account
        self._services = services
        self._own_api = own_api
        self._gates = gates
        self._hosts = hosts
        self._resting = resting
        self._plugins = plugins

    def route(self, request: HttpRequest, listener: Listener) -> tuple[HttpService, Address]:
        """Return who answers `request`, and for which account. Raises ServiceError."""
        if self._own_api.answers(request):
            request.service = "localzure"
            return self._own_api, _OWN
        service, address = resolve(listener.service, request, self._hosts, self._plugins)
        if (service is None or request.raw_path.startswith("/.")) and is_entra(request.raw_path):
            # No account has a name that begins with a dot, and the gateway's other paths begin with a service's name.
            service, address = "entra", Address("", False, request.raw_path[1:], f"{request.scheme}://{request.host}")
        if service is None:
            raise NoServiceError("The request names no service: send it to a service's own port, or below /blob/.")
        if service in self._resting:
            return self._refusing(service, request), address
        answering = self._services.get(service)
        if answering is None:
            raise NoServiceError(f"The service {service} has no HTTP interface here, or is switched off.")
        request.service = service
        if service != "entra":
            self._use_account(address.account)
            answering = self._gates.before(service, answering, request, address)
        return answering, address

    def _refusing(self, service: str, request: HttpRequest) -> HttpService:
        """Who answers for a service that does not run now: in its own words, where it has said any."""
        answering = self._services.get(service)
        if answering is None:
            raise OwnApiError(503, "ServiceUnavailable", f"The service {service} is {self._resting[service]}.")
        request.service = service
        return Refusing(answering, busy(service, 1))

    def refuse(
        self, service: HttpService | None, request: HttpRequest, error: ServiceError | StorageError | None
    ) -> HttpReply:
        """Render an error by the service that raised it, or in LocalZure's own shape where none was found."""
        return (service or self._own_api).refuse(request, error)

"""What stands between the router and a service: limits on rates, faults, and a circuit breaker, in this order.

Each is off by default, and then a request passes without a look. A gate that has something to say puts a service of
its own before the one that would answer.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from localzure.gateway.address import STORAGE_SERVICES
from localzure.observing.metrics import FAILED_STATUS_MIN
from localzure.plugins.errors import PluginError
from localzure.services.interface import ServiceError
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.storage_rest.errors import StorageRestError
from localzure.throttling.breaker import BreakerState, CircuitBreaker
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.observing.metrics import Metrics
    from localzure.server.http_faults import HttpFaults
    from localzure.services.interface import Address, BodySink, HttpReply, HttpRequest, HttpService
    from localzure.throttling.breaker import BreakerRules
    from localzure.throttling.limits import Limits

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Gates:
    """The gates of all services."""

    def __init__(
        self,
        faults: HttpFaults,
        limits: Limits,
        breakers: BreakerRules,
        monotonic: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        """Counts in `metrics` what was refused."""
        self._faults = faults
        self._limits = limits
        self._rules = breakers
        self._monotonic = monotonic
        self._metrics = metrics
        self._breakers: dict[str, CircuitBreaker] = {}

    def before(self, name: str, service: HttpService, request: HttpRequest, address: Address) -> HttpService:
        """Return who answers a request for `service`. Raises ServiceError."""
        if self._limits.limits and (wait := self._limits.draw(name, address.account, request.peer)):
            self._metrics.limited[name] += 1
            return Refusing(service, busy(name, wait))
        if self._faults.concern(request):
            service = self._faults.before(name, service, request, address)
        if self._rules.enabled:
            service = self._watched(name, service)
        return service

    def _watched(self, name: str, service: HttpService) -> HttpService:
        breaker = self._breakers.get(name)
        if breaker is None:
            tell = partial(self._turned, name)
            self._metrics.breaker_states[name] = BreakerState.CLOSED.value
            breaker = self._breakers[name] = CircuitBreaker(self._rules, self._monotonic, tell)
        wait = breaker.admit()
        return Refusing(service, busy(name, wait)) if wait else _Watched(service, breaker)

    def _turned(self, name: str, before: BreakerState, after: BreakerState) -> None:
        self._metrics.breaker_states[name] = after.value
        self._metrics.breaker_turns[name, before.value, after.value] += 1
        _log.warning("the circuit breaker of %s is %s (was %s)", name, after.value, before.value)


def busy(name: str, seconds: float) -> ServiceError:
    """What a service answers when it is asked too much, or cannot be asked; to be tried again in so many seconds."""
    headers = (("retry-after", str(math.ceil(seconds))),)
    if name not in STORAGE_SERVICES and name != "servicebus":
        return PluginError(503, "ServerBusy", "The server is busy. Try again later.", headers)
    if name == "servicebus":
        return AdminError(503, "The server is busy. Please retry the operation.", 50009, headers)
    return StorageRestError("ServerBusy", headers=headers)


class Refusing:
    """Refuses one request in the name of a service (an `HttpService`)."""

    def __init__(self, service: HttpService, error: ServiceError) -> None:
        """Made for one request."""
        self._error = error
        self.refuse, self.operation_name = service.refuse, service.operation_name

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """See `HttpService.accept`."""
        del request, address
        raise self._error


class _Watched:
    """Lets one request through, and tells the breaker how it ended (an `HttpService` and its `BodySink`)."""

    def __init__(self, service: HttpService, breaker: CircuitBreaker) -> None:
        self._service = service
        self._breaker = breaker
        self._sink: BodySink | None = None
        self.refuse, self.operation_name = service.refuse, service.operation_name

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        self._sink = self._step(lambda: self._service.accept(request, address))
        return self

    def write(self, data: bytes) -> None:
        sink = self._accepted()
        self._step(lambda: sink.write(data))

    def finish(self) -> HttpReply:
        reply = self._step(self._accepted().finish)
        self._breaker.succeeded()
        return reply

    def abandon(self) -> None:
        self._breaker.left()
        self._accepted().abandon()

    def _accepted(self) -> BodySink:
        assert self._sink is not None, "a body follows its head"
        return self._sink

    def _step(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except (ServiceError, StorageError) as error:
            is_ours = isinstance(error, StorageError) or getattr(error, "status", 0) >= FAILED_STATUS_MIN
            (self._breaker.failed if is_ours else self._breaker.succeeded)()
            raise
        except Exception:
            self._breaker.failed()
            raise

"""What a plugin is: its description, what it gets from the server, and what the server asks of it.

The rules of `localzure.services.interface` hold for plugins too: a handler never waits, and nothing outside the store
moves before the commit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from localzure.plugins.errors import PluginError, refusal
from localzure.plugins.operations import Operation, OperationBody, PluginCall, find_operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure.services.interface import (
        Address,
        Alarm,
        BodySink,
        Clock,
        Entropy,
        HttpReply,
        HttpRequest,
        ServiceError,
        Transactions,
    )
    from localzure_storage.keys import Subspace
    from localzure_storage.store import StorageError


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """What a service says of itself, before it is started."""

    name: str
    """That of its entry point: small letters, digits and hyphens. The gateway has the service at `/{name}/`."""
    version: str
    description: str = ""
    dependencies: tuple[str, ...] = ()
    """Names of the services that must run before it: built-in ones and other plugins."""
    port: int | None = None
    """Its own port, which the configuration may change; 0 is an ephemeral one, None is no port but the gateway's."""
    enabled: bool = True
    """Whether it runs where the configuration does not say."""


class ServiceHealth(NamedTuple):
    """How a running service is."""

    is_healthy: bool = True
    detail: str = ""
    """One line for people; empty where there is nothing to say."""


@dataclass(slots=True)
class PluginContext:
    """What a plugin gets when it is started."""

    transactions: Transactions
    clock: Clock
    entropy: Entropy
    alarm: Alarm
    """`expire` is called when it goes off; it goes by the virtual clock."""
    space: Subspace
    """The plugin's own part of the store. A reset gives it another one: ask for it anew, do not keep it."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What the configuration has for the plugin, below `plugins.options.{name}`."""


class LocalZureService(ABC):
    """A service. An object of it is made for each start, without arguments."""

    @classmethod
    @abstractmethod
    def get_metadata(cls) -> ServiceMetadata:
        """What the service says of itself."""

    @abstractmethod
    def start(self, context: PluginContext) -> None:
        """Get ready to serve. Whatever it raises makes the service `failed`; the others go on."""

    def stop(self) -> None:  # noqa: B027 - not every service has something to let go of
        """Nothing is asked any more: let go of everything. The last writes may be done here."""

    def reset(self) -> None:  # noqa: B027 - not every service mirrors its content in memory
        """All content is gone, and `context.space` is another, empty one: forget what memory has of it."""

    def expire(self) -> None:  # noqa: B027 - not every service has deadlines
        """The alarm has gone off: do what is due, and set the next one."""

    def health(self) -> ServiceHealth:
        """How the service is. Asked for by every health probe: must be quick."""
        return ServiceHealth()

    def operations(self) -> Sequence[Operation]:
        """What the service can do over HTTP, where `accept` is not its own."""
        return ()

    # The face of `HttpService`: a plugin that streams bodies, or routes by itself, has its own `accept`.

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """See `HttpService.accept`; `address.path` is what follows the service's name, without a leading slash."""
        operation, names = find_operation(self.operations(), request.method, address.path)
        request.operation = operation.name
        return OperationBody(operation, PluginCall(request, names))

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`: JSON, `{"error": {"code", "message"}}`."""
        return refusal(request, error)

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        try:
            return find_operation(self.operations(), request.method, address.path)[0].name
        except PluginError:
            return ""

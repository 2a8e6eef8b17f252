"""What Service Bus is configured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.services.servicebus.access import AccessKey
from localzure.services.servicebus.engine.counts import Counts

if TYPE_CHECKING:
    from localzure.auth.tokens import TokenVerifier
    from localzure.config.settings import AuthLevel
    from localzure.rbac.assignments import RoleAssignments
    from localzure.services.servicebus.engine.quotas import Quotas

DEFAULT_KEY = AccessKey("RootManageSharedAccessKey", "SAS_KEY_VALUE")
"""What every connection string for Microsoft's emulator carries."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What the price tier of a namespace decides."""

    sku: str
    """Azure's name."""
    message_kilobytes: tuple[int, int]
    """The size limit of messages that an entity has by default, and the largest (Azure's quotas)."""
    messaging_units: int | None = None
    """What a premium namespace is made of, for which the SDK for JavaScript wants a number; others have none."""


TIERS = {"standard": Tier("Standard", (256, 256)), "premium": Tier("Premium", (1024, 102_400), messaging_units=1)}
"""By name."""


@dataclass(frozen=True, slots=True)
class ServiceBusSettings:
    """Given by whoever builds the service."""

    auth: AuthLevel = "verify"
    keys: tuple[AccessKey, ...] = (DEFAULT_KEY,)
    tokens: TokenVerifier | None = None
    """Checks the tokens of the authority; without it none is good at `verify`."""
    quotas: Quotas | None = None
    """Limits on what the namespace holds, and on its connections; None for none."""
    tier: Tier = TIERS["standard"]
    roles: RoleAssignments | None = None
    """What identities may do; None where they may do everything."""
    namespace: str | None = None
    """What the namespace is called in the scopes of roles; None for any name."""
    counts: Counts = field(default_factory=Counts)
    """Where it is counted what is done with messages; several namespaces may share one."""

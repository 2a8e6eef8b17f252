"""The calls that arm and disarm fault rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from localzure.faults.injector import TooManyRulesError
from localzure.faults.rules import FaultRule
from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route

if TYPE_CHECKING:
    from localzure.faults.injector import ArmedRule, Injector
    from localzure.server.own_api.routes import OwnCall


class FaultCalls:
    """The calls about faults."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "faults", self._list),
            Route("POST", "faults", self._arm),
            Route("DELETE", "faults", self._disarm_all),
            Route("GET", "faults/{id}", self._show),
            Route("DELETE", "faults/{id}", self._disarm),
        ]

    def _list(self, _call: OwnCall) -> dict[str, object]:
        return {"faults": [_told(armed) for armed in self._injector.armed]}

    def _arm(self, call: OwnCall) -> dict[str, object]:
        """Arm one rule, or a list of them: all, or none where one is wrong."""
        try:
            rules = msgspec.json.decode(call.body, type=FaultRule | list[FaultRule])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidCallError(f"The body of the call is no fault rule: {error}.") from error
        wanted = rules if isinstance(rules, list) else [rules]
        armed: list[ArmedRule] = []
        try:
            armed.extend(self._injector.arm(rule) for rule in wanted)
        except TooManyRulesError as error:
            for made in armed:
                self._injector.disarm(made.id)
            raise OwnApiError(409, "TooManyRules", f"{error}.") from error
        return {"faults": [_told(made) for made in armed]}

    def _disarm_all(self, _call: OwnCall) -> None:
        self._injector.disarm()

    def _show(self, call: OwnCall) -> dict[str, object]:
        for armed in self._injector.armed:
            if armed.id == call.names["id"]:
                return _told(armed)
        raise _unknown(call.names["id"])

    def _disarm(self, call: OwnCall) -> None:
        if not self._injector.disarm(call.names["id"]):
            raise _unknown(call.names["id"])


def _told(armed: ArmedRule) -> dict[str, Any]:
    return {"id": armed.id, "seen": armed.seen, "hits": armed.hits, "rule": msgspec.to_builtins(armed.rule)}


def _unknown(rule_id: str) -> OwnApiError:
    return OwnApiError(404, "NotFound", f"No fault rule has the id {rule_id!r}.")

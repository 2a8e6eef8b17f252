"""What the administration API refuses: HTTP status, Azure's finer code and its words.

The body is `<Error><Code>409</Code><Detail>SubCode=40900. … TrackingId:…</Detail></Error>`.
Clients choose their exception by the status; .NET and JavaScript look for the finer code in the text as well.
"""

from __future__ import annotations

from localzure.services.interface import ServiceError
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_storage.store import StorageError, StoreFullError

MORE = " To know more visit https://aka.ms/sbResourceMgrExceptions."
"""What Azure ends most of its texts with."""


class AdminError(ServiceError):
    """One refusal."""

    def __init__(
        self, status: int, detail: str, sub_code: int | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """`sub_code` is Azure's finer code; by default the status with two noughts behind it."""
        self.status = status
        self.sub_code = status * 100 if sub_code is None else sub_code
        self.detail = detail
        self.headers = headers
        super().__init__(detail)


def bad_request(detail: str) -> AdminError:
    """The request says something that cannot be done."""
    return AdminError(400, f"{detail}{MORE}")


def conflict() -> AdminError:
    """The entity exists already."""
    return AdminError(
        409, f"Conflict. You're requesting an operation that isn't allowed in the resource's current state.{MORE}"
    )


def not_found(path: str) -> AdminError:
    """There is no such entity."""
    return AdminError(404, f"Not Found. The messaging entity '{path}' could not be found.{MORE}")


def unauthorized(operation: str, uri: str) -> AdminError:
    """The client may not do this."""
    return AdminError(401, f"Unauthorized : Unauthorized access for '{operation}' operation on endpoint '{uri}'.")


def describe(error: ServiceError | StorageError | None) -> AdminError:
    """Any failure as this API tells it; None is an unknown one."""
    if isinstance(error, AdminError):
        return error
    if isinstance(error, ServiceBusError):
        if error.code is ErrorCode.ENTITY_EXISTS:
            return conflict()
        return AdminError(error.status, error.text)
    if isinstance(error, StoreFullError):
        return AdminError(403, f"The server has no room left to store this: {error}.")
    return AdminError(500, "The server was unable to process the request; please retry the operation.")

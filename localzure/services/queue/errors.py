"""The errors of the Queue service: code → HTTP status and message ("Queue Storage error codes").

Where Azure's own texts differ from its documentation, they stand here: clients match on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localzure.services.storage_rest.errors import COMMON_ERRORS, ErrorRow, StorageRestError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_ERRORS: Mapping[str, ErrorRow] = {
    **COMMON_ERRORS,
    "InvalidMarker": ErrorRow(400, "The specified marker is invalid."),
    "InvalidResourceName": ErrorRow(400, "The specifed resource name contains invalid characters."),
    "MessageNotFound": ErrorRow(404, "The specified message does not exist."),
    "MissingRequiredXmlNode": ErrorRow(400, "A required XML node was not specified in the request body."),
    "OutOfRangeInput": ErrorRow(400, "The specified resource name length is not within the permissible limits."),
    "PopReceiptMismatch": ErrorRow(
        400, "The specified pop receipt did not match the pop receipt for a dequeued message."
    ),
    "QueueAlreadyExists": ErrorRow(409, "The specified queue already exists."),
    "QueueNotFound": ErrorRow(404, "The specified queue does not exist."),
}
"""Everything that the Queue service may answer."""


class QueueError(StorageRestError):
    """An outcome that Azure documents for the Queue service."""

    rows: ClassVar[Mapping[str, ErrorRow]] = QUEUE_ERRORS

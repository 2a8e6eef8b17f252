"""The errors of the Blob service: code → HTTP status and message ("Blob Storage error codes")."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localzure.services.storage_rest.errors import COMMON_ERRORS, ErrorRow, StorageRestError

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOB_ERRORS: Mapping[str, ErrorRow] = {
    **COMMON_ERRORS,
    "BlobAlreadyExists": ErrorRow(409, "The specified blob already exists."),
    "BlobArchived": ErrorRow(409, "This operation is not permitted on an archived blob."),
    "BlobNotFound": ErrorRow(404, "The specified blob does not exist."),
    "BlockCountExceedsLimit": ErrorRow(
        409, "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks."
    ),
    "BlockListTooLong": ErrorRow(400, "The block list may not contain more than 50,000 blocks."),
    "ContainerAlreadyExists": ErrorRow(409, "The specified container already exists."),
    "ContainerNotFound": ErrorRow(404, "The specified container does not exist."),
    "InvalidBlobOrBlock": ErrorRow(400, "The specified blob or block content is invalid."),
    "InvalidBlockId": ErrorRow(400, "The specified block ID is invalid. The block ID must be Base64-encoded."),
    "InvalidBlockList": ErrorRow(400, "The specified block list is invalid."),
    "InvalidRange": ErrorRow(416, "The range specified is invalid for the current size of the resource."),
    "LeaseNotPresentWithBlobOperation": ErrorRow(412, "There is currently no lease on the blob."),
    "LeaseNotPresentWithContainerOperation": ErrorRow(412, "There is currently no lease on the container."),
}
"""Everything that the Blob service may answer."""


class BlobError(StorageRestError):
    """An outcome that Azure documents for the Blob service."""

    rows: ClassVar[Mapping[str, ErrorRow]] = BLOB_ERRORS

"""The errors of the Blob service: code → HTTP status and message ("Blob Storage error codes")."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localzure.services.storage_rest.errors import COMMON_ERRORS, ErrorRow, StorageRestError

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOB_ERRORS: Mapping[str, ErrorRow] = {
    **COMMON_ERRORS,
    "AppendPositionConditionNotMet": ErrorRow(412, "The append position condition specified was not met."),
    "BlobAlreadyExists": ErrorRow(409, "The specified blob already exists."),
    "BlobArchived": ErrorRow(409, "This operation is not permitted on an archived blob."),
    "BlobBeingRehydrated": ErrorRow(409, "This operation is not permitted because the blob is being rehydrated."),
    "BlobCustomerSpecifiedEncryptionMismatch": ErrorRow(
        409, "The given customer specified encryption does not match the encryption used to encrypt the blob."
    ),
    "BlobDoesNotUseCustomerSpecifiedEncryption": ErrorRow(
        409, "The blob is not encrypted with customer specified encryption, but it was provided in the request."
    ),
    "BlobImmutableDueToLegalHold": ErrorRow(
        409, "This operation is not permitted as the blob is immutable due to one or more legal holds."
    ),
    "BlobImmutableDueToPolicy": ErrorRow(
        409, "This operation is not permitted as the blob is immutable due to a policy."
    ),
    "BlobIsSealed": ErrorRow(
        409,
        "The specified blob is sealed and its contents can't be modified unless the blob is re-created after a delete.",
    ),
    "BlobNotArchived": ErrorRow(409, "This operation is not permitted because the blob is not archived."),
    "BlobNotFound": ErrorRow(404, "The specified blob does not exist."),
    "BlobOverwritten": ErrorRow(409, "The blob has been recreated since the previous snapshot was taken."),
    "BlobTierInadequateForContentLength": ErrorRow(
        409, "Specified blob tier size limit cannot be less than content length."
    ),
    "BlobTypeNotSupported": ErrorRow(400, "Page blob is not supported for this account type."),
    "BlobUsesCustomerSpecifiedEncryption": ErrorRow(
        409, "The blob is encrypted with customer specified encryption, but it was not provided in the request."
    ),
    "BlockCountExceedsLimit": ErrorRow(
        409, "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks."
    ),
    "BlockListTooLong": ErrorRow(400, "The block list may not contain more than 50,000 blocks."),
    "BothCrc64AndMd5HeaderPresent": ErrorRow(400, "Both x-ms-content-crc64 header and Content-MD5 header are present."),
    "BothCrc64AndMd5RangeHeaderPresent": ErrorRow(
        400, "Both x-ms-range-get-content-crc64 header and x-ms-range-get-content-md5 header are present."
    ),
    "BothCrc64AndMsMd5HeaderPresent": ErrorRow(
        400, "Both x-ms-content-crc64 header and x-ms-blob-content-md5 header are present."
    ),
    "CannotVerifyCopySource": ErrorRow(403, "Could not verify the copy source within the specified time."),
    "ContainerAlreadyExists": ErrorRow(409, "The specified container already exists."),
    "ContainerBeingDeleted": ErrorRow(409, "The specified container is being deleted. Try operation later."),
    "ContainerNotFound": ErrorRow(404, "The specified container does not exist."),
    "CopyIdMismatch": ErrorRow(409, "The specified copy ID did not match the copy ID for the pending copy operation."),
    "Crc64Mismatch": ErrorRow(
        400, "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server."
    ),
    "EmptyTagName": ErrorRow(400, "The name of one of the tag key-value pairs is empty."),
    "ExceedsMaxBatchRequestCount": ErrorRow(400, "The batch operation exceeds maximum number of allowed subrequests."),
    "IncrementalCopyBlobMismatch": ErrorRow(
        409, "The specified source blob is different than the copy source of the existing incremental copy blob."
    ),
    "IncrementalCopyOfEarlierSnapshotNotAllowed": ErrorRow(
        409, "The specified snapshot is earlier than the last snapshot copied into the incremental copy blob."
    ),
    "IncrementalCopySourceMustBeSnapshot": ErrorRow(409, "The source for incremental copy request must be a snapshot."),
    "InvalidBlobOrBlock": ErrorRow(400, "The specified blob or block content is invalid."),
    "InvalidBlobTier": ErrorRow(400, "The specified blob tier is invalid."),
    "InvalidBlobType": ErrorRow(409, "The blob type is invalid for this operation."),
    "InvalidBlockId": ErrorRow(400, "The specified block ID is invalid. The block ID must be Base64-encoded."),
    "InvalidBlockList": ErrorRow(400, "The specified block list is invalid."),
    "InvalidOperation": ErrorRow(400, "The operation is not valid on this resource."),
    "InvalidPageRange": ErrorRow(416, "The page range specified is invalid."),
    "InvalidRange": ErrorRow(416, "The range specified is invalid for the current size of the resource."),
    "InvalidResourceType": ErrorRow(400, "The value of the resource type is invalid."),
    "InvalidSourceBlobType": ErrorRow(409, "The copy source blob type is invalid for this operation."),
    "InvalidSourceBlobUrl": ErrorRow(
        409, "The source URL for incremental copy request must be valid Azure Storage blob URL."
    ),
    "InvalidTag": ErrorRow(400, "The tags specified are invalid. They contain characters that are not permitted."),
    "InvalidVersionForPageBlobOperation": ErrorRow(
        409, "All operations on page blobs require at least version 2009-09-19."
    ),
    "LeaseAlreadyBroken": ErrorRow(409, "The lease has already been broken and cannot be broken again."),
    "LeaseAlreadyPresent": ErrorRow(409, "There is already a lease present."),
    "LeaseIdMismatchWithBlobOperation": ErrorRow(
        412, "The lease ID specified did not match the lease ID for the blob."
    ),
    "LeaseIdMismatchWithContainerOperation": ErrorRow(
        412, "The lease ID specified did not match the lease ID for the container."
    ),
    "LeaseIdMismatchWithLeaseOperation": ErrorRow(
        409, "The lease ID specified did not match the lease ID for the blob/container."
    ),
    "LeaseIdMissing": ErrorRow(
        412, "There is currently a lease on the blob/container and no lease ID was specified in the request."
    ),
    "LeaseIsBreakingAndCannotBeAcquired": ErrorRow(
        409, "There is already a breaking lease, and it cannot be acquired until broken."
    ),
    "LeaseIsBreakingAndCannotBeChanged": ErrorRow(
        409, "The lease ID matched, but the lease is currently in breaking state and cannot be changed."
    ),
    "LeaseIsBrokenAndCannotBeRenewed": ErrorRow(
        409, "The lease ID matched, but the lease has been broken explicitly and cannot be renewed."
    ),
    "LeaseLost": ErrorRow(412, "A lease ID was specified, but the lease for the blob/container has expired."),
    "LeaseNotPresentWithBlobOperation": ErrorRow(412, "There is currently no lease on the blob."),
    "LeaseNotPresentWithContainerOperation": ErrorRow(412, "There is currently no lease on the container."),
    "LeaseNotPresentWithLeaseOperation": ErrorRow(409, "There is currently no lease on the blob/container."),
    "MaxBlobSizeConditionNotMet": ErrorRow(412, "The max blob size condition specified was not met."),
    "NoPendingCopyOperation": ErrorRow(409, "There is currently no pending copy operation."),
    "OperationNotAllowedOnRootBlob": ErrorRow(403, "This operation is not permitted on the current version of a blob."),
    "PendingCopyOperation": ErrorRow(409, "There is currently a pending copy operation."),
    "PreviousSnapshotCannotBeNewer": ErrorRow(
        400, "The prevsnapshot query parameter value cannot be newer than snapshot query parameter value."
    ),
    "PreviousSnapshotNotFound": ErrorRow(409, "The previous snapshot is not found."),
    "RequestForbiddenByContainerEncryptionPolicy": ErrorRow(
        403, "The request is forbidden by the container encryption policy."
    ),
    "SequenceNumberConditionNotMet": ErrorRow(412, "The sequence number condition specified was not met."),
    "SequenceNumberIncrementTooLarge": ErrorRow(
        409,
        "The sequence number increment cannot be performed because it would result in overflow of the sequence number.",
    ),
    "SnapshotsPresent": ErrorRow(409, "This operation is not permitted because the blob has snapshots."),
    "SourceConditionNotMet": ErrorRow(
        412, "The source condition specified using HTTP conditional header(s) is not met."
    ),
    "SystemInUse": ErrorRow(409, "This blob is in use by the system."),
    "TagsTooLarge": ErrorRow(400, "The tags specified exceed the maximum permissible limit."),
    "UnauthorizedBlobOverwrite": ErrorRow(403, "This request is not authorized to perform blob overwrites."),
    "WebContentNotFound": ErrorRow(404, "The requested content does not exist."),
    "UnsupportedHeader": ErrorRow(400, "One of the HTTP headers specified in the request is not supported."),
}
"""Everything that the Blob service may answer."""


class BlobError(StorageRestError):
    """An outcome that Azure documents for the Blob service."""

    rows: ClassVar[Mapping[str, ErrorRow]] = BLOB_ERRORS

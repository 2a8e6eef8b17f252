"""Azure Blob Storage."""

from localzure.services.blob.http import BlobService, BlobSettings

__all__ = ["BlobService", "BlobSettings"]

"""Azure Blob Storage."""

from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.blob.http import BlobService, BlobSettings

__all__ = ["AccountFeatures", "BlobService", "BlobSettings"]

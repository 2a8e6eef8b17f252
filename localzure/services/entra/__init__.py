"""A mock Entra ID: issues tokens for any tenant and client, signed with a key of its own."""

from localzure.services.entra.model import EntraSettings
from localzure.services.entra.service import EntraService

__all__ = ["EntraService", "EntraSettings"]

"""Azure Queue Storage."""

from localzure.services.queue.http import QueueService, QueueSettings

__all__ = ["QueueService", "QueueSettings"]

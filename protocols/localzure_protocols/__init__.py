"""Wire protocols without IO: bytes in, events out, bytes back. Knows nothing of Azure, storage or clocks."""

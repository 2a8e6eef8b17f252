"""What LMDB's errors mean to the store's callers: the one place where they are translated."""

from __future__ import annotations

import errno

import lmdb

from localzure_storage.store import StorageError, StoreFullError

_FULL = (lmdb.MapFullError, lmdb.TxnFullError)
_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def storage_error(error: lmdb.Error | OSError) -> StorageError:
    """Return the error that callers get for one of LMDB's or the system's."""
    code, reason = (error.errno, error.strerror or error) if isinstance(error, OSError) else (error.code, error.reason)
    if isinstance(error, _FULL) or code in _FULL_ERRNOS:
        return StoreFullError(f"the store has no room left: {reason}")
    return StorageError(f"the store failed: {error}")


def is_io_error(error: lmdb.Error) -> bool:
    """Tell whether a commit failed with the error that LMDB also reports for a write that a full disk cut short."""
    return error.code == errno.EIO

"""What shared access signatures may do in the Blob service: what each operation needs, from its row in the table.

"Create an account SAS" and "Create a service SAS", permissions by operation. Signatures of one container, directory or
blob never reach the service itself, and of a container's own operations only those that read what is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.permissions import ANYTHING, Needs, any_of, authorise, stored_policy
from localzure.auth.principal import AuthenticationError
from localzure.services.blob.engine import blobs, containers
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import OnBlob
from localzure.services.blob.operations import OPERATIONS

if TYPE_CHECKING:
    from localzure.auth.permissions import StoredPolicy
    from localzure.auth.sas_token import SasToken
    from localzure.services.blob.call import Call
    from localzure.services.blob.operations import Operation
    from localzure.services.interface import BodySink, HttpReply

ANY_PERMISSION = "rwdlacup"
"""How the table writes that every signature will do."""

READS_WITHIN = frozenset({"l", "f"})
"""What a signature of one container may do with the container itself: list and find what is in it."""

ALSO_BY_DELETE = frozenset({"Blob_BreakLease", "Container_BreakLease"})
"""What whoever may delete may do too."""

OVERWRITES = frozenset(
    {
        "AppendBlob_Create",
        "Blob_CopyFromURL",
        "Blob_StartCopyFromURL",
        "BlockBlob_CommitBlockList",
        "BlockBlob_PutBlobFromUrl",
        "BlockBlob_Upload",
        "PageBlob_Create",
    }
)
"""Operations that create what is not there and overwrite what is: to create is not enough for the second."""

OVERRIDDEN = frozenset({"Blob_Download", "Blob_GetProperties"})
"""Operations whose replies get the headers that a signature gives."""

ENCRYPTION_SCOPE = "x-ms-encryption-scope"
"""A signature with `ses` writes within that scope, as if the request had this header."""

_TYPES = {"service": "s", "container": "c", "blob": "o"}


def needs_of(operation: Operation) -> Needs:
    """Return what an operation needs."""
    if operation.permission == ANY_PERMISSION:
        return Needs("", ANYTHING, () if operation.resource == "service" else ANYTHING)
    letters = operation.permission + ("d" if operation.name in ALSO_BY_DELETE else "")
    wanted = any_of(letters)
    is_within = operation.resource == "blob" or operation.permission in READS_WITHIN
    return Needs(_TYPES[operation.resource], wanted, wanted if is_within and operation.resource != "service" else ())


NEEDS = {operation.name: needs_of(operation) for operation in OPERATIONS}
"""What each operation needs, by its name."""

_DELETE_VERSION = Needs("o", any_of("x"), any_of("x"))
_DELETE_FOR_GOOD = Needs("o", any_of("y"), any_of("y"))


def check(call: Call, token: SasToken) -> frozenset[str]:
    """Return the permissions that a signature gives to a call. Raises AuthenticationError where it is not enough."""
    operation = call.operation
    needs = NEEDS[operation.name]
    if operation.name == "Blob_Delete":
        if call.query.get("deletetype", "").lower() == "permanent":
            needs = _DELETE_FOR_GOOD
        elif "versionid" in call.query:
            needs = _DELETE_VERSION
    permissions = authorise(token, needs, call.parts.clock.wall(), lambda name: _find_policy(call, name))
    headers = call.request.headers
    if ("x-ms-tags" in headers or "x-ms-if-tags" in headers) and "t" not in permissions:
        raise AuthenticationError("AuthorizationPermissionMismatch")
    return permissions


def adopt(call: Call, token: SasToken) -> None:
    """Take over the encryption scope that a signature gives to what it writes. Raises BlobError for another one."""
    scope = token.get("ses")
    if scope and call.request.method == "PUT":
        given = call.request.headers.setdefault(ENCRYPTION_SCOPE, scope)
        if given != scope:
            raise BlobError("InvalidHeaderValue", HeaderName=ENCRYPTION_SCOPE, HeaderValue=given)


def handle(call: Call, token: SasToken, sink: BodySink) -> BodySink:
    """Return the sink of a call that came with a signature, held to what remains to be seen when it is done."""
    name = call.operation.name
    if call.permissions is not None and name in OVERWRITES and "w" not in call.permissions:
        return _Guarded(call, sink, (), is_new=True)
    if token.overrides and name in OVERRIDDEN:
        return _Guarded(call, sink, token.overrides, is_new=False)
    return sink


class _Guarded:
    """A call that must find nothing to overwrite, or whose reply has headers of the signature's."""

    __slots__ = ("_call", "_is_new", "_overrides", "_sink")

    def __init__(self, call: Call, sink: BodySink, overrides: tuple[tuple[str, str], ...], *, is_new: bool) -> None:
        self._call = call
        self._sink = sink
        self._overrides = overrides
        self._is_new = is_new

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._sink.write(data)

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        if self._is_new and _exists(self._call):
            self._sink.abandon()
            raise AuthenticationError("UnauthorizedBlobOverwrite")
        reply = self._sink.finish()
        if reply.status < 300 and self._overrides:
            names = {name for name, _ in self._overrides}
            reply.headers = [header for header in reply.headers if header[0] not in names]
            reply.headers += self._overrides
        return reply

    def abandon(self) -> None:
        """See `BodySink`."""
        self._sink.abandon()


def _exists(call: Call) -> bool:
    parts = call.parts
    target = OnBlob(call.address.account, call.container, call.blob)
    try:
        with parts.transactions.reader() as reader:
            place = blobs.locate(parts.engine, reader, target, parts.clock.now())
            return blobs.committed(place.record) is not None
    except BlobError:
        return False


def _find_policy(call: Call, name: str) -> StoredPolicy | None:
    parts = call.parts
    try:
        with parts.transactions.reader() as reader:
            record = containers.find(parts.engine, reader, call.address.account, call.container)
    except BlobError:
        return None
    return next((stored_policy(policy) for policy in record.policies if policy.id == name), None)

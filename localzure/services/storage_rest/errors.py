"""Errors of the storage services, and how they look on the wire.

A service's errors are one table, code → (HTTP status, message), that begins with the rows here; an error names its row
and adds what Azure adds for this case: elements in the XML body, headers in the reply. The codes and texts are those
of "Common REST API error codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from localzure.auth.principal import AuthenticationError
from localzure.services.interface import HttpReply, ServiceError
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.times import iso_time
from localzure.services.storage_rest.xml_writer import escape_text
from localzure_storage.store import StorageError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import HttpRequest, Instant


class ErrorRow(NamedTuple):
    """What a code stands for."""

    status: int
    message: str


COMMON_ERRORS: Mapping[str, ErrorRow] = {
    "ConditionHeadersNotSupported": ErrorRow(400, "Condition headers are not supported."),
    "ConditionNotMet": ErrorRow(412, "The condition specified using HTTP conditional header(s) is not met."),
    "CorsPreflightFailure": ErrorRow(403, "CORS not enabled or no matching rule found for this request."),
    "EmptyMetadataKey": ErrorRow(400, "The key for one of the metadata key-value pairs is empty."),
    "InsufficientAccountPermissions": ErrorRow(403, "Write operations are not allowed."),
    "InternalError": ErrorRow(500, "The server encountered an internal error. Please retry the request."),
    "InvalidHeaderValue": ErrorRow(400, "The value for one of the HTTP headers is not in the correct format."),
    "InvalidInput": ErrorRow(400, "One of the request inputs is not valid."),
    "InvalidMd5": ErrorRow(
        400, "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64 encoded."
    ),
    "InvalidMetadata": ErrorRow(400, "The metadata specified is invalid. It has characters that are not permitted."),
    "InvalidQueryParameterValue": ErrorRow(
        400, "Value for one of the query parameters specified in the request URI is invalid."
    ),
    "InvalidResourceName": ErrorRow(400, "The specified resource name contains invalid characters."),
    "InvalidUri": ErrorRow(400, "The requested URI does not represent any resource on the server."),
    "InvalidXmlDocument": ErrorRow(400, "XML specified is not syntactically valid."),
    "InvalidXmlNodeValue": ErrorRow(400, "The value for one of the XML nodes is not in the correct format."),
    "Md5Mismatch": ErrorRow(
        400, "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
    ),
    "MetadataTooLarge": ErrorRow(400, "The metadata specified exceeds the maximum permissible limit (8KB)."),
    "MissingContentLengthHeader": ErrorRow(411, "The Content-Length header was not specified."),
    "MissingRequiredHeader": ErrorRow(400, "An HTTP header that's mandatory for this request is not specified."),
    "MissingRequiredQueryParameter": ErrorRow(
        400, "A query parameter that's mandatory for this request is not specified."
    ),
    "MultipleConditionHeadersNotSupported": ErrorRow(400, "Multiple condition headers are not supported."),
    "NotImplemented": ErrorRow(501, "The requested operation is not implemented on the specified resource."),
    "OutOfRangeInput": ErrorRow(400, "One of the request inputs is out of range."),
    "OutOfRangeQueryParameterValue": ErrorRow(
        400, "One of the query parameters specified in the request URI is outside the permissible range."
    ),
    "RequestBodyTooLarge": ErrorRow(413, "The request body is too large and exceeds the maximum permissible limit."),
    "ResourceNotFound": ErrorRow(404, "The specified resource does not exist."),
    "ServerBusy": ErrorRow(503, "The server is currently unable to receive requests. Please retry your request."),
    "UnsatisfiableCondition": ErrorRow(400, "The request includes an unsatisfiable condition for this operation."),
    "UnsupportedHttpVerb": ErrorRow(405, "The resource doesn't support specified Http Verb."),
    "UnsupportedXmlNode": ErrorRow(400, "One of the XML nodes specified in the request body is not supported."),
}
"""What every storage service may answer."""


class StorageRestError(ServiceError):
    """An outcome that Azure documents. Each service derives its own, whose `rows` are its whole table."""

    rows: ClassVar[Mapping[str, ErrorRow]] = COMMON_ERRORS

    def __init__(
        self,
        code: str,
        *,
        status: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        **details: str,
    ) -> None:
        """`details` become elements of the body, in order, those without a value left out.

        `status` overrides the row's where Azure has two.
        """
        super().__init__(code, details)
        row = self.rows[code]
        self.code = code
        self.status = row.status if status is None else status
        self.message = row.message
        self.headers = headers
        self.details = {name: value for name, value in details.items() if value}


class WireError(NamedTuple):
    """An error, ready to be written."""

    code: str
    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    details: Mapping[str, str] = {}


def describe(error: ServiceError | StorageError | None) -> WireError:
    """Return what is answered for an error; None and what nobody foresaw are `InternalError`."""
    if isinstance(error, StorageRestError):
        return WireError(error.code, error.status, error.message, error.headers, error.details)
    if isinstance(error, AuthenticationError):
        details = {"AuthenticationErrorDetail": error.detail} if error.detail else {}
        return WireError(error.code, error.status, error.message, error.headers, details)
    if isinstance(error, StoreFullError):
        row = COMMON_ERRORS["ServerBusy"]
        return WireError("ServerBusy", row.status, row.message, details={"Reason": "The store has no room left."})
    row = COMMON_ERRORS["InternalError"]
    return WireError("InternalError", row.status, row.message)


def render_xml(error: WireError, request: HttpRequest, now: Instant) -> HttpReply:
    """Write an error as the storage services do: the code in a header, and in an XML body unless there is none."""
    headers = reply_headers(request)
    headers.append(("x-ms-error-code", error.code))
    headers += error.headers
    if request.method == "HEAD" or error.status == 304:
        return HttpReply(error.status, headers)
    headers.append(("content-type", "application/xml"))
    details = "".join(f"<{name}>{escape_text(value)}</{name}>" for name, value in error.details.items())
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{error.code}</Code><Message>{escape_text(error.message)}\n"
        f"RequestId:{request.request_id}\nTime:{iso_time(now)}</Message>{details}</Error>"
    )
    return HttpReply(error.status, headers, body.encode())

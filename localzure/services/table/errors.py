"""The errors of the Table service: code → HTTP status and message ("Table Storage error codes").

Where Azure's own texts say more than its documentation, they stand here: clients match on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localzure.services.storage_rest.errors import COMMON_ERRORS, ErrorRow, StorageRestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import ServiceError

TABLE_ERRORS: Mapping[str, ErrorRow] = {
    **COMMON_ERRORS,
    "AtomFormatNotSupported": ErrorRow(415, "Atom format is not supported."),
    "CommandsInBatchActOnDifferentPartitions": ErrorRow(
        400, "All commands in a batch must operate on same entity group."
    ),
    "DuplicatePropertiesSpecified": ErrorRow(400, "A property is specified more than one time."),
    "EntityAlreadyExists": ErrorRow(409, "The specified entity already exists."),
    "EntityTooLarge": ErrorRow(400, "The entity is larger than the maximum allowed size (1MB)."),
    "InvalidDuplicateRow": ErrorRow(
        400,
        "The batch request contains multiple changes with same row key. "
        "An entity can appear only once in a batch request.",
    ),
    "InvalidInput": ErrorRow(400, "One of the request inputs is not valid."),
    "InvalidResourceName": ErrorRow(400, "The specifed resource name contains invalid characters."),
    "JsonVerboseFormatNotSupported": ErrorRow(415, "Verbose JSON format is not supported."),
    "MediaTypeNotSupported": ErrorRow(415, "None of the provided media types are supported"),
    "MethodNotAllowed": ErrorRow(405, "The requested method is not allowed on the specified resource."),
    "PropertiesNeedValue": ErrorRow(400, "The values are not specified for all properties in the entity."),
    "PropertyNameInvalid": ErrorRow(400, "The property name is invalid."),
    "PropertyNameTooLong": ErrorRow(400, "The property name exceeds the maximum allowed length (255)."),
    "PropertyValueTooLarge": ErrorRow(
        400,
        "The property value exceeds the maximum allowed size (64KB). If the property value is a string, it is UTF-16 "
        "encoded and the maximum number of characters should be 32K or less.",
    ),
    "TableAlreadyExists": ErrorRow(409, "The table specified already exists."),
    "TableNotFound": ErrorRow(404, "The table specified does not exist."),
    "TooManyProperties": ErrorRow(
        400,
        "The entity contains more properties than allowed. Each entity can include up to 252 properties to store "
        "data. Each entity also has 3 system properties.",
    ),
    "UpdateConditionNotSatisfied": ErrorRow(412, "The update condition specified in the request was not satisfied."),
    "XMethodIncorrectCount": ErrorRow(400, "More than one X-HTTP-Method is specified."),
    "XMethodIncorrectValue": ErrorRow(400, "The specified X-HTTP-Method is invalid."),
    "XMethodNotUsingPost": ErrorRow(400, "The request uses X-HTTP-Method with an HTTP verb other than POST."),
}
"""Everything that the Table service may answer."""

NAME_LENGTH = "The specified resource name length is not within the permissible limits."
"""What `OutOfRangeInput` says of a table's name."""

KEY_COUNT = (
    "The number of keys specified in the URI does not match number of key properties "
    "for the resource '{account}.{name}'."
)
"""What `InvalidInput` says of a resource with too few or too many keys."""


class TableError(StorageRestError):
    """An outcome that Azure documents for the Table service."""

    rows: ClassVar[Mapping[str, ErrorRow]] = TABLE_ERRORS

    def __init__(self, code: str, message: str | None = None, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """`message` is for codes that Azure gives with more than one text, or with a text that names what is wrong."""
        super().__init__(code, headers=headers)
        if message is not None:
            self.message = message


def out_of_range(name: str, value: str) -> TableError:
    """Return the error of a key or property whose value is beyond what it may hold."""
    return TableError("OutOfRangeInput", f"The '{name}' parameter of value '{value}' is out of range.")


class ChangeError(Exception):
    """One change of an entity group transaction failed, and all are undone."""

    def __init__(self, index: int, error: ServiceError) -> None:
        """`index` counts the changes from 0."""
        super().__init__(index, error)
        self.index = index
        self.error = error

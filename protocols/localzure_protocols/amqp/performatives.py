"""What the fields of performatives mean: their types, and the links, errors and outcomes in them.

Field tables are from OASIS AMQP 1.0, part 2 (2.7), part 3 (3.4, 3.5) and part 4 (4.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Ubyte, Uint, Ulong
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    Accepted,
    AmqpError,
    Declared,
    Link,
    Modified,
    Outcome,
    Rejected,
    Released,
    Terminus,
    TransactionalState,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECEIVED, ACCEPTED_CODE, REJECTED_CODE, RELEASED_CODE, MODIFIED_CODE = 0x23, 0x24, 0x25, 0x26, 0x27
SOURCE, TARGET, COORDINATOR = 0x28, 0x29, 0x30
DECLARED_CODE, TRANSACTIONAL_CODE = 0x33, 0x34
ERROR = 0x1D

SOURCE_FIELDS, TARGET_FIELDS, COORDINATOR_FIELDS = 11, 7, 1
FILTER_FIELD = 7
"""Where a source has its filter."""

SETTLE_MODE_MIXED = 2


class ProtocolViolation(Exception):  # noqa: N818 - a violation is what it is
    """The peer broke the protocol so that the connection must end with `error`."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.error = AmqpError(condition, description)


# One letter a field, upper case where it is mandatory: Int (32 bits), Long (64), String, Bool, bYtes, Map; * is checked
# where it is read. Integers are taken in any width.
_FIELDS = {
    frames.OPEN: "Ssiii****m",
    frames.BEGIN: "iIIIi***",
    frames.ATTACH: "SIBii***bil**m",
    frames.FLOW: "iIIIiiiibb*",
    frames.TRANSFER: "Iiyibbi*bbb",
    frames.DISPOSITION: "BIib*b",
    frames.DETACH: "Ib*",
    frames.END: "*",
    frames.CLOSE: "*",
}
_INTEGER_MAXIMA = {"i": 2**32 - 1, "l": 2**64 - 1}
_TYPES = {"s": str, "b": bool, "y": bytes, "m": dict}


def check_fields(code: int, fields: list[Any]) -> None:
    """Check the fields of a performative against their types. Raises AmqpDecodeError."""
    for index, (value, letter) in enumerate(zip(fields, _FIELDS[code], strict=True)):
        if value is None:
            if letter.isupper():
                raise AmqpDecodeError(f"field {index} of performative 0x{code:x} is missing")
            continue
        kind = letter.lower()
        maximum = _INTEGER_MAXIMA.get(kind)
        if maximum is not None:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
                raise AmqpDecodeError(f"field {index} of performative 0x{code:x} is no unsigned integer of its width")
        elif kind != "*" and not isinstance(value, _TYPES[kind]):
            raise AmqpDecodeError(f"field {index} of performative 0x{code:x} holds a {type(value).__name__}")


# -- links


def read_link(attach: list[Any], session: int) -> Link:
    """Make the link that a checked ATTACH asks for. Raises AmqpDecodeError."""
    name, _, role, snd_settle_mode, rcv_settle_mode, source, target, *_, desired, properties = attach
    return Link(
        name=name,
        is_receiver=not role,
        session=session,
        source=_read_terminus(source, _SOURCE_DESCRIPTORS),
        target=_read_terminus(target, _TARGET_DESCRIPTORS),
        snd_settle_mode=SETTLE_MODE_MIXED if snd_settle_mode is None else int(snd_settle_mode),
        rcv_settle_mode=int(rcv_settle_mode or 0),
        properties=properties or {},
        desired_capabilities=_symbols(desired),
    )


def attach_answer(
    attach: list[Any],
    *,
    max_message_size: int,
    properties: Mapping[str, Any] | None,
    source_filter: Mapping[Any, Any] | None,
) -> list[Any]:
    """The ATTACH that grants what `attach` asks for. Its handle is the client's, until the engine has chosen one."""
    answer = refusal_answer(attach)
    # A terminus that is null on the wire means refusal, so there is one even where the client gave none.
    answer[5] = _whole_terminus(attach[5], SOURCE)
    answer[6] = _whole_terminus(attach[6], TARGET)
    if source_filter is not None:
        answer[5].value[FILTER_FIELD] = dict(source_filter)
    answer[10] = Ulong(max_message_size)
    if properties:
        answer[13] = {Symbol(key): value for key, value in properties.items()}
    return answer


def refusal_answer(attach: list[Any]) -> list[Any]:
    """The ATTACH with null termini that comes before the DETACH of a refusal (part 2, 2.6.3)."""
    name, handle, role, snd_settle_mode, rcv_settle_mode, *_ = attach
    answer: list[Any] = [None] * frames.FIELD_COUNTS[frames.ATTACH]
    answer[:5] = [
        name,
        Uint(handle),
        not role,
        Ubyte(SETTLE_MODE_MIXED if snd_settle_mode is None else snd_settle_mode),
        Ubyte(rcv_settle_mode or 0),
    ]
    if role:
        answer[9] = Uint(0)
    return answer


_SOURCE_DESCRIPTORS = {Ulong(SOURCE): False, Symbol("amqp:source:list"): False}
_TARGET_DESCRIPTORS = {
    Ulong(TARGET): False,
    Symbol("amqp:target:list"): False,
    Ulong(COORDINATOR): True,
    Symbol("amqp:coordinator:list"): True,
}


def _read_terminus(value: Any, descriptors: Mapping[Any, bool]) -> Terminus:
    if value is None:
        return Terminus()
    fields = _described_list(value)
    is_coordinator = descriptors.get(value.descriptor)
    if is_coordinator is None:
        raise AmqpDecodeError(f"{value.descriptor!r:.100} is no terminus of this role")
    if is_coordinator:
        return Terminus(is_coordinator=True, capabilities=_symbols(_field(fields, 0)))
    is_source = descriptors is _SOURCE_DESCRIPTORS
    address = _field(fields, 0)
    found_filter = _field(fields, FILTER_FIELD) if is_source else None
    if found_filter is not None and not isinstance(found_filter, dict):
        raise AmqpDecodeError("a filter is a map")
    return Terminus(
        address=str(address) if isinstance(address, str) else None,
        filter=found_filter,
        capabilities=_symbols(_field(fields, SOURCE_FIELDS - 1 if is_source else TARGET_FIELDS - 1)),
    )


def _whole_terminus(value: Any, default: int) -> Described:
    """A copy of a terminus with all its fields, because some clients index them by position."""
    if value is None:
        value = Described(Ulong(default), [])
    if value.descriptor in {Ulong(COORDINATOR), Symbol("amqp:coordinator:list")}:
        count = COORDINATOR_FIELDS
    else:
        count = SOURCE_FIELDS if default == SOURCE else TARGET_FIELDS
    return Described(value.descriptor, value.value + [None] * (count - len(value.value)))


def _symbols(value: Any) -> list[str]:
    """Read a field that holds no symbol, one, or an array of them."""
    if isinstance(value, Symbol):
        return [value]
    if isinstance(value, list) and all(isinstance(item, Symbol) for item in value):
        return list(value)
    if value is None:
        return []
    raise AmqpDecodeError(f"a {type(value).__name__} where symbols belong")


def _described_list(value: Any) -> list[Any]:
    if not isinstance(value, Described) or not isinstance(value.value, list):
        raise AmqpDecodeError(f"a {type(value).__name__} where a described list belongs")
    return value.value


def _field(fields: list[Any], index: int) -> Any:
    return fields[index] if index < len(fields) else None


# -- errors and outcomes


def read_error(value: Any) -> AmqpError | None:
    """Read an `error` field. Raises AmqpDecodeError."""
    if value is None:
        return None
    fields = _described_list(value)
    condition, description, info = (_field(fields, index) for index in range(3))
    if value.descriptor not in {Ulong(ERROR), Symbol("amqp:error:list")} or not isinstance(condition, str):
        raise AmqpDecodeError("an error has a condition")
    if not isinstance(description, str | None) or not isinstance(info, dict | None):
        raise AmqpDecodeError("an error has a description and a map")
    return AmqpError(str(condition), str(description or ""), info)


def error_fields(error: AmqpError) -> list[Any]:
    """The three fields of an error. The map is never empty: Microsoft's Python client fails where it is left out."""
    info = {Symbol(key) if type(key) is str else key: value for key, value in (error.info or {}).items()}
    return [Symbol(error.condition), error.description, info or {Symbol("condition"): Symbol(error.condition)}]


def error_value(error: AmqpError | None) -> Described | None:
    """The `error` field for DETACH, END and CLOSE."""
    return None if error is None else Described(Ulong(ERROR), error_fields(error))


def read_outcome(value: Any) -> Outcome | None:
    """Read a delivery state: the outcome it is, None for no state and for `received`. Raises AmqpDecodeError."""
    if value is None:
        return None
    fields = _described_list(value)
    reader = _OUTCOMES.get(value.descriptor) if isinstance(value.descriptor, Ulong | Symbol) else None
    if reader is None:
        raise AmqpDecodeError(f"{value.descriptor!r:.100} is no delivery state")
    return reader(fields)


def outcome_value(outcome: Outcome) -> Described:
    """Write an outcome as a delivery state."""
    match outcome:
        case Accepted():
            return Described(Ulong(ACCEPTED_CODE), [])
        case Released():
            return Described(Ulong(RELEASED_CODE), [])
        case Rejected(error):
            return Described(Ulong(REJECTED_CODE), [] if error is None else [error_value(error)])
        case Modified(failed, undeliverable, annotations):
            return Described(Ulong(MODIFIED_CODE), [failed, undeliverable, annotations])
        case Declared(txn_id):
            return Described(Ulong(DECLARED_CODE), [txn_id])
        case TransactionalState(txn_id, inner):
            fields = [txn_id] if inner is None else [txn_id, outcome_value(inner)]
            return Described(Ulong(TRANSACTIONAL_CODE), fields)
        case _:
            assert_never(outcome)


def _read_rejected(fields: list[Any]) -> Outcome:
    return Rejected(read_error(_field(fields, 0)))


def _read_modified(fields: list[Any]) -> Outcome:
    failed, undeliverable, annotations = (_field(fields, index) for index in range(3))
    if not isinstance(annotations, dict | None):
        raise AmqpDecodeError("message annotations are a map")
    return Modified(failed is True, undeliverable is True, annotations)


def _read_declared(fields: list[Any]) -> Outcome:
    return Declared(_read_txn_id(fields))


def _read_transactional(fields: list[Any]) -> Outcome:
    outcome = read_outcome(_field(fields, 1))
    if isinstance(outcome, Declared | TransactionalState):
        raise AmqpDecodeError("a transactional state holds a plain outcome")
    return TransactionalState(_read_txn_id(fields), outcome)


def _read_txn_id(fields: list[Any]) -> bytes:
    txn_id = _field(fields, 0)
    if not isinstance(txn_id, bytes):
        raise AmqpDecodeError("a transaction id is binary")
    return txn_id


_OUTCOMES: dict[Any, Callable[[list[Any]], Outcome | None]] = {
    Ulong(RECEIVED): lambda _fields: None,
    Ulong(ACCEPTED_CODE): lambda _fields: ACCEPTED,
    Ulong(REJECTED_CODE): _read_rejected,
    Ulong(RELEASED_CODE): lambda _fields: RELEASED,
    Ulong(MODIFIED_CODE): _read_modified,
    Ulong(DECLARED_CODE): _read_declared,
    Ulong(TRANSACTIONAL_CODE): _read_transactional,
}
_OUTCOMES |= {
    Symbol("amqp:received:list"): _OUTCOMES[Ulong(RECEIVED)],
    Symbol("amqp:accepted:list"): _OUTCOMES[Ulong(ACCEPTED_CODE)],
    Symbol("amqp:rejected:list"): _OUTCOMES[Ulong(REJECTED_CODE)],
    Symbol("amqp:released:list"): _OUTCOMES[Ulong(RELEASED_CODE)],
    Symbol("amqp:modified:list"): _OUTCOMES[Ulong(MODIFIED_CODE)],
    Symbol("amqp:declared:list"): _OUTCOMES[Ulong(DECLARED_CODE)],
    Symbol("amqp:transactional-state:list"): _OUTCOMES[Ulong(TRANSACTIONAL_CODE)],
}

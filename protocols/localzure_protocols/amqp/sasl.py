"""The SASL layer in front of AMQP, server side (OASIS AMQP 1.0, part 5, 5.3).

By hand, because proton without Cyrus SASL offers ANONYMOUS only and Microsoft's .NET client knows nothing but MSSBCBS.
Every offered mechanism succeeds: what a client may do is decided above, by its token or by the PLAIN response that is
handed up.

    header ──► mechanisms sent ──init──► outcome sent
                      └──init of PLAIN without response──► challenge sent ──response──┘
"""

from __future__ import annotations

from enum import Enum, auto
from struct import Struct
from typing import Any

from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Ubyte, Ulong, decode_all, encode

MECHANISMS = ("MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
"""In the order in which Azure Service Bus offers them."""

SASL_FRAME_SIZE_MAX = 16384
"""The standard allows 512 bytes (part 5, 5.3.1), but the password of PLAIN may be a shared access signature."""

_MECHANISMS, _INIT, _CHALLENGE, _RESPONSE, _OUTCOME = 0x40, 0x41, 0x42, 0x43, 0x44
_OK, _AUTH_FAILED = 0, 1
_SASL_TYPE = 1
_PREFIX = Struct(">IBBH")


class SaslError(Exception):
    """The peer's SASL bytes are not SASL; there is nothing to answer."""


class _State(Enum):
    INIT = auto()
    RESPONSE = auto()
    DONE = auto()
    FAILED = auto()


def _frame(code: int, fields: list[Any]) -> bytes:
    performative = encode(Described(Ulong(code), fields))
    return _PREFIX.pack(8 + len(performative), 2, _SASL_TYPE, 0) + performative


class SaslServer:
    """One SASL exchange, from behind the protocol header to the outcome."""

    def __init__(self) -> None:
        self._buffer = b""
        self._state = _State.INIT
        self.mechanism: str | None = None
        self.response = b""
        """The initial response, or the one to a challenge: for PLAIN `authzid NUL authcid NUL password`."""

    @property
    def is_done(self) -> bool:
        """The peer has been let in, and AMQP follows."""
        return self._state is _State.DONE

    @property
    def has_failed(self) -> bool:
        """The peer has been refused, and nothing follows."""
        return self._state is _State.FAILED

    def greeting(self) -> bytes:
        """What follows our protocol header: the mechanisms."""
        # The list is written with a one-byte array of one-byte symbols, byte for byte as Azure Service Bus does.
        names = b"".join(b"%c%b" % (len(name), name.encode()) for name in MECHANISMS)
        array = b"\xe0%c%c\xa3%b" % (len(names) + 2, len(MECHANISMS), names)
        performative = b"\x00\x53%c\xc0%c\x01%b" % (_MECHANISMS, len(array) + 1, array)
        return _PREFIX.pack(8 + len(performative), 2, _SASL_TYPE, 0) + performative

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes; returns what to send, and the bytes behind the exchange once it is done. Raises SaslError."""
        self._buffer += data
        out = b""
        while self._state in {_State.INIT, _State.RESPONSE}:
            frame = self._take_frame()
            if frame is None:
                return out, b""
            out += self._answer(frame)
        rest, self._buffer = self._buffer, b""
        return out, rest

    def _take_frame(self) -> bytes | None:
        """The body of the next frame, once it is whole."""
        buffer = self._buffer
        if len(buffer) < 8:
            return None
        size, offset, kind, _ = _PREFIX.unpack_from(buffer)
        if not 8 <= size <= SASL_FRAME_SIZE_MAX or kind != _SASL_TYPE or not 8 <= 4 * offset <= size:
            raise SaslError("malformed SASL frame")
        if len(buffer) < size:
            return None
        self._buffer = buffer[size:]
        return buffer[4 * offset : size]

    def _answer(self, frame: bytes) -> bytes:
        code, fields = _read(frame)
        if self._state is _State.INIT and code == _INIT:
            mechanism, response = fields[0], fields[1]
            if not isinstance(mechanism, Symbol) or not isinstance(response, bytes | None):
                raise SaslError("malformed sasl-init")
            self.mechanism = str(mechanism)
            if mechanism not in MECHANISMS:
                self._state = _State.FAILED
                return _frame(_OUTCOME, [Ubyte(_AUTH_FAILED)])
            if mechanism == "PLAIN" and response is None:
                self._state = _State.RESPONSE
                return _frame(_CHALLENGE, [b""])
            self.response = response or b""
        elif self._state is _State.RESPONSE and code == _RESPONSE:
            if not isinstance(fields[0], bytes):
                raise SaslError("malformed sasl-response")
            self.response = fields[0]
        else:
            raise SaslError(f"SASL frame 0x{code:x} out of turn")
        self._state = _State.DONE
        return _frame(_OUTCOME, [Ubyte(_OK)])


def _read(frame: bytes) -> tuple[int, list[Any]]:
    try:
        value = decode_all(frame)
    except AmqpDecodeError as error:
        raise SaslError(f"malformed SASL frame: {error}") from None
    if not isinstance(value, Described) or not isinstance(value.value, list):
        raise SaslError("a SASL frame holds a described list")
    code = _CODES.get(value.descriptor) if isinstance(value.descriptor, Ulong | Symbol) else None
    if code is None:
        raise SaslError(f"{value.descriptor!r:.100} is no SASL frame")
    return code, value.value + [None] * 3


_CODES: dict[Any, int] = {
    Ulong(_INIT): _INIT,
    Ulong(_RESPONSE): _RESPONSE,
    Symbol("amqp:sasl-init:list"): _INIT,
    Symbol("amqp:sasl-response:list"): _RESPONSE,
}

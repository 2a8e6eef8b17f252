"""The frames that are written by hand are those that proton's codec reads, and the other way round."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from proton import Data, Described, Message, uint, ulong

from benchmarks import amqp_frames as wire
from benchmarks.amqp_frames import Inbox, PeerError, accept_frame, described, disposition_at, frame, transfer_at
from benchmarks.amqp_messages import BATCH_FORMAT, Block, build_template
from benchmarks.bodies import body, body_filler
from benchmarks.shared_access import service_bus_token

HANDLE = 2


def split(data: bytes) -> list[bytes]:
    """The bodies of a run of frames."""
    bodies = []
    while data:
        size = int.from_bytes(data[:4])
        assert data[4:8] == b"\x02\x00\x00\x00"
        bodies.append(data[8:size])
        data = data[size:]
    return bodies


def decode(data: bytes) -> tuple[Any, int]:
    decoded = Data()
    used = decoded.decode(data)
    decoded.rewind()
    decoded.next()
    return owned(decoded.get_object()), used


def owned(value: Any) -> Any:
    """Proton gives binary values as views of memory that goes with its decoder."""
    if isinstance(value, Described):
        return Described(value.descriptor, owned(value.value))
    if isinstance(value, list):
        return [owned(item) for item in value]
    return bytes(value) if isinstance(value, memoryview) else value


def payload_of(frames: list[bytes]) -> bytes:
    """The payload of one delivery, whose frames must belong together."""
    performatives, payloads = [], []
    for content in frames:
        performative, used = decode(content)
        assert performative.descriptor == wire.TRANSFER
        performatives.append(performative.value)
        payloads.append(content[used:])
    assert [fields[0] for fields in performatives] == [HANDLE] * len(frames)
    assert [fields[5] for fields in performatives] == [True] * (len(frames) - 1) + [False]
    assert all(fields[1:4] == [None, None, None] for fields in performatives[1:])
    return b"".join(payloads)


def message_of(payload: bytes) -> tuple[Any, bytes]:
    """The message-id and the body."""
    message = Message(inferred=True)
    message.decode(payload)
    assert isinstance(message.body, bytes | memoryview), message
    return message.id, bytes(message.body)


@pytest.mark.parametrize(("size", "frame_bytes_max"), [(8, 512), (1024, 65536), (1024, 512), (5000, 1024)])
def test_each_delivery_of_a_block_is_a_message_with_its_number(size: int, frame_bytes_max: int) -> None:
    template = build_template(size, 1, HANDLE, frame_bytes_max)
    frames = split(bytes(Block(template, 3).number(3, delivery_id=70_000, number=500)))
    assert all(len(content) + 8 <= frame_bytes_max for content in frames)
    assert len(frames) == 3 * template.frames
    for index in range(3):
        own = frames[index * template.frames : (index + 1) * template.frames]
        first = decode(own[0])[0].value
        assert first[1:5] == [70_000 + index, (70_000 + index).to_bytes(4), 0, False]
        assert message_of(payload_of(own)) == (f"{500 + index:016x}", body(size, 500 + index))


@pytest.mark.parametrize("frame_bytes_max", [512, 4096, 65536])
def test_a_batch_holds_whole_messages_in_data_sections(frame_bytes_max: int) -> None:
    template = build_template(1024, 7, HANDLE, frame_bytes_max)
    frames = split(bytes(Block(template, 1).number(1, delivery_id=1, number=30)))
    assert decode(frames[0])[0].value[3] == BATCH_FORMAT
    payload = payload_of(frames)
    messages = []
    while payload:
        section, used = decode(payload)
        assert section.descriptor == 0x75
        messages.append(message_of(section.value))
        payload = payload[used:]
    assert messages == [(f"{number:016x}", body(1024, number)) for number in range(30, 37)]


def test_a_body_has_room_for_its_number() -> None:
    with pytest.raises(ValueError, match="at least 8 bytes"):
        body_filler(7)


def test_a_block_is_bounded_and_never_empty() -> None:
    assert Block(build_template(1024, 1, HANDLE, 65536), 10**9).deliveries == 240
    assert Block(build_template(1 << 20, 1, HANDLE, 65536), 5).deliveries == 1


def test_accepting_is_an_unsettled_disposition_of_the_receiver() -> None:
    (content,) = split(accept_frame(5, 300))
    performative, used = decode(content)
    assert (performative.descriptor, used) == (wire.DISPOSITION, len(content))
    assert performative.value[:4] == [True, 5, 300, False]
    assert performative.value[4].descriptor == wire.ACCEPTED


@pytest.mark.parametrize("settled", [True, False, None])
@pytest.mark.parametrize("more", [True, False, None])
@pytest.mark.parametrize(("handle", "delivery_id"), [(0, 0), (2, 255), (300, 70_000)])
def test_transfers_are_read_as_proton_writes_them(
    settled: bool | None, more: bool | None, handle: int, delivery_id: int
) -> None:
    written = described(wire.TRANSFER, uint(handle), uint(delivery_id), b"t" * 16, uint(0), settled, more)
    data = bytearray(b"junk" + written + b"payload")
    assert transfer_at(data, 4) == (delivery_id, bool(settled), bool(more), 4 + len(written))


def test_a_transfer_that_continues_has_no_delivery_id() -> None:
    data = bytearray(described(wire.TRANSFER, uint(1)) + b"payload")
    assert transfer_at(data, 0) == (None, False, False, len(data) - len(b"payload"))


@pytest.mark.parametrize("last", [None, 9])
@pytest.mark.parametrize("code", [wire.ACCEPTED, 0x25, None])
def test_dispositions_are_read_as_proton_writes_them(last: int | None, code: int | None) -> None:
    outcome = None if code is None else Described(ulong(code), [])
    data = bytearray(described(wire.DISPOSITION, True, uint(3), None if last is None else uint(last), True, outcome))
    assert disposition_at(data, 0) == (3, last or 3, True, code)


def test_a_disposition_that_only_names_a_delivery_settles_nothing() -> None:
    data = bytearray(described(wire.DISPOSITION, True, uint(3)))
    assert disposition_at(data, 0) == (3, 3, False, None)


@pytest.mark.parametrize("damaged", ["no list", "no uint", "no boolean"])
def test_a_wrong_type_is_the_peers_error(damaged: str) -> None:
    wrong: dict[str, list[Any]] = {"no uint": ["x"], "no boolean": [uint(1), uint(1), b"t", uint(0), "x"]}
    data = bytearray(described(wire.TRANSFER, *wrong.get(damaged, [])))
    if damaged == "no list":
        data[3] = 0x71
    with pytest.raises(PeerError, match=damaged):
        transfer_at(data, 0)


def test_frames_come_whole_however_the_bytes_arrive() -> None:
    contents = [b"\x00\x53\x18" + bytes([number]) * (number * 700) for number in range(90)]
    sent = b"".join([frame(content) for content in contents]) + b"\x00\x00\x00\x08\x02\x00\x00\x00"
    ours, theirs = socket.socketpair()
    found = []
    with ours, theirs:
        inbox = Inbox(ours)
        for start in range(0, len(sent), 10_007):
            theirs.sendall(sent[start : start + 10_007])
            inbox.fill()
            found += [bytes(inbox.data[body_at:end]) for body_at, end in inbox.frames()]
        assert found == contents
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(PeerError, match="closed the connection"):
            inbox.fill()


def test_a_frame_beyond_what_was_offered_is_the_peers_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(ours)
        theirs.sendall((wire.FRAME_BYTES_MAX + 1).to_bytes(4) + b"\x02\x00\x00\x00")
        inbox.fill()
        with pytest.raises(PeerError, match="more than was offered"):
            list(inbox.frames())


def test_tokens_are_signed_as_service_bus_clients_sign_them() -> None:
    # A token that the Azure SDKs make for this uri, key and expiry.
    assert service_bus_token("sb://localhost:5672/q1", 1_700_000_000) == (
        "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%3A5672%2Fq1"
        "&sig=8r5L%2BZUFR4uGBLZwD23%2F%2FLP4Z9je3Ri8cogqloUa8ro%3D&se=1700000000&skn=RootManageSharedAccessKey"
    )

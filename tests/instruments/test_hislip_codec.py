"""HiSLIP's messages against bytes written out from IVI-6.1."""

from __future__ import annotations

import pickle

import pytest

from instruments.hislip import HislipError, HislipFatalError
from instruments.hislip.codec import (
    Message,
    MessageType,
    decode_size,
    encode,
    next_message_id,
    take_message,
    type_name,
)
from sockio.buffer import Buffer
from sockio.errors import ProtocolError

# Section 2.5, table 4: the messages of version 1.0 in the order of their numbers, from 0.
TYPES = """
Initialize InitializeResponse FatalError Error AsyncLock AsyncLockResponse Data DataEnd
DeviceClearComplete DeviceClearAcknowledge AsyncRemoteLocalControl AsyncRemoteLocalResponse Trigger
Interrupted AsyncInterrupted AsyncMaximumMessageSize AsyncMaximumMessageSizeResponse
AsyncInitialize AsyncInitializeResponse AsyncDeviceClear AsyncServiceRequest AsyncStatusQuery
AsyncStatusResponse AsyncDeviceClearAcknowledge AsyncLockInfo AsyncLockInfoResponse
"""

DATA_END = bytes.fromhex("48 53 07 01 ff ff ff 00 00 00 00 00 00 00 00 06") + b"*IDN?\n"


def buffer_of(*chunks: bytes) -> Buffer:
    buffer = Buffer()
    for chunk in chunks:
        buffer.append(chunk)
    return buffer


def test_the_numbers_are_the_standards() -> None:
    assert {type_name(kind): int(kind) for kind in MessageType} == {name: n for n, name in enumerate(TYPES.split())}


def test_a_message_is_a_header_and_its_payload() -> None:
    assert encode(MessageType.DATA_END, 1, 0xFFFFFF00, b"*IDN?\n") == DATA_END
    assert take_message(buffer_of(DATA_END)) == Message(7, 1, 0xFFFFFF00, 6, b"*IDN?\n")


@pytest.mark.parametrize("size", range(len(DATA_END)))
def test_a_message_may_come_in_two(size: int) -> None:
    buffer = buffer_of(DATA_END[:size])
    message = take_message(buffer)
    if size < 16:
        assert message is None
        assert buffer.peek(-1) == DATA_END[:size], "nothing may be taken of a header that is not complete"
        buffer.append(DATA_END[size:])
        assert take_message(buffer) == Message(7, 1, 0xFFFFFF00, 6, b"*IDN?\n")
    else:
        assert message == Message(7, 1, 0xFFFFFF00, 6, b"*IDN?\n"[: size - 16])
        assert not buffer


def test_messages_in_a_row_are_taken_one_by_one() -> None:
    buffer = buffer_of(DATA_END + encode(MessageType.TRIGGER, 0, 2) + DATA_END[:20])
    taken = [take_message(buffer) for _ in range(3)]
    assert taken == [
        Message(7, 1, 0xFFFFFF00, 6, b"*IDN?\n"),
        Message(12, 0, 2, 0, b""),
        Message(7, 1, 0xFFFFFF00, 6, b"*IDN"),
    ]
    assert take_message(buffer) is None


def test_a_payload_may_claim_to_be_as_long_as_64_bits_allow() -> None:
    header = bytes.fromhex("48 53 06 00 00 00 00 00 ff ff ff ff ff ff ff ff")
    assert take_message(buffer_of(header + b"ab")) == Message(6, 0, 0, 2**64 - 1, b"ab")


def test_what_does_not_begin_with_hs_is_refused_with_its_bytes() -> None:
    with pytest.raises(ProtocolError, match="begins with b'HS'") as caught:
        take_message(buffer_of(b"HTTP/1.1 400 Bad Request\r\n"))
    assert caught.value.data == b"HTTP/1.1 400 Bad"


def test_message_ids_wrap_around() -> None:
    assert next_message_id(0xFFFFFF00) == 0xFFFFFF02
    assert next_message_id(0xFFFFFFFE) == 0


@pytest.mark.parametrize("payload", [b"", b"\0" * 7, b"\0" * 9, (16).to_bytes(8, "big"), bytes(8)])
def test_a_maximum_message_size_that_leaves_no_room_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_size(Message(16, 0, 0, len(payload), payload))


def test_errors_have_the_standards_names_and_survive_pickling() -> None:
    error = HislipError("hislip::here", 4, "4096 bytes")
    assert str(error) == "hislip::here: the instrument sent Error 4, Message too large: 4096 bytes"
    fatal = HislipFatalError("hislip::here", 3)
    assert str(fatal) == "hislip::here: the instrument sent FatalError 3, Invalid initialization sequence"
    assert isinstance(fatal, ConnectionError)
    assert HislipError("", 200).name == "Device-defined error"
    for original in (error, fatal):
        copy = pickle.loads(pickle.dumps(original))
        assert (type(copy), copy.code, copy.text, str(copy)) == (
            type(original),
            original.code,
            original.text,
            str(original),
        )

"""The bytes of the GCT protocol: literal frames, what is refused, and what comes of frames that should not be."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.can import (
    BROADCAST_ADDR,
    CONTROLLER_NODEID,
    DEFAULT_DDP_TIMEOUT,
    GCTCAN_BROADCAST_ADDRESS,
    DdpMessage,
    GctDecoder,
    GctMessage,
    Heartbeat,
    MonitoringData,
    MonitoringRequest,
    SysCtrlMessage,
    SysCtrlType,
)
from instruments.can.codec import encode
from instruments.can.ddp import crc16

THIRTEEN = bytes(range(13))

#: Messages, and the frames that they are: identifier and payload.
EXAMPLES: list[tuple[GctMessage, list[tuple[int, str]]]] = [
    (SysCtrlMessage(0x7E, 0x10, 0x123, SysCtrlType.EMPTY, b"\x01\x02"), [(0x03F8848C, "01 02")]),
    (SysCtrlMessage(0x10, 0x7E, 0x123, SysCtrlType.VALUE, b"\xaa\xbb"), [(0x0243F48E, "AA BB")]),
    (SysCtrlMessage(0x7E, 0x7F, 5, SysCtrlType.QUERY), [(0x03FBF815, "")]),
    (MonitoringData(12, 23, 53, b"\x01\x02\x03\x04"), [(0x0E33FDF5, "01 02 03 04")]),
    (MonitoringRequest(12, 34, 3, 43), [(0x103110C0, "2B 00 00 00 00 00 00 00")]),
    (MonitoringRequest(0x7E, 0x22, 1, 1 | 1 << 63), [(0x11F91040, "01 00 00 00 00 00 00 80")]),
    (Heartbeat(12, 0xABCD), [(0x1C33F800, "CD AB")]),
    (
        DdpMessage(12, 34, THIRTEEN, 1),
        [(0x18311100, "00 01 02 03 04 05 06 07"), (0x18311120, "08 09 0A 0B 0C AC DD")],
    ),
    (
        DdpMessage(12, 34, THIRTEEN, 2),
        [(0x18311000, "00 01 02 03 04 05 06 07"), (0x18311401, "08 09 0A 0B 0C AC DD")],
    ),
    (DdpMessage(0x7E, 0x10, b"\x81\x01\x02\x03", 1), [(0x19F88000, "81 01 02 03 4E 7D")]),
    (DdpMessage(0x7E, 0x10, b"\x81\x01\x02\x03", 2), [(0x19F88400, "81 01 02 03 4E 7D")]),
    (DdpMessage(0x7E, 0x10, b"\x85\x01\x02\x03\x04\x05", 2), [(0x19F88400, "85 01 02 03 04 05 1B 39")]),
    (DdpMessage(0x7E, 0x10, b"", 1), [(0x19F88000, "FF FF")]),
]


def frames(listed: list[tuple[int, str]]) -> list[tuple[int, bytes]]:
    return [(canid, bytes.fromhex(data)) for canid, data in listed]


def decode(decoder: GctDecoder, parts: list[Any]) -> list[GctMessage | None]:
    return [decoder.feed(canid, data) for canid, data in parts]


@pytest.mark.parametrize(("message", "listed"), EXAMPLES, ids=[str(message) for message, _ in EXAMPLES])
def test_an_example_is_sent_and_understood(message: GctMessage, listed: list[tuple[int, str]]) -> None:
    assert [tuple(frame) for frame in encode(message)] == frames(listed)
    decoder = GctDecoder()
    assert decode(decoder, frames(listed)) == [None] * (len(listed) - 1) + [message]
    assert decoder.dropped == 0


def test_constants() -> None:
    assert (GCTCAN_BROADCAST_ADDRESS, BROADCAST_ADDR, CONTROLLER_NODEID) == (0x7F, 0x7F, 0x7E)
    assert DEFAULT_DDP_TIMEOUT == 0.1


def test_crc16() -> None:
    assert crc16(b"123456789") == 0x29B1
    assert crc16(b"123456789\x29\xb1") == 0
    assert crc16(b"") == 0xFFFF


def test_version_0_is_sent_as_version_1() -> None:
    assert encode(DdpMessage(12, 34, THIRTEEN, 0)) == encode(DdpMessage(12, 34, THIRTEEN, 1))


def test_nothing_is_sent_for_an_empty_message_of_version_2() -> None:
    assert encode(DdpMessage(12, 34, b"", 2)) == []


@pytest.mark.parametrize(
    "message",
    [
        SysCtrlMessage(0x7F, 1, 1),
        SysCtrlMessage(-1, 1, 1),
        SysCtrlMessage(1, 0x80, 1),
        SysCtrlMessage(1, 1, 1024),
        SysCtrlMessage(1, 1, 512),  # its highest bit is the lowest of the destination
        SysCtrlMessage(1, 1, -1),
        SysCtrlMessage(1, 1, 1, SysCtrlType.EMPTY, bytes(9)),
        MonitoringData(0x7F, 1, 1),
        MonitoringData(1, 32, 1),
        MonitoringData(1, 1, 64),
        MonitoringData(1, 1, 1, bytes(9)),
        MonitoringRequest(0x7F, 1, 1, 1),
        MonitoringRequest(1, 0x80, 1, 1),
        MonitoringRequest(1, 1, 32, 1),
        MonitoringRequest(1, 1, 1, 1 << 64),
        MonitoringRequest(1, 1, 1, -1),
        DdpMessage(0x7F, 1, b"x"),
        DdpMessage(1, 0x80, b"x"),
        DdpMessage(1, 1, bytes(62), 0),
        DdpMessage(1, 1, bytes(62), 1),
        DdpMessage(1, 1, bytes(2046), 2),
        DdpMessage(1, 1, b"x", 3),
        Heartbeat(1, 0),
        Heartbeat(1, 0xFFFF),
        Heartbeat(1, 0x10000),
        Heartbeat(0x7F, 1),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused(message: GctMessage) -> None:
    with pytest.raises(ValueError, match=r"must be|carries"):
        encode(message)


def test_what_is_just_allowed() -> None:
    assert len(encode(DdpMessage(1, 1, bytes(61), 1))) == 8
    assert len(encode(DdpMessage(1, 1, bytes(2045), 2))) == 256
    assert encode(SysCtrlMessage(0, 0x7F, 511, SysCtrlType.VALUE, bytes(8)))
    assert encode(MonitoringData(0x7E, 31, 63, bytes(8)))
    assert encode(MonitoringRequest(0x7E, 0x7F, 31, 2**64 - 1))
    assert encode(Heartbeat(0, 0xFFFE))


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7, 13, 14, 22, 29, 30, 31, 38, 60, 61, 62, 500, 2045])
@pytest.mark.parametrize("version", [1, 2])
def test_messages_of_any_length(version: int, size: int) -> None:
    if size > {1: 61, 2: 2045}[version] or (version == 2 and not size):
        return
    message = DdpMessage(5, 6, random.Random(size).randbytes(size), version)
    decoder = GctDecoder()
    assert decode(decoder, encode(message))[-1] == message
    assert decoder.dropped == 0


# What is received


def canid(kind: int, src: int, dst: int, type_data: int) -> int:
    return kind << 25 | src << 18 | dst << 11 | type_data


def test_a_short_request_is_extended_with_zeros() -> None:
    assert GctDecoder().feed(canid(8, 1, 2, 3 << 6), b"\x05") == MonitoringRequest(1, 2, 3, 5)


def test_the_product_of_a_heartbeat_is_passed_on_as_it_is() -> None:
    assert GctDecoder().feed(canid(14, 1, 0x7F, 0), b"\xff\xff\x01") == Heartbeat(1, 0xFFFF)


@pytest.mark.parametrize(
    ("kind", "src", "type_data", "data"),
    [
        (1, 1, 0b11, b""),  # value and query at once
        (14, 1, 0, b"\x01"),  # a heartbeat too short
        (1, 0x7F, 0, b""),  # from everybody
        (7, 0x7F, 0, b""),
        (8, 0x7F, 0, bytes(8)),
        (14, 0x7F, 0, bytes(2)),
        (7, 1, 0, bytes(12)),  # longer than a frame
        (12, 1, 0, bytes(12)),
    ],
)
def test_a_malformed_frame_is_dropped_and_counted(kind: int, src: int, type_data: int, data: bytes) -> None:
    decoder = GctDecoder()
    assert decoder.feed(canid(kind, src, 3, type_data), data) is None
    assert decoder.dropped == 1


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 5, 6, 9, 10, 11, 13, 15])
def test_other_types_are_none_of_ours(kind: int) -> None:
    decoder = GctDecoder()
    assert decoder.feed(canid(kind, 1, 2, 3), b"\x01") is None
    assert decoder.dropped == 0


def test_ddp_is_taken_from_any_source() -> None:
    (frame,) = encode(DdpMessage(1, 2, b"x", 1))
    assert GctDecoder().feed(frame.canid | 0x7F << 18, frame.data) == DdpMessage(0x7F, 2, b"x", 1)


# Parts of messages

LONG_1 = DdpMessage(1, 9, bytes(range(60)), 1)
LONG_2 = DdpMessage(1, 9, bytes(range(200)), 2)


def test_parts_of_version_2_come_in_any_order_and_more_than_once() -> None:
    first, *rest = encode(LONG_2)
    for seed in range(20):
        parts = [*rest, *random.Random(seed).choices(rest, k=5)]
        random.Random(seed).shuffle(parts)
        decoder = GctDecoder()
        assert [message for message in decode(decoder, [first, *parts]) if message] == [LONG_2]


def test_parts_of_version_1_out_of_order_are_dropped_and_counted() -> None:
    parts = encode(LONG_1)
    parts[2], parts[3] = parts[3], parts[2]
    decoder = GctDecoder()
    assert decode(decoder, parts) == [None] * len(parts)
    assert decoder.dropped == len(parts)
    assert decode(decoder, encode(LONG_1))[-1] == LONG_1, "the next one is understood"


@pytest.mark.parametrize("message", [LONG_1, LONG_2], ids=["version 1", "version 2"])
def test_a_message_with_a_part_missing_comes_to_nothing(message: DdpMessage) -> None:
    parts = encode(message)
    for missing in range(len(parts)):
        decoder = GctDecoder()
        assert decode(decoder, parts[:missing] + parts[missing + 1 :]) == [None] * (len(parts) - 1)
        assert decode(decoder, parts)[-1] == message
        assert decoder.dropped == len(parts) - 1


@pytest.mark.parametrize("message", [LONG_1, LONG_2], ids=["version 1", "version 2"])
def test_a_wrong_crc_is_a_drop(message: DdpMessage) -> None:
    parts: list[Any] = encode(message)
    parts[1] = (parts[1][0], bytes([parts[1][1][0] ^ 1]) + parts[1][1][1:])
    decoder = GctDecoder()
    assert decode(decoder, parts) == [None] * len(parts)
    decoder.reset()
    assert decoder.dropped == len(parts)


@pytest.mark.parametrize("version", [1, 2])
def test_two_senders_do_not_disturb_each_other(version: int) -> None:
    one, other = DdpMessage(1, 9, bytes(range(50)), version), DdpMessage(2, 9, bytes(range(50, 100)), version)
    decoder = GctDecoder()
    mixed = [part for pair in zip(encode(one), encode(other), strict=True) for part in pair]
    assert [message for message in decode(decoder, mixed) if message] == [one, other]
    assert decoder.dropped == 0


def test_reset_clears_both_versions() -> None:
    for message in (LONG_1, LONG_2):
        *beginning, last = encode(message)
        decoder = GctDecoder()
        decode(decoder, beginning)
        decoder.reset()
        assert decoder.feed(*last) is None
        assert decoder.dropped == len(beginning) + 1


def test_versions_may_take_turns() -> None:
    decoder = GctDecoder()
    sent = [DdpMessage(1, 9, bytes(range(n)), version) for n in range(1, 62) for version in (1, 2)]
    received = [message for each in sent for message in decode(decoder, encode(each)) if message]
    assert received == sent
    assert decoder.dropped == 0


def test_the_number_of_parts_has_to_be_the_same_in_all_of_them() -> None:
    parts: list[Any] = encode(DdpMessage(1, 9, bytes(20), 1))
    parts[1] = (parts[1][0] ^ 0x100, parts[1][1])
    assert decode(GctDecoder(), parts) == [None, None, None]


# JSON and texts


@pytest.mark.parametrize("message", [message for message, _ in EXAMPLES], ids=str)
def test_json_and_back(message: GctMessage) -> None:
    assert GctMessage.from_json(message.to_json()) == message
    assert type(message).from_json(message.to_json()) == message


def test_json() -> None:
    message = SysCtrlMessage(1, 2, 3, SysCtrlType.EMPTY, b"\x04")
    assert message.to_json() == {"SysCtrl": {"src": 1, "dst": 2, "cmd": 3, "tp": "None", "data": [4]}}
    assert [each.value for each in SysCtrlType] == ["None", "Value", "Query"]
    ddp = {"src": 1, "dst": 2, "data": [1]}
    assert GctMessage.from_json({"Ddp": ddp}) == DdpMessage(1, 2, b"\x01", 1), "without a version it is 1"
    assert DdpMessage().version == 2
    wrongs: list[Any] = [{"Nothing": {}}, {"Ddp": 3}, {"Ddp": {"source": 1}}, [], None]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="expected"):
            GctMessage.from_json(wrong)


def test_a_request_calls_itself_a_request() -> None:
    assert repr(MonitoringRequest(1, 2, 3, 4)) == "MonitoringRequest(src=1, dst=2, group_idx=3, readings=4)"


# Anything at all

IDS = st.one_of(
    st.integers(0, 0x1FFFFFFF),
    st.builds(canid, st.sampled_from([1, 7, 8, 12, 14]), st.integers(0, 3), st.integers(0, 1), st.integers(0, 0x7FF)),
)


@given(st.lists(st.tuples(IDS, st.binary(max_size=12)), max_size=60))
def test_any_frames_come_to_messages_or_to_nothing(parts: list[tuple[int, bytes]]) -> None:
    decoder = GctDecoder()
    for message in decode(decoder, parts):
        if message is None:
            continue
        assert isinstance(message, GctMessage)
        if isinstance(message, DdpMessage):
            assert len(message.data) <= 2046
    assert 0 <= decoder.dropped <= len(parts)


def is_ambiguous(message: DdpMessage) -> bool:
    """Tell whether the first frames of a message are a message too, as those of one in 65536 are.

    No frame says of which version it is, nor how many there are: the CRC alone does.
    """
    parts = [part[1] for part in encode(message)]
    return any(crc16(b"".join(parts[:count])) == 0 for count in range(1, len(parts)))


MESSAGES = st.builds(
    DdpMessage, st.integers(0, 2), st.just(9), st.binary(min_size=1, max_size=60), st.sampled_from([1, 2])
).filter(lambda message: not is_ambiguous(message))


def test_the_crc_is_all_that_tells_the_versions_apart() -> None:
    """What the protocol cannot tell apart, nobody can: the first frame of this is a whole message of version 1."""
    message = DdpMessage(0, 9, b"\xbbq\xd7.65,", 2)
    assert is_ambiguous(message)
    first = encode(message)[0]
    assert GctDecoder().feed(*first) == DdpMessage(0, 9, b"\xbbq\xd7.65", 1)


@given(st.lists(MESSAGES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_parts_lost_doubled_and_mixed_never_make_another_message(sent: list[DdpMessage], luck: random.Random) -> None:
    """Each sender's frames stay in order, as on a bus, but some are lost or come twice, and senders mix."""
    queues: dict[int, list[Any]] = {}
    for message in sent:
        for part in encode(message):
            queues.setdefault(message.src, []).extend([part] * luck.choice([1, 1, 1, 1, 0, 2]))
    decoder = GctDecoder()
    received: list[GctMessage | None] = []
    while any(queues.values()):
        queue = luck.choice([queue for queue in queues.values() if queue])
        received.append(decoder.feed(*queue.pop(0)))
    allowed = [(message.src, message.data) for message in sent]
    for each in filter(None, received):
        assert isinstance(each, DdpMessage)
        assert (each.src, each.data) in allowed


@given(st.lists(MESSAGES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_senders_that_lose_nothing_are_all_understood(sent: list[DdpMessage], luck: random.Random) -> None:
    queues: dict[int, list[Any]] = {}
    for message in sent:
        queues.setdefault(message.src, []).extend(encode(message))
    decoder = GctDecoder()
    received = []
    while any(queues.values()):
        received.append(decoder.feed(*luck.choice([queue for queue in queues.values() if queue]).pop(0)))
    for src in queues:
        assert [m for m in received if m and m.src == src] == [m for m in sent if m.src == src]
    assert decoder.dropped == 0

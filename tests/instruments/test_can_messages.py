"""Messages, filters and records: what they are made of, and what is refused."""

from __future__ import annotations

from typing import Any

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.can import CanFilter, DataMessage, ErrorMessage, RemoteMessage
from instruments.can.filters import accepts, for_python_can, read_filters, union
from instruments.can.python_can import from_python_can, to_python_can
from instruments.can.records import Record, decode, encode
from sockio.errors import ProtocolError


def test_a_message_made_step_by_step() -> None:
    message = DataMessage()
    message.canid = 0x123
    message.data = [1, 2, 3]
    assert message == DataMessage(0x123, data=b"\x01\x02\x03")
    assert message.data == b"\x01\x02\x03"
    assert repr(message) == r"DataMessage(canid=0x123, data=b'\x01\x02\x03')"
    assert repr(DataMessage(0x123, True)) == "DataMessage(canid=0x00000123, data=b'', extid=True)"
    assert repr(RemoteMessage(0x123, dlc=3)) == "RemoteMessage(canid=0x123, dlc=3)"


@pytest.mark.parametrize("message", [DataMessage(0x123, True, b"ab"), RemoteMessage(0x123, True, 2)])
def test_a_clone_is_equal_and_another(message: Any) -> None:
    clone = message.clone()
    assert clone == message
    assert clone is not message
    clone.canid = 0x124
    assert message.canid == 0x123
    for changed in ("canid", "extid", "data" if isinstance(message, DataMessage) else "dlc"):
        other = message.clone()
        setattr(other, changed, {"canid": 1, "extid": False, "data": b"x", "dlc": 1}[changed])
        assert other != message
    assert message != "another kind of thing"


def test_json() -> None:
    message = DataMessage(0x123, True, b"\x01\x02")
    assert message.to_json() == {"Data": {"canid": 0x123, "extid": True, "data": [1, 2]}}
    assert DataMessage.from_json(message.to_json()) == message
    assert DataMessage.from_json({"canid": 5}) == DataMessage(5)
    fast = DataMessage(1, data=bytes(64), fd=True, bitrate_switch=True)
    assert DataMessage.from_json(fast.to_json()) == fast
    remote = RemoteMessage(0x123, False, 4)
    assert remote.to_json() == {"Remote": {"canid": 0x123, "extid": False, "dlc": 4}}
    assert RemoteMessage.from_json(remote.to_json()) == remote
    for wrong in ({"Data": {"id": 3}}, {"Data": [1]}, 5):
        with pytest.raises(ValueError, match="expected"):
            DataMessage.from_json(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["abc", 5, [256], [-1]])
def test_what_is_no_data(data: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="data must be bytes, or a list of numbers from 0 to 255"):
        DataMessage(1, data=data)


@pytest.mark.parametrize(
    "message",
    [
        DataMessage(0x800),
        DataMessage(-1),
        DataMessage(0x20000000, True),
        DataMessage(1, data=bytes(9)),
        DataMessage(1, data=bytes(65), fd=True),
        DataMessage(1, data=bytes(13), fd=True),
        RemoteMessage(0x800),
        RemoteMessage(1, dlc=9),
        RemoteMessage(1, dlc=-1),
    ],
    ids=repr,
)
def test_what_cannot_be_sent(message: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|carries"):
        message.check()


@pytest.mark.parametrize(
    "message",
    [
        DataMessage(0x7FF, data=bytes(8)),
        DataMessage(0x1FFFFFFF, True, b"\x00\xff"),
        DataMessage(1, data=bytes(64), fd=True, bitrate_switch=True),
        RemoteMessage(0x7FF, dlc=8),
        RemoteMessage(0x1FFFFFFF, True),
        ErrorMessage(0x40, bytes(8)),
    ],
    ids=repr,
)
def test_to_python_can_and_back(message: Any) -> None:
    if not isinstance(message, ErrorMessage):
        message.check()
    converted = to_python_can(message)
    converted._check()
    assert from_python_can(converted) == message


def test_the_time_of_a_message() -> None:
    message = from_python_can(can.Message(timestamp=12.5, arbitration_id=1, is_extended_id=False))
    assert message.timestamp == 12.5
    assert message == DataMessage(1)


@pytest.mark.parametrize(
    ("classes", "data", "reasons"),
    [
        (0x040, "00 00 00 00 00 00 00 00", ["bus off"]),
        (0x004, "00 08 00 00 00 00 00 00", ["controller problem", "warning level of transmit errors"]),
        (0x004, "00 30 00 00 00 00 00 00", ["controller problem", "receive error passive", "transmit error passive"]),
        (0x004, "00 01 00 00 00 00 00 00", ["controller problem", "receive buffer overflow"]),
        (0x020, "00 00 00 00 00 00 00 00", ["no acknowledgement"]),
        (0x088, "00 00 04 00 00 00 00 00", ["protocol violation", "bus error", "bit stuffing error"]),
        (0x100, "", ["controller restarted"]),
        (0x004, "", ["controller problem"]),
        (0x000, "", ["unknown error"]),
    ],
)
def test_error_frames_in_words(classes: int, data: str, reasons: list[str]) -> None:
    """The bits are those of linux/can/error.h."""
    message = ErrorMessage(classes, bytes.fromhex(data))
    assert message.reasons == reasons
    assert message.bus_off == (classes == 0x40)
    assert message.restarted == (classes == 0x100)
    assert message.passive == (len(reasons) == 3 and "passive" in reasons[1])
    assert ", ".join(reasons) in repr(message)


# Filters


def test_filters() -> None:
    assert read_filters(None) == ()
    assert read_filters([(0x100, 0x700), {"can_id": 1, "can_mask": 2, "extended": True}, CanFilter(5)]) == (
        CanFilter(0x100, 0x700),
        CanFilter(1, 2, True),
        CanFilter(5, 0x1FFFFFFF),
    )
    assert for_python_can((CanFilter(1, 2, True), CanFilter(3, 4))) == [
        {"can_id": 1, "can_mask": 2, "extended": True},
        {"can_id": 3, "can_mask": 4},
    ]
    assert for_python_can(()) is None


@pytest.mark.parametrize("given", [5, "0x123", {"can_id": 1}, {"can_id": 1, "can_mask": 1, "mask": 1}])
def test_what_is_no_filter(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="expected"):
        read_filters([given])


@pytest.mark.parametrize("given", [CanFilter(-1), CanFilter(1, 1 << 29), CanFilter(0x800, extid=False)])
def test_filters_of_identifiers_that_cannot_be(given: CanFilter) -> None:
    with pytest.raises(ValueError, match="must be from 0"):
        read_filters([given])


def test_the_union_of_what_receivers_want() -> None:
    one, other = CanFilter(1), CanFilter(2)
    assert union([(one,), (other, one)]) == (one, other)
    assert union([(one,), ()]) == (), "somebody wants everything"


FILTERS = st.builds(CanFilter, st.integers(0, 0x7FF), st.integers(0, 0x7FF), st.sampled_from([None, True, False]))


@given(st.lists(FILTERS, min_size=1, max_size=3), st.integers(0, 0x7FF), st.booleans())
def test_filters_pass_what_those_of_python_can_pass(filters: list[CanFilter], canid: int, extid: bool) -> None:
    bus = can.Bus(interface="virtual", channel="filters", can_filters=for_python_can(tuple(filters)))
    passes = bus._matches_filters(can.Message(arbitration_id=canid, is_extended_id=extid))
    bus.shutdown()
    assert accepts(tuple(filters))(canid, extid) == passes


# Records of the USR-CANET200

RECORDS = [
    (Record(0x12345678, True, False, 5, bytes.fromhex("1234567800")), "85 12345678 1234567800000000"),
    (Record(0xABCDEF, True, False, 4, b"\x01\x02\x03\x04"), "84 00ABCDEF 0102030400000000"),
    (Record(0x123456, True, True, 3, b""), "C3 00123456 0000000000000000"),
    (Record(0x123, False, False, 2, b"\xaa\xbb"), "02 00000123 AABB000000000000"),
]


@pytest.mark.parametrize(("record", "wire"), RECORDS)
def test_records(record: Record, wire: str) -> None:
    """The first is the example of the vendor's manual, 2.2.4."""
    assert encode(record) == bytes.fromhex(wire)
    assert decode(bytes.fromhex(wire)) == record


@pytest.mark.parametrize(
    "wire",
    [
        "09 00000123 0000000000000000",  # nine bytes
        "12 00000123 0000000000000000",  # a bit that is zero
        "02 00000800 0000000000000000",  # twelve bits of an identifier of eleven
        "82 20000000 0000000000000000",
        "02 00000123 00000000000000",
    ],
)
def test_what_is_no_record(wire: str) -> None:
    with pytest.raises(ProtocolError, match="expected a record of 13 bytes of a USR-CANET200, got"):
        decode(bytes.fromhex(wire))


@given(st.binary(min_size=13, max_size=13))
def test_any_thirteen_bytes_are_a_record_or_an_error(wire: bytes) -> None:
    try:
        record = decode(wire)
    except ProtocolError:
        return
    assert encode(record)[:5] == wire[:5]
    assert len(record.data) <= 8

"""Report descriptors, those of the standard and malformed ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from instruments.hid.codec import parse_report_descriptor
from sockio.errors import ProtocolError

#: Device Class Definition for HID 1.11, appendix B.1: the boot keyboard.
KEYBOARD = bytes.fromhex(
    "05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 01 95 05 75 01 05 08 19 01 29 05 "
    "91 02 95 01 75 03 91 01 95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00 c0"
)

#: Appendix B.2: the boot mouse.
MOUSE = bytes.fromhex(
    "05 01 09 02 a1 01 09 01 a1 00 05 09 19 01 29 03 15 00 25 01 95 03 75 01 81 02 95 01 75 05 81 01 05 01 09 30 09 31 "
    "15 81 25 7f 75 08 95 02 81 06 c0 c0"
)

#: A device of our lab: input report 1 of 32 bytes, output report 2 of 32, feature report 3 of 8.
NUMBERED = bytes.fromhex(
    "0600ff 0901 a101 8501 0901 1500 26ff00 7508 9520 8102 8502 0902 9520 9102 8503 0903 9508 b102 c0"
)


def test_keyboard() -> None:
    reports = parse_report_descriptor(KEYBOARD)
    assert not reports.numbered
    assert reports.sizes == {"input": {0: 8}, "output": {0: 1}, "feature": {}}
    reports.check_received(bytes(8))
    reports.check_sent("output", b"\0\1")


def test_mouse() -> None:
    reports = parse_report_descriptor(MOUSE)
    assert reports.sizes == {"input": {0: 3}, "output": {}, "feature": {}}
    with pytest.raises(ValueError, match="expected no output report, got 2 bytes that begin with 0x00"):
        reports.check_sent("output", b"\0\1")


def test_numbered_reports() -> None:
    reports = parse_report_descriptor(NUMBERED)
    assert reports.numbered
    assert reports.sizes == {"input": {1: 32}, "output": {2: 32}, "feature": {3: 8}}
    assert reports.size("feature", 3) == 8
    reports.check_received(b"\1" + bytes(32))
    reports.check_sent("output", b"\2" + bytes(32))
    reports.check_sent("feature", b"\3" + bytes(8))


@pytest.mark.parametrize("data", [b"", b"\1", b"\1" + bytes(31), b"\1" + bytes(33), b"\2" + bytes(32), bytes(32)])
def test_received_reports_of_a_wrong_size(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected an input report of 33 bytes that begin with 0x01") as caught:
        parse_report_descriptor(NUMBERED).check_received(data)
    assert caught.value.data == data


@pytest.mark.parametrize("data", [b"", b"\2", b"\2" + bytes(31), b"\2" + bytes(33), b"\0" + bytes(32)])
def test_sent_reports_of_a_wrong_size(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected an output report of 33 bytes that begin with 0x02"):
        parse_report_descriptor(NUMBERED).check_sent("output", data)


def test_a_report_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no feature report 1; expected a feature report of 9 bytes"):
        parse_report_descriptor(NUMBERED).size("feature", 1)


def test_push_pop_and_long_items() -> None:
    # Size 8 and count 4, pushed; size 16 in between; a long item of three bytes, which means nothing; popped again.
    descriptor = bytes.fromhex("7508 9504 a4 7510 9102 fe 03 f0 010203 b4 8102 c0")
    assert parse_report_descriptor(descriptor).sizes == {"input": {0: 4}, "output": {0: 8}, "feature": {}}


def test_bits_that_fill_no_byte() -> None:
    assert parse_report_descriptor(bytes.fromhex("7501 9509 8102")).sizes["input"] == {0: 2}


@pytest.mark.parametrize("descriptor", ["75", "26ff", "fe", "fe 05 f0 01"])
def test_descriptors_that_are_cut_short(descriptor: str) -> None:
    with pytest.raises(ProtocolError, match="ends within an item"):
        parse_report_descriptor(bytes.fromhex(descriptor))


def test_a_pop_without_a_push() -> None:
    with pytest.raises(ProtocolError, match="Pop without a Push"):
        parse_report_descriptor(b"\xb4")


@given(some.binary(max_size=100), some.binary(max_size=20))
def test_fuzzed(descriptor: bytes, report: bytes) -> None:
    try:
        reports = parse_report_descriptor(descriptor)
        reports.check_received(report)
    except ProtocolError:
        return
    assert len(report) - reports.numbered in reports.sizes["input"].values()

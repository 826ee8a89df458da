"""Protocol decoders of sigrok on signals that we make, bit by bit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from instruments.sigrok import Annotation, SigrokDevice, SigrokError, decode
from instruments.sio import sigrok as blocking_sigrok
from sockio.errors import ConnectionTimeoutError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour
from tests.instruments.sigrok_signals import i2c, spi, uart

pytestmark = pytest.mark.skipif(shutil.which("sigrok-cli") is None, reason="no sigrok-cli (Debian: sigrok-cli)")


@pytest.fixture(params=FLAVOURS, ids=lambda flavour: flavour.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


def texts(records: list[Annotation], kind: str) -> list[str]:
    return [record.text for record in records if record.kind == kind]


def test_uart(flavour: Flavour) -> None:
    data = {"D0": uart(b"Hello \x00\xff\n", 1e6, 115200), "D1": uart(b"", 1e6, 115200)[:1]}
    data["D1"] = np.zeros(len(data["D0"]), np.uint8)
    function = decode if flavour.is_async else blocking_sigrok.decode
    records = flavour.call(function, data, 1e6, ["uart:rx=D0:baudrate=115200"])
    assert bytes.fromhex("".join(texts(records, "rx-data"))) == b"Hello \x00\xff\n"
    first = next(record for record in records if record.kind == "rx-data")
    # The start bit is the 21st bit: its eight data bits begin at the 22nd.
    assert (first.decoder, first.text) == ("uart-1", "48")
    assert first.start == pytest.approx(21 * 1e6 / 115200, abs=2)
    assert first.end == pytest.approx(29 * 1e6 / 115200, abs=2)
    assert [record.start for record in records] == sorted(record.start for record in records)


def test_i2c() -> None:
    records = blocking_sigrok.decode(i2c(0x50, b"\x12\xab"), 1e6, "i2c:scl=SCL:sda=SDA")
    assert texts(records, "start") == ["Start"]
    assert texts(records, "address-write") == ["Address write: 50", "Write"]
    assert texts(records, "data-write") == ["Data write: 12", "Data write: AB"]
    assert texts(records, "ack") == ["ACK"] * 3
    assert texts(records, "stop") == ["Stop"]


def test_spi() -> None:
    lines = spi(b"\x9f\x00\x55", b"\x00\xef\xaa")
    records = blocking_sigrok.decode(lines, 1e6, ["spi:clk=CLK:mosi=MOSI:miso=MISO:cs=CS"])
    assert texts(records, "mosi-data") == ["9F", "00", "55"]
    assert texts(records, "miso-data") == ["00", "EF", "AA"]


def test_two_at_once_and_one_upon_the_other() -> None:
    """A Modbus request (read two holding registers at 0x10) on one line, text on the other."""
    request = bytes.fromhex("010300100002c5ce")
    data = {"A": uart(request, 1e6, 115200), "B": uart(b"text", 1e6, 115200)}
    length = max(map(len, data.values()))
    data = {name: np.concatenate([line, np.ones(length - len(line), np.uint8)]) for name, line in data.items()}
    both = blocking_sigrok.decode(data, 1e6, ["uart:rx=A:baudrate=115200,modbus", "uart:rx=B:baudrate=115200"])
    decoders = {record.decoder for record in both}
    assert decoders == {"uart-1", "uart-2", "modbus-1"}
    second = [record.text for record in both if (record.decoder, record.kind) == ("uart-2", "rx-data")]
    assert bytes.fromhex("".join(second)) == b"text"
    assert any("Function 3" in record.text for record in both if record.decoder == "modbus-1")


def test_records_of_a_capture(flavour: Flavour) -> None:
    """The lowest channel of a counter is a clock, which is what the decoder finds."""
    device = flavour.make(SigrokDevice, "sigrok::demo")
    options: dict[str, Any] = {"group": "Logic", "options": {"pattern": "incremental"}}
    capture = flavour.call(device.read, ["D0", "D1"], num_samples=100, decode=["counter:data=D1"], **options)
    t, data = capture
    assert len(t) == len(data["D1"]) == 100
    assert capture.records
    assert {record.decoder for record in capture.records} == {"counter-1"}


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        ("nosuch:rx=D0", "Failed to load protocol decoder nosuch"),
        ("uart:rx=D9", 'No channel with name "D9"'),
        ("uart:rx=D0:baudrat=9600", "Unknown option or channel 'baudrat'"),
        ("uart:rx=D0:baudrate=fast", "requires a number"),
        ("i2c:scl=D0", "Required channel 'sda'"),
        ("spi:clk=D0", "Either MISO or MOSI"),
    ],
)
def test_what_cannot_be_decoded(decoder: str, message: str) -> None:
    """The program itself goes on without an option that it does not know."""
    data = {"D0": uart(b"x", 1e6, 9600)}
    with pytest.raises(SigrokError, match=message):
        blocking_sigrok.decode(data, 1e6, [decoder])


def test_no_decoders() -> None:
    assert blocking_sigrok.decode({"D0": np.zeros(10, np.uint8)}, 1e6, []) == []
    with pytest.raises(ValueError, match="uart:rx=D0"):
        blocking_sigrok.decode({"D0": np.zeros(10, np.uint8)}, 1e6, "")


def test_nothing_to_decode() -> None:
    with pytest.raises(ValueError, match="decoders need logic channels, there are A0, A1"):
        blocking_sigrok.decode({"A0": np.zeros(10), "A1": np.zeros(10)}, 1e6, "uart:rx=A0")


def test_decoding_takes_too_long() -> None:
    data = {"D0": uart(bytes(100_000), 1e6, 1e5)}
    with pytest.raises(ConnectionTimeoutError, match="timed out"):
        blocking_sigrok.decode(data, 1e6, ["uart:rx=D0"], timeout=0.3)

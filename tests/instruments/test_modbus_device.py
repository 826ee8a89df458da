"""Modbus devices on every flavour: against the simulated device, and against scripted ones that misbehave."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from instruments.byte_stream import ByteStreamPipe
from instruments.modbus import ModBusDevice, ModbusError, pacing, station
from sockio import aio, sio
from sockio import trio as sockio_trio
from sockio.errors import ConnectionEOFError, ProtocolError
from tests.instruments.modbus_peers import COILS, DISCRETE, HOLDING, INPUT, modbus_peer, rtu_peer, simulated, tcp_frame
from tests.instruments.pipe_flavours import FLAVOURS, Flavour
from tests.instruments.test_modbus_codec import with_crc

#: The resource strings of the simulated device by its framing; unit 1.
ADDRESSES = ["modbus::tcp::{}::1", "modbus::rtu::{}::1", "modbus::rtu::{}::115200::8N1::1"]


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench([simulated(fault_delay=0.3)]) as bench:
        yield bench


@pytest.fixture(params=[0, 1, 2], ids=["tcp", "rtu over tcp", "serial"])
def address(request: pytest.FixtureRequest, bench: Any) -> str:
    url = bench.url("modbusdevice", request.param)
    return str(ADDRESSES[request.param].format(url))


def test_all_tables(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    call = flavour.call
    assert call(device.read_holding, 150, 10) == HOLDING[150:160]
    assert call(device.read_input, 20) == [INPUT[20]]
    assert call(device.read_discrete, 5, 19) == DISCRETE[5:24]
    for count in (1, 7, 8, 9, 2000):  # exactly so many, and not what fills the last byte
        assert call(device.read_coil, 100, count) == COILS[100 : 100 + count]
    call(device.write_registers, 10, [1, 0xFFFF, 3])
    assert call(device.read_holding, 9, 5) == [109, 1, 0xFFFF, 3, 113]
    call(device.write_register, 11, 42)
    call(device.mask_write_register, 11, 0xFFF0, 0x0005)
    assert call(device.read_holding, 10, 3) == [1, 37, 3]
    assert call(device.read_write_registers, 10, 2, 12, [7, 8]) == [1, 37]
    assert call(device.read_holding, 12, 2) == [7, 8]
    call(device.write_registers, 9, HOLDING[9:14])
    pattern = [True, True, False, True, False, False, True, True, True, False, True]
    call(device.write_coils, 7, pattern)
    call(device.write_coil, 9, True)
    assert call(device.read_coil, 7, 11) == [True, True, True, *pattern[3:]]
    call(device.write_coils, 7, COILS[7:18])
    call(device.drop)


def test_long_ranges(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    call = flavour.call
    with pytest.raises(ValueError, match="count must be 1 to 125, not 200"):
        call(device.read_holding, 0, 200)
    assert call(device.read_holding, 0, 200, split=True) == HOLDING
    assert call(device.read_input, 0, 126, split=True) == INPUT[:126]
    assert call(device.read_coil, 0, 2100, split=True) == COILS
    assert call(device.read_discrete, 3, 2001, split=True) == DISCRETE[3:2004]
    beyond = call(device.read_holding, 200, 200, split=True)
    assert call(device.read_holding, np.uint8(200), np.uint8(200), split=True) == beyond == [0] * 200
    with pytest.raises(ValueError, match="the last address is 65535"):
        call(device.read_holding, 65400, 137, split=True)
    values = [index * 7 & 0xFFFF for index in range(300)]
    with pytest.raises(ValueError, match="count must be 1 to 123, not 300"):
        call(device.write_registers, 5000, values)
    call(device.write_registers, 5000, values, split=True)
    assert call(device.read_holding, 5000, 300, split=True) == values
    bits = [index % 7 == 0 for index in range(2500)]
    call(device.write_coils, 5000, bits, split=True)
    assert call(device.read_coil, 5000, 2500, split=True) == bits
    call(device.drop)


def test_numbers_and_texts(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    call = flavour.call
    for kind, value in (
        ("int16", -5),
        ("uint16", 65000),
        ("int32", -70000),
        ("uint32", 3_000_000_000),
        ("int64", -(2**40)),
        ("uint64", 2**63),
        ("float32", 1.5),
        ("float64", 0.1),
    ):
        orders: dict[str, Any] = {"byte_order": "little"} if "16" in kind else {"word_order": "little"}
        for options in ({}, orders):
            call(getattr(device, f"write_{kind}"), 6000, value, **options)
            assert call(getattr(device, f"read_{kind}"), 6000, **options) == value
            call(device.write_values, 6000, kind, [value] * 20, **options)
            assert call(device.read_values, 6000, kind, 20, **options) == [value] * 20
    call(device.write_registers, 6100, [0x2065, 0x47F1])
    assert call(device.read_float32, 6100, word_order="little") == 123456.7890625
    assert call(device.read_uint16, 3, table="input") == INPUT[3]
    numbers = [index / 8 for index in range(100)]
    call(device.write_values, 6200, "float64", numbers, split=True)
    assert call(device.read_values, 6200, "float64", 100, split=True) == numbers
    call(device.write_string, 6300, "Keithley", 20)
    assert call(device.read_string, 6300, 20) == "Keithley"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32-be"):
        for text in ("µV", "\u0100\u0001\u0100", ""):
            call(device.write_string, 6300, text, 40, encoding)
            assert call(device.read_string, 6300, 40, encoding) == text
    call(device.write_string, 6300, "µV", 4, "utf-8")
    with pytest.raises(ProtocolError, match="expected a text in ascii, got"):
        call(device.read_string, 6300, 4)
    with pytest.raises(ValueError, match="kind must be one of int16"):
        call(device.read_values, 0, "int8", 1)
    with pytest.raises(ValueError, match='word_order must be "big"'):
        call(device.read_float32, 0, word_order="middle")
    with pytest.raises(ValueError, match='table must be "holding"'):
        call(device.read_float32, 0, table="coils")
    call(device.drop)


def test_custom_functions(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    call = flavour.call
    assert call(device.send_custom_command, 100, b"abc") == b"abc"
    assert call(device.send_custom_command, 100, b"abcdef", reply_length=6) == b"abcdef"
    assert call(device.send_custom_command, 100, bytes(range(252))) == bytes(range(252))
    assert call(device.send_custom_command, 3, b"\0\1\0\1") == b"\x02" + HOLDING[1].to_bytes(2, "big")
    with pytest.raises(ModbusError, match="function 105 with exception 1: illegal function"):
        call(device.send_custom_command, 105, b"abc")
    assert call(device.ddp, 5, 1, b"\xaa\xbb") == b"\x81\xaa\xbb"
    assert call(device.ddp, 5, 1, b"\xaa\xbb", response=False) == b""
    assert call(device.read_holding, 0) == [HOLDING[0]]
    call(device.drop)


def test_exceptions(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    for _ in range(2):
        flavour.call(device.send_custom_command, 65, b"exception")
        with pytest.raises(ModbusError, match="unit 1 answers function 4 with exception 4: server device") as caught:
            flavour.call(device.read_input, 0)
        assert (caught.value.unit, caught.value.function, caught.value.code) == (1, 4, 4)
    assert flavour.call(device.read_input, 0) == [INPUT[0]]
    assert device._place.connection.connection_counter == 1  # the connection was in order all the time
    flavour.call(device.drop)


@pytest.mark.parametrize(
    ("fault", "error", "complaint"),
    [
        ("late", TimeoutError, r"timed out after 0\.[01]"),
        ("silent", TimeoutError, r"timed out after 0\.[01]"),
        ("unit", ProtocolError, "from unit 1, got one from 2"),
        ("garbled", ProtocolError, "a valid CRC|protocol 0"),
    ],
)
def test_faults(
    flavour: Flavour,
    address: str,
    fault: str,
    error: type[Exception],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens to an answer, that call fails, and the next ones have their own answers."""
    monkeypatch.setattr(pacing, "LATEST_ANSWER", 0.5)  # 0.3 s late is the latest here
    device = flavour.make(ModBusDevice, address, timeout=0.1)
    flavour.call(device.send_custom_command, 65, fault.encode(), len(fault), timeout=10)
    with pytest.raises(error, match=complaint):
        flavour.call(device.read_holding, 1)
    assert flavour.call(device.read_holding, 2, timeout=10) == [HOLDING[2]]
    assert flavour.call(device.read_holding, 3, timeout=10) == [HOLDING[3]]
    flavour.call(device.drop)


def test_an_answer_to_an_earlier_request_is_dropped(flavour: Flavour, bench: Any) -> None:
    device = flavour.make(ModBusDevice, f"modbus::tcp::{bench.url('modbusdevice')}::1", timeout=10)
    for index in range(5):
        flavour.call(device.send_custom_command, 65, b"transaction")
        assert flavour.call(device.read_holding, index) == [HOLDING[index]]
    assert device._place.connection.connection_counter == 1
    flavour.call(device.drop)


def test_a_unit_that_is_not_there(flavour: Flavour, bench: Any) -> None:
    device = flavour.make(ModBusDevice, f"modbus::tcp::{bench.url('modbusdevice')}::9", timeout=0.1)
    with pytest.raises(TimeoutError, match=r"timed out after 0.1 s receiving"):
        flavour.call(device.read_holding, 0)
    other = flavour.make(ModBusDevice, f"modbus::tcp::{bench.url('modbusdevice')}", timeout=10)
    assert other.station_address == 255
    assert flavour.call(other.read_holding, 0) == [HOLDING[0]]
    flavour.call(device.drop)


def test_units_share_the_connection_and_the_lock(flavour: Flavour) -> None:
    requests: list[bytes] = []
    script = lambda transaction, unit, pdu: tcp_frame(transaction, unit, bytes([3, 2, 0, unit]))  # noqa: E731
    with modbus_peer(script, requests) as peer:
        one, two = (flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::{unit}") for unit in (1, 2))
        assert flavour.call(one.read_holding, 7) == [1]
        assert flavour.call(two.read_holding, 7) == [2]
        assert requests == [b"\1\3\0\7\0\1", b"\2\3\0\7\0\1"]
        assert peer.connections == 1
        assert one._lock is two._lock
        flavour.call(one.drop)


def test_no_two_requests_have_the_same_transaction(flavour: Flavour) -> None:
    seen: list[int] = []

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        seen.append(transaction)
        return tcp_frame(transaction, unit, b"\3\2\0\0")

    with modbus_peer(script) as peer:
        devices = [flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::{unit}") for unit in (1, 1)]
        for _ in range(20):
            for device in devices:
                flavour.call(device.read_holding, 0)
        assert len(set(seen)) == 40
        flavour.call(devices[0].drop)


def test_answers_in_pieces_and_with_late_ones_between(flavour: Flavour) -> None:
    def script(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        late = tcp_frame(transaction - 1 & 0xFFFF, unit, b"\3\2\xba\xad")
        frame = late + tcp_frame(transaction, unit, b"\3\2\0" + pdu[2:3])
        return [frame[index : index + 1] for index in range(len(frame))]

    with modbus_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        for index in range(10):
            assert flavour.call(device.read_holding, index) == [index]
        flavour.call(device.drop)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"\3\4\0\0\0\0", "expected an answer of 4 bytes, got 6"),
        (b"\3\2\0", "expected an answer of 4 bytes, got 3"),
        (b"\4\2\0\0", "expected an answer to function 3"),
        (b"\x84\2", "expected an answer to function 3"),
    ],
)
def test_answers_that_make_no_sense(flavour: Flavour, answer: bytes, complaint: str) -> None:
    answers = [answer]

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        return tcp_frame(transaction, unit, answers.pop() if answers else b"\3\2\0\7")

    with modbus_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        with pytest.raises(ProtocolError, match=rf"127.0.0.1:{peer.port}: {complaint}"):
            flavour.call(device.read_holding, 0)
        assert flavour.call(device.read_holding, 0) == [7]
        assert peer.connections == 2  # what makes no sense ends the connection
        flavour.call(device.drop)


@pytest.mark.parametrize("echo", [b"\x10\0\1\0\1", b"\x10\0\0\0\2", b"\x06\0\0\0\1"])
def test_a_write_that_is_confirmed_wrongly(flavour: Flavour, echo: bytes) -> None:
    with modbus_peer(lambda transaction, unit, pdu: tcp_frame(transaction, unit, echo)) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        with pytest.raises(ProtocolError, match="expected an answer"):
            flavour.call(device.write_registers, 0, [1])
        flavour.call(device.drop)


def test_a_connection_that_ends_in_the_middle(flavour: Flavour) -> None:
    def script(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        raise OSError("hang up")

    with modbus_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        with pytest.raises(ConnectionEOFError):
            flavour.call(device.read_holding, 0)
        flavour.call(device.drop)


def test_nothing_is_sent_that_breaks_a_limit(flavour: Flavour) -> None:
    requests: list[bytes] = []
    with modbus_peer(lambda *_: b"", requests) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1")
        for method, args in (
            ("read_holding", (0, 126)),
            ("read_input", (0, 0)),
            ("read_coil", (0, 2001)),
            ("read_discrete", (65536,)),
            ("write_registers", (0, [0] * 124)),
            ("write_registers", (0, [65536])),
            ("write_coils", (0, [True] * 1969)),
            ("read_string", (0, 251)),
            ("send_custom_command", (0,)),
            ("ddp", (0, 0, bytes(250))),
        ):
            with pytest.raises(ValueError, match="must be"):
                flavour.call(getattr(device, method), *args)
        assert peer.connections == 0


def test_broadcasts(flavour: Flavour, bench: Any) -> None:
    """Unit 0 over RTU is everybody, and nobody answers."""
    everybody = flavour.make(ModBusDevice, f"modbus::rtu::{bench.url('modbusdevice', 1)}::0", timeout=10)
    one = flavour.make(ModBusDevice, f"modbus::rtu::{bench.url('modbusdevice', 1)}::1", timeout=10)
    flavour.call(everybody.write_registers, 7000, [1, 2, 3])
    flavour.call(everybody.write_register, 7003, 4)
    flavour.call(everybody.write_coils, 7000, [True] * 3)
    flavour.call(everybody.write_registers, 7100, [5] * 200, split=True)
    assert flavour.call(one.read_holding, 7000, 4) == [1, 2, 3, 4]
    assert flavour.call(one.read_holding, 7100, 200, split=True) == [5] * 200
    assert flavour.call(one.read_coil, 7000, 4) == [True, True, True, False]
    for split in (False, True):
        with pytest.raises(ValueError, match="is a broadcast: function 3 would not be answered"):
            flavour.call(everybody.read_holding, 0, split=split)
    flavour.call(one.drop)


def test_unit_0_over_tcp(flavour: Flavour) -> None:
    """It is the device itself, unless a gateway makes a broadcast of it."""
    requests: list[bytes] = []
    script = lambda transaction, unit, pdu: tcp_frame(transaction, unit, pdu[:5])  # noqa: E731
    with modbus_peer(script, requests) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::0", timeout=10)
        flavour.call(device.write_register, 1, 2)
        everybody = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::0", broadcast=True)
        flavour.call(everybody.write_register, 3, 4)
        flavour.call(device.write_register, 5, 6)  # what the broadcast is answered is not taken for it
        assert requests == [b"\0\6\0\1\0\2", b"\0\6\0\3\0\4", b"\0\6\0\5\0\6"]
        flavour.call(device.drop)


def test_the_lock_of_a_device(flavour: Flavour, address: str) -> None:
    device = flavour.make(ModBusDevice, address, timeout=10)
    other = flavour.make(ModBusDevice, address, timeout=0.1)
    with flavour.inside(device):
        assert device.locked
        assert flavour.call(device.read_holding, 4) == [HOLDING[4]]
        with pytest.raises(TimeoutError):
            flavour.actor().call(other.read_holding, 4)
    assert flavour.call(other.read_holding, 4, timeout=10) == [HOLDING[4]]
    flavour.call(device.drop)


# Over other connections


def test_over_a_byte_stream_pipe(flavour: Flavour, bench: Any) -> None:
    pipe = flavour.make(ByteStreamPipe, f"tcp::{bench.url('modbusdevice', 1)}", 10)
    device = ModBusDevice(pipe, timeout=10)
    assert (device.protocol, device.station_address, device.timeout) == ("rtu", 1, 10)
    assert device.instrument == f"tcp://{bench.url('modbusdevice', 1)}"
    assert device.bytestream_pipe is pipe
    assert flavour.call(device.read_holding, 3) == [HOLDING[3]]
    assert device._place.connection is pipe._place.connection or pipe._place.home is not device._place.home
    flavour.call(pipe.drop)


def test_the_pipe_under_a_device(flavour: Flavour, bench: Any) -> None:
    device = flavour.make(ModBusDevice, f"tcp::{bench.url('modbusdevice', 1)}", "RTU", 255, 10)
    assert (device.protocol, device.station_address) == ("rtu", 255)
    assert flavour.call(device.read_holding, 3) == [HOLDING[3]]
    frame = with_crc(b"\xff\3\0\3\0\1")
    pipe = device.bytestream_pipe
    flavour.call(pipe.write, frame)
    assert flavour.call(pipe.read_exact, 7) == with_crc(b"\xff\3\2" + HOLDING[3].to_bytes(2, "big"))
    flavour.call(device.drop)


STREAMS: dict[str, Callable[[str, int], Any]] = {
    "asyncio": aio.TCP,
    "trio": sockio_trio.TCP,
    "blocking": sio.TCP,
    "futures": lambda host, port: sio.TCP(host, port, resolve_futures=False),
}


def test_over_a_stream(flavour: Flavour, bench: Any) -> None:
    stream = STREAMS[flavour.name]("127.0.0.1", bench.port("modbusdevice"))
    device = ModBusDevice(stream, "tcp", timeout=10)
    assert flavour.call(device.read_holding, 3) == [HOLDING[3]]
    if not flavour.is_async:
        from instruments import sio as instruments_sio

        mirrored = instruments_sio.ModBusDevice(stream, "tcp", timeout=10)
        assert flavour.call(mirrored.read_holding, 4) == [HOLDING[4]]
    with pytest.raises(TypeError, match="use that for plain bytes"):
        _ = device.bytestream_pipe
    flavour.call(stream.close)


def test_calls_that_block_do_not_take_a_stream_that_is_awaited() -> None:
    from instruments import sio as instruments_sio

    with pytest.raises(TypeError, match=r"BlockingModBusDevice does not take .* whose calls are awaited"):
        instruments_sio.ModBusDevice(aio.TCP("127.0.0.1", 502), "tcp")


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("modbus::tcp::127.0.0.1:502::1", "rtu"), "has the protocol 'tcp', and not 'rtu'"),
        (("modbus::tcp::127.0.0.1:502::1", None, 2), "has the station_address 1, and not 2"),
        (("tcp::127.0.0.1:502", "ascii"), 'protocol must be "tcp" or "rtu", not \'ascii\''),
        (("tcp::127.0.0.1:502", "tcp", 256), "station_address must be 0 to 255, not 256"),
        (("vxi::127.0.0.1",), "no Modbus device and no stream of bytes; ScpiPipe opens it"),
        (("modbus::udp::127.0.0.1:502",), "framing must be one of tcp, rtu"),
    ],
)
def test_what_cannot_be_made(args: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ModBusDevice(*args)


def test_what_is_not_said() -> None:
    device = ModBusDevice("tcp::127.0.0.1:502")
    assert (device.protocol, device.station_address, device.timeout) == ("rtu", 1, 1.0)
    device = ModBusDevice("modbus::tcp::127.0.0.1:502")
    assert (device.protocol, device.station_address, device.timeout) == ("tcp", 255, 1.0)
    assert ModBusDevice("modbus::tcp::tcp://127.0.0.1:502?timeout=3::1").timeout == 3
    assert repr(device) == "ModBusDevice('modbus::tcp::127.0.0.1:502')"


# RTU behind a bridge


def test_a_late_answer_over_rtu_is_waited_out(flavour: Flavour) -> None:
    """It looks just like the answer to the next request."""

    def script(frame: bytes) -> bytes:
        if frame[3] == 1:
            time.sleep(0.15)
        return with_crc(b"\1\3\2" + frame[2:4])

    with rtu_peer(script) as peer:
        address = f"modbus::rtu::tcp://127.0.0.1:{peer.port}?quiet=0.3::1"
        device = flavour.make(ModBusDevice, address, timeout=10)
        with pytest.raises(TimeoutError):
            flavour.call(device.read_holding, 1, timeout=0.05)
        assert flavour.call(device.read_holding, 2) == [2]
        flavour.call(device.drop)


def test_an_exception_over_rtu_leaves_nothing_behind(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    def script(frame: bytes) -> bytes:
        return bytes.fromhex("01 83 02 C0 F1") if frame[3] == 0 else with_crc(b"\1\3\2\0\7")

    with rtu_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=10)
        with pytest.raises(ModbusError, match="illegal data address"):
            flavour.call(device.read_holding, 0)
        assert flavour.call(device.read_holding, 1) == [7]
        assert caplog.messages == []
        flavour.call(device.drop)


def test_a_custom_answer_over_rtu_that_is_cut_short(flavour: Flavour) -> None:
    answers = [b"\1\x64abc", None, with_crc(b"\1\x64abc")]
    with rtu_peer(lambda frame: answers.pop(0)) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=0.4)
        with pytest.raises(ProtocolError, match="a valid CRC, got 01 64 61 62 63"):
            flavour.call(device.send_custom_command, 100, b"abc", timeout=10)
        with pytest.raises(TimeoutError):
            flavour.call(device.send_custom_command, 100, b"abc")
        assert flavour.call(device.send_custom_command, 100, b"abc", timeout=10) == b"abc"
        flavour.call(device.drop)


def test_a_dropped_device_is_collected() -> None:
    device = ModBusDevice("modbus::tcp::127.0.0.1:502::1")
    pipeline = device.pipeline()
    del device, pipeline
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, station.Station)]

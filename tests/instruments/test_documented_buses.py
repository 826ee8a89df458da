"""What the documents about Modbus and CAN say runs as it is written, but for the addresses."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import can
import pytest
import yaml

from instruments import ModBusDevice, sio
from instruments.can import CanBus, DataMessage, LogWriter
from tests.instruments.can_peers import Node, channel, standard, virtual
from tests.instruments.documented_namespace import run
from tests.instruments.modbus_peers import HOLDING, INPUT, simulated
from tests.instruments.pipe_flavours import until
from tests.instruments.test_can_files import DBC
from tests.instruments.test_gct_bus import answering, node_answers

DOCS = Path(__file__).parents[2] / "docs"


def blocks(document: str, language: str = "python") -> list[str]:
    """Return the blocks of code in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / document).read_text(), re.DOTALL | re.MULTILINE)


def resource_strings(document: str) -> list[str]:
    """Return the resource strings in the first column of its tables."""
    cells = re.findall(r"^\| (`.*?`) \|", (DOCS / document).read_text(), re.MULTILINE)
    return [text for cell in cells for text in re.findall(r"`(.*?)`", cell) if "::" in text]


def printed_by(runtime: str, code: str) -> list[str]:
    result = run(runtime, code)
    assert result["error"] is None, result["error"]
    printed: list[str] = result["printed"]
    return printed


# Modbus


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "blocking"])
def test_modbus(runtime: str, serve_bench: Callable[..., Any]) -> None:
    code = "\n".join(blocks("modbus.md")) + "\nprint(len(values), temperature)\n"
    if runtime == "blocking":  # as the document says
        code = code.replace("from instruments import", "from instruments.sio import").replace("async with", "with")
        code = code.replace("await answer ", "answer.result() ").replace("await ", "")
    with serve_bench([simulated()]) as bench:
        code = code.replace("192.168.1.20:502", bench.url("modbusdevice"))
        float32 = sio.ModBusDevice(f"modbus::tcp::{bench.url('modbusdevice')}::1")
        temperature = float32.read_float32(0x20, table="input", word_order="little")
        assert printed_by(runtime, code) == [str(HOLDING[16:18]), f"100 {temperature}"]
        assert float32.read_holding(0x10, 2) == [0x1234, 0x5678]
        assert float32.read_input(0x20) == [INPUT[0x20]]
        float32.drop()


def test_the_resource_strings_of_modbus() -> None:
    strings = resource_strings("modbus.md")
    assert len(strings) == 5
    for text in strings:
        device = ModBusDevice(text) if text.startswith("modbus") else ModBusDevice(text, "rtu", 1)
        assert (device.protocol, device.station_address) == (text.split("::")[1] if "modbus" in text else "rtu", 1)


def test_the_simulated_device(serve_bench: Callable[..., Any]) -> None:
    """The transports are those of the document, at places that are free."""
    [text] = blocks("modbus.md", "yaml")
    [device] = yaml.safe_load(text)["devices"]
    transports = [{key: value for key, value in each.items() if key != "url"} for each in device["transports"]]
    with serve_bench([{**device, "transports": transports}]) as bench:
        for index, form in enumerate(["modbus::tcp::{}::1", "modbus::rtu::{}::1", "modbus::rtu::{}::9600::8N1::1"]):
            plc = sio.ModBusDevice(form.format(bench.url("plc", index)), timeout=0.3)
            if index == 0:
                for error in (TimeoutError, ValueError):  # late, garbled
                    with pytest.raises(error):
                        plc.read_holding(0)
            assert plc.read_holding(0, 3, timeout=5) == [1, 2, 3]
            plc.drop()


# CAN


@pytest.fixture
def bus() -> Iterator[str]:
    """The name of a virtual bus on which a motor tells its speed all the time, and nodes of the GCT protocol answer."""
    name = channel()
    ending = threading.Event()

    def talk() -> None:
        with virtual(name) as motor:
            while not ending.wait(0.01):
                motor.send(standard(0x123, b"\xd0\x07\x01\0"))

    thread = threading.Thread(target=talk)
    with virtual(name) as other, Node(other, answering(node_answers)) as node:
        thread.start()
        yield name
        ending.set()
        thread.join(10)
    assert all(isinstance(message, can.Message) for message in node.received)


@contextmanager
def ended_when(condition: Callable[[], Any], name: str) -> Iterator[None]:
    """Close the bus, which all threads share, when something is true: so end loops over what is received."""

    def end() -> None:
        until(condition)
        sio.CanBus(f"can::virtual::{name}").disconnect()

    thread = threading.Thread(target=end)
    thread.start()
    yield
    thread.join(20)


def test_can(bus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that blocks, in the order in which it is read; the log is written until the bus is closed."""
    monkeypatch.chdir(tmp_path)
    Path("motor.dbc").write_text(DBC)
    with LogWriter("trace.blf") as log:
        log.write(DataMessage(0x42, data=b"\x07", timestamp=1.0))
    first, loop, *others = (code.replace("can::socket::can0", f"can::virtual::{bus}") for code in blocks("can.md"))
    assert "async for" in loop
    assert len(others) == 4
    with ended_when(lambda: Path("trace.asc").exists() and Path("trace.asc").stat().st_size > 1000, bus):
        printed = printed_by("blocking", "\n".join([first, *others, "print(value, len(readings), response)"]))
    assert printed[0] == r"DataMessage(canid=0x123, data=b'\xd0\x07\x01\x00')"
    assert printed[1] == "Setpoint 1000.0"
    assert printed[2] == r"DataMessage(canid=0x042, data=b'\x07')"
    assert printed[3] == f"b'<>' 3 {bytes([1]) + b'atad'!r}"


def test_a_loop_over_messages(bus: str) -> None:
    loop = blocks("can.md")[1].replace("can::socket::can0", f"can::virtual::{bus}")
    assert "    print(message)" in loop

    class Enough(Exception):
        pass

    async def main() -> None:
        printed: list[Any] = []

        def take(message: Any) -> None:
            printed.append(message)
            if len(printed) == 3:
                raise Enough

        names: dict[str, Any] = {"print": take}
        body = "".join(f"    {line}\n" for line in loop.splitlines())
        exec(f"async def example():\n{body}", names)
        with pytest.raises(Enough):
            await names["example"]()
        assert printed == [DataMessage(0x123, data=b"\xd0\x07\x01\0")] * 3

    asyncio.run(main())


def test_the_resource_strings_of_can() -> None:
    strings = resource_strings("can.md")
    assert len(strings) == 5
    for text in strings:
        CanBus(text.replace("interface::channel::bitrate", "slcan::/dev/ttyACM0::500000"))

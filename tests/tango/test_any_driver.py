"""Drivers of all kinds as devices, without a line written for it, by ``sockio-tango``."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.instruments.conftest import Bench
from tests.tango.clients import Client, Refused
from tests.tango.conftest import Process, eventually, free_port

#: Node 12 asks node 5 for command 3 (type 1, query), and the answer with three bytes (type 1, value).
SYS_CTRL_REQUEST = (1 << 25 | 12 << 18 | 5 << 11 | 3 << 2 | 1).to_bytes(4, "big")
SYS_CTRL_ANSWER = b"\x83" + (1 << 25 | 5 << 18 | 12 << 11 | 3 << 2 | 2).to_bytes(4, "big") + b"\1\2\3\0\0\0\0\0"

Serve = Callable[..., Process]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    devices = [
        {"class": "CryoCon", "io_period": 0},
        {"class": "PowerSupply"},
        {"class": "ModbusDevice", "holding": list(range(100)), "transports": [{"protocol": "tcp"}]},
    ]
    bench = Bench(devices, tmp_path_factory.mktemp("bench"))
    yield bench
    bench.stop()


def test_cryocon_is_a_device(client: Client, serve: Serve, bench: Bench) -> None:
    url = f"tcp://127.0.0.1:{bench.port('cryocon')}"
    driver = "instruments.cryocon:CryoCon"
    serve("sockio-tango", "--driver", driver, "--url", url, "--device", "any/cryocon/1", "cryocon")
    assert client.get("any/cryocon/1", "url") == [url]
    eventually(lambda: client.state("any/cryocon/1") == ("ON", f"Connected to {url}"))
    idn, temperature = client.read("any/cryocon/1", "idn", "channelA_temperature")
    assert idn[0] == "Cryo-con,24C,204683,1.01A"
    assert temperature[0] == pytest.approx(11.456, abs=0.1)
    client.write("any/cryocon/1", "loop1_set_point", 20.0)
    client.write("any/cryocon/1", "date", "2018-02-28")  # which the simulator, like the original one, ignores
    before = date.today()
    values = [value for value, _, _ in client.read("any/cryocon/1", "loop1_set_point", "date")]
    assert values[0] == 20.0
    assert before.isoformat() <= values[1] <= date.today().isoformat()
    assert client.config("any/cryocon/1", "loop1_rate")["max_value"] == "100"
    with pytest.raises(Refused, match="API_WAttrOutsideLimit"):
        client.write("any/cryocon/1", "loop1_rate", 101.0)
    assert json.loads(client.command("any/cryocon/1", "pid_table1_read"))["entries"] == []


def test_an_instrument_that_speaks_scpi_is_a_device(client: Client, serve: Serve, bench: Bench, tmp_path: Path) -> None:
    url = f"tcp::127.0.0.1:{bench.port('powersupply')}"
    declaration = tmp_path / "supply.yml"
    declaration.write_text(
        """
        device: PowerSupply
        attributes:
          voltage: {read: query, arguments: ["VOLT?"], type: float, unit: V}
          idn: identifier
        commands:
          select: {from: write, description: A message.}
        """
    )
    options = ["--driver", "scpi", "--url", url, "--declaration", str(declaration), "--server", "Supplies"]
    serve("sockio-tango", *options, "--device", "any/scpi/1", "1")
    assert {"any/scpi/1", "PowerSupply"} <= set(client.devices_of("Supplies/1"))
    eventually(lambda: client.state("any/scpi/1")[0] == "ON")
    client.command("any/scpi/1", "select", "VOLT 3.5")
    (voltage, idn, enabled) = client.read("any/scpi/1", "voltage", "idn", "event_status_enable")
    assert voltage[0] == 3.5
    assert "DP832" in idn[0]
    assert enabled[0] == 0
    client.write("any/scpi/1", "event_status_enable", 32)
    assert client.read("any/scpi/1", "event_status_enable")[0][0] == 32
    assert client.command("any/scpi/1", "query", "*ESE?") == "32"
    with pytest.raises(Refused, match="API_WAttrOutsideLimit"):
        client.write("any/scpi/1", "event_status_enable", 256)
    client.command("any/scpi/1", "select", "NONSENSE")
    (error,) = client.command("any/scpi/1", "errors")
    assert json.loads(error)["code"] == -113


def test_a_modbus_device_is_a_device(client: Client, serve: Serve, bench: Bench, tmp_path: Path) -> None:
    declaration = tmp_path / "plc.toml"
    declaration.write_text(
        """
        driver = "modbus"
        [attributes.level]
        read = "read_float32"
        write = "write_float32"
        arguments = [40]
        unit = "mm"
        minimum = 0
        maximum = 1234567.25
        [attributes.counter]
        read = "read_uint32"
        write = "write_uint32"
        arguments = [60]
        minimum = 0.5
        maximum = 1234567
        [attributes.pump]
        read = "read_coil"
        write = "write_coil"
        arguments = [7]
        type = "bool"
        """
    )
    options = ["--declaration", str(declaration), "--device", "any/modbus/1"]
    serve("sockio-tango", *options, "--url", f"modbus::tcp::127.0.0.1:{bench.port('modbusdevice')}::1", "modbus")
    eventually(lambda: client.state("any/modbus/1")[0] == "ON")
    assert client.command("any/modbus/1", "read_holding", [5, 3]) == [5, 6, 7]
    client.command("any/modbus/1", "write_registers", ["20", "[1, 2]"])
    assert client.command("any/modbus/1", "read_holding", [20, 2]) == [1, 2]
    client.write("any/modbus/1", "level", 12.5)
    client.write("any/modbus/1", "pump", True)
    assert [value for value, _, _ in client.read("any/modbus/1", "level", "pump")] == [12.5, True]
    assert client.command("any/modbus/1", "read_coil", [7]) == [True]
    for name, least, most in (("level", 0.0, 1234567.25), ("counter", 1, 1234567)):
        client.write("any/modbus/1", name, most)
        assert client.read("any/modbus/1", name)[0][0] == most
        for beyond in (least - 1, most + 1):
            with pytest.raises(Refused, match="API_WAttrOutsideLimit"):
                client.write("any/modbus/1", name, beyond)
    with pytest.raises(Refused, match="1 to 125"):
        client.command("any/modbus/1", "read_holding", [0, 126])
    assert client.state("any/modbus/1")[0] == "ON"


def test_a_driver_that_connects_by_itself_is_disconnected_by_init(client: Client, serve: Serve) -> None:
    open_at: dict[int, int] = {}

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            port: int = self.request.getsockname()[1]
            open_at[port] = open_at.get(port, 0) + 1
            while self.request.recv(100):
                pass
            open_at[port] -= 1

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as before,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as after,
    ):
        for server in (before, after):
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        old, new = before.server_address[1], after.server_address[1]
        process = serve(
            *("sockio-tango", "--driver", "modbus", "--device", "any/moving/1"),
            *("--url", f"modbus::tcp::127.0.0.1:{old}::1", "moving"),
        )
        eventually(lambda: open_at.get(old) == 1)
        client.put("any/moving/1", url=[f"modbus::tcp::127.0.0.1:{new}::1"])
        client.command("any/moving/1", "Init")
        eventually(lambda: open_at.get(new) == 1)
        eventually(lambda: open_at[old] == 0, lambda: open_at)
        process.kill()
        for server in (before, after):
            server.shutdown()


@pytest.fixture
def supply() -> Iterator[int]:
    """The port of an instrument that understands `own_driver.Supply`."""
    answers = {"MODE?": "SLOW", "NAMES?": "left,right", "SN?": "", "T?": "-", "STATE?": "fine", "V1?": "1.5"}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                text = line.decode().strip()
                name, _, value = text.partition(" ")
                if text == "LIMITS 2?":
                    answer = "0.5,30"
                elif value:
                    answers[f"{name}?"] = answer = value
                else:
                    answer = answers.get(text, "?")
                self.wfile.write(answer.encode() + b"\n")

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_driver_of_ones_own_is_a_device_by_one_call(
    client: Client, serve: Serve, supply: int, tmp_path: Path
) -> None:
    device = "any/own/1"
    script = tmp_path / "supply.py"
    script.write_text(
        "import sys\n"
        "from instruments.tango import serve\n"
        "from tests.tango.own_driver import Supply\n\n"
        f"serve(Supply, 'tcp://127.0.0.1:{supply}', instance='own', device={device!r}, options=sys.argv[1:])\n"
    )
    serve("python", str(script))
    eventually(lambda: client.state(device)[0] == "ON")
    names = ("mode", "names", "serial_number", "temperature", "output1_voltage")
    readings = client.read(device, *names)
    assert [value for value, _, _ in readings] == ["SLOW", ["left", "right"], None, None, 1.5]
    assert [quality for _, quality, _ in readings[2:]] == ["ATTR_INVALID", "ATTR_INVALID", "ATTR_VALID"]
    client.write(device, "mode", "FAST")
    assert client.read(device, "memory")[0][0] == [1, 255]
    for name in ("names", "memory"):
        client.subscribe(device, name)
    client.write(device, "names", ["up", "down"])
    eventually(lambda: client.events(device, "names")[-1][0] == ["up", "down"])
    client.write(device, "output1_voltage", 12.0)
    values = [value for value, _, _ in client.read(device, "mode", "names", "output1_voltage")]
    assert values == ["FAST", ["up", "down"], 12.0]
    with pytest.raises(Refused, match="expected one of FAST, SLOW"):
        client.write(device, "mode", "WARP")
    with pytest.raises(Refused, match="API_WAttrOutsideLimit"):
        client.write(device, "output2_voltage", 30.5)
    assert "could not convert" in client.read(device, "output2_voltage")[0][2]
    assert client.command(device, "limits", 2) == '{"low": 0.5, "high": 30.0}'
    assert client.command(device, "driver_state") == "fine"
    assert client.command(device, "dump") == [ord("?")]
    client.command(device, "ramp", [1.0, 2.0])
    client.put(device, outputs=["1"], prompt=["x"])
    client.command(device, "Init")
    gone, strange = client.read(device, "output2_voltage", "mode")
    assert "without output2" in gone[2]
    assert "KeyError" in strange[2] or "'?'" in strange[2]
    client.put(device, outputs=["many"])
    client.command(device, "Init")
    assert client.state(device)[0] == "FAULT"
    assert "outputs" in client.state(device)[1]


def test_a_can_bus_is_a_device(client: Client, serve: Serve) -> None:
    pytest.importorskip("can")
    received: list[bytes] = []

    class Adapter(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while frame := self.rfile.read(13):
                received.append(frame)
                if frame[1:5] == SYS_CTRL_REQUEST:
                    self.wfile.write(SYS_CTRL_ANSWER)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Adapter) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"can::usrcanet::127.0.0.1:{server.server_address[1]}"
        process = serve("sockio-tango", "--driver", "gct", "--url", url, "--device", "any/can/1", "can")
        eventually(lambda: client.state("any/can/1")[0] == "ON")
        client.command("any/can/1", "heartbeat", [12, 0xABCD])
        eventually(lambda: bytes.fromhex("82 1C33F800 CDAB000000000000") in received, lambda: received)
        assert client.command("any/can/1", "sysctrl_request", ["12", "3", "0a 0b", "5"]) == [1, 2, 3]
        assert bytes.fromhex("82 0230280D 0A0B000000000000") in received
        process.kill()
        server.shutdown()
        thread.join()


def test_instruments_of_several_kinds_are_in_one_server(
    client: Client, serve: Serve, bench: Bench, tmp_path: Path
) -> None:
    cryocon = f"tcp://127.0.0.1:{bench.port('cryocon')}"
    modbus = f"modbus::tcp::127.0.0.1:{bench.port('modbusdevice')}::1"
    script = tmp_path / "lab.py"
    script.write_text(
        "import sys\n"
        "from instruments.tango import devices_of, register, run\n\n"
        f"register('any/several/1', 'CryoCon', 'Lab/several', {cryocon!r})\n"
        f"register('any/several/2', 'ModBusDevice', 'Lab/several', {modbus!r})\n"
        "run([devices_of('cryocon'), devices_of('modbus')], 'Lab', 'several', options=sys.argv[1:])\n"
    )
    serve("python", str(script))
    for name in ("any/several/1", "any/several/2"):
        eventually(lambda name=name: client.state(name)[0] == "ON", lambda name=name: client.state(name))
    assert client.read("any/several/1", "idn")[0][0] == "Cryo-con,24C,204683,1.01A"
    assert client.command("any/several/2", "read_holding", [5, 1]) == [5]


def test_without_a_database(client: Client, serve: Serve, bench: Bench) -> None:
    port = free_port()
    url = f"tcp://127.0.0.1:{bench.port('cryocon')}"
    options = ["--no-database", "--port", str(port), "--device", "lab/cryo/9"]
    serve("CryoCon", "--url", url, *options, "nodb")
    device = f"tango://127.0.0.1:{port}/lab/cryo/9#dbase=no"
    eventually(lambda: client.state(device)[0] in ("ON", "OFF"))
    assert client.read(device, "idn")[0][0] == "Cryo-con,24C,204683,1.01A"

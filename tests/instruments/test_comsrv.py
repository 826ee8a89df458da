"""What a process has open, and what is plugged in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import sockio
from instruments import devices
from instruments.byte_stream import ByteStreamPipe
from instruments.comsrv import ComSrv
from instruments.devices import CanDevice, CanDriverType, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
from instruments.scpi import ScpiPipe
from sockio.resource import parse
from tests.contract.faults_serial import SOCAT, Line
from tests.instruments.pipe_flavours import FLAVOURS, Asyncio, Blocking, Flavour, Peer, answer, listen, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        yield peer


def test_connected_instruments_are_listed(flavour: Flavour, peer: Peer) -> None:
    comsrv = flavour.make(ComSrv)
    pipe = flavour.make(ByteStreamPipe, peer.address)
    resource = f"tcp://127.0.0.1:{peer.port}"
    assert resource not in flavour.call(comsrv.list_instruments)
    assert flavour.call(pipe.query_line, "x") == "y"
    assert resource in flavour.call(comsrv.list_instruments)
    assert resource in flavour.call(comsrv.list_connected_instruments)
    flavour.call(pipe.drop)
    assert resource not in flavour.call(comsrv.list_instruments)


@pytest.mark.parametrize(
    "spelling", ["tcp::127.0.0.1:{}", "tcp:127.0.0.1:{}", "TCPIP::127.0.0.1::{}::SOCKET", "tcp://127.0.0.1:{}?eol=%0D"]
)
def test_drop_in_any_spelling(flavour: Flavour, peer: Peer, spelling: str) -> None:
    comsrv = flavour.make(ComSrv)
    pipe, scpi = flavour.make(ByteStreamPipe, peer.address), flavour.make(ScpiPipe, peer.address)
    assert flavour.call(pipe.query_line, "x") == "y"
    for address in (spelling.format(peer.port), parse(spelling.format(peer.port))):
        connections = peer.connections
        flavour.call(comsrv.drop, address)
        flavour.call(comsrv.drop, address)
        assert f"tcp://127.0.0.1:{peer.port}" not in flavour.call(comsrv.list_instruments)
        assert flavour.call(scpi.query, "x") == "y"
        assert flavour.call(pipe.query_line, "x") == "y"
        assert peer.connections == connections + 1
    flavour.call(pipe.drop)


def test_drop_what_nobody_has_open(flavour: Flavour) -> None:
    comsrv = flavour.make(ComSrv)
    for address in ("vxi::192.168.1.20", "can::loopback", "serial::COM3", "modbus::tcp::1.2.3.4:502", "hid::0483:5750"):
        flavour.call(comsrv.drop, address)
    with pytest.raises(ValueError, match=r"no resource that is supported"):
        flavour.call(comsrv.drop, "nonsense")


def test_instruments_behind_an_adapter(flavour: Flavour, peer: Peer) -> None:
    comsrv = flavour.make(ComSrv)
    pipe = flavour.make(ByteStreamPipe, peer.address)
    for address in (f"prologix::127.0.0.1:{peer.port}::10", f"modbus::rtu::127.0.0.1:{peer.port}::3"):
        flavour.call(pipe.connect)
        flavour.call(comsrv.drop, address)
        assert not pipe._place.connection.connected()


@pytest.mark.parametrize("method", ["drop_all", "shutdown"])
def test_drop_all(flavour: Flavour, peer: Peer, method: str) -> None:
    comsrv = flavour.make(ComSrv)
    with Peer(answer({b"x\n": b"z\n"})) as other:
        pipes = [flavour.make(ByteStreamPipe, somebody.address) for somebody in (peer, other)]
        for _ in range(2):
            assert [flavour.call(pipe.query_line, "x") for pipe in pipes] == ["y", "z"]
            flavour.call(getattr(comsrv, method))
            assert flavour.call(comsrv.list_instruments) == []
        assert (peer.connections, other.connections) == (2, 2)


def test_a_call_that_is_running_ends(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        comsrv = flavour.make(ComSrv)
        pipe = flavour.make(ByteStreamPipe, peer.address, None)
        running = flavour.actor().start(pipe.query_line, "x")
        until(lambda: peer.received)
        flavour.call(comsrv.drop, peer.address)
        with pytest.raises(ConnectionAbortedError, match=str(peer.port)):
            running.result(10)


def test_connections_of_other_event_loops_and_threads(flavour: Flavour) -> None:
    """Everybody waits for a reply that does not come; one call ends all of them, and all can go on."""
    with Peer(listen) as peer, Asyncio() as another, Blocking() as threads:
        kinds = [flavour, another, threads]
        pipes = [kind.make(ByteStreamPipe, peer.address, None) for kind in kinds]
        for kind, pipe in zip(kinds, pipes, strict=True):
            kind.call(pipe.connect)
        comsrv = flavour.make(ComSrv)
        running = threads.start(pipes[2].read_line)
        until(lambda: pipes[2]._place.connection._link.reader)
        assert flavour.call(comsrv.list_instruments) == [f"tcp://127.0.0.1:{peer.port}"]
        flavour.call(comsrv.drop_all)
        with pytest.raises(ConnectionAbortedError):
            running.result(10)
        assert flavour.call(comsrv.list_instruments) == []
        for kind, pipe in zip(kinds, pipes, strict=True):
            kind.call(pipe.write, b"x")
        assert all(pipe._place.connection.connected() for pipe in pipes)
        until(lambda: peer.received == b"xxx")
        flavour.call(comsrv.drop_all)


def test_version(flavour: Flavour) -> None:
    version = flavour.call(flavour.make(ComSrv).get_version)
    assert len(version) == 3
    assert sockio.__version__.startswith(".".join(map(str, version)))


def test_what_is_no_resource_is_not_dropped(flavour: Flavour) -> None:
    with pytest.raises(TypeError, match="resource string"):
        flavour.call(flavour.make(ComSrv).drop, object())


def test_the_guide() -> None:
    async def guide() -> None:
        from instruments import ComSrv

        comsrv = ComSrv()

        # drop a specific instrument
        await comsrv.drop("vxi::192.168.1.20")

        # drop all instrument
        await comsrv.drop_all()

        # list all currently connected instruments
        assert await comsrv.list_instruments() == []

        # shutdown the communication server
        await comsrv.shutdown()

    asyncio.run(guide())


# What is plugged in


def test_everything_can_be_listed(flavour: Flavour) -> None:
    comsrv = flavour.make(ComSrv)
    assert all(isinstance(port, str) for port in flavour.call(comsrv.list_serial_ports))
    assert all(isinstance(device, FtdiDeviceInfo) for device in flavour.call(comsrv.list_ftdis))
    pytest.importorskip("hid")
    assert all(isinstance(device, HidDeviceInfo) for device in flavour.call(comsrv.list_hid_devices))
    pytest.importorskip("can")
    assert all(isinstance(device, CanDevice) for device in flavour.call(comsrv.list_can_devices))


def test_ftdi_adapters() -> None:
    port = SimpleNamespace(
        vid=0x0403, pid=0x6001, serial_number="A50285BI", product="FT232R USB UART", description="n/a"
    )
    device = devices.ftdi_of(port, True)
    assert device == FtdiDeviceInfo(True, 0x0403, 0x6001, "A50285BI", "FT232R USB UART")
    assert device.to_address(115200, "7E2") == parse("ftdi::A50285BI::115200::7E2")
    assert device.to_address(9600) == parse("ftdi::A50285BI::9600::8N1")
    with pytest.raises(ValueError, match=r"9N1"):
        device.to_address(9600, "9N1")
    bare = devices.ftdi_of(
        SimpleNamespace(vid=0x0403, pid=0x6001, serial_number=None, product=None, description="x"), False
    )
    assert bare == FtdiDeviceInfo(False, 0x0403, 0x6001, "", "x")
    with pytest.raises(ValueError, match=r"serial number"):
        bare.to_address(9600)
    with pytest.raises(AttributeError):
        device.port_open = False  # type: ignore[misc]


def test_names_in_the_order_that_people_expect() -> None:
    names = ["COM10", "COM9", "/dev/ttyUSB10", "/dev/ttyUSB2", "/dev/ttyACM0", "COM1"]
    assert sorted(names, key=devices._natural) == [
        "/dev/ttyACM0",
        "/dev/ttyUSB2",
        "/dev/ttyUSB10",
        "COM1",
        "COM9",
        "COM10",
    ]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_whether_a_port_is_open(tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    name = os.ttyname(terminal)
    link = tmp_path / "port"
    link.symlink_to(name)
    assert devices.is_open(name)
    assert devices.is_open(str(link))
    os.close(terminal)
    assert not devices.is_open(name)
    os.close(controller)


def test_hid_devices() -> None:
    found = {
        "path": b"/dev/hidraw0",
        "vendor_id": 0x0483,
        "product_id": 0x5750,
        "serial_number": "A1",
        "release_number": 0x0200,
        "manufacturer_string": "STMicroelectronics",
        "product_string": "Custom HID",
        "interface_number": 0,
    }
    device = devices.hid_device_of(found)
    assert device == HidDeviceInfo(0x0483, 0x5750, "STMicroelectronics", "Custom HID", "A1")
    assert (device.vid, device.pid) == (0x0483, 0x5750)
    assert devices.hid_device_of({**found, "serial_number": ""}).serial_number is None


def test_can_devices() -> None:
    pcan = devices.can_device_of({"interface": "pcan", "channel": "PCAN_USBBUS1", "supports_fd": False})
    assert pcan == CanDevice("PCAN_USBBUS1", CanDriverType.PCAN)
    assert pcan.to_address(125000) == parse("can::pcan::usb1::125000")
    socketcan = devices.can_device_of({"interface": "socketcan", "channel": "can0"})
    assert socketcan == CanDevice("can0", CanDriverType.SOCKETCAN)
    assert socketcan.to_address() == parse("can::socket::can0")
    assert {kind.name: kind.value for kind in CanDriverType} == {"PCAN": "pcan", "SOCKETCAN": "socket"}


@pytest.mark.parametrize(("module", "method"), [("hid", "list_hid_devices"), ("can", "list_can_devices")])
def test_what_is_not_installed(module: str, method: str) -> None:
    code = (
        f"import sys, asyncio; sys.modules[{module!r}] = None\n"
        f"from instruments import hid_nodes; hid_nodes.has_hidraw = lambda: False  # another system than Linux\n"
        f"from instruments.comsrv import ComSrv\n"
        f"asyncio.run(ComSrv().{method}())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert f"ImportError: {'HID devices need' if module == 'hid' else 'CAN adapters need'}" in result.stderr
    assert f"pip install sockio[{module}]" in result.stderr


SCAN = """\
The following devices were found:
demo - Demo device with 13 channels: D0 D1 D2 D3 D4 D5 D6 D7 A0 A1 A2 A3 A4
fx2lafw:conn=1.5 - Saleae Logic with 8 channels: D0 D1 D2 D3 D4 D5 D6 D7
uni-t-ut61e:conn=1a86.e008 - UNI-T UT61E - black with 1 channel: P1
"""


def test_devices_of_sigrok() -> None:
    found = devices.parse_scan(SCAN)
    assert [device.address for device in found] == [
        "sigrok::demo",
        "sigrok::fx2lafw:conn=1.5",
        "sigrok::uni-t-ut61e:conn=1a86.e008",
    ]
    assert [getattr(parse(device.address), "device", None) for device in found] == [
        "demo",
        "fx2lafw:conn=1.5",
        "uni-t-ut61e:conn=1a86.e008",
    ]
    assert found[1].description == "Saleae Logic with 8 channels: D0 D1 D2 D3 D4 D5 D6 D7"
    assert found[2].description == "UNI-T UT61E - black with 1 channel: P1"
    assert devices.parse_scan("") == []
    assert devices.parse_scan("The following devices were found:\n") == []
    warned = devices.parse_scan("sr: something went wrong - with a driver\n" + SCAN)
    assert warned == found


def program(folder: Path, text: str) -> str:
    """Make a sigrok-cli; return a search path with it."""
    path = folder / "sigrok-cli"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_the_real_sigrok(flavour: Flavour) -> None:
    import shutil

    if shutil.which("sigrok-cli") is None:
        pytest.skip("no sigrok-cli")
    found = flavour.call(flavour.make(ComSrv).list_sigrok_devices)
    assert SigrokDeviceInfo("sigrok::demo", found[0].description) in found
    assert "Demo device" in found[0].description


def test_sigrok_that_is_missing_or_fails(flavour: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comsrv = flavour.make(ComSrv)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"not installed, .*apt-get install sigrok-cli.*'sigrok-cli'"):
        flavour.call(comsrv.list_sigrok_devices)
    monkeypatch.setenv("PATH", program(tmp_path, "echo 'sr: no such bus' >&2; exit 1"))
    with pytest.raises(OSError, match=r"sigrok-cli --scan failed: sr: no such bus"):
        flavour.call(comsrv.list_sigrok_devices)
    monkeypatch.setenv("PATH", program(tmp_path, "exec sleep 20"))
    monkeypatch.setattr(devices, "SCAN_TIMEOUT", 0.2)
    with pytest.raises(TimeoutError, match=r"sigrok-cli --scan has not ended in 0.2 s"):
        flavour.call(comsrv.list_sigrok_devices)


@pytest.mark.skipif(SOCAT is None, reason="no socat")
def test_a_serial_line_by_another_name(flavour: Flavour, tmp_path: Path) -> None:
    line = Line(tmp_path)
    try:
        comsrv = flavour.make(ComSrv)
        pipe = flavour.make(ByteStreamPipe, f"serial::{line.port}::9600::8N1")
        assert flavour.call(pipe.query_line, "echo here") == "here"
        device = os.path.realpath(line.port)
        assert flavour.call(comsrv.list_instruments) == [f"serial://{device}"]
        flavour.call(comsrv.drop, f"serial::{device}")
        assert flavour.call(comsrv.list_instruments) == []
        assert flavour.call(pipe.query_line, "echo again") == "again"
        flavour.call(comsrv.drop_all)
    finally:
        line.close()

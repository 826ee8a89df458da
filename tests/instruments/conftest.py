"""A simulated controller behind foreign connection objects, and simulated instruments in a process of their own."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from instruments.simulators.cryocon import CryoCon as Simulator
from tests.ports import free_port, hold

ROOT = Path(__file__).parents[2]


class Wire:
    """A foreign connection object whose methods block; at its other end is a simulator, or a table of replies.

    Attributes:
        lines: what has been sent.
        replies: what is answered to which line, before the simulator is asked.
    """

    def __init__(self, **options: Any) -> None:
        self.device = Simulator("cryo1", io_period=0, **options)
        self.lines: list[bytes] = []
        self.replies: dict[bytes, bytes | Exception] = {}

    def write_readline(self, data: bytes) -> bytes:
        self.lines.append(data)
        reply = self.replies.get(data)
        if isinstance(reply, Exception):
            raise reply
        reply = self.device.answer(data) if reply is None else reply
        assert reply is not None, f"a real connection would wait for ever for the reply to {data!r}"
        return reply

    def write(self, data: bytes) -> None:
        self.lines.append(data)
        reply = [self.device.answer(line) for line in data.splitlines(keepends=True)]
        assert not any(reply), f"{reply!r} would be left over for the next request"


class AsyncWire(Wire):
    """The same with coroutine functions."""

    async def write_readline(self, data: bytes) -> bytes:  # type: ignore[override]
        return super().write_readline(data)

    async def write(self, data: bytes) -> None:  # type: ignore[override]
        super().write(data)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def async_wire() -> AsyncWire:
    return AsyncWire()


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: is_listening(port), process, f"the simulator does not listen at port {port}")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], complaint: str) -> None:
    deadline = time.monotonic() + 20
    while not ready():
        assert process.poll() is None, "the simulator has ended"
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def start_server(config: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """Start ``sinstruments-server`` with a configuration."""
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config))
    server = Path(sys.executable).with_name("sinstruments-server")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen([str(server), "-c", str(path)], env={**os.environ, "PYTHONPATH": paths})


@contextmanager
def serve(config: dict[str, Any], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``sinstruments-server`` with a configuration until the end of the block."""
    process = start_server(config, folder)
    try:
        wait_until_listening(port, process)
        yield process
    finally:
        process.terminate()
        process.wait(10)


#: Where the simulated instruments are, by class.
PACKAGES = {
    "CryoCon": "cryocon",
    "ModbusDevice": "modbus",
    "Multimeter": "multimeter",
    "Oscilloscope": "oscilloscope",
    "PortmapperEntry": "vxi11_portmapper",
    "PowerSupply": "power_supply",
    "Prologix": "prologix",
    "ScpiDevice": "scpi",
}


class Bench:
    """Simulated instruments in a process of their own, at free ports and pseudo-terminals of a folder.

    Attributes:
        process: of the engine.
        devices: their configurations, completed.
    """

    def __init__(self, devices: list[dict[str, Any]], folder: Path) -> None:
        self._folder = folder
        self.devices = [self._complete(device) for device in devices]
        self.process = self._start()

    def url(self, name: str, transport: int = 0) -> str:
        """Return where an instrument is: ``host:port``, or the path of its terminal."""
        device = next(device for device in self.devices if device["name"] == name)
        return str(device["transports"][transport]["url"])

    def port(self, name: str, transport: int = 0) -> int:
        """Return the port of an instrument on 127.0.0.1."""
        return int(self.url(name, transport).rpartition(":")[2])

    def connect(self, name: str, transport: int = 0) -> socket.socket:
        """Return a new bare connection to an instrument."""
        return socket.create_connection(("127.0.0.1", self.port(name, transport)), 10)

    def restart(self) -> None:
        """Kill the engine, and start it anew at the same places."""
        self.stop()
        for transport in self._transports("tcp"):
            hold(int(transport["url"].rpartition(":")[2]))
        self.process = self._start()

    def stop(self) -> None:
        """Kill the engine and remove the links to its terminals, which it leaves behind."""
        self.process.kill()
        self.process.wait(10)
        for link in self._links():
            link.unlink(missing_ok=True)

    def _complete(self, device: dict[str, Any]) -> dict[str, Any]:
        name = device.get("name", device["class"].lower())
        module = PACKAGES[device["class"]]
        transports = [
            {"url": self._place(name, index, transport.get("type", "tcp")), **transport}
            for index, transport in enumerate(device.get("transports", [{}]))
        ]
        return {"package": f"instruments.simulators.{module}", **device, "name": name, "transports": transports}

    def _place(self, name: str, index: int, type: str) -> str:
        return str(self._folder / f"{name}-{index}") if type == "serial" else f"127.0.0.1:{free_port()}"

    def _transports(self, *types: str) -> list[dict[str, Any]]:
        transports = [transport for device in self.devices for transport in device["transports"]]
        return [transport for transport in transports if transport.get("type", "tcp") in types]

    def _links(self) -> list[Path]:
        return [Path(transport["url"]) for transport in self._transports("serial")]

    def _start(self) -> subprocess.Popen[bytes]:
        process = start_server({"devices": self.devices}, self._folder)
        try:
            for transport in self._transports("tcp"):
                wait_until_listening(int(transport["url"].rpartition(":")[2]), process)
            for link in self._links():
                wait_until(link.is_char_device, process, f"the simulator has made no terminal {link}")
        except BaseException:
            process.kill()
            process.wait(10)
            raise
        return process


@pytest.fixture(scope="session")
def serve_bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[dict[str, Any]]], Any]:
    """Starts simulated instruments in a process: ``with serve_bench(devices) as bench: …``.

    Each device is a configuration of `sinstruments`, in which may be left out: ``package``; ``name``, which is then
    the class in lower case; ``transports``, then one raw TCP socket; the ``url`` of a TCP, UDP or serial transport,
    then a free port of 127.0.0.1, or a link to a terminal in a temporary folder. The block begins when all of them can
    be reached, and gets a `Bench`, which says where they are::

        devices = [
            {"class": "Multimeter", "transports": [{}, {"protocol": "hislip"}, {"type": "serial"}]},
            {"class": "Oscilloscope", "faults": ["late", "none", "cut"], "latency": 0.01},
        ]
        with serve_bench(devices) as bench:
            bench.port("multimeter"), bench.port("multimeter", 1), bench.url("multimeter", 2)
            bench.connect("oscilloscope")  # a socket
            bench.restart()  # killed, and started at the same places
    """

    @contextmanager
    def serve_bench(devices: list[dict[str, Any]]) -> Iterator[Bench]:
        gc.collect()  # what has been dropped may have had the same ports
        bench = Bench(devices, tmp_path_factory.mktemp("bench"))
        try:
            yield bench
        finally:
            bench.stop()

    return serve_bench


def configuration(port: int, **options: Any) -> dict[str, Any]:
    """Return the configuration of one simulator on *port*."""
    device = {
        "package": "instruments.simulators.cryocon",
        "class": "CryoCon",
        "name": "cryo1",
        "transports": [{"type": "tcp", "url": f"127.0.0.1:{port}"}],
        **options,
    }
    return {"devices": [device]}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a simulator without the pause between requests, in a process of its own."""
    port = free_port()
    with serve(configuration(port, io_period=0), tmp_path_factory.mktemp("simulator"), port):
        yield port


@pytest.fixture
def simulator(tmp_path: Path) -> Callable[..., Any]:
    """Starts a simulator: ``with simulator(port, **options): …``."""
    return lambda port, **options: serve(configuration(port, **options), tmp_path, port)


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def serve_config(tmp_path: Path) -> Callable[..., Any]:
    """Starts the engine with any configuration: ``with serve_config(config, port): …``."""
    return lambda config, port: serve(config, tmp_path, port)

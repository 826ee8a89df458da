"""A simulated controller behind foreign connection objects, and one in a process of its own on a real port."""

from __future__ import annotations

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


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the simulator has ended"
            assert time.monotonic() < deadline, "the simulator does not listen"
            time.sleep(0.05)


@contextmanager
def serve(config: dict[str, Any], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``sinstruments-server`` with a configuration until the end of the block."""
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config))
    server = Path(sys.executable).with_name("sinstruments-server")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen([str(server), "-c", str(path)], env={**os.environ, "PYTHONPATH": paths})
    try:
        wait_until_listening(port, process)
        yield process
    finally:
        process.terminate()
        process.wait(10)


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

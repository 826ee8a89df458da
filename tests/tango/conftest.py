"""A Tango database, device servers registered in it, and a client, each in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tango", reason="PyTango is not installed")

from tests.tango.clients import Client, Manager, Refused
from tests.tango.recorder import Recorder

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def eventually(condition: Callable[[], Any], complaint: Callable[[], object] = lambda: "") -> Any:
    """Wait until a condition holds, and return what it gives."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)


class Process:
    """A program that runs beside the tests.

    Attributes:
        output: the file of what it prints.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.output = folder / "output"
        self._command, self._environment, self._folder = command, environment, folder
        self.start()

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        eventually(
            lambda: text in self.printed() or self.process.poll() is not None,
            lambda: f"{self._command} does not print {text!r}: {self.printed()}",
        )
        assert self.process.poll() is None, self.printed()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of programs that use the database."""
    port = free_port()
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    variables = {**os.environ, "PYTHONPATH": paths, "TANGO_HOST": f"127.0.0.1:{port}", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tango.databaseds.database", "--host", "127.0.0.1", "--port", str(port), "2"]
    database = Process(command, variables, tmp_path_factory.mktemp("database"))
    try:
        database.wait_for("Ready to accept request")
        yield variables
    finally:
        database.kill()


@pytest.fixture(scope="session")
def client(environment: dict[str, str]) -> Iterator[Client]:
    """A client in a process of its own."""
    manager = Manager(ctx=get_context("spawn"))
    before = os.environ.get("TANGO_HOST")
    os.environ["TANGO_HOST"] = environment["TANGO_HOST"]
    try:
        manager.start()
    finally:
        os.environ.pop("TANGO_HOST")
        if before is not None:
            os.environ["TANGO_HOST"] = before
    try:
        yield manager.Client()  # type: ignore[attr-defined]
    finally:
        manager.shutdown()


@pytest.fixture(scope="session")
def serve(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """Starts a device server, and waits until it is ready: ``serve("sockio-tango", "--driver", …)``."""
    modules = {"CryoCon": "instruments.tango.cryocon", "sockio-tango": "instruments.tango.server"}
    started: list[Process] = []

    def serve(program: str, *arguments: str) -> Process:
        script = Path(sys.executable).with_name(program)
        installed = [str(script)] if script.exists() else [sys.executable, "-m", modules[program]]
        command = [*installed, *arguments, "-ORBendPoint", "giop:tcp:127.0.0.1:0"]
        process = Process(command, environment, tmp_path_factory.mktemp("server"))
        started.append(process)
        process.wait_for("Ready to accept request")
        return process

    yield serve
    for process in started:
        process.kill()
    for process in started:
        assert "Warning" not in process.printed()  # such as that something was never awaited
        assert "Traceback" not in process.printed()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A controller that counts what it is asked."""
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="session")
def cryocon(environment: dict[str, str], serve: Callable[..., Process]) -> Process:
    """The server ``CryoCon/test`` with the device ``test/cryocon/1``, registered as people do it."""
    tangoctl = str(Path(sys.executable).with_name("tangoctl"))
    for command in (
        "server add -s CryoCon/test -d CryoCon test/cryocon/1",
        "device property write -d test/cryocon/1 -p url -v tcp://192.168.123:5000",
    ):
        subprocess.run([tangoctl, *command.split()], env=environment, check=True, timeout=50, stdout=subprocess.DEVNULL)
    return serve("CryoCon", "test")


@pytest.fixture
def device(client: Client, cryocon: Process, recorder: Recorder) -> Iterator[str]:
    """A CryoCon device over the recorder."""
    name = "test/cryocon/1"
    client.put(name, url=[recorder.url], PollingPeriod=["0.05"], ReadValidityPeriod=["0"])
    client.command(name, "Init")
    eventually(lambda: client.state(name)[0] == "OFF", lambda: client.state(name))
    yield name
    for each in ("url", "UsedChannels", "UsedLoops", "PollingPeriod", "ReadValidityPeriod", "AutoLockFrontPanel"):
        client.put(name, **{each: []})
    client.command(name, "Init")


__all__ = ["Refused"]

"""A temperature controller in the lab, and people who watch it from the control room, by Tango.

Run it with ``python -m examples.tango.two_machines``. Two machines are two addresses of this one: 127.0.0.1 is the
control room, which has the database and a client; 127.0.0.2 is the lab, which has the instrument (a simulated one) and
the device servers. Each command is shown as it is typed on its machine.
"""

from __future__ import annotations

import os
import shlex
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import yaml

CONTROL_ROOM, LAB = "127.0.0.1", "127.0.0.2"
ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
DECLARATION = Path(__file__).with_name("cryostat.yml")
PATIENCE = 30  # seconds

#: How the programs are started from this Python, whether the package is installed or not.
PROGRAMS = {
    "CryoCon": [sys.executable, "-m", "instruments.tango.cryocon"],
    "sockio-tango": [sys.executable, "-m", "instruments.tango.server"],
    "python": [sys.executable],
    "sinstruments-server": [str(Path(sys.executable).with_name("sinstruments-server"))],
}


class Machine:
    """A machine, on which programs are started.

    Args:
        name: of the machine.
        address: its IP address.
        folder: where its programs run.
        stack: ends them.
    """

    def __init__(self, name: str, address: str, folder: Path, stack: ExitStack) -> None:
        self.name, self.address = name, address
        self._folder, self._stack = folder, stack

    def start(self, *words: str, ready: str = "Ready to accept request") -> subprocess.Popen[bytes]:
        """Start a program, and wait until it says that it is ready."""
        print(f"{self.name}$ {shlex.join(words)}")
        program, *arguments = words
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as output:
            process = subprocess.Popen(
                [*PROGRAMS[program], *arguments],
                cwd=self._folder,  # where the database keeps its file
                env={**os.environ, "PYTHONPATH": PATHS},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._stack.callback(end, process)
        said = Path(output.name)
        wait_until(lambda: ready in said.read_text() or process.poll() is not None, f"{program} is ready")
        if process.poll() is not None:
            raise RuntimeError(f"{program} has ended: {said.read_text()}")
        return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program, if it still runs."""
    process.kill()
    process.wait()


def free_port(address: str) -> int:
    """Return a port that nobody uses."""
    with socket.create_server((address, 0)) as free:
        port: int = free.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.05)


class Watcher:
    """Shows events, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def push_event(self, event: Any) -> None:
        """Take an event, in a thread of Tango's."""
        if event.err:
            text = f"{event.attr_name.rpartition('/')[2]}: {event.errors[0].reason}"
        else:
            value = event.attr_value
            shown = value.value if value.quality.name == "ATTR_VALID" else value.quality.name.removeprefix("ATTR_")
            text = f"{value.name.lower()}: {shown}"
        self.seen.append(text)
        print(f"    event  {text}")


def main() -> None:
    """Set everything up, use it, break it and watch it heal."""
    database_port, instrument_port = free_port(CONTROL_ROOM), free_port(LAB)
    os.environ["TANGO_HOST"] = f"{CONTROL_ROOM}:{database_port}"  # on both machines, before Tango is imported
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        control_room, lab = Machine("control", CONTROL_ROOM, folder, stack), Machine("lab", LAB, folder, stack)
        database = (
            "python",
            "-m",
            "tango.databaseds.database",
            "--host",
            CONTROL_ROOM,
            "--port",
            str(database_port),
            "2",
        )
        control_room.start(*database)
        print(f"both$ export TANGO_HOST={os.environ['TANGO_HOST']}")

        config = folder / "instrument.yml"
        config.write_text(yaml.safe_dump(instrument(instrument_port)))
        simulator = ("sinstruments-server", "-c", str(config), "--log-level", "INFO")
        running = lab.start(*simulator, ready="listening on")
        url = f"tcp://{LAB}:{instrument_port}"
        here = ("-ORBendPoint", f"giop:tcp:{LAB}:0")
        lab.start("CryoCon", "lab", "--device", "lab/cryocon/1", "--url", url, *here)
        names = ("--server", "Cryostat", "--device", "lab/cryostat/1")
        server = ("sockio-tango", "--declaration", str(DECLARATION), *names, "--url", url, "lab", *here)
        cryostat_server = lab.start(*server)

        import tango

        controller, cryostat = tango.DeviceProxy("lab/cryocon/1"), tango.DeviceProxy("lab/cryostat/1")
        wait_until(lambda: cryostat.state() == tango.DevState.OFF, "the cryostat answers")
        print(f"control> {controller.idn}: channel A at {controller.channelA:.3f} K")
        cryostat.set_point = 20.0
        cryostat.start()
        print(f"control> the cryostat is {cryostat.state()}, goes to {cryostat.set_point} K")
        try:
            cryostat.set_point = 400.0
        except tango.DevFailed as refused:
            print(f"control> 400 K is refused: {refused.args[0].desc}")

        watcher = Watcher()
        for name in ("State", "sample"):
            cryostat.subscribe_event(name, tango.EventType.CHANGE_EVENT, watcher)
        wait_until(lambda: sum(text.startswith("sample: ") for text in watcher.seen) > 1, "the sample changes")
        archive = folder / "cryostat.sqlite"
        attributes = ("lab/cryostat/1/sample", "lab/cryostat/1/heater")
        archiver = ("python", "-m", "examples.tango.archive", str(archive), *attributes)
        control_room.start(*archiver, ready="archiving")

        print("lab$ kill the instrument")
        end(running)
        wait_until(lambda: "sample: INVALID" in watcher.seen, "the loss is told")
        print(f"control> {cryostat.status()}")
        lab.start(*simulator, ready="listening on")
        wait_until(lambda: watcher.seen[-1].startswith(("sample: 1", "state: O")), "the instrument is there again")

        print("lab$ kill the device server")
        end(cryostat_server)
        lab.start(*server)
        wait_until(lambda: answers(cryostat), "the device is there again by its name")
        print(f"control> the sample is at {cryostat.sample:.3f} K")
        with closing(sqlite3.connect(archive)) as file:
            (count,) = file.execute("SELECT count(*) FROM readings WHERE quality = 'VALID'").fetchone()
        print(f"control> the archive has {count} readings")


def answers(device: Any) -> bool:
    """Tell whether a device can be reached, and its instrument."""
    import tango

    try:
        quality: str = device.read_attribute("sample").quality.name
    except tango.DevFailed:
        return False
    return quality == "ATTR_VALID"


def instrument(port: int) -> dict[str, Any]:
    """Return the configuration of the simulated instrument."""
    return {
        "devices": [
            {
                "class": "CryoCon",
                "package": "instruments.simulators.cryocon",
                "name": "cryocon",
                "transports": [{"type": "tcp", "url": f"{LAB}:{port}"}],
            }
        ]
    }


if __name__ == "__main__":
    main()

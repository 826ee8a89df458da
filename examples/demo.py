"""A tour in half a minute: a simulated CryoCon, asked on all four flavours, read live through its own restart.

Run it with ``make demo``. It starts ``sinstruments-server`` with a simulated temperature controller on a free port of
this machine, leaves a plot of what it read in ``demo.png``, and one of a simulated oscilloscope's in ``waveform.png``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from examples.waveform import draw_waveform
from instruments.cryocon import CryoCon
from sockio import Retry, aio, py2, sio
from sockio import trio as sockio_trio

HOST = "127.0.0.1"
IDENTITY = b"*IDN?\n"
REQUESTS = 1000
READINGS = 120
READING_PERIOD = 0.1  # seconds between readings
SPEED = 60  # the cryostat is so many times as fast as a real one
HEATING = {10: 18.0, 70: 20.0}  # from which reading on channel A is heated to how many kelvin
RESTART_AT = 60  # the reading at which the simulator is killed
PICTURE = Path("demo.png")
WAVEFORM = Path("waveform.png")

console = Console()


class Simulator:
    """A simulated CryoCon, in a process of its own, that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server((HOST, 0)) as free, socket.create_server((HOST, 0)) as another:
            self.port: int = free.getsockname()[1]
            self.oscilloscope_port: int = another.getsockname()[1]
        device = {
            "class": "CryoCon",
            "name": "cryostat",
            "transports": [{"type": "tcp", "url": f"{HOST}:{self.port}"}],
            "io_period": 0,  # the real one takes a request every 100 ms: too slow to measure latencies
            "speed": SPEED,
        }
        oscilloscope = {
            "class": "Oscilloscope",
            "name": "oscilloscope",
            "transports": [{"type": "tcp", "url": f"{HOST}:{self.oscilloscope_port}"}],
        }
        self._configuration = folder / "bench.json"
        self._configuration.write_text(json.dumps({"devices": [device, oscilloscope]}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "sinstruments", "-c", str(self._configuration)]
        self._process = subprocess.Popen(command)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def simulated_cryostat() -> Iterator[Simulator]:
    """Run the simulator for the length of a ``with`` block."""
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(Path(folder))
        simulator.start()
        try:
            yield simulator
        finally:
            simulator.kill()


#: The simulator may still be starting, or starting again: connecting is tried for 20 s.
PATIENT: dict[str, Any] = {
    "retry": Retry(attempts=None, delay=0.1, ceiling=0.5),
    "connection_timeout": 20,
    "timeout": 2,
}


async def ask_in_tasks(stream: Any) -> list[float]:
    """Return the seconds that each request took, awaiting them."""
    await stream.write_readline(IDENTITY)
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        await stream.write_readline(IDENTITY)
        times.append(time.perf_counter() - started)
    await stream.close()
    return times


def ask(request: Callable[[], object]) -> list[float]:
    """Return the seconds that each request took, with calls that block."""
    request()
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        request()
        times.append(time.perf_counter() - started)
    return times


def ask_blocking(port: int) -> list[float]:
    stream = sio.TCP(HOST, port, **PATIENT)
    times = ask(lambda: stream.write_readline(IDENTITY))
    stream.close()
    return times


def ask_futures(port: int) -> list[float]:
    stream = sio.TCP(HOST, port, resolve_futures=False, **PATIENT)
    times = ask(lambda: stream.write_readline(IDENTITY).result())
    stream.close().result()
    return times


def ask_python2(port: int) -> list[float]:
    stream = py2.TCP(HOST, port, **{**PATIENT, "retry": py2.Retry(attempts=100, delay=0.1, ceiling=0.5)})
    times = ask(lambda: stream.write_readline(IDENTITY))
    stream.close()
    return times


def ask_asyncio(port: int) -> list[float]:
    return asyncio.run(ask_in_tasks(aio.TCP(HOST, port, **PATIENT)))


def ask_trio(port: int) -> list[float]:
    return trio.run(ask_in_tasks, sockio_trio.TCP(HOST, port, **PATIENT))


FLAVOURS = {
    "asyncio": ask_asyncio,
    "trio": ask_trio,
    "blocking": ask_blocking,
    "futures": ask_futures,
    "Python 2 module": ask_python2,
}


def show_latencies(port: int) -> None:
    """Ask for the identity many times on each flavour, and print how long it took."""
    reply = sio.TCP(HOST, port, **PATIENT).write_readline(IDENTITY)
    console.print(f"[bold]{IDENTITY.decode().strip()}[/] → {reply.decode().strip()}\n")
    console.print(f"{REQUESTS} requests on each flavour, microseconds each:")
    for name, flavour in FLAVOURS.items():
        times = sorted(1e6 * seconds for seconds in flavour(port))
        median, slow = statistics.median(times), times[len(times) * 99 // 100]
        console.print(f"  {name:16} median {median:5.0f}   99th percentile {slow:5.0f}")
    console.print()


@dataclass
class Record:
    """What was read, and when the instrument was away."""

    times: list[float] = field(default_factory=list)
    temperatures: dict[str, list[float]] = field(default_factory=lambda: {channel: [] for channel in "ABCD"})
    away: list[tuple[float, float]] = field(default_factory=list)

    def add(self, when: float, temperatures: list[float | None]) -> None:
        self.times.append(when)
        for history, value in zip(self.temperatures.values(), temperatures, strict=True):
            history.append(math.nan if value is None else value)

    def add_gap(self, begin: float, end: float) -> None:
        self.away.append((begin, end))
        self.add(begin, [None] * len(self.temperatures))


async def readings(cryo: CryoCon) -> AsyncIterator[tuple[float, list[float | None] | OSError]]:
    """Read all the channels in one request, every READING_PERIOD: their temperatures, or why there are none."""
    started = time.monotonic()
    while True:
        try:
            async with cryo as group:
                for channel in "ABCD":
                    cryo[channel].temperature()
            yield time.monotonic() - started, group.replies
        except OSError as error:
            yield time.monotonic() - started, error
        await asyncio.sleep(READING_PERIOD)


async def heat(cryo: CryoCon, set_point: float) -> None:
    """Let loop 1 bring channel A to a temperature in kelvin."""
    await cryo[1].source("A")
    await cryo[1].type("PID")
    await cryo[1].set_point(set_point)
    await cryo.control(True)


async def record_live(simulator: Simulator) -> Record:
    """Read the cryostat with the driver, kill the simulator half-way, start it again and go on."""
    record = Record()
    stream = aio.TCP(
        HOST,
        simulator.port,
        timeout=2,
        on_connection_made=lambda: console.print("  [green]connected[/]"),
        on_connection_lost=lambda error: console.print("  the connection has ended"),
    )
    cryo = CryoCon(stream)
    cryo.io_period = 0
    cryo.io_error_retry_period = 0.2
    lost: float | None = None
    count = 0
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=READINGS)
        async for when, values in readings(cryo):
            if isinstance(values, OSError):
                if lost is None:
                    lost = when
                    console.print(f"  [red]{values}[/]")
                    console.print("  starting the simulator again")
                    simulator.start()
                continue
            if count in HEATING:
                await heat(cryo, HEATING[count])
            if lost is not None:
                record.add_gap(lost, when)
                lost = None
            record.add(when, values)
            count += 1
            shown = "  ".join(f"{channel} {history[-1]:7.2f} K" for channel, history in record.temperatures.items())
            progress.update(task, advance=1, description=shown)
            if count == RESTART_AT:
                console.print("  [bold]killing the simulator[/]")
                simulator.kill()
            if count == READINGS:
                break
    await stream.close()
    console.print(f"  {stream.connection_counter} connections made by one stream, {READINGS} readings\n")
    return record


def plot(record: Record, picture: Path) -> None:
    """Draw the channels' temperatures against time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
    for channel, temperatures in record.temperatures.items():
        axes.plot(record.times, temperatures, label=f"channel {channel}", linewidth=1.5)
    for begin, end in record.away:
        axes.axvspan(begin, end, color="0.85", label="simulator away")
    axes.set(
        title=f"Simulated cryostat, {SPEED} times as fast as a real one", xlabel="time / s", ylabel="temperature / K"
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=120)


def main() -> None:
    with simulated_cryostat() as simulator:
        console.print(f"A simulated CryoCon listens on {HOST}:{simulator.port}\n")
        show_latencies(simulator.port)
        console.print("Live readings on asyncio, through a restart of the simulator:")
        record = asyncio.run(record_live(simulator))
        plot(record, PICTURE)
        console.print(f"Plot saved: {PICTURE.resolve()}\n")
        console.print("The simulated oscilloscope's waveforms, as numpy arrays:")
        draw_waveform(HOST, simulator.oscilloscope_port, WAVEFORM)
        console.print(f"Plot saved: {WAVEFORM.resolve()}")


if __name__ == "__main__":
    main()

"""Messages of the GCT protocol off a CAN bus, over python-can's own reception of their frames on the same bus.

The bus is python-can's client of socketcand, a service that has frames as lines of text over TCP: another process sends
as fast as they are taken, and none is lost.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness import (
    ROOT,
    Comparison,
    Contender,
    Local,
    Options,
    Row,
    at_least,
    pin_to_server_core,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ALTERNATIONS = 30
FRAMES = 20_000

#: Monitoring data of node 12, group 23, reading 53, as socketcand has it.
LINE = b"< frame 0E33FDF5 1700000000.000000 01020304 >"

Run = Callable[[int], None]


def rows(options: Options) -> list[Row]:
    logging.getLogger("can").setLevel(logging.ERROR)  # each time that half a line comes there is a warning
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        for name, make in (("python-can", python_can), ("blocking", blocking), ("asyncio", asynchronous)):
            port = stack.enter_context(service())
            contenders[name] = Local(stack.enter_context(make(port)))
        result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(FRAMES, 100))
    what = "GCT messages off a CAN bus"
    return [
        result.row(
            f"{flavour} {what}, speed over python-can's `recv` of their frames",
            lambda name: result.speed(name, "python-can"),
            flavour,
            [],
            at_least(0.7),
        )
        for flavour in ("blocking", "asyncio")
    ] + [result.row(f"{what}, wall a frame", result.microseconds, "blocking", ["asyncio", "python-can"], unit="us")]


@contextmanager
def python_can(port: int) -> Iterator[Run]:
    """What python-can's users write."""
    import can

    with can.Bus(interface="socketcand", channel="can0", host="127.0.0.1", port=port) as bus:

        def run(count: int) -> None:
            ask(bus, count)
            for _ in range(count):
                assert bus.recv(10) is not None

        yield run


@contextmanager
def blocking(port: int) -> Iterator[Run]:
    from instruments.sio.can import CanBus

    options: dict[str, Any] = {"host": "127.0.0.1", "port": port}
    with CanBus("can::socketcand::can1", **options) as bus, bus.gct(maxsize=0) as receiver:

        def run(count: int) -> None:
            ask(opened(bus), count)
            messages = iter(receiver)
            for _ in range(count):
                assert next(messages).reading_idx == 53

        yield run


@contextmanager
def asynchronous(port: int) -> Iterator[Run]:
    import asyncio

    from instruments.can import CanBus

    bus = CanBus("can::socketcand::can2", host="127.0.0.1", port=port)
    receiver = bus.gct(maxsize=0)

    async def take(count: int) -> None:
        await receiver.connect()
        ask(opened(bus), count)
        for _ in range(count):
            assert (await receiver.next(10)).reading_idx == 53

    loop = asyncio.new_event_loop()
    try:
        yield lambda count: loop.run_until_complete(take(count))
    finally:
        loop.run_until_complete(bus.disconnect())
        loop.close()


def opened(bus: Any) -> Any:
    """Return python-can's bus below ours."""
    return bus._connection._session._bus


def ask(bus: Any, count: int) -> None:
    """Have the service send so many frames."""
    import can

    bus.send(can.Message(arbitration_id=count, is_extended_id=True))


@contextmanager
def service() -> Iterator[int]:
    """A socketcand in a process of its own, on its own core; gives its port."""
    command = [sys.executable, "-m", "tests.benchmarks.can_bus"]
    with Popen(command, stdout=PIPE, text=True, cwd=ROOT, preexec_fn=pin_to_server_core) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def serve() -> None:
    """Send as many frames as the identifier of each frame says that comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.sendall(b"< hi >")
        pending = b""
        while data := connection.recv(4096):
            *lines, pending = (pending + data).split(b">")
            for line in lines:
                words = line.split()
                if words[1] == b"send":
                    connection.sendall(LINE * int(words[2], 16))
                else:
                    connection.sendall(b"< ok >")


if __name__ == "__main__":
    serve()

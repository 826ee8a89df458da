"""Servers of many clients: lines sent back, memory of clients that are idle, and one line to five hundred."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.connections import allow_open_files
from tests.benchmarks.echo_servers import WELCOME
from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import (
    ROOT,
    Comparison,
    Contender,
    Local,
    Options,
    Row,
    at_least,
    at_most,
    pin_to_server_core,
)
from tests.benchmarks.peers.workload import REQUEST

ALTERNATIONS = 30
CLIENTS = 1000
IDLE = 5000
LISTENERS = 500

#: Seconds after which a client that has heard nothing is taken to hang.
PATIENCE = 30

LIMIT, STREAMS = "limit", "asyncio streams"

#: asyncio's own transports read into 256 KiB each time. The GNU C library keeps such memory, or has the system map it
#: anew each time, which costs 20 us, depending on what the process has freed before. Here it is kept.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**24)}


def rows(options: Options) -> list[Row]:
    allow_open_files(3 * IDLE)
    return [*echo(options), *memory(options), *chat(options)]


class ServerProcess:
    """A server of `tests.benchmarks.echo_servers` in a process of its own, on its own core."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.echo_servers", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | KEEP_MEMORY,
            preexec_fn=pin_to_server_core,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def resident(self) -> int:
        """Bytes of memory that the process has now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def close(self) -> None:
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()


@contextmanager
def serving(name: str) -> Iterator[ServerProcess]:
    server = ServerProcess(name)
    try:
        yield server
    finally:
        server.close()


def connect(stack: ExitStack, server: ServerProcess, count: int) -> list[socket.socket]:
    """So many clients; the server may not have come round to all of them yet."""
    clients = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(count)]
    for client in clients:
        stack.callback(client.close)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return clients


def ask_all(clients: list[socket.socket]) -> None:
    """One line from each client, and its answer."""
    for client in clients:
        client.send(REQUEST)
    for client in clients:
        assert client.recv(100) == REQUEST


def echo(options: Options) -> list[Row]:
    """Lines sent back, one under way for each client."""
    with ExitStack() as stack:
        count = options.amount(CLIENTS, 20)
        contenders: dict[str, Contender] = {}
        for name in ("sockio", LIMIT, STREAMS):
            clients = connect(stack, stack.enter_context(serving(name)), count)
            contenders[name] = Local(rounds(clients))
        result = Comparison(contenders, options.turns(ALTERNATIONS), 5 * count)
    what = f"echo server, {CLIENTS} clients, lines a second"
    return [
        result.row(f"{what} over a bare `asyncio.Protocol` server", result.speed, "sockio", [STREAMS], at_least(0.85)),
        result.row("echo server, wall a line", result.microseconds, "sockio", [LIMIT, STREAMS], unit="us"),
    ]


def rounds(clients: list[socket.socket]) -> Callable[[int], None]:
    def run(lines: int) -> None:
        for _ in range(lines // len(clients)):
            ask_all(clients)

    return run


def memory(options: Options) -> list[Row]:
    """What a client costs that has been served once and is silent since."""
    few, many = options.amount(CLIENTS, 20), options.amount(IDLE, 60)
    half = (many - few) // 2
    each: dict[str, Estimate] = {}
    growth: dict[str, Estimate] = {}
    for name in ("sockio", LIMIT, STREAMS):
        with serving(name) as server, ExitStack() as stack:
            ask_all(connect(stack, server, few // 10))  # what the first ones cost is not theirs alone
            sizes = [server.resident()]
            for count in (few, half, half):
                ask_all(connect(stack, server, count))
                sizes.append(server.resident())
        each[name] = estimate([(sizes[3] - sizes[0]) / many / 1024])
        growth[name] = estimate([(sizes[3] - sizes[2]) / max(sizes[2] - sizes[1], 1)])
    others = {name: each[name] for name in (LIMIT, STREAMS)}
    return [
        Row(f"memory of an idle client of a server that has {IDLE}", "KiB", each["sockio"], None, others),
        Row(
            "memory of its last 2000 idle clients over that of the 2000 before",
            "",
            growth.pop("sockio"),
            at_most(1.1),
            growth,
        ),
    ]


def chat(options: Options) -> list[Row]:
    """A line of one client passed on to all: how much longer when one of them never reads, and at which price."""
    count = options.amount(LISTENERS, 20)
    with serving("chat") as all_read, serving("chat") as one_deaf, ExitStack() as stack:
        deaf = socket.socket()
        stack.callback(deaf.close)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", one_deaf.port))
        contenders: dict[str, Contender] = {
            "all read": Local(talk(join(stack, all_read, count))),
            "one deaf": Local(talk(join(stack, one_deaf, count))),
        }
        before = one_deaf.resident()
        result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(20, 2))
        grown = estimate([(one_deaf.resident() - before) / 2**20])

    def ratio(name: str) -> Estimate:
        return result.ratio(name, "all read")

    what = f"chat line to {LISTENERS} clients"
    return [
        result.row(f"{what}, wall with one that never reads over none", ratio, "one deaf", [], at_most(1.1)),
        Row(f"{what}, memory gained with one that never reads", "MiB", grown),
        result.row(f"{what}, wall a line", result.microseconds, "all read", [], unit="us"),
    ]


def join(stack: ExitStack, server: ServerProcess, count: int) -> list[socket.socket]:
    """So many clients of the chat, all of which are there."""
    clients = connect(stack, server, count)
    for client in clients:
        assert client.recv(100) == WELCOME
    return clients


def talk(clients: list[socket.socket]) -> Callable[[int], None]:
    line = b"x" * 1000 + b"\n"

    def run(lines: int) -> None:
        for _ in range(lines):
            clients[0].sendall(line)
            for client in clients:
                missing = len(line)
                while missing:
                    missing -= len(client.recv(missing))

    return run

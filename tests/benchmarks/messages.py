"""Messages: short ones there and back, and big arrays."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from sockio import sio
from sockio.messages import BlockingMessageConnection
from sockio.serpy import Connection
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
from tests.benchmarks.limits import connect
from tests.benchmarks.message_peers import SIZE

ALTERNATIONS = 30
MESSAGES = 500
ARRAYS = 5

TEXT = "1234.5678"

Run = Callable[[int], None]


def rows(options: Options) -> list[Row]:
    with ExitStack() as stack:
        return [*short(options, stack), *big(options, stack)]


@contextmanager
def serving(name: str) -> Iterator[int]:
    """A peer of `tests.benchmarks.message_peers` in a process of its own, on its own core; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.message_peers", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=pin_to_server_core,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def short(options: Options, stack: ExitStack) -> list[Row]:
    contenders: dict[str, Contender] = {
        "limit": Local(raw_round_trips(stack)),
        "sockio": Local(serpy_round_trips(stack)),
        "sockio, blob": Local(blob_round_trips(stack)),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(MESSAGES, 5))
    what = "serpy message there and back"
    return [
        result.row(f"{what}, wall over a raw socket's", result.ratio, "sockio", [], at_most(2)),
        result.row(f"{what}, wall", result.microseconds, "sockio", ["limit", "sockio, blob"], unit="us"),
    ]


def raw_round_trips(stack: ExitStack) -> Run:
    """Bytes there and back over blocking sockets."""
    sock = stack.enter_context(connect("127.0.0.1", stack.enter_context(serving("raw echo"))))
    data = TEXT.encode() + b"\x1f"

    def run(count: int) -> None:
        for _ in range(count):
            sock.sendall(data)
            assert sock.recv(4096) == data

    return run


def serpy_round_trips(stack: ExitStack) -> Run:
    """Messages there and back, both ends ours."""
    connection = Connection().connect("127.0.0.1", stack.enter_context(serving("serpy echo")))
    stack.enter_context(connection)

    def run(count: int) -> None:
        for _ in range(count):
            connection.sendData(TEXT)
            assert connection.getData() == TEXT.encode()

    return run


def blob_round_trips(stack: ExitStack) -> Run:
    """Messages and their acknowledgements, both ends ours."""
    messages = stack.enter_context(blob_connection(stack))

    def run(count: int) -> None:
        for _ in range(count):
            messages.send(TEXT)

    return run


def blob_connection(stack: ExitStack) -> BlockingMessageConnection:
    return BlockingMessageConnection(sio.TCP("127.0.0.1", stack.enter_context(serving("blob sink"))))


def big(options: Options, stack: ExitStack) -> list[Row]:
    array = np.arange(SIZE // 8, dtype="<f8")
    contenders: dict[str, Contender] = {
        "limit": Local(raw_arrays(stack, array.data.cast("B"))),
        "sockio": Local(blob_arrays(stack, array)),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(ARRAYS, 1))
    what = "array of 16 MiB by the blob protocol, speed over raw `sendall` and `recv_into`"
    return [result.row(what, result.speed, "sockio", [], at_least(0.7))]


def raw_arrays(stack: ExitStack, data: memoryview) -> Run:
    """Bytes sent, received into the same memory each time, and confirmed with one byte."""
    sock: socket.socket = stack.enter_context(connect("127.0.0.1", stack.enter_context(serving("raw sink"))))

    def run(count: int) -> None:
        for _ in range(count):
            sock.sendall(data)
            assert sock.recv(1) == b"!"

    return run


def blob_arrays(stack: ExitStack, array: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Run:
    """Arrays sent, received into memory that is allocated for each, checked and acknowledged."""
    messages = stack.enter_context(blob_connection(stack))

    def run(count: int) -> None:
        for _ in range(count):
            messages.send(array)

    return run

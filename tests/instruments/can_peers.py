"""Others on a CAN bus: nodes in threads, an adapter on the network, and serial adapters at both ends of a line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import can

from tests.instruments.pipe_flavours import PATIENCE, Flavour

_numbers = count()


def channel() -> str:
    """Return the name of a virtual bus that no other test uses."""
    return f"test-{next(_numbers)}"


@contextmanager
def virtual(name: str, **options: Any) -> Iterator[can.BusABC]:
    """Another node on python-can's virtual bus."""
    bus = can.Bus(interface="virtual", channel=name, **options)
    try:
        yield bus
    finally:
        bus.shutdown()


def standard(canid: int, data: bytes = b"", **options: Any) -> can.Message:
    return can.Message(arbitration_id=canid, data=data, is_extended_id=False, **options)


def extended(canid: int, data: bytes = b"", **options: Any) -> can.Message:
    return can.Message(arbitration_id=canid, data=data, is_extended_id=True, **options)


class Node:
    """A node that answers, in a thread.

    Args:
        bus: of python-can, which it has to itself.
        answer: gets each message, and returns those that it answers with.

    Attributes:
        received: all messages.
    """

    def __init__(self, bus: can.BusABC, answer: Callable[[can.Message], list[can.Message]]) -> None:
        self.received: list[can.Message] = []
        self._bus = bus
        self._answer = answer
        self._ending = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Node:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending = True
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._ending:
            message = self._bus.recv(0.02)
            if message is not None:
                self.received.append(message)
                for answer in self._answer(message):
                    self._bus.send(answer)


class Adapter:
    """A simulated USR-CANET200: a TCP server that speaks records of 13 bytes.

    Attributes:
        port: where it listens.
        received: all bytes that have come.
        connections: how many there have been.
        reads: cleared, it takes nothing from the network.
    """

    def __init__(self, port: int = 0) -> None:
        self.received = b""
        self.connections = 0
        self.reads = threading.Event()
        self.reads.set()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.address = f"can::usrcanet::127.0.0.1:{self.port}"
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def __enter__(self) -> Adapter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def send(self, data: str) -> None:
        """Send bytes, given in hexadecimal, on the latest connection."""
        self._sockets[-1].sendall(bytes.fromhex(data))

    def hang_up(self) -> None:
        """Close the connections there are."""
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster

    def close(self) -> None:
        self.reads.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self.connections += 1
            self._threads.append(threading.Thread(target=self._run, args=(connection,)))
            self._threads[-1].start()

    def _run(self, connection: socket.socket) -> None:
        with connection:
            while True:
                self.reads.wait(PATIENCE)
                try:
                    data = connection.recv(4096)
                except OSError:
                    return
                if not data:
                    return
                self.received += data


@contextmanager
def receiving(flavour: Flavour, receiver: Any) -> Iterator[Any]:
    """A receiver that receives."""
    assert flavour.call(receiver.connect) is receiver
    try:
        yield receiver
    finally:
        flavour.call(receiver.disconnect)

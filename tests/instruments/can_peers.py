"""Others on a CAN bus: nodes in threads, an adapter on the network, and serial adapters at both ends of a line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import can

from tests.instruments.pipe_flavours import PATIENCE, Flavour, Peer

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


class Adapter(Peer):
    """A simulated USR-CANET200: a TCP server that speaks records of 13 bytes.

    Attributes:
        reads: cleared, it takes nothing from the network.
    """

    def __init__(self, port: int = 0) -> None:
        self.reads = threading.Event()
        self.reads.set()
        super().__init__(self._take, port)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.address = f"can::usrcanet::127.0.0.1:{self.port}"

    def close(self) -> None:
        self.reads.set()
        super().close()

    def _take(self, connection: socket.socket, peer: Peer) -> None:
        while self.reads.wait(PATIENCE) and self.recv(connection):
            pass


@contextmanager
def receiving(flavour: Flavour, receiver: Any) -> Iterator[Any]:
    """A receiver that receives."""
    assert flavour.call(receiver.connect) is receiver
    try:
        yield receiver
    finally:
        flavour.call(receiver.disconnect)

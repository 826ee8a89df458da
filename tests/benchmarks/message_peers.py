"""The other ends of messages: what comes is sent back, or taken in and confirmed.

Run as a module of its own, with the name of one. It prints the port, and serves clients one after the other.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable

from sockio.serpy import Connection
from tests.benchmarks.server import end_with_parent

SIZE = 16 * 2**20


def raw_echo(sock: socket.socket) -> None:
    while data := sock.recv(4096):
        sock.sendall(data)


def raw_sink(sock: socket.socket) -> None:
    """Receive SIZE bytes, confirm them with one, and so on."""
    memory = memoryview(bytearray(SIZE))
    while True:
        received = 0
        while received < SIZE:
            count = sock.recv_into(memory[received:])
            if not count:
                return
            received += count
        sock.sendall(b"!")


def serpy_echo(sock: socket.socket) -> None:
    connection = Connection(sock).start()
    while True:
        connection.sendData(connection.getData().decode())


def blob_sink(sock: socket.socket) -> None:
    connection = Connection(sock, protocol="blob").start()
    while True:
        connection.getData()


PEERS: dict[str, Callable[[socket.socket], None]] = {
    "raw echo": raw_echo,
    "raw sink": raw_sink,
    "serpy echo": serpy_echo,
    "blob sink": blob_sink,
}


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                PEERS[sys.argv[1]](sock)
            except ConnectionError:
                pass
            sock.close()

"""The other end: answers requests over blocking sockets, with as little in between as Python allows.

Run as a module of its own. It listens on a free port of 127.0.0.1, prints the port and gives every
connection a thread; it also answers on the terminals that are its arguments. It understands ``*IDN?``
(answers with REPLY), ``lines N`` (N times LINE, then the end of the stream), ``block N`` (N bytes) and
``curve N`` (N bytes as an IEEE 488.2 block).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import tty
from collections.abc import Callable

from tests.benchmarks.peers.workload import LINE, REPLY, REQUEST

BLOCK = b"#" * 2**20


def answer(connection: socket.socket) -> None:
    while True:
        request = connection.recv(4096)
        if request == REQUEST:
            connection.sendall(REPLY)
        elif request.startswith(b"lines "):
            send(connection, LINE * (len(BLOCK) // len(LINE)), int(request[6:]) * len(LINE))
            connection.shutdown(socket.SHUT_WR)
        elif request.startswith(b"block "):
            send(connection, BLOCK, int(request[6:]))
        elif request.startswith(b"curve "):
            connection.sendall(b"#9%09d" % int(request[6:]))
            send(connection, BLOCK, int(request[6:]))
            connection.sendall(b"\n")
        elif not request:
            connection.close()
            return


def send(connection: socket.socket, pattern: bytes, length: int) -> None:
    for _ in range(length // len(pattern)):
        connection.sendall(pattern)
    connection.sendall(pattern[: length % len(pattern)])


def answer_terminal(path: str) -> None:
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(terminal)
    while True:
        if os.read(terminal, 4096) == REQUEST:
            os.write(terminal, REPLY)


def accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Gives every connection a thread."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=[connection], daemon=True).start()


def end_with_parent() -> None:
    """Ends the process when standard input does, so that it is gone even if its parent was killed."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    threading.stack_size(2**18)
    threading.Thread(target=end_with_parent, daemon=True).start()
    paths = sys.argv[1:]
    for path in paths:
        threading.Thread(target=answer_terminal, args=[path], daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    accept(listener, answer)


if __name__ == "__main__":
    main()

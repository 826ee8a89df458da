"""The instrument's end of VXI-11 as a script: what has to come, byte for byte, and what is answered."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

#: A step: the call that has to come, and the reply (None: none at all), in hexadecimal. ``XXXXXXXX`` stands for the
#: call's transaction identifier, ``?`` for any digit. A reply that is not hexadecimal text is sent as it is.
Step = tuple[str, "str | bytes | None"]

#: How the reply to a call is sent.
Sender = Callable[[socket.socket, bytes], None]


def whole(sock: socket.socket, record: bytes) -> None:
    """Send a record as one fragment, at once."""
    sock.sendall(struct.pack(">I", 0x80000000 | len(record)) + record)


def byte_by_byte(sock: socket.socket, record: bytes) -> None:
    """Send a record as one fragment, each byte by itself."""
    for value in struct.pack(">I", 0x80000000 | len(record)) + record:
        sock.sendall(bytes((value,)))


def in_fragments(size: int) -> Sender:
    """Return what sends a record in fragments of *size* bytes."""

    def send(sock: socket.socket, record: bytes) -> None:
        pieces = [record[start : start + size] for start in range(0, len(record) or 1, size)]
        wire = b"".join(struct.pack(">I", len(piece)) + piece for piece in pieces[:-1])
        sock.sendall(wire + struct.pack(">I", 0x80000000 | len(pieces[-1])) + pieces[-1])

    return send


def in_empty_fragments(sock: socket.socket, record: bytes) -> None:
    """Send a record between fragments that are empty."""
    sock.sendall(bytes(8) + struct.pack(">I", len(record)) + record + bytes(4) + b"\x80\0\0\0")


class Peer:
    """Listens, and follows one script for each connection, one after the other.

    Attributes:
        port: where it listens.
        problems: what has come that was not expected.
        calls: the records that have come.
    """

    def __init__(self, scripts: Sequence[Sequence[Step]], send: Sender = whole) -> None:
        self.problems: list[str] = []
        self.calls: list[bytes] = []
        self.sockets: list[socket.socket] = []
        self._scripts = scripts
        self._send = send
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(10)
        self._listener.close()
        for sock in self.sockets:
            sock.close()

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                self.problems.append("a connection that was to come did not")
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(sock)
            with sock.makefile("rb") as file:
                for expected, reply in script:
                    if not self._step(sock, file, expected, reply):
                        break
                else:
                    if extra := file.read(1):
                        self.problems.append(f"something follows the last call: {extra!r}")
            sock.close()

    def _step(self, sock: socket.socket, file: object, expected: str, reply: str | bytes | None) -> bool:
        read = file.read  # type: ignore[attr-defined]
        header = read(4)
        if len(header) < 4:
            self.problems.append(f"the connection was closed, expected {expected}")
            return False
        (word,) = struct.unpack(">I", header)
        record = read(word & 0x7FFFFFFF)
        if not word & 0x80000000:
            self.problems.append("a call in several fragments")
        self.calls.append(record)
        got, pattern = record.hex(), expected.replace(" ", "")
        if len(got) != len(pattern) or any(p not in (g, "X", "?") for g, p in zip(got, pattern, strict=True)):
            self.problems.append(f"expected\n{pattern}, got\n{got}")
            return False
        try:
            if isinstance(reply, bytes):
                sock.sendall(reply)
            elif reply is not None:
                self._send(sock, bytes.fromhex(reply.replace("XXXXXXXX", got[:8])))
        except OSError:
            return False
        return True


@contextmanager
def peer(*scripts: Sequence[Step], send: Sender = whole) -> Iterator[Peer]:
    """Run a peer; at the end of the block everything has to have come as the scripts say."""
    running = Peer(scripts, send)
    try:
        yield running
    finally:
        running.close()
    assert not running.problems, "\n".join(running.problems)

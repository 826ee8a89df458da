"""An instrument that answers over HiSLIP and over VXI-11, with as little in between as Python allows.

What it costs is the same for every client, and little: ratios are about clients. Run as a module of its own. It prints
its ports for HiSLIP and for VXI-11. To any message that ends in ``DATA?`` it answers with a block of as many bytes as
the message ``WAV:POIN N`` (or that part of it) has asked for, to any other with a ``?`` with REPLY.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from functools import partial

from tests.benchmarks.peers.workload import REPLY
from tests.benchmarks.server import accept, end_with_parent

HEADER = struct.Struct(">2sBBIQ")
SIZE = 2**30

# Message types (IVI-6.1, table 4).
INITIALIZE, INITIALIZE_RESPONSE, DATA_END = 0, 1, 7
ANSWERS = {4: (5, 1), 15: (16, 0), 17: (18, 0), 19: (23, 0), 21: (22, 0), 8: (9, 0)}

# Procedures of VXI-11's core channel.
CREATE_LINK, DEVICE_WRITE, DEVICE_READ = 10, 11, 12
CALL = struct.Struct(">I16xI16x")  # transaction identifier, message type to version, procedure, no authentication
END = 4


class Instrument:
    """What is behind one connection: takes messages, and has the response to the last one."""

    block = b""

    def respond(self, message: bytes) -> bytes | None:
        """The response to a message, if it is a query."""
        command = message.rstrip()
        if command.startswith(b"WAV:POIN "):
            points = int(command[9:].partition(b";")[0])
            if len(self.block) != points + 12:
                self.block = b"#9%09d%s\n" % (points, bytes(points))
        if command.endswith(b"DATA?"):
            return self.block
        return REPLY if command.endswith(b"?") else None


def receive(connection: socket.socket, data: bytes, size: int) -> bytes:
    """At least ``size`` bytes, which begin with ``data``."""
    while len(data) < size:
        chunk = connection.recv(65536)
        if not chunk:
            raise EOFError
        data += chunk
    return data


def send(connection: socket.socket, header: bytes, payload: bytes) -> None:
    if len(payload) <= 65536:
        connection.sendall(header + payload)
    else:
        connection.sendall(header)
        connection.sendall(payload)


def answer_hislip(connection: socket.socket) -> None:
    instrument = Instrument()
    data = b""
    while True:
        data = receive(connection, data, HEADER.size)
        _, kind, _, parameter, length = HEADER.unpack_from(data)
        end = HEADER.size + length
        data = receive(connection, data, end)
        message, data = data[HEADER.size : end], data[end:]
        if kind == DATA_END:
            response = instrument.respond(message)
            if response is not None:
                send(connection, HEADER.pack(b"HS", DATA_END, 0, parameter, len(response)), response)
        elif kind == INITIALIZE:
            connection.sendall(HEADER.pack(b"HS", INITIALIZE_RESPONSE, 0, 0x01000001, 0))
        else:
            answer, control = ANSWERS[kind]
            payload = SIZE.to_bytes(8, "big") if answer == 16 else b""
            connection.sendall(HEADER.pack(b"HS", answer, control, 0, len(payload)) + payload)


def answer_vxi11(connection: socket.socket) -> None:
    instrument = Instrument()
    response = data = b""
    while True:
        data = receive(connection, data, 4)
        end = 4 + (int.from_bytes(data[:4], "big") & 0x7FFFFFFF)
        data = receive(connection, data, end)
        call, data = data[4:end], data[end:]
        xid, procedure = CALL.unpack_from(call)
        if procedure == CREATE_LINK:
            results = struct.pack(">4I", 0, 1, 0, SIZE)
        elif procedure == DEVICE_WRITE:
            size = int.from_bytes(call[56:60], "big")
            response = instrument.respond(call[60 : 60 + size]) or b""
            results = struct.pack(">2I", 0, size)
        elif procedure == DEVICE_READ:
            results = struct.pack(">3I", 0, END, len(response)) + response + bytes(-len(response) % 4)
        else:
            results = bytes(4)
        reply = struct.pack(">6I", xid, 1, 0, 0, 0, 0) + results
        connection.sendall(struct.pack(">I", 0x80000000 | len(reply)) + reply)


def serve(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        try:
            answer(connection)
        except (EOFError, ConnectionError):
            pass


def main() -> None:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for listener, answer in zip(listeners, [answer_hislip, answer_vxi11], strict=True):
        threading.Thread(target=accept, args=[listener, partial(serve, answer)], daemon=True).start()
    print(*(listener.getsockname()[1] for listener in listeners), flush=True)
    end_with_parent()


if __name__ == "__main__":
    main()

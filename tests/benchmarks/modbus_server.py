"""A Modbus TCP device that answers reads of holding registers, with as little in between as Python allows.

What it costs is the same for every client, and little: ratios are about clients. Run as a module of its own; it prints
its port. Requests that have come together are answered together.
"""

from __future__ import annotations

import socket
import struct
import threading

from tests.benchmarks.server import accept, end_with_parent

REQUEST = struct.Struct(">HxxHBBHH")
ANSWER = struct.Struct(">HxxHBBB")

#: What every register holds is its address.
REGISTERS = struct.pack(">1000H", *range(1000))


def answer(connection: socket.socket) -> None:
    received = b""
    while data := connection.recv(65536):
        received += data
        end = len(received) - len(received) % REQUEST.size
        answers = []
        for transaction, _, unit, function, address, count in REQUEST.iter_unpack(received[:end]):
            answers.append(ANSWER.pack(transaction, 3 + 2 * count, unit, function, 2 * count))
            answers.append(REGISTERS[2 * address : 2 * (address + count)])
        received = received[end:]
        connection.sendall(b"".join(answers))
    connection.close()


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    accept(listener, answer)


if __name__ == "__main__":
    main()

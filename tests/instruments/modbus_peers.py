"""The other ends of Modbus connections in these tests: scripted ones, and the configuration of the simulated device."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from tests.instruments.pipe_flavours import Peer

#: ``script(transaction, unit, pdu)`` returns what is sent, in pieces.
Script = Callable[[int, int, bytes], "bytes | Sequence[bytes]"]

#: Values that the simulated device has from the start.
HOLDING = list(range(100, 300))
INPUT = list(range(1000, 1200))
COILS = [index % 3 == 0 for index in range(2100)]
DISCRETE = [index % 5 == 0 for index in range(2100)]


def simulated(**options: Any) -> dict[str, Any]:
    """Return the configuration of a simulated device: over TCP, over RTU on TCP, and over RTU on a terminal."""
    return {
        "class": "ModbusDevice",
        "transports": [{}, {"protocol": "rtu"}, {"type": "serial"}],
        "holding": HOLDING,
        "input": INPUT,
        "coils": [int(coil) for coil in COILS],
        "discrete": [int(bit) for bit in DISCRETE],
        **options,
    }


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """Return a frame of Modbus TCP."""
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


def modbus_peer(script: Script, requests: list[bytes] | None = None) -> Peer:
    """Return a Modbus TCP server that answers each request with what a script makes of it.

    Args:
        script: what is answered.
        requests: gets the units and protocol data units that come.
    """

    def serve(connection: socket.socket, peer: Peer) -> None:
        pending = b""
        while data := peer.recv(connection):
            pending += data
            while len(pending) >= 7 and len(pending) >= (size := 6 + int.from_bytes(pending[4:6], "big")):
                frame, pending = pending[:size], pending[size:]
                if requests is not None:
                    requests.append(frame[6:])
                answer = script(int.from_bytes(frame[:2], "big"), frame[6], frame[7:])
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(piece)

    return Peer(serve)


def rtu_peer(script: Callable[[bytes], bytes | None]) -> Peer:
    """Return an RTU device behind a bridge, which hands over requests whole; what a script returns is sent."""

    def serve(connection: socket.socket, peer: Peer) -> None:
        while data := peer.recv(connection):
            answer = script(data)
            if answer is not None:
                connection.sendall(answer)

    return Peer(serve)

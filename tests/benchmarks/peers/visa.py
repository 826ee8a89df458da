"""PyVISA with the PyVISA-py back end, on a raw socket."""

from __future__ import annotations

from collections.abc import Callable

import pyvisa
from pyvisa.resources import MessageBasedResource
from workload import REPLY, REQUEST, serve


def connect(host: str, port: str) -> MessageBasedResource:
    instrument = pyvisa.ResourceManager("@py").open_resource(
        f"TCPIP::{host}::{port}::SOCKET", read_termination="\n", write_termination="\n", timeout=5000
    )
    assert isinstance(instrument, MessageBasedResource)
    return instrument


def request_reply(host: str, port: str) -> Callable[[int], None]:
    instrument = connect(host, port)
    request = REQUEST.decode().rstrip("\n")
    reply = REPLY.decode().rstrip("\n")

    def run(count: int) -> None:
        for _ in range(count):
            assert instrument.query(request) == reply

    return run


def block(host: str, port: str) -> Callable[[int], None]:
    instrument = connect(host, port)
    instrument.read_termination = None

    def run(size: int) -> None:
        instrument.write(f"block {size}")
        assert len(instrument.read_bytes(size, chunk_size=2**20)) == size

    return run


if __name__ == "__main__":
    serve({"request_reply": request_reply, "block": block})

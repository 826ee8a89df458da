"""PyVISA with the PyVISA-py back end."""

from __future__ import annotations

from collections.abc import Callable

import pyvisa
from pyvisa.resources import MessageBasedResource
from workload import REPLY, REQUEST, serve


def connect(resource: str) -> MessageBasedResource:
    instrument = pyvisa.ResourceManager("@py").open_resource(
        resource, read_termination="\n", write_termination="\n", timeout=5000
    )
    assert isinstance(instrument, MessageBasedResource)
    return instrument


def connect_socket(host: str, port: str) -> MessageBasedResource:
    return connect(f"TCPIP::{host}::{port}::SOCKET")


def connect_hislip(host: str, port: str) -> MessageBasedResource:
    return connect(f"TCPIP::{host}::hislip0,{port}::INSTR")


def request_reply(host: str, port: str) -> Callable[[int], None]:
    return ask(connect_socket(host, port))


def vxi11(host: str, port: str) -> Callable[[int], None]:
    return ask(connect(f"TCPIP::{host},{port}::inst0::INSTR"))


def hislip(host: str, port: str) -> Callable[[int], None]:
    return ask(connect_hislip(host, port))


def ask(instrument: MessageBasedResource) -> Callable[[int], None]:
    request = REQUEST.decode().rstrip("\n")
    reply = REPLY.decode().rstrip("\n")

    def run(count: int) -> None:
        for _ in range(count):
            assert instrument.query(request) == reply

    return run


def block(host: str, port: str) -> Callable[[int], None]:
    instrument = connect_socket(host, port)
    instrument.read_termination = None

    def run(size: int) -> None:
        instrument.write(f"block {size}")
        assert len(instrument.read_bytes(size, chunk_size=2**20)) == size

    return run


def curve(host: str, port: str) -> Callable[[int], None]:
    """Over a raw socket PyVISA-py does not know where a block ends: its header has to be read first."""
    instrument = connect_socket(host, port)
    instrument.timeout = 60000
    instrument.read_termination = None

    def run(size: int) -> None:
        instrument.write(f"curve {size}")
        digits = int(instrument.read_bytes(2)[1:])
        length = int(instrument.read_bytes(digits))
        assert len(instrument.read_bytes(length + 1, chunk_size=2**20)) == size + 1

    return run


def hislip_curve(host: str, port: str) -> Callable[[int], None]:
    instrument = connect_hislip(host, port)
    instrument.write("WAV:FORM BYTE")
    return query_block(instrument, "WAV:POIN {0};:WAV:DATA?")


def query_block(instrument: MessageBasedResource, request: str) -> Callable[[int], None]:
    instrument.timeout = 60000
    instrument.read_termination = None

    def run(size: int) -> None:
        block = instrument.query_binary_values(
            request.format(size), datatype="B", container=bytes, chunk_size=2**20, expect_termination=True
        )
        assert len(block) == size

    return run


if __name__ == "__main__":
    serve(
        {
            "block": block,
            "curve": curve,
            "hislip": hislip,
            "hislip_curve": hislip_curve,
            "request_reply": request_reply,
            "vxi11": vxi11,
        }
    )

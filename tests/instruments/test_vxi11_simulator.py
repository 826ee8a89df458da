"""The simulated instrument's side of VXI-11 against literal bytes: what is refused, and what is split oddly."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.ports import free_port

from .conftest import serve

# xid 7, CALL, RPC version 2, program 0x0607AF, version 1; and AUTH_NONE twice.
CALL = "00000007 00000000 00000002 000607af 00000001"
NONE = "00000000 00000000 00000000 00000000"
# xid 7, REPLY, MSG_ACCEPTED, AUTH_NONE verifier; then the status.
ACCEPTED = "00000007 00000001 00000000 00000000 00000000"
CREATE = f"{CALL} 0000000a {NONE} 00000001 00000000 00000000 00000005 696e7374 30000000"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    transport = {"url": f"127.0.0.1:{port}", "protocol": "vxi11", "max_receive_size": 1024}
    device = {"class": "Echo", "package": "tests.instruments.vxi11_device", "name": "echo", "transports": [transport]}
    with serve({"devices": [device]}, tmp_path_factory.mktemp("vxi11"), port):
        yield port


@pytest.fixture
def wire(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        yield sock


def exchange(wire: socket.socket, call: str) -> str:
    """Send a call in one fragment; return the reply in hexadecimal words."""
    record = bytes.fromhex(call)
    wire.sendall((0x80000000 | len(record)).to_bytes(4, "big") + record)
    return receive(wire)


def receive(wire: socket.socket) -> str:
    header = wire.recv(4, socket.MSG_WAITALL)
    assert header[:1] == b"\x80"
    return wire.recv(int.from_bytes(header[1:], "big"), socket.MSG_WAITALL).hex(" ", 4)


def create_link(wire: socket.socket) -> str:
    reply = exchange(wire, CREATE)
    head, link, abort_port, size = reply[:-27], reply[-26:-18], reply[-17:-9], reply[-8:]
    assert head == f"{ACCEPTED} 00000000 00000000"
    assert 0 < int(abort_port, 16) < 65536
    assert size == "00000400"
    return link


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        (f"{CALL} 00000000 {NONE}", f"{ACCEPTED} 00000000"),  # the procedure that does nothing
        (CREATE.replace("000607af", "000607b0"), f"{ACCEPTED} 00000001"),  # PROG_UNAVAIL
        (CREATE.replace("000607af 00000001", "000607af 00000002"), f"{ACCEPTED} 00000002 00000001 00000001"),
        (f"{CALL} 00000015 {NONE}", f"{ACCEPTED} 00000003"),  # PROC_UNAVAIL: 21 is not assigned
        (f"{CALL} 0000000a {NONE} 00000001", f"{ACCEPTED} 00000004"),  # GARBAGE_ARGS
        (f"{CREATE} 00000000", f"{ACCEPTED} 00000004"),
        ("00000007 00000000 00000003 000607af 00000001 0000000a" + NONE, "00000007 00000001 00000001 00000000 "
         "00000002 00000002"),  # RPC_MISMATCH
    ],
)  # fmt: skip
def test_refusals(wire: socket.socket, call: str, reply: str) -> None:
    assert exchange(wire, call) == reply
    create_link(wire)


@pytest.mark.parametrize("credential", ["00000001 00000005 01020304 05000000 00000000 00000000", NONE])
def test_credentials_do_not_matter(wire: socket.socket, credential: str) -> None:
    assert exchange(wire, f"{CALL} 00000000 {credential}") == f"{ACCEPTED} 00000000"


def test_a_query_in_odd_fragments_byte_by_byte(wire: socket.socket) -> None:
    link = create_link(wire)
    # "ECHO? ab" with END, 1 s each; in fragments of 5 bytes, an empty one first, each byte sent by itself.
    record = bytes.fromhex(f"{CALL} 0000000b {NONE} {link} 000003e8 000003e8 00000008 00000008 4543484f 3f206162")
    fragments = [b"", *(record[start : start + 5] for start in range(0, len(record), 5))]
    for index, fragment in enumerate(fragments):
        last = 0x80000000 if index == len(fragments) - 1 else 0
        for value in (last | len(fragment)).to_bytes(4, "big") + fragment:
            wire.sendall(bytes((value,)))
    assert receive(wire) == f"{ACCEPTED} 00000000 00000000 00000008"
    read = f"{CALL} 0000000c {NONE} {link} 00000002 000003e8 000003e8 00000000 00000000"
    # REQCNT with "ab", then END with a newline.
    assert exchange(wire, read) == f"{ACCEPTED} 00000000 00000000 00000001 00000002 61620000"
    assert exchange(wire, read) == f"{ACCEPTED} 00000000 00000000 00000004 00000001 0a000000"


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ("0000000c {none} 00bad000 00000002 00000000 00000000 00000000 00000000", "00000004 00000000 00000000"),
        ("0000000c {none} {link} 00000002 00000000 00000000 00000000 00000000", "0000000f 00000000 00000000"),
        ("0000000d {none} 00bad000 00000000 00000000 00000000", "00000004 00000000"),
        ("00000013 {none} {link}", "0000000c"),
        ("0000001a {none}", "00000006"),
        ("00000019 {none} 7f000001 00000001 000607b1 00000001 00000001", "00000008"),  # over UDP
        ("00000019 {none} 7f000001 00000001 000607b1 00000001 00000000", "00000006"),
        ("00000016 {none} {link} 00000000 00000000 00000000 00000001 00000001 00000001 00000000", "00000008 00000000"),
    ],
)
def test_errors_come_with_results_of_the_right_size(wire: socket.socket, arguments: str, reply: str) -> None:
    link = create_link(wire)
    call = f"{CALL} {arguments.format(none=NONE, link=link)}"
    assert exchange(wire, call) == f"{ACCEPTED} 00000000 {reply}"


@pytest.mark.parametrize("header", ["ffffffff", "80000c00", "00000801"])
def test_records_that_are_too_long_end_the_connection(wire: socket.socket, header: str) -> None:
    wire.sendall(bytes.fromhex(header))
    assert wire.recv(1) == b""


def test_what_is_no_call_ends_the_connection(wire: socket.socket) -> None:
    record = bytes.fromhex("00000007 00000001 00000000 00000000 00000000 00000000")
    wire.sendall((0x80000000 | len(record)).to_bytes(4, "big") + record)
    assert wire.recv(1) == b""

"""The simulated instrument's HiSLIP, seen on the wire: bytes written out from IVI-6.1."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.instruments.hislip_peers import PATIENCE, octets

INITIALIZE = "48 53 00 00 01 00 78 78 00 00 00 00 00 00 00 07 'hislip0'"
ZEROS = "00 00 00 00 00 00 00 00"

DEVICES: list[dict[str, Any]] = [
    {
        "class": "Multimeter",
        "*idn": "sockio,DMM,1,1.0",
        "transports": [
            {"protocol": "hislip"},
            {"protocol": "hislip", "max_message_size": 64},
            {"protocol": "hislip", "mode": "overlap"},
            {"protocol": "hislip", "mode": "overlap", "overlap": False},
        ],
    },
    {"class": "Multimeter", "name": "busy", "transports": [{"protocol": "hislip", "max_clients": 1}]},
]


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench(DEVICES) as bench:
        yield bench


class Wire:
    """One connection of a client."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(octets(text))

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            if not chunk:
                break
            data += chunk
        return data

    def expect(self, text: str) -> None:
        expected = octets(text)
        assert self.receive(len(expected)).hex(" ") == expected.hex(" ")

    def expect_error(self, kind: str, code: str) -> bytes:
        """Receive an Error ("03") or FatalError ("02"); return what it says."""
        header = self.receive(16)
        assert header[:8].hex(" ") == f"48 53 {kind} {code} 00 00 00 00"
        return self.receive(int.from_bytes(header[8:], "big"))

    def expect_end(self) -> None:
        assert self.receive(1) == b""

    def ask(self, request: str, answer: str) -> None:
        self.send(request)
        self.expect(answer)


class Client:
    """Both connections of a client, after initialization."""

    def __init__(self, port: int, features: str = "00") -> None:
        self.synchronous = Wire(port)
        self.synchronous.send(INITIALIZE)
        response = self.synchronous.receive(16)
        assert response[:6].hex(" ") == f"48 53 01 {features} 01 00"
        assert response[8:] == bytes(8)
        self.session_id = response[6:8].hex(" ")
        self.asynchronous = Wire(port)
        self.asynchronous.send(f"48 53 11 00 00 00 {self.session_id} {ZEROS}")
        self.asynchronous.expect(f"48 53 12 00 00 00 78 78 {ZEROS}")

    def close(self) -> None:
        self.synchronous.socket.close()
        self.asynchronous.socket.close()

    def clear(self, features: str = "00", preferred: str = "00", granted: str | None = None) -> None:
        self.asynchronous.ask(f"48 53 13 00 00 00 00 00 {ZEROS}", f"48 53 17 {preferred} 00 00 00 00 {ZEROS}")
        self.synchronous.ask(
            f"48 53 08 {features} 00 00 00 00 {ZEROS}", f"48 53 09 {granted or features} 00 00 00 00 {ZEROS}"
        )

    def query(self, message_id: str, message: str, answer: str, delivered: str = "00") -> None:
        """Exchange short messages, the second one hexadecimal digit of whose lengths is 0."""
        self.synchronous.send(data_end(message_id, message, delivered))
        self.synchronous.expect(data_end(message_id, answer))


def data_end(message_id: str, text: str, delivered: str = "00") -> str:
    return f"48 53 07 {delivered} ff ff ff {message_id} {len(text):016x} '{text}'"


@pytest.fixture
def connect(bench: Any) -> Iterator[Callable[..., Client]]:
    """Makes clients of the multimeter's transports, with an error queue that is empty."""
    clients: list[Client] = []

    def connect(transport: int = 0, features: str = "00", name: str = "multimeter") -> Client:
        client = Client(bench.port(name, transport), features)
        clients.append(client)
        return client

    first = connect(0)
    first.synchronous.send(data_end("00", "*CLS;*SRE 0;*ESE 0;*OPC?"))
    first.synchronous.receive(18)
    first.close()
    yield connect
    for client in clients:
        client.close()


Connect = Callable[..., Client]


def test_a_client_is_initialized_and_answered(connect: Connect) -> None:
    client = connect()
    client.query("00", "*IDN?\n", "sockio,DMM,1,1.0\n")
    client.query("02", "*IDN?\r\n", "sockio,DMM,1,1.0\n", delivered="01")
    client.query("04", "*IDN?", "sockio,DMM,1,1.0\n", delivered="01")


def test_messages_byte_by_byte(connect: Connect) -> None:
    client = connect()
    for byte in octets("48 53 06 00 ff ff ff 00 00 00 00 00 00 00 00 02 '*I'" + data_end("02", "DN?\n")):
        client.synchronous.socket.sendall(bytes([byte]))
    client.synchronous.expect(data_end("02", "sockio,DMM,1,1.0\n"))


def test_maximum_message_sizes(connect: Connect) -> None:
    client = connect(1)
    client.asynchronous.ask(
        f"48 53 0f 00 00 00 00 00 00 00 00 00 00 00 00 08 {20:016x}",
        f"48 53 10 00 00 00 00 00 00 00 00 00 00 00 00 08 {64:016x}",
    )
    client.synchronous.send(data_end("00", "*IDN?"))
    for part in ("sock", "io,D", "MM,1", ",1.0"):
        client.synchronous.expect(f"48 53 06 00 ff ff ff 00 00 00 00 00 00 00 00 04 '{part}'")
    client.synchronous.expect("48 53 07 00 ff ff ff 00 00 00 00 00 00 00 00 01 '\n'")
    client.synchronous.send(data_end("02", "*IDN?" + " " * 60, "01"))
    assert client.synchronous.expect_error("03", "04") == b"Message too large"
    client.synchronous.send(data_end("04", "*OPC?"))
    client.synchronous.expect(data_end("04", "1\n"))


# Order, interruptions, status


def test_a_message_before_the_response_interrupts_it(connect: Connect) -> None:
    client = connect()
    client.synchronous.send(data_end("00", "*IDN?") + data_end("02", "*OPC?"))
    client.asynchronous.expect(f"48 53 0e 00 ff ff ff 02 {ZEROS}")
    client.synchronous.expect(f"48 53 0d 00 ff ff ff 02 {ZEROS}")
    client.synchronous.expect(data_end("02", "1\n"))
    client.query("04", "SYST:ERR?", '-410,"Query INTERRUPTED"\n', delivered="01")
    client.query("06", "SYST:ERR?", '0,"No error"\n', delivered="01")


def test_the_first_part_of_a_message_interrupts_too(connect: Connect) -> None:
    client = connect()
    client.synchronous.send(data_end("00", "*IDN?") + "48 53 06 00 ff ff ff 02 00 00 00 00 00 00 00 02 '*O'")
    client.asynchronous.expect(f"48 53 0e 00 ff ff ff 02 {ZEROS}")
    client.synchronous.expect(f"48 53 0d 00 ff ff ff 02 {ZEROS}")
    client.synchronous.send(data_end("04", "PC?"))
    client.synchronous.expect(data_end("04", "1\n"))


def test_a_response_that_was_not_read_is_an_error_of_the_instrument_alone(connect: Connect) -> None:
    client = connect()
    client.query("00", "*IDN?", "sockio,DMM,1,1.0\n")
    client.query("02", "*OPC?", "1\n", delivered="00")
    client.query("04", "SYST:ERR?", '-410,"Query INTERRUPTED"\n', delivered="01")


@pytest.mark.parametrize("overlap", [False, True])
def test_message_available(connect: Connect, overlap: bool) -> None:
    client = connect(2, "01") if overlap else connect()

    def status(delivered: str, message_id: str, expected: str) -> None:
        client.asynchronous.ask(
            f"48 53 15 {delivered} ff ff {message_id} {ZEROS}", f"48 53 16 {expected} 00 00 00 00 {ZEROS}"
        )

    status("00", "fe fe", "00")
    client.query("00", "*OPC?", "1\n")
    status("00", "fe fe", "10" if overlap else "00")  # sent and not read; or not the last message
    status("00", "ff 00", "00" if overlap else "10")  # read; or sent, and not said to be read
    status("01", "ff 00", "00")
    client.query("02", "SYST:ERR?", '0,"No error"\n')


def test_in_overlap_mode_everything_is_answered_in_order_with_ids_of_its_own(connect: Connect) -> None:
    client = connect(2, "01")
    client.asynchronous.ask(
        f"48 53 0f 00 00 00 00 00 00 00 00 00 00 00 00 08 {18:016x}",
        f"48 53 10 00 00 00 00 00 00 00 00 00 00 00 00 08 {2**20 + 16:016x}",
    )
    client.synchronous.send(data_end("80", "*OPC?") + data_end("82", "*ESE?") + data_end("84", "*ESE 255;*ESE?"))
    client.synchronous.expect(data_end("00", "1\n") + data_end("02", "0\n"))
    client.synchronous.expect("48 53 06 00 ff ff ff 04 00 00 00 00 00 00 00 02 '25'" + data_end("06", "5\n"))


def test_service_requests_go_to_every_client_once(connect: Connect) -> None:
    first, second = connect(), connect(1)
    first.synchronous.send(data_end("00", "*ESE 32;*SRE 32;NONSENSE"))
    for client in (first, second):
        client.asynchronous.expect(f"48 53 14 64 00 00 00 00 {ZEROS}")
    first.asynchronous.ask(f"48 53 15 00 ff ff ff 00 {ZEROS}", f"48 53 16 64 00 00 00 00 {ZEROS}")
    first.asynchronous.ask(f"48 53 15 00 ff ff ff 00 {ZEROS}", f"48 53 16 24 00 00 00 00 {ZEROS}")


# Device clear


@pytest.mark.parametrize(
    ("transport", "features", "requested", "granted"),
    [(0, "00", "00", "00"), (0, "00", "01", "01"), (2, "01", "00", "00"), (3, "00", "01", "00")],
)
def test_device_clear_grants_a_mode(
    connect: Connect, transport: int, features: str, requested: str, granted: str
) -> None:
    client = connect(transport, features)
    client.clear(requested, preferred=features, granted=granted)
    client.synchronous.send(data_end("80", "*OPC?"))
    client.synchronous.expect(data_end("00" if granted == "01" else "80", "1\n"))


def test_device_clear_gives_up_what_is_under_way(connect: Connect) -> None:
    client = connect()
    client.synchronous.send(data_end("00", "SIM:OPER:TIME 3600;:INIT;*OPC?"))
    client.asynchronous.ask(f"48 53 13 00 00 00 00 00 {ZEROS}", f"48 53 17 00 00 00 00 00 {ZEROS}")
    client.synchronous.send(data_end("02", "*IDN?") + "48 53 06 00 ff ff ff 04 00 00 00 00 00 00 00 03 '*ID'")
    client.synchronous.ask(f"48 53 08 00 00 00 00 00 {ZEROS}", f"48 53 09 00 00 00 00 00 {ZEROS}")
    client.query("00", "ABOR;SIM:OPER:TIME 0;:SYST:ERR?", '0,"No error"\n')


# Locks


def lock(client: Client, string: str = "", milliseconds: int = 0) -> str:
    return lock_outcome(client, f"48 53 04 01 {milliseconds:08x} {len(string):016x} '{string}'")


def release(client: Client, message_id: str = "fe fe") -> str:
    return lock_outcome(client, f"48 53 04 00 ff ff {message_id} {ZEROS}")


def lock_outcome(client: Client, request: str) -> str:
    client.asynchronous.send(request)
    response = client.asynchronous.receive(16)
    assert response[:3] + response[4:] == octets(f"48 53 05 00 00 00 00 {ZEROS}")
    return ["failure", "success", "shared", "error"][response[3]]


def info(client: Client) -> tuple[int, int]:
    client.asynchronous.send(f"48 53 18 00 00 00 00 00 {ZEROS}")
    response = client.asynchronous.receive(16)
    assert response[:3] + response[8:] == octets(f"48 53 19 {ZEROS}")
    return response[3], int.from_bytes(response[4:8], "big")


def test_exclusive_and_shared_locks(connect: Connect) -> None:
    one, two, three = connect(), connect(), connect(1)
    assert [lock(one), lock(one), lock(two)] == ["success", "error", "failure"]
    assert info(two) == (1, 1)
    assert [release(two), release(one), release(one)] == ["error", "success", "error"]
    assert info(two) == (0, 0)
    assert [lock(one, "lab"), lock(two, "lab")] == ["success", "success"]
    assert [lock(three, "other"), lock(three)] == ["failure", "failure"]
    assert lock(one) == "success", "who shares a lock may have it for itself"
    assert info(three) == (1, 2)
    assert [lock(two), release(one)] == ["failure", "success"]
    assert info(three) == (0, 2)
    assert [release(one), release(two)] == ["shared", "shared"]
    assert info(three) == (0, 0)


def test_others_wait_until_the_lock_is_released(connect: Connect) -> None:
    one, two = connect(), connect()
    assert lock(one) == "success"
    two.synchronous.send(data_end("00", "*IDN?"))
    two.asynchronous.send(f"48 53 04 01 00 00 27 10 {ZEROS}")
    # What needs no lock goes on while the client waits for one.
    two.asynchronous.ask(f"48 53 15 00 ff ff ff 00 {ZEROS}", f"48 53 16 00 00 00 00 00 {ZEROS}")
    one.query("00", "*OPC?", "1\n")
    assert release(one, "ff 00") == "success"
    two.synchronous.expect(data_end("00", "sockio,DMM,1,1.0\n"))
    two.asynchronous.expect(f"48 53 05 01 00 00 00 00 {ZEROS}")


def test_who_goes_leaves_no_lock_behind(connect: Connect) -> None:
    one, two = connect(), connect()
    assert lock(one) == "success"
    one.asynchronous.send("48 53 04 01 00 00 27 10 00 00 00 00 00 00 00 03 'lab'")
    one.close()
    assert (lock(two, milliseconds=10000), info(two)) == ("success", (1, 1))


def test_a_lock_is_kept_until_the_last_message_has_been_obeyed(connect: Connect) -> None:
    one, two = connect(), connect()
    assert lock(one) == "success"
    one.asynchronous.send(f"48 53 04 00 ff ff ff 00 {ZEROS}")
    assert lock(two) == "failure"
    one.query("00", "*OPC?", "1\n")
    one.asynchronous.expect(f"48 53 05 01 00 00 00 00 {ZEROS}")
    assert lock(two) == "success"


# Errors


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("'GET / HTTP/1.1\r\n'", "01"),
        ("48 53 00 00 01 00 78 78 80 00 00 00 00 00 00 00", "01"),
        (data_end("00", "*IDN?"), "03"),
        (f"48 53 11 00 00 00 ff fe {ZEROS}", "03"),
        ("48 53 00 00 01 00 78 78 00 00 00 00 00 00 00 07 'hislip7'", "03"),
    ],
    ids=["no header", "long payload", "data first", "no such session", "no such instrument"],
)
def test_initialization_in_bad_order_is_a_fatal_error(bench: Any, message: str, code: str) -> None:
    with Wire(bench.port("multimeter")) as wire:
        wire.send(message)
        wire.expect_error("02", code)
        wire.expect_end()


def test_data_before_the_asynchronous_channel_is_there_is_a_fatal_error(bench: Any) -> None:
    with Wire(bench.port("multimeter")) as wire:
        wire.send(INITIALIZE)
        wire.receive(16)
        wire.send(data_end("00", "*IDN?"))
        wire.expect_error("02", "02")
        wire.expect_end()


def test_one_client_too_many_is_refused(connect: Connect, bench: Any) -> None:
    connect(0, name="busy")
    with Wire(bench.port("busy")) as wire:
        wire.send(INITIALIZE)
        assert wire.expect_error("02", "04") == b"Server refused connection due to maximum number of clients exceeded"
        wire.expect_end()


def test_a_fatal_error_ends_both_channels(connect: Connect) -> None:
    client = connect()
    client.asynchronous.send("'no header at all'")
    client.asynchronous.expect_error("02", "01")
    client.asynchronous.expect_end()
    client.synchronous.expect_end()


@pytest.mark.parametrize(
    ("channel", "message", "code"),
    [
        ("synchronous", f"48 53 1a 00 00 00 00 00 {ZEROS}", "01"),
        ("synchronous", f"48 53 15 00 00 00 00 00 {ZEROS}", "01"),
        ("synchronous", "48 53 c0 00 00 00 00 00 00 00 00 00 00 00 00 03 'abc'", "03"),
        ("synchronous", f"48 53 07 02 ff ff ff 00 {ZEROS}", "02"),
        ("asynchronous", f"48 53 07 00 ff ff ff 00 {ZEROS}", "01"),
        ("asynchronous", f"48 53 ff 00 00 00 00 00 {ZEROS}", "03"),
        ("asynchronous", f"48 53 04 02 00 00 00 00 {ZEROS}", "02"),
        ("asynchronous", f"48 53 0a 07 00 00 00 00 {ZEROS}", "02"),
    ],
)
def test_messages_that_make_no_sense_are_errors_and_the_session_goes_on(
    connect: Connect, channel: str, message: str, code: str
) -> None:
    client = connect()
    wire = client.synchronous if channel == "synchronous" else client.asynchronous
    wire.send(message)
    wire.expect_error("03", code)
    client.asynchronous.ask(f"48 53 0a 06 ff ff ff 00 {ZEROS}", f"48 53 0b 00 00 00 00 00 {ZEROS}")
    client.query("00", "*IDN?", "sockio,DMM,1,1.0\n")

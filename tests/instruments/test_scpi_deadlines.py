"""A call of Instrument that asks more than once has one time limit for all of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from instruments.scpi import Instrument, InstrumentError
from sockio.errors import ConnectionTimeoutError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, until

#: How long each answer takes, in seconds; two take longer than `LIMIT`.
DELAY = 0.35
LIMIT = 0.65


@pytest.fixture(params=FLAVOURS, ids=[kind.name for kind in FLAVOURS])
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    kind: type[Flavour] = request.param
    with kind() as flavour:
        yield flavour


@pytest.fixture
def slow() -> Iterator[Peer]:
    """An instrument that answers everything slowly, and has one error in its queue after ``BAD``."""

    def serve(connection: socket.socket, peer: Peer) -> None:
        pending, queue = b"", []
        while data := peer.recv(connection):
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if line == b"BAD":
                    queue.append(b'-113,"Undefined header"\n')
                elif line.endswith(b"?"):
                    time.sleep(DELAY)
                    answer = b"1\n" if line != b"SYST:ERR?" else queue.pop() if queue else b'0,"No error"\n'
                    connection.sendall(answer)

    with Peer(serve) as peer:
        yield peer


def test_a_query_that_is_checked(flavour: Flavour, slow: Peer) -> None:
    instrument = flavour.make(Instrument, slow.address)
    with pytest.raises(ConnectionTimeoutError):
        flavour.call(instrument.query, "READ?", LIMIT, check=True)
    assert slow.received == b"READ?\nSYST:ERR?\n"
    assert flavour.call(instrument.query, "READ?", 10, check=True) == "1"
    assert flavour.call(instrument.query, "READ?", None, check=True) == "1"


def test_a_message_that_waits_and_is_checked(flavour: Flavour, slow: Peer) -> None:
    instrument = flavour.make(Instrument, slow.address)
    asking = flavour.actor().start(instrument.query, "READ?", 10)
    until(lambda: slow.received == b"READ?\n")
    with pytest.raises(ConnectionTimeoutError):
        flavour.call(instrument.write, "BAD", LIMIT, check=True)
    assert asking.result(10) == "1"
    assert slow.received == b"READ?\nBAD\nSYST:ERR?\n"
    with pytest.raises(InstrumentError, match="Undefined header"):
        flavour.call(instrument.write, "BAD", 10, check=True)


def test_an_error_queue_that_is_read(flavour: Flavour, slow: Peer) -> None:
    instrument = flavour.make(Instrument, slow.address)
    flavour.call(instrument.write, "BAD")
    with pytest.raises(ConnectionTimeoutError):
        flavour.call(instrument.errors, LIMIT)
    assert slow.received == b"BAD\nSYST:ERR?\nSYST:ERR?\n"


def test_the_time_limit_of_the_pipe_is_that_of_all(flavour: Flavour, slow: Peer) -> None:
    instrument = flavour.make(Instrument, slow.address)
    instrument.pipe.timeout = LIMIT
    with pytest.raises(ConnectionTimeoutError):
        flavour.call(instrument.query, "READ?", check=True)
    assert slow.received == b"READ?\nSYST:ERR?\n"

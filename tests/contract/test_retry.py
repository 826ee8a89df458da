"""Connecting is tried again, as often and as soon as `Retry` says; nothing else is."""

from __future__ import annotations

import socket
import statistics
import threading
from typing import Any

import pytest

from tests.ports import free_port

from .flavours import Flavour
from .server import Server


class Attempts:
    """Counts connection attempts, by what the stream logs of each that failed."""

    def __init__(self, logged: Any) -> None:
        self.logged = logged

    @property
    def delays(self) -> list[str]:
        return [record.getMessage() for record in self.logged.records if "attempt" in record.getMessage()]


async def test_once_by_default(flavour: Flavour, logged: Any) -> None:
    stream = flavour.TCP("127.0.0.1", free_port())
    with pytest.raises(ConnectionRefusedError):
        await stream.open()
    assert Attempts(logged).delays == []


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_so_many_attempts(flavour: Flavour, logged: Any, attempts: int) -> None:
    retry = flavour.Retry(attempts, delay=0.001, ceiling=0.002)
    stream = flavour.TCP("127.0.0.1", free_port(), retry=retry)
    for call in (stream.open, stream.readline):
        logged.clear()
        with pytest.raises(ConnectionRefusedError):
            await call()
        assert len(Attempts(logged).delays) == attempts - 1, "the last one is not followed by a delay"


async def test_a_server_that_comes_up_in_the_meantime(flavour: Flavour, server: Server) -> None:
    server.refuse()
    stream = flavour.TCP(*server.address, retry=flavour.Retry(None, delay=0.01, growth=1), timeout=8)
    timer = threading.Timer(0.1, server.listen)
    timer.start()
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    timer.join()
    assert stream.connection_counter == server.connections == 1
    assert server.requests == [b"a?\n"]


async def test_without_end_until_the_deadline(flavour: Flavour) -> None:
    stream = flavour.TCP("127.0.0.1", free_port(), retry=flavour.Retry(None, delay=0.005, growth=1))
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"attempt.*refused") as caught:
        await stream.open(timeout=0.1)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_requests_are_not_retried(flavour: Flavour, scripted: Server) -> None:
    received = []
    scripted.script = lambda peer: received.append(peer.readline())
    stream = flavour.TCP(*scripted.address, retry=flavour.Retry(5, delay=0.001))
    with pytest.raises(flavour.ConnectionEOFError):
        await stream.write_readline(b"a?\n", timeout=5)
    assert received == [b"a?\n"]
    assert scripted.connections == 1


async def test_delays_grow_with_jitter_up_to_a_ceiling(flavour: Flavour) -> None:
    exact = flavour.Retry(None, delay=0.5, growth=3, ceiling=10, jitter=0)
    assert [exact.delay_after(attempt) for attempt in range(1, 6)] == [0.5, 1.5, 4.5, 10, 10]
    assert exact.delay_after(10_000) == 10, "growing for ever does not overflow"
    spread = flavour.Retry(None, delay=1, growth=2, ceiling=4, jitter=0.25)
    for attempt, middle in [(1, 1), (2, 2), (3, 4), (4, 4)]:
        delays = [spread.delay_after(attempt) for _ in range(500)]
        assert 0.75 * middle <= min(delays) < 0.85 * middle
        assert 1.15 * middle < max(delays) <= 1.25 * middle
        assert abs(statistics.fmean(delays) - middle) < 0.05 * middle


async def test_the_delays_that_are_waited_are_those(flavour: Flavour, logged: Any) -> None:
    retry = flavour.Retry(4, delay=0.001, growth=2, ceiling=0.003, jitter=0)
    with pytest.raises(ConnectionRefusedError):
        await flavour.TCP("127.0.0.1", free_port(), retry=retry).open()
    delays = Attempts(logged).delays
    assert len(delays) == 3
    for delay, message in zip(["0.001 s", "0.002 s", "0.003 s"], delays, strict=True):
        assert delay in message


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("attempts", 0, ValueError),
        ("attempts", -1, ValueError),
        ("attempts", 1.5, TypeError),
        ("attempts", "3", TypeError),
        ("attempts", True, TypeError),
        ("delay", -1, ValueError),
        ("delay", float("nan"), ValueError),
        ("delay", "1", TypeError),
        ("growth", 0.5, ValueError),
        ("ceiling", -1, ValueError),
        ("ceiling", None, TypeError),
        ("jitter", 1.5, ValueError),
        ("jitter", -0.1, ValueError),
    ],
)
async def test_what_a_Retry_cannot_be(flavour: Flavour, name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{name} must be"):
        flavour.Retry(**{name: value})


async def test_what_is_no_Retry(flavour: Flavour) -> None:
    for retry in (3, True, "twice", (3, 0.1)):
        with pytest.raises(TypeError, match="Retry"):
            flavour.TCP("127.0.0.1", 5000, retry=retry)
    assert flavour.TCP("127.0.0.1", 5000, retry=None).retry.attempts == 1


@pytest.mark.only("aio", "trio")
async def test_cancelled_between_attempts(flavour: Flavour) -> None:
    port = free_port()
    stream = flavour.TCP("127.0.0.1", port, retry=flavour.Retry(None, delay=0.01))
    opening: Any = flavour.start(stream.open)
    await flavour.sleep(0.03)
    opening.cancel()
    await flavour.until(opening.done)
    with socket.create_server(("127.0.0.1", port)):
        await stream.open(timeout=5)
    assert stream.connection_counter == 1


async def test_closed_between_attempts(flavour: Flavour) -> None:
    stream = flavour.TCP("127.0.0.1", free_port(), retry=flavour.Retry(None, delay=0.01))
    opening = flavour.start(stream.open)
    await flavour.sleep(0.03)
    await stream.close()
    error = await flavour.error(opening)
    assert isinstance(error, ConnectionAbortedError)
    assert "closed while connecting" in str(error)

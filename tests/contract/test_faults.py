"""Thousands of requests to a server that misbehaves: no wrong reply, no hang, nothing left behind.

The server resets, closes and pauses in the middle of replies, keeps silent, answers too late, and says things that
nobody asked for, as a seeded random generator decides. Every reply belongs to one request alone, so a reply that is
somebody else's, or a part of one, is found out.
"""

from __future__ import annotations

import ast
import asyncio
import itertools
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sockio
from tests.contract.faults_leaks import eventually, nothing_left
from tests.contract.faults_server import PATIENCE, Request, Server
from tests.py2.test_contract import PYTHON2

REQUESTS = 2000
SEED = 1
STREAMS = 4
#: Tasks or threads that share each stream.
SHARING = 3

pytestmark = pytest.mark.timeout(60)


class Tally:
    """What came of the requests."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []

    def requests(self) -> Iterator[Request]:
        """Give out requests, no two of them alike, until there have been enough; several may ask."""
        while (number := next(self._numbers)) <= REQUESTS:
            yield Request(number)

    def reply(self, request: Request, reply: Any) -> None:
        if reply == request.reply:
            self.outcomes["right"] += 1
        else:
            self.wrong.append(f"{request.method}{request.args}: {reply!r}")

    def error(self, error: OSError) -> None:
        self.outcomes[type(error).__name__] += 1

    def check(self, server: Server) -> None:
        assert not self.wrong, f"{len(self.wrong)} wrong replies: {self.wrong[:5]}"
        assert sum(self.outcomes.values()) == REQUESTS
        # The server did what it is here for, and yet most requests were answered.
        fates = ast.literal_eval(server.ask("fates"))
        assert len(fates) == 10, fates
        assert min(fates.values()) > 10, fates
        assert self.outcomes["right"] > REQUESTS / 2, self.outcomes
        for kind in ("ConnectionTimeoutError", "ConnectionEOFError", "ConnectionResetError"):
            assert self.outcomes[kind] > 5, self.outcomes


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(seed=SEED) as server:
        server.ask("clients")
        yield server


def test_aio(server: Server) -> None:
    from sockio import aio

    tally = Tally()

    async def work(stream: aio.TCP) -> None:
        for request in tally.requests():
            try:
                tally.reply(request, await getattr(stream, request.method)(*request.args))
            except OSError as error:
                tally.error(error)

    async def main() -> None:
        streams = [aio.TCP(server.host, server.port, timeout=PATIENCE) for _ in range(STREAMS)]
        await asyncio.gather(*(work(stream) for stream in streams for _ in range(SHARING)))
        for stream in streams:
            assert await stream.write_readline(b"echo still here\n", timeout=5) == b"still here\n"
            await stream.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with nothing_left():
        asyncio.run(main())
        tally.check(server)
        assert eventually(lambda: server.clients() == 0)


def test_trio(server: Server) -> None:
    import trio

    from sockio import trio as sockio_trio

    tally = Tally()

    async def work(stream: sockio_trio.TCP) -> None:
        for request in tally.requests():
            try:
                tally.reply(request, await getattr(stream, request.method)(*request.args))
            except OSError as error:
                tally.error(error)

    async def main() -> None:
        streams = [sockio_trio.TCP(server.host, server.port, timeout=PATIENCE) for _ in range(STREAMS)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                for _ in range(SHARING):
                    nursery.start_soon(work, stream)
        for stream in streams:
            assert await stream.write_readline(b"echo still here\n", timeout=5) == b"still here\n"
            await stream.close()

    with nothing_left():
        trio.run(main)
        tally.check(server)
        assert eventually(lambda: server.clients() == 0)


def test_sio(server: Server) -> None:
    from sockio import sio

    with nothing_left():
        in_threads(server, [sio.TCP(server.host, server.port, timeout=PATIENCE) for _ in range(STREAMS)])


def test_py2(server: Server) -> None:
    py2 = pytest.importorskip("sockio.py2", exc_type=ImportError)

    with nothing_left():
        in_threads(server, [py2.TCP(server.host, server.port, timeout=PATIENCE) for _ in range(STREAMS)])


@pytest.mark.skipif(PYTHON2 is None, reason="no CPython 2.7 on PATH or in ~/.pyenv/versions")
def test_cpython_2_7(server: Server, tmp_path: Path) -> None:
    py2 = pytest.importorskip("sockio.py2", exc_type=ImportError)
    requests = [Request(number) for number in range(1, REQUESTS + 1)]
    lines = [repr((request.method, request.args, request.reply)) for request in requests]
    (tmp_path / "requests").write_text("\n".join(lines))
    command = [PYTHON2, Path(__file__).with_name("faults_python2.py"), py2.__file__]
    output = subprocess.run(
        [*map(str, command), str(server.port), str(PATIENCE), tmp_path / "requests"],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert output.stderr == ""
    outcomes = ast.literal_eval(output.stdout)
    assert sum(outcomes.values()) == REQUESTS, outcomes
    assert outcomes["right"] > REQUESTS / 2, outcomes
    assert "wrong" not in outcomes, outcomes


def in_threads(server: Server, streams: list[Any]) -> None:
    tally = Tally()
    failures = []

    def work(stream: Any) -> None:
        try:
            for request in tally.requests():
                try:
                    tally.reply(request, getattr(stream, request.method)(*request.args))
                except OSError as error:
                    tally.error(error)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(stream,)) for stream in streams for _ in range(SHARING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
        assert not thread.is_alive(), "hangs"
    assert not failures, failures
    for stream in streams:
        assert stream.write_readline(b"echo still here\n", timeout=5) == b"still here\n"
        stream.close()
    tally.check(server)
    assert eventually(lambda: server.clients() == 0)


def test_futures(server: Server) -> None:
    from sockio import sio

    warm_up = sio.TCP(server.host, server.port, resolve_futures=False)
    warm_up.write_readline(b"echo the loop's thread is there\n").result(5)
    warm_up.close().result(5)
    with nothing_left():
        streams = [Resolved(server.host, server.port) for _ in range(STREAMS)]
        in_threads(server, streams)
        del streams


class Resolved:
    """A stream that gives futures, whose results are waited for."""

    def __init__(self, host: str, port: int) -> None:
        from sockio import sio

        self.stream = sio.TCP(host, port, timeout=PATIENCE, resolve_futures=False)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.stream, name)
        return lambda *args, **options: method(*args, **options).result(10)


def test_the_test_notices_a_wrong_reply() -> None:
    tally = Tally()
    requests = tally.requests()
    first, second = next(requests), next(requests)
    tally.reply(first, second.reply)
    tally.reply(second, second.raw[:5])
    assert len(tally.wrong) == 2


def test_every_flavour_is_tested() -> None:
    modules = {module.rpartition(".")[2] for module in sockio.CONCURRENCY_MAP.values()}
    assert modules == {"aio", "trio", "sio"}

"""Streams over unix domain sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.faults_server import Server, pattern
from tests.contract.flavours import Flavour

pytestmark = pytest.mark.needs("unix")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(str(tmp_path / "instrument")) as server:
        yield server


async def test_request_and_reply(flavour: Flavour, server: Server) -> None:
    stream = flavour.Unix(server.path)
    assert await stream.write_readline(b"echo here\n") == b"here\n"
    assert await stream.write_readlines(b"lines 2 me\n", 2, timeout=5) == [b"me 0\n", b"me 1\n"]
    assert await stream.write_readblock(b"ieee 1000000\n") == pattern(1_000_000)
    assert stream.connected()
    assert stream.connection_counter == 1
    assert stream.path == server.path
    await stream.close()
    assert not stream.connected()


async def test_by_url(flavour: Flavour, server: Server) -> None:
    stream = flavour.socket_for_url(f"unix://{server.path}?timeout=5")
    assert await stream.write_readline(b"echo here\n") == b"here\n"
    assert str(stream) == f"unix://{server.path}"


async def test_a_late_answer_never_reaches_the_next_request(flavour: Flavour, server: Server) -> None:
    stream = flavour.Unix(server.path)
    await stream.open()
    with pytest.raises(TimeoutError, match=r"timed out after 0.01 s"):
        await stream.write_readline(b"wait 0.08 late\n", timeout=0.01)
    assert await stream.write_readline(b"wait 0.1 next\n", timeout=5) == b"next\n"
    assert stream.connection_counter == 2


async def test_cut_short(flavour: Flavour, server: Server) -> None:
    stream = flavour.Unix(server.path)
    with pytest.raises(EOFError) as caught:
        await stream.write_readline(b"end of the\n", timeout=5)
    assert caught.value.partial == b"of the"  # type: ignore[attr-defined]
    assert await stream.write_readline(b"echo again\n", timeout=5) == b"again\n"
    assert stream.connection_counter == 2


async def test_nobody_listens(flavour: Flavour, tmp_path: Path) -> None:
    stream = flavour.Unix(str(tmp_path / "nobody"))
    with pytest.raises(FileNotFoundError, match=r"unix://.*nobody"):
        await stream.open()
    (tmp_path / "nobody").touch()
    with pytest.raises(ConnectionRefusedError, match=r"unix://.*nobody"):
        await stream.write_readline(b"echo\n")
    assert not stream.connected()


async def test_server_comes_back(flavour: Flavour, tmp_path: Path) -> None:
    path = tmp_path / "instrument"
    stream = flavour.Unix(str(path))
    for round_number in (1, 2):
        with Server(str(path)):
            assert await stream.write_readline(b"echo here\n", timeout=5) == b"here\n"
            assert stream.connection_counter == round_number
        path.unlink()
        with pytest.raises((FileNotFoundError, ConnectionError)):
            await stream.write_readline(b"echo gone\n", timeout=5)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("relative/path", ValueError),
        ("", ValueError),
        (b"/bytes", TypeError),
        (None, TypeError),
        ("/nul\0", ValueError),
    ],
)
async def test_impossible_path(flavour: Flavour, path: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="path"):
        flavour.Unix(path)


async def test_idle_connection_is_lost(flavour: Flavour, server: Server) -> None:
    lost: list[BaseException | None] = []
    stream = flavour.Unix(server.path, on_connection_lost=lost.append)
    await stream.write(b"wait 0.02 bye\n")
    await stream.write(b"end \n")
    assert await stream.readline(timeout=5) == b"bye\n"
    await flavour.until(lambda: lost)
    assert lost == [None]
    assert not stream.connected()

"""Going through a stream, line by line and block by block."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import pytest

from .flavours import Flavour, collect
from .server import Peer, Server


def numbers(*values: int) -> bytes:
    return b"".join(b"%d\n" % value for value in values)


async def test_by_line_until_the_end_of_the_stream(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(numbers(*range(1000)))
    stream = flavour.TCP(*scripted.address)
    assert [line async for line in stream] == [b"%d\n" % number for number in range(1000)]
    assert stream.connection_counter == scripted.connections == 1


async def test_by_line_with_the_stream_s_end_of_line(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"a\nb\rc\r")
    stream = flavour.TCP(*scripted.address, eol=b"\r")
    assert [line async for line in stream] == [b"a\nb\r", b"c\r"]


async def test_LineStream_with_an_end_of_line_of_its_own(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"a\nb;c;")
    stream = flavour.TCP(*scripted.address)
    assert [line async for line in flavour.LineStream(stream, b";")] == [b"a\nb;", b"c;"]
    scripted.script = lambda peer: peer.send(b"d\n")
    assert [line async for line in flavour.LineStream(stream, eol=b"\n")] == [b"d\n"]


async def test_BlockStream_by_size(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(bytes(range(12)))
    stream = flavour.TCP(*scripted.address)
    blocks = [block async for block in flavour.BlockStream(stream, 4)]
    assert blocks == [bytes([0, 1, 2, 3]), bytes([4, 5, 6, 7]), bytes([8, 9, 10, 11])]


async def test_BlockStream_by_separator(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"one>>two>>")
    stream = flavour.TCP(*scripted.address)
    assert [block async for block in flavour.BlockStream(stream, limit=b">>")] == [b"one>>", b"two>>"]


@pytest.mark.parametrize(("kind", "argument"), [("LineStream", b"\n"), ("BlockStream", 8), ("BlockStream", b"\n")])
async def test_an_item_that_is_cut_short_is_an_error_with_what_there_is_of_it(
    flavour: Flavour, scripted: Server, kind: str, argument: Any
) -> None:
    scripted.script = lambda peer: peer.send(b"1234567\n123")
    stream = flavour.TCP(*scripted.address)
    items: list[bytes] = []
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await collect(getattr(flavour, kind)(stream, argument), items)
    assert items == [b"1234567\n"]
    assert caught.value.partial == b"123"
    assert stream.connection_counter == 1


async def test_break_and_readline_lose_nothing(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    scripted.peer().send(numbers(*range(10)) + b"rest")
    await flavour.until(lambda: stream.in_waiting() == 24)
    async for line in stream:
        if line == b"3\n":
            break
    assert stream.in_waiting() == 16
    assert await stream.readline() == b"4\n"
    assert await stream.readexactly(3) == b"5\n6"
    assert [await stream.readline() for _ in range(2)] == [b"\n", b"7\n"]
    async for line in stream:
        assert line == b"8\n"
        break
    assert await stream.readlines(1) == [b"9\n"]
    assert await stream.readbuffer() == b"rest"
    assert stream.connection_counter == 1


async def test_a_request_between_items_discards_unread_lines(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    peer = scripted.peer()
    peer.send(numbers(1, 2, 3))
    await flavour.until(lambda: stream.in_waiting() == 6)
    lines = []
    async for line in stream:
        lines.append(line)
        if len(lines) == 1:
            asking = flavour.start(stream.write_readline, b"a?\n")
            await flavour.call(peer.answer, b"a?\n", b"a\n")
            assert await flavour.result(asking) == b"a\n"
            peer.send(numbers(4))
            peer.close()
    assert lines == [b"1\n", b"4\n"]


async def test_no_turn_is_held_between_items(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    peer = scripted.peer()
    for number in range(3):
        peer.send(b"%d\n" % number)
    async for line in stream:
        await stream.write(line)
        if line == b"2\n":
            break
    peer.expect(b"0\n1\n2\n")


async def test_no_warning_when_it_is_left(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: (peer.send(numbers(1, 2, 3)), peer.gone())
    stream = flavour.TCP(*scripted.address)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async for _ in stream:
            break
        async for _ in flavour.LineStream(stream):
            break
        gc.collect()
        await flavour.sleep(0.01)
    assert [str(warning.message) for warning in caught] == []


async def test_a_stream_that_ended_while_the_consumer_was_busy_ends(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(numbers(1, 2))
    stream = flavour.TCP(*scripted.address)
    lines = []
    async for line in stream:
        lines.append(line)
        await flavour.until(lambda: not stream.connected())
    assert lines == [b"1\n", b"2\n"]
    assert scripted.connections == 1, "it has reconnected behind the loop's back"


async def test_a_stream_that_another_call_has_reconnected_ends(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    first = scripted.peer()
    first.send(numbers(1))
    lines = []
    async for line in stream:
        lines.append(line)
        first.close()
        await flavour.until(lambda: not stream.connected())
        await stream.write(b"hello\n")
        second = await flavour.call(scripted.peer)
        second.send(numbers(2))
    assert lines == [b"1\n"]
    assert stream.connection_counter == 2
    assert await stream.readline() == b"2\n", "it is still there for who asks for it"


async def test_with_reconnect_it_goes_on(flavour: Flavour, scripted: Server) -> None:
    count = 0

    def script(peer: Peer) -> None:
        nonlocal count
        count += 1
        peer.send(numbers(10 * count, 10 * count + 1))

    scripted.script = script
    stream = flavour.TCP(*scripted.address)
    lines = []
    async for line in flavour.LineStream(stream, reconnect=True):
        lines.append(line)
        if len(lines) == 5:
            break
    assert lines == [b"10\n", b"11\n", b"20\n", b"21\n", b"30\n"]
    assert stream.connection_counter == 3


async def test_with_reconnect_blocks_go_on(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"abcd")
    stream = flavour.TCP(*scripted.address)
    blocks = []
    async for block in flavour.BlockStream(stream, 2, reconnect=True):
        blocks.append(block)
        if len(blocks) == 4:
            break
    assert blocks == [b"ab", b"cd", b"ab", b"cd"]


async def test_a_reset_is_not_an_end(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    peer.send(numbers(1))

    async def go_through() -> None:
        async for line in stream:
            assert line == b"1\n"
            peer.reset()
            await flavour.until(lambda: not stream.connected())

    with pytest.raises(ConnectionError, match="reset"):
        await go_through()


async def test_without_a_connection_and_without_auto_reconnect(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address, auto_reconnect=False)
    with pytest.raises(ConnectionError, match="open"):
        async for _ in stream:
            pass
    assert server.connections == 0


async def test_two_tasks_share_a_stream_line_by_line(flavour: Flavour, scripted: Server) -> None:
    lines: list[bytes] = []

    async def consume() -> None:
        async for line in stream:
            lines.append(line)
            await flavour.sleep(0)

    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    tasks = [flavour.start(consume) for _ in range(2)]
    expected = [b"%d\n" % number for number in range(500)]
    peer.send(b"".join(expected[:250]))
    peer.send(b"".join(expected[250:]))
    peer.close()
    for task in tasks:
        await flavour.result(task)
    assert sorted(lines, key=int) == expected, "lines were lost or handed out twice"


@pytest.mark.only("aio", "trio")
async def test_a_subclass_of_BaseStream(flavour: Flavour, scripted: Server) -> None:
    class Pairs(flavour.module.BaseStream):  # type: ignore[name-defined,misc]
        async def _read(self) -> bytes:
            line: bytes = await self.tcp.readline()
            return line + await self.tcp.readline()

    scripted.script = lambda peer: peer.send(numbers(1, 2, 3, 4))
    stream = flavour.TCP(*scripted.address, auto_reconnect=False)
    await stream.open()
    assert [pair async for pair in Pairs(stream)] == [b"1\n2\n", b"3\n4\n"]


@pytest.mark.only("sio")
def test_a_subclass_of_BaseStream_where_calls_block(scripted: Server) -> None:
    from sockio.sio import TCP, BaseStream

    class Pairs(BaseStream):
        def _read(self) -> bytes:
            return self.tcp.readline() + self.tcp.readline()

    scripted.script = lambda peer: peer.send(numbers(1, 2, 3, 4))
    stream = TCP(*scripted.address, auto_reconnect=False)
    stream.open()
    assert list(Pairs(stream)) == [b"1\n2\n", b"3\n4\n"]
    stream.close()


@pytest.mark.only("aio", "trio")
async def test_item_by_item(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(numbers(1, 2))
    lines = flavour.LineStream(flavour.TCP(*scripted.address))
    assert await lines.__anext__() == b"1\n"
    assert await lines.__anext__() == b"2\n"
    with pytest.raises(StopAsyncIteration):
        await lines.__anext__()
    assert scripted.connections == 1

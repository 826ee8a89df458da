"""Who may use the link when: full duplex for plain reads and writes, exclusive exchanges, first come first served."""

from __future__ import annotations

from typing import Any

import pytest

from .flavours import Flavour, calls_under_way
from .server import Peer, Server


async def test_exchanges_never_interleave(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)

    async def ask(name: str) -> None:
        for number in range(25):
            request = f"{name} {number}?\n".encode()
            assert await stream.write_readline(request) == b"answer to " + request

    for task in [flavour.start(ask, name) for name in "abcdefgh"]:
        await flavour.result(task)
    assert server.connections == 1
    assert sorted(server.requests) == sorted(
        f"{name} {number}?\n".encode() for name in "abcdefgh" for number in range(25)
    )


async def test_an_exchange_of_several_lines_is_not_interrupted(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    first = flavour.start(stream.write_readlines, b"a?\n", 2)
    await flavour.call(peer.expect, b"a?\n")
    second = flavour.start(stream.writelines_readlines, [b"b?\n", b"c?\n"])
    await flavour.waiting(stream, 2)
    peer.send(b"a1\n")
    await flavour.sleep(0.02)
    assert peer.still_there(), "the second request went out before the first had its second line"
    peer.send(b"a2\n")
    await flavour.call(peer.expect, b"b?\nc?\n")
    peer.send(b"b\nc\n")
    assert await flavour.result(first) == [b"a1\n", b"a2\n"]
    assert await flavour.result(second) == [b"b\n", b"c\n"]


async def test_turns_come_in_the_order_of_the_calls(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    tasks = []
    for number in range(6):
        tasks.append(flavour.start(stream.write_readline, b"%d?\n" % number))
        await flavour.waiting(stream, number + 1)
    peer = await flavour.call(scripted.peer)
    for number in range(6):
        await flavour.call(peer.answer, b"%d?\n" % number, b"%d\n" % number)
    assert [await flavour.result(task) for task in tasks] == [b"%d\n" % number for number in range(6)]


async def test_a_plain_write_does_not_wait_for_a_plain_read(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    reading = flavour.start(stream.readline)
    peer = await flavour.call(scripted.peer)
    await flavour.waiting(stream, 1)
    await stream.write(b"while you read\n", timeout=5)
    await stream.writelines([b"more ", b"lines\n"], timeout=5)
    await flavour.call(peer.expect, b"while you read\nmore lines\n")
    assert not reading.done()
    peer.send(b"at last\n")
    assert await flavour.result(reading) == b"at last\n"


async def test_a_plain_read_does_not_wait_for_a_plain_write(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    data = bytes(range(256)) * 65536
    writing = flavour.start(stream.write, data)
    await flavour.waiting(stream, 1)
    peer.send(b"news\n")
    assert await stream.readline(timeout=5) == b"news\n"
    assert not writing.done(), "16 MiB fit into the socket buffers: the test shows nothing"
    received = await flavour.call(peer.readexactly, len(data))
    assert received == data
    await flavour.result(writing)


async def test_an_exchange_waits_for_a_plain_read_and_plain_writes_pass_it(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    reading = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    asking = flavour.start(stream.write_readline, b"question?\n")
    await flavour.waiting(stream, 2)
    await stream.write(b"in between\n", timeout=5)
    peer.expect(b"in between\n")
    assert peer.still_there(), "the request went out while somebody else was reading"
    peer.send(b"for the reader\n")
    assert await flavour.result(reading) == b"for the reader\n"
    await flavour.call(peer.answer, b"question?\n", b"for the one who asked\n")
    assert await flavour.result(asking) == b"for the one who asked\n"


async def test_a_plain_write_waits_for_an_exchange(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    asking = flavour.start(stream.write_readline, b"question?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"question?\n")
    writing = flavour.start(stream.write, b"later\n")
    await flavour.waiting(stream, 2)
    await flavour.sleep(0.02)
    assert peer.still_there()
    peer.send(b"answer\n")
    assert await flavour.result(asking) == b"answer\n"
    await flavour.result(writing)
    await flavour.call(peer.expect, b"later\n")


async def test_two_plain_reads_get_a_line_each_in_order(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    first = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    second = flavour.start(stream.readline)
    await flavour.waiting(stream, 2)
    peer.send(b"one\ntwo\n")
    assert await flavour.result(first) == b"one\n"
    assert await flavour.result(second) == b"two\n"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("readline", ()),
        ("read", (5,)),
        ("write", (b"mine\n",)),
        ("writelines", ([b"mine\n"],)),
        ("write_readline", (b"mine?\n",)),
        ("readbuffer", ()),
    ],
)
async def test_timing_out_while_waiting_for_a_turn_leaves_the_link_alone_and_names_the_holder(
    flavour: Flavour, scripted: Server, method: str, arguments: tuple[Any, ...]
) -> None:
    stream = flavour.TCP(*scripted.address)
    asking = flavour.start(stream.write_readline, b"long?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"long?\n")
    with pytest.raises(flavour.ConnectionTimeoutError, match=f"{method} .*turn.* write_readline") as caught:
        await getattr(stream, method)(*arguments, timeout=0.02)
    assert str(scripted.port) in str(caught.value)
    assert len(calls_under_way(stream)) == 1
    peer.send(b"all the same\n")
    assert await flavour.result(asking) == b"all the same\n"
    assert stream.connected()
    assert stream.connection_counter == scripted.connections == 1
    assert peer.still_there(), "the call that had no turn has written"


@pytest.mark.only("aio", "trio")
async def test_the_holder_of_the_turn_is_named_by_its_task(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)

    async def measurement() -> None:
        if flavour.name == "aio":
            import asyncio

            task = asyncio.current_task()
            assert task is not None
            task.set_name("measurement")
        else:
            import trio

            trio.lowlevel.current_task().name = "measurement"
        await stream.write_readline(b"long?\n")

    asking = flavour.start(measurement)
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"long?\n")
    with pytest.raises(flavour.ConnectionTimeoutError, match="measurement"):
        await stream.readline(timeout=0.02)
    peer.send(b"answer\n")
    await flavour.result(asking)


@pytest.mark.only("sio", "py2")
async def test_the_holder_of_the_turn_is_named_by_its_thread(flavour: Flavour, scripted: Server) -> None:
    import threading

    stream = flavour.TCP(*scripted.address)

    async def measurement() -> None:
        threading.current_thread().name = "measurement"
        await stream.write_readline(b"long?\n")

    asking = flavour.start(measurement)
    peer = scripted.peer()
    peer.expect(b"long?\n")
    with pytest.raises(flavour.ConnectionTimeoutError, match="measurement"):
        await stream.readline(timeout=0.02)
    peer.send(b"answer\n")
    await flavour.result(asking)


async def test_after_a_failed_exchange_those_who_wait_get_their_own_answers(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    failing = flavour.start(stream.write_readline, b"a?\n")
    await flavour.waiting(stream, 1)
    waiting = []
    for name in (b"b", b"c"):
        waiting.append(flavour.start(stream.write_readline, name + b"?\n"))
        await flavour.waiting(stream, len(waiting) + 1)
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"a?\n")
    peer.send(b"half of a")
    peer.close()
    assert isinstance(await flavour.error(failing), EOFError)
    fresh = await flavour.call(scripted.peer)
    await flavour.call(fresh.answer, b"b?\n", b"b\n")
    await flavour.call(fresh.answer, b"c?\n", b"c\n")
    assert [await flavour.result(task) for task in waiting] == [b"b\n", b"c\n"]


@pytest.mark.only("aio", "trio")
async def test_a_cancelled_exchange_does_not_answer_the_next(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    asking: Any = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"a?\n")
    asking.cancel()
    await flavour.until(asking.done)
    assert await flavour.call(peer.gone)
    again = flavour.start(stream.write_readline, b"b?\n")
    fresh: Peer = await flavour.call(scripted.peer)
    await flavour.call(fresh.answer, b"b?\n", b"b\n")
    assert await flavour.result(again) == b"b\n"


@pytest.mark.only("aio", "trio")
async def test_cancelled_while_waiting_for_its_turn_it_leaves_the_queue(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    asking = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"a?\n")
    waiting: Any = flavour.start(stream.write_readline, b"b?\n")
    await flavour.waiting(stream, 2)
    last = flavour.start(stream.write_readline, b"c?\n")
    await flavour.waiting(stream, 3)
    waiting.cancel()
    await flavour.until(waiting.done)
    peer.send(b"a\n")
    assert await flavour.result(asking) == b"a\n"
    await flavour.call(peer.answer, b"c?\n", b"c\n")
    assert await flavour.result(last) == b"c\n"
    assert stream.connection_counter == 1


async def test_large_plain_writes_do_not_interleave(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=10)
    await stream.open()
    peer = scripted.peer()
    size = 8 << 20
    writing = []
    for letter in (b"a", b"b", b"c"):
        writing.append(flavour.start(stream.write, letter * size))
        await flavour.waiting(stream, len(writing))
    received = await flavour.call(peer.readexactly, 3 * size)
    assert received == b"a" * size + b"b" * size + b"c" * size
    for task in writing:
        await flavour.result(task)


async def test_an_exchange_waits_for_a_plain_write_and_goes_before_later_ones(
    flavour: Flavour, scripted: Server
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=10)
    await stream.open()
    peer = scripted.peer()
    data = bytes(16 << 20)
    writing = flavour.start(stream.write, data)
    await flavour.waiting(stream, 1)
    asking = flavour.start(stream.write_readline, b"question?\n")
    await flavour.waiting(stream, 2)
    later = flavour.start(stream.write, b"later\n")
    await flavour.waiting(stream, 3)
    assert not writing.done(), "16 MiB fit into the socket buffers: the test shows nothing"
    received = await flavour.call(peer.readexactly, len(data) + len(b"question?\n"))
    assert received == data + b"question?\n"
    await flavour.sleep(0.02)
    assert peer.still_there(), "a write has come between a request and its reply"
    peer.send(b"answer\n")
    assert await flavour.result(asking) == b"answer\n"
    await flavour.result(writing)
    await flavour.result(later)
    await flavour.call(peer.expect, b"later\n")

"""What sockio 0.15 got wrong, one by one, under the letters of its list of defects; d (speed) is in the benchmarks."""

from __future__ import annotations

import functools
import gc
import os
import socket
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest

from .flavours import Flavour, collect, core_of
from .server import Peer, Server, Unresponsive


def socket_of(stream: Any) -> socket.socket:
    """Return a duplicate of the system's socket behind a stream."""
    link = core_of(stream)._link
    return socket.socket(fileno=os.dup(link.transport._descriptor.number))


async def test_a_on_connection_made_uses_the_socket_inside_another_call(flavour: Flavour, server: Server) -> None:
    async def set_up() -> None:
        await stream.write_readline(b"set up?\n")

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up), timeout=5)
    for number in range(3):
        assert await stream.write_readline(b"value?\n") == b"answer to value?\n"
        server.peers[number].shut_down()
        await flavour.until(lambda: not stream.connected())
    assert server.requests == [b"set up?\n", b"value?\n"] * 3


@pytest.mark.parametrize("method", ["readline", "write_readline", "iteration"])
async def test_b_a_truncated_line_is_never_returned(flavour: Flavour, scripted: Server, method: str) -> None:
    def script(peer: Peer) -> None:
        if method == "write_readline":
            peer.expect(b"?\n")
        peer.send(b"+1.234")

    scripted.script = script
    stream = flavour.TCP(*scripted.address, timeout=5)
    lines: list[bytes] = []
    calls = {
        "readline": lambda: stream.readline(),
        "write_readline": lambda: stream.write_readline(b"?\n"),
        "iteration": lambda: collect(stream, lines),
    }
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await calls[method]()
    assert lines == []
    assert caught.value.partial == b"+1.234"


@pytest.mark.parametrize("method", ["readlines", "write_readlines", "writelines_readlines"])
async def test_b2_missing_lines_are_never_returned(flavour: Flavour, scripted: Server, method: str) -> None:
    def script(peer: Peer) -> None:
        if method != "readlines":
            peer.expect(b"?\n")
        peer.send(b"1.23\n4.")

    scripted.script = script
    stream = flavour.TCP(*scripted.address, timeout=5)
    arguments = {"readlines": (4,), "write_readlines": (b"?\n", 4), "writelines_readlines": ([b"?\n"], 4)}
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await getattr(stream, method)(*arguments[method])
    assert caught.value.partial == b"1.23\n4."


@pytest.mark.parametrize("failure", ["timeout", "FIN", "RST"])
async def test_c_a_failed_request_is_not_sent_again(flavour: Flavour, scripted: Server, failure: str) -> None:
    def script(peer: Peer) -> None:
        received.append(peer.readline())
        if failure == "RST":
            peer.reset()
        elif failure == "timeout":
            peer.gone()

    received: list[bytes] = []
    scripted.script = script
    stream = flavour.TCP(*scripted.address)
    with pytest.raises(ConnectionError):
        await stream.write_readline(b"MOVE 1\n", timeout=0.1 if failure == "timeout" else 5)
    await flavour.sleep(0.05)
    assert received == [b"MOVE 1\n"]
    assert scripted.connections == 1


async def test_e1_a_pending_readline_does_not_hold_up_write(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    reading = flavour.start(stream.readline)
    await flavour.receiving(stream)
    await stream.write(b"start\n", timeout=5)
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.answer, b"start\n", b"started\n")
    assert await flavour.result(reading) == b"started\n"


async def test_e2_a_timeout_covers_the_wait_for_the_turn_and_the_connect(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    reading = flavour.start(stream.readline)
    await flavour.receiving(stream)
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.readline(timeout=0.02)
    assert not reading.done()
    scripted.peer().send(b"line\n")
    assert await flavour.result(reading) == b"line\n"
    with Unresponsive() as address:
        with pytest.raises(flavour.ConnectionTimeoutError):
            await flavour.TCP(*address).write_readline(b"?\n", timeout=0.02)


async def test_e3_an_iteration_does_not_restart(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"1\n2\n")
    stream = flavour.TCP(*scripted.address)
    lines = []
    async for line in stream:
        lines.append(line)
        await flavour.until(lambda: not stream.connected())
    assert lines == [b"1\n", b"2\n"]
    assert scripted.connections == 1


@pytest.mark.parametrize("closed", [False, True])
async def test_e4_without_auto_reconnect_the_error_is_a_ConnectionError(
    flavour: Flavour, server: Server, closed: bool
) -> None:
    stream = flavour.TCP(*server.address, auto_reconnect=False)
    if closed:
        await stream.open()
        await stream.close()
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("read", ()),
        ("readline", ()),
        ("readlines", (2,)),
        ("readexactly", (2,)),
        ("readuntil", ()),
        ("readbuffer", ()),
        ("write", (b"x",)),
        ("writelines", ([b"x"],)),
        ("write_read", (b"x",)),
        ("write_readline", (b"x",)),
        ("write_readlines", (b"x", 1)),
        ("writelines_readlines", ([b"x"],)),
    ]
    for method, arguments in calls:
        with pytest.raises(ConnectionError, match=method):
            await getattr(stream, method)(*arguments)


async def test_e5_after_a_reset_it_is_not_connected_and_the_next_call_succeeds(
    flavour: Flavour, scripted: Server
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    for number in range(3):
        asking = flavour.start(stream.write_readline, b"a?\n")
        peer = await flavour.call(scripted.peer)
        await flavour.call(peer.answer, b"a?\n", b"%d\n" % number)
        assert await flavour.result(asking) == b"%d\n" % number
        peer.reset()
        await flavour.until(lambda: not stream.connected())
    assert stream.connection_counter == 3


async def test_e6_unread_bytes_of_a_dead_peer_are_not_a_reply(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"stale\n")
    peer.close()
    await flavour.until(lambda: not stream.connected())
    assert stream.in_waiting() == 6
    asking = flavour.start(stream.write_readline, b"?\n")
    fresh = await flavour.call(scripted.peer)
    await flavour.call(fresh.answer, b"?\n", b"fresh\n")
    assert await flavour.result(asking) == b"fresh\n"


async def test_e7_a_timeout_during_a_blocked_write_closes(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.write(b"x" * (64 << 20), timeout=0.1)
    assert not stream.connected()
    peer = scripted.peer()
    assert await flavour.call(peer.gone), "the half-sent request is still open"


@pytest.mark.parametrize("how", ["idle", "writing"])
async def test_e8_close_returns_though_the_peer_does_not_read(flavour: Flavour, scripted: Server, how: str) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    if how == "writing":
        writing = flavour.start(stream.write, b"x" * (64 << 20), timeout=None)
        await flavour.waiting(stream, 1)
        await flavour.sleep(0.05)
        await stream.close()
        assert isinstance(await flavour.error(writing), ConnectionError)
    else:
        with socket_of(stream) as sock:
            sock.setblocking(False)
            try:
                while True:
                    sock.send(bytes(1 << 16))
            except BlockingIOError:
                pass
        await stream.close()
    assert not stream.connected()


async def test_e9_reading_nothing_is_not_the_end(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    await stream.open()
    assert await stream.read(0) == b""
    assert await stream.readexactly(0) == b""
    assert await stream.readlines(0) == []
    assert stream.connected()
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    assert stream.connection_counter == 1


async def test_e10_two_open_at_the_same_time_make_one_connection(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    tasks = [flavour.start(stream.open) for _ in range(5)]
    for task in tasks:
        await flavour.until(task.done)
    errors = [task.outcome[1] for task in tasks if task.outcome is not None and task.outcome[1] is not None]
    assert len(errors) == 4
    for error in errors:
        assert isinstance(error, ConnectionError)
        assert "open already" in str(error)
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    assert server.connections == stream.connection_counter == 1


async def test_e10_open_and_calls_at_the_same_time_make_one_connection(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    asking = [flavour.start(stream.write_readline, b"%d?\n" % number) for number in range(3)]
    opening = flavour.start(stream.open)
    writing = flavour.start(stream.write, b"!\n")
    for number, task in enumerate(asking):
        assert await flavour.result(task) == b"answer to %d?\n" % number
    await flavour.result(writing)
    await flavour.until(opening.done)
    assert server.connections == stream.connection_counter == 1


async def test_e10_close_while_calls_run(flavour: Flavour, scripted: Server) -> None:
    for _ in range(20):
        stream = flavour.TCP(*scripted.address)
        asking = flavour.start(stream.write_readline, b"a?\n")
        peer = await flavour.call(scripted.peer)
        await stream.close()
        await flavour.until(asking.done)
        assert asking.outcome is not None
        error = asking.outcome[1]
        assert isinstance(error, ConnectionError), error
        assert "clos" in str(error)
        assert not stream.connected()
        assert await flavour.call(peer.gone)


async def test_e11_a_failing_callback_without_a_name(flavour: Flavour, server: Server, logged: Any) -> None:
    def fail(reason: str) -> None:
        raise LookupError(reason)

    stream = flavour.TCP(*server.address, on_connection_made=functools.partial(fail, "on purpose"))
    await stream.open()
    assert stream.connected()
    assert stream.connection_counter == 1
    assert "on purpose" in logged.text


async def test_e12_open_takes_no_unknown_keywords(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    with pytest.raises(TypeError, match="speed"):
        await stream.open(speed=9600)
    assert server.connections == 0


@pytest.mark.parametrize("no_delay", [True, False])
async def test_e13_no_delay_is_what_it_says(flavour: Flavour, server: Server, no_delay: bool) -> None:
    stream = flavour.TCP(*server.address, no_delay=no_delay)
    await stream.open()
    with socket_of(stream) as sock:
        assert bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) == no_delay


@pytest.mark.parametrize(("tos", "expected"), [(None, 0x10), (0x00, 0x00), (0x08, 0x08)])
async def test_e13_tos_is_what_it_says(flavour: Flavour, server: Server, tos: int | None, expected: int) -> None:
    stream = flavour.TCP(*server.address) if tos is None else flavour.TCP(*server.address, tos=tos)
    await stream.open()
    with socket_of(stream) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == expected


@pytest.mark.parametrize(
    ("keep_alive", "active", "idle", "retry", "interval"),
    [
        ("default", 1, 60, 3, 10),
        ({"active": 1, "idle": 7, "retry": 5, "interval": 2}, 1, 7, 5, 2),
        ({"active": 0, "idle": 7}, 0, 7, None, None),
        ({"idle": 9}, 0, 9, None, None),
        ({}, 0, None, None, None),
        (True, 1, None, None, None),
        (1, 1, None, None, None),
        (False, 0, None, None, None),
        (0, 0, None, None, None),
        (None, 0, None, None, None),
    ],
)
async def test_e13_keep_alive_is_what_it_says(
    flavour: Flavour, server: Server, keep_alive: Any, active: int, idle: Any, retry: Any, interval: Any
) -> None:
    options = {} if keep_alive == "default" else {"keep_alive": keep_alive}
    stream = flavour.TCP(*server.address, **options)
    await stream.open()
    with socket_of(stream) as sock, socket.socket() as untouched:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == active
        for option, value in [
            (socket.TCP_KEEPIDLE, idle),
            (socket.TCP_KEEPCNT, retry),
            (socket.TCP_KEEPINTVL, interval),
        ]:
            expected = untouched.getsockopt(socket.IPPROTO_TCP, option) if value is None else value
            assert sock.getsockopt(socket.IPPROTO_TCP, option) == expected


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("read", (5,)),
        ("read", ()),
        ("readline", ()),
        ("readlines", (2,)),
        ("readexactly", (5,)),
        ("readuntil", ()),
        ("write_read", (b"?\n",)),
        ("write_readline", (b"?\n",)),
    ],
)
async def test_e14_the_end_of_the_stream_is_one_kind_of_error(
    flavour: Flavour, scripted: Server, method: str, arguments: tuple[Any, ...]
) -> None:
    scripted.script = lambda peer: peer.readline()
    stream = flavour.TCP(*scripted.address, timeout=5)
    task = flavour.start(getattr(stream, method), *arguments)
    await flavour.receiving(stream) if not method.startswith("write") else None
    if not method.startswith("write"):
        await stream.write(b"bye\n")
    error = await flavour.error(task)
    assert isinstance(error, flavour.ConnectionEOFError)
    assert not stream.connected()


@pytest.mark.only("aio", "trio")
def test_e15_a_second_event_loop(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    flavour.streams.clear()
    for _ in range(3):
        assert flavour.run(stream.write_readline, b"a?\n") == b"answer to a?\n"
    flavour.run(stream.close)


async def test_e16_a_platform_without_these_options(
    flavour: Flavour, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_KEEPCNT", "TCP_KEEPINTVL", "SOL_TCP", "IP_TOS"):
        monkeypatch.delattr(socket, name)
    stream = flavour.TCP(*server.address)
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"


@pytest.mark.only("aio")
async def test_e17_collected_in_another_thread(flavour: Flavour, scripted: Server) -> None:
    import asyncio

    streams = [flavour.TCP(*scripted.address)]
    flavour.streams.clear()
    await streams[0].open()
    peer = scripted.peer()
    loop = asyncio.get_running_loop()
    loop.set_debug(True)  # complains about what is called from another thread
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await asyncio.to_thread(streams.clear)
    assert await asyncio.to_thread(peer.gone)


async def test_e18_setting_an_attribute_reaches_the_socket(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=60)
    await stream.open()
    stream.timeout = 0.02
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"0\.02"):
        await stream.readline()
    assert core_of(stream).timeout == 0.02


async def test_e19_a_callback_that_blocks_holds_up_nobody_else(flavour: Flavour, server: Server) -> None:
    async def set_up() -> None:
        entered.set()
        await flavour.until(release.is_set)
        await stream.write_readline(b"set up?\n")

    entered, release = threading.Event(), threading.Event()
    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up), timeout=8)
    other = flavour.TCP(*server.address, timeout=5)
    asking = flavour.start(stream.write_readline, b"a?\n")
    await flavour.until(entered.is_set)
    assert await other.write_readline(b"other?\n") == b"answer to other?\n"
    release.set()
    assert await flavour.result(asking) == b"answer to a?\n"


def test_e20_the_loop_of_futures_cannot_be_stopped_for_everybody(server: Server) -> None:
    from sockio import sio

    assert not hasattr(sio, "DefaultEventLoop")
    streams = [sio.TCP(*server.address, resolve_futures=False, timeout=5) for _ in range(3)]
    futures = [stream.write_readline(b"%d?\n" % number) for number, stream in enumerate(streams)]
    assert [future.result(5) for future in futures] == [b"answer to %d?\n" % number for number in range(3)]
    for stream in streams:
        stream.close().result(5)


def test_e21_the_loop_thread_after_a_fork(server: Server) -> None:
    code = f"""
import os
from sockio.sio import TCP

sock = TCP({server.host!r}, {server.port}, resolve_futures=False, timeout=5)
assert sock.write_readline(b"parent?\\n").result(5) == b"answer to parent?\\n"
pid = os.fork()
if pid == 0:
    os._exit(0 if sock.write_readline(b"child?\\n").result(5) == b"answer to child?\\n" else 1)
assert os.waitpid(pid, 0)[1] == 0
assert sock.write_readline(b"parent?\\n").result(5) == b"answer to parent?\\n"
assert sock.connection_counter == 1
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.only("futures")
async def test_e21_a_future_that_is_cancelled_ends_its_request(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    asking = stream.stream.write_readline(b"a?\n")  # the future itself
    peer = scripted.peer()
    peer.expect(b"a?\n")
    assert asking.cancel()
    assert peer.gone(), "the request goes on though nobody wants it"
    again = flavour.start(stream.write_readline, b"b?\n")
    fresh = scripted.peer()
    fresh.answer(b"b?\n", b"b\n")
    assert await flavour.result(again) == b"b\n"


@pytest.mark.only("py2")
async def test_e22_connecting_has_a_timeout(flavour: Flavour) -> None:
    with Unresponsive() as address:
        with pytest.raises(flavour.ConnectionTimeoutError):
            await flavour.TCP(*address, timeout=0.05).open()
        with pytest.raises(flavour.ConnectionTimeoutError):
            await flavour.TCP(*address, 0.05).write_readline(b"?\n")


@pytest.mark.only("py2")
async def test_e23_write_sends_all_and_read_is_buffered(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=10)
    await stream.open()
    peer = scripted.peer()
    data = bytes(20_000_000)
    writing = flavour.start(stream.write, data)
    received = peer.readexactly(len(data))
    assert received == data
    assert await flavour.result(writing) is None
    peer.send(b"1\n" * 1000)
    lines = [await stream.readline() for _ in range(1000)]
    assert lines == [b"1\n"] * 1000


@pytest.mark.only("py2")
async def test_e24_the_peer_has_left(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"half a li")
    peer.close()
    await flavour.until(lambda: not stream.connected())
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await stream.readline()
    assert caught.value.partial == b"half a li"


def test_e25_the_error_is_the_one_that_the_readme_claims(scripted: Server) -> None:
    import asyncio

    from sockio import aio, py2

    async def ask() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await aio.TCP(*scripted.address).write_readline(b"?\n", timeout=0.02)

    asyncio.run(ask())
    gc.collect()
    scripted.script = lambda peer: peer.answer(b"?\n", b"yes\n")
    stream = py2.TCP(*scripted.address)
    assert stream.write_readline(b"?\n") == b"yes\n", "the reply itself, without result()"
    stream.close()

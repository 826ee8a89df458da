"""What is told when, and what a callback may do."""

from __future__ import annotations

import contextvars
import functools
from typing import Any

import pytest

from tests.ports import free_port

from .flavours import Flavour, finish
from .server import Peer, Server

idle = pytest.mark.needs("idle")


class Events(list[Any]):
    """What was told, in order; for lost connections with the kind of error."""

    def made(self) -> None:
        self.append("made")

    def lost(self, error: BaseException | None) -> None:
        self.append(("lost", None if error is None else type(error).__name__))

    def eof(self) -> None:
        self.append("eof")

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_connection_made": self.made,
            "on_connection_lost": self.lost,
            "on_eof_received": self.eof,
        }


@pytest.fixture
def events() -> Events:
    return Events()


async def test_an_explicit_open_and_close(flavour: Flavour, server: Server, events: Events) -> None:
    stream = flavour.TCP(*server.address, **events.callbacks)
    await stream.open()
    assert events == ["made"], "told before open returns"
    await stream.close()
    await flavour.until(lambda: len(events) > 1)
    assert events == ["made", ("lost", None)]
    await stream.close()
    await flavour.sleep(0.02)
    assert events == ["made", ("lost", None)]


@pytest.mark.parametrize("how", ["open", "write_readline"])
async def test_lost_is_told_before_the_next_is_made_after_distrust(
    flavour: Flavour, server: Server, events: Events, how: str
) -> None:
    stream = flavour.TCP(*server.address, on_connection_made=events.made, on_connection_lost=events.lost)
    await stream.open()
    distrusted = stream.distrust()
    if flavour.blocks:
        await distrusted
    await getattr(stream, how)(*([b"a?\n"] if how == "write_readline" else []))
    await flavour.until(lambda: len(events) > 2)
    assert events == ["made", ("lost", None), "made"]


async def test_an_automatic_open(flavour: Flavour, server: Server, events: Events) -> None:
    stream = flavour.TCP(*server.address, **events.callbacks)
    await stream.write_readline(b"a?\n")
    assert events == ["made"]


@pytest.mark.only("aio", "trio", "sio")
async def test_lost_is_told_before_close_returns(flavour: Flavour, server: Server, events: Events) -> None:
    stream = flavour.TCP(*server.address, on_connection_lost=events.lost)
    await stream.open()
    await stream.close()
    assert events == [("lost", None)]


async def test_a_failing_open_tells_nothing(flavour: Flavour, events: Events) -> None:
    stream = flavour.TCP("127.0.0.1", free_port(), **events.callbacks)
    with pytest.raises(ConnectionRefusedError):
        await stream.open()
    await flavour.sleep(0.02)
    assert events == []


@idle
async def test_a_peer_that_closes_an_idle_connection(flavour: Flavour, scripted: Server, events: Events) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    await stream.open()
    scripted.peer().close()
    await flavour.until(lambda: len(events) == 3)
    assert events == ["made", "eof", ("lost", None)]
    assert not stream.connected()
    await stream.close()
    await flavour.sleep(0.02)
    assert len(events) == 3, "told once a connection"


@idle
async def test_a_peer_that_resets_an_idle_connection(flavour: Flavour, scripted: Server, events: Events) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    await stream.open()
    scripted.peer().reset()
    await flavour.until(lambda: len(events) == 2)
    assert events == ["made", ("lost", "ConnectionResetError")]
    assert not stream.connected()


@idle
@pytest.mark.parametrize("which", ["on_connection_lost", "on_eof_received"])
async def test_one_callback_alone_is_told_on_an_idle_connection_too(
    flavour: Flavour, scripted: Server, events: Events, which: str
) -> None:
    stream = flavour.TCP(*scripted.address, **{which: events.callbacks[which]})
    await stream.open()
    scripted.peer().close()
    await flavour.until(lambda: events)
    assert events == [("lost", None) if which == "on_connection_lost" else "eof"]


@idle
async def test_unread_bytes_do_not_keep_the_end_from_being_told(
    flavour: Flavour, scripted: Server, events: Events
) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"last words\n")
    peer.close()
    await flavour.until(lambda: len(events) == 3)
    assert events == ["made", "eof", ("lost", None)]
    assert await stream.readline() == b"last words\n"
    assert len(events) == 3


async def test_the_end_in_a_read(flavour: Flavour, scripted: Server, events: Events) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    await stream.open()
    peer = scripted.peer()
    reading = flavour.start(stream.readline)
    await flavour.receiving(stream)
    peer.close()
    assert isinstance(await flavour.error(reading), flavour.ConnectionEOFError)
    await flavour.until(lambda: len(events) == 3)
    assert events == ["made", "eof", ("lost", None)]


async def test_a_timeout_loses_the_connection(flavour: Flavour, scripted: Server, events: Events) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.write_readline(b"a?\n", timeout=0.02)
    await flavour.until(lambda: len(events) == 2)
    assert events == ["made", ("lost", "ConnectionTimeoutError")]


async def test_each_connection_is_told_in_order(flavour: Flavour, scripted: Server, events: Events) -> None:
    stream = flavour.TCP(*scripted.address, **events.callbacks)
    for _ in range(5):
        asking = flavour.start(stream.write_readline, b"a?\n")
        peer = await flavour.call(scripted.peer)
        await flavour.call(peer.answer, b"a?\n", b"a\n")
        await flavour.result(asking)
        peer.close()
        # The next call finds out, whether or not it has been told yet (by the watcher's thread it may be half told).
        while stream.connected():
            pass
        if flavour.name == "sio":
            await flavour.until(lambda: len(events) % 3 == 0)
    if flavour.name == "py2":
        await stream.readbuffer()  # there only a call notices
    await flavour.until(lambda: len(events) >= 15)
    assert events[:15] == ["made", "eof", ("lost", None)] * 5


# on_connection_made uses the stream


async def test_made_may_use_the_stream_in_an_explicit_open(flavour: Flavour, server: Server) -> None:
    answers = []

    async def set_up() -> None:
        assert stream.connected()
        assert stream.connection_counter == 0, "the connection counts once it has been set up"
        await stream.write(b"ACQU:TRIGGER HARDWARE\n")
        answers.append(await stream.write_readline(b"*IDN?\n"))

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up))
    await stream.open()
    assert answers == [b"answer to *IDN?\n"]
    assert stream.connection_counter == 1


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("write_readline", (b"value?\n",)),
        ("write_read", (b"value?\n", 100)),
        ("write_readlines", (b"value?\n", 1)),
        ("write", (b"value!\n",)),
    ],
)
async def test_made_may_use_the_stream_in_another_call(
    flavour: Flavour, server: Server, method: str, arguments: tuple[Any, ...]
) -> None:
    async def set_up() -> None:
        await stream.write(b"DISPLAY OFF\n")
        assert await stream.write_readline(b"*IDN?\n") == b"answer to *IDN?\n"

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up), timeout=5)
    for number in (1, 2):
        await getattr(stream, method)(*arguments)
        await flavour.until(lambda number=number: len(server.requests) == 3 * number)
        assert server.requests[-3:] == [b"DISPLAY OFF\n", b"*IDN?\n", arguments[0]], "before anything else"
        assert stream.connection_counter == number
        await stream.close()


async def test_made_may_use_the_stream_in_an_iteration(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: (peer.answer(b"hello?\n", b"hello\n"), peer.send(b"1\n2\n"))

    async def set_up() -> None:
        assert await stream.write_readline(b"hello?\n") == b"hello\n"

    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up), timeout=5)
    assert [line async for line in stream] == [b"1\n", b"2\n"]


async def test_made_opening_its_own_stream_is_told_that_it_is_open(flavour: Flavour, server: Server) -> None:
    errors = []

    async def set_up() -> None:
        try:
            await stream.open(timeout=2)
        except ConnectionError as error:
            errors.append(str(error))

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up))
    await stream.open()
    assert len(errors) == 1
    assert "open already" in errors[0]
    await stream.close()
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    assert "open already" in errors[1]


async def test_made_may_close_the_stream(flavour: Flavour, server: Server) -> None:
    async def change_one_s_mind() -> None:
        await stream.close()

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(change_one_s_mind))
    with pytest.raises(ConnectionError):
        await stream.write_readline(b"a?\n")
    assert not stream.connected()
    assert server.requests == []


async def test_nobody_else_s_call_comes_before_made_is_done(flavour: Flavour, scripted: Server) -> None:
    async def set_up() -> None:
        assert await stream.write_readline(b"set up?\n") == b"ready\n"

    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up), timeout=5)
    opening = flavour.start(stream.open)
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"set up?\n")
    asking = flavour.start(stream.write_readline, b"value?\n")
    await flavour.waiting(stream, 1)
    await flavour.sleep(0.02)
    assert peer.still_there(), "somebody has used the connection that is being set up"
    assert not stream.connected()
    peer.send(b"ready\n")
    await flavour.call(peer.answer, b"value?\n", b"42\n")
    assert await flavour.result(asking) == b"42\n"
    await flavour.result(opening)
    assert scripted.connections == 1


@pytest.mark.only("aio", "trio")
async def test_tasks_that_made_starts_pass_while_it_runs(flavour: Flavour, server: Server) -> None:
    answers = []

    async def set_up() -> None:
        tasks = [flavour.start(stream.write_readline, b"%d?\n" % number) for number in range(3)]
        for task in tasks:
            answers.append(await flavour.result(task))

    stream = flavour.TCP(*server.address, on_connection_made=set_up, timeout=5)
    # trio's tasks have the context of whoever starts them; its nursery is the contract's.
    assert await stream.write_readline(b"value?\n") == b"answer to value?\n"
    assert answers == [b"answer to %d?\n" % number for number in range(3)]
    assert server.requests[-1] == b"value?\n"


@pytest.mark.only("aio", "trio")
async def test_the_pass_dies_with_the_callback(flavour: Flavour, scripted: Server) -> None:
    tasks: list[Any] = []
    released = []

    async def later() -> Any:
        await flavour.until(lambda: released)
        return await stream.write_readline(b"later?\n")

    async def set_up() -> None:
        tasks.append(flavour.start(later))

    stream = flavour.TCP(*scripted.address, on_connection_made=set_up, timeout=5)
    asking = flavour.start(stream.write_readline, b"value?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"value?\n")
    released.append(True)
    await flavour.waiting(stream, 2)
    await flavour.sleep(0.02)
    assert peer.still_there(), "the task came between a request and its reply"
    peer.send(b"42\n")
    assert await flavour.result(asking) == b"42\n"
    await flavour.call(peer.answer, b"later?\n", b"later\n")
    assert await flavour.result(tasks[0]) == b"later\n"


@pytest.mark.only("aio", "trio")
async def test_what_a_task_of_made_has_begun_is_finished_first(flavour: Flavour, scripted: Server) -> None:
    tasks: list[Any] = []

    async def set_up() -> None:
        tasks.append(flavour.start(stream.write_readline, b"from the task?\n"))
        await flavour.until(lambda: (peers and peers[0].received.endswith(b"task?\n")) or poll())

    def poll() -> bool:
        if scripted.peers and not peers:
            peers.append(scripted.peers[0])
        if peers and not peers[0].still_there():
            peers[0].expect(b"from the task?\n")
        return False

    peers: list[Peer] = []
    stream = flavour.TCP(*scripted.address, on_connection_made=set_up, timeout=5)
    asking = flavour.start(stream.write_readline, b"value?\n")
    await flavour.until(lambda: peers and peers[0].received)
    await flavour.sleep(0.02)
    assert peers[0].still_there(), "an exchange has begun in the middle of another"
    peers[0].send(b"for the task\n")
    await flavour.call(peers[0].answer, b"value?\n", b"42\n")
    assert await flavour.result(tasks[0]) == b"for the task\n"
    assert await flavour.result(asking) == b"42\n"


@pytest.mark.only("sio")
@pytest.mark.parametrize("with_context", [False, True], ids=["plain", "with the context"])
async def test_threads_that_made_starts_do_not_pass(flavour: Flavour, server: Server, with_context: bool) -> None:
    tasks = []

    async def set_up() -> None:
        context = contextvars.copy_context()

        async def ask() -> Any:
            # Some executors, and Python 3.14 on request, run threads in the context of who starts them.
            return context.run(finish, stream.write_readline(b"thread?\n"))

        task = flavour.start(ask if with_context else stream.write_readline, *([] if with_context else [b"thread?\n"]))
        tasks.append(task)
        await flavour.waiting(stream, 1)
        assert await stream.write_readline(b"set up?\n") == b"answer to set up?\n"

    stream = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up), timeout=5)
    await stream.open()
    assert await flavour.result(tasks[0]) == b"answer to thread?\n"
    assert server.requests == [b"set up?\n", b"thread?\n"]


async def test_made_of_one_stream_may_use_another(flavour: Flavour, server: Server) -> None:
    async def set_up_outer() -> None:
        assert await inner.write_readline(b"inner from outer?\n") == b"answer to inner from outer?\n"
        assert await outer.write_readline(b"outer?\n") == b"answer to outer?\n"

    async def set_up_inner() -> None:
        assert await inner.write_readline(b"inner?\n") == b"answer to inner?\n"
        assert await outer.write_readline(b"outer from inner?\n") == b"answer to outer from inner?\n"

    outer = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up_outer), timeout=5)
    inner = flavour.TCP(*server.address, on_connection_made=flavour.callback(set_up_inner), timeout=5)
    if flavour.name == "futures":
        # Each callback runs in a worker thread of its own, and threads do not inherit the pass.
        outer.on_connection_made = flavour.callback(set_up_outer_alone(outer, inner))
        inner.on_connection_made = None
    assert await outer.write_readline(b"value?\n") == b"answer to value?\n"
    assert outer.connection_counter == inner.connection_counter == 1


def set_up_outer_alone(outer: Any, inner: Any) -> Any:
    async def set_up() -> None:
        assert await inner.write_readline(b"inner?\n") == b"answer to inner?\n"
        assert await outer.write_readline(b"outer?\n") == b"answer to outer?\n"

    return set_up


async def test_a_link_that_dies_while_it_is_set_up_is_not_used(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.expect(b"set up?\n")
    failures = []

    async def set_up() -> None:
        try:
            await stream.write_readline(b"set up?\n")
        except ConnectionError as error:
            failures.append(error)

    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up), timeout=5)
    with pytest.raises(ConnectionError, match="on_connection_made"):
        await stream.write_readline(b"value?\n")
    assert len(failures) == 1
    assert stream.connection_counter == 0
    assert not stream.connected()


async def test_what_made_leaves_unread_does_not_answer_the_next_request(flavour: Flavour, scripted: Server) -> None:
    def script(peer: Peer) -> None:
        peer.answer(b"SET\n", b"OK\n")
        peer.answer(b"value?\n", b"42\n")

    async def set_up() -> None:
        await stream.write(b"SET\n")
        await flavour.until(lambda: stream.in_waiting() == 3)

    scripted.script = script
    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up), timeout=5)
    assert await stream.write_readline(b"value?\n") == b"42\n"


async def test_what_made_leaves_unread_can_be_read(flavour: Flavour, scripted: Server) -> None:
    async def set_up() -> None:
        await flavour.until(lambda: stream.in_waiting() == 8)

    scripted.script = lambda peer: peer.send(b"Welcome\n")
    stream = flavour.TCP(*scripted.address, timeout=5, **Events().callbacks)
    stream.on_connection_made = flavour.callback(set_up)
    assert await stream.readline() == b"Welcome\n", "though the peer has closed by now"


async def test_a_peer_that_closes_whatever_connects_is_an_error_and_not_a_loop(
    flavour: Flavour, scripted: Server
) -> None:
    async def set_up() -> None:
        await flavour.until(lambda: not stream.connected())

    scripted.script = lambda peer: None
    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up), timeout=5)
    for number, call in enumerate((stream.readline, stream.read), 1):
        with pytest.raises(flavour.ConnectionEOFError):
            await call()
        assert stream.connection_counter == scripted.connections == number
    with pytest.raises(ConnectionError):
        await stream.write_readline(b"a?\n")
    with pytest.raises(ConnectionError):
        await stream.write(b"a?\n")
    assert scripted.connections == 4


# Callbacks that fail


def fail(*_: Any) -> None:
    raise LookupError("on purpose")


async def test_a_failing_made_is_logged_and_harms_nothing(flavour: Flavour, server: Server, logged: Any) -> None:
    stream = flavour.TCP(*server.address, on_connection_made=fail)
    await stream.open()
    assert stream.connected()
    assert stream.connection_counter == 1
    await stream.close()
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    assert stream.connection_counter == 2
    errors = [record for record in logged.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    for record in errors:
        assert record.name.startswith("sockio")
        assert str(server.port) in record.getMessage()
        assert record.exc_info is not None
        assert "on purpose" in str(record.exc_info[1])


@idle
async def test_failing_lost_and_eof_are_logged_and_harm_nothing(
    flavour: Flavour, scripted: Server, logged: Any
) -> None:
    def errors() -> list[Any]:
        return [record for record in logged.records if record.levelname == "ERROR" and record.exc_info]

    stream = flavour.TCP(*scripted.address, on_connection_lost=fail, on_eof_received=fail)
    await stream.open()
    scripted.peer().close()
    await flavour.until(lambda: len(errors()) == 2)
    asking = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.answer, b"a?\n", b"a\n")
    assert await flavour.result(asking) == b"a\n"
    await stream.close()
    await flavour.until(lambda: len(errors()) == 3)


@pytest.mark.only("aio", "trio")
async def test_failing_coroutines_are_logged_too(flavour: Flavour, scripted: Server, logged: Any) -> None:
    async def fail_later(*_: Any) -> None:
        await flavour.sleep(0)
        raise LookupError("on purpose")

    stream = flavour.TCP(
        *scripted.address, on_connection_made=fail_later, on_connection_lost=fail_later, on_eof_received=fail_later
    )
    await stream.open()
    assert stream.connected()
    scripted.peer().close()
    await flavour.until(lambda: len([record for record in logged.records if record.exc_info]) == 3)


@idle
async def test_a_callback_may_be_a_partial(flavour: Flavour, scripted: Server, logged: Any) -> None:
    events: list[Any] = []

    async def made(*arguments: Any) -> None:
        events.append(("made", *arguments))

    stream = flavour.TCP(
        *scripted.address,
        on_connection_made=functools.partial(flavour.callback(made), 1),
        on_connection_lost=functools.partial(events.append),
        on_eof_received=functools.partial(events.append, "eof"),
    )
    await stream.open()
    assert events == [("made", 1)]
    scripted.peer().close()
    await flavour.until(lambda: len(events) == 3)
    assert events == [("made", 1), "eof", None]

    failing = flavour.TCP(*scripted.address, on_connection_made=functools.partial(fail, 1))
    await failing.open()
    assert failing.connected()
    assert failing.connection_counter == 1
    assert "on purpose" in logged.text


class Callable_:
    def __init__(self, events: list[Any]) -> None:
        self.events = events

    def __call__(self, *arguments: Any) -> None:
        self.events.append(arguments)


async def test_a_callback_may_be_any_callable(flavour: Flavour, server: Server) -> None:
    events: list[Any] = []
    stream = flavour.TCP(*server.address, on_connection_made=Callable_(events), on_connection_lost=Callable_(events))
    await stream.open()
    await stream.close()
    await flavour.until(lambda: len(events) == 2)
    assert events == [(), (None,)]


async def coroutine_function(*_: Any) -> None:
    pass


class WithCoroutineCall:
    async def __call__(self, *_: Any) -> None:
        pass


@pytest.mark.only("sio", "futures")
@pytest.mark.parametrize("name", ["on_connection_made", "on_connection_lost", "on_eof_received"])
@pytest.mark.parametrize(
    "callback",
    [coroutine_function, functools.partial(coroutine_function, 1), WithCoroutineCall(), WithCoroutineCall().__call__],
    ids=["function", "partial", "object", "method"],
)
async def test_coroutine_callbacks_where_calls_block_are_a_TypeError(
    flavour: Flavour, name: str, callback: Any
) -> None:
    with pytest.raises(TypeError, match=name):
        flavour.TCP("127.0.0.1", 5000, **{name: callback})


@pytest.mark.parametrize("name", ["on_connection_made", "on_connection_lost", "on_eof_received"])
async def test_a_callback_that_cannot_be_called_is_a_TypeError(flavour: Flavour, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be callable"):
        flavour.TCP("127.0.0.1", 5000, **{name: 5})


# Lost and EOF may use the stream


@idle
async def test_lost_may_reconnect(flavour: Flavour, scripted: Server) -> None:
    async def again(error: BaseException | None) -> None:
        if len(scripted.peers) < 3:
            await stream.open()

    stream = flavour.TCP(*scripted.address, on_connection_lost=flavour.callback(again), timeout=5)
    await stream.open()
    for _ in range(2):
        scripted.peer().close()
        await flavour.until(lambda: scripted._new.qsize() == 1 and stream.connected())
    assert stream.connection_counter == 3


async def test_lost_is_told_outside_of_the_turn(flavour: Flavour, scripted: Server) -> None:
    answers: list[Any] = []

    async def ask_again(error: BaseException | None) -> None:
        if not answers:
            answers.append(None)
            answers[0] = await stream.write_readline(b"again?\n", timeout=5)

    stream = flavour.TCP(*scripted.address, on_connection_lost=flavour.callback(ask_again))
    asking = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"a?\n")
    peer.reset()
    fresh = await flavour.call(scripted.peer)
    await flavour.call(fresh.answer, b"again?\n", b"again\n")
    assert isinstance(await flavour.error(asking), ConnectionResetError)
    await flavour.until(lambda: answers[0])
    assert answers == [b"again\n"]

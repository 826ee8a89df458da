"""Conformance suite for runtimes: what the core relies on, as tests that any runtime can be put to.

For a runtime of your own, in a test module of your own::

    class TestMyRuntime(RuntimeContract):
        runtime = MyRuntime()

        def execute(self, function):
            my_library.run(function)

pytest collects the tests from the class. They use real sockets, on this machine.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from .errors import DeadlineExpired
from .runtimes.base import CHUNK_SIZE, Runtime, Transport
from .runtimes.descriptor import SocketDescriptor

#: Seconds after which something that has to happen is given up, and for which something must not happen.
LONG = 10.0
SHORT = 0.05

BIG = bytes(range(256)) * 2**14  # 4 MiB: more than any socket takes at once


class RuntimeContract:
    """The tests. Subclasses give the `runtime`, and `execute` to run an ``async def`` function without arguments."""

    runtime: Runtime

    def execute(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        raise NotImplementedError

    # Time and waiting

    def test_the_clock_goes_on_while_sleeping(self) -> None:
        async def contract() -> None:
            before = self.runtime.clock()
            await self.runtime.sleep(SHORT)
            assert self.runtime.clock() >= before + SHORT * 0.9

        self.execute(contract)

    def test_a_waiter_that_was_set_before_does_not_wait(self) -> None:
        async def contract() -> None:
            waiter = self.runtime.waiter()
            waiter.set()
            waiter.set()
            await waiter.wait(None)

        self.execute(contract)

    def test_a_waiter_that_nobody_sets_expires(self) -> None:
        async def contract() -> None:
            await expires(self.runtime.waiter().wait(self.runtime.clock() + SHORT))

        self.execute(contract)

    def test_a_spawned_coroutine_runs_on_the_side_and_wakes_a_waiter(self) -> None:
        async def contract() -> None:
            waiter = self.runtime.waiter()

            async def side() -> None:
                await self.runtime.sleep(SHORT)
                waiter.set()

            self.runtime.spawn(side())
            await waiter.wait(self.runtime.clock() + LONG)

        self.execute(contract)

    def test_a_thread_returns_and_raises(self) -> None:
        async def contract() -> None:
            assert await self.runtime.run_in_thread(self.runtime.clock() + LONG, divmod, 7, 2) == (3, 1)
            assert await self.runtime.run_in_thread(None, divmod, 7, 2) == (3, 1)
            try:
                await self.runtime.run_in_thread(None, divmod, 1, 0)
            except ZeroDivisionError:
                return
            raise AssertionError("the error of the thread was swallowed")

        self.execute(contract)

    def test_callers_are_told_apart_and_described(self) -> None:
        async def contract() -> None:
            assert self.runtime.caller() == self.runtime.caller()
            assert self.runtime.describe(self.runtime.caller())
            assert self.runtime.home() is self.runtime.home()

        self.execute(contract)

    # Receiving

    def test_receive_returns_what_has_arrived_and_nothing_at_the_end(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            peer.sendall(b"one")
            assert await received(transport.receive(None)) == b"one"
            peer.close()
            assert await received(transport.receive(None)) == b""

        self._on_transport(contract)

    def test_an_expired_receive_has_taken_nothing(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            await expires(lambda: transport.receive(self.runtime.clock() + SHORT))
            peer.sendall(b"later")
            assert await received(transport.receive(self.runtime.clock() + LONG)) == b"later"

        self._on_transport(contract)

    def test_what_is_there_is_received_even_when_the_deadline_has_passed(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            peer.sendall(b"there")
            assert await received(transport.receive(self.runtime.clock() - 1)) == b"there"
            await expires(lambda: transport.receive(self.runtime.clock() - 1))

        self._on_transport(contract)

    def test_receive_now_never_waits(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            assert not transport.arrived()
            assert transport.receive_now() is None
            peer.sendall(b"now")
            assert transport.arrived()
            assert transport.receive_now() == b"now"
            assert transport.receive_now() is None
            peer.close()
            assert transport.arrived()
            assert transport.receive_now() == b""

        self._on_transport(contract)

    def test_in_waiting_counts_what_can_be_received(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            assert transport.in_waiting() == 0
            peer.sendall(b"12345")
            assert transport.in_waiting() == 5
            assert await received(transport.receive(None)) == b"12345"
            assert transport.in_waiting() == 0

        self._on_transport(contract)

    def test_receive_into_fills_the_view(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            memory = bytearray(len(BIG))
            self._in_background(peer.sendall, BIG)
            assert await transport.receive_into(memoryview(memory), self.runtime.clock() + LONG) == len(BIG)
            assert memory == BIG

        self._on_transport(contract)

    def test_receive_into_says_where_the_stream_ended(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            memory = bytearray(10)
            peer.sendall(b"short")
            peer.close()
            assert await transport.receive_into(memoryview(memory), self.runtime.clock() + LONG) == 5
            assert memory[:5] == b"short"

        self._on_transport(contract)

    # Sending

    def test_all_is_sent_to_a_peer_that_takes_its_time(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            taken = bytearray()

            def take() -> None:
                while len(taken) < len(BIG):
                    taken.extend(peer.recv(CHUNK_SIZE))

            thread = self._in_background(take)
            await sent(transport.send(BIG, self.runtime.clock() + LONG))
            await self.runtime.run_in_thread(None, thread.join)
            assert taken == BIG

        self._on_transport(contract)

    def test_sending_to_a_peer_that_takes_nothing_expires(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            await expires(lambda: transport.send(BIG, self.runtime.clock() + SHORT))

        self._on_transport(contract)

    # The end

    def test_hung_up_is_seen_although_bytes_are_waiting(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            assert not transport.hung_up()
            peer.sendall(b"last words")
            assert not transport.hung_up()
            peer.close()
            await self.runtime.sleep(SHORT)
            assert transport.hung_up()
            assert await received(transport.receive(None)) == b"last words"

        self._on_transport(contract)

    def test_watch_tells_of_the_end_and_of_nothing_else(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            told: list[BaseException | None] = []
            waiter = self.runtime.waiter()

            def hung_up(error: BaseException | None) -> None:
                told.append(error)
                waiter.set()

            transport.watch(hung_up)
            peer.sendall(b"nothing to worry about")
            await self.runtime.sleep(SHORT)
            assert told == []
            peer.close()
            await waiter.wait(self.runtime.clock() + LONG)
            assert told == [None]

        self._on_transport(contract)

    def test_shutting_down_wakes_who_receives_and_tells_the_peer(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            done = self.runtime.waiter()

            async def receive() -> None:
                try:
                    await received(transport.receive(None))
                except OSError:
                    pass
                done.set()

            self.runtime.spawn(receive())
            await self.runtime.sleep(SHORT)
            transport.shut_down()
            await done.wait(self.runtime.clock() + LONG)
            peer.settimeout(LONG)
            assert peer.recv(1) == b""

        self._on_transport(contract)

    def test_closing_twice_is_harmless(self) -> None:
        async def contract(transport: Transport, peer: socket.socket) -> None:
            transport.close()
            transport.close()

        self._on_transport(contract)

    def _on_transport(self, contract: Callable[[Transport, socket.socket], Coroutine[Any, Any, None]]) -> None:
        """Execute a contract with a transport, and the socket that is its peer."""

        async def run() -> None:
            mine, peer = socket.socketpair()
            with peer:
                transport = self.runtime.adopt(SocketDescriptor(mine), 2**20)
                try:
                    await contract(transport, peer)
                finally:
                    transport.close()

        self.execute(run)

    def _in_background(self, function: Callable[..., Any], *args: Any) -> Any:
        import threading

        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        return thread


async def received(result: bytes | Awaitable[bytes]) -> bytes:
    """Return what `Transport.receive` has returned, or gives when it is awaited."""
    return result if isinstance(result, bytes) else await result


async def sent(result: Awaitable[None] | None) -> None:
    """Wait until what `Transport.send` was given has been sent."""
    if result is not None:
        await result


async def expires(result: Any) -> None:
    """Assert that a primitive raises DeadlineExpired, when it is called or when it is awaited."""
    try:
        result = result() if callable(result) else result
        if hasattr(result, "__await__"):
            await result
    except DeadlineExpired:
        return
    raise AssertionError("the deadline passed, and nothing was raised")

"""One adapter: what it has been told, and whose turn it is."""

from __future__ import annotations

import os
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sockio.runtimes.blocking import run
from sockio.turns import Ticket, Turns

from ..message import TakesTurns
from . import codec
from .line import Line

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from sockio.stream import Stream

    from ..message import Allocate


class Adapter(TakesTurns):
    """An adapter at the end of a stream, with several instruments behind it.

    Address and read time limit go with every request, in one write: whoever else uses the adapter, in another process
    or event loop, changes them. A new connection is set up from the start, and answers to what was asked before it are
    recognised and thrown away: the adapter may still be reading from an instrument when its user has given up.

    Args:
        stream: a `Serial` or `TCP` stream with ``quiet``, which nobody else uses. Its ``auto_reconnect`` is switched
            off: connections are made from here, where the adapter is set up.
    """

    def __init__(self, stream: Stream) -> None:
        stream.auto_reconnect = False
        self.stream = stream
        self._line = Line(stream)
        self.runtime = stream.runtime
        self._turns = Turns(stream.runtime)
        self._connection = 0
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        # Addresses of instruments that still have something to say to a call that has failed.
        self._out_of_step: set[bytes] = set()
        # Where anybody may have left something: those that have been cleared since.
        self._cleared: set[bytes] | None = None
        self._current: object = None
        _all.add(self)

    def __str__(self) -> str:
        return str(self.stream)

    def distrust(self) -> None:
        """Clear each instrument before it is used next, on a new connection: somebody else has left one of them, or the
        adapter itself, in the middle of something."""
        self._connection = 0
        self._cleared = set()
        self.stream.distrust()

    # Calls of one of the instruments. `user` is its object, `method` the call's name for errors, `address` the command
    # that selects it, `request` the lines for the adapter, all sent in one write.

    async def open(self, user: object, timeout: float | None) -> None:
        """Connect, unless that has been done, and set the adapter up."""
        await self._call(user, "open", timeout, self._nothing)

    async def close(self, user: object) -> None:
        """Close the connection if nobody else uses it, or if *user* is using it at this moment."""
        self._users.discard(user)
        if not self._users or self._current is user:
            await self.stream.close()

    def abandon(self, user: object) -> None:
        """Do the same from any thread."""
        run(self.close(user))  # which waits for nothing, on any runtime

    async def send(self, user: object, method: str, address: bytes, request: bytes, timeout: float | None) -> None:
        """Send a request to which no answer comes."""
        await self._call(user, method, timeout, self._exchange, address, request, self._line.send)

    async def ask(self, user: object, method: str, address: bytes, request: bytes, timeout: float | None) -> bytes:
        """Send a request and return the line that the adapter itself answers."""
        line: bytes = await self._call(user, method, timeout, self._exchange, address, request, self._line.ask)
        return line

    async def read_message(
        self, user: object, method: str, address: bytes, request: bytes, timeout: float | None
    ) -> bytes:
        """Send a request that ends with a ``++read``, and return the response message."""
        message: bytes = await self._call(user, method, timeout, self._read, address, request, None)
        return message

    async def read_block(
        self, user: object, method: str, address: bytes, request: bytes, allocate: Allocate, timeout: float | None
    ) -> Buffer:
        """Send a request that ends with a ``++read``, and return the block that comes, in memory from *allocate*.

        A message that is no block is returned as bytes.
        """
        block: Buffer = await self._call(user, method, timeout, self._read, address, request, allocate)
        return block

    async def clear_interface(self, timeout: float | None) -> None:
        """Make the adapter the controller in charge (``++ifc``): everybody on the bus stops talking and listening."""
        await self.send(self, "clear_interface", b"", codec.INTERFACE_CLEAR, timeout)

    # How a call goes

    async def _call(
        self, user: object, method: str, timeout: float | None, operate: Callable[..., Awaitable[Any]], *args: Any
    ) -> Any:
        """Run ``operate(user, method, deadline, *args)`` in turn, on a connection that has been set up."""
        deadline = None if timeout is None else self.runtime.clock() + timeout
        ticket = Ticket(method, self.runtime.caller())
        turns = self._turns
        try:
            try:
                if not turns.enter(ticket):
                    await self._wait_turn(ticket, timeout, deadline)
                if user is not self:
                    self._users.add(user)
                self._current = user
                await self._connect(deadline)
                return await operate(user, method, deadline, *args)
            finally:
                if turns.admits(ticket):
                    self._current = None
                turns.leave(ticket)
        finally:
            turns.leave(ticket)  # again, in case that an interrupt came in the middle of the lines above

    async def _connect(self, deadline: float | None) -> None:
        """See to it that there is a connection, and that what comes is the answer to what is asked from now on."""
        stream = self.stream
        if stream.connected() and stream.connection_counter == self._connection:
            return
        self._connection = 0
        if not stream.connected():
            await stream.open(self._left(deadline))
        commands, answer = codec.challenge(os.urandom(4))
        await stream.write_readline(codec.SET_UP + commands, answer, self._left(deadline))
        self._connection = stream.connection_counter

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, round(deadline - self.runtime.clock(), 3))

    async def _nothing(self, user: object, method: str, deadline: float | None) -> None:
        pass

    async def _exchange(
        self,
        user: object,
        method: str,
        deadline: float | None,
        address: bytes,
        request: bytes,
        exchange: Callable[..., Awaitable[Any]],
        *args: Any,
    ) -> Any:
        """Do one of `Line`'s exchanges with an instrument.

        Instruments whose last call was not completed are cleared first: after an exchange that went well nobody, in
        whatever process, meets an answer from before.
        """
        cleared = self._cleared
        if self._out_of_step or cleared is not None:
            request = self._clear_first(address) + request
        elif address:
            request = address + request
        if address:
            self._out_of_step.add(address)
        answer = await exchange(method, self._left(deadline), request, *args)
        self._out_of_step.clear()
        if cleared is not None:
            cleared.add(address)
        return answer

    def _clear_first(self, address: bytes) -> bytes:
        """Return the commands that clear what has to be cleared, and select an instrument."""
        commands = [other + codec.CLEAR for other in sorted(self._out_of_step) if other != address]
        if address:
            commands.append(address)
            if address in self._out_of_step or (self._cleared is not None and address not in self._cleared):
                commands.append(codec.CLEAR)
        return b"".join(commands)

    async def _read(
        self,
        user: object,
        method: str,
        deadline: float | None,
        address: bytes,
        request: bytes,
        allocate: Allocate | None,
    ) -> Any:
        wait = codec.read_timeout(self._left(deadline))
        request = codec.set_read_timeout(wait) + request
        return await self._exchange(user, method, deadline, address, request, self._line.read, wait / 1000, allocate)


_all: weakref.WeakSet[Adapter] = weakref.WeakSet()

#: By the number of the stream, which the adapter keeps, so that the number is not given again.
_adapters: weakref.WeakValueDictionary[int, Adapter] = weakref.WeakValueDictionary()


def adapter_on(stream: Stream) -> Adapter:
    """Return the adapter at the other end of a stream, the same one as long as anybody uses it."""
    adapter = _adapters.get(id(stream))
    if adapter is None:
        adapter = _adapters[id(stream)] = Adapter(stream)
    return adapter


def _forget_in_child() -> None:
    """In a forked child: the calls that are running are the parent's."""
    for adapter in list(_all):
        adapter._turns = Turns(adapter.runtime)
        adapter._current = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


__all__ = ["Adapter", "adapter_on"]

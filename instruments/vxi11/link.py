"""One link to a VXI-11 device: the core channel that it is made on, and the abort channel."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from instruments.message import NotSupported, Refusal
from sockio.errors import DeadlineExpired, LimitError, ProtocolError

from . import codec
from .codec import Vxi11Error
from .rpc.client import RpcClient
from .rpc.codec import Procedure, RpcError
from .rpc.portmapper import get_port

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime, Waiter

#: The instrument is to give up so much before we do, of the time that is left, and at most so many seconds.
HEAD_START, MOST_HEAD_START = 0.1, 0.25

#: The longest timeout that is asked for, in milliseconds: some take it for a signed number.
LONGEST_TIMEOUT = 2**31 - 1

#: What is asked for when there is no limit, in milliseconds; when it has passed, the call is made again.
NO_LIMIT = 3_600_000

#: An instrument that gives up before so many seconds is not asked again, so that it cannot keep us busy.
SHORTEST_TIMEOUT = 1.0

#: How long an instrument may take, in seconds, to take note that its work is not wanted any more.
FAREWELL_TIME = 0.5

#: Section B.6.1 has instruments take at least so many bytes in a device_write.
LEAST_RECEIVE_SIZE = 1024


class Address(Protocol):
    """Where an instrument is, such as `sockio.resource.parse` makes of ``vxi::host`` or ``TCPIP::host::INSTR``."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int | None: ...

    @property
    def device_name(self) -> str: ...


class Link:
    """A link. It is opened once, and not again when it is lost.

    Attributes:
        identifier: the number that the instrument has given it.
        max_receive_size: the most bytes of a device_write.

    Args:
        address: host, port (None: as the portmapper says) and device_name, such as ``"inst0"``.
        runtime: the concurrency model.
        reply_limit: the longest reply that is accepted, in bytes.
    """

    identifier = 0
    max_receive_size = LEAST_RECEIVE_SIZE
    _abort_port = 0

    def __init__(self, address: Address, runtime: Runtime, reply_limit: int) -> None:
        self._address = address
        self._resource = str(address)
        self._runtime = runtime
        self._reply_limit = reply_limit
        self._core: RpcClient | None = None
        self._closed = False
        self._aborting: tuple[object, Waiter] | None = None

    def connected(self) -> bool:
        """Tell whether the core channel is there, and the instrument at its other end."""
        return self._core is not None and self._core.connected()

    def usable(self) -> bool:
        """Tell the same to whoever makes the next call, perhaps in another event loop than that of the last one."""
        return self._core is not None and self._core.usable()

    async def open(self, deadline: float | None) -> None:
        """Connect and make the link."""
        host, port, device = self._address.host, self._address.port, self._address.device_name
        if port is None:
            port = await get_port(self._resource, self._runtime, host, codec.CORE, deadline)
        core = self._core = RpcClient(self._resource, self._runtime, host, port, self._reply_limit)
        if self._closed:  # looked at when `close` would find the core channel
            raise self._was_closed("open")
        await core.open(deadline)
        arguments = codec.encode_create_link(random.getrandbits(31), False, 0, device.encode())
        record, start = await core.call(codec.CREATE_LINK, deadline, arguments)
        error = codec.decode_error(record, start, codec.CREATE_LINK)
        if error:
            raise self.refusal(codec.CREATE_LINK, error, f" of {device!r}")
        self.identifier, self._abort_port, most = codec.decode_link(record, start + 4)
        self.max_receive_size = most or LEAST_RECEIVE_SIZE

    def local_host(self) -> str:
        """Return our IP address on the core channel."""
        if self._core is None:
            raise self._was_closed("local_host")
        return self._core.local_host()

    def close(self) -> None:
        """Close the core channel, from any thread; a call that is using it ends with an error."""
        self._closed = True
        if self._core is not None:
            self._core.close()

    def forget(self) -> None:
        """In a forked child: part with the link, which is the parent's."""
        self._closed = True
        if self._core is not None:
            self._core.forget()

    async def leave(self, *first: Procedure) -> None:
        """Tell the instrument that the link is not needed any more, so that it need not find out, and close.

        Args:
            first: procedures without arguments that are called before.
        """
        deadline = self._runtime.clock() + FAREWELL_TIME
        try:
            if self._core is not None:
                for procedure in first:
                    await self._core.call(procedure, deadline)
                await self._core.call(codec.DESTROY_LINK, deadline, codec.encode_link(self.identifier))
        except (OSError, ProtocolError, LimitError, DeadlineExpired):
            pass
        finally:
            self.close()

    # Calls

    async def call(
        self, procedure: Procedure, deadline: float | None, *arguments: bytes | memoryview
    ) -> tuple[bytes, int]:
        """Call a procedure of the core channel; see `RpcClient.call`."""
        core = self._core
        if core is None or self._closed:
            raise self._was_closed(str(procedure))
        try:
            return await core.call(procedure, deadline, *arguments)
        except RpcError:
            raise
        except BaseException:
            if not core.connected():
                self._abort_on_the_side()  # the instrument may go on with the call
            raise

    async def insist(
        self, procedure: Procedure, deadline: float | None, encode: Callable[[int], bytes]
    ) -> tuple[bytes, int]:
        """Make a call that leaves nothing behind if it fails; return the record and where its results begin.

        Args:
            procedure: what to call.
            deadline: of the whole.
            encode: returns the arguments, given the time that the instrument has, in milliseconds.

        Raises:
            Vxi11Error, Refusal, NotSupported: the call has ended with an error, which the results are after.
            DeadlineExpired: there was no answer in time.
        """
        while True:
            started = self._runtime.clock()
            record, start = await self.call(procedure, deadline, encode(self.milliseconds(deadline, started)))
            error = codec.decode_error(record, start, procedure)
            if not error:
                return record, start + 4
            if not self.may_go_on(error, deadline, started):
                raise self.refusal(procedure, error)

    def milliseconds(self, deadline: float | None, now: float) -> int:
        """Return the time that the instrument has: a little less than we have, so that it answers before we leave."""
        if deadline is None:
            return NO_LIMIT
        left = deadline - now
        if left <= 0:
            raise DeadlineExpired
        return min(int(1000 * (left - min(HEAD_START * left, MOST_HEAD_START))), LONGEST_TIMEOUT)

    def may_go_on(self, error: int, deadline: float | None, started: float) -> bool:
        """Tell whether a call that took too long for the instrument did not for us, who have set no limit."""
        return (
            error in (codec.IO_TIMEOUT, codec.LOCKED)
            and deadline is None
            and self._runtime.clock() - started >= SHORTEST_TIMEOUT
        )

    def refusal(self, procedure: Procedure, error: int, of: str = "") -> Exception:
        """Return what is raised for an error of table B.2."""
        what = codec.describe_error(procedure, error) + of
        if error in (codec.IO_TIMEOUT, codec.LOCKED):
            return Refusal(what)
        if error == codec.NOT_SUPPORTED:
            return NotSupported(f"{self._resource}: {what}")
        return Vxi11Error(f"{self._resource}: {what}", error)

    def _was_closed(self, doing: str) -> ConnectionAbortedError:
        return ConnectionAbortedError(f"{self._resource}: was closed before {doing} was done")

    # The abort channel

    async def abort(self, deadline: float | None) -> None:
        """Stop the call that waits on the link, which then ends with an error."""
        if not self._abort_port:
            raise NotSupported(f"{self._resource}: the instrument has no abort channel")
        client = RpcClient(self._resource, self._runtime, self._address.host, self._abort_port)
        try:
            await client.open(deadline)
            record, start = await client.call(codec.DEVICE_ABORT, deadline, codec.encode_link(self.identifier))
            error = codec.decode_error(record, start, codec.DEVICE_ABORT)
            if error:
                raise self.refusal(codec.DEVICE_ABORT, error)
        finally:
            client.close()

    async def wait_until_aborted(self, deadline: float | None) -> None:
        """Wait while the link is being aborted after a call that was torn away.

        An instrument may give the next link the same number, and then its call would be aborted.
        """
        if self._aborting is not None and self._aborting[0] is self._runtime.home():
            await self._aborting[1].wait(deadline)

    def _abort_on_the_side(self) -> None:
        """Tell the instrument to stop what it was doing for a call that was torn away, without waiting for it."""
        if not self._abort_port:
            return
        try:
            home, done = self._runtime.home(), self._runtime.waiter()
        except RuntimeError:
            return  # the loop has gone
        aborting: Any = self._abort_quietly(done)
        try:
            self._runtime.spawn(aborting)
        except RuntimeError:
            aborting.close()
            return
        self._aborting = home, done

    async def _abort_quietly(self, done: Waiter) -> None:
        try:
            await self.abort(self._runtime.clock() + FAREWELL_TIME)
        except (OSError, ProtocolError, LimitError, DeadlineExpired, NotSupported):
            pass  # an instrument that has found out by itself does not know the link any more
        finally:
            done.set()

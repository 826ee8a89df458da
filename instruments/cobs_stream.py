"""Frames that a device pushes: received on the side, taken one by one or handed to a callback."""

from __future__ import annotations

import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from sockio.checks import check_count, check_data
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import DeadlineExpired, ProtocolError
from sockio.framing import COBS, Need
from sockio.turns import Ticket

from .byte_stream import BytePipe
from .inbox import Inbox
from .receiver import FrameDecoder, Receiver, connect

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from sockio.buffer import Buffer
    from sockio.checks import Data
    from sockio.deadline import Timeout
    from sockio.resource import Address
    from sockio.runtimes.base import Runtime

    from .link import Flavour

#: The size of a CRC-32 in bytes.
CRC_SIZE = 4


class CheckedCOBS(COBS):
    """COBS frames whose content ends with its CRC-32, the least significant byte first.

    It is the CRC of Ethernet and of `zlib.crc32` (reflected polynomial 0xEDB88320, initial value and final XOR
    0xFFFFFFFF; 0xCBF43926 for ``b"123456789"``), computed over the content and appended before it is stuffed.
    """

    def encode(self, frame: bytes) -> bytes:
        return super().encode(frame + crc_of(frame))

    def decode(self, buffer: Buffer) -> bytes | Need:
        checked = super().decode(buffer)
        if isinstance(checked, Need):
            return checked
        frame, crc = checked[:-CRC_SIZE], checked[-CRC_SIZE:]
        if len(checked) < CRC_SIZE or crc != crc_of(frame):
            raise ProtocolError(f"expected a CRC-32 of {crc_of(frame).hex()} after {frame!r}, got {crc.hex()}", checked)
        return frame


def crc_of(frame: bytes) -> bytes:
    """Return the CRC-32 of a frame as it is sent."""
    return zlib.crc32(frame).to_bytes(CRC_SIZE, "little")


class CobsStream(BytePipe):
    """COBS frames that a device sends of itself.

    ::

        async with CobsStream("tcp::192.168.1.12:5000") as stream:
            await stream.send(b"start")
            async for frame in stream:
                print(frame)

    From `start` to `stop` frames are received on the side, whether anybody takes them in time or not:

    - up to *maxsize* frames wait to be taken. Those that come while there is no room are lost: they are counted in
      ``frames_lost``, `receiver_overflow` is set, and *on_overflow* is called when it begins;
    - a malformed frame, or one with a wrong CRC, is left out, counted in ``frames_malformed`` and given to *on_error*
      as a ProtocolError (LimitError if it is too long);
    - when the connection is lost it is made again, as often as need be. The loss is counted in ``connections_lost``
      and given to *on_error* as an OSError.

    All of it is logged as well. While it streams it has the resource to itself: other pipes wait for the lock, and
    time out with an error that says who has it. `send` goes through.

    On a serial line the first frame may be the rest of one that was under way. Without a CRC, that may go unnoticed.

    Args:
        address: a resource string of a stream of bytes, see `ByteStreamPipe`.
        use_crc: frames, received and sent, end with their CRC-32, least significant byte first (`CheckedCOBS`).
        maxsize: how many frames wait to be taken; 0 for any number.
        on_frame: called with each frame, which then does not wait to be taken. The next one is received after it has
            returned, and what it returned has been awaited.
        on_error: called with what was wrong, see above.
        on_overflow: called with the number of frames lost so far when frames begin to be lost.
        timeout: seconds for a call.

    Attributes:
        frames_lost, frames_malformed, connections_lost: how many, since this object was made.

    Raises:
        ValueError: the resource string is not understood, or not that of a stream.
        ImportError: the cobs package is missing (``pip install sockio[cobs]``).
    """

    def __init__(
        self,
        address: str | Address,
        use_crc: bool = False,
        maxsize: int = 1000,
        *,
        on_frame: Callable[[bytes], Any] | None = None,
        on_error: Callable[[Exception], Any] | None = None,
        on_overflow: Callable[[int], Any] | None = None,
        timeout: Timeout = DEFAULT,
    ) -> None:
        super().__init__(address, timeout)
        self.use_crc = use_crc
        self._framing = CheckedCOBS() if use_crc else COBS()
        self._framing.encode(b"")  # fails here, and not on the side, if the package for it is missing
        self._inbox = Inbox(repr(self), check_count("maxsize", maxsize, 0), on_frame, on_error, on_overflow)
        self._receiver: Receiver | None = None
        self._forsaken: weakref.finalize[..., Self] | None = None

    @property
    def frames_lost(self) -> int:
        return self._inbox.lost

    @property
    def frames_malformed(self) -> int:
        return self._inbox.malformed

    @property
    def connections_lost(self) -> int:
        return self._inbox.connections_lost

    @property
    def receiver_overflow(self) -> bool:
        """Whether frames have been lost since this was asked last."""
        overflow, self._inbox.overflow = self._inbox.overflow, False
        return overflow

    @property
    def streaming(self) -> bool:
        """Whether frames are being received."""
        return self._receiver is not None and self._receiver.running

    @property
    def locked(self) -> bool:
        return self.streaming or super().locked

    async def connect(self, timeout: Timeout = DEFAULT) -> Self:
        """Connect now; `start` does so as well. Return the stream."""
        return self if self.streaming else await super().connect(timeout)

    async def start(self, timeout: Timeout = DEFAULT) -> Self:
        """Connect if need be, and receive from now on; nothing happens if that is so already. Return the stream.

        Args:
            timeout: seconds for getting the lock and connecting.

        Raises:
            ConnectionTimeoutError: somebody else uses the resource, or there was no connection in time.
            OSError: connecting failed.
        """
        runtime, _, stream, _ = self._here()
        if self.streaming:
            return self
        if self.locked:
            await self.unlock()
        self._inbox.prepare(runtime_for_callbacks(self.link.flavour, runtime))
        limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        ticket = Ticket(repr(self), None)  # not the caller: a task that has ended would keep its result, this object
        try:
            limit = await self._wait_lock(ticket, runtime, limit)
            receiver = Receiver(stream, FrameDecoder(self._framing, b"\0"), self._inbox)
            await connect(stream, limit)
            await receiver.start(self._lock, ticket, self._resource)
        except BaseException:
            self._lock.leave(ticket)
            raise
        self._receiver = receiver
        if self._forsaken is not None:
            self._forsaken.detach()
        self._forsaken = weakref.finalize(self, receiver.ask_to_stop)
        self._forsaken.atexit = False
        return self

    async def send(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send bytes as one frame.

        Raises:
            RuntimeError: it streams in another event loop, and cannot be used here meanwhile.
        """
        frame = self._framing.encode(bytes(check_data(data)))
        if self._receiver is None or not self._receiver.running:
            await self._call("write", timeout, frame)
            return
        self._here()  # before it can be asked where that is
        if not self._receiver.is_at_home():
            raise RuntimeError(f"{self!r} streams in another event loop: send from there, or stop it first")
        await self._receiver.stream.write(frame, self.timeout if timeout is DEFAULT else timeout)

    async def stop(self) -> None:
        """Receive no more, and let others use the resource. The frames that have come can still be taken.

        Called by a callback, it does not wait for that: it happens when the callback has returned.
        """
        if self._receiver is not None and self._receiver.running:
            await self._receiver.stop()

    async def close(self, stop: bool = True) -> None:
        """Stop, and close the connection; with ``stop=False`` only the latter, and a stream that runs reconnects."""
        if stop:
            await self.stop()
        await self.drop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # Taking frames

    async def next(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return the next frame, waiting for it if need be.

        Raises:
            ConnectionTimeoutError: there was none in time.
            ConnectionEOFError: there is none, and it is not streaming.
            TypeError: frames go to *on_frame*.
        """
        limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        runtime = self._here().runtime
        try:
            frame = await self._take(None if limit is None else runtime.clock() + limit)
        except DeadlineExpired:
            raise runtime.timeout_error(f"{self!r}: no frame within {limit} s") from None
        if frame is None:
            raise runtime.eof_error(f"{self!r}: no frame is left, and none will come: it is not streaming", b"")
        return frame

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Go through the frames until it is stopped and none is left."""
        if self.link.flavour != "async":
            raise TypeError(f"{self!r} blocks: write `for`, not `async for`")
        return self

    async def __anext__(self) -> bytes:
        frame = await self._take(None)
        if frame is None:
            raise StopAsyncIteration
        return frame

    def __iter__(self) -> Iterator[bytes]:
        """Go through the frames until it is stopped and none is left, where calls block or give futures."""
        if self.link.flavour == "async":
            raise TypeError(f"{self!r} is awaited: write `async for`, not `for`")
        return iter(lambda: self.link.wait(self._take(None)), None)

    async def _take(self, deadline: float | None) -> bytes | None:
        if self._inbox.on_frame is not None:
            raise TypeError(f"{self!r}: frames go to on_frame, and cannot be taken")
        runtime = self._here().runtime
        return await self._inbox.queue.take(runtime, deadline, lambda: self.streaming)


def runtime_for_callbacks(flavour: Flavour, runtime: Runtime) -> Runtime:
    """Return what calls the callbacks: what receives, but for futures, whose callbacks have a thread of their own."""
    if flavour != "futures":
        return runtime
    from sockio.runtimes import loop_thread

    return loop_thread.runtime

"""Messages over a stream of bytes: a raw socket, a serial line.

Nothing but their bytes says where messages end. A line feed ends text (IEEE 488.2, 7.5 and 8.5), a block says how long
it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.runtimes.blocking import run

from ..message import Allocate, Messages

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from sockio.stream import Stream


class StreamMessages(Messages):
    """Messages over a stream, which stays in step by itself: it closes on any error, and the next call reconnects.

    Args:
        stream: the stream, which nobody else uses.
        terminator: what ends a response message.
    """

    def __init__(self, stream: Stream, terminator: bytes = b"\n") -> None:
        super().__init__(stream.resource, stream.runtime)
        self.stream = stream
        self.terminator = terminator

    def connected(self) -> bool:
        return self.stream.connected()

    async def open(self, timeout: float | None) -> None:
        if not self.stream.connected():
            await self.stream.open(timeout)

    async def close(self) -> None:
        await self.stream.close()

    def abandon(self) -> None:
        run(self.stream.close())  # which waits for nothing, on any runtime

    async def write(self, message: bytes, timeout: float | None) -> None:
        await self.stream.write(message, timeout)

    async def read(self, timeout: float | None) -> bytes:
        response: bytes = await self.stream.readmessage(self.terminator, timeout)
        return response

    async def query(self, message: bytes, timeout: float | None) -> bytes:
        response: bytes = await self.stream.write_readmessage(message, self.terminator, timeout)
        return response

    async def query_block(self, message: bytes, allocate: Allocate, timeout: float | None) -> Buffer:
        response: Buffer = await self.stream.write_readmessage(message, self.terminator, timeout, allocate=allocate)
        return response

    async def clear(self, timeout: float | None) -> None:
        """Forget what the instrument still says: there is no device clear on a stream of bytes.

        A stream with a ``quiet`` time (serial) is read until nothing has come for so long. Another one is closed and
        connected again, which also makes instruments forget what they were about to say.

        Raises:
            ConnectionTimeoutError: the instrument has not stopped in time.
        """
        stream, runtime = self.stream, self.runtime
        if not stream.quiet:
            await stream.close()
            await stream.open(timeout)
            return
        deadline = None if timeout is None else runtime.clock() + timeout
        await self.open(timeout)
        stream.reset_input_buffer()
        while True:
            if deadline is not None and runtime.clock() + stream.quiet > deadline:
                raise runtime.timeout_error(
                    f"{self}: clear timed out after {timeout} s: not silent for {stream.quiet} s"
                )
            await runtime.sleep(stream.quiet)
            if not await stream.readbuffer(timeout):
                return

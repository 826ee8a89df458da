"""Exchanges with an adapter."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from sockio.errors import DeadlineExpired

from . import codec

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from sockio.link import Link
    from sockio.stream import Stream

    from ..message import Allocate

#: How much longer than the adapter's own limit a read is waited for before the adapter is told to read once more, in
#: seconds. One that comes too early costs time and no more: the adapter obeys one command after the other.
GRACE = 0.05


class Line:
    """The stream to an adapter.

    Its exchanges go by the names of those who ask for them, and to read may take several commands. This is the one
    place at which Prologix touches the inside of a stream.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def send(self, method: str, timeout: float | None, request: bytes) -> None:
        """Send a request to which no answer comes."""
        await self._stream._call(method, timeout, request, None, None)

    async def ask(self, method: str, timeout: float | None, request: bytes) -> bytes:
        """Send a request and return the line that the adapter itself answers."""
        line: bytes = await self._stream._call(method, timeout, request, self._stream._receive_line, None, codec.END)
        return line

    async def read(
        self, method: str, timeout: float | None, request: bytes, patience: float, allocate: Allocate | None
    ) -> Buffer:
        """Send a request that ends with a ``++read``, and return the message or block that comes.

        Args:
            method: the name of the call, for errors.
            timeout: seconds for all of it.
            request: the lines for the adapter.
            patience: the adapter's own time limit, in seconds.
            allocate: makes memory for a block; without it a block is returned as it came.
        """
        message: Buffer = await self._stream._call(
            method, timeout, request, self._receive_patiently, None, patience, allocate
        )
        return message

    async def _receive_patiently(
        self, link: Link, deadline: float | None, patience: float, allocate: Allocate | None
    ) -> Any:
        """Receive what an instrument says, telling the adapter to read again when its own time limit is over."""
        stream = self._stream
        while not link.buffer:
            again = stream.runtime.clock() + patience + GRACE
            if deadline is not None and deadline <= again:
                break
            try:
                await stream._receive(link, again)
            except DeadlineExpired:
                unsent = link.transport.send(codec.READ, deadline)
                if unsent is not None:
                    await unsent
        answer = stream._receive_message(link, deadline, b"\n", allocate)
        return await answer if isinstance(answer, Awaitable) else answer

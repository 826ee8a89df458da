"""What clients and servers have in common to read and write: bytes, lines of text, JSON and ctypes structures."""

from __future__ import annotations

import codecs
import ctypes
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from .functions import join_structs, read_into

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeVar

    from ..checks import Data
    from .resumable import ResumableStream

    Result = TypeVar("Result")


class InputOutput(ABC):
    """Reads and writes over the present connection, whichever that is.

    All of them raise a `ConnectionError` when there is no connection. When one finds that the connection has ended,
    this side is closed and ``connect_callback`` called before the error goes on to its caller.

    A read that is cancelled (by ``asyncio.wait_for``, say) takes nothing and leaves the connection up: a reply that
    comes late is what the *next* read returns. Ask by `exchange_str` or `exchange_json` where that must not be.

    Attributes:
        encoding: of text.
        terminator: what ends a line of text: these bytes, whatever the encoding is.
    """

    def __init__(self, encoding: str, terminator: bytes) -> None:
        if not isinstance(terminator, bytes):
            raise ValueError(f"terminator must be bytes, not {terminator!r}")
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"encoding must be one that Python knows, not {encoding!r}") from None
        self.encoding = encoding
        self.terminator = terminator

    @abstractmethod
    async def _on_stream(self, call: Callable[[ResumableStream], Awaitable[Result]]) -> Result:
        """Return what a call on the stream of the present connection returns.

        Raises:
            ConnectionError: there is no connection.
            Exception: what the call raises. If the connection has ended, notice of that has been taken.
        """

    @abstractmethod
    async def _note_connection_end(self) -> None:
        """Look whether the present connection has ended, and take notice of it."""

    # Reads

    async def read(self, n: int = -1) -> bytes:
        """Read up to *n* bytes, at least one; ``b""`` when the peer has closed the connection.

        Args:
            n: -1 for everything until the peer closes the connection.
        """
        data = await self._read_up_to_end(lambda stream: stream.read(n))
        if n < 0:
            await self._note_connection_end()
        return data

    async def readexactly(self, n: int) -> bytes:
        """Read *n* bytes.

        Raises:
            asyncio.IncompleteReadError: the peer closed the connection before; ``.partial`` is what had come.
        """
        return await self._on_stream(lambda stream: stream.readexactly(n))

    async def readline(self) -> bytes:
        r"""Read up to and including ``\n``, whatever the terminator is; what there is if the peer closes before.

        Raises:
            ValueError: the line is longer than ``limit``. What has come of it has been thrown away.
        """
        return await self._read_up_to_end(lambda stream: stream.readline(b"\n"))

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Read up to and including *separator*.

        Raises:
            asyncio.IncompleteReadError: the peer closed the connection before; ``.partial`` is what had come.
            asyncio.LimitOverrunError: there is none within ``limit`` bytes. All that has come is still there.
        """
        return await self._on_stream(lambda stream: stream.readuntil(separator))

    async def read_into(self, struct: ctypes.Structure) -> None:
        """Fill a structure with the bytes that come next.

        Raises:
            asyncio.IncompleteReadError: the peer closed the connection before; the structure is as it was.
        """
        await read_into(self, struct)

    async def read_str(self) -> str:
        """Read a line of text and return it without its terminator.

        Raises:
            asyncio.IncompleteReadError, asyncio.LimitOverrunError: as for `readuntil`.
            UnicodeError: it is not text in this encoding. The next line can be read.
        """
        return self._text_of_line(await self.readuntil(self.terminator))

    async def read_json(self) -> Any:
        """Read a line of JSON and return its value.

        Raises:
            asyncio.IncompleteReadError, asyncio.LimitOverrunError, UnicodeError: as for `read_str`.
            json.JSONDecodeError: it is not JSON; the message has it. The next line can be read.
        """
        return self._value_of_json(await self.read_str())

    # Writes

    async def write(self, data: Data) -> None:
        """Send bytes, and return when the operating system has taken all of them.

        A write that is cancelled after a part of its data has gone ends the connection.
        """
        await self._on_stream(lambda stream: stream.write(data))

    async def writelines(self, lines: Iterable[Data]) -> None:
        """Send all of *lines*, which bring their own ends."""
        await self._on_stream(lambda stream: stream.writelines(lines))

    async def write_from(self, *structs: ctypes.Structure) -> None:
        """Send the bytes of structures, one after the other."""
        await self.write(join_structs(structs))

    async def write_str(self, line: str) -> None:
        """Send a line of text, to which the terminator is added.

        Raises:
            UnicodeError: the encoding lacks a character of it; nothing has been sent.
        """
        await self.write(self._line_of_text(line))

    async def write_json(self, data: Any) -> None:
        """Send a value as a line of JSON, in ASCII.

        Raises:
            TypeError, ValueError: JSON cannot express it; nothing has been sent.
        """
        await self.write_str(json.dumps(data))

    # Exchanges

    async def exchange_str(self, line: str, timeout: float | None = None) -> str:
        """Send a line of text and return the line that answers it, both without their terminators.

        Exchanges of several tasks do not get mixed up. One that fails, out of time or cancelled, closes the connection:
        its reply can never be taken for the answer to a later question. What came unasked before is thrown away.

        Args:
            line: the request.
            timeout: seconds; None for no limit.

        Raises:
            ConnectionTimeoutError: no reply in time (a `TimeoutError` and a `ConnectionError`).
            asyncio.IncompleteReadError, asyncio.LimitOverrunError, UnicodeError: as for `read_str`.
        """
        request = self._line_of_text(line)
        return self._text_of_line(
            await self._on_stream(lambda stream: stream.write_readline(request, self.terminator, timeout))
        )

    async def exchange_json(self, data: Any, timeout: float | None = None) -> Any:
        """Send a value as a line of JSON and return the value that answers it; otherwise as `exchange_str`."""
        return self._value_of_json(await self.exchange_str(json.dumps(data), timeout))

    async def _read_up_to_end(self, read: Callable[[ResumableStream], Awaitable[bytes]]) -> bytes:
        """Return what a read returns, or what had come when the peer closed the connection."""
        try:
            return await self._on_stream(read)
        except EOFError as error:
            partial: bytes = getattr(error, "partial", b"")
            return partial

    def _line_of_text(self, line: str) -> bytes:
        return line.encode(self.encoding) + self.terminator

    def _text_of_line(self, line: bytes) -> str:
        return line[: len(line) - len(self.terminator)].decode(self.encoding)

    def _value_of_json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(f"{self}: {text!r} is not JSON: {error.msg}", error.doc, error.pos) from None
        except RecursionError:
            raise json.JSONDecodeError(f"{self}: {text!r} is nested too deeply", text, 0) from None

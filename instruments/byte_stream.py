"""Pipes to whatever sends and receives bytes: TCP and unix sockets, serial lines, FTDI adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sockio.checks import check_count, check_data
from sockio.deadline import DEFAULT
from sockio.errors import ProtocolError
from sockio.framing import COBS
from sockio.resource import Address, HostAddress, SerialAddress, UnixAddress

from .pipe import BasePipe, shared_stream

if TYPE_CHECKING:
    from sockio.checks import Data
    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime
    from sockio.stream import Stream

#: What ends a line: a text, or the code of one character.
Term: TypeAlias = "str | int"


class BytePipe(BasePipe):
    """What pipes over a stream of bytes have in common."""

    def _carrier_of(self, address: Address) -> Address:
        if not isinstance(address, (HostAddress, UnixAddress, SerialAddress)):
            raise ValueError(f"{address}: no stream of bytes; {address.opener} opens it")
        return address

    def _connect_to(self, runtime: Runtime) -> tuple[Stream, Stream | None]:
        stream = shared_stream(self._address, runtime)
        return stream, stream if stream.quiet else None


class ByteStreamPipe(BytePipe):
    """Lines, COBS frames and plain bytes over a socket or a serial line.

    The *timeout* of a call is in seconds and holds for all of it: waiting for the lock, connecting, sending and
    receiving; None is no limit, and without it the pipe's own holds. Lines are text in UTF-8. What ends them, *term*,
    is one or more characters or the code of one, 1 to 127; a line feed, unless the resource string has an ``eol``. It
    is appended to lines that are sent, and removed from those that are received.

    The queries discard what came unasked before, and then send. Whatever exception ends a call, the connection is
    closed and what had come of the reply is lost; the next call connects again. The one exception is a read that meets
    a line or frame which makes no sense: the one after it can be read.

    Args:
        address: a resource string: ``tcp::192.168.1.12:5000``, ``serial::/dev/ttyUSB0::9600::8N1``,
            ``ftdi::A50285BI::115200::7E2``, ``rfc2217://192.168.1.30:2217``, ...
        timeout: seconds for a call.

    All calls raise:
        ConnectionTimeoutError: the time was up.
        ConnectionEOFError: the peer closed the connection before all had come; ``.partial`` is what had.
        LockExpiredError: the lock that the pipe held has expired.
        OSError: connecting failed, or the connection broke.

    Raises:
        ValueError: the resource string is not understood, or not that of a stream.
    """

    # Lines

    async def write_line(self, line: str, term: Term | None = None, timeout: Timeout = DEFAULT) -> None:
        """Send a line."""
        await self._call("write", timeout, encode(line) + self._end(term))

    async def read_line(self, timeout: Timeout = DEFAULT, term: Term | None = None) -> str:
        """Return the next line.

        Raises:
            ProtocolError: it is not UTF-8.
        """
        end = self._end(term)
        return self._decode(await self._call("readuntil", timeout, end), end)

    async def query_line(self, line: str, timeout: Timeout = DEFAULT, term: Term | None = None) -> str:
        """Send a line and return the one that answers it.

        Raises:
            ProtocolError: it is not UTF-8.
        """
        end = self._end(term)
        return self._decode(await self._call("write_readline", timeout, encode(line) + end, end), end)

    # COBS frames

    async def cobs_write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send bytes as a COBS frame."""
        await self._call("write", timeout, COBS().encode(bytes(check_data(data))))

    async def cobs_read(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return the content of the next COBS frame; zeros before it are skipped.

        Raises:
            ProtocolError: a malformed frame.
        """
        frame: bytes = await self._call("readframe", timeout, COBS())
        return frame

    async def cobs_query(self, data: Data, timeout: Timeout = DEFAULT) -> bytes:
        """Send bytes as a COBS frame, and return the content of the frame that answers it.

        Raises:
            ProtocolError: a malformed frame.
        """
        frame: bytes = await self._call("write_readframe", timeout, bytes(check_data(data)), COBS())
        return frame

    # Bytes

    async def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send bytes."""
        await self._call("write", timeout, check_data(data))

    async def read(self, n: int, timeout: Timeout = DEFAULT) -> bytes:
        """Return up to *n* bytes, at least one, as soon as there are any."""
        data: bytes = await self._call("read", timeout, check_count("n", n, 1))
        return data

    async def read_all(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return what has come and not been read, without waiting for more; ``b""`` if nothing has."""
        data: bytes = await self._call("readbuffer", timeout)
        return data

    async def read_exact(self, count: int, timeout: Timeout = DEFAULT) -> bytes:
        """Return the next *count* bytes."""
        data: bytes = await self._call("readexactly", timeout, check_count("count", count, 0))
        return data

    async def read_to_term(self, term: int, timeout: Timeout = DEFAULT) -> bytes:
        """Return everything up to the next byte *term* (0 to 255), without that one."""
        if check_count("term", term, 0) > 255:
            raise ValueError(f"term must be a byte, 0 to 255, not {term!r}")
        data: bytes = await self._call("readuntil", timeout, bytes([term]))
        return data[:-1]

    def _end(self, term: Term | None) -> bytes:
        if term is None:
            end: bytes = self._address.options.get("eol", b"\n")
            return end
        return check_term(term)

    def _decode(self, line: bytes, end: bytes) -> str:
        try:
            return line.removesuffix(end).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"{self!r}: expected a line in UTF-8, got {line[:80]!r}: {error}", line) from None


def encode(line: str) -> bytes:
    """Return a line as it is sent."""
    if not isinstance(line, str):
        raise TypeError(f"a line must be a str, not {line!r}")
    return line.encode("utf-8")


def check_term(term: Term) -> bytes:
    """Return what ends a line as bytes.

    Raises:
        ValueError: it is not one or more characters, or the code of one, from 1 to 127.
    """
    characters = chr(term) if isinstance(term, int) and not isinstance(term, bool) and 0 < term < 128 else term
    if isinstance(characters, str) and characters and characters.isascii() and "\0" not in characters:
        return characters.encode("ascii")
    raise ValueError(f"term must be one or more characters, or the code of one, from 1 to 127, not {term!r}")

"""`instruments.byte_stream` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.byte_stream`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from sockio.checks import Data
    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from ..byte_stream import Term
    from .pipe import BasePipe, FuturesBasePipe

    class BytePipe(BasePipe):
        """What pipes over a stream of bytes have in common."""

        @overload
        def __new__(
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[True] = True
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[False]
        ) -> FuturesBytePipe: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

    class ByteStreamPipe(BytePipe):
        """Lines, COBS frames and plain bytes over a socket or a serial line.

        The *timeout* of a call is in seconds and holds for all of it: waiting for the lock, connecting, sending and
        receiving; None is no limit, and without it the pipe's own holds. Lines are text in UTF-8. What ends them,
        *term*, is one or more characters or the code of one, 1 to 127; a line feed, unless the resource string has an
        ``eol``. It is appended to lines that are sent, and removed from those that are received.

        The queries discard what came unasked before, and then send. Whatever exception ends a call, the connection is
        closed and what had come of the reply is lost; the next call connects again. The one exception is a read that
        meets a line or frame which makes no sense: the one after it can be read.

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

        @overload
        def __new__(
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[True] = True
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[False]
        ) -> FuturesByteStreamPipe: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def write_line(self, line: str, term: Term | None = None, timeout: Timeout = DEFAULT) -> None:
            """Send a line."""
            ...

        def read_line(self, timeout: Timeout = DEFAULT, term: Term | None = None) -> str:
            """Return the next line.

            Raises:
                ProtocolError: it is not UTF-8.
            """
            ...

        def query_line(self, line: str, timeout: Timeout = DEFAULT, term: Term | None = None) -> str:
            """Send a line and return the one that answers it.

            Raises:
                ProtocolError: it is not UTF-8.
            """
            ...

        def cobs_write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
            """Send bytes as a COBS frame."""
            ...

        def cobs_read(self, timeout: Timeout = DEFAULT) -> bytes:
            """Return the content of the next COBS frame; zeros before it are skipped.

            Raises:
                ProtocolError: a malformed frame.
            """
            ...

        def cobs_query(self, data: Data, timeout: Timeout = DEFAULT) -> bytes:
            """Send bytes as a COBS frame, and return the content of the frame that answers it.

            Raises:
                ProtocolError: a malformed frame.
            """
            ...

        def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
            """Send bytes."""
            ...

        def read(self, n: int, timeout: Timeout = DEFAULT) -> bytes:
            """Return up to *n* bytes, at least one, as soon as there are any."""
            ...

        def read_all(self, timeout: Timeout = DEFAULT) -> bytes:
            """Return what has come and not been read, without waiting for more; ``b""`` if nothing has."""
            ...

        def read_exact(self, count: int, timeout: Timeout = DEFAULT) -> bytes:
            """Return the next *count* bytes."""
            ...

        def read_to_term(self, term: int, timeout: Timeout = DEFAULT) -> bytes:
            """Return everything up to the next byte *term* (0 to 255), without that one."""
            ...

    class FuturesBytePipe(FuturesBasePipe):
        """A `BytePipe` whose calls give futures."""

        def __init__(self, address: str | Address, timeout: Timeout = DEFAULT) -> None: ...

    class FuturesByteStreamPipe(FuturesBytePipe):
        """A `ByteStreamPipe` whose calls give futures."""

        def __init__(self, address: str | Address, timeout: Timeout = DEFAULT) -> None: ...

        def write_line(self, line: str, term: Term | None = None, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send a line."""
            ...

        def read_line(self, timeout: Timeout = DEFAULT, term: Term | None = None) -> Future[str]:
            """Return the next line.

            Raises:
                ProtocolError: it is not UTF-8.
            """
            ...

        def query_line(self, line: str, timeout: Timeout = DEFAULT, term: Term | None = None) -> Future[str]:
            """Send a line and return the one that answers it.

            Raises:
                ProtocolError: it is not UTF-8.
            """
            ...

        def cobs_write(self, data: Data, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send bytes as a COBS frame."""
            ...

        def cobs_read(self, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return the content of the next COBS frame; zeros before it are skipped.

            Raises:
                ProtocolError: a malformed frame.
            """
            ...

        def cobs_query(self, data: Data, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Send bytes as a COBS frame, and return the content of the frame that answers it.

            Raises:
                ProtocolError: a malformed frame.
            """
            ...

        def write(self, data: Data, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send bytes."""
            ...

        def read(self, n: int, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return up to *n* bytes, at least one, as soon as there are any."""
            ...

        def read_all(self, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return what has come and not been read, without waiting for more; ``b""`` if nothing has."""
            ...

        def read_exact(self, count: int, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return the next *count* bytes."""
            ...

        def read_to_term(self, term: int, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return everything up to the next byte *term* (0 to 255), without that one."""
            ...

else:
    from .. import byte_stream
    from ..base import blocking, futures

    ByteStreamPipe = blocking(byte_stream.ByteStreamPipe)
    FuturesByteStreamPipe = futures(byte_stream.ByteStreamPipe)

__all__ = ["ByteStreamPipe", "FuturesByteStreamPipe"]

"""Streams whose calls block, for scripts, notebooks and programs with threads.

Nothing runs behind them: the core does its work in the thread that calls. With ``resolve_futures=False`` a class gives
what the class of the same name in `sockio.futures` does: every call returns a `concurrent.futures.Future`.

Written by ``python -m sockio.generate`` from the core: change that instead.
"""

from __future__ import annotations

import sys

from . import client_stream, iteration, serial_port, server, tcp, unix
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .deadline import DEFAULT
from .errors import ConnectionEOFError, ConnectionTimeoutError, LimitError, ProtocolError
from .retry import Retry
from .runtimes.blocking import run
from .runtimes.blocking import runtime as _runtime
from .runtimes.listeners import BACKLOG
from .serial_port import QUIET
from .urls import stream_for_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from logging import Logger
    from ssl import SSLContext
    from types import TracebackType
    from typing import Any, Literal, TypeVar, overload

    from typing_extensions import Self

    from . import futures, stream
    from .checks import Data
    from .deadline import Timeout
    from .framing import Framing

    Frame = TypeVar("Frame")
    Memory = TypeVar("Memory")

__all__ = [
    "DEFAULT_LIMIT",
    "DFT_KEEP_ALIVE",
    "IPTOS_LOWDELAY",
    "TCP",
    "BaseStream",
    "BlockStream",
    "BlockingSerial",
    "BlockingTCP",
    "BlockingUnix",
    "ClientStream",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "LineStream",
    "ProtocolError",
    "Retry",
    "Serial",
    "Server",
    "Stream",
    "Unix",
    "serve",
    "socket_for_url",
]


class _TCP(tcp.TCP):
    runtime = _runtime


class _Unix(unix.Unix):
    runtime = _runtime


class _Serial(serial_port.Serial):
    runtime = _runtime


class _Server(server.Server["ClientStream"]):
    runtime = _runtime

    def _present(self, client: client_stream.ClientStream) -> ClientStream:
        return ClientStream(client)


class Stream:
    """What `TCP`, `Unix` and `Serial` have in common.

    Attributes:
        stream: the object of the core that does the work.
    """

    stream: stream.Stream

    def __str__(self) -> str:
        return self.resource

    def __repr__(self) -> str:
        state = "connected" if self.connected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self.resource}, {state}>"

    @property
    def resource(self) -> str:
        """What it is connected to, as a URL."""
        return self.stream.resource

    @property
    def connection_counter(self) -> int:
        """How many connections have been made so far."""
        return self.stream.connection_counter

    @property
    def eol(self) -> bytes:
        return self.stream.eol

    @eol.setter
    def eol(self, eol: bytes) -> None:
        self.stream.eol = eol

    @property
    def auto_reconnect(self) -> bool:
        return self.stream.auto_reconnect

    @auto_reconnect.setter
    def auto_reconnect(self, auto_reconnect: bool) -> None:
        self.stream.auto_reconnect = auto_reconnect

    @property
    def on_connection_made(self) -> Callable[[], Any] | None:
        return self.stream.on_connection_made

    @on_connection_made.setter
    def on_connection_made(self, on_connection_made: Callable[[], Any] | None) -> None:
        self.stream.on_connection_made = on_connection_made

    @property
    def on_connection_lost(self) -> Callable[[BaseException | None], Any] | None:
        return self.stream.on_connection_lost

    @on_connection_lost.setter
    def on_connection_lost(self, on_connection_lost: Callable[[BaseException | None], Any] | None) -> None:
        self.stream.on_connection_lost = on_connection_lost

    @property
    def on_eof_received(self) -> Callable[[], Any] | None:
        return self.stream.on_eof_received

    @on_eof_received.setter
    def on_eof_received(self, on_eof_received: Callable[[], Any] | None) -> None:
        self.stream.on_eof_received = on_eof_received

    @property
    def buffer_size(self) -> int:
        return self.stream.buffer_size

    @buffer_size.setter
    def buffer_size(self, buffer_size: int) -> None:
        self.stream.buffer_size = buffer_size

    @property
    def connection_timeout(self) -> float | None:
        return self.stream.connection_timeout

    @connection_timeout.setter
    def connection_timeout(self, connection_timeout: float | None) -> None:
        self.stream.connection_timeout = connection_timeout

    @property
    def timeout(self) -> float | None:
        return self.stream.timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self.stream.timeout = timeout

    @property
    def quiet(self) -> float | None:
        return self.stream.quiet

    @quiet.setter
    def quiet(self, quiet: float | None) -> None:
        self.stream.quiet = quiet

    @property
    def retry(self) -> Retry:
        return self.stream.retry

    @retry.setter
    def retry(self, retry: Retry) -> None:
        self.stream.retry = retry

    @property
    def log(self) -> Logger:
        """Where the stream logs: a child of the logger "sockio" that is named after the resource."""
        return self.stream.log

    def open(self, timeout: Timeout = DEFAULT) -> None:
        """Connect now, instead of at the first call that needs it.

        Args:
            timeout: seconds; instead of the stream's ``connection_timeout`` (or ``timeout``, where that is not given).

        Raises:
            ConnectionError: it is open already.
            ConnectionTimeoutError: there was no connection in time.
            OSError: the connection was refused, the host is unreachable, the port does not exist, ...
        """
        run(self.stream.open(timeout))

    def close(self) -> None:
        """Close the connection, if there is one. A call that is using it ends with a ConnectionAbortedError.

        Nothing is waited for: neither for a turn, nor for a peer that does not take what was written.
        """
        run(self.stream.close())

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there. Does no I/O and takes no turn."""
        return self.stream.connected()

    @property
    def is_open(self) -> bool:
        """The same as `connected`."""
        return self.stream.is_open

    @property
    def in_doubt(self) -> bool:
        """Whether something may still come of a call that has failed, which the next one has to wait out."""
        return self.stream.in_doubt

    def distrust(self) -> None:
        """Have the next call resynchronise: somebody else has used the same line, and left it out of step."""
        self.stream.distrust()

    def in_waiting(self) -> int:
        """Return how many bytes can be read without waiting; 0 when not connected."""
        return self.stream.in_waiting()

    def at_eof(self) -> bool:
        """Tell whether the peer has closed the connection and all that it sent has been read."""
        return self.stream.at_eof()

    def reset_input_buffer(self) -> None:
        """Discard what has been received and not been read, unless a call is receiving at this moment."""
        self.stream.reset_input_buffer()

    def read(self, n: int = -1, timeout: Timeout = DEFAULT) -> bytes:
        """Read up to *n* bytes, at least one; everything until the peer closes the connection if *n* is negative."""
        return run(self.stream.read(n, timeout))

    def readline(self, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> bytes:
        """Read a line and return it with its end.

        Args:
            eol: one or more bytes that end a line, instead of the stream's ``eol``.
            timeout: seconds.
        """
        return run(self.stream.readline(eol, timeout))

    def readlines(self, n: int, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> list[bytes]:
        """Read *n* lines and return them with their ends."""
        return run(self.stream.readlines(n, eol, timeout))

    def readuntil(self, separator: bytes = b"\n", timeout: Timeout = DEFAULT) -> bytes:
        """Read up to and including *separator*, whatever the stream's ``eol`` is."""
        return run(self.stream.readuntil(separator, timeout))

    def readexactly(self, n: int, timeout: Timeout = DEFAULT) -> bytes:
        """Read *n* bytes. Big blocks are received into their final place."""
        return run(self.stream.readexactly(n, timeout))

    def read_into(self, buffer: Any, timeout: Timeout = DEFAULT) -> None:
        """Fill *buffer* with bytes received straight into it.

        Args:
            buffer: any contiguous writable buffer: bytearray, memoryview, numpy array, ctypes structure, array.array.
                All of it is filled. When the call fails, it holds what had come so far.
            timeout: seconds.
        """
        run(self.stream.read_into(buffer, timeout))

    def readbuffer(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return what can be read without waiting, ``b""`` if nothing."""
        return run(self.stream.readbuffer(timeout))

    def wait_readable(self, n: int = 1, timeout: Timeout = DEFAULT) -> None:
        """Wait until *n* bytes can be read without waiting, and take none of them.

        Unlike a read, it leaves the connection alone when the time is up, or when the waiting task is cancelled: what
        has come by then is there for the next read.
        """
        run(self.stream.wait_readable(n, timeout))

    if TYPE_CHECKING:

        @overload
        def readblock(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        def readblock(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory: ...

    def readblock(
        self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Any] | None = None
    ) -> Any:
        """Read an IEEE 488.2 arbitrary block, and return its data.

        Args:
            eol: what ends the message after the block, instead of the stream's ``eol``; ``b""`` for an instrument that
                sends nothing after a definite block.
            timeout: seconds.
            allocate: called with the size of the block in bytes, returns the contiguous writable buffer of that size
                (bytearray, numpy array) that the block is to be received into, and that is returned instead of bytes.

        Raises:
            ProtocolError: what came is not a block, or something else than *eol* follows it; or it is an indefinite
                block (``#0``), which ends with the message, and something follows its first line feed: a stream does
                not tell whether that is the end.
            TypeError, ValueError: what *allocate* returned is no such buffer.
        """
        return run(self.stream.readblock(eol, timeout, allocate=allocate))

    if TYPE_CHECKING:

        @overload
        def readmessage(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        def readmessage(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory | bytes: ...

    def readmessage(
        self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Any] | None = None
    ) -> Any:
        """Read an IEEE 488.2 response message and return it with its end: a line, as `readline` does, unless it begins
        with a definite block, whose data may hold anything: then everything up to the first *eol* after that.

        Args:
            eol: what ends a message, instead of the stream's ``eol``.
            timeout: seconds.
            allocate: as for `readblock`: a message that is a block is received into what it returns, and that is
                returned. A line is still returned as bytes.
        """
        return run(self.stream.readmessage(eol, timeout, allocate=allocate))

    def readframe(self, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> Frame:
        """Read a frame.

        Args:
            framing: how frames are told apart, e.g. ``sockio.framing.COBS()``.
            timeout: seconds.

        Raises:
            ProtocolError: a malformed frame; the next one can be read.
        """
        return run(self.stream.readframe(framing, timeout))

    def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send *data*, and return when the operating system has taken all of it."""
        run(self.stream.write(data, timeout))

    def writelines(self, lines: Iterable[Data], timeout: Timeout = DEFAULT) -> None:
        """Send the lines, which bring their own ends, in one go."""
        run(self.stream.writelines(lines, timeout))

    def writeframe(self, frame: Frame, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> None:
        """Send a frame, as *framing* encodes it."""
        run(self.stream.writeframe(frame, framing, timeout))

    def write_read(self, data: Data, n: int = -1, timeout: Timeout = DEFAULT) -> bytes:
        """Send *data* and read up to *n* bytes; until the peer closes the connection if *n* is negative."""
        return run(self.stream.write_read(data, n, timeout))

    def write_readline(self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> bytes:
        """Send *data* and read the line that answers it, with its end.

        Args:
            data: the request, with the end of line that the instrument wants.
            eol: what ends the reply, instead of the stream's ``eol``.
            timeout: seconds.
        """
        return run(self.stream.write_readline(data, eol, timeout))

    def write_readlines(self, data: Data, n: int, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> list[bytes]:
        """Send *data* and read *n* lines, with their ends."""
        return run(self.stream.write_readlines(data, n, eol, timeout))

    def writelines_readlines(
        self, lines: Iterable[Data], n: int | None = None, eol: bytes | None = None, timeout: Timeout = DEFAULT
    ) -> list[bytes]:
        """Send the lines in one go and read *n* lines; as many as were sent if *n* is None."""
        return run(self.stream.writelines_readlines(lines, n, eol, timeout))

    if TYPE_CHECKING:

        @overload
        def write_readblock(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        def write_readblock(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory: ...

    def write_readblock(
        self,
        data: Data,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Send *data* and read the IEEE 488.2 block that answers it; see `readblock`."""
        return run(self.stream.write_readblock(data, eol, timeout, allocate=allocate))

    if TYPE_CHECKING:

        @overload
        def write_readmessage(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        def write_readmessage(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory | bytes: ...

    def write_readmessage(
        self,
        data: Data,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Send *data* and read the response message that answers it; see `readmessage`."""
        return run(self.stream.write_readmessage(data, eol, timeout, allocate=allocate))

    def write_readframe(self, frame: Frame, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> Frame:
        """Send a frame and read the frame that answers it."""
        return run(self.stream.write_readframe(frame, framing, timeout))

    def __iter__(self) -> Iterator[bytes]:
        """Go through the lines of one connection; see `LineStream`."""
        return iter(LineStream(self))


class BlockingTCP(Stream):
    """A `TCP` whose calls block: the class to derive from."""

    def __init__(
        self,
        host: str,
        port: int,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        no_delay: bool = True,
        tos: int = IPTOS_LOWDELAY,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
        *,
        quiet: float | None = None,
        retry: Retry | None = None,
        ssl: SSLContext | bool = False,
        resolve_futures: bool = True,
    ) -> None:
        if not resolve_futures:
            raise TypeError(f"{type(self).__name__} blocks; for futures there is sockio.futures.TCP")
        self._core = _TCP(
            host,
            port,
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            no_delay,
            tos,
            connection_timeout,
            timeout,
            keep_alive,
            quiet=quiet,
            retry=retry,
            ssl=ssl,
        )
        self.stream = self._core

    @property
    def host(self) -> str:
        return self._core.host

    @property
    def port(self) -> int:
        return self._core.port

    @property
    def no_delay(self) -> bool:
        return self._core.no_delay

    @no_delay.setter
    def no_delay(self, no_delay: bool) -> None:
        self._core.no_delay = no_delay

    @property
    def tos(self) -> int:
        return self._core.tos

    @tos.setter
    def tos(self, tos: int) -> None:
        self._core.tos = tos

    @property
    def keep_alive(self) -> Mapping[str, int] | bool | None:
        return self._core.keep_alive

    @keep_alive.setter
    def keep_alive(self, keep_alive: Mapping[str, int] | bool | None) -> None:
        self._core.keep_alive = keep_alive

    @property
    def ssl(self) -> SSLContext | bool:
        return self._core.ssl


class TCP(BlockingTCP):
    """A stream over TCP, connected at the first call that needs it, and again after a failure.

    Args:
        host: name or IP address.
        port: 1 to 65535.
        eol: what ends a line.
        auto_reconnect: connect whenever a call needs it. Otherwise `open` has to be called first, and after a failure.
        on_connection_made: called without argument whenever a connection has been made, before anybody else uses it;
            it may use the stream. Calls of tasks that it starts are waited for too: a task that listens for ever is
            to be started elsewhere.
        on_connection_lost: called with an exception, or None, once for each connection that has ended.
        on_eof_received: called without argument when the peer has closed the connection.
        buffer_size: the longest line or frame accepted, and the most that is read ahead, in bytes.
        no_delay: send small requests at once (TCP_NODELAY).
        tos: type of service of the packets (IP_TOS).
        connection_timeout: seconds for connecting, all attempts together; None to count it to the call's ``timeout``.
        timeout: seconds for a call; None for no limit. Calls may override it.
        keep_alive: when to probe an idle connection: a mapping with ``active`` (0 or 1), ``idle`` and ``interval``
            (seconds) and ``retry`` (probes); True or False only switch it; None leaves the socket alone.
        quiet: after a failed call, discard input until nothing has come for so many seconds. For a TCP port that is
            the front of something else (a serial bridge), where a late answer crosses the reconnection. It has to be
            longer than the slowest answer takes.
        retry: how often connecting is tried again; once in all by default.
        ssl: TLS: True for one that verifies the peer's certificate, or an `ssl.SSLContext`.
        resolve_futures: False for a `sockio.futures.TCP`, whose calls give futures.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            host: str,
            port: int,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            no_delay: bool = True,
            tos: int = IPTOS_LOWDELAY,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
            *,
            quiet: float | None = None,
            retry: Retry | None = None,
            ssl: SSLContext | bool = False,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            host: str,
            port: int,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            no_delay: bool = True,
            tos: int = IPTOS_LOWDELAY,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
            *,
            quiet: float | None = None,
            retry: Retry | None = None,
            ssl: SSLContext | bool = False,
            resolve_futures: Literal[False],
        ) -> futures.TCP: ...

    def __new__(cls, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> Any:
        if resolve_futures or cls is not TCP:
            return super().__new__(cls)
        from . import futures

        return futures.TCP(*args, **kwargs)

    # What help() and inspect.signature() show.
    __new__.__dict__["__wrapped__"] = BlockingTCP.__init__


class BlockingUnix(Stream):
    """A `Unix` whose calls block: the class to derive from."""

    def __init__(
        self,
        path: str,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        *,
        quiet: float | None = None,
        retry: Retry | None = None,
        resolve_futures: bool = True,
    ) -> None:
        if not resolve_futures:
            raise TypeError(f"{type(self).__name__} blocks; for futures there is sockio.futures.Unix")
        self._core = _Unix(
            path,
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            connection_timeout,
            timeout,
            quiet=quiet,
            retry=retry,
        )
        self.stream = self._core

    @property
    def path(self) -> str:
        return self._core.path


class Unix(BlockingUnix):
    """A stream over a unix domain socket, connected at the first call that needs it, and again after a failure.

    Args:
        path: the absolute path of the socket.

    The other arguments are those of `TCP`.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            path: str,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            *,
            quiet: float | None = None,
            retry: Retry | None = None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            path: str,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            *,
            quiet: float | None = None,
            retry: Retry | None = None,
            resolve_futures: Literal[False],
        ) -> futures.Unix: ...

    def __new__(cls, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> Any:
        if resolve_futures or cls is not Unix:
            return super().__new__(cls)
        from . import futures

        return futures.Unix(*args, **kwargs)

    # What help() and inspect.signature() show.
    __new__.__dict__["__wrapped__"] = BlockingUnix.__init__


class BlockingSerial(Stream):
    """A `Serial` whose calls block: the class to derive from."""

    def __init__(
        self,
        port: str,
        baudrate: int = 9600,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        *,
        bytesize: int = 8,
        parity: str = "N",
        stopbits: float = 1,
        xonxoff: bool = False,
        rtscts: bool = False,
        exclusive: bool = True,
        quiet: float | None = QUIET,
        retry: Retry | None = None,
        resolve_futures: bool = True,
    ) -> None:
        if not resolve_futures:
            raise TypeError(f"{type(self).__name__} blocks; for futures there is sockio.futures.Serial")
        self._core = _Serial(
            port,
            baudrate,
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            connection_timeout,
            timeout,
            bytesize=bytesize,
            parity=parity,
            stopbits=stopbits,
            xonxoff=xonxoff,
            rtscts=rtscts,
            exclusive=exclusive,
            quiet=quiet,
            retry=retry,
        )
        self.stream = self._core

    @property
    def port(self) -> str:
        return self._core.port

    @property
    def baudrate(self) -> int:
        return self._core.baudrate

    @baudrate.setter
    def baudrate(self, baudrate: int) -> None:
        self._core.baudrate = baudrate

    @property
    def bytesize(self) -> int:
        return self._core.bytesize

    @bytesize.setter
    def bytesize(self, bytesize: int) -> None:
        self._core.bytesize = bytesize

    @property
    def parity(self) -> str:
        return self._core.parity

    @parity.setter
    def parity(self, parity: str) -> None:
        self._core.parity = parity

    @property
    def stopbits(self) -> float:
        return self._core.stopbits

    @stopbits.setter
    def stopbits(self, stopbits: float) -> None:
        self._core.stopbits = stopbits

    @property
    def xonxoff(self) -> bool:
        return self._core.xonxoff

    @xonxoff.setter
    def xonxoff(self, xonxoff: bool) -> None:
        self._core.xonxoff = xonxoff

    @property
    def rtscts(self) -> bool:
        return self._core.rtscts

    @rtscts.setter
    def rtscts(self, rtscts: bool) -> None:
        self._core.rtscts = rtscts

    @property
    def exclusive(self) -> bool:
        return self._core.exclusive

    @exclusive.setter
    def exclusive(self, exclusive: bool) -> None:
        self._core.exclusive = exclusive


class Serial(BlockingSerial):
    """A stream over a serial port, opened at the first call that needs it, and again after a failure.

    Args:
        port: a device (``/dev/ttyUSB0``, ``COM3``), a USB adapter by its identity, which is found again under whatever
            name it comes back (``serial://?vid=0403&pid=6001&sn=A50285BI``), or a server (``rfc2217://host:port``).
        baudrate: bits per second.
        bytesize: data bits, 5 to 8.
        parity: "N", "E", "O", "M" or "S": none, even, odd, mark, space.
        stopbits: 1, 1.5 or 2.
        xonxoff: software flow control.
        rtscts: hardware flow control (RTS/CTS).
        exclusive: refuse to open a port that another program has open, and keep others out. Without it, those who
            share the port have to see to it that only one of them uses it at a time.
        eol, auto_reconnect, on_connection_made, on_connection_lost, on_eof_received, buffer_size, connection_timeout,
            timeout, retry: as for `TCP`. An adapter that is unplugged is a lost connection.
        quiet: after a failed call, discard input until nothing has come for so many seconds: closing a port does not
            stop an answer that is under way. It has to be longer than the slowest answer takes.
        resolve_futures: False for a `sockio.futures.Serial`, whose calls give futures.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            port: str,
            baudrate: int = 9600,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            *,
            bytesize: int = 8,
            parity: str = "N",
            stopbits: float = 1,
            xonxoff: bool = False,
            rtscts: bool = False,
            exclusive: bool = True,
            quiet: float | None = QUIET,
            retry: Retry | None = None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            port: str,
            baudrate: int = 9600,
            eol: bytes = b"\n",
            auto_reconnect: bool = True,
            on_connection_made: Callable[[], Any] | None = None,
            on_connection_lost: Callable[[BaseException | None], Any] | None = None,
            on_eof_received: Callable[[], Any] | None = None,
            buffer_size: int = DEFAULT_LIMIT,
            connection_timeout: float | None = None,
            timeout: float | None = None,
            *,
            bytesize: int = 8,
            parity: str = "N",
            stopbits: float = 1,
            xonxoff: bool = False,
            rtscts: bool = False,
            exclusive: bool = True,
            quiet: float | None = QUIET,
            retry: Retry | None = None,
            resolve_futures: Literal[False],
        ) -> futures.Serial: ...

    def __new__(cls, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> Any:
        if resolve_futures or cls is not Serial:
            return super().__new__(cls)
        from . import futures

        return futures.Serial(*args, **kwargs)

    # What help() and inspect.signature() show.
    __new__.__dict__["__wrapped__"] = BlockingSerial.__init__


class ClientStream(Stream):
    """The connection of one client to a server: a stream like any other, but that only the client can connect again.

    Args:
        core: the object of the core that does the work.
    """

    def __init__(self, core: client_stream.ClientStream) -> None:
        self._core = core
        self.stream = core

    @property
    def address(self) -> tuple[str, int] | None:
        """The client's host and port; None on a unix domain socket."""
        return self._core.address

    def post(self, data: Data) -> None:
        """Send *data* as soon as the client takes it, after what was posted before, and wait for nothing.

        When the handler returns, the connection stays until all has been sent, for ``timeout`` seconds at most.

        Raises:
            ConnectionError: the client has gone.
            LimitError: it does not take what was posted before, and more than ``buffer_size`` bytes would be waiting.
                It has been disconnected.
            RuntimeError: on asyncio and trio: called from another thread, or anywhere else than where the client is
                served. Nothing is sent.
        """
        self._core.post(data)


class Server:
    """Serves clients that connect to a TCP port or a unix domain socket: ``with serve(handler, host, port): …``.

    Args:
        handler: called with the `ClientStream` of each client that has connected. When it returns, the connection is
            closed. What it raises is logged: an error of the connection in a line, anything else with its traceback.
        host: where to listen: a name or an address of this machine; None or ``""`` for all of them. Nobody but this
            machine can connect to the default.
        port: 0 for any that is free; `port` then tells which.
        path: listen at a unix domain socket instead, with this absolute path.
        eol: what ends a line.
        buffer_size: the longest line or frame accepted from a client, the most that is read ahead, and the most that
            `ClientStream.post` keeps for a client which does not read, in bytes.
        timeout: seconds that a call on a client's stream may take unless it says otherwise, and so how long a client
            may be idle, or take to send a line, while the handler reads; None for no limit.
        max_clients: how many are served at once. Those beyond are disconnected at once.
        ssl: TLS: an `ssl.SSLContext` with the server's certificate.
        handshake_timeout: seconds that a client has for the TLS handshake.
        backlog: how many connections may wait to be accepted.
        no_delay: send small packets at once (TCP_NODELAY).
        keep_alive: when to probe idle connections, as for `TCP`.
        family: `socket.AF_INET` or `socket.AF_INET6` to listen at addresses of that kind alone.
        reuse_port: let other processes listen at the same port (SO_REUSEPORT).

    Attributes:
        host, port, path: where it listens; ``port`` is the real one once it is open.
        refused: how many clients were disconnected because of ``max_clients``.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        handler: Callable[[ClientStream], Any],
        host: str | None = "127.0.0.1",
        port: int = 0,
        *,
        path: str | None = None,
        eol: bytes = b"\n",
        buffer_size: int = DEFAULT_LIMIT,
        timeout: float | None = None,
        max_clients: int = 1000,
        ssl: SSLContext | None = None,
        handshake_timeout: float | None = 10.0,
        backlog: int = BACKLOG,
        no_delay: bool = True,
        keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
        family: int = 0,
        reuse_port: bool = False,
    ) -> None:
        self._core = _Server(
            handler,
            host,
            port,
            path=path,
            eol=eol,
            buffer_size=buffer_size,
            timeout=timeout,
            max_clients=max_clients,
            ssl=ssl,
            handshake_timeout=handshake_timeout,
            backlog=backlog,
            no_delay=no_delay,
            keep_alive=keep_alive,
            family=family,
            reuse_port=reuse_port,
        )

    def __repr__(self) -> str:
        return repr(self._core)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return self.resource

    @property
    def handler(self) -> Callable[[ClientStream], Any]:
        return self._core.handler

    @handler.setter
    def handler(self, handler: Callable[[ClientStream], Any]) -> None:
        self._core.handler = handler

    @property
    def host(self) -> str | None:
        return self._core.host

    @property
    def port(self) -> int:
        return self._core.port

    @property
    def path(self) -> str | None:
        return self._core.path

    @property
    def eol(self) -> bytes:
        return self._core.eol

    @eol.setter
    def eol(self, eol: bytes) -> None:
        self._core.eol = eol

    @property
    def buffer_size(self) -> int:
        return self._core.buffer_size

    @buffer_size.setter
    def buffer_size(self, buffer_size: int) -> None:
        self._core.buffer_size = buffer_size

    @property
    def timeout(self) -> float | None:
        return self._core.timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self._core.timeout = timeout

    @property
    def max_clients(self) -> int:
        return self._core.max_clients

    @max_clients.setter
    def max_clients(self, max_clients: int) -> None:
        self._core.max_clients = max_clients

    @property
    def ssl(self) -> SSLContext | None:
        return self._core.ssl

    @property
    def handshake_timeout(self) -> float | None:
        return self._core.handshake_timeout

    @handshake_timeout.setter
    def handshake_timeout(self, handshake_timeout: float | None) -> None:
        self._core.handshake_timeout = handshake_timeout

    @property
    def backlog(self) -> int:
        return self._core.backlog

    @backlog.setter
    def backlog(self, backlog: int) -> None:
        self._core.backlog = backlog

    @property
    def no_delay(self) -> bool:
        return self._core.no_delay

    @no_delay.setter
    def no_delay(self, no_delay: bool) -> None:
        self._core.no_delay = no_delay

    @property
    def keep_alive(self) -> Mapping[str, int] | bool | None:
        return self._core.keep_alive

    @keep_alive.setter
    def keep_alive(self, keep_alive: Mapping[str, int] | bool | None) -> None:
        self._core.keep_alive = keep_alive

    @property
    def family(self) -> int:
        return self._core.family

    @family.setter
    def family(self, family: int) -> None:
        self._core.family = family

    @property
    def reuse_port(self) -> bool:
        return self._core.reuse_port

    @reuse_port.setter
    def reuse_port(self, reuse_port: bool) -> None:
        self._core.reuse_port = reuse_port

    @property
    def refused(self) -> int:
        """How many clients were disconnected because of ``max_clients``."""
        return self._core.refused

    @property
    def resource(self) -> str:
        """Where it listens, as a URL."""
        return self._core.resource

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports at which it listens; none on a unix domain socket, and when it is not open."""
        return self._core.addresses

    @property
    def is_open(self) -> bool:
        """Whether clients can connect."""
        return self._core.is_open

    @property
    def clients(self) -> list[ClientStream]:
        """The streams of the clients that are being served, in the order in which they came."""
        return self._core.clients

    def open(self) -> None:
        """Listen, and serve whoever connects.

        Raises:
            ConnectionError: it is open already, or was closed meanwhile.
            OSError: the port is in use, the address is not one of this machine, ...
        """
        run(self._core.open())

    def close(self, timeout: float | None = 5.0) -> None:
        """Stop listening, let handlers finish what they are at, and cut off those that take too long.

        A client that is idle (its handler is waiting for it, and nothing has come) is disconnected at once. In a
        handler, the handler itself is not waited for.

        Args:
            timeout: seconds that handlers have to finish; None for no limit. Then their connections are closed, and
                tasks are cancelled. A thread cannot be: if it goes on all the same, that is logged.
        """
        run(self._core.close(timeout))

    def wait_closed(self) -> None:
        """Wait until `close` has been called, from elsewhere, and all handlers have ended."""
        run(self._core.wait_closed())

    def broadcast(self, data: Data) -> None:
        """Send *data* to all clients that are being served, as `ClientStream.post` does, and wait for none of them.

        A client that does not read, so that more than ``buffer_size`` bytes are waiting for it, is disconnected.

        Raises:
            RuntimeError: on asyncio and trio: called from another thread; see `ClientStream.post`.
        """
        self._core.broadcast(data)


#: ``with serve(handler, host, port) as server: …``
serve = Server


class BaseStream:
    """Iteration over a stream. A subclass of your own implements `_read`.

    Args:
        tcp: the stream to read from.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, reconnect: bool = False) -> None:
        self.tcp = tcp
        self.reconnect = reconnect
        self.stream: iteration.BaseStream = _OwnStream(self)
        self._one_by_one: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        stream = self.stream
        link = None
        while True:
            batch = run(stream.next_batch(link))
            if batch is None:
                if not self.reconnect:
                    return
                link = None
                continue
            link, items = batch
            yield from items

    def __next__(self) -> bytes:
        if self._one_by_one is None:
            self._one_by_one = iter(self)
        try:
            return next(self._one_by_one)
        except Exception as error:
            if not isinstance(error, StopIteration):
                self._one_by_one = None  # an error ends the iterator, but not this one
            raise

    def _read(self) -> bytes:
        """Return the next item; raise ConnectionEOFError where the stream ends."""
        raise NotImplementedError


class _OwnStream(iteration.BaseStream):
    """What the core iterates over when a subclass of `BaseStream` reads the items."""

    def __init__(self, items: BaseStream) -> None:
        super().__init__(items.tcp.stream, items.reconnect)
        self.items = items

    async def _read(self) -> bytes:
        return self.items._read()


class LineStream(BaseStream):
    """Iteration by line; every line has its end.

    Args:
        tcp: the stream to read from.
        eol: what ends a line, instead of the stream's ``eol``.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, eol: bytes | None = None, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.stream = iteration.LineStream(tcp.stream, eol, reconnect)


class BlockStream(BaseStream):
    """Iteration by block.

    Args:
        tcp: the stream to read from.
        limit: the size of the blocks in bytes, or the bytes that end a block.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, limit: int | bytes, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.stream = iteration.BlockStream(tcp.stream, limit, reconnect)


if TYPE_CHECKING:

    @overload
    def socket_for_url(url: str, *args: Any, resolve_futures: Literal[False], **kwargs: Any) -> futures.Stream: ...
    @overload
    def socket_for_url(url: str, *args: Any, resolve_futures: Literal[True] = True, **kwargs: Any) -> Stream: ...


def socket_for_url(url: str, *args: Any, **kwargs: Any) -> Any:
    """Return a stream for a URL: ``tcp://host:port``, ``tls://``, ``unix://``, ``serial://`` or ``rfc2217://``.

    Args:
        url: what to connect to; options may follow a question mark, see `sockio.resource`.
        *args: arguments of the stream's class after those that the URL gives.
        **kwargs: keyword arguments of the stream's class; they come before options of the URL.

    Raises:
        ValueError: not a URL that is supported.
    """
    return stream_for_url(sys.modules[__name__], url, *args, **kwargs)

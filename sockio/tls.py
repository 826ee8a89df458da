"""TLS over any transport: written once, for every runtime.

OpenSSL works on bytes in memory here (`ssl.SSLObject`), and this module carries them to and from the transport
underneath.
"""

from __future__ import annotations

import ssl
import threading
from collections import deque
from typing import cast

from .runtimes.base import CHUNK_SIZE, Transport
from .turns import Ticket, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .runtimes.base import HungUp, Runtime
    from .runtimes.descriptor import Descriptor

    Result = TypeVar("Result")


def check_context(context: Any) -> ssl.SSLContext:
    """Return the context to use for the ``ssl`` argument of a stream."""
    if context is True:
        return ssl.create_default_context()
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl must be True, False or an ssl.SSLContext, not {context!r}")
    return context


def check_server_context(context: Any) -> ssl.SSLContext:
    """Return the context to use for the ``ssl`` argument of a server."""
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl must be an ssl.SSLContext with the server's certificate, or None, not {context!r}")
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    except ssl.SSLError:
        raise ValueError("ssl must be a context for servers: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)") from None
    return context


async def secure(
    runtime: Runtime, transport: Transport, context: ssl.SSLContext, host: str | None, deadline: float | None
) -> Transport:
    """Do the TLS handshake over a fresh transport, and return the transport of what is inside.

    Args:
        runtime: what waits.
        transport: the connection.
        context: certificates and rules.
        host: whom the peer's certificate has to be for; None if this is the server's side.
        deadline: when to give up.

    Raises:
        ssl.SSLError: no agreement, or a certificate that cannot be trusted. It is an OSError.
        DeadlineExpired: the peer was too slow.
    """
    try:
        secured = TLSTransport(runtime, transport, context, host)
        await secured.handshake(deadline)
    except BaseException:
        transport.close()
        raise
    return secured


class TLSTransport(Transport):
    """What is inside a TLS connection.

    Whoever asks how much has arrived may have to decrypt it to know. That is kept here for who reads next, and it is
    not fetched from under somebody who waits for it.
    """

    #: How much is decrypted ahead at most, in bytes.
    AHEAD = 16 * CHUNK_SIZE

    def __init__(self, runtime: Runtime, transport: Transport, context: ssl.SSLContext, host: str | None) -> None:
        self._transport = transport
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=host is None, server_hostname=host)
        # One thread at a time inside OpenSSL, and what it has to say goes out in the order in which it said it.
        self._inside = threading.Lock()
        self._sending = Turns(runtime)
        self._unread: deque[bytes] = deque()
        self._fetching = False
        self._ended = False
        self._torn = False
        self._error: OSError | None = None

    async def handshake(self, deadline: float | None) -> None:
        try:
            await self._operate(deadline, self._tls.do_handshake)
        except ssl.SSLError:
            self._send_last_words()  # an alert, which says why
            raise

    async def _operate(self, deadline: float | None, operation: Callable[..., Result], *args: Any) -> Result:
        """Do an operation of OpenSSL's, fetching and carrying what it needs."""
        result: Result | None = None
        while True:
            with self._inside:
                try:
                    result = operation(*args)
                    wanting = False
                except ssl.SSLWantReadError:
                    wanting = self._fetching = True
            try:
                await self._flush(deadline)
                if not wanting:
                    return cast("Result", result)
                received = self._transport.receive(deadline)
                data = received if isinstance(received, bytes) else await received
            except BaseException:
                if wanting:
                    self._fetching = False
                elif isinstance(result, bytes):
                    self._unread.appendleft(result)  # for who reads next
                raise
            with self._inside:
                self._fetching = False  # not before what was fetched is in its place
                self._feed(data)

    async def _flush(self, deadline: float | None) -> None:
        """Send what OpenSSL has to say."""
        if not self._outgoing.pending:
            return
        async with self._sending.turn("TLS", deadline):
            data = self._outgoing.read()
            if data:
                self._torn = True
                unsent = self._transport.send(data, deadline)
                if unsent is not None:
                    await unsent
                self._torn = False

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def arrived(self) -> object:
        return (
            self._unread
            or self._ended
            or self._tls.pending()
            or self._incoming.pending
            or self._incoming.eof
            or self._transport.arrived()
        )

    async def receive(self, deadline: float | None) -> bytes:
        return await self._operate(deadline, self._read)

    def _read(self) -> bytes:
        """Return decrypted bytes, ``b""`` at the end. Raises SSLWantReadError if more has to be fetched for that."""
        if self._unread:
            return self._unread.popleft()
        self._check_error()
        try:
            chunk = self._tls.read(CHUNK_SIZE)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            chunk = b""
        self._ended = not chunk
        return chunk

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while received < len(view):
            with view[received:] as rest:
                count = await self._operate(deadline, self._read_into, rest)
            if not count:
                break
            received += count
        return received

    def _read_into(self, view: memoryview) -> int:
        if self._unread:
            chunk = self._unread.popleft()
            count = min(len(chunk), len(view))
            view[:count] = chunk[:count]
            if count < len(chunk):
                self._unread.appendleft(chunk[count:])
            return count
        self._check_error()
        try:
            count = int(self._tls.read(len(view), view))  # so many bytes, where a buffer is given
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            count = 0
        self._ended = not count
        return count

    def _check_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> None:
        view = memoryview(data)
        for start in range(0, len(view), CHUNK_SIZE):
            await self._operate(deadline, self._write, view[start : start + CHUNK_SIZE])

    def _write(self, data: memoryview) -> None:
        # Into memory, so all of it is taken at once.
        self._tls.write(data)

    def descriptor(self) -> Descriptor | None:
        return self._transport.descriptor()

    def receive_now(self) -> bytes | None:
        with self._inside:
            return self._read_now()

    def _read_now(self) -> bytes | None:
        while True:
            try:
                return self._read()
            except ssl.SSLWantReadError:
                data = self._transport.receive_now()
                if data is None:
                    return None
                self._feed(data)

    def in_waiting(self) -> int:
        with self._inside:
            if not self._fetching:
                self._decrypt_ahead()
            return sum(map(len, self._unread))

    def _decrypt_ahead(self) -> None:
        ahead, self._unread = self._unread, deque()
        size = sum(map(len, ahead))
        try:
            while not self._ended and self._error is None and size < self.AHEAD:
                chunk = self._read_now()
                if not chunk:
                    break
                ahead.append(chunk)
                size += len(chunk)
        except OSError as error:
            self._error = error.with_traceback(None)  # for who reads
        finally:
            self._unread = ahead

    def hung_up(self) -> bool:
        return self._ended or self._incoming.eof or self._transport.hung_up()

    def watch(self, hung_up: HungUp) -> None:
        self._transport.watch(hung_up)

    def shut_down(self) -> None:
        self._say_goodbye()
        self._transport.shut_down()

    def close(self) -> None:
        self._say_goodbye()
        self._transport.close()

    def _say_goodbye(self) -> None:
        """Tell the peer that this is the end (close_notify), if that goes without waiting.

        A peer that hears nothing of it has to suspect that the stream was cut short by somebody else.
        """
        place = Ticket("close")
        try:
            # Not in the middle of what somebody else says, nor after it if it was torn away there.
            if not self._sending.enter(place) or self._torn or not self._inside.acquire(blocking=False):
                return
            try:
                if self._outgoing.pending:
                    return
                self._tls.unwrap()
            except ssl.SSLError:
                pass  # the peer's own goodbye is not waited for
            finally:
                self._inside.release()
            self._send_last_words()
        finally:
            self._sending.leave(place)

    def _send_last_words(self) -> None:
        try:
            self._transport.send_now(self._outgoing.read())
        except OSError:
            pass  # the peer was faster

    def forget(self) -> None:
        self._transport.forget()

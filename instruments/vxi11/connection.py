"""Messages to and from an instrument over VXI-11."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

from instruments.message import REQUEST_SERVICE, RESPONSE_LIMIT, MessageConnection, NotSupported, Refusal, in_seconds
from sockio.deadline import seconds_until
from sockio.errors import DeadlineExpired, ProtocolError

from . import codec
from .codec import Vxi11Error
from .interrupts import InterruptChannel, ServiceRequests
from .link import Address, Link
from .rpc.codec import Procedure, RpcError

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

#: What one device_read asks for, in bytes.
READ_SIZE = 2**20

#: A reply is so many bytes longer than the data in it, or less: its RPC header with the longest verifier, and results.
OVERHEAD = 512

#: An instrument that is switched off closes one connection after the other, within so many seconds.
GOING_TIME = 0.1


class Vxi11Connection(MessageConnection):
    """A connection to an instrument that speaks VXI-11.

    Args:
        address: host, port (None: as the portmapper says) and device_name, such as ``"inst0"``.
        runtime: the concurrency model.
        limit: the longest response message that is not a block, in bytes.
        read_size: what is asked for at once, in bytes.
        term_char: a byte that ends response messages, for an instrument that does not mark their end.
        interrupt_host: the IPv4 address of this machine to which the instrument connects for service requests;
            by default the one from which we have connected to the instrument.

    All calls raise, besides what `Messages` says:
        Vxi11Error: the instrument refused; `Vxi11Error.code` says why.
        RpcError: it knows no such call.
    """

    has_lock = True
    shared_output = True

    _refusals = (NotSupported, Refusal, RpcError, Vxi11Error)

    def __init__(
        self,
        address: Address,
        runtime: Runtime,
        *,
        limit: int = RESPONSE_LIMIT,
        read_size: int = READ_SIZE,
        term_char: bytes | None = None,
        interrupt_host: str | None = None,
    ) -> None:
        super().__init__(str(address), runtime, limit)
        if read_size < 1:
            raise ValueError(f"read_size must be at least 1 byte, not {read_size}")
        if term_char is not None and len(term_char) != 1:
            raise ValueError(f"term_char must be one byte, or None, not {term_char!r}")
        self.address = address
        self.read_size = read_size
        self.interrupt_host = interrupt_host
        self._read_flags = codec.WAITLOCK | (0 if term_char is None else codec.TERMCHRSET)
        self._term_char = 0 if term_char is None else term_char[0]
        self._end_reasons = codec.REASON_END | (0 if term_char is None else codec.REASON_CHR)
        self._requests = ServiceRequests(runtime)
        self._channel: InterruptChannel | None = None
        self._closings = 0
        self._last_link: Link | None = None
        self._link: Link | None = None

    def __del__(self) -> None:
        if hasattr(self, "_link"):
            self._disconnect()

    def connected(self) -> bool:
        return self._link is not None and self._link.connected()

    def _usable(self) -> bool:
        return self._link is not None and self._link.usable()

    async def close(self) -> None:
        self._closings += 1
        link, in_use = self._link, bool(self._turns.queue) or self._user is not None
        if in_use or link is None or not link.connected():
            self._disconnect()
        else:
            await self._leave(link)
        self._requests.wake()

    async def _leave(self, link: Link) -> None:
        """Take leave of the present link, which works."""
        self._link = None  # a call that comes meanwhile makes a new one
        first = () if self._channel is None else (codec.DESTROY_INTR_CHAN,)
        self._close_channel()
        await link.leave(*first)

    def abandon(self) -> None:
        self._closings += 1
        self._disconnect()
        self._requests.wake()

    # Calls beside messages

    async def read_status_byte(self, timeout: float | None) -> int:
        return await self._request("read_status_byte", timeout, self._read_status_byte)

    async def trigger(self, timeout: float | None) -> None:
        await self._request("trigger", timeout, self._perform, codec.DEVICE_TRIGGER)

    async def remote(self, timeout: float | None) -> None:
        """Put the instrument in the remote state, in which its front panel is locked."""
        await self._request("remote", timeout, self._perform, codec.DEVICE_REMOTE)

    async def local(self, timeout: float | None) -> None:
        """Put the instrument in the local state, in which its front panel can be used."""
        await self._request("local", timeout, self._perform, codec.DEVICE_LOCAL)

    async def lock(self, timeout: float | None) -> None:
        await self._request("lock", timeout, self._lock)

    async def unlock(self, timeout: float | None) -> None:
        if self.connected():
            await self._request("unlock", timeout, self._unlock)

    async def docmd(
        self, command: int, data: bytes, timeout: float | None, *, network_order: bool = True, item_size: int = 1
    ) -> bytes:
        """Have the instrument do what only its manual knows (device_docmd; for GPIB gateways VXI-11.2 says what).

        Args:
            command: its number.
            data: what goes with it.
            timeout: seconds.
            network_order: the data are big endian.
            item_size: the size of each item of the data, in bytes.

        Returns:
            what the instrument answers.
        """
        return await self._request("docmd", timeout, self._docmd, command, data, network_order, item_size)

    async def abort(self, timeout: float | None) -> None:
        """Stop what another call is waiting for, on the abort channel: that call ends with a Vxi11Error."""
        link = self._link
        if link is None:
            raise NotSupported(f"{self}: there is no connection on which a call could be aborted")
        deadline = None if timeout is None else self.runtime.clock() + timeout
        try:
            await link.abort(deadline)
        except DeadlineExpired:
            raise self.runtime.timeout_error(f"{self}: abort timed out after {in_seconds(timeout)}") from None

    async def wait_for_service_request(self, timeout: float | None) -> int:
        deadline = None if timeout is None else self.runtime.clock() + timeout
        try:
            return await self._next_service_request("wait_for_service_request", deadline)
        except (DeadlineExpired, TimeoutError) as error:
            text = f"{self}: requested no service within {in_seconds(timeout)}"
            raise self.runtime.timeout_error(text) from (error if isinstance(error, OSError) else None)

    async def _next_service_request(self, method: str, deadline: float | None) -> int:
        closings = self._closings
        while True:
            channel, status = await self._request(method, self._left(deadline), self._enable_service_requests)
            if status & REQUEST_SERVICE:
                return status
            requested = await self._requests.wait(partial(self._waits_in_vain, channel, closings), deadline)
            if requested:
                break
            if self._closings != closings:
                raise ConnectionAbortedError(f"{self}: was closed while {method} was running")
            await self.runtime.sleep(GOING_TIME)
            if channel is self._channel and self.connected():
                self._close_channel()
                raise self.runtime.eof_error(f"{self}: the instrument closed its interrupt channel", b"")
        try:
            return await self._request(method, self._left(deadline), self._read_status_byte)
        except BaseException:
            self._requests.add()  # it has not been served
            raise

    # What MessageConnection asks for

    async def _connect(self, deadline: float | None) -> None:
        last, self._last_link = self._last_link, None
        link = self._link = Link(self.address, self.runtime, self.read_size + OVERHEAD)
        try:
            if last is not None:
                await last.wait_until_aborted(deadline)
            await link.open(deadline)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        self._close_channel()
        link, self._link = self._link, None
        if link is not None:
            self._last_link = link
            link.close()

    def _forget(self) -> None:
        self._requests = ServiceRequests(self.runtime)
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.forget()
        link, self._link = self._link, None
        if link is not None:
            link.forget()
        self._last_link = None

    async def _send(self, message: bytes, deadline: float | None) -> None:
        link = self._present_link()
        size, step = len(message), link.max_receive_size
        sent = 0
        while True:
            piece = message if size <= step and not sent else memoryview(message)[sent : sent + step]
            flags = codec.WAITLOCK | (codec.END_FLAG if sent + len(piece) == size else 0)
            started = self.runtime.clock()
            limit = link.milliseconds(deadline, started)
            arguments = codec.encode_write(link.identifier, limit, limit, flags, piece)
            record, start = await link.call(codec.DEVICE_WRITE, deadline, *arguments)
            error = codec.decode_error(record, start, codec.DEVICE_WRITE)
            if error and not link.may_go_on(error, deadline, started):
                raise link.refusal(codec.DEVICE_WRITE, error)
            taken = codec.decode_written(record, start + 4, len(piece))
            sent += taken
            if sent == size and not error:
                return
            if not taken and not error:
                raise ProtocolError(f"device_write: none of {len(piece)} bytes was taken, without an error", record)

    async def _receive(self, deadline: float | None) -> tuple[bytes, bool]:
        link = self._present_link()
        while True:
            started = self.runtime.clock()
            limit = link.milliseconds(deadline, started)
            arguments = codec.encode_read(
                link.identifier, self.read_size, limit, limit, self._read_flags, self._term_char
            )
            record, start = await link.call(codec.DEVICE_READ, deadline, arguments)
            error = codec.decode_error(record, start, codec.DEVICE_READ)
            if not error:
                reason, data = codec.decode_read(record, start + 4, self.read_size)
                if not data and not reason:
                    raise ProtocolError("device_read: neither bytes nor a reason came", record)
                return data, reason & self._end_reasons != 0
            if not link.may_go_on(error, deadline, started):
                raise link.refusal(codec.DEVICE_READ, error)

    async def _clear(self, deadline: float | None) -> None:
        await self._perform(codec.DEVICE_CLEAR, deadline)

    async def _recover(self, deadline: float | None) -> None:
        try:
            await self._clear(deadline)
        except (NotSupported, RpcError):
            # Not every instrument can be cleared. What it still has to say on a link goes with that.
            await self._leave(self._present_link())
            await self._reconnect(deadline)

    # Parts of calls

    def _present_link(self) -> Link:
        link = self._link
        if link is None:
            raise ConnectionAbortedError(f"{self}: was closed by another call")
        return link

    async def _perform(self, procedure: Procedure, deadline: float | None) -> tuple[bytes, int]:
        """Make a call that has the generic arguments; return its results."""
        link = self._present_link()
        return await link.insist(
            procedure, deadline, lambda limit: codec.encode_generic(link.identifier, codec.WAITLOCK, limit, limit)
        )

    async def _read_status_byte(self, deadline: float | None) -> int:
        return codec.decode_status_byte(*await self._perform(codec.DEVICE_READSTB, deadline))

    async def _lock(self, deadline: float | None) -> None:
        link = self._present_link()
        await link.insist(
            codec.DEVICE_LOCK, deadline, lambda limit: codec.encode_lock(link.identifier, codec.WAITLOCK, limit)
        )

    async def _unlock(self, deadline: float | None) -> None:
        link = self._present_link()
        try:
            await link.insist(codec.DEVICE_UNLOCK, deadline, lambda limit: codec.encode_link(link.identifier))
        except Vxi11Error as error:
            if error.code != codec.NO_LOCK_HELD:  # which was that of a former link
                raise

    async def _docmd(
        self, command: int, data: bytes, network_order: bool, item_size: int, deadline: float | None
    ) -> bytes:
        link = self._present_link()

        def encode(limit: int) -> bytes:
            return codec.encode_docmd(
                link.identifier, codec.WAITLOCK, limit, limit, command, network_order, item_size, data
            )

        record, start = await link.insist(codec.DEVICE_DOCMD, deadline, encode)
        return codec.decode_docmd(record, start, self.read_size)

    # The interrupt channel

    async def _enable_service_requests(self, deadline: float | None) -> tuple[InterruptChannel, int]:
        """Open the interrupt channel of the present link, unless that has been done.

        Returns:
            The channel; and the status byte if that has been opened now, since the instrument tells nobody of a service
            request that it made before.
        """
        if self._channel is not None and not self._channel.broken():
            return self._channel, 0
        self._close_channel()
        link = self._present_link()
        host = self.interrupt_host or link.local_host()
        try:
            told = socket.inet_aton(host)
        except OSError:
            raise NotSupported(f"{self}: an interrupt channel needs an IPv4 address of ours, not {host!r}") from None
        channel = InterruptChannel(self.runtime, host, self._requests)
        try:
            await self._create_interrupt_channel(link, codec.encode_create_intr_chan(told, channel.port), deadline)
            enable = codec.encode_enable_srq(link.identifier, True, channel.handle)
            await link.insist(codec.DEVICE_ENABLE_SRQ, deadline, lambda limit: enable)
            if link is not self._link:
                raise ConnectionAbortedError(f"{self}: was closed by another call")
        except BaseException:
            channel.close()
            raise
        self._channel = channel
        try:
            return channel, await self._read_status_byte(deadline)
        except NotSupported:
            return channel, 0

    async def _create_interrupt_channel(self, link: Link, arguments: bytes, deadline: float | None) -> None:
        try:
            await link.insist(codec.CREATE_INTR_CHAN, deadline, lambda limit: arguments)
        except Vxi11Error as error:
            if error.code != codec.CHANNEL_EXISTS:
                raise
            # That of a call that was torn away, or one that the instrument has closed on its side.
            await link.insist(codec.DESTROY_INTR_CHAN, deadline, lambda limit: b"")
            await link.insist(codec.CREATE_INTR_CHAN, deadline, lambda limit: arguments)

    def _waits_in_vain(self, channel: InterruptChannel, closings: int) -> bool:
        return channel.broken() or self._closings != closings

    def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _left(self, deadline: float | None) -> float | None:
        return seconds_until(deadline, self.runtime.clock())

"""VXI-11 for simulated instruments: the core channel, the abort channel, and service requests.

The transport of a device speaks it that has the key ``protocol: vxi11``. Other keys, all with defaults:

- ``max_receive_size``: the most bytes of one device_write, 2**20.
- ``device_names``: what create_link knows the instrument by, ``[inst0]``.
- ``abort_port``: where the abort channel listens, any free port.
- ``shared_messages``: links have one exchange of messages in common, so that what one has left behind meets the
  next, as behind a gateway to GPIB; false.

How clients find the port: `instruments.simulators.vxi11_portmapper`.
"""

from __future__ import annotations

import io
import socket as sockets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gevent

from instruments.vxi11 import codec
from instruments.vxi11.rpc.codec import WORD, Call, check_end, encode_opaque, unpack, unpack_opaque

from .faults import deliver
from .vxi11_channels import AbortServer, Caller, serve_calls
from .vxi11_link import Failure, Link, Lock, Messages

if TYPE_CHECKING:
    from .scpi import ScpiDevice

#: The longest name of a device that create_link looks at, in bytes.
NAME_LIMIT = 256

#: A device_write has so many bytes besides its data, or less.
OVERHEAD = 1024

#: IPv4 addresses have so many bytes.
ADDRESS_SIZE = 4


class Instrument:
    """What all connections to one transport of a device have in common.

    Args:
        device: the simulated instrument.
        transport: of the engine.
    """

    def __init__(self, device: ScpiDevice, transport: Any) -> None:
        options = transport.props
        self.device = device
        self.lock = Lock()
        self.links: dict[int, Link] = {}
        self.max_receive_size = int(options.get("max_receive_size", 2**20))
        self.device_names = [str(name).lower() for name in options.get("device_names", ["inst0"])]
        self._shared = Messages(device) if options.get("shared_messages") else None
        self._last_identifier = 0
        host = transport.address[0]
        self._abort_server = AbortServer(
            host, int(options.get("abort_port", 0)), codec.ASYNC, frozenset((codec.DEVICE_ABORT.number,)), self._abort
        )

    @property
    def abort_port(self) -> int:
        return self._abort_server.port

    def add_link(self) -> Link:
        """Make a link."""
        self._last_identifier += 1
        link = Link(self._last_identifier, self._shared or Messages(self.device))
        self.links[link.identifier] = link
        return link

    def remove_link(self, link: Link) -> None:
        """Forget a link and what it holds."""
        self.links.pop(link.identifier, None)
        if self.lock.holder is link:
            self.lock.release(link)
        if link.messages is not self._shared:
            self.device.set_message_available(link.messages, False)

    def _abort(self, call: Call, record: bytes) -> bytes:
        (identifier,) = unpack(WORD, record, call.start, "device_abort")
        link = self.links.get(identifier)
        if link is None:
            return WORD.pack(codec.INVALID_LINK)
        link.abort()
        return WORD.pack(codec.NO_ERROR)


_instruments: WeakKeyDictionary[Any, Instrument] = WeakKeyDictionary()


def instrument_of(device: ScpiDevice, transport: Any) -> Instrument:
    """Return what the connections to a transport have in common; made for the first of them."""
    if transport not in _instruments:
        _instruments[transport] = Instrument(device, transport)
    return _instruments[transport]


class Undelayed:
    """A device whose latency has passed already when its response goes out."""

    latency = 0.0

    def __init__(self, device: ScpiDevice) -> None:
        self.fault_delay = device.fault_delay
        self.take_fault = device.take_fault


class Vxi11Protocol:
    """One core channel, with its links and its interrupt channel.

    Args:
        device: the simulated instrument.
        channel: the connection, a file over a socket.
        transport: of the engine, that the connection is of.
    """

    def __init__(self, device: ScpiDevice, channel: io.RawIOBase, transport: Any) -> None:
        self._device = device
        self._instrument = instrument_of(device, transport)
        self._socket: Any = channel._sock  # type: ignore[attr-defined]  # the engine gives no way to send all
        self._links: dict[int, Link] = {}
        self._interrupts: Caller | None = None
        self._brings_response = False

    def handle(self) -> None:
        """Serve calls until the connection ends; then its links end as well."""
        self._socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self._device.on_service_request(self._request_service)
        limit = self._instrument.max_receive_size + OVERHEAD
        try:
            serve_calls(self._socket, codec.CORE, frozenset(CALLS), self._serve, self._send, limit)
        finally:
            self._device.remove_service_request_listener(self._request_service)
            for link in list(self._links.values()):
                self._remove(link)
            self._close_interrupts()

    def _serve(self, call: Call, record: bytes) -> bytes:
        serve, failure = CALLS[call.procedure]
        try:
            return WORD.pack(codec.NO_ERROR) + serve(self, record, call.start)
        except Failure as error:
            return WORD.pack(error.code) + failure

    def _send(self, wire: bytes) -> None:
        if not self._brings_response:
            self._socket.sendall(wire)
            return
        self._brings_response = False
        deliver(Undelayed(self._device), wire, self._socket.sendall, self._close)

    def _close(self) -> None:
        raise EOFError

    def _find(self, identifier: int) -> Link:
        link = self._links.get(identifier)
        if link is None:
            raise Failure(codec.INVALID_LINK)
        link.begin()
        return link

    def _remove(self, link: Link) -> None:
        del self._links[link.identifier]
        self._instrument.remove_link(link)

    # Calls: each takes a record and where its arguments begin, and returns its results after the error

    def _create_link(self, record: bytes, start: int) -> bytes:
        _client, lock, milliseconds = unpack(codec.LINK_PARAMETERS, record, start, "create_link")
        name, end = unpack_opaque(record, start + codec.LINK_PARAMETERS.size, NAME_LIMIT, "create_link")
        check_end(record, end, "create_link")
        instrument = self._instrument
        if name.decode("latin-1").lower() not in instrument.device_names:
            raise Failure(codec.NOT_ACCESSIBLE)
        link = instrument.add_link()
        try:
            if lock:
                instrument.lock.take(link, codec.WAITLOCK, milliseconds)
        except Failure:
            instrument.remove_link(link)
            raise
        self._links[link.identifier] = link
        return codec.LINK_RESULTS.pack(link.identifier, instrument.abort_port, instrument.max_receive_size)

    def _write(self, record: bytes, start: int) -> bytes:
        identifier, _, lock_timeout, flags = unpack(codec.WRITE_PARAMETERS, record, start, "device_write")
        data, end = unpack_opaque(record, start + codec.WRITE_PARAMETERS.size, len(record), "device_write")
        check_end(record, end, "device_write")
        link = self._find(identifier)
        if len(data) > self._instrument.max_receive_size:
            raise Failure(codec.PARAMETER_ERROR)
        self._instrument.lock.admit(link, flags, lock_timeout)
        link.messages.write(data, bool(flags & codec.END_FLAG))
        return WORD.pack(len(data))

    def _read(self, record: bytes, start: int) -> bytes:
        identifier, size, io_timeout, lock_timeout, flags, term_char = unpack(
            codec.READ_PARAMETERS, record, start, "device_read"
        )
        check_end(record, start + codec.READ_PARAMETERS.size, "device_read")
        link = self._find(identifier)
        self._instrument.lock.admit(link, flags, lock_timeout)
        reason, data = link.messages.read(link, size, io_timeout, flags, term_char & 0xFF)
        self._brings_response = bool(reason & codec.REASON_END)
        return WORD.pack(reason) + encode_opaque(data)

    def _generic(self, record: bytes, start: int, what: str) -> Link:
        identifier, flags, lock_timeout, _ = unpack(codec.GENERIC_PARAMETERS, record, start, what)
        check_end(record, start + codec.GENERIC_PARAMETERS.size, what)
        link = self._find(identifier)
        self._instrument.lock.admit(link, flags, lock_timeout)
        return link

    def _read_status_byte(self, record: bytes, start: int) -> bytes:
        self._generic(record, start, "device_readstb")
        return WORD.pack(self._device.serial_poll())

    def _trigger(self, record: bytes, start: int) -> bytes:
        self._generic(record, start, "device_trigger")
        self._device.trigger()
        return b""

    def _clear(self, record: bytes, start: int) -> bytes:
        self._generic(record, start, "device_clear").messages.clear()
        return b""

    def _remote_or_local(self, record: bytes, start: int) -> bytes:
        self._generic(record, start, "device_remote or device_local")
        return b""

    def _take_lock(self, record: bytes, start: int) -> bytes:
        identifier, flags, lock_timeout = unpack(codec.LOCK_PARAMETERS, record, start, "device_lock")
        check_end(record, start + codec.LOCK_PARAMETERS.size, "device_lock")
        self._instrument.lock.take(self._find(identifier), flags, lock_timeout)
        return b""

    def _release_lock(self, record: bytes, start: int) -> bytes:
        (identifier,) = unpack(WORD, record, start, "device_unlock")
        self._instrument.lock.release(self._find(identifier))
        return b""

    def _enable_service_requests(self, record: bytes, start: int) -> bytes:
        identifier, enable = unpack(codec.ENABLE_PARAMETERS, record, start, "device_enable_srq")
        position = start + codec.ENABLE_PARAMETERS.size
        handle, end = unpack_opaque(record, position, codec.HANDLE_LIMIT, "device_enable_srq")
        check_end(record, end, "device_enable_srq")
        self._find(identifier).handle = handle if enable else None
        return b""

    def _do_command(self, record: bytes, start: int) -> bytes:
        (identifier,) = unpack(WORD, record, start, "device_docmd")
        self._find(identifier)
        raise Failure(codec.NOT_SUPPORTED)

    def _destroy_link(self, record: bytes, start: int) -> bytes:
        (identifier,) = unpack(WORD, record, start, "destroy_link")
        self._remove(self._find(identifier))
        return b""

    def _create_interrupts(self, record: bytes, start: int) -> bytes:
        host, port, program, version, family = unpack(codec.REMOTE_PARAMETERS, record, start, "create_intr_chan")
        if self._interrupts is not None:
            raise Failure(codec.CHANNEL_EXISTS)
        if family != codec.TCP_FAMILY or (program, version) != (codec.INTR.number, codec.INTR.version):
            raise Failure(codec.NOT_SUPPORTED)
        try:
            self._interrupts = Caller(sockets.inet_ntoa(host.to_bytes(ADDRESS_SIZE, "big")), port)
        except OSError:
            raise Failure(codec.NO_CHANNEL) from None
        return b""

    def _destroy_interrupts(self, record: bytes, start: int) -> bytes:
        check_end(record, start, "destroy_intr_chan")
        if self._interrupts is None:
            raise Failure(codec.NO_CHANNEL)
        self._close_interrupts()
        return b""

    def _close_interrupts(self) -> None:
        if self._interrupts is not None:
            self._interrupts.close()
            self._interrupts = None

    def _request_service(self, _status_byte: int) -> None:
        if self._interrupts is None:
            return
        for link in self._links.values():
            if link.handle is not None:
                gevent.spawn(self._interrupts.call, codec.DEVICE_INTR_SRQ, encode_opaque(link.handle))


#: By the number of the procedure: what serves it, and what stands for its results after an error.
CALLS: dict[int, tuple[Callable[[Vxi11Protocol, bytes, int], bytes], bytes]] = {
    codec.CREATE_LINK.number: (Vxi11Protocol._create_link, bytes(12)),
    codec.DEVICE_WRITE.number: (Vxi11Protocol._write, bytes(4)),
    codec.DEVICE_READ.number: (Vxi11Protocol._read, bytes(8)),
    codec.DEVICE_READSTB.number: (Vxi11Protocol._read_status_byte, bytes(4)),
    codec.DEVICE_TRIGGER.number: (Vxi11Protocol._trigger, b""),
    codec.DEVICE_CLEAR.number: (Vxi11Protocol._clear, b""),
    codec.DEVICE_REMOTE.number: (Vxi11Protocol._remote_or_local, b""),
    codec.DEVICE_LOCAL.number: (Vxi11Protocol._remote_or_local, b""),
    codec.DEVICE_LOCK.number: (Vxi11Protocol._take_lock, b""),
    codec.DEVICE_UNLOCK.number: (Vxi11Protocol._release_lock, b""),
    codec.DEVICE_ENABLE_SRQ.number: (Vxi11Protocol._enable_service_requests, b""),
    codec.DEVICE_DOCMD.number: (Vxi11Protocol._do_command, bytes(4)),
    codec.DESTROY_LINK.number: (Vxi11Protocol._destroy_link, b""),
    codec.CREATE_INTR_CHAN.number: (Vxi11Protocol._create_interrupts, b""),
    codec.DESTROY_INTR_CHAN.number: (Vxi11Protocol._destroy_interrupts, b""),
}

"""One connection while it lasts: both channels, and what was agreed upon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from sockio.deadline import seconds_until
from sockio.errors import ProtocolError
from sockio.runtimes import bind

from ..wire import Wire
from .asynchronous import AsynchronousChannel
from .codec import OVERLAP, SIZE, MessageType, decode_size, type_name
from .synchronous import SynchronousChannel

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

Mode = Literal["synchronized", "overlap"]

#: The version of the protocol that is spoken here: 1.0.
PROTOCOL_VERSION = (1, 0)

#: The longest payload on the asynchronous channel: the explanation of an error, in bytes.
TEXT_LIMIT = 65536


class Address(Protocol):
    """Where the instrument is: a host, a port (usually 4880), and a name in there (usually ``hislip0``)."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def sub_address(self) -> str: ...


class Session:
    """Both channels of one connection, and what was agreed upon.

    Attributes:
        session_id: by which the instrument knows that the channels belong together.
        protocol_version: major and minor.
        server_vendor_id: two letters.
        maximum_message_size: the longest message that the instrument takes, in bytes.
    """

    session_id = 0
    protocol_version = PROTOCOL_VERSION
    server_vendor_id = b""
    maximum_message_size = 0

    def __init__(self, address: Address, runtime: Runtime, limit: int, options: dict[str, Any]) -> None:
        make = bind(Wire, runtime)
        self._wires = [make(address.host, address.port, auto_reconnect=False, **options) for _ in range(2)]
        self._runtime = runtime
        name = str(address)
        for wire in self._wires:
            wire.resource = name
            wire.on_broken = self.give_up  # one channel is as good as none
        first, second = self._wires
        self.asynchronous = AsynchronousChannel(second, runtime, name, self.give_up, TEXT_LIMIT)
        self.synchronous = SynchronousChannel(first, runtime, name, self.give_up, self.asynchronous, limit)

    def connected(self) -> bool:
        return all(wire.connected() for wire in self._wires)

    def usable(self) -> bool:
        """Tell the same to a call, which may run in another event loop than that in which the connection was made."""
        return self.synchronous.wire.at_home() and self.connected()

    def intact(self) -> bool:
        """Tell the same to who has the turn."""
        # Nearly always nothing has come, which is quicker to find out.
        channel = self.synchronous
        if channel.unread == 0 and channel.wire.idle():
            return True
        return self.usable() and not channel.torn()

    async def _open(self, wire: Wire, deadline: float | None) -> None:
        await wire.open(seconds_until(deadline, self._runtime.clock()))

    def give_up(self) -> None:
        """Close both channels without waiting, from any thread."""
        for wire in self._wires:
            wire.end()

    def forget(self) -> None:
        """In a forked child: part with both channels, which are the parent's."""
        for wire in self._wires:
            wire.forget()

    # Initialization (IVI-6.1, 6.1)

    async def initialize(self, sub_address: str, vendor_id: bytes, deadline: float | None) -> bool:
        """Open both channels; return whether the instrument prefers overlap mode."""
        channel = self.synchronous
        await self._open(channel.wire, deadline)
        major, minor = PROTOCOL_VERSION
        parameter = int.from_bytes(bytes([major, minor]) + vendor_id, "big")
        await channel.send(MessageType.INITIALIZE, 0, parameter, sub_address.encode("ascii"), deadline)
        response = await channel.receive(deadline)
        if response.type == MessageType.ERROR:
            raise await channel.read_error(response, deadline)
        if response.type != MessageType.INITIALIZE_RESPONSE:
            raise ProtocolError(f"expected {type_name(MessageType.INITIALIZE_RESPONSE)}, got {response}")
        version, self.session_id = divmod(response.parameter, 0x10000)
        self.protocol_version = min(PROTOCOL_VERSION, divmod(version, 0x100))
        if self.protocol_version < (1, 0):
            raise ProtocolError(f"expected version 1.0 or later of the protocol, got {version >> 8}.{version & 0xFF}")
        await self._open_asynchronous(deadline)
        return bool(response.control & OVERLAP)

    async def _open_asynchronous(self, deadline: float | None) -> None:
        channel = self.asynchronous
        await self._open(channel.wire, deadline)
        response = await channel.transact(MessageType.ASYNC_INITIALIZE, 0, self.session_id, deadline)
        self.server_vendor_id = (response.parameter & 0xFFFF).to_bytes(2, "big")

    async def agree_on_size(self, limit: int, deadline: float | None) -> None:
        """Tell how long a message may be, and ask the instrument what it takes."""
        response = await self.asynchronous.transact(
            MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE, 0, 0, deadline, SIZE.pack(limit)
        )
        self.maximum_message_size = decode_size(response)
        self.synchronous.limit_sending(self.maximum_message_size)

    async def clear(self, mode: Mode | None, deadline: float | None) -> None:
        """Clear the device, and ask for a mode: None is what it prefers (IVI-6.1, 6.12)."""
        try:
            acknowledged = await self.asynchronous.transact(MessageType.ASYNC_DEVICE_CLEAR, 0, 0, deadline)
            features = acknowledged.control & OVERLAP if mode is None else OVERLAP * (mode == "overlap")
            granted = await self.synchronous.finish_clear(features, deadline)
        except BaseException:
            self.give_up()  # half a device clear cannot be told from the next one
            raise
        self.synchronous.overlap = bool(granted & OVERLAP)

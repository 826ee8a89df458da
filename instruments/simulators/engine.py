"""What the simulators share of the engine that runs them, sinstruments: devices, and bytes that come and go."""

from __future__ import annotations

import termios
import tty
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gevent.os import nb_write

if TYPE_CHECKING:

    class BaseDevice:
        name: str
        server: Any
        transports: list[Any]

        def __init__(self, name: str, **options: Any) -> None: ...

else:
    from sinstruments.simulator import BaseDevice

__all__ = ["BaseDevice", "Closed", "Conversation"]

Device = TypeVar("Device", bound=BaseDevice)

#: Bytes that are read at once.
CHUNK = 1 << 16


class Closed(Exception):
    """The connection is to be closed: a fault wants that, or what has come makes no sense."""


class Conversation(Generic[Device]):
    """One connection of a device: bytes that come, and answers, sent wholly.

    Args:
        device: that answers.
        channel: the connection: a file over the socket, or over the terminal; the sender of a datagram.
        transport: of the engine, that the connection is of.
    """

    def __init__(self, device: Device, channel: Any, transport: Any) -> None:
        self._device = device
        self._channel = channel
        self._transport = transport
        self._serial = hasattr(transport, "slave")

    def handle(self) -> None:
        """Answer until the connection ends. A serial line never does: what would close it says nothing."""
        if self._serial:
            # The terminal must not echo answers that come before a user has opened it.
            tty.setraw(self._transport.slave, termios.TCSANOW)
        try:
            while data := self._transport.read1(self._channel, CHUNK):
                self.receive(data)
        except Closed:
            self._channel.close()

    def receive(self, data: bytes) -> None:
        """Take bytes, and answer what they complete."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send bytes, all of them; the engine's own methods give up where the other side does not keep up."""
        view = memoryview(data)
        while view:
            sent = nb_write(self._channel.fileno(), view) if self._serial else self._channel.write(view)
            view = view[sent:]

    def close(self) -> None:
        """End the connection, if it is one. Raises Closed."""
        if not self._serial:
            raise Closed

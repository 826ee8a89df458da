"""A CAN bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, check_timeout
from sockio.resource import Address, CANAddress, parse

from ..base import Standalone
from . import codec
from .connection import CanConnection, shared_connection
from .errors import CanBusError
from .filters import AnyFilter, CanFilter, read_filters
from .gct_messages import GctMessage
from .messages import CanMessage, DataMessage, ErrorMessage, RemoteMessage
from .python_can import to_python_can
from .receiver import MAXSIZE, CanReceiver, GctReceiver, raw_messages

if TYPE_CHECKING:
    from types import TracebackType

    import can
    from typing_extensions import Self

    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime

    from .hub import State

#: Seconds for a call, unless a bus is told otherwise.
TIMEOUT = 2.0

#: The frames that may be of the GCT protocol, by the bits of the type in the identifier.
GCT_FRAMES = tuple(CanFilter(kind << 25, codec.TYPE_MASK, True) for kind in sorted(codec.KNOWN))


class CanBus(Standalone):
    """A CAN bus, by its resource string.

    ::

        async with CanBus("can::socket::can0") as bus:
            with bus.raw() as receiver:
                await bus.send(DataMessage(0x123, data=[1, 2, 3]))
                print(await receiver.next(timeout=1.0))

    All that name the same bus share one connection. From the first use until it is dropped the bus is read on the side;
    when it is lost, it is opened again as soon as the adapter is back.

    Args:
        address: ``can::socket::can0``, ``can::pcan::usb1::125000``, ``can::usrcanet::192.168.1.60:20001``,
            ``can::loopback``, or ``can::interface::channel::bitrate`` for any interface of python-can.
        timeout: seconds for a call. None for no limit.
        on_error: called with a `CanBusError` when the bus is lost, and for each error frame (its ``message``); with a
            `CanBusOffError` for one that says that the controller is off the bus.
        **options: more arguments of python-can's bus, such as ``fd=True``; the same for all who share it.

    Attributes:
        timeout: as above.

    Raises:
        ValueError: the resource string is not understood, or not that of a CAN bus.
    """

    def __init__(
        self,
        address: str | Address,
        timeout: Timeout = DEFAULT,
        *,
        on_error: Callable[[CanBusError], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        parsed = parse(address) if isinstance(address, str) else address
        if not isinstance(parsed, CANAddress):
            raise ValueError(f"{parsed}: no CAN bus, such as can::socket::can0; {parsed.opener or 'a stream'} opens it")
        self._address = parsed
        self._options = options
        self.timeout: float | None = TIMEOUT if timeout is DEFAULT else check_timeout("timeout", timeout)
        self._on_error = on_error
        self._looped_back = parsed.interface == "loopback"
        self._home: object = self
        self._connection: CanConnection | None = None

    @property
    def address(self) -> str:
        """The resource string, in its normal form."""
        return str(self._address)

    @property
    def connected(self) -> bool:
        """Whether the bus is open at this moment."""
        return self._connection is not None and self._connection.connected()

    @property
    def state(self) -> State:
        """What is known of the bus: "disconnected", "active", "passive" or "bus off" (ISO 11898-1)."""
        return "disconnected" if self._connection is None else self._connection.hub.state

    @property
    def error_frames(self) -> int:
        """How many error frames the controller has sent."""
        return 0 if self._connection is None else self._connection.hub.error_frames

    @property
    def connections_lost(self) -> int:
        """How often the bus has been lost."""
        return 0 if self._connection is None else self._connection.hub.connections_lost

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('Blocking').removeprefix('Futures')}({self.address!r})"

    # Opening and closing

    async def connect(self, timeout: Timeout = DEFAULT) -> Self:
        """Open the bus now instead of at the first call that needs it; return it.

        Raises:
            CanBusError: the adapter, or its driver, is not there.
            ConnectionTimeoutError: it could not be opened in time.
            ImportError: python-can is missing (``pip install sockio[can]``).
            ValueError: there is no such interface, or somebody uses the bus with other options.
        """
        runtime, connection = self._here()
        await connection.open(self._deadline(runtime, timeout))
        return self

    async def disconnect(self) -> None:
        """Close the bus, which others may share. Receivers end; the next call opens it again, and they can go on."""
        await self._here()[1].close()

    async def drop(self) -> None:
        """The same as `disconnect`."""
        await self.disconnect()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    # Sending

    async def enable_loopback(self, enable: bool = True) -> None:
        """Have what this object sends received too, by all who share the connection. ``can::loopback`` does so."""
        self._looped_back = enable

    async def send(self, msg: CanMessage | GctMessage, timeout: Timeout = DEFAULT) -> None:
        """Send a message, raw or of the GCT protocol.

        It waits while the driver has no room for it. No other frame comes between those of a DDP message.

        Raises:
            ValueError: there can be no such message; nothing has been sent.
            ConnectionTimeoutError: there was no room in time. Of a DDP message some frames may have been sent.
            CanBusError: the driver has refused it, or the bus is not there.
        """
        runtime, connection = self._here()
        frames = frames_of(msg)
        await connection.send(frames, self._deadline(runtime, timeout))
        if self._looped_back and frames:
            now = time.time()
            for frame in frames:
                frame.timestamp = now
            await connection.hub.deliver(frames)

    # Receiving

    def raw(
        self,
        filters: Iterable[AnyFilter] | None = None,
        maxsize: int = MAXSIZE,
        *,
        errors: bool = False,
    ) -> CanReceiver:
        """Return a receiver of frames as they are: `DataMessage` and `RemoteMessage`.

        Args:
            filters: which identifiers are wanted, as `CanFilter` or in python-can's form; the driver is told if nobody
                else wants more. None for all.
            maxsize: how many messages wait to be taken; 0 for any number.
            errors: give the error frames too, as `ErrorMessage`.
        """
        wanted = read_filters(filters)
        return CanReceiver(self, partial(raw_messages, wanted, errors), wanted, maxsize)

    def gct(self, maxsize: int = MAXSIZE) -> GctReceiver:
        """Return a receiver of the messages of the GCT protocol.

        Args:
            maxsize: how many messages wait to be taken; 0 for any number.
        """
        return GctReceiver(self, GCT_FRAMES, maxsize)

    async def listen_raw(self, timeout: Timeout = DEFAULT) -> None:
        """The same as `connect`: raw messages are received wherever there is a receiver."""
        await self.connect(timeout)

    async def listen_gct(self, timeout: Timeout = DEFAULT) -> None:
        """The same as `connect`: messages of the GCT protocol are received wherever there is a receiver."""
        await self.connect(timeout)

    # The connection

    def _here(self) -> tuple[Runtime, CanConnection]:
        """Return the runtime of the caller, and the connection for it."""
        runtime = self._runtime
        home = runtime.home()
        connection = self._connection
        if connection is None or self._home is not home:
            runtime.check_callback("on_error", self._on_error)
            connection = shared_connection(self._address, self._options, runtime)
            before, self._home, self._connection = self._connection, home, connection
            if self._on_error is not None:
                if before is not None:
                    before.hub.remove_listener(self)
                connection.hub.add_listener(self)
        return runtime, connection

    def _deadline(self, runtime: Runtime, timeout: Timeout) -> float | None:
        limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        return None if limit is None else runtime.clock() + limit


def frames_of(message: CanMessage | GctMessage) -> list[can.Message]:
    """Return the frames of a message, as python-can takes them.

    Raises:
        TypeError, ValueError: there can be no such message.
    """
    if isinstance(message, GctMessage):
        return [to_python_can(DataMessage(frame.canid, True, frame.data)) for frame in codec.encode(message)]
    if isinstance(message, ErrorMessage):
        raise ValueError("a controller sends error frames, and nobody else")
    if not isinstance(message, (DataMessage, RemoteMessage)):
        raise TypeError(f"expected a DataMessage, a RemoteMessage or a message of the GCT protocol, got {message!r}")
    message.check()
    return [to_python_can(message)]

"""`instruments.can` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.can`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ..can import (
    BROADCAST_ADDR,
    CONTROLLER_NODEID,
    DEFAULT_DDP_TIMEOUT,
    GCTCAN_BROADCAST_ADDRESS,
    CanBusError,
    CanBusOffError,
    CanFilter,
    CanMessage,
    Database,
    DataMessage,
    DdpMessage,
    ErrorMessage,
    GctDecoder,
    GctMessage,
    Heartbeat,
    LogWriter,
    MonitoringData,
    MonitoringRequest,
    RemoteMessage,
    Signals,
    SysCtrlMessage,
    SysCtrlType,
    read_log,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from ..can.filters import AnyFilter
    from ..can.gct import MONITORING_TIMEOUT, SYSCTRL_TIMEOUT
    from ..can.gct_messages import Data
    from ..can.hub import State
    from ..can.message_queue import MessageQueue
    from ..can.receiver import MAXSIZE

    class CanBus:
        """A CAN bus, by its resource string.

        ::

            with CanBus("can::socket::can0") as bus:
                with bus.raw() as receiver:
                    bus.send(DataMessage(0x123, data=[1, 2, 3]))
                    print(receiver.next(timeout=1.0))

        All that name the same bus share one connection. From the first use until it is dropped the bus is read on the
        side; when it is lost, it is opened again as soon as the adapter is back.

        Args:
            address: ``can::socket::can0``, ``can::pcan::usb1::125000``, ``can::usrcanet::192.168.1.60:20001``,
                ``can::loopback``, or ``can::interface::channel::bitrate`` for any interface of python-can.
            timeout: seconds for a call. None for no limit.
            on_error: called with a `CanBusError` when the bus is lost, and for each error frame (its ``message``); with
                a `CanBusOffError` for one that says that the controller is off the bus.
            **options: more arguments of python-can's bus, such as ``fd=True``; the same for all who share it.

        Attributes:
            timeout: as above.

        Raises:
            ValueError: the resource string is not understood, or not that of a CAN bus.
        """

        timeout: float | None

        @overload
        def __new__(
            cls,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            on_error: Callable[[CanBusError], Any] | None = None,
            resolve_futures: Literal[True] = True,
            **options: Any,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            on_error: Callable[[CanBusError], Any] | None = None,
            resolve_futures: Literal[False],
            **options: Any,
        ) -> FuturesCanBus: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def address(self) -> str:
            """The resource string, in its normal form."""
            ...

        @property
        def connected(self) -> bool:
            """Whether the bus is open at this moment."""
            ...

        @property
        def state(self) -> State:
            """What is known of the bus: "disconnected", "active", "passive" or "bus off" (ISO 11898-1)."""
            ...

        @property
        def error_frames(self) -> int:
            """How many error frames the controller has sent."""
            ...

        @property
        def connections_lost(self) -> int:
            """How often the bus has been lost."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Self:
            """Open the bus now instead of at the first call that needs it; return it.

            Raises:
                CanBusError: the adapter, or its driver, is not there.
                ConnectionTimeoutError: it could not be opened in time.
                ImportError: python-can is missing (``pip install sockio[can]``).
                ValueError: there is no such interface, or somebody uses the bus with other options.
            """
            ...

        def disconnect(self) -> None:
            """Close the bus, which others may share. Receivers end; the next call opens it again, and they can go
            on."""
            ...

        def drop(self) -> None:
            """The same as `disconnect`."""
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

        def enable_loopback(self, enable: bool = True) -> None:
            """Have what this object sends received too, by all who share the connection. ``can::loopback`` does so."""
            ...

        def send(self, msg: CanMessage | GctMessage, timeout: Timeout = DEFAULT) -> None:
            """Send a message, raw or of the GCT protocol.

            It waits while the driver has no room for it. No other frame comes between those of a DDP message.

            Raises:
                ValueError: there can be no such message; nothing has been sent.
                ConnectionTimeoutError: there was no room in time. Of a DDP message some frames may have been sent.
                CanBusError: the driver has refused it, or the bus is not there.
            """
            ...

        def raw(
            self, filters: Iterable[AnyFilter] | None = None, maxsize: int = MAXSIZE, *, errors: bool = False
        ) -> CanReceiver:
            """Return a receiver of frames as they are: `DataMessage` and `RemoteMessage`.

            Args:
                filters: which identifiers are wanted, as `CanFilter` or in python-can's form; the driver is told if
                    nobody else wants more. None for all.
                maxsize: how many messages wait to be taken; 0 for any number.
                errors: give the error frames too, as `ErrorMessage`.
            """
            ...

        def gct(self, maxsize: int = MAXSIZE) -> GctReceiver:
            """Return a receiver of the messages of the GCT protocol.

            Args:
                maxsize: how many messages wait to be taken; 0 for any number.
            """
            ...

        def listen_raw(self, timeout: Timeout = DEFAULT) -> None:
            """The same as `connect`: raw messages are received wherever there is a receiver."""
            ...

        def listen_gct(self, timeout: Timeout = DEFAULT) -> None:
            """The same as `connect`: messages of the GCT protocol are received wherever there is a receiver."""
            ...

    class GctCanBus:
        """Commands to the nodes of a bus, and their answers (GCT protocol).

        Answers name no request. Requests that could take each other's answers wait for one another; after one that
        failed the next such one waits until no late answer can come: until the time of the failed one would be up, and
        0.1 s at least, which are not counted in its timeout. That is so also after a DDP request to all nodes.

        Args:
            bus: a `CanBus`, or the resource string of one.
            ddp_version: the version in which DDP messages are sent, 1 or 2. Both are understood.

        Attributes:
            ddp_version: as above.
        """

        ddp_version: int

        @overload
        def __new__(
            cls, bus: CanBus | str | Address, ddp_version: int = 2, *, resolve_futures: Literal[True] = True
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls, bus: FuturesCanBus | str | Address, ddp_version: int = 2, *, resolve_futures: Literal[False]
        ) -> FuturesGctCanBus: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def can_bus(self) -> CanBus:
            """The bus."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Self:
            """Open the bus now instead of at the first request; return this object."""
            ...

        def disconnect(self) -> None:
            """Close the bus, which others may share."""
            ...

        def sysctrl_request(
            self, src: int, cmd: int, data: Data | None = None, dst: int = ..., timeout: float | None = SYSCTRL_TIMEOUT
        ) -> bytes:
            """Ask for the value of a command, and return it.

            Args:
                src: the node that asks.
                cmd: the command, 0 to 511.
                data: what is written with the request, up to 8 bytes.
                dst: the node that is asked; 0x7F for all, of which the first to answer counts.
                timeout: seconds.

            Raises:
                ConnectionTimeoutError: there was no answer in time.
                ValueError: there can be no such request.
            """
            ...

        def sysctrl_write(self, src: int, cmd: int, data: Data = b"", dst: int = ...) -> None:
            """Send a command that nobody answers."""
            ...

        def sysctrl_announce(self, src: int, cmd: int, data: Data = b"", dst: int = ...) -> None:
            """Send the value of a command: an answer, or an announcement."""
            ...

        def fetch_readings(
            self,
            src: int,
            group_idx: int,
            idx: int | Iterable[int],
            dst: int = ...,
            timeout: float | None = MONITORING_TIMEOUT,
        ) -> list[MonitoringData]:
            """Ask for readings, and return them in the order of their indexes.

            Args:
                src: the node that asks.
                group_idx: the group that the readings are of, 0 to 31.
                idx: the index of a reading, or several, 0 to 63.
                dst: the node that is asked; 0x7F for all, of which the first to send a reading counts.
                timeout: seconds for all of them.

            Raises:
                ConnectionTimeoutError: some did not come in time; the error names them.
                ValueError: there can be no such request.
            """
            ...

        def read_single(
            self, src: int, group_idx: int, idx: int, dst: int = ..., timeout: float | None = MONITORING_TIMEOUT
        ) -> MonitoringData:
            """Ask for one reading, and return it; see `fetch_readings`."""
            ...

        def read_single_and_decode(
            self,
            src: int,
            group_idx: int,
            idx: int,
            format: str,
            dst: int = ...,
            timeout: float | None = MONITORING_TIMEOUT,
        ) -> tuple[Any, ...]:
            """Ask for one reading, and return the values in it; see `fetch_readings`.

            Args:
                format: of the values, as `struct` has it: ``"<f"``, ``"<HH"``, ...

            Raises:
                ValueError: the reading has another size.
            """
            ...

        def monitoring_data(self, src: int, group_idx: int, reading_idx: int, data: Data) -> None:
            """Send a reading of one's own to everybody."""
            ...

        def heartbeat(self, src: int, product_id: int) -> None:
            """Send a sign of life to everybody."""
            ...

        def ddp(self, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...) -> bytes | None:
            """Send a DDP message; return the next one that comes back, if one is wanted.

            Args:
                src_addr: the node that sends.
                dst_addr: the node that it is for.
                data: the message. If bit 7 of its first byte is set, a response is wanted.
                timeout: seconds.

            Returns:
                The response with its first byte; None at once if none is wanted.

            Raises:
                ConnectionTimeoutError: there was no response in time.
                ValueError: the message is empty or too long.
            """
            ...

        def ddp_request(self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...) -> bytes:
            """Send a command with data; return the response to it, with its first byte.

            Messages that come back with another command, whatever their bit 7, are none.

            Args:
                cmd: the command; bit 7 is set.
                src_addr, dst_addr, timeout: as for `ddp`.
                data: what comes after the command.
            """
            ...

        def ddp_write(self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...) -> None:
            """Send a command with data that nobody answers; the arguments are those of `ddp_request`."""
            ...

    class CanReceiver:
        """Messages from a bus, from the moment at which the receiver is entered or first asked.

        `CanBus.raw` and `CanBus.gct` make them::

            with bus.raw() as receiver:
                print(receiver.next(timeout=1.0))
                for message in receiver:
                    print(message)

        Each receiver has a queue of its own, into which messages go whether anybody takes them in time or not. When the
        bus is lost it is opened again, as often as need be, and the receiver goes on.

        Args:
            bus: where to receive from.
            source: makes what makes messages of those of python-can; it is called once, when receiving begins.
            filters: which frames are wanted; none for all.
            maxsize: how many messages wait to be taken; those that come while there is no room are lost, and counted. 0
                for any number.
        """

        @overload
        def __new__(
            cls,
            bus: CanBus,
            source: Callable[[], Callable[[Any], Any]],
            filters: Iterable[AnyFilter] | None = None,
            maxsize: int = MAXSIZE,
            *,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            bus: FuturesCanBus,
            source: Callable[[], Callable[[Any], Any]],
            filters: Iterable[AnyFilter] | None = None,
            maxsize: int = MAXSIZE,
            *,
            resolve_futures: Literal[False],
        ) -> FuturesCanReceiver: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def queue(self) -> MessageQueue:
            """The messages that wait."""
            ...

        @property
        def lost(self) -> int:
            """How many messages this receiver has lost: those that came while its queue was full, and
            `lost_by_driver`."""
            ...

        @property
        def lost_by_driver(self) -> int:
            """How many frames of the bus, of any kind, the system had no room for since receiving began.

            Linux counts them for SocketCAN; other drivers do not tell.
            """
            ...

        def map(self, function: Callable[[Any], Any], maxsize: int | None = None) -> CanReceiver:
            """Return another receiver, of what *function* makes of each message; None leaves it out.

            It is independent of this one, which need not be entered. *function* is called when the message comes; what
            it raises is raised by `next`, in place of the message.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

        def connect(self, timeout: Timeout = DEFAULT) -> Self:
            """Receive from now on; open the bus if that has not been done. Return the receiver.

            Raises:
                CanBusError: the bus cannot be opened.
                ConnectionTimeoutError: it could not be opened in time.
            """
            ...

        def disconnect(self) -> None:
            """Receive no more. The messages that have come can still be taken."""
            ...

        def next(self, timeout: Timeout = DEFAULT) -> Any:
            """Return the next message, waiting for it if need be.

            Args:
                timeout: seconds, also for opening the bus if that has not been done; None for no limit. Without it that
                    of the bus holds.

            Raises:
                ConnectionTimeoutError: there was none in time. The error says so if the bus is lost.
                ConnectionEOFError: there is none, and the receiver or the bus has been closed.
                CanBusError: the bus cannot be opened.
                Exception: what a function given to `map` raised.
            """
            ...

        def get_all(self) -> list[Any]:
            """Return all messages that wait, without waiting for more."""
            ...

        def clear_all(self) -> None:
            """Forget the messages that wait."""
            ...

        def __iter__(self) -> Iterator[Any]:
            """Go through the messages until the receiver is closed and none is left, where calls block or give
            futures."""
            ...

    class GctReceiver(CanReceiver):
        """Messages of the GCT protocol from a bus.

        Attributes:
            dropped: frames of the protocol that have come to nothing: malformed ones, and parts of DDP messages that
                were not completed or whose CRC was wrong.
        """

        @overload
        def __new__(
            cls,
            bus: CanBus,
            filters: Iterable[AnyFilter] | None = None,
            maxsize: int = MAXSIZE,
            *,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            bus: FuturesCanBus,
            filters: Iterable[AnyFilter] | None = None,
            maxsize: int = MAXSIZE,
            *,
            resolve_futures: Literal[False],
        ) -> FuturesGctReceiver: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def dropped(self) -> int: ...

    class FuturesCanBus:
        """A `CanBus` whose calls give futures."""

        timeout: float | None

        def __init__(
            self,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            on_error: Callable[[CanBusError], Any] | None = None,
            **options: Any,
        ) -> None: ...

        @property
        def address(self) -> str:
            """The resource string, in its normal form."""
            ...

        @property
        def connected(self) -> bool:
            """Whether the bus is open at this moment."""
            ...

        @property
        def state(self) -> State:
            """What is known of the bus: "disconnected", "active", "passive" or "bus off" (ISO 11898-1)."""
            ...

        @property
        def error_frames(self) -> int:
            """How many error frames the controller has sent."""
            ...

        @property
        def connections_lost(self) -> int:
            """How often the bus has been lost."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Future[Self]:
            """Open the bus now instead of at the first call that needs it; return it.

            Raises:
                CanBusError: the adapter, or its driver, is not there.
                ConnectionTimeoutError: it could not be opened in time.
                ImportError: python-can is missing (``pip install sockio[can]``).
                ValueError: there is no such interface, or somebody uses the bus with other options.
            """
            ...

        def disconnect(self) -> Future[None]:
            """Close the bus, which others may share. Receivers end; the next call opens it again, and they can go
            on."""
            ...

        def drop(self) -> Future[None]:
            """The same as `disconnect`."""
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

        def enable_loopback(self, enable: bool = True) -> Future[None]:
            """Have what this object sends received too, by all who share the connection. ``can::loopback`` does so."""
            ...

        def send(self, msg: CanMessage | GctMessage, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send a message, raw or of the GCT protocol.

            It waits while the driver has no room for it. No other frame comes between those of a DDP message.

            Raises:
                ValueError: there can be no such message; nothing has been sent.
                ConnectionTimeoutError: there was no room in time. Of a DDP message some frames may have been sent.
                CanBusError: the driver has refused it, or the bus is not there.
            """
            ...

        def raw(
            self, filters: Iterable[AnyFilter] | None = None, maxsize: int = MAXSIZE, *, errors: bool = False
        ) -> FuturesCanReceiver:
            """Return a receiver of frames as they are: `DataMessage` and `RemoteMessage`.

            Args:
                filters: which identifiers are wanted, as `CanFilter` or in python-can's form; the driver is told if
                    nobody else wants more. None for all.
                maxsize: how many messages wait to be taken; 0 for any number.
                errors: give the error frames too, as `ErrorMessage`.
            """
            ...

        def gct(self, maxsize: int = MAXSIZE) -> FuturesGctReceiver:
            """Return a receiver of the messages of the GCT protocol.

            Args:
                maxsize: how many messages wait to be taken; 0 for any number.
            """
            ...

        def listen_raw(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """The same as `connect`: raw messages are received wherever there is a receiver."""
            ...

        def listen_gct(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """The same as `connect`: messages of the GCT protocol are received wherever there is a receiver."""
            ...

    class FuturesGctCanBus:
        """A `GctCanBus` whose calls give futures."""

        ddp_version: int

        def __init__(self, bus: FuturesCanBus | str | Address, ddp_version: int = 2) -> None: ...

        @property
        def can_bus(self) -> FuturesCanBus:
            """The bus."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Future[Self]:
            """Open the bus now instead of at the first request; return this object."""
            ...

        def disconnect(self) -> Future[None]:
            """Close the bus, which others may share."""
            ...

        def sysctrl_request(
            self, src: int, cmd: int, data: Data | None = None, dst: int = ..., timeout: float | None = SYSCTRL_TIMEOUT
        ) -> Future[bytes]:
            """Ask for the value of a command, and return it.

            Args:
                src: the node that asks.
                cmd: the command, 0 to 511.
                data: what is written with the request, up to 8 bytes.
                dst: the node that is asked; 0x7F for all, of which the first to answer counts.
                timeout: seconds.

            Raises:
                ConnectionTimeoutError: there was no answer in time.
                ValueError: there can be no such request.
            """
            ...

        def sysctrl_write(self, src: int, cmd: int, data: Data = b"", dst: int = ...) -> Future[None]:
            """Send a command that nobody answers."""
            ...

        def sysctrl_announce(self, src: int, cmd: int, data: Data = b"", dst: int = ...) -> Future[None]:
            """Send the value of a command: an answer, or an announcement."""
            ...

        def fetch_readings(
            self,
            src: int,
            group_idx: int,
            idx: int | Iterable[int],
            dst: int = ...,
            timeout: float | None = MONITORING_TIMEOUT,
        ) -> Future[list[MonitoringData]]:
            """Ask for readings, and return them in the order of their indexes.

            Args:
                src: the node that asks.
                group_idx: the group that the readings are of, 0 to 31.
                idx: the index of a reading, or several, 0 to 63.
                dst: the node that is asked; 0x7F for all, of which the first to send a reading counts.
                timeout: seconds for all of them.

            Raises:
                ConnectionTimeoutError: some did not come in time; the error names them.
                ValueError: there can be no such request.
            """
            ...

        def read_single(
            self, src: int, group_idx: int, idx: int, dst: int = ..., timeout: float | None = MONITORING_TIMEOUT
        ) -> Future[MonitoringData]:
            """Ask for one reading, and return it; see `fetch_readings`."""
            ...

        def read_single_and_decode(
            self,
            src: int,
            group_idx: int,
            idx: int,
            format: str,
            dst: int = ...,
            timeout: float | None = MONITORING_TIMEOUT,
        ) -> Future[tuple[Any, ...]]:
            """Ask for one reading, and return the values in it; see `fetch_readings`.

            Args:
                format: of the values, as `struct` has it: ``"<f"``, ``"<HH"``, ...

            Raises:
                ValueError: the reading has another size.
            """
            ...

        def monitoring_data(self, src: int, group_idx: int, reading_idx: int, data: Data) -> Future[None]:
            """Send a reading of one's own to everybody."""
            ...

        def heartbeat(self, src: int, product_id: int) -> Future[None]:
            """Send a sign of life to everybody."""
            ...

        def ddp(self, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...) -> Future[bytes | None]:
            """Send a DDP message; return the next one that comes back, if one is wanted.

            Args:
                src_addr: the node that sends.
                dst_addr: the node that it is for.
                data: the message. If bit 7 of its first byte is set, a response is wanted.
                timeout: seconds.

            Returns:
                The response with its first byte; None at once if none is wanted.

            Raises:
                ConnectionTimeoutError: there was no response in time.
                ValueError: the message is empty or too long.
            """
            ...

        def ddp_request(
            self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...
        ) -> Future[bytes]:
            """Send a command with data; return the response to it, with its first byte.

            Messages that come back with another command, whatever their bit 7, are none.

            Args:
                cmd: the command; bit 7 is set.
                src_addr, dst_addr, timeout: as for `ddp`.
                data: what comes after the command.
            """
            ...

        def ddp_write(
            self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = ...
        ) -> Future[None]:
            """Send a command with data that nobody answers; the arguments are those of `ddp_request`."""
            ...

    class FuturesCanReceiver:
        """A `CanReceiver` whose calls give futures."""

        def __init__(
            self,
            bus: FuturesCanBus,
            source: Callable[[], Callable[[Any], Any]],
            filters: Iterable[AnyFilter] | None = None,
            maxsize: int = MAXSIZE,
        ) -> None: ...

        @property
        def queue(self) -> MessageQueue:
            """The messages that wait."""
            ...

        @property
        def lost(self) -> int:
            """How many messages this receiver has lost: those that came while its queue was full, and
            `lost_by_driver`."""
            ...

        @property
        def lost_by_driver(self) -> int:
            """How many frames of the bus, of any kind, the system had no room for since receiving began.

            Linux counts them for SocketCAN; other drivers do not tell.
            """
            ...

        def map(self, function: Callable[[Any], Any], maxsize: int | None = None) -> FuturesCanReceiver:
            """Return another receiver, of what *function* makes of each message; None leaves it out.

            It is independent of this one, which need not be entered. *function* is called when the message comes; what
            it raises is raised by `next`, in place of the message.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

        def connect(self, timeout: Timeout = DEFAULT) -> Future[Self]:
            """Receive from now on; open the bus if that has not been done. Return the receiver.

            Raises:
                CanBusError: the bus cannot be opened.
                ConnectionTimeoutError: it could not be opened in time.
            """
            ...

        def disconnect(self) -> Future[None]:
            """Receive no more. The messages that have come can still be taken."""
            ...

        def next(self, timeout: Timeout = DEFAULT) -> Future[Any]:
            """Return the next message, waiting for it if need be.

            Args:
                timeout: seconds, also for opening the bus if that has not been done; None for no limit. Without it that
                    of the bus holds.

            Raises:
                ConnectionTimeoutError: there was none in time. The error says so if the bus is lost.
                ConnectionEOFError: there is none, and the receiver or the bus has been closed.
                CanBusError: the bus cannot be opened.
                Exception: what a function given to `map` raised.
            """
            ...

        def get_all(self) -> list[Any]:
            """Return all messages that wait, without waiting for more."""
            ...

        def clear_all(self) -> None:
            """Forget the messages that wait."""
            ...

        def __iter__(self) -> Iterator[Any]:
            """Go through the messages until the receiver is closed and none is left, where calls block or give
            futures."""
            ...

    class FuturesGctReceiver(FuturesCanReceiver):
        """A `GctReceiver` whose calls give futures."""

        def __init__(
            self, bus: FuturesCanBus, filters: Iterable[AnyFilter] | None = None, maxsize: int = MAXSIZE
        ) -> None: ...

        @property
        def dropped(self) -> int: ...

else:
    from .. import can
    from ..base import blocking, futures

    CanBus = blocking(can.CanBus)
    GctCanBus = blocking(can.GctCanBus)
    CanReceiver = blocking(can.CanReceiver)
    GctReceiver = blocking(can.GctReceiver)
    FuturesCanBus = futures(can.CanBus)
    FuturesGctCanBus = futures(can.GctCanBus)
    FuturesCanReceiver = futures(can.CanReceiver)
    FuturesGctReceiver = futures(can.GctReceiver)

__all__ = [
    "BROADCAST_ADDR",
    "CONTROLLER_NODEID",
    "DEFAULT_DDP_TIMEOUT",
    "GCTCAN_BROADCAST_ADDRESS",
    "CanBus",
    "CanBusError",
    "CanBusOffError",
    "CanFilter",
    "CanMessage",
    "CanReceiver",
    "DataMessage",
    "Database",
    "DdpMessage",
    "ErrorMessage",
    "FuturesCanBus",
    "FuturesCanReceiver",
    "FuturesGctCanBus",
    "FuturesGctReceiver",
    "GctCanBus",
    "GctDecoder",
    "GctMessage",
    "GctReceiver",
    "Heartbeat",
    "LogWriter",
    "MonitoringData",
    "MonitoringRequest",
    "RemoteMessage",
    "Signals",
    "SysCtrlMessage",
    "SysCtrlType",
    "read_log",
]

"""Where python-can is met: its buses, its messages and its errors, and ours."""

from __future__ import annotations

import os
import re
import socket
import struct
from errno import EAGAIN, ENOBUFS, ENODEV
from typing import TYPE_CHECKING, Any

from sockio.resource import CANAddress

from ..devices import optional
from .errors import CanBusError
from .messages import CanMessage, DataMessage, ErrorMessage, RemoteMessage

if TYPE_CHECKING:
    import can

    from sockio.runtimes.descriptor import Descriptor

#: Interfaces that can be waited for by their descriptor: they have received nothing that is not there, and neither
#: receiving nor sending ever waits. With serial adapters both do.
BY_DESCRIPTOR = frozenset({"socketcan", "udp_multicast", "usrcanet"})

#: Interfaces that send without waiting.
SENDS_AT_ONCE = BY_DESCRIPTOR | {"loopback", "virtual"}

#: The channel of "loopback" among python-can's virtual buses.
LOOPBACK_CHANNEL = "sockio loopback"

#: How many frames are taken at once.
BATCH = 256

#: How much the kernel may hold for us, in bytes; with its default frames are lost at full rate.
RECEIVE_BUFFER = 8 * 2**20

#: socket(7): sets the receive buffer beyond what the administrator allows; root only.
SO_RCVBUFFORCE = 33

#: linux/sock_diag.h: nine numbers of 32 bits, of which the last is how many packets had no room in the receive buffer.
SO_MEMINFO, MEMINFO = 55, struct.Struct("=9I")

#: What interfaces say that have no error number for it.
FULL = re.compile(r"transmit (?:buffer|queue)\b.*\bfull", re.IGNORECASE | re.DOTALL)

ADVICE = "CAN adapters need the python-can package: pip install sockio[can]"


def open_bus(address: CANAddress, options: dict[str, Any]) -> can.BusABC:
    """Return a bus of python-can.

    Raises:
        ImportError: python-can is missing.
        CanBusError: the adapter, or the driver for it, is not there.
        ValueError: there is no such interface, or it does not know an option.
    """
    library = optional("can", ADVICE)
    if address.bitrate is not None:
        options = {"bitrate": address.bitrate, **options}
    try:
        if address.interface == "usrcanet":
            from .usrcanet import UsrCanetBus

            return UsrCanetBus(str(address.channel), **options)
        interface, channel = address.interface, address.channel
        if interface == "loopback":
            interface, channel = "virtual", LOOPBACK_CHANNEL
        if interface == "socketcan" and channel not in [name for _, name in socket.if_nameindex()]:
            raise OSError(ENODEV, os.strerror(ENODEV), channel)  # python-can would leave a socket open
        opened: can.BusABC = library.Bus(interface=interface, channel=channel, ignore_config=True, **options)
        return opened
    except library.CanInterfaceNotImplementedError as error:
        raise CanBusError(f"{address}: the driver cannot be used: {error}") from error
    except NotImplementedError as error:
        known = ", ".join(sorted({*library.VALID_INTERFACES, "usrcanet", "loopback"}))
        raise ValueError(f"{address}: {error}; there are {known}") from None
    except TypeError as error:
        raise ValueError(f"{address}: {error}") from error
    except (library.CanError, OSError) as error:
        raise error_of(f"{address}: cannot be opened", error) from error


def error_of(what: str, error: BaseException) -> CanBusError:
    """Return an error of python-can, or of the system, as ours, with its number."""
    made = CanBusError(f"{what}: {error}")
    made.errno = getattr(error, "error_code", None) or getattr(error, "errno", None)
    return made


def is_full(error: BaseException) -> bool:
    """Tell whether a frame could not be sent because there was no room for it."""
    number = getattr(error, "error_code", None) or getattr(error, "errno", None)
    return number in (EAGAIN, ENOBUFS) or isinstance(error, TimeoutError) or FULL.search(str(error)) is not None


def receive(bus: can.BusABC, seconds: float) -> tuple[list[can.Message], Exception | None]:
    """Wait so many seconds for a frame, and take those that there are.

    Returns:
        The frames, and the error that came after them.
    """
    batch: list[can.Message] = []
    try:
        message = bus.recv(seconds)
        if message is not None:
            batch.append(message)
            take(bus, batch)
    except Exception as error:  # vendors' drivers raise what they like
        return batch, error
    return batch, None


def take(bus: can.BusABC, batch: list[can.Message]) -> None:
    """Append to *batch* the frames that can be had without waiting.

    They come from what interfaces of python-can implement for its own `recv`, which for each frame looks at the clock
    and asks the log, and gives up at the first one that the filters do not pass.
    """
    library = optional("can", ADVICE)
    if type(bus).recv is not library.BusABC.recv:
        while len(batch) < BATCH and (message := bus.recv(0)) is not None:
            batch.append(message)
        return
    receive_now, passes = bus._recv_internal, bus._matches_filters
    while len(batch) < BATCH:
        message, has_passed = receive_now(0)
        if message is None:
            return
        if has_passed or passes(message):
            batch.append(message)


def from_python_can(message: can.Message) -> CanMessage:
    """Return a message of python-can as one of ours."""
    if message.is_error_frame:
        return ErrorMessage(message.arbitration_id & 0x1FFFFFFF, bytes(message.data), message.timestamp)
    if message.is_remote_frame:
        return RemoteMessage(message.arbitration_id, message.is_extended_id, message.dlc, message.timestamp)
    return DataMessage(
        message.arbitration_id,
        message.is_extended_id,
        message.data,
        message.is_fd,
        message.bitrate_switch,
        message.timestamp,
    )


def to_python_can(message: CanMessage) -> can.Message:
    """Return a message of ours as one of python-can."""
    cls = optional("can", ADVICE).Message
    common: dict[str, Any] = {"timestamp": message.timestamp}
    if isinstance(message, ErrorMessage):
        common |= {"arbitration_id": message.classes, "data": message.data, "is_error_frame": True}
        common |= {"is_extended_id": False, "dlc": len(message.data)}
    elif isinstance(message, RemoteMessage):
        common |= {"arbitration_id": message.canid, "is_extended_id": message.extid, "dlc": message.dlc}
        common["is_remote_frame"] = True
    else:
        common |= {"arbitration_id": message.canid, "is_extended_id": message.extid, "data": message.data}
        common |= {"is_fd": message.fd, "bitrate_switch": message.bitrate_switch}
    made: can.Message = cls(**common)
    return made


class KernelQueue:
    """Where the kernel keeps what has come for a bus: a socket of datagrams, of which some may have had no room.

    Args:
        descriptor: of the bus; it is not touched.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor.number))
        for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
                break
            except OSError:
                pass  # not allowed: the default is what there is

    def lost(self) -> int:
        """Return how many frames had no room."""
        try:
            return int(MEMINFO.unpack(self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[-1])
        except OSError:
            return 0  # a kernel before 4.12, or another system

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

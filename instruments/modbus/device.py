"""A Modbus device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.deadline import DEFAULT

from .pipeline import WINDOW, Pipeline
from .typed import TypedValues

if TYPE_CHECKING:
    from sockio.deadline import Timeout
    from sockio.resource import Address
    from sockio.stream import Stream

    from ..byte_stream import BytePipe


class ModBusDevice(TypedValues):
    """A Modbus device: over TCP, over RTU on a serial line, or over RTU on a TCP connection (behind a bridge).

    ::

        device = ModBusDevice("modbus::tcp::192.168.1.20:502::1")
        print(await device.read_holding(0x10, 2), await device.read_float32(0x20, word_order="little"))

    All units behind one gateway or on one line share its connection and its lock; each is a device of its own.

    Addresses count from 0, as they are sent. Limits are checked before anything is sent. An exception that the device
    answers with is raised as a `ModbusError`, which names its code.

    A call that fails leaves the connection untrusted. Over TCP it is made again, and answers are told apart by their
    transaction numbers: late ones are dropped. A line must have been silent for 0.1 s before the next request, and the
    unit that did not answer is not asked again until its *timeout* has passed since it was asked, and 1 s since it was
    given up; that is not counted in the timeout of the next call. If the resource string has a ``quiet`` time
    (``serial:///dev/ttyUSB0?baudrate=19200&quiet=0.5``), the line must have been silent for that long instead. Between
    frames there are at least 3.5 characters of silence.

    Args:
        address: a resource string: ``modbus::tcp::192.168.1.20:502::1``, ``modbus::rtu::/dev/ttyUSB0::19200::8E1::1``,
            ``modbus::rtu::192.168.1.21:4001::1``, in which the unit is 255 if it is not given. Or that of a stream of
            bytes, or a `ByteStreamPipe`, or a stream of `sockio`; what calls give is then what it is for that.
        protocol: "tcp" or "rtu", for an address that does not say so; "rtu" without it.
        station_address: the unit, 0 to 255, for an address that does not say so; 1 without it.
        timeout: seconds for a call: waiting for the lock, connecting, sending and receiving; no answer takes longer.
            None for no limit.
        broadcast: requests are for all units, and nobody answers them: only writes can be done. By default that is so
            for unit 0 over RTU; over TCP, 0 is the device itself, unless a gateway makes a broadcast of it.

    All calls raise:
        ModbusError: the device answers with an exception.
        ConnectionTimeoutError: the time was up.
        ProtocolError: what came is no answer to the request: a wrong CRC, another unit, a wrong length.
        ConnectionEOFError: the peer closed the connection before the answer had come.
        LockExpiredError: the lock that the device held has expired.
        OSError: connecting failed, or the connection broke.
        ValueError: more than goes into one request, or a value that does not fit; nothing has been sent.

    Raises:
        ValueError: the resource string is not understood, not that of a stream, or says something else than the
            arguments.
    """

    def __init__(
        self,
        address: str | Address | BytePipe | Stream,
        protocol: str | None = None,
        station_address: int | None = None,
        timeout: Timeout = DEFAULT,
        *,
        broadcast: bool | None = None,
    ) -> None:
        super().__init__(address, protocol, station_address, timeout, broadcast=broadcast)

    def pipeline(self, window: int = WINDOW, timeout: Timeout = DEFAULT) -> Pipeline:
        """Return a pipeline for requests that do not wait for each other's answers, over Modbus TCP.

        Args:
            window: how many requests are on their way at most; see the manual of the device.
            timeout: seconds in which the next answer has to come; the device's own without it.
        """
        return Pipeline(self, window, timeout)

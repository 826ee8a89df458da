"""`instruments.modbus` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.modbus`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ..modbus import Answer, ModbusError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from sockio.checks import Data
    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address
    from sockio.stream import Stream

    from ..modbus.pipeline import WINDOW
    from ..modbus.typed import Table
    from ..modbus.values import Kind, Order
    from .byte_stream import BytePipe, ByteStreamPipe, FuturesBytePipe, FuturesByteStreamPipe
    from .pipe import BasePipe, FuturesBasePipe

    class Station(BasePipe):
        """What asks a unit, whatever the question.

        Args:
            address: where it is.
            protocol: "tcp" or "rtu".
            station_address: of the unit.
            timeout: seconds for a call.
            broadcast: whether requests to it are for all units, and not answered.
        """

        @overload
        def __new__(
            cls,
            address: str | Address | BytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[False],
        ) -> FuturesStation: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def protocol(self) -> str:
            """How messages are framed: "tcp" or "rtu"."""
            ...

        @property
        def station_address(self) -> int:
            """The unit that is talked to, 0 to 255."""
            ...

        @property
        def instrument(self) -> str:
            """The resource string of the stream that the device is at."""
            ...

        @property
        def bytestream_pipe(self) -> ByteStreamPipe:
            """A pipe for plain bytes over the same connection, under the same lock."""
            ...

    class Tables(Station):
        """Reads and writes tables, as far as possible in one request."""

        @overload
        def __new__(
            cls,
            address: str | Address | BytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[False],
        ) -> FuturesTables: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def read_coil(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> list[bool]:
            """Return the coils from an address on (function 1).

            Args:
                address: of the first, counted from 0.
                count: how many, up to 2000.
                split: read more than that in several requests, between which the values may change.
                timeout: seconds for all of it.
            """
            ...

        def read_discrete(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> list[bool]:
            """Return the discrete inputs from an address on (function 2); see `read_coil`."""
            ...

        def read_holding(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> list[int]:
            """Return the holding registers from an address on (function 3), 0 to 65535 each.

            Args:
                address: of the first, counted from 0.
                count: how many, up to 125.
                split: read more than that in several requests, between which the values may change.
                timeout: seconds for all of it.
            """
            ...

        def read_input(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> list[int]:
            """Return the input registers from an address on (function 4); see `read_holding`."""
            ...

        def write_coil(self, address: int, value: bool, timeout: Timeout = DEFAULT) -> None:
            """Write one coil (function 5)."""
            ...

        def write_register(self, address: int, value: int, timeout: Timeout = DEFAULT) -> None:
            """Write one holding register (function 6)."""
            ...

        def write_coils(
            self, address: int, values: Sequence[bool], *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> None:
            """Write the coils from an address on (function 15).

            Args:
                address: of the first, counted from 0.
                values: of the coils, up to 1968.
                split: write more than that in several requests. If one of them fails, those before it have been obeyed.
                timeout: seconds for all of it.
            """
            ...

        def write_registers(
            self, address: int, values: Sequence[int], *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> None:
            """Write the holding registers from an address on (function 16).

            Args:
                address: of the first, counted from 0.
                values: of the registers, 0 to 65535, up to 123.
                split: write more than that in several requests. If one of them fails, those before it have been obeyed.
                timeout: seconds for all of it.
            """
            ...

        def mask_write_register(
            self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0, timeout: Timeout = DEFAULT
        ) -> None:
            """Change bits of a holding register (function 22).

            The device makes it ``(register & and_mask) | (or_mask & ~and_mask)``: where *and_mask* has a 1, the bit
            stays, and elsewhere it becomes that of *or_mask*.
            """
            ...

        def read_write_registers(
            self, read_address: int, count: int, write_address: int, values: Sequence[int], timeout: Timeout = DEFAULT
        ) -> list[int]:
            """Write up to 121 holding registers, then read up to 125, and return those (function 23)."""
            ...

        def send_custom_command(
            self, code: int, data: Data = b"", reply_length: int | None = None, timeout: Timeout = DEFAULT
        ) -> bytes:
            """Send a request with any function code, and return what follows the code in the answer.

            Args:
                code: 1 to 127; 65 to 72 and 100 to 110 are for what a manufacturer has defined.
                data: what follows it, up to 252 bytes.
                reply_length: how many bytes follow the code in the answer; None if that is not known. Over RTU such an
                    answer ends when nothing more has come for 50 ms.
                timeout: seconds.
            """
            ...

        def ddp(
            self, sub_cmd: int, ddp_cmd: int, data: Data = b"", response: bool = True, timeout: Timeout = DEFAULT
        ) -> bytes:
            """Send a DDP command (function 68), and return the data of its response.

            Args:
                sub_cmd: the sub-command, 0 to 255.
                ddp_cmd: the command, 0 to 127.
                data: of the command, up to 249 bytes.
                response: whether there is one; without it ``b""`` is returned.
                timeout: seconds.
            """
            ...

    class TypedValues(Tables):
        """Reads and writes numbers and texts, which may take several registers.

        Most devices send the most significant register first ("big"), many the least significant one ("little"): their
        manuals call it word order, or give an example. Within a register the standard has the high byte first.
        """

        @overload
        def __new__(
            cls,
            address: str | Address | BytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
            resolve_futures: Literal[False],
        ) -> FuturesTypedValues: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def read_values(
            self,
            address: int,
            kind: Kind,
            count: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            split: bool = False,
            timeout: Timeout = DEFAULT,
        ) -> list[Any]:
            """Return numbers in a row.

            Args:
                address: of the first register, counted from 0.
                kind: "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32" or "float64".
                count: how many numbers.
                table: "holding" or "input" registers.
                byte_order: which byte of a register comes first, "big" (the most significant) or "little".
                word_order: which register of a number comes first.
                split: read what is too long for one request (125 registers) in several, each with whole numbers.
                timeout: seconds for all of it.
            """
            ...

        def write_values(
            self,
            address: int,
            kind: Kind,
            numbers: Sequence[float],
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            split: bool = False,
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write numbers in a row to holding registers; see `read_values`. 123 registers go into one request."""
            ...

        def read_string(
            self,
            address: int,
            size: int,
            encoding: str = "ascii",
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> str:
            """Return a text of up to *size* bytes, two in each register, that ends there or before the first zero.

            Raises:
                ProtocolError: it is not in this encoding.
            """
            ...

        def write_string(
            self,
            address: int,
            text: str,
            size: int | None = None,
            encoding: str = "ascii",
            *,
            byte_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a text to holding registers, two bytes in each, and zeros after it, up to *size* bytes.

            Raises:
                ValueError: it does not fit, or cannot be encoded.
            """
            ...

        def read_int16(
            self, address: int, *, table: Table = "holding", byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> int:
            """Return a number of 16 bits with a sign, in a register."""
            ...

        def write_int16(
            self, address: int, value: int, *, byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> None:
            """Write a number of 16 bits with a sign to a holding register."""
            ...

        def read_uint16(
            self, address: int, *, table: Table = "holding", byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> int:
            """Return a number of 16 bits without a sign, in a register."""
            ...

        def write_uint16(
            self, address: int, value: int, *, byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> None:
            """Write a number of 16 bits without a sign to a holding register."""
            ...

        def read_int32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> int:
            """Return a number of 32 bits with a sign, in two registers."""
            ...

        def write_int32(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of 32 bits with a sign to two holding registers."""
            ...

        def read_uint32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> int:
            """Return a number of 32 bits without a sign, in two registers."""
            ...

        def write_uint32(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of 32 bits without a sign to two holding registers."""
            ...

        def read_int64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> int:
            """Return a number of 64 bits with a sign, in four registers."""
            ...

        def write_int64(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of 64 bits with a sign to four holding registers."""
            ...

        def read_uint64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> int:
            """Return a number of 64 bits without a sign, in four registers."""
            ...

        def write_uint64(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of 64 bits without a sign to four holding registers."""
            ...

        def read_float32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> float:
            """Return a number of single precision (IEEE 754), in two registers."""
            ...

        def write_float32(
            self,
            address: int,
            value: float,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of single precision (IEEE 754) to two holding registers."""
            ...

        def read_float64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> float:
            """Return a number of double precision (IEEE 754), in four registers."""
            ...

        def write_float64(
            self,
            address: int,
            value: float,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Write a number of double precision (IEEE 754) to four holding registers."""
            ...

    class ModBusDevice(TypedValues):
        """A Modbus device: over TCP, over RTU on a serial line, or over RTU on a TCP connection (behind a bridge).

        ::

            device = ModBusDevice("modbus::tcp::192.168.1.20:502::1")
            print(device.read_holding(0x10, 2), device.read_float32(0x20, word_order="little"))

        All units behind one gateway or on one line share its connection and its lock; each is a device of its own.

        Addresses count from 0, as they are sent. Limits are checked before anything is sent. An exception that the
        device answers with is raised as a `ModbusError`, which names its code.

        A call that fails leaves the connection untrusted. Over TCP it is made again, and answers are told apart by
        their transaction numbers: late ones are dropped. A line must have been silent for 0.1 s before the next
        request, and the unit that did not answer is not asked again until its *timeout* has passed since it was asked,
        and 1 s since it was given up; that is not counted in the timeout of the next call. If the resource string has a
        ``quiet`` time (``serial:///dev/ttyUSB0?baudrate=19200&quiet=0.5``), the line must have been silent for that
        long instead. Between frames there are at least 3.5 characters of silence.

        Args:
            address: a resource string: ``modbus::tcp::192.168.1.20:502::1``,
                ``modbus::rtu::/dev/ttyUSB0::19200::8E1::1``, ``modbus::rtu::192.168.1.21:4001::1``, in which the unit
                is 255 if it is not given. Or that of a stream of bytes, or a `ByteStreamPipe`, or a stream of `sockio`;
                what calls give is then what it is for that.
            protocol: "tcp" or "rtu", for an address that does not say so; "rtu" without it.
            station_address: the unit, 0 to 255, for an address that does not say so; 1 without it.
            timeout: seconds for a call: waiting for the lock, connecting, sending and receiving; no answer takes
                longer. None for no limit.
            broadcast: requests are for all units, and nobody answers them: only writes can be done. By default that is
                so for unit 0 over RTU; over TCP, 0 is the device itself, unless a gateway makes a broadcast of it.

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

        @overload
        def __new__(
            cls,
            address: str | Address | BytePipe | Stream,
            protocol: str | None = None,
            station_address: int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            broadcast: bool | None = None,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None = None,
            station_address: int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            broadcast: bool | None = None,
            resolve_futures: Literal[False],
        ) -> FuturesModBusDevice: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def pipeline(self, window: int = WINDOW, timeout: Timeout = DEFAULT) -> Pipeline:
            """Return a pipeline for requests that do not wait for each other's answers, over Modbus TCP.

            Args:
                window: how many requests are on their way at most; see the manual of the device.
                timeout: seconds in which the next answer has to come; the device's own without it.
            """
            ...

    class Pipeline:
        """Requests to one device over Modbus TCP that do not wait for each other's answers.

        ::

            with device.pipeline() as pipeline:
                answers = [pipeline.read_holding(address, 10) for address in range(0, 1000, 10)]
            values = [answer for answer in answers]

        A call queues its request, and returns an `Answer`. Requests are sent when somebody waits for an answer, and at
        the end of the block; several tasks or threads can do that at once, and each gets its own. The device may answer
        in any order.

        If an answer does not come in time, or makes no sense, or the connection is lost, the connection is closed, and
        all requests that have not been answered fail with that error. They are not sent again. Of those that had been
        sent nobody knows whether the device has obeyed.

        Args:
            device: over Modbus TCP.
            window: how many requests are on their way at most, up to 65535; see the manual of the device.
            timeout: seconds in which the next answer has to come; the device's own without it.

        Raises:
            ValueError: the device is not on Modbus TCP, or takes broadcasts; or there is no such window.
        """

        @overload
        def __new__(
            cls,
            device: Station,
            window: int = WINDOW,
            timeout: Timeout = DEFAULT,
            *,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            device: FuturesStation,
            window: int = WINDOW,
            timeout: Timeout = DEFAULT,
            *,
            resolve_futures: Literal[False],
        ) -> FuturesPipeline: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def read_coil(self, address: int, count: int = 1) -> Answer[list[bool]]:
            """Ask for up to 2000 coils."""
            ...

        def read_discrete(self, address: int, count: int = 1) -> Answer[list[bool]]:
            """Ask for up to 2000 discrete inputs."""
            ...

        def read_holding(self, address: int, count: int = 1) -> Answer[list[int]]:
            """Ask for up to 125 holding registers."""
            ...

        def read_input(self, address: int, count: int = 1) -> Answer[list[int]]:
            """Ask for up to 125 input registers."""
            ...

        def read_values(
            self,
            address: int,
            kind: Kind,
            count: int = 1,
            *,
            table: str = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
        ) -> Answer[list[Any]]:
            """Ask for numbers in a row; see `ModBusDevice.read_values`."""
            ...

        def write_coil(self, address: int, value: bool) -> Answer[None]:
            """Write one coil."""
            ...

        def write_register(self, address: int, value: int) -> Answer[None]:
            """Write one holding register."""
            ...

        def write_coils(self, address: int, values: Sequence[bool]) -> Answer[None]:
            """Write up to 1968 coils."""
            ...

        def write_registers(self, address: int, values: Sequence[int]) -> Answer[None]:
            """Write up to 123 holding registers."""
            ...

        def write_values(
            self,
            address: int,
            kind: Kind,
            numbers: Sequence[float],
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
        ) -> Answer[None]:
            """Write numbers in a row to up to 123 holding registers."""
            ...

        def send_custom_command(self, code: int, data: Data = b"", reply_length: int | None = None) -> Answer[bytes]:
            """Send a request with any function code; see `ModBusDevice.send_custom_command`."""
            ...

        def flush(self) -> None:
            """Send what has not been sent, and wait until everything has been answered.

            An exception that the device answers with is not raised here, but where that answer is awaited.

            Raises:
                OSError, ProtocolError: the connection failed.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

    class FuturesStation(FuturesBasePipe):
        """A `Station` whose calls give futures."""

        def __init__(
            self,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
        ) -> None: ...

        @property
        def protocol(self) -> str:
            """How messages are framed: "tcp" or "rtu"."""
            ...

        @property
        def station_address(self) -> int:
            """The unit that is talked to, 0 to 255."""
            ...

        @property
        def instrument(self) -> str:
            """The resource string of the stream that the device is at."""
            ...

        @property
        def bytestream_pipe(self) -> FuturesByteStreamPipe:
            """A pipe for plain bytes over the same connection, under the same lock."""
            ...

    class FuturesTables(FuturesStation):
        """A `Tables` whose calls give futures."""

        def __init__(
            self,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
        ) -> None: ...

        def read_coil(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[list[bool]]:
            """Return the coils from an address on (function 1).

            Args:
                address: of the first, counted from 0.
                count: how many, up to 2000.
                split: read more than that in several requests, between which the values may change.
                timeout: seconds for all of it.
            """
            ...

        def read_discrete(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[list[bool]]:
            """Return the discrete inputs from an address on (function 2); see `read_coil`."""
            ...

        def read_holding(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[list[int]]:
            """Return the holding registers from an address on (function 3), 0 to 65535 each.

            Args:
                address: of the first, counted from 0.
                count: how many, up to 125.
                split: read more than that in several requests, between which the values may change.
                timeout: seconds for all of it.
            """
            ...

        def read_input(
            self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[list[int]]:
            """Return the input registers from an address on (function 4); see `read_holding`."""
            ...

        def write_coil(self, address: int, value: bool, timeout: Timeout = DEFAULT) -> Future[None]:
            """Write one coil (function 5)."""
            ...

        def write_register(self, address: int, value: int, timeout: Timeout = DEFAULT) -> Future[None]:
            """Write one holding register (function 6)."""
            ...

        def write_coils(
            self, address: int, values: Sequence[bool], *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[None]:
            """Write the coils from an address on (function 15).

            Args:
                address: of the first, counted from 0.
                values: of the coils, up to 1968.
                split: write more than that in several requests. If one of them fails, those before it have been obeyed.
                timeout: seconds for all of it.
            """
            ...

        def write_registers(
            self, address: int, values: Sequence[int], *, split: bool = False, timeout: Timeout = DEFAULT
        ) -> Future[None]:
            """Write the holding registers from an address on (function 16).

            Args:
                address: of the first, counted from 0.
                values: of the registers, 0 to 65535, up to 123.
                split: write more than that in several requests. If one of them fails, those before it have been obeyed.
                timeout: seconds for all of it.
            """
            ...

        def mask_write_register(
            self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0, timeout: Timeout = DEFAULT
        ) -> Future[None]:
            """Change bits of a holding register (function 22).

            The device makes it ``(register & and_mask) | (or_mask & ~and_mask)``: where *and_mask* has a 1, the bit
            stays, and elsewhere it becomes that of *or_mask*.
            """
            ...

        def read_write_registers(
            self, read_address: int, count: int, write_address: int, values: Sequence[int], timeout: Timeout = DEFAULT
        ) -> Future[list[int]]:
            """Write up to 121 holding registers, then read up to 125, and return those (function 23)."""
            ...

        def send_custom_command(
            self, code: int, data: Data = b"", reply_length: int | None = None, timeout: Timeout = DEFAULT
        ) -> Future[bytes]:
            """Send a request with any function code, and return what follows the code in the answer.

            Args:
                code: 1 to 127; 65 to 72 and 100 to 110 are for what a manufacturer has defined.
                data: what follows it, up to 252 bytes.
                reply_length: how many bytes follow the code in the answer; None if that is not known. Over RTU such an
                    answer ends when nothing more has come for 50 ms.
                timeout: seconds.
            """
            ...

        def ddp(
            self, sub_cmd: int, ddp_cmd: int, data: Data = b"", response: bool = True, timeout: Timeout = DEFAULT
        ) -> Future[bytes]:
            """Send a DDP command (function 68), and return the data of its response.

            Args:
                sub_cmd: the sub-command, 0 to 255.
                ddp_cmd: the command, 0 to 127.
                data: of the command, up to 249 bytes.
                response: whether there is one; without it ``b""`` is returned.
                timeout: seconds.
            """
            ...

    class FuturesTypedValues(FuturesTables):
        """A `TypedValues` whose calls give futures."""

        def __init__(
            self,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None,
            station_address: int | None,
            timeout: Timeout,
            *,
            broadcast: bool | None,
        ) -> None: ...

        def read_values(
            self,
            address: int,
            kind: Kind,
            count: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            split: bool = False,
            timeout: Timeout = DEFAULT,
        ) -> Future[list[Any]]:
            """Return numbers in a row.

            Args:
                address: of the first register, counted from 0.
                kind: "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32" or "float64".
                count: how many numbers.
                table: "holding" or "input" registers.
                byte_order: which byte of a register comes first, "big" (the most significant) or "little".
                word_order: which register of a number comes first.
                split: read what is too long for one request (125 registers) in several, each with whole numbers.
                timeout: seconds for all of it.
            """
            ...

        def write_values(
            self,
            address: int,
            kind: Kind,
            numbers: Sequence[float],
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            split: bool = False,
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write numbers in a row to holding registers; see `read_values`. 123 registers go into one request."""
            ...

        def read_string(
            self,
            address: int,
            size: int,
            encoding: str = "ascii",
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[str]:
            """Return a text of up to *size* bytes, two in each register, that ends there or before the first zero.

            Raises:
                ProtocolError: it is not in this encoding.
            """
            ...

        def write_string(
            self,
            address: int,
            text: str,
            size: int | None = None,
            encoding: str = "ascii",
            *,
            byte_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a text to holding registers, two bytes in each, and zeros after it, up to *size* bytes.

            Raises:
                ValueError: it does not fit, or cannot be encoded.
            """
            ...

        def read_int16(
            self, address: int, *, table: Table = "holding", byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> Future[int]:
            """Return a number of 16 bits with a sign, in a register."""
            ...

        def write_int16(
            self, address: int, value: int, *, byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> Future[None]:
            """Write a number of 16 bits with a sign to a holding register."""
            ...

        def read_uint16(
            self, address: int, *, table: Table = "holding", byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> Future[int]:
            """Return a number of 16 bits without a sign, in a register."""
            ...

        def write_uint16(
            self, address: int, value: int, *, byte_order: Order = "big", timeout: Timeout = DEFAULT
        ) -> Future[None]:
            """Write a number of 16 bits without a sign to a holding register."""
            ...

        def read_int32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[int]:
            """Return a number of 32 bits with a sign, in two registers."""
            ...

        def write_int32(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of 32 bits with a sign to two holding registers."""
            ...

        def read_uint32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[int]:
            """Return a number of 32 bits without a sign, in two registers."""
            ...

        def write_uint32(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of 32 bits without a sign to two holding registers."""
            ...

        def read_int64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[int]:
            """Return a number of 64 bits with a sign, in four registers."""
            ...

        def write_int64(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of 64 bits with a sign to four holding registers."""
            ...

        def read_uint64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[int]:
            """Return a number of 64 bits without a sign, in four registers."""
            ...

        def write_uint64(
            self,
            address: int,
            value: int,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of 64 bits without a sign to four holding registers."""
            ...

        def read_float32(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[float]:
            """Return a number of single precision (IEEE 754), in two registers."""
            ...

        def write_float32(
            self,
            address: int,
            value: float,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of single precision (IEEE 754) to two holding registers."""
            ...

        def read_float64(
            self,
            address: int,
            *,
            table: Table = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[float]:
            """Return a number of double precision (IEEE 754), in four registers."""
            ...

        def write_float64(
            self,
            address: int,
            value: float,
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Write a number of double precision (IEEE 754) to four holding registers."""
            ...

    class FuturesModBusDevice(FuturesTypedValues):
        """A `ModBusDevice` whose calls give futures."""

        def __init__(
            self,
            address: str | Address | FuturesBytePipe | Stream,
            protocol: str | None = None,
            station_address: int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            broadcast: bool | None = None,
        ) -> None: ...

        def pipeline(self, window: int = WINDOW, timeout: Timeout = DEFAULT) -> FuturesPipeline:
            """Return a pipeline for requests that do not wait for each other's answers, over Modbus TCP.

            Args:
                window: how many requests are on their way at most; see the manual of the device.
                timeout: seconds in which the next answer has to come; the device's own without it.
            """
            ...

    class FuturesPipeline:
        """A `Pipeline` whose calls give futures."""

        def __init__(self, device: FuturesStation, window: int = WINDOW, timeout: Timeout = DEFAULT) -> None: ...

        def read_coil(self, address: int, count: int = 1) -> Answer[list[bool]]:
            """Ask for up to 2000 coils."""
            ...

        def read_discrete(self, address: int, count: int = 1) -> Answer[list[bool]]:
            """Ask for up to 2000 discrete inputs."""
            ...

        def read_holding(self, address: int, count: int = 1) -> Answer[list[int]]:
            """Ask for up to 125 holding registers."""
            ...

        def read_input(self, address: int, count: int = 1) -> Answer[list[int]]:
            """Ask for up to 125 input registers."""
            ...

        def read_values(
            self,
            address: int,
            kind: Kind,
            count: int = 1,
            *,
            table: str = "holding",
            byte_order: Order = "big",
            word_order: Order = "big",
        ) -> Answer[list[Any]]:
            """Ask for numbers in a row; see `ModBusDevice.read_values`."""
            ...

        def write_coil(self, address: int, value: bool) -> Answer[None]:
            """Write one coil."""
            ...

        def write_register(self, address: int, value: int) -> Answer[None]:
            """Write one holding register."""
            ...

        def write_coils(self, address: int, values: Sequence[bool]) -> Answer[None]:
            """Write up to 1968 coils."""
            ...

        def write_registers(self, address: int, values: Sequence[int]) -> Answer[None]:
            """Write up to 123 holding registers."""
            ...

        def write_values(
            self,
            address: int,
            kind: Kind,
            numbers: Sequence[float],
            *,
            byte_order: Order = "big",
            word_order: Order = "big",
        ) -> Answer[None]:
            """Write numbers in a row to up to 123 holding registers."""
            ...

        def send_custom_command(self, code: int, data: Data = b"", reply_length: int | None = None) -> Answer[bytes]:
            """Send a request with any function code; see `ModBusDevice.send_custom_command`."""
            ...

        def flush(self) -> Future[None]:
            """Send what has not been sent, and wait until everything has been answered.

            An exception that the device answers with is not raised here, but where that answer is awaited.

            Raises:
                OSError, ProtocolError: the connection failed.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

else:
    from .. import modbus
    from ..base import blocking, futures

    ModBusDevice = blocking(modbus.ModBusDevice)
    Pipeline = blocking(modbus.Pipeline)
    FuturesModBusDevice = futures(modbus.ModBusDevice)
    FuturesPipeline = futures(modbus.Pipeline)

__all__ = ["Answer", "FuturesModBusDevice", "FuturesPipeline", "ModBusDevice", "ModbusError", "Pipeline"]

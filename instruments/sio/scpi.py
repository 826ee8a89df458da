"""`instruments.scpi` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.scpi`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ..scpi import ErrorEntry, InstrumentError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Self, Unpack

    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from ..scpi.connect import ConnectionOptions
    from .pipe import BasePipe, FuturesBasePipe

    class Instrument:
        """An instrument that speaks SCPI.

        Args:
            pipe: the pipe to it, a `ScpiPipe` or a `SerialScpiPipe`, or a resource string, for which a `ScpiPipe` is
                made.

        Attributes:
            pipe: the pipe.

        Raises:
            ValueError: the resource string is not understood, or not that of an instrument.
        """

        pipe: ScpiPipe

        @overload
        def __new__(cls, pipe: ScpiPipe | str, *, resolve_futures: Literal[True] = True) -> Self: ...
        @overload
        def __new__(cls, pipe: FuturesScpiPipe | str, *, resolve_futures: Literal[False]) -> FuturesInstrument: ...  # type: ignore[misc]
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def query(self, message: str, timeout: Timeout = DEFAULT, *, check: bool = False) -> str:
            """Send a program message and return the response, without its terminator.

            Args:
                message: the message.
                timeout: seconds for all of it.
                check: read the error queue afterwards, as `check_errors` does.
            """
            ...

        def write(self, message: str | bytes, timeout: Timeout = DEFAULT, *, check: bool = False) -> None:
            """Send a program message to which there is no response; see `query`."""
            ...

        def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> bytes:
            """Send a program message and return the data of the block that answers it."""
            ...

        def query_array(
            self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
        ) -> NDArray[Any]:
            """Send a program message and return the numbers that answer it; see `ScpiPipe.query_array`."""
            ...

        def write_array(
            self,
            message: str,
            values: ArrayLike,
            dtype: DTypeLike | None = None,
            order: str = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Send a program message that ends with the values as a block; see `ScpiPipe.write_array`."""
            ...

        def identifier(self, timeout: Timeout = DEFAULT) -> str:
            """Return who the instrument says it is: manufacturer, model, serial number, firmware (``*IDN?``)."""
            ...

        def options(self, timeout: Timeout = DEFAULT) -> list[str]:
            """Return the options that are installed (``*OPT?``), none for the answer ``0``."""
            ...

        def reset(self, timeout: Timeout = DEFAULT) -> None:
            """Set the instrument to a known state (``*RST``)."""
            ...

        def clear_status(self, timeout: Timeout = DEFAULT) -> None:
            """Clear the status registers and the error queue (``*CLS``)."""
            ...

        def self_test(self, timeout: Timeout = DEFAULT) -> int:
            """Run the self-test and return its result, 0 when it has passed (``*TST?``)."""
            ...

        def trigger(self, timeout: Timeout = DEFAULT) -> None:
            """Trigger the instrument."""
            ...

        def wait_to_continue(self, timeout: Timeout = DEFAULT) -> None:
            """Have the instrument finish what it does before it begins with what is sent after this (``*WAI``)."""
            ...

        def wait_for_completion(self, timeout: Timeout = DEFAULT) -> None:
            """Wait until everything that was begun is complete (``*OPC?``).

            Raises:
                ConnectionTimeoutError: it has not been completed in time. The next call resynchronises.
            """
            ...

        def save(self, number: int, timeout: Timeout = DEFAULT) -> None:
            """Save the settings under a number (``*SAV``)."""
            ...

        def recall(self, number: int, timeout: Timeout = DEFAULT) -> None:
            """Recall the settings that were saved under a number (``*RCL``)."""
            ...

        def learn(self, timeout: Timeout = DEFAULT) -> str:
            """Return the messages that bring the instrument into its present state (``*LRN?``)."""
            ...

        def status_byte(self, timeout: Timeout = DEFAULT) -> int:
            """Return the status byte: by a serial poll, or with ``*STB?`` where there is none."""
            ...

        def event_status(self, timeout: Timeout = DEFAULT) -> int:
            """Return the event status register and clear it (``*ESR?``)."""
            ...

        def event_status_enable(self, timeout: Timeout = DEFAULT) -> int:
            """Return which events set the summary bit in the status byte (``*ESE?``)."""
            ...

        def set_event_status_enable(self, mask: int, timeout: Timeout = DEFAULT) -> None:
            """Set which events set the summary bit in the status byte, 0 to 255 (``*ESE``)."""
            ...

        def service_request_enable(self, timeout: Timeout = DEFAULT) -> int:
            """Return which bits of the status byte request service (``*SRE?``)."""
            ...

        def set_service_request_enable(self, mask: int, timeout: Timeout = DEFAULT) -> None:
            """Set which bits of the status byte request service, 0 to 255 (``*SRE``)."""
            ...

        def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> int:
            """Wait until the instrument requests service, and return its status byte.

            Raises:
                NotSupported: raw sockets and serial lines carry no service requests.
            """
            ...

        def errors(self, timeout: Timeout = DEFAULT) -> list[ErrorEntry]:
            """Read the error queue until it is empty (``SYSTem:ERRor?``), and return its entries, oldest first.

            Args:
                timeout: seconds for all of it.
            """
            ...

        def check_errors(self, timeout: Timeout = DEFAULT) -> None:
            """Read the error queue until it is empty.

            Raises:
                InstrumentError: there was something in it.
            """
            ...

        def lock(self, timeout: float | None = None) -> None:
            """Keep everybody else from using the instrument; see `ScpiPipe.lock`."""
            ...

        def unlock(self) -> None:
            """Give the lock back."""
            ...

        @property
        def locked(self) -> bool:
            """Whether the pipe holds the lock at this moment."""
            ...

        def __enter__(self) -> Self: ...

        def __exit__(self, *exception: object) -> None: ...

    class ScpiPipe(BasePipe):
        """Program messages to an instrument, and its responses.

        Args:
            address: a resource string: ``vxi::host``, ``hislip::host``, ``prologix::COM3::10``, ``tcp::host:5025``,
                ``serial::/dev/ttyUSB0::9600::8N1``, a VISA name such as ``TCPIP::host::inst0::INSTR`` or
                ``USB0::0x0957::0x1755::MY48010001::INSTR``, ...
            timeout: seconds for a call.
            encoding: of text.
            visa_library: for resources that go through PyVISA: ``@py`` for pyvisa-py, ``@ivi`` or a path for a
                vendor's.
            **options: of the connection, the same ones for all who share it. VXI-11 has ``term_char`` (a byte that ends
                responses besides the instrument's own mark), ``read_size`` (bytes to ask for at once) and
                ``interrupt_host`` (the address of this machine that the instrument reaches for service requests);
                HiSLIP has ``mode`` (``"synchronized"`` or ``"overlap"``) and ``maximum_message_size``; both have
                ``limit``, the longest response in bytes that is not a block.

        Raises:
            ValueError: the resource string is not understood, or not that of an instrument.
            TypeError: an option that its connection does not have.
        """

        encoding: str

        @overload
        def __new__(
            cls,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
            visa_library: str = "@py",
            resolve_futures: Literal[True] = True,
            **options: Unpack[ConnectionOptions],
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
            visa_library: str = "@py",
            resolve_futures: Literal[False],
            **options: Unpack[ConnectionOptions],
        ) -> FuturesScpiPipe: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def query(self, message: str, timeout: Timeout = DEFAULT) -> str:
            """Send a program message and return the response, without its terminator.

            Args:
                message: the message; a line feed is appended.
                timeout: seconds, instead of the pipe's.

            Raises:
                ConnectionTimeoutError: there was no response in time.
                ProtocolError: the response is not text in the pipe's encoding.
            """
            ...

        def query_int(self, message: str, timeout: Timeout = DEFAULT) -> int:
            """Send a program message and return the whole number that answers it.

            Raises:
                ProtocolError: the response is none.
            """
            ...

        def write(self, message: str | bytes, timeout: Timeout = DEFAULT) -> None:
            """Send a program message to which there is no response.

            Args:
                message: the message; a line feed is appended if it is missing. Bytes may contain blocks
                    (`encode_block`).
                timeout: seconds, instead of the pipe's.
            """
            ...

        def read_raw(self, timeout: Timeout = DEFAULT) -> bytes:
            """Return the response to what was written before, as it came, with its terminator."""
            ...

        def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> bytes:
            """Send a program message and return the data of the block that answers it (IEEE 488.2, 8.7.9).

            Raises:
                ProtocolError: the response is no block, it was cut short, or something follows it.
            """
            ...

        def query_array(
            self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
        ) -> NDArray[Any]:
            """Send a program message and return the numbers that answer it.

            The data of a block is received into the memory of the array. A list of numbers in ASCII, separated by
            commas, is converted.

            Args:
                message: the message.
                dtype: the type of the numbers, as the instrument sends them: ``"i2"``, ``"f8"``, `numpy.uint8`, ...
                order: their byte order, ``"big"`` (which SCPI calls NORMal) or ``"little"`` (SWAPped).
                timeout: seconds, instead of the pipe's.

            Returns:
                A one-dimensional array; its type is *dtype* in that byte order.

            Raises:
                ProtocolError: the response is neither, or its size is not a multiple of a number's.
            """
            ...

        def write_array(
            self,
            message: str,
            values: ArrayLike,
            dtype: DTypeLike | None = None,
            order: str = "big",
            timeout: Timeout = DEFAULT,
        ) -> None:
            """Send a program message that ends with the values as a block.

            Args:
                message: what comes before the block, for example ``"DATA:ARB wave,"``.
                values: the numbers.
                dtype: the type to send them in; as they are without it.
                order: the byte order to send them in, ``"big"`` or ``"little"``.
                timeout: seconds, instead of the pipe's.
            """
            ...

        def clear(self, timeout: Timeout = DEFAULT) -> None:
            """Clear the device: it forgets input, output and what it was doing (IEEE 488.2, 5.8)."""
            ...

        def read_status_byte(self, timeout: Timeout = DEFAULT) -> int:
            """Return the status byte by a serial poll; with ``*STB?`` where there is none (IEEE 488.2, 11.2.1).

            HiSLIP and USBTMC have a way of its own for it: there it neither waits for a call that is running nor for
            somebody else's lock.
            """
            ...

        def trigger(self, timeout: Timeout = DEFAULT) -> None:
            """Trigger the device; with ``*TRG`` where there is no other way."""
            ...

        def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> int:
            """Wait until the instrument requests service, and return its status byte.

            At once if it has done so since the last time. Other calls go on meanwhile.

            Raises:
                NotSupported: raw sockets and serial lines carry no service requests.
            """
            ...

    class SerialScpiPipe(ScpiPipe):
        """The same over a stream of bytes, with any terminator.

        Args:
            address: a resource string of a serial port or a socket, or a `ByteStreamPipe`, which is left as it is.
            term: what ends messages and responses: one character or more, or its code.
            timeout: seconds for a call; without it that of the resource string, or else 1 s.
            encoding: of text.

        Raises:
            ValueError: the resource string is not understood, or not that of a stream.
        """

        @overload
        def __new__(
            cls,
            address: str | Address | BasePipe,
            term: str | bytes | int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address | FuturesBasePipe,
            term: str | bytes | int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
            resolve_futures: Literal[False],
        ) -> FuturesSerialScpiPipe: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def term(self) -> str:
            """What ends messages and responses."""
            ...

    class FuturesInstrument:
        """A `Instrument` whose calls give futures."""

        pipe: FuturesScpiPipe

        def __init__(self, pipe: FuturesScpiPipe | str) -> None: ...

        def query(self, message: str, timeout: Timeout = DEFAULT, *, check: bool = False) -> Future[str]:
            """Send a program message and return the response, without its terminator.

            Args:
                message: the message.
                timeout: seconds for all of it.
                check: read the error queue afterwards, as `check_errors` does.
            """
            ...

        def write(self, message: str | bytes, timeout: Timeout = DEFAULT, *, check: bool = False) -> Future[None]:
            """Send a program message to which there is no response; see `query`."""
            ...

        def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Send a program message and return the data of the block that answers it."""
            ...

        def query_array(
            self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
        ) -> Future[NDArray[Any]]:
            """Send a program message and return the numbers that answer it; see `ScpiPipe.query_array`."""
            ...

        def write_array(
            self,
            message: str,
            values: ArrayLike,
            dtype: DTypeLike | None = None,
            order: str = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Send a program message that ends with the values as a block; see `ScpiPipe.write_array`."""
            ...

        def identifier(self, timeout: Timeout = DEFAULT) -> Future[str]:
            """Return who the instrument says it is: manufacturer, model, serial number, firmware (``*IDN?``)."""
            ...

        def options(self, timeout: Timeout = DEFAULT) -> Future[list[str]]:
            """Return the options that are installed (``*OPT?``), none for the answer ``0``."""
            ...

        def reset(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Set the instrument to a known state (``*RST``)."""
            ...

        def clear_status(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Clear the status registers and the error queue (``*CLS``)."""
            ...

        def self_test(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Run the self-test and return its result, 0 when it has passed (``*TST?``)."""
            ...

        def trigger(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Trigger the instrument."""
            ...

        def wait_to_continue(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Have the instrument finish what it does before it begins with what is sent after this (``*WAI``)."""
            ...

        def wait_for_completion(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Wait until everything that was begun is complete (``*OPC?``).

            Raises:
                ConnectionTimeoutError: it has not been completed in time. The next call resynchronises.
            """
            ...

        def save(self, number: int, timeout: Timeout = DEFAULT) -> Future[None]:
            """Save the settings under a number (``*SAV``)."""
            ...

        def recall(self, number: int, timeout: Timeout = DEFAULT) -> Future[None]:
            """Recall the settings that were saved under a number (``*RCL``)."""
            ...

        def learn(self, timeout: Timeout = DEFAULT) -> Future[str]:
            """Return the messages that bring the instrument into its present state (``*LRN?``)."""
            ...

        def status_byte(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Return the status byte: by a serial poll, or with ``*STB?`` where there is none."""
            ...

        def event_status(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Return the event status register and clear it (``*ESR?``)."""
            ...

        def event_status_enable(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Return which events set the summary bit in the status byte (``*ESE?``)."""
            ...

        def set_event_status_enable(self, mask: int, timeout: Timeout = DEFAULT) -> Future[None]:
            """Set which events set the summary bit in the status byte, 0 to 255 (``*ESE``)."""
            ...

        def service_request_enable(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Return which bits of the status byte request service (``*SRE?``)."""
            ...

        def set_service_request_enable(self, mask: int, timeout: Timeout = DEFAULT) -> Future[None]:
            """Set which bits of the status byte request service, 0 to 255 (``*SRE``)."""
            ...

        def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Wait until the instrument requests service, and return its status byte.

            Raises:
                NotSupported: raw sockets and serial lines carry no service requests.
            """
            ...

        def errors(self, timeout: Timeout = DEFAULT) -> Future[list[ErrorEntry]]:
            """Read the error queue until it is empty (``SYSTem:ERRor?``), and return its entries, oldest first.

            Args:
                timeout: seconds for all of it.
            """
            ...

        def check_errors(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Read the error queue until it is empty.

            Raises:
                InstrumentError: there was something in it.
            """
            ...

        def lock(self, timeout: float | None = None) -> Future[None]:
            """Keep everybody else from using the instrument; see `ScpiPipe.lock`."""
            ...

        def unlock(self) -> Future[None]:
            """Give the lock back."""
            ...

        @property
        def locked(self) -> bool:
            """Whether the pipe holds the lock at this moment."""
            ...

        def __enter__(self) -> Self: ...

        def __exit__(self, *exception: object) -> None: ...

    class FuturesScpiPipe(FuturesBasePipe):
        """A `ScpiPipe` whose calls give futures."""

        encoding: str

        def __init__(
            self,
            address: str | Address,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
            visa_library: str = "@py",
            **options: Unpack[ConnectionOptions],
        ) -> None: ...

        def query(self, message: str, timeout: Timeout = DEFAULT) -> Future[str]:
            """Send a program message and return the response, without its terminator.

            Args:
                message: the message; a line feed is appended.
                timeout: seconds, instead of the pipe's.

            Raises:
                ConnectionTimeoutError: there was no response in time.
                ProtocolError: the response is not text in the pipe's encoding.
            """
            ...

        def query_int(self, message: str, timeout: Timeout = DEFAULT) -> Future[int]:
            """Send a program message and return the whole number that answers it.

            Raises:
                ProtocolError: the response is none.
            """
            ...

        def write(self, message: str | bytes, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send a program message to which there is no response.

            Args:
                message: the message; a line feed is appended if it is missing. Bytes may contain blocks
                    (`encode_block`).
                timeout: seconds, instead of the pipe's.
            """
            ...

        def read_raw(self, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return the response to what was written before, as it came, with its terminator."""
            ...

        def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Send a program message and return the data of the block that answers it (IEEE 488.2, 8.7.9).

            Raises:
                ProtocolError: the response is no block, it was cut short, or something follows it.
            """
            ...

        def query_array(
            self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
        ) -> Future[NDArray[Any]]:
            """Send a program message and return the numbers that answer it.

            The data of a block is received into the memory of the array. A list of numbers in ASCII, separated by
            commas, is converted.

            Args:
                message: the message.
                dtype: the type of the numbers, as the instrument sends them: ``"i2"``, ``"f8"``, `numpy.uint8`, ...
                order: their byte order, ``"big"`` (which SCPI calls NORMal) or ``"little"`` (SWAPped).
                timeout: seconds, instead of the pipe's.

            Returns:
                A one-dimensional array; its type is *dtype* in that byte order.

            Raises:
                ProtocolError: the response is neither, or its size is not a multiple of a number's.
            """
            ...

        def write_array(
            self,
            message: str,
            values: ArrayLike,
            dtype: DTypeLike | None = None,
            order: str = "big",
            timeout: Timeout = DEFAULT,
        ) -> Future[None]:
            """Send a program message that ends with the values as a block.

            Args:
                message: what comes before the block, for example ``"DATA:ARB wave,"``.
                values: the numbers.
                dtype: the type to send them in; as they are without it.
                order: the byte order to send them in, ``"big"`` or ``"little"``.
                timeout: seconds, instead of the pipe's.
            """
            ...

        def clear(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Clear the device: it forgets input, output and what it was doing (IEEE 488.2, 5.8)."""
            ...

        def read_status_byte(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Return the status byte by a serial poll; with ``*STB?`` where there is none (IEEE 488.2, 11.2.1).

            HiSLIP and USBTMC have a way of its own for it: there it neither waits for a call that is running nor for
            somebody else's lock.
            """
            ...

        def trigger(self, timeout: Timeout = DEFAULT) -> Future[None]:
            """Trigger the device; with ``*TRG`` where there is no other way."""
            ...

        def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> Future[int]:
            """Wait until the instrument requests service, and return its status byte.

            At once if it has done so since the last time. Other calls go on meanwhile.

            Raises:
                NotSupported: raw sockets and serial lines carry no service requests.
            """
            ...

    class FuturesSerialScpiPipe(FuturesScpiPipe):
        """A `SerialScpiPipe` whose calls give futures."""

        def __init__(
            self,
            address: str | Address | FuturesBasePipe,
            term: str | bytes | int | None = None,
            timeout: Timeout = DEFAULT,
            *,
            encoding: str = "utf-8",
        ) -> None: ...

        @property
        def term(self) -> str:
            """What ends messages and responses."""
            ...

else:
    from .. import scpi
    from ..base import blocking, futures

    Instrument = blocking(scpi.Instrument)
    ScpiPipe = blocking(scpi.ScpiPipe)
    SerialScpiPipe = blocking(scpi.SerialScpiPipe)
    FuturesInstrument = futures(scpi.Instrument)
    FuturesScpiPipe = futures(scpi.ScpiPipe)
    FuturesSerialScpiPipe = futures(scpi.SerialScpiPipe)

__all__ = [
    "ErrorEntry",
    "FuturesInstrument",
    "FuturesScpiPipe",
    "FuturesSerialScpiPipe",
    "Instrument",
    "InstrumentError",
    "ScpiPipe",
    "SerialScpiPipe",
]

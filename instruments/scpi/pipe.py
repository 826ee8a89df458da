"""Pipes to instruments that speak SCPI, whatever carries the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, check_timeout, seconds_until
from sockio.errors import ProtocolError
from sockio.framing.block import encode_block
from sockio.resource import (
    Address,
    GPIBAddress,
    HiSLIPAddress,
    PrologixAddress,
    USBAddress,
    VISAAddress,
    VXI11Address,
)

from ..pipe import BasePipe
from . import arrays
from .connect import check_options, connect, is_stream
from .program_message import terminated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Unpack

    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime

    from ..message import Messages
    from ..pipe import Doubtful
    from .connect import ConnectionOptions

#: How long others get their turn between two looks for a service request, in seconds.
POLL_PAUSE = 0.1

#: Seconds for a call of SerialScpiPipe, unless it is told otherwise.
SERIAL_TIMEOUT = 1.0

#: What ScpiPipe can talk to besides streams.
MESSAGE_ADDRESSES = (VXI11Address, HiSLIPAddress, PrologixAddress, USBAddress, GPIBAddress, VISAAddress)


class ScpiPipe(BasePipe):
    """Program messages to an instrument, and its responses.

    Args:
        address: a resource string: ``vxi::host``, ``hislip::host``, ``prologix::COM3::10``, ``tcp::host:5025``,
            ``serial::/dev/ttyUSB0::9600::8N1``, a VISA name such as ``TCPIP::host::inst0::INSTR`` or
            ``USB0::0x0957::0x1755::MY48010001::INSTR``, ...
        timeout: seconds for a call.
        encoding: of text.
        visa_library: for resources that go through PyVISA: ``@py`` for pyvisa-py, ``@ivi`` or a path for a vendor's.
        **options: of the connection, the same ones for all who share it. VXI-11 has ``term_char`` (a byte that ends
            responses besides the instrument's own mark), ``read_size`` (bytes to ask for at once) and
            ``interrupt_host`` (the address of this machine that the instrument reaches for service requests); HiSLIP
            has ``mode`` (``"synchronized"`` or ``"overlap"``) and ``maximum_message_size``; both have ``limit``, the
            longest response in bytes that is not a block.

    Raises:
        ValueError: the resource string is not understood, or not that of an instrument.
        TypeError: an option that its connection does not have.
    """

    #: What ends a message where only its bytes can say so, and what is appended to a message without it.
    _terminator = b"\n"

    def __init__(
        self,
        address: str | Address,
        timeout: Timeout = DEFAULT,
        *,
        encoding: str = "utf-8",
        visa_library: str = "@py",
        **options: Unpack[ConnectionOptions],
    ) -> None:
        super().__init__(address, timeout)
        check_options(self._address, options)
        self._options = options
        self._locked_generation = 0
        self._terminator = self._address.options.get("eol", self._terminator)
        self.encoding = encoding
        self._visa_library = visa_library

    def _carrier_of(self, address: Address) -> Address:
        if not is_stream(address) and not isinstance(address, MESSAGE_ADDRESSES):
            raise ValueError(f"{address}: no instrument that takes messages; {address.opener} opens it")
        return address.adapter if isinstance(address, PrologixAddress) else address

    def _connect_to(self, runtime: Runtime) -> tuple[Messages, Doubtful | None]:
        return connect(self._address, self._carrier, self._terminator, runtime, self._visa_library, self._options)

    async def _lock_instrument(self, connection: Messages, timeout: float | None) -> Callable[[], object] | None:
        await connection.lock(timeout)
        self._locked_generation = connection.generation
        return connection.abandon if connection.has_lock else None

    async def _unlock_instrument(self, connection: Messages) -> None:
        await connection.unlock(self.timeout)

    def _lose_instrument(self, connection: Messages) -> None:
        if connection.has_lock:
            connection.abandon()

    def _has_lost_lock(self, connection: Messages) -> bool:
        return connection.has_lock and (connection.generation != self._locked_generation or not connection.connected())

    async def query(self, message: str, timeout: Timeout = DEFAULT) -> str:
        """Send a program message and return the response, without its terminator.

        Args:
            message: the message; a line feed is appended.
            timeout: seconds, instead of the pipe's.

        Raises:
            ConnectionTimeoutError: there was no response in time.
            ProtocolError: the response is not text in the pipe's encoding.
        """
        return self._decode(await self._call("query", timeout, self._encode(message)))

    async def query_int(self, message: str, timeout: Timeout = DEFAULT) -> int:
        """Send a program message and return the whole number that answers it.

        Raises:
            ProtocolError: the response is none.
        """
        response = await self.query(message, timeout)
        try:
            return int(response)
        except ValueError:
            raise ProtocolError(
                f"{self!r}: expected a whole number in response to {message!r}, got {response!r}", response.encode()
            ) from None

    async def write(self, message: str | bytes, timeout: Timeout = DEFAULT) -> None:
        """Send a program message to which there is no response.

        Args:
            message: the message; a line feed is appended if it is missing. Bytes may contain blocks (`encode_block`).
            timeout: seconds, instead of the pipe's.
        """
        await self._call("write", timeout, self._encode(message))

    async def read_raw(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return the response to what was written before, as it came, with its terminator."""
        response: bytes = await self._call("read", timeout)
        return response

    async def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> bytes:
        """Send a program message and return the data of the block that answers it (IEEE 488.2, 8.7.9).

        Raises:
            ProtocolError: the response is no block, it was cut short, or something follows it.
        """
        block = await self._call("query_block", timeout, self._encode(message), bytearray)
        if isinstance(block, bytes):
            raise ProtocolError(f"{self!r}: expected a block in response to {message!r}, got {block[:80]!r}", block)
        return bytes(block)

    async def query_array(
        self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
    ) -> NDArray[Any]:
        """Send a program message and return the numbers that answer it.

        The data of a block is received into the memory of the array. A list of numbers in ASCII, separated by commas,
        is converted.

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
        ordered = arrays.dtype_of(dtype, order)
        response = await self._call("query_block", timeout, self._encode(message), arrays.allocate)
        try:
            return arrays.array_of(response, ordered)
        except ProtocolError as error:
            raise ProtocolError(f"{self!r}: in response to {message!r} {error}", error.data) from None

    async def write_array(
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
        block = encode_block(arrays.bytes_of(values, dtype, order))
        await self._call("write", timeout, self._bytes_of(message) + block + self._terminator)

    async def clear(self, timeout: Timeout = DEFAULT) -> None:
        """Clear the device: it forgets input, output and what it was doing (IEEE 488.2, 5.8)."""
        await self._call("clear", timeout)

    async def read_status_byte(self, timeout: Timeout = DEFAULT) -> int:
        """Return the status byte by a serial poll; with ``*STB?`` where there is none (IEEE 488.2, 11.2.1).

        HiSLIP and USBTMC have a way of its own for it: there it neither waits for a call that is running nor for
        somebody else's lock.
        """
        if not self._polls():
            return await self.query_int("*STB?", timeout)
        connection = self._here().connection
        if connection.polls_aside and connection.connected():
            limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
            status: int = await connection.read_status_byte(limit)
        else:
            status = await self._call("read_status_byte", timeout)
        return status

    async def trigger(self, timeout: Timeout = DEFAULT) -> None:
        """Trigger the device; with ``*TRG`` where there is no other way."""
        if self._polls():
            await self._call("trigger", timeout)
        else:
            await self.write("*TRG", timeout)

    async def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> int:
        """Wait until the instrument requests service, and return its status byte.

        At once if it has done so since the last time. Other calls go on meanwhile.

        Raises:
            NotSupported: raw sockets and serial lines carry no service requests.
        """
        runtime, _, connection, _ = self._here()
        limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        deadline = None if limit is None else runtime.clock() + limit

        def left() -> float | None:
            return seconds_until(deadline, runtime.clock())

        await self.connect(limit)
        if connection.waits_aside:
            status: int = await connection.wait_for_service_request(left())
            return status
        while True:
            found: int | None = await self._call("poll_service_request", left())
            if found is not None:
                return found
            if deadline is not None and runtime.clock() + POLL_PAUSE > deadline:
                raise runtime.timeout_error(f"{self!r}: no service request within {limit} s")
            await runtime.sleep(POLL_PAUSE)

    def _polls(self) -> bool:
        """Tell whether messages are not all that is carried."""
        return not is_stream(self._address)

    def _encode(self, message: str | bytes) -> bytes:
        return terminated(self._bytes_of(message), self._terminator)

    def _bytes_of(self, message: str | bytes) -> bytes:
        if isinstance(message, str):
            return message.encode(self.encoding)
        if isinstance(message, (bytes, bytearray, memoryview)):
            return bytes(message)
        raise TypeError(f"a message must be a str or bytes, not {message!r}")

    def _decode(self, response: bytes) -> str:
        try:
            text = response.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise ProtocolError(
                f"{self!r}: expected text in {self.encoding}, got {response[:80]!r}", response
            ) from error
        text = text.removesuffix(self._terminator.decode("ascii"))
        return text.removesuffix("\n").removesuffix("\r")


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

    _default_timeout = SERIAL_TIMEOUT

    def __init__(
        self,
        address: str | Address | BasePipe,
        term: str | bytes | int | None = None,
        timeout: Timeout = DEFAULT,
        *,
        encoding: str = "utf-8",
    ) -> None:
        super().__init__(address._address if isinstance(address, BasePipe) else address, timeout, encoding=encoding)
        if term is not None:
            self._terminator = check_terminator(term)

    def _carrier_of(self, address: Address) -> Address:
        if not is_stream(address):
            raise ValueError(f"{address}: no stream of bytes; ScpiPipe opens it")
        return address

    @property
    def term(self) -> str:
        """What ends messages and responses."""
        return self._terminator.decode("latin-1")


def check_terminator(term: str | bytes | int) -> bytes:
    """Return a terminator as bytes.

    Raises:
        ValueError: it is empty, or no ASCII.
    """
    if isinstance(term, int) and not isinstance(term, bool) and 0 <= term <= 127:
        return bytes([term])
    if isinstance(term, str) and term and term.isascii():
        return term.encode("ascii")
    if isinstance(term, bytes) and term and term.isascii():
        return term
    raise ValueError(f"term must be one ASCII character or more, or the code of one (0 to 127), got {term!r}")

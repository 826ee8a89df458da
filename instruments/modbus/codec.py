"""Modbus messages as bytes: requests, what their answers have to look like, and the frames around both.

pymodbus makes and reads the protocol data units and frames. It is given exactly one frame at a time, cut out here: its
RTU framer takes everything that has come for one frame, and its TCP framer waits for ever after a wrong protocol
identifier.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sockio.errors import ProtocolError
from sockio.framing import Framing, Need

from .errors import ModbusError

try:
    from pymodbus.framer import FramerRTU, FramerSocket
    from pymodbus.pdu import DecodePDU
except ImportError as error:
    raise ImportError("Modbus needs the pymodbus package, 3.11 or newer: pip install sockio[modbus]") from error

if TYPE_CHECKING:
    from sockio.buffer import Buffer

T = TypeVar("T")

#: The longest protocol data unit: a function code and 252 bytes (V1.1b3, section 4.1).
PDU_SIZE = 253

#: Transaction, protocol, and the length of what follows (MBAP guide, section 3.1.3).
HEADER_SIZE = 6

NEED_HEADER = Need(HEADER_SIZE)

#: A header, and the unit.
ANSWER = struct.Struct(">HHHB")

#: The longest frame over TCP: a header, a unit, a protocol data unit.
FRAME_SIZE = HEADER_SIZE + 1 + PDU_SIZE

#: An exception reply over RTU: unit, function, code, CRC.
RTU_EXCEPTION_SIZE = 5

#: Set in the function code of an exception reply.
EXCEPTION = 0x80

BROADCAST = 0

log = logging.getLogger("instruments.modbus")
socket_framer = FramerSocket(DecodePDU(False))
rtu_framer = FramerRTU(DecodePDU(False))


class Request(Generic[T]):
    """A request, and how its answer is read.

    Args:
        function: its code.
        data: what follows that.
        read: makes the value of a protocol data unit of the right function and size; it may raise ValueError for one
            that does not fit the request.
        size: of the protocol data unit that answers, in bytes; None if it varies.
        count_at: the index of the byte in it that counts those after it; None if there is none.
    """

    __slots__ = ("beginning", "count_at", "function", "pdu", "read", "size")

    def __init__(
        self,
        function: int,
        data: bytes,
        read: Callable[[bytes], T],
        size: int | None,
        count_at: int | None = None,
    ) -> None:
        self.function = function
        self.pdu = bytes([function]) + data
        self.read = read
        self.size = size
        self.count_at = count_at
        #: What the answer to a read begins with, if all is well: the rest is values.
        self.beginning = bytes([self.function, size - 2]) if size is not None and count_at == 1 else None

    def answer(self, unit: int, pdu: bytes) -> T | ModbusError:
        """Return what a protocol data unit says: the value, or the exception that the device has answered with.

        Raises:
            ProtocolError: it does not answer this request.
        """
        if pdu[0] != self.function or not self._fits(pdu):
            return self._exception(unit, pdu)
        try:
            return self.read(pdu)
        except ValueError as error:
            raise ProtocolError(f"expected {error}, got {pdu.hex(' ')}", pdu) from None

    def _fits(self, pdu: bytes) -> bool:
        """Tell whether an answer has the size that it has to have, and says so itself."""
        size, index = len(pdu), self.count_at
        if self.size is not None and self.size != size:
            return False
        return index is None or index < size == index + 1 + pdu[index]

    def _exception(self, unit: int, pdu: bytes) -> ModbusError:
        function = self.function
        if pdu[0] == function | EXCEPTION and len(pdu) == 2:
            return ModbusError(unit, function, pdu[1])
        if pdu[0] != function:
            raise ProtocolError(f"expected an answer to function {function}, got {pdu.hex(' ')}", pdu)
        if self.size not in (None, len(pdu)):
            raise ProtocolError(f"expected an answer of {self.size} bytes, got {len(pdu)}: {pdu.hex(' ')}", pdu)
        raise ProtocolError(f"expected as many bytes as byte {self.count_at} says, got {pdu.hex(' ')}", pdu)


class Exchange(Framing[Any]):
    """One request on its way, and the frame that answers it. What `decode` gives is that of `Request.answer`."""

    def __init__(self, request: Request[Any], unit: int) -> None:
        self.request = request
        self.unit = unit

    def encode(self, frame: Request[Any]) -> bytes:
        raise NotImplementedError


class TcpExchange(Exchange):
    """An exchange in which a transaction number tells answers apart.

    Answers with another one, to earlier requests, are dropped and logged.
    """

    def __init__(self, request: Request[Any], unit: int, transaction: int) -> None:
        self.request = request
        self.unit = unit
        self.transaction = transaction

    def encode(self, frame: Request[Any]) -> bytes:
        return tcp_frame(frame, self.unit, self.transaction)

    def is_answer(self, data: bytes) -> bool:
        """Tell whether bytes are the whole answer to a read, with values, and nothing else."""
        beginning, size = self.request.beginning, self.request.size
        if beginning is None or size is None or len(data) != 1 + HEADER_SIZE + size:
            return False
        return data.startswith(ANSWER.pack(self.transaction, 0, size + 1, self.unit) + beginning)

    def decode(self, buffer: Buffer) -> Any:
        while True:
            adu = take_tcp_frame(buffer)
            if isinstance(adu, Need):
                return adu
            _, unit, transaction, pdu = socket_framer.decode(adu)
            if transaction != self.transaction:
                log.warning("dropped the answer to transaction %d, waiting for %d", transaction, self.transaction)
                continue
            check_unit(self.unit, unit, adu)
            return self.request.answer(unit, pdu)


class RtuExchange(Exchange):
    """An exchange of frames that begin with the unit and end with a CRC.

    Args:
        request: what is asked.
        unit: who is asked.
        patience: how long the answer may take, in seconds; None if late ones need not be feared.

    Attributes:
        asked: the request has been sent, and an answer may come.
    """

    def __init__(self, request: Request[Any], unit: int, patience: float | None = None) -> None:
        super().__init__(request, unit)
        self.patience = patience
        self.asked = False

    def encode(self, frame: Request[Any]) -> bytes:
        return rtu_frame(frame, self.unit)

    def decode(self, buffer: Buffer) -> Any:
        self.asked = True
        beginning = buffer.peek(3 + (self.request.count_at or 0))
        if beginning:
            check_unit(self.unit, beginning[0], beginning)
        size = self._size(beginning)
        missing = size - len(buffer)
        return Need(missing) if missing > 0 else self.answer(buffer.take(size))

    def answer(self, adu: bytes) -> Any:
        """Return what a whole frame says.

        Raises:
            ProtocolError: its CRC is wrong, or it does not answer the request.
        """
        if len(adu) < 4 or not rtu_framer.check_CRC(adu[:-2], int.from_bytes(adu[-2:], "big")):
            raise ProtocolError(f"expected a frame with a valid CRC, got {adu.hex(' ')}", adu)
        check_unit(self.unit, adu[0], adu)
        return self.request.answer(self.unit, adu[1:-2])

    def _size(self, beginning: bytes) -> int:
        """Return the size of the frame, or how much of it has to come until that is known."""
        request = self.request
        if len(beginning) < 2:
            return 2
        if beginning[1] == request.function | EXCEPTION:
            return RTU_EXCEPTION_SIZE
        if beginning[1] != request.function:
            raise ProtocolError(
                f"expected an answer to function {request.function}, got {beginning.hex(' ')}", beginning
            )
        if request.count_at is None:
            assert request.size is not None, "an answer of any size ends with silence, and not here"
            return request.size + 3
        index = request.count_at + 1
        if len(beginning) <= index:
            return index + 1
        size = index + beginning[index]
        if request.size not in (None, size):
            raise ProtocolError(
                f"expected an answer of {request.size} bytes, got one of {size}: {beginning.hex(' ')}", beginning
            )
        return size + 3


def tcp_frame(request: Request[Any], unit: int, transaction: int) -> bytes:
    """Return the frame of a request for Modbus TCP."""
    return socket_framer.encode(request.pdu, unit, transaction)


def rtu_frame(request: Request[Any], unit: int) -> bytes:
    """Return the frame of a request for Modbus RTU."""
    return rtu_framer.encode(request.pdu, unit, 0)


def take_tcp_frame(buffer: Buffer) -> bytes | Need:
    """Take one frame of Modbus TCP.

    Raises:
        ProtocolError: it is none; where the next one begins is not known.
    """
    if not buffer.used:
        return NEED_HEADER
    data = buffer.peek(FRAME_SIZE + 1)
    have = len(data)
    if have < HEADER_SIZE:
        return Need(HEADER_SIZE - have)
    length = data[4] << 8 | data[5]
    if data[2] or data[3] or not 2 <= length <= PDU_SIZE + 1:
        header = data[:HEADER_SIZE]
        raise ProtocolError(
            f"expected a Modbus TCP header with protocol 0 and a length of 2 to {PDU_SIZE + 1}, got {header.hex(' ')}",
            header,
        )
    size = HEADER_SIZE + length
    if have == size:  # it is all that has come, as nearly always
        buffer.clear()
        return data
    return Need(size - have) if have < size else buffer.take(size)


def check_unit(expected: int, unit: int, adu: bytes) -> None:
    """Raise a ProtocolError unless the right unit answers."""
    if unit != expected:
        raise ProtocolError(f"expected an answer from unit {expected}, got one from {unit}: {adu.hex(' ')}", adu)

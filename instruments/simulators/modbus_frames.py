"""The frames around the messages of a simulated Modbus device, written without those of the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent

from .engine import CHUNK, Closed, Conversation
from .modbus import DEVICE_FAILURE

if TYPE_CHECKING:
    from .modbus import ModbusDevice

#: Silence that ends a request whose length is not known, in seconds.
SILENCE = 0.02

#: What is obeyed by all units, and not answered, over RTU.
BROADCAST = 0

#: How long requests are over RTU, by function: so many bytes, or the index of a byte that counts those between it and
#: the CRC.
SIZES = dict.fromkeys((1, 2, 3, 4, 5, 6), 8) | {22: 10}
COUNTED = {15: 6, 16: 6, 23: 10, 68: 3}


class ModbusProtocol(Conversation["ModbusDevice"]):
    """One connection of a device."""

    def __init__(self, device: ModbusDevice, channel: Any, transport: Any) -> None:
        super().__init__(device, channel, transport)
        self._received = b""

    def receive(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self._received += data
        self._answer_all()

    def _answer_all(self) -> None:
        raise NotImplementedError

    def _wait_for_more(self) -> bool:
        """Return whether more comes soon."""
        before = len(self._received)
        try:
            with gevent.Timeout(SILENCE):
                self._received += self._transport.read1(self._channel, CHUNK)
        except gevent.Timeout:
            pass
        return len(self._received) > before

    def _frame(self, head: bytes, unit: int, pdu: bytes, garbled: bool) -> bytes:
        raise NotImplementedError

    def _obey(self, head: bytes, unit: int, pdu: bytes) -> None:
        """Obey a request, and send the answer, or what a fault makes of it."""
        device = self._device
        if unit not in device.units:
            return
        fault = device.take_fault()
        answer = bytes([pdu[0] | 0x80, DEVICE_FAILURE]) if fault == "exception" else device.respond(pdu)
        if device.latency > 0:
            gevent.sleep(device.latency)
        if fault == "late":
            gevent.sleep(device.fault_delay)
        if fault == "dropped":
            self.close()
        if answer is None or fault in ("silent", "dropped"):
            return
        if fault == "transaction":
            stale = bytes(byte ^ 0x5A for byte in head[:2]) + head[2:]
            self.send(self._frame(stale, unit, answer[:-1] + bytes([answer[-1] ^ 0xFF]), False))
        self.send(self._frame(head, unit + (fault == "unit") & 0xFF, answer, fault == "garbled"))


class TcpProtocol(ModbusProtocol):
    """Frames with the header of Modbus TCP; anything else closes the connection."""

    def _answer_all(self) -> None:
        while len(self._received) >= 8:
            head, unit = self._received[:4], self._received[6]
            length = int.from_bytes(self._received[4:6], "big")
            if head[2:] != b"\0\0" or not 2 <= length <= 254:
                raise Closed
            if len(self._received) < 6 + length:
                return
            pdu, self._received = self._received[7 : 6 + length], self._received[6 + length :]
            self._obey(head, unit, pdu)

    def _frame(self, head: bytes, unit: int, pdu: bytes, garbled: bool) -> bytes:
        protocol = b"\0\1" if garbled else b"\0\0"
        return head[:2] + protocol + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


class RtuProtocol(ModbusProtocol):
    """Frames with a CRC. What has none that is right is dropped, as if nothing had come."""

    def _answer_all(self) -> None:
        while len(self._received) >= 2:
            size = self._size()
            if size is None or len(self._received) < size:
                if self._wait_for_more():
                    continue
                size = len(self._received)  # silence ends a frame, however long it is
            frame, self._received = self._received[:size], self._received[size:]
            if len(frame) < 4 or crc_of(frame[:-2]) != frame[-2:]:
                self._received = b""
            elif frame[0] == BROADCAST:
                self._device.respond(frame[1:-2])
            else:
                self._obey(b"", frame[0], frame[1:-2])

    def _size(self) -> int | None:
        """Return how long the request is that has begun; None if that is not known yet, or at all."""
        function = self._received[1]
        index = COUNTED.get(function)
        if index is None:
            return SIZES.get(function)
        return None if len(self._received) <= index else index + 1 + self._received[index] + 2

    def _frame(self, head: bytes, unit: int, pdu: bytes, garbled: bool) -> bytes:
        frame = bytes([unit]) + pdu
        crc = crc_of(frame)
        return frame + (bytes([crc[0] ^ 0x01, crc[1]]) if garbled else crc)


def crc_of(data: bytes) -> bytes:
    """Return the CRC of RTU ("MODBUS over Serial Line" V1.02, section 6.2.2), the low byte first.

    >>> crc_of(b"123456789").hex()
    '374b'
    """
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


PROTOCOLS = {"tcp": TcpProtocol, "rtu": RtuProtocol}

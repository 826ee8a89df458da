"""The GCT protocol: its messages to frames, and frames to its messages.

All frames are data frames with identifiers of 29 bits, which hold the type of the message (bits 28-25), the node that
sends (24-18), the node that it is for (17-11), and the type data (10-0).
"""

from __future__ import annotations

from typing import NamedTuple

from .ddp import Reassembly, split
from .gct_messages import (
    GCTCAN_BROADCAST_ADDRESS,
    DdpMessage,
    GctMessage,
    Heartbeat,
    MonitoringData,
    MonitoringRequest,
    SysCtrlMessage,
    SysCtrlType,
)
from .messages import LENGTH, bytes_of

SYS_CTRL, MONITORING_DATA, MONITORING_REQUEST, DDP, HEARTBEAT = 1, 7, 8, 12, 14
KNOWN = frozenset([SYS_CTRL, MONITORING_DATA, MONITORING_REQUEST, DDP, HEARTBEAT])

#: The bits of an identifier that hold the type.
TYPE_MASK = 0xF << 25

SYS_CTRL_TYPES = {0: SysCtrlType.EMPTY, 1: SysCtrlType.QUERY, 2: SysCtrlType.VALUE}
SYS_CTRL_BITS = {tp: bits for bits, tp in SYS_CTRL_TYPES.items()}


class Frame(NamedTuple):
    """A data frame with an identifier of 29 bits."""

    canid: int
    data: bytes


def encode(message: GctMessage) -> list[Frame]:
    """Return the frames of a message: one, for DDP any number, and none for an empty one of version 2.

    Raises:
        TypeError, ValueError: it cannot be sent.
    """
    if not isinstance(message, GctMessage):
        raise TypeError(f"expected a message of the GCT protocol, got {message!r}")
    message.check()
    src = message.src
    if isinstance(message, DdpMessage):
        parts = split(bytes_of(message.data), message.version)
        return [Frame(identifier(DDP, src, message.dst, type_data), part) for type_data, part in parts]
    if isinstance(message, SysCtrlMessage):
        type_data = message.cmd << 2 | SYS_CTRL_BITS[message.tp]
        return [Frame(identifier(SYS_CTRL, src, message.dst, type_data), bytes_of(message.data))]
    if isinstance(message, MonitoringData):
        type_data = message.group_idx << 6 | message.reading_idx
        return [Frame(identifier(MONITORING_DATA, src, message.dst, type_data), bytes_of(message.data))]
    if isinstance(message, MonitoringRequest):
        type_data = message.group_idx << 6
        readings = message.readings.to_bytes(8, "little")
        return [Frame(identifier(MONITORING_REQUEST, src, message.dst, type_data), readings)]
    if isinstance(message, Heartbeat):
        return [Frame(identifier(HEARTBEAT, src, message.dst, 0), message.product_id.to_bytes(2, "little"))]
    raise TypeError(f"expected a message of the GCT protocol, got {message!r}")


def identifier(kind: int, src: int, dst: int, type_data: int) -> int:
    """Return the identifier of a frame."""
    return kind << 25 | src << 18 | dst << 11 | type_data


class GctDecoder:
    """Makes messages of frames. The parts of DDP messages are kept for each pair of nodes.

    Attributes:
        dropped: frames of the protocol that have come to nothing: malformed ones, and parts of DDP messages that were
            not completed or whose CRC was wrong.
    """

    def __init__(self) -> None:
        self._malformed = 0
        self._reassemblies: dict[int, Reassembly] = {}

    @property
    def dropped(self) -> int:
        return self._malformed + sum(each.dropped for each in self._reassemblies.values())

    def reset(self) -> None:
        """Forget the parts, of both versions, of DDP messages that are not complete."""
        for each in self._reassemblies.values():
            each.reset()

    def feed(self, canid: int, data: bytes) -> GctMessage | None:
        """Take a data frame with an identifier of 29 bits.

        Returns:
            The message that it is, or completes; None if it does not, or is of no type that is known.
        """
        kind = canid >> 25
        if kind == DDP and len(data) <= LENGTH:
            return self._feed_part(canid, data)
        message = decode(canid, data)
        if message is None and kind in KNOWN:
            self._malformed += 1
        return message

    def _feed_part(self, canid: int, data: bytes) -> DdpMessage | None:
        pair = canid >> 11 & 0x3FFF
        reassembly = self._reassemblies.get(pair)
        if reassembly is None:
            reassembly = self._reassemblies[pair] = Reassembly()
        whole = reassembly.feed(canid & 0x7FF, data)
        return None if whole is None else DdpMessage(pair >> 7, pair & 0x7F, whole.data, whole.version)


def decode(canid: int, data: bytes) -> GctMessage | None:
    """Return the message in a frame that is not a part of one; None if it is malformed."""
    kind = canid >> 25
    src = canid >> 18 & 0x7F
    if src == GCTCAN_BROADCAST_ADDRESS or len(data) > LENGTH:
        return None
    if kind == MONITORING_DATA:
        return MonitoringData(src, canid >> 6 & 0x1F, canid & 0x3F, data)
    dst = canid >> 11 & 0x7F
    if kind == SYS_CTRL:
        tp = SYS_CTRL_TYPES.get(canid & 3)
        return None if tp is None else SysCtrlMessage(src, dst, canid >> 2 & 0x1FF, tp, data)
    if kind == MONITORING_REQUEST:
        return MonitoringRequest(src, dst, canid >> 6 & 0x1F, int.from_bytes(data, "little"))
    if kind == HEARTBEAT and len(data) >= 2:
        return Heartbeat(src, int.from_bytes(data[:2], "little"))
    return None

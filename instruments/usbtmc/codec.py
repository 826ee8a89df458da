"""The transfers of USBTMC: Universal Serial Bus Test and Measurement Class Specification, revision 1.0."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sockio.errors import ProtocolError

#: MsgID values (table 2).
DEV_DEP_MSG_OUT = 1
REQUEST_DEV_DEP_MSG_IN = 2
DEV_DEP_MSG_IN = 2

#: The size of every header (3.2 and 3.3).
HEADER_SIZE = 12

#: Bit 0 of bmTransferAttributes: the last byte of the transfer is the last one of the message (tables 3 and 9).
END_OF_MESSAGE = 1

#: MsgID, bTag and its complement, a reserved byte, TransferSize, bmTransferAttributes, three reserved bytes.
_HEADER = struct.Struct("<BBBxIB3x")


@dataclass(frozen=True)
class Response:
    """What the header of a Bulk-IN transfer says (table 9).

    Attributes:
        size: how many bytes of the message are in the transfer.
        end: the message ends with them.
    """

    size: int
    end: bool


def next_tag(tag: int) -> int:
    """Return the bTag after *tag*: 1 to 255, then 1 again (table 1)."""
    return tag % 255 + 1


def message_out(tag: int, message: bytes) -> bytearray:
    """Return the Bulk-OUT transfer of a whole program message, with the alignment bytes at its end (3.2.1.1)."""
    header = _HEADER.pack(DEV_DEP_MSG_OUT, tag, tag ^ 0xFF, len(message), END_OF_MESSAGE)
    transfer = bytearray(header)
    transfer += message
    transfer += bytes(-len(transfer) % 4)
    return transfer


def request_message_in(tag: int, size: int) -> bytearray:
    """Return the Bulk-OUT transfer that asks for up to *size* bytes of a response message (3.2.1.2)."""
    return bytearray(_HEADER.pack(REQUEST_DEV_DEP_MSG_IN, tag, tag ^ 0xFF, size, 0))


def parse_message_in(transfer: bytes, tag: int, size: int) -> Response:
    """Return what the header of a Bulk-IN transfer says (3.3.1.1).

    Args:
        transfer: the header, or more.
        tag: the bTag of the request.
        size: how many bytes were asked for.

    Raises:
        ProtocolError: it is no answer to that request.
    """
    header = transfer[:HEADER_SIZE]
    if len(header) < HEADER_SIZE:
        raise ProtocolError(f"expected a USBTMC header of {HEADER_SIZE} bytes, got {header!r}", header)
    message_id, got_tag, inverse, got_size, attributes = _HEADER.unpack(header)
    if message_id != DEV_DEP_MSG_IN or got_tag != tag or inverse != tag ^ 0xFF:
        raise ProtocolError(f"expected a USBTMC response with the tag {tag}, got the header {header!r}", header)
    if got_size > size:
        raise ProtocolError(f"asked for {size} bytes at most, the USBTMC header announces {got_size}", header)
    return Response(got_size, bool(attributes & END_OF_MESSAGE))

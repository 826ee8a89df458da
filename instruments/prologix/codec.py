"""The language of Prologix GPIB adapters, from the manuals of GPIB-USB (6.107) and GPIB-ETHERNET (1.6.6).

A line that begins with ``++`` is a command to the adapter; any other line goes to the addressed instrument. Bytes that
would mean something to the adapter are escaped.
"""

from __future__ import annotations

import math
import re
from typing import Any

from sockio.errors import ProtocolError

#: What an adapter answers ends with.
END = b"\r\n"

#: Where an adapter listens.
TCP_PORT = 1234

#: The largest ``++read_tmo_ms``, in milliseconds.
LONGEST_READ = 3000

#: Not to wear the EEPROM out; be the controller; read only when told to; assert EOI with the last byte of a message;
#: append nothing to a message; append nothing to what an instrument said.
SET_UP = b"++savecfg 0\n++mode 1\n++auto 0\n++eoi 1\n++eos 3\n++eot_enable 0\n"

READ = b"++read eoi\n"
CLEAR = b"++clr\n"
TRIGGER = b"++trg\n"
LOCAL = b"++loc\n"
LOCAL_LOCKOUT = b"++llo\n"
INTERFACE_CLEAR = b"++ifc\n"
SERIAL_POLL = b"++spoll\n"
SERVICE_REQUEST = b"++srq\n"

_SPECIAL = re.compile(rb"[\r\n\x1b+]")


def encode_message(message: bytes) -> bytes:
    """Return the line that has the adapter send *message*, whatever bytes are in it, to the addressed instrument.

    Carriage return, line feed, escape and plus are preceded by an escape.
    """
    return _SPECIAL.sub(b"\x1b\\g<0>", message) + b"\n"


def address(primary: int, secondary: int | None = None) -> bytes:
    """Return the command that selects an instrument.

    Args:
        primary: the GPIB address, 0 to 30.
        secondary: the secondary address, 0 to 30; the adapter has it as 96 to 126.

    Raises:
        ValueError: there is no such address.
    """
    check_address("primary", primary)
    if secondary is None:
        return b"++addr %d\n" % primary
    check_address("secondary", secondary)
    return b"++addr %d %d\n" % (primary, secondary + 96)


def check_address(name: str, number: Any) -> None:
    """Raise ValueError if there is no such GPIB address."""
    if not isinstance(number, int) or not 0 <= number <= 30:
        raise ValueError(f"a {name} GPIB address must be a whole number, 0 to 30, not {number!r}")


def read_timeout(seconds: float | None) -> int:
    """Return the milliseconds for which the adapter is to wait for an instrument in one read.

    Args:
        seconds: how long its user waits; None for ever.
    """
    if seconds is None:
        return LONGEST_READ
    return min(LONGEST_READ, max(1, math.ceil(seconds * 1000)))


def set_read_timeout(milliseconds: int) -> bytes:
    """Return the command that sets how long the adapter waits for a byte of an instrument."""
    return b"++read_tmo_ms %d\n" % milliseconds


def challenge(numbers: bytes) -> tuple[bytes, bytes]:
    """Return commands that change nothing, and the answer to them: whatever comes before it is from earlier requests.

    Args:
        numbers: a few random bytes; they become the character that ``++eot_enable 1`` would append, which is off.
    """
    commands = b"".join(b"++eot_char %d\n++eot_char\n" % number for number in numbers)
    return commands, b"".join(b"%d\r\n" % number for number in numbers)


def parse_number(line: bytes, largest: int) -> int:
    """Return the number that an adapter has answered.

    Raises:
        ProtocolError: it is none, or not from 0 to *largest*.
    """
    text = line.strip()
    if not text.isdigit() or int(text) > largest:
        raise ProtocolError(f"expected a number from 0 to {largest} from the adapter, got {line!r}", line)
    return int(text)

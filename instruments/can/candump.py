"""Lines of candump's log files (``candump -L``, can-utils), which python-can reads and writes with losses.

``(1700000000.250000) can0 18311401#08090A0B``: seconds since 1970, the interface, the identifier with 3 digits or, if
it is extended, 8, and the data; ``R`` and a length for remote frames; ``##``, a digit of flags and data for CAN FD.
"""

from __future__ import annotations

import re

from .messages import EXTENDED_IDS, STANDARD_IDS, CanMessage, DataMessage, ErrorMessage, RemoteMessage

#: Set in the identifier of an error frame (linux/can.h), and in the flags of CAN FD for the higher bit rate.
ERROR_FLAG, BITRATE_SWITCH = 0x20000000, 0x1

_LINE = re.compile(
    r"\((?P<time>\d+(?:\.\d+)?)\) +(?P<channel>\S+) +(?P<id>[0-9A-F]{8}|[0-9A-F]{3})#"
    r"(?:R(?P<dlc>[0-8]?)|#(?P<flags>[0-9A-F])(?P<fd>(?:[0-9A-F]{2})*)|(?P<data>(?:[0-9A-F]{2})*))(?: +[RT])?",
    re.IGNORECASE | re.ASCII,
)


def read_line(line: str) -> CanMessage:
    """Return the message in a line.

    Raises:
        ValueError: it is no such line.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"expected a line of candump, such as (1700000000.250000) can0 123#0102, got {line!r}")
    number, extended, time = int(match["id"], 16), len(match["id"]) == 8, float(match["time"])
    if extended and number & ERROR_FLAG:
        return ErrorMessage(number & EXTENDED_IDS, bytes.fromhex(match["data"] or ""), time)
    if number > (EXTENDED_IDS if extended else STANDARD_IDS):
        raise ValueError(f"expected an identifier of 11 or 29 bits, got {match['id']} in {line!r}")
    if match["dlc"] is not None:
        return RemoteMessage(number, extended, int(match["dlc"] or 0), time)
    if match["flags"] is not None:
        faster = bool(int(match["flags"], 16) & BITRATE_SWITCH)
        return DataMessage(number, extended, bytes.fromhex(match["fd"]), True, faster, time)
    return DataMessage(number, extended, bytes.fromhex(match["data"]), timestamp=time)


def write_line(message: CanMessage, channel: str) -> str:
    """Return the line of a message."""
    if isinstance(message, ErrorMessage):
        frame = f"{message.classes | ERROR_FLAG:08X}#{message.data.hex().upper()}"
    else:
        frame = f"{message.canid:0{8 if message.extid else 3}X}#"
        if isinstance(message, RemoteMessage):
            frame += f"R{message.dlc or ''}"
        elif message.fd:
            frame += f"#{int(message.bitrate_switch)}{message.data.hex().upper()}"
        else:
            frame += message.data.hex().upper()
    return f"({message.timestamp:.6f}) {channel} {frame}\n"

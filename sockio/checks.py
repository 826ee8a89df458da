"""Arguments that many methods share: each is returned if it can be what it is given for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Data = bytes | bytearray | memoryview


def check_eol(eol: Any) -> bytes:
    """Return *eol* if it can end a line: one or more bytes."""
    if not isinstance(eol, bytes):
        raise TypeError(f"an end of line must be bytes, not {eol!r}")
    if not eol:
        raise ValueError("an end of line must have at least one byte, not b''")
    return eol


def check_data(data: Any) -> Data:
    """Return *data* if it can be sent: something made of bytes."""
    if isinstance(data, (bytes, bytearray)):
        return data
    if isinstance(data, memoryview):
        return data.cast("B")
    raise TypeError(f"data to be sent must be bytes, not {data!r}")


def check_count(name: str, value: Any, lowest: int) -> int:
    """Return *value* if it can be a number of bytes, lines or attempts: a whole number, *lowest* or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < lowest:
        raise ValueError(f"{name} must be {lowest} or more, not {value!r}")
    return value


def check_lines(lines: Any) -> list[Data]:
    """Return *lines* as a list if they can be sent: a sequence of things made of bytes."""
    if isinstance(lines, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"lines must be a sequence of bytes, not {lines!r}")
    return [check_data(line) for line in lines]

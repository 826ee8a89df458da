"""Values as they are written on the wire: text of the controller to Python values, and back.

A `Kind` holds both directions. ``decode`` raises ValueError for text that is no value of its kind; ``encode``
checks what the user gives and raises ValueError saying what is allowed, before anything is sent.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Longest string that the controller stores, in characters (Model 24C User's Guide).
MAX_STRING_LENGTH = 15

#: What stands in place of a number: sensor fault, outside the calibration curve, not applicable.
NO_NUMBER = re.compile(r"(?:-{7}|\.{7}|N/A)\s*[A-Za-z%]?", re.IGNORECASE)

#: A number, perhaps followed by one letter for its unit. E would be half an exponent, never a unit.
NUMBER_AND_UNIT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*[A-DF-Z%]?", re.IGNORECASE)

ON = (True, "on", "yes")
OFF = (False, "off", "no")


@dataclass(frozen=True)
class Kind(Generic[T_co]):
    """How values of one kind are read and written."""

    decode: Callable[[str], T_co]
    encode: Callable[[Any], str]


def refuse(value: object, allowed: str) -> ValueError:
    """Return the error for a value that is not allowed."""
    return ValueError(f"{value!r} is not allowed: expected {allowed}")


def read_only(value: object) -> str:
    """Refuse to write a value that can only be read."""
    raise ValueError(f"this value is read-only: it cannot be set to {value!r}")


def unquote(text: str) -> str:
    """Return *text* without the quotation marks around it."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text.strip('"')


def decode_number(text: str) -> float | None:
    """Return the number, None where the controller shows that there is none."""
    if NO_NUMBER.fullmatch(text):
        return None
    match = NUMBER_AND_UNIT.fullmatch(text)
    if match is None or math.isinf(number := float(match.group(1))):
        raise ValueError("expected a number")
    return number


def decode_integer(text: str) -> int | None:
    """Return the whole number, None where the controller shows that there is none."""
    number = decode_number(text)
    if number is None:
        return None
    if number != int(number):
        raise ValueError("expected a whole number")
    return int(number)


def decode_flag(text: str) -> bool:
    """Return True for ON or YES, False for OFF or NO."""
    if text.lower() in ON:
        return True
    if text.lower() in OFF:
        return False
    raise ValueError("expected ON or OFF")


def decode_date(text: str) -> datetime.date:
    """Return the date of ``"mm/dd/yyyy"``."""
    return datetime.datetime.strptime(unquote(text), "%m/%d/%Y").date()


def decode_time(text: str) -> datetime.time:
    """Return the time of ``"hh:mm:ss"``."""
    return datetime.datetime.strptime(unquote(text), "%H:%M:%S").time()


def encode_number(value: Any, minimum: float, maximum: float, allowed: str) -> str:
    """Return a number as it was given, after checking it. Text that is a number will do."""
    if isinstance(value, bool):
        raise refuse(value, allowed)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise refuse(value, allowed) from None
    if not (math.isfinite(number) and minimum <= number <= maximum):
        raise refuse(value, allowed)
    text = str(value).strip()
    return text if text.isascii() and NUMBER_AND_UNIT.fullmatch(text) else repr(number)


def encode_string(value: Any) -> str:
    """Return a string in quotation marks."""
    text = unquote(value) if isinstance(value, str) else None
    # A semicolon would end the command in some replies, which are not quoted.
    if text is None or len(text) > MAX_STRING_LENGTH or not all(" " <= c <= "~" and c not in '";' for c in text):
        raise refuse(value, f'up to {MAX_STRING_LENGTH} printable ASCII characters, without " and ;')
    return f'"{text}"'


def encode_flag(value: Any, on: str, off: str) -> str:
    """Return the word for on or off."""
    word = value.lower() if isinstance(value, str) else value
    if word in ON:
        return on
    if word in OFF:
        return off
    raise refuse(value, f"True, 1, {on!r}, False, 0 or {off!r}")


def encode_date(value: Any) -> str:
    """Return a date in quotation marks."""
    if isinstance(value, str):
        try:
            value = decode_date(value)
        except ValueError:
            pass
    if not isinstance(value, datetime.date):
        raise refuse(value, "a datetime.date or 'mm/dd/yyyy'")
    return f'"{value:%m/%d/}{value.year:04}"'


def encode_time(value: Any) -> str:
    """Return a time of day in quotation marks."""
    if isinstance(value, str):
        try:
            value = decode_time(value)
        except ValueError:
            pass
    if not isinstance(value, datetime.time):
        raise refuse(value, "a datetime.time or 'hh:mm:ss'")
    return f'"{value:%H:%M:%S}"'


def number(minimum: float = -math.inf, maximum: float = math.inf) -> Kind[float | None]:
    """A number from *minimum* to *maximum*; what is read is not limited."""
    if maximum == math.inf:
        allowed = "a number" if minimum == -math.inf else f"a number from {minimum:g} up"
    else:
        allowed = f"a number from {minimum:g} to {maximum:g}"
    return Kind(decode_number, lambda value: encode_number(value, minimum, maximum, allowed))


def integer(minimum: int, maximum: int) -> Kind[int | None]:
    """A whole number from *minimum* to *maximum*."""
    allowed = f"a whole number from {minimum} to {maximum}"

    def encode(value: Any) -> str:
        text = encode_number(value, minimum, maximum, allowed)
        if float(text) != int(float(text)):
            raise refuse(value, allowed)
        return str(int(float(text)))

    return Kind(decode_integer, encode)


def choice(*words: str) -> Kind[str]:
    """One of some words, in upper case on the wire."""

    def encode(value: Any) -> str:
        word = str(value).upper()
        if word not in words:
            raise refuse(value, "one of " + ", ".join(words))
        return word

    return Kind(str, encode)


def one_of(*numbers: float) -> Callable[[Any], str]:
    """Return an ``encode`` for one of some numbers."""

    def encode(value: Any) -> str:
        for allowed in numbers:
            if not isinstance(value, bool) and str(value).strip() in (str(allowed), f"{float(allowed)}"):
                return str(allowed)
        raise refuse(value, "one of " + ", ".join(map(str, numbers)))

    return encode


NUMBER = Kind(decode_number, read_only)
INTEGER = Kind(decode_integer, read_only)
TEXT = Kind(unquote, read_only)
STRING = Kind(unquote, encode_string)
ON_OFF = Kind(decode_flag, lambda value: encode_flag(value, "ON", "OFF"))
YES_NO = Kind(decode_flag, lambda value: encode_flag(value, "YES", "NO"))
DATE = Kind(decode_date, encode_date)
TIME = Kind(decode_time, encode_time)
DONE = Kind(lambda text: None, read_only)

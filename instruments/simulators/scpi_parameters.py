"""What the parameters of a SCPI command may be, and how values are answered (IEEE 488.2, 7.7 and 8.7)."""

from __future__ import annotations

import re
from typing import Any, Protocol

from .scpi_errors import ScpiError
from .scpi_grammar import block_end, forms, matches

DECIMAL = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[Ee]\s*[+-]?\d+)?)\s*([A-Za-z%/]*)")

NON_DECIMAL = re.compile(r"#([HQBhqb])([0-9A-Fa-f]+)")

CHARACTERS = re.compile(r"[A-Za-z]\w*")

#: Multipliers of suffixes (IEEE 488.2, table 7-2).
MULTIPLIERS = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
    "F": 1e-15,
    "A": 1e-18,
}


class Parameter(Protocol):
    """A kind of parameter."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        """Return the value that is written; *default* is that of ``DEFault``.

        Raises:
            ScpiError: it is none that this parameter may have.
        """
        ...

    def format(self, value: Any) -> bytes:
        """Return how a value is answered."""
        ...


class Number:
    """A number between limits, with the suffixes of a unit; answered as NR3.

    Args:
        minimum: the smallest that is accepted, and what ``MINimum`` means.
        maximum: the largest, and ``MAXimum``.
        unit: in upper case, such as V, S, HZ; without one no suffix is allowed.
    """

    def __init__(self, minimum: float, maximum: float, unit: str = "") -> None:
        self.minimum, self.maximum, self.unit = minimum, maximum, unit

    def parse(self, data: bytes, default: Any = None) -> Any:
        value = self._value(text_of(data), default)
        if not self.minimum <= value <= self.maximum:
            raise ScpiError(-222)
        return value

    def format(self, value: Any) -> bytes:
        return b"%+.8E" % value

    def _value(self, text: str, default: Any) -> float:
        if match := DECIMAL.fullmatch(text):
            return float(re.sub(r"\s", "", match.group(1))) * self._multiplier(match.group(2).upper())
        if match := NON_DECIMAL.fullmatch(text):
            try:
                return int(match.group(2), {"H": 16, "Q": 8, "B": 2}[match.group(1).upper()])
            except ValueError:
                raise ScpiError(-121) from None
        if matches("MINimum", text):
            return self.minimum
        if matches("MAXimum", text):
            return self.maximum
        if matches("DEFault", text) and default is not None:
            return float(default)
        raise ScpiError(wrong_type(text))

    def _multiplier(self, suffix: str) -> float:
        if not suffix:
            return 1.0
        if not self.unit:
            raise ScpiError(-138)
        if suffix in ("MHZ", "MOHM") and suffix.endswith(self.unit):
            return 1e6
        multiplier = MULTIPLIERS.get(suffix.removesuffix(self.unit))
        if multiplier is None or not suffix.endswith(self.unit):
            raise ScpiError(-131)
        return multiplier


class Integer(Number):
    """A whole number; others are rounded, as IEEE 488.2 (7.7.2) asks for. Answered as NR1."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        value = self._value(text_of(data), default)
        if not self.minimum <= round_half_up(value) <= self.maximum:
            raise ScpiError(-222)
        return round_half_up(value)

    def format(self, value: Any) -> bytes:
        return b"%d" % value


class Boolean:
    """``ON``, ``OFF`` or a number, which is off if it rounds to 0; answered as 1 or 0."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        text = text_of(data)
        if text.upper() in ("ON", "OFF"):
            return text.upper() == "ON"
        if DECIMAL.fullmatch(text) is None:
            raise ScpiError(-224 if CHARACTERS.fullmatch(text) else wrong_type(text))
        return Integer(-1e9, 1e9).parse(data) != 0

    def format(self, value: Any) -> bytes:
        return b"1" if value else b"0"


class Choice:
    """One of some keywords, in the long or the short form; answered in the short form."""

    def __init__(self, *keywords: str) -> None:
        self.keywords = keywords

    def parse(self, data: bytes, default: Any = None) -> Any:
        text = text_of(data)
        if CHARACTERS.fullmatch(text) is None:
            raise ScpiError(wrong_type(text))
        for keyword in self.keywords:
            if matches(keyword, text):
                return forms(keyword)[1]
        raise ScpiError(-224)

    def format(self, value: Any) -> bytes:
        return str(value).encode()


class Name:
    """Any word; kept in upper case."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        text = text_of(data)
        if CHARACTERS.fullmatch(text) is None:
            raise ScpiError(wrong_type(text))
        return text.upper()

    def format(self, value: Any) -> bytes:
        return str(value).encode()


class String:
    """Text in quotation marks, which are doubled within; answered in double ones."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        text = text_of(data)
        if text[:1] not in ('"', "'"):
            raise ScpiError(wrong_type(text))
        quote, inner = text[0], text[1:-1].replace(text[0] * 2, "")
        if len(text) < 2 or text[-1] != quote or quote in inner:
            raise ScpiError(-151)
        return text[1:-1].replace(quote * 2, quote)

    def format(self, value: Any) -> bytes:
        return b'"%b"' % str(value).replace('"', '""').encode("latin-1")


class Block:
    """Any bytes, as a definite block, or as an indefinite one at the end of a message; answered as definite one."""

    def parse(self, data: bytes, default: Any = None) -> Any:
        data = data.lstrip()
        if data[:1] != b"#" or not data[1:2].isdigit():
            raise ScpiError(wrong_type(text_of(data[:80])))
        digits = int(data[1:2])
        end = block_end(data, 0)
        if data[end:].strip():
            raise ScpiError(-161)
        return data[2 + digits : end]

    def format(self, value: Any) -> bytes:
        return definite_block(value)


class Optional:
    """A parameter that may be left out, which is None, at the end of a command."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter

    def parse(self, data: bytes, default: Any = None) -> Any:
        return self.parameter.parse(data, default)

    def format(self, value: Any) -> bytes:
        return self.parameter.format(value)


def parse_arguments(parameters: tuple[Parameter, ...], arguments: list[bytes]) -> list[Any]:
    """Return the values of a command's parameters.

    Raises:
        ScpiError: there are too many or too few, or one of them cannot have this value.
    """
    if len(arguments) > len(parameters):
        raise ScpiError(-108)
    values = [parameter.parse(data) for parameter, data in zip(parameters, arguments, strict=False)]
    for parameter in parameters[len(arguments) :]:
        if not isinstance(parameter, Optional):
            raise ScpiError(-109)
        values.append(None)
    return values


def definite_block(data: bytes, digits: int = 0) -> bytes:
    """Return data as a definite block (IEEE 488.2, 8.7.9).

    Args:
        data: what it holds.
        digits: of the length, with leading zeros; 0 for as many as it takes.
    """
    length = b"%0*d" % (digits, len(data))
    return b"#%d%b%b" % (len(length), length, data)


def text_of(data: bytes) -> str:
    """Return a parameter as text, without the white space around it."""
    return data.decode("latin-1").strip()


def round_half_up(value: float) -> int:
    """Return the nearest whole number, the one further from 0 of two."""
    return int(abs(value) + 0.5) * (1 if value >= 0 else -1)


def wrong_type(text: str) -> int:
    """Return the error for a parameter of a type that a command does not take."""
    if not text:
        return -109
    if text[0] in "\"'":
        return -158
    if text[0] == "#":
        return -168
    if text[0] == "(":
        return -178
    if DECIMAL.fullmatch(text):
        return -128
    return -148 if CHARACTERS.fullmatch(text) else -104

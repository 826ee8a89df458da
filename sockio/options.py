"""The options of a resource: what each may be, and how it is written in a resource string."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Option:
    """What an option may be, and how it is written in a resource string."""

    allowed = "some text"

    def check(self, value: Any) -> Any:
        """The value in its normal form. Raises a bare `ValueError` when it is not allowed."""
        if not isinstance(value, str) or not value:
            raise ValueError
        return value

    def read(self, text: str) -> Any:
        """The value of a percent-encoded text. Raises a bare `ValueError` when it is not allowed."""
        return self.convert(unquote(text))

    def convert(self, text: str) -> Any:
        """The value of a plain text. Raises a bare `ValueError` when it is not allowed."""
        return self.check(text)

    def write(self, value: Any) -> str:
        """The percent-encoded text of a value; an empty text is that of an option without ``=``."""
        return quote(str(value))


class Seconds(Option):
    allowed = "a number of seconds, 0 or more"

    def check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise ValueError
        return abs(float(value))

    def convert(self, text: str) -> float:
        if not set(text) <= set("0123456789.+-eE"):
            raise ValueError
        return self.check(float(text))


class Integer(Option):
    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest = lowest
        self.highest = highest
        self.allowed = f"an integer from {lowest} to {highest}"

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.lowest <= value <= self.highest:
            raise ValueError
        return value

    def convert(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError
        return self.check(int(text))


class USBIdentifier(Option):
    allowed = "a hexadecimal number of up to four digits, such as 0403"

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFF:
            raise ValueError
        return value

    def convert(self, text: str) -> int:
        digits = text.lower().removeprefix("0x")
        if not digits or not set(digits) <= set("0123456789abcdef"):
            raise ValueError
        return self.check(int(digits, 16))

    def write(self, value: Any) -> str:
        return f"{value:04x}"


class Choice(Option):
    def __init__(self, *choices: Any) -> None:
        self.choices = choices
        self.allowed = f"one of {', '.join(map(str, choices))}"

    def check(self, value: Any) -> Any:
        for choice in self.choices:
            if value == choice and not isinstance(value, bool):
                return choice
        raise ValueError

    def convert(self, text: str) -> Any:
        for choice in self.choices:
            if text.lower() == str(choice).lower():
                return choice
        raise ValueError


class Flag(Option):
    allowed = "true or false"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    def convert(self, text: str) -> bool:
        if text.lower() in ("", "true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise ValueError

    def write(self, value: Any) -> str:
        return "" if value else "false"


class Terminator(Option):
    allowed = r"at least one byte, such as \n, \r\n or %0D%0A"

    def check(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or not value:
            raise ValueError
        return value

    def read(self, text: str) -> bytes:
        import re
        from urllib.parse import unquote_to_bytes

        return self.check(re.sub(rb"(?s)\\(x[0-9a-fA-F]{2}|.|$)", _unescape, unquote_to_bytes(text)))

    def write(self, value: Any) -> str:
        from urllib.parse import quote_from_bytes

        return quote_from_bytes(value.replace(b"\\", rb"\\"), safe="")


COMMON: dict[str, Option] = {
    "timeout": Seconds(),
    "connection_timeout": Seconds(),
    "quiet": Seconds(),
    "eol": Terminator(),
}
SERIAL = COMMON | {
    "baudrate": Integer(1, 2**32 - 1),
    "bytesize": Choice(5, 6, 7, 8),
    "parity": Choice("N", "E", "O", "M", "S"),
    "stopbits": Choice(1, 1.5, 2),
    "xonxoff": Flag(),
    "rtscts": Flag(),
}
#: What pyserial reads from the URL of an RFC 2217 server.
RFC2217_FLAGS: dict[str, Option] = {
    "ign_set_control": Flag(),
    "poll_modem": Flag(),
    "logging": Choice("debug", "info", "warning", "error"),
}
RFC2217 = SERIAL | RFC2217_FLAGS
IDENTITY: dict[str, Option] = {
    "vid": USBIdentifier(),
    "pid": USBIdentifier(),
    "sn": Option(),
    "location": Option(),
}
#: The number of an interface board in the names of VISA.
BOARD = Integer(0, 10**9 - 1)


def check_option(name: str, value: Any) -> Any:
    """An option's value in its normal form, for example ``check_option("parity", "E")``.

    Raises:
        ValueError: it is not allowed; the message says what is.
    """
    return check(name, RFC2217[name], value)


def check(name: str, option: Option, value: Any) -> Any:
    """The value in its normal form. Raises a `ValueError` that says what is allowed."""
    try:
        return option.check(value)
    except ValueError:
        raise ValueError(f"{name} must be {option.allowed}, got {value!r}") from None


def read_options(query: dict[str, str], table: dict[str, Option]) -> dict[str, Any]:
    """The values of percent-encoded texts. Raises a `ValueError` that says what is allowed."""
    options: dict[str, Any] = {}
    for name, text in query.items():
        if name not in table:
            raise ValueError(f"unknown option {name!r}, allowed are {', '.join(table)}")
        try:
            options[name] = table[name].read(text)
        except ValueError:
            raise ValueError(f"{name} must be {table[name].allowed}, got {text!r}") from None
    return options


def read_option(name: str, option: Option, text: str) -> Any:
    """The value of a plain text. Raises a `ValueError` that says what is allowed."""
    try:
        return option.convert(text)
    except ValueError:
        raise ValueError(f"{name} must be {option.allowed}, got {text!r}") from None


def write_option(name: str, option: Option, value: Any) -> str:
    """An option as it is written in a resource string."""
    text = option.write(value)
    return f"{name}={text}" if text else name


def quote(text: str, safe: str = "") -> str:
    """Percent-encode; bytes that were no UTF-8, in the name of a file perhaps, come back as they were."""
    from urllib.parse import quote

    return quote(text, safe=safe, errors="surrogateescape")


def unquote(text: str) -> str:
    """Undo `quote`."""
    from urllib.parse import unquote

    return unquote(text, errors="surrogateescape")


def _unescape(match: Any) -> bytes:
    code: bytes = match.group(1)
    if code[:1] == b"x" and len(code) == 3:
        return bytes([int(code[1:], 16)])
    known = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
    if code not in known:
        raise ValueError
    return known[code]

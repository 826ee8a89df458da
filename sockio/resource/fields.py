"""The fields of a resource string between its double colons, and the stream that some of them stand for."""

from __future__ import annotations

import re
from typing import Any

from ..options import SERIAL, quote, read_option
from .address import Address
from .hosts import split_host_port, write_host
from .url import HostAddress, SerialAddress, is_url, read_url

#: Data bits, parity and stop bits.
_CHARACTER = re.compile(r"([5-8])([NEOMS])(1\.5|1|2)", re.IGNORECASE | re.ASCII)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_SETTINGS = ("baudrate", "bytesize", "parity", "stopbits")


def split_fields(text: str) -> list[str]:
    """What stands between the double colons; those inside of brackets separate nothing."""
    return re.split(r"::(?![^\[]*\])", text)


def check_text(name: str, text: str) -> str:
    """The text itself, if it can stand at the end of a resource string."""
    given: object = text
    if not isinstance(given, str):
        raise TypeError(f"{name} must be a str, got {type(text).__name__}: {text!r}")
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError(f"{name} must be some text without control characters or spaces at its ends, got {text!r}")
    return text


def check_field(name: str, text: str) -> str:
    """The text itself, if it can stand between double colons."""
    if split_fields(f"::{check_text(name, text)}::") != ["", text, ""]:
        raise ValueError(f"{name} must be a text without double colons and open brackets, got {text!r}")
    return text


def refuse_rest(fields: list[str], last: str) -> None:
    """Raise a `ValueError` if anything follows the last field that a resource string of this kind has."""
    if fields:
        raise ValueError(f"expected nothing after the {last}, got {'::'.join(fields)!r}")


def read_tcp(text: str) -> HostAddress:
    """The address of ``host:port``."""
    return HostAddress("tcp", *split_host_port(text))


def read_settings(fields: list[str]) -> dict[str, Any]:
    """The options in ``9600::8N1``, or in a baud rate alone; none for no fields."""
    options: dict[str, Any] = {}
    if fields:
        options["baudrate"] = read_option("baud rate", SERIAL["baudrate"], fields[0])
    if len(fields) > 1:
        match = _CHARACTER.fullmatch(fields[1])
        if match is None:
            raise ValueError(f"expected data bits, parity and stop bits, such as 8N1 or 7E2, got {fields[1]!r}")
        for name, text in zip(_SETTINGS[1:], match.groups(), strict=True):
            options[name] = SERIAL[name].convert(text)
    refuse_rest(fields[2:], "data bits, parity and stop bits")
    return options


def check_link(link: Address) -> SerialAddress | HostAddress:
    """The address itself, if it is one of a link between a computer and a bus."""
    if not isinstance(link, (SerialAddress, HostAddress)):
        raise ValueError(f"expected a serial port, host:port or their URL, got {str(link)!r}")
    return link


def take_link(fields: list[str], *, settings: bool = False) -> tuple[SerialAddress | HostAddress, list[str]]:
    """The stream that the first fields stand for, and the fields after it.

    It is ``host:port``, the URL of a stream, or the name of a serial port, perhaps with settings: ``COM3::9600::8N1``.

    Args:
        fields: one at least.
        settings: whether they have to follow a serial port's name.
    """
    name, *rest = fields
    if is_url(name):
        return check_link(read_url(name)), rest
    if name.startswith("[") or (":" in name and not name.startswith("/")):
        return read_tcp(name), rest
    if _IPV4.fullmatch(name):
        raise ValueError(f"expected host:port, got {name!r}")
    if settings or (len(rest) > 1 and _CHARACTER.fullmatch(rest[1])):
        if len(rest) < 2:
            raise ValueError(
                f"expected host:port, or a serial port with its settings, such as COM3::9600::8N1, "
                f"got {'::'.join(fields)!r}"
            )
        return read_serial([name, *rest[:2]]), rest[2:]
    return read_serial([name]), rest


def read_serial(fields: list[str]) -> SerialAddress:
    """The address of ``/dev/ttyUSB0``, ``/dev/ttyUSB0::9600`` or ``/dev/ttyUSB0::9600::8N1``."""
    name = fields[0]
    if not name or "://" in name:
        raise ValueError(f"expected a serial port, such as /dev/ttyUSB0 or COM3, got {name!r}")
    return SerialAddress(check_field("serial port", name), read_settings(fields[1:]))


def write_link(link: SerialAddress | HostAddress, *, settings: bool = False) -> str:
    """What `take_link` reads."""
    if link.scheme == "tcp" and isinstance(link, HostAddress) and not link.options:
        return write_host(link.host, link.port)
    if isinstance(link, SerialAddress) and link.port and _is_bare(link.port):
        if tuple(link.options) == _SETTINGS:
            return "{}::{}::{}{}{}".format(link.port, *link.options.values())
        if not link.options and not settings:
            return link.port
    return str(link)


def _is_bare(port: str) -> bool:
    """Whether a serial port's name cannot be taken for anything else."""
    return quote(port, safe="/") == port and not _IPV4.fullmatch(port)

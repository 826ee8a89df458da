"""From ``module:Class`` and a URL to a driver."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sockio import aio
from sockio.resource import parse
from sockio.urls import stream_for_url

from ..base import Driver, Standalone
from .operations import Parameter, operation_of

#: The drivers that come with sockio, for which their short names will do.
KNOWN = {
    "can": "instruments.can:CanBus",
    "cryocon": "instruments.cryocon:CryoCon",
    "gct": "instruments.can:GctCanBus",
    "modbus": "instruments.modbus:ModBusDevice",
    "scpi": "instruments.scpi:Instrument",
}

#: Seconds for a call, and for connecting, where the URL does not say: less than Tango's clients wait, which is 3.
TIMEOUT = 1.0


class Nowhere:
    """Stands for the connection of a driver that is looked at and not used."""

    async def write_readline(self, data: bytes) -> bytes:
        """Fail."""
        raise ConnectionError("there is no connection")

    async def write(self, data: bytes) -> None:
        """Fail."""
        raise ConnectionError("there is no connection")


def driver_class(name: str) -> type[Driver]:
    """Return a driver class by its name.

    Args:
        name: ``module:Class``, or the short name of a driver that comes with sockio.

    Raises:
        ValueError: there is none; the message says what there is.
    """
    known = "known are " + ", ".join(f"{short} ({full})" for short, full in KNOWN.items())
    module_name, colon, class_name = KNOWN.get(name, name).partition(":")
    if not colon or not module_name or not class_name:
        raise ValueError(f"driver {name!r}: expected module:Class; {known}")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, and misses something else
        raise ValueError(f"driver {name!r}: there is no module {error.name!r}; {known}") from None
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, Driver):
        return found
    offered = [each for each, value in inspect.getmembers(module) if is_driver_class(value)]
    has = f"its drivers are {', '.join(offered)}" if offered else f"it has no drivers; {known}"
    raise ValueError(f"driver {name!r}: {module_name} has no driver {class_name!r}; {has}")


def is_driver_class(value: object) -> bool:
    """Tell whether something is a class of drivers, beyond the bases of all."""
    return isinstance(value, type) and issubclass(value, Driver) and value not in (Driver, Standalone)


def options_of(cls: type[Driver]) -> list[Parameter]:
    """Return the parameters of a driver's constructor, beyond the connection, that a property can give."""
    parameters = operation_of(cls.__init__, (), "__init__", "").parameters[1:]
    return [each for each in parameters if each.type is not None and each.type.element not in ("bytes", "none")]


def connected_to(cls: type[Driver], url: str, options: Mapping[str, Any]) -> Driver:
    """Return a driver for the instrument at a URL. It connects at its first call.

    Args:
        cls: of the driver.
        url: a URL or another resource string, see `sockio.resource`.
        options: arguments of the constructor by name.

    Raises:
        ValueError: the URL is not understood, or an option cannot be.
    """
    check_url(url)
    if issubclass(cls, Standalone):
        return cls(url, **options)
    return cls(stream(url), **options)


def stream(url: str, **settings: Any) -> Any:
    """Return a stream of asyncio for a URL, which says more than *settings*."""
    settings = {"timeout": TIMEOUT, "connection_timeout": TIMEOUT, **settings}
    for name in parse(url).options:
        settings.pop(name, None)
    return stream_for_url(aio, url, **settings)


def check_url(url: str) -> None:
    """Refuse what is no URL.

    Raises:
        ValueError: the message says what is known.
    """
    if not url:
        raise ValueError("url is missing: expected where the instrument is, such as tcp://192.168.1.123:5000")
    parse(url)


def prototype(cls: type[Driver], url: str) -> Driver | type[Driver]:
    """Return a driver whose parts tell what each device has; its class alone where one cannot be made without a URL."""
    try:
        if url:
            return connected_to(cls, url, {})
        return cls if issubclass(cls, Standalone) else cls(Nowhere())
    except TypeError:
        return cls  # the constructor wants more, which properties give


async def connect(driver: Any) -> None:
    """Connect, unless that has been done; what has no connection of its own needs none."""
    target = getattr(driver, "pipe", driver)
    if hasattr(target, "connect"):
        await target.connect()
    elif driver.conn is not None and hasattr(driver.conn, "open") and not driver.conn.connected():
        await driver.conn.open()


async def disconnect(driver: Any) -> None:
    """Close the connection of a driver."""
    target = getattr(driver, "pipe", driver)
    if hasattr(target, "disconnect"):
        await target.disconnect()
    elif driver.conn is not None and hasattr(driver.conn, "close"):
        await driver.conn.close()


__all__ = [
    "KNOWN",
    "Nowhere",
    "check_url",
    "connect",
    "connected_to",
    "disconnect",
    "driver_class",
    "options_of",
    "prototype",
    "stream",
]

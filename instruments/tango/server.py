"""Device servers: ``sockio-tango --driver module:Class --url tcp://host:port instance``, and the same from Python.

::

    from instruments.tango import serve

    serve("instruments.cryocon:CryoCon", "tcp://192.168.1.123:5000", instance="lab", device="lab/cryo/1")
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base import Driver
from .classes import device_class
from .declaration import DRIVER, Declaration, declare, describe
from .declaration_file import apply, read_file
from .device import URL, DriverDevice
from .drivers import KNOWN, check_url, connected_to, driver_class, options_of, prototype
from .failures import text_of
from .framework import Database, DbDevInfo, DevFailed, GreenMode, device_property
from .framework import run as run_tango
from .operations import Parameter

#: What device servers of any driver are called in the database, unless they are given a name.
SERVER = "sockio-tango"


def devices_of(
    driver: str | type[Driver], url: str = "", declaration: str | Path | Mapping[str, Any] | None = None
) -> type[DriverDevice]:
    """Return the class of the devices of a driver.

    Args:
        driver: the class, or its name: ``module:Class``.
        url: where the instrument is, for devices that do not say so by their property ``url``.
        declaration: a file that trims and renames, or what one says.

    Raises:
        ValueError: there is no such driver, the URL is not understood, or the declaration does not fit the driver.
    """
    cls = driver_class(driver) if isinstance(driver, str) else driver
    content = read_file(declaration) if isinstance(declaration, (str, Path)) else declaration or {}
    offered = apply(content, offer(cls, url))
    options = {property_name(each): each for each in options_of(cls)}

    def make_driver(self: Any) -> Driver:
        given = {name: getattr(self, name) for name in options}
        values = {each.name: decode(each, given[name]) for name, each in options.items() if given[name] is not None}
        return connected_to(cls, self.url, values)

    properties = {name: property_of(each) for name, each in options.items()}
    properties["url"] = device_property(dtype=str, default_value=url, doc=URL)
    return device_class(offered, make_driver=make_driver, **properties)


def offer(cls: type[Driver], url: str = "") -> Declaration:
    """Return everything that a driver offers.

    Args:
        cls: of the driver.
        url: where an instrument is, which is not connected to.
    """
    return declare(prototype(cls, url), {*dir(DriverDevice), *map(property_name, options_of(cls))})


def property_name(parameter: Parameter) -> str:
    """Return what the device property for a parameter of a driver's constructor is called."""
    return DRIVER + parameter.name if hasattr(DriverDevice, parameter.name) else parameter.name


def property_of(parameter: Parameter) -> Any:
    """Return the device property for a parameter of a driver's constructor."""
    assert parameter.type is not None
    kind: Any = {"bool": bool, "int": int, "float": float, "str": str}[parameter.type.element]
    return device_property(dtype=(kind,) if parameter.type.is_list else kind, doc=f"Of the driver: {parameter}")


def decode(parameter: Parameter, value: Any) -> Any:
    """Return what a property says, as the driver takes it."""
    assert parameter.type is not None
    assert parameter.type.decode is not None
    try:
        return parameter.type.decode(value)
    except ValueError as problem:
        raise ValueError(f"{parameter.name}: {problem}") from None


def serve(
    driver: str | type[Driver],
    url: str = "",
    *,
    declaration: str | Path | Mapping[str, Any] | None = None,
    instance: str = "1",
    device: str | Iterable[str] = (),
    server: str = SERVER,
    database: bool = True,
    port: int | None = None,
    options: Sequence[str] = (),
) -> None:
    """Serve the devices of a driver, until the server is killed.

    Args:
        driver: the class, or its name: ``module:Class``.
        url: where the instrument is, for devices that do not say so by their property ``url``.
        declaration: a file that trims and renames, or what one says.
        instance: of the server, by which the database knows its devices.
        device: names of devices. They are registered in the database, unless they are already; without a database
            there are no others.
        server: what it is called in the database.
        database: whether there is one. ``TANGO_HOST`` says where.
        port: at which clients connect; any without it.
        options: more for Tango, such as ``-v4``.

    Raises:
        ValueError: as `devices_of`.
        DevFailed: the database cannot be reached, or refuses.
    """
    cls = devices_of(driver, url, declaration)
    names = [device] if isinstance(device, str) else list(device)
    run([cls], server, instance, names, database=database, port=port, options=options, url=url)


def run(
    classes: Sequence[type[DriverDevice]],
    server: str,
    instance: str,
    devices: Sequence[str] = (),
    *,
    database: bool = True,
    port: int | None = None,
    options: Sequence[str] = (),
    url: str = "",
) -> None:
    """Serve devices of one or several classes, until the server is killed.

    Args:
        classes: as `devices_of` makes them, of different names.
        devices: names of devices of the first class. Those of others are registered with `register`.
        server, instance, database, port, options, url: as for `serve`.
    """
    arguments = [server, instance, *options]
    if database:
        for name in devices:
            register(name, classes[0].declaration.name, f"{server}/{instance}", url)
    else:
        if not devices:
            raise ValueError("without a database, tell the names of the devices, such as lab/cryo/1")
        arguments += ["-nodb", "-dlist", ",".join(devices)]
    if port is not None:
        arguments += ["-ORBendPoint", f"giop:tcp::{port}"]
    run_tango(classes, args=arguments, green_mode=GreenMode.Asyncio)


def register(name: str, class_name: str, server: str, url: str = "") -> None:
    """Register a device in the database, unless that has been done; tell where its instrument is, unless it says so.

    Args:
        name: of the device, such as ``lab/cryo/1``.
        class_name: of the device.
        server: of the server and its instance, such as ``sockio-tango/lab``.
        url: where the instrument is.

    Raises:
        ValueError: another server has a device of this name, or it is of another class.
        DevFailed: the database cannot be reached, or refuses.
    """
    database = Database()
    try:
        present = database.get_device_info(name)
    except DevFailed:
        info = DbDevInfo()
        info.name, info._class, info.server = name, class_name, server
        database.add_device(info)
    else:
        if present.ds_full_name.lower() != server.lower():
            raise ValueError(f"{name} belongs to the server {present.ds_full_name} already, and cannot be in {server}")
        if present.class_name.lower() != class_name.lower():
            raise ValueError(
                f"{name} is registered as a {present.class_name}, and would be a {class_name}: "
                f"take it out of the database first, or choose another name"
            )
    if url and not database.get_device_property(name, "url")["url"]:
        database.put_device_property(name, {"url": [url]})


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the devices of a driver, as the command line says."""
    sys.path.append(os.getcwd())  # for a driver of one's own, as `python -m` does
    parser = command_line()
    given, rest = parser.parse_known_args(arguments)

    def make() -> type[DriverDevice]:
        content = read_file(given.declaration) if given.declaration else {}
        driver = given.driver or content.get("driver")
        given.url = given.url or str(content.get("url", ""))
        if not driver:
            raise ValueError("--driver is missing: expected module:Class; known are " + ", ".join(KNOWN))
        return devices_of(driver, given.url, content)

    run_as_told(parser, given, rest, given.server, make)


def run_as_told(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    rest: Sequence[str],
    server: str,
    make: Callable[[], type[DriverDevice]],
) -> None:
    """Serve devices as a command line says; end with a message if that cannot be.

    Args:
        parser: what has read the command line.
        given: what it has found, see `add_arguments`.
        rest: what is for Tango.
        server: what the server is called in the database.
        make: returns the class of the devices.
    """
    try:
        if given.url:
            check_url(given.url)
        cls = make()
        if given.describe:
            print(describe(cls.declaration))
            return
        if given.instance is None:
            raise ValueError("the name of the instance is missing, by which the database knows the server")
        database = not given.no_database
        run(
            [cls], server, given.instance, given.device, database=database, port=given.port, options=rest, url=given.url
        )
    except (ValueError, OSError, ImportError) as problem:
        parser.exit(2, f"{parser.prog}: {problem}\n")
    except DevFailed as problem:
        parser.exit(1, f"{parser.prog}: {text_of(problem)}\n")


def command_line() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog=SERVER,
        description="Serve instruments as Tango devices, by their drivers.",
        epilog="Options that are not listed go to Tango, such as -v4 or -ORBendPoint giop:tcp::10001.",
    )
    parser.add_argument(
        "--driver", metavar="MODULE:CLASS", help=f"the driver; the first part alone will do for {', '.join(KNOWN)}"
    )
    parser.add_argument("--declaration", metavar="FILE", help="trims and renames what the driver offers; YAML or TOML")
    parser.add_argument("--server", default=SERVER, help="what the server is called in the database (%(default)s)")
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what all device servers can be told."""
    parser.add_argument("instance", nargs="?", help="by which the database knows the server and its devices")
    parser.add_argument("--url", default="", help="where the instrument is, for devices without a property url")
    parser.add_argument(
        "--device", action="append", default=[], metavar="NAME", help="register this device, unless it is; repeatable"
    )
    parser.add_argument("--no-database", action="store_true", help="serve the devices of --device without a database")
    parser.add_argument("--port", type=int, help="at which clients connect; any without it")
    parser.add_argument("--describe", action="store_true", help="print what the devices offer, and end")


if __name__ == "__main__":
    main()

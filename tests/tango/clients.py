"""A Tango client for tests, to be run in a process of its own: what it gives are plain values."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.managers import BaseManager
from typing import Any

import tango

#: One reading: its value, its quality, and what the error says, if there is one.
Reading = tuple[Any, str, str]

KINDS = {
    "change": tango.EventType.CHANGE_EVENT,
    "alarm": tango.EventType.ALARM_EVENT,
    "archive": tango.EventType.ARCHIVE_EVENT,
}


class Refused(Exception):
    """The server has refused: its reason, and what it says."""

    @property
    def reason(self) -> str:
        return str(self.args[0])

    @property
    def text(self) -> str:
        return str(self.args[1])


def plain(value: Any) -> Any:
    """Return a value without numpy and PyTango in it."""
    if isinstance(value, (tango.DevState, tango.AttrQuality)):
        return value.name
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def reading(attribute: Any) -> Reading:
    """Return one reading."""
    if attribute.has_failed:
        return None, "", " ".join(str(each.desc) for each in attribute.get_err_stack())
    return plain(attribute.value), attribute.quality.name, ""


def refusing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Have a method raise `Refused`, which can be carried to another process."""

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except tango.DevFailed as error:
            first = error.args[0]
            raise Refused(first.reason, " ".join(str(each.desc) for each in error.args)) from None

    return call


class Client:
    """Proxies of devices, and the events that they have received."""

    def __init__(self) -> None:
        self._proxies: dict[str, tango.DeviceProxy] = {}
        self._events: dict[tuple[str, str, str], list[Reading]] = {}
        self._lock = threading.Lock()

    def _proxy(self, device: str) -> tango.DeviceProxy:
        if device not in self._proxies:
            self._proxies[device] = tango.DeviceProxy(device)
        return self._proxies[device]

    @refusing
    def ping(self, device: str) -> None:
        self._proxy(device).ping()

    def patience(self, device: str, seconds: float) -> None:
        """Wait longer for replies of a device than Tango's three seconds."""
        self._proxy(device).set_timeout_millis(int(seconds * 1000))

    @refusing
    def state(self, device: str) -> tuple[str, str]:
        proxy = self._proxy(device)
        return proxy.state().name, proxy.status()

    @refusing
    def attributes(self, device: str) -> list[str]:
        return list(self._proxy(device).get_attribute_list())

    @refusing
    def commands(self, device: str) -> dict[str, tuple[str, str]]:
        found = self._proxy(device).command_list_query()
        return {each.cmd_name: (str(each.in_type), str(each.out_type)) for each in found}

    @refusing
    def config(self, device: str, name: str) -> dict[str, Any]:
        found = self._proxy(device).get_attribute_config(name)
        texts = ("label", "unit", "min_value", "max_value", "description", "format")
        kind = tango.CmdArgType.values[found.data_type].name
        return {**{text: getattr(found, text) for text in texts}, "writable": found.writable.name, "type": kind}

    @refusing
    def read(self, device: str, *names: str) -> list[Reading]:
        return [reading(each) for each in self._proxy(device).read_attributes(list(names))]

    @refusing
    def read_all(self, devices: list[str], name: str) -> list[Reading]:
        """Read an attribute of several devices at once."""
        proxies = [self._proxy(device) for device in devices]
        calls = [proxy.read_attributes_asynch([name]) for proxy in proxies]
        return [
            reading(proxy.read_attributes_reply(call, 20000)[0]) for proxy, call in zip(proxies, calls, strict=True)
        ]

    @refusing
    def write(self, device: str, name: str, value: Any) -> None:
        self._proxy(device).write_attribute(name, value)

    @refusing
    def command(self, device: str, name: str, *argument: Any) -> Any:
        return plain(self._proxy(device).command_inout(name, *argument))

    @refusing
    def subscribe(self, device: str, name: str, kind: str = "change") -> None:
        received = self._events.setdefault((device, name, kind), [])

        def take(event: Any) -> None:
            if event.err:
                found: Reading = (None, "", " ".join(str(each.desc) for each in event.errors))
            else:
                found = reading(event.attr_value)
            with self._lock:
                received.append(found)

        self._proxy(device).subscribe_event(name, KINDS[kind], take)

    def events(self, device: str, name: str, kind: str = "change") -> list[Reading]:
        with self._lock:
            return list(self._events[device, name, kind])

    @refusing
    def alarm(self, device: str, name: str, above: str) -> None:
        """Set the value above which an attribute is in alarm."""
        proxy = self._proxy(device)
        config = proxy.get_attribute_config(name)
        config.alarms.max_alarm = above
        proxy.set_attribute_config(config)

    @refusing
    def register(self, server: str, cls: str, device: str) -> None:
        info = tango.DbDevInfo()
        info.name, info._class, info.server = device, cls, server
        tango.Database().add_device(info)

    @refusing
    def put(self, device: str, **properties: list[str]) -> None:
        """Set properties of a device; an empty list removes one."""
        database = tango.Database()
        for name, values in properties.items():
            if values:
                database.put_device_property(device, {name: values})
            else:
                database.delete_device_property(device, {name: []})

    @refusing
    def get(self, device: str, name: str) -> list[str]:
        return list(tango.Database().get_device_property(device, name)[name])

    @refusing
    def devices_of(self, server: str) -> list[str]:
        return list(tango.Database().get_device_class_list(server))


class Manager(BaseManager):
    """Runs a client in a process of its own."""


Manager.register("Client", Client)

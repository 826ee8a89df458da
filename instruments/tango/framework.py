"""What is used of PyTango, which has no types that checkers could follow."""

from __future__ import annotations

from typing import Any

from ..devices import optional

_tango: Any = optional("tango", "Tango devices need the PyTango package: pip install sockio[tango]")
_server: Any = optional("tango.server", "Tango devices need the PyTango package: pip install sockio[tango]")

AttrQuality: Any = _tango.AttrQuality
AttrWriteType: Any = _tango.AttrWriteType
Database: Any = _tango.Database
DbDevInfo: Any = _tango.DbDevInfo
DevFailed: type[Exception] = _tango.DevFailed
DevState: Any = _tango.DevState
DevUChar: Any = _tango.DevUChar
Device: Any = _server.Device
EventType: Any = _tango.EventType
Except: Any = _tango.Except
GreenMode: Any = _tango.GreenMode
Util: Any = _tango.Util
attribute: Any = _server.attribute
command: Any = _server.command
device_property: Any = _server.device_property
get_executor: Any = _tango.green.get_executor
run: Any = _server.run

__all__ = [
    "AttrQuality",
    "AttrWriteType",
    "Database",
    "DbDevInfo",
    "DevFailed",
    "DevState",
    "DevUChar",
    "Device",
    "EventType",
    "Except",
    "GreenMode",
    "Util",
    "attribute",
    "command",
    "device_property",
    "get_executor",
    "run",
]

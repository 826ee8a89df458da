"""Modbus devices, over TCP and over RTU.

::

    from instruments.modbus import ModBusDevice

    device = ModBusDevice("modbus::tcp::192.168.1.20:502::1")
    print(await device.read_holding(0x10, 2))
"""

from __future__ import annotations

from .device import ModBusDevice
from .errors import ModbusError
from .pipeline import Answer, Pipeline
from .station import Station as Station
from .tables import Tables as Tables
from .typed import TypedValues as TypedValues

__all__ = ["Answer", "ModBusDevice", "ModbusError", "Pipeline"]

"""Drivers for laboratory instruments, over any connection of `sockio` or one of your own.

What is made from a resource string is for asyncio and trio here, and blocks in `instruments.sio`::

    from instruments import ScpiPipe

    pipe = ScpiPipe("tcp::192.168.1.12:5025")
    print(await pipe.query("*IDN?"))
"""

from __future__ import annotations

from sockio.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .byte_stream import ByteStreamPipe
    from .can import CanBus, DataMessage, GctCanBus, RemoteMessage
    from .cobs_stream import CobsStream
    from .comsrv import ComSrv
    from .devices import CanDevice, CanDriverType, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
    from .hid import HidDevice, enumerate_hid_devices
    from .modbus import ModBusDevice, ModbusError
    from .scpi import ErrorEntry, InstrumentError, ScpiPipe, SerialScpiPipe
    from .sigrok import SigrokDevice
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "ByteStreamPipe": ".byte_stream",
            "CanBus": ".can",
            "CanDevice": ".devices",
            "CanDriverType": ".devices",
            "CobsStream": ".cobs_stream",
            "ComSrv": ".comsrv",
            "DataMessage": ".can",
            "ErrorEntry": ".scpi",
            "FtdiDeviceInfo": ".devices",
            "GctCanBus": ".can",
            "HidDevice": ".hid",
            "HidDeviceInfo": ".devices",
            "InstrumentError": ".scpi",
            "ModBusDevice": ".modbus",
            "ModbusError": ".modbus",
            "RemoteMessage": ".can",
            "ScpiPipe": ".scpi",
            "SerialScpiPipe": ".scpi",
            "SigrokDevice": ".sigrok",
            "SigrokDeviceInfo": ".devices",
            "enumerate_hid_devices": ".hid",
        },
    )

__all__ = [
    "ByteStreamPipe",
    "CanBus",
    "CanDevice",
    "CanDriverType",
    "CobsStream",
    "ComSrv",
    "DataMessage",
    "ErrorEntry",
    "FtdiDeviceInfo",
    "GctCanBus",
    "HidDevice",
    "HidDeviceInfo",
    "InstrumentError",
    "ModBusDevice",
    "ModbusError",
    "RemoteMessage",
    "ScpiPipe",
    "SerialScpiPipe",
    "SigrokDevice",
    "SigrokDeviceInfo",
    "enumerate_hid_devices",
]

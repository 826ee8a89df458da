"""Drivers for laboratory instruments, over any connection of `sockio` or one of your own.

What is made from a resource string is for asyncio and trio here, and blocks in `instruments.sio`::

    from instruments import ScpiPipe

    pipe = ScpiPipe("tcp::192.168.1.12:5025")
    print(await pipe.query("*IDN?"))
"""

from __future__ import annotations

from .lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .byte_stream import ByteStreamPipe
    from .cobs_stream import CobsStream
    from .comsrv import ComSrv
    from .devices import CanDevice, CanDriverType, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
    from .scpi import ErrorEntry, InstrumentError, ScpiPipe, SerialScpiPipe
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "ByteStreamPipe": ".byte_stream",
            "CanDevice": ".devices",
            "CanDriverType": ".devices",
            "CobsStream": ".cobs_stream",
            "ComSrv": ".comsrv",
            "ErrorEntry": ".scpi",
            "FtdiDeviceInfo": ".devices",
            "HidDeviceInfo": ".devices",
            "InstrumentError": ".scpi",
            "ScpiPipe": ".scpi",
            "SerialScpiPipe": ".scpi",
            "SigrokDeviceInfo": ".devices",
        },
    )

__all__ = [
    "ByteStreamPipe",
    "CanDevice",
    "CanDriverType",
    "CobsStream",
    "ComSrv",
    "ErrorEntry",
    "FtdiDeviceInfo",
    "HidDeviceInfo",
    "InstrumentError",
    "ScpiPipe",
    "SerialScpiPipe",
    "SigrokDeviceInfo",
]

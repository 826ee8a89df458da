"""`instruments` with calls that block, module by module::

    from instruments.sio import ScpiPipe

    pipe = ScpiPipe("tcp::192.168.1.12:5025")
    print(pipe.query("*IDN?"))

With ``resolve_futures=False`` they give futures: ``ScpiPipe("tcp::192.168.1.12:5025", resolve_futures=False)`` is a
`FuturesScpiPipe`. A class of your own is derived from that in `instruments`, with coroutines for methods, and
``blocking(cls)`` is the same with calls that block.

Written by ``python -m sockio.generate`` from `instruments`: change that instead.
"""

from __future__ import annotations

from sockio.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base import blocking
    from ..devices import CanDevice, CanDriverType, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
    from .byte_stream import ByteStreamPipe, FuturesByteStreamPipe
    from .can import CanBus, DataMessage, FuturesCanBus, FuturesGctCanBus, GctCanBus, RemoteMessage
    from .cobs_stream import CobsStream, FuturesCobsStream
    from .comsrv import ComSrv, FuturesComSrv
    from .hid import FuturesHidDevice, HidDevice, enumerate_hid_devices
    from .modbus import FuturesModBusDevice, ModBusDevice, ModbusError
    from .scpi import ErrorEntry, FuturesScpiPipe, FuturesSerialScpiPipe, InstrumentError, ScpiPipe, SerialScpiPipe
    from .sigrok import FuturesSigrokDevice, SigrokDevice
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "ByteStreamPipe": ".byte_stream",
            "CanBus": ".can",
            "CanDevice": "..devices",
            "CanDriverType": "..devices",
            "CobsStream": ".cobs_stream",
            "ComSrv": ".comsrv",
            "DataMessage": ".can",
            "ErrorEntry": ".scpi",
            "FtdiDeviceInfo": "..devices",
            "FuturesByteStreamPipe": ".byte_stream",
            "FuturesCanBus": ".can",
            "FuturesCobsStream": ".cobs_stream",
            "FuturesComSrv": ".comsrv",
            "FuturesGctCanBus": ".can",
            "FuturesHidDevice": ".hid",
            "FuturesModBusDevice": ".modbus",
            "FuturesScpiPipe": ".scpi",
            "FuturesSerialScpiPipe": ".scpi",
            "FuturesSigrokDevice": ".sigrok",
            "GctCanBus": ".can",
            "HidDevice": ".hid",
            "HidDeviceInfo": "..devices",
            "InstrumentError": ".scpi",
            "ModBusDevice": ".modbus",
            "ModbusError": ".modbus",
            "RemoteMessage": ".can",
            "ScpiPipe": ".scpi",
            "SerialScpiPipe": ".scpi",
            "SigrokDevice": ".sigrok",
            "SigrokDeviceInfo": "..devices",
            "blocking": "..base",
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
    "FuturesByteStreamPipe",
    "FuturesCanBus",
    "FuturesCobsStream",
    "FuturesComSrv",
    "FuturesGctCanBus",
    "FuturesHidDevice",
    "FuturesModBusDevice",
    "FuturesScpiPipe",
    "FuturesSerialScpiPipe",
    "FuturesSigrokDevice",
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
    "blocking",
    "enumerate_hid_devices",
]

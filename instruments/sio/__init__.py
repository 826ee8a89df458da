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

from ..lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base import blocking
    from ..devices import CanDevice, CanDriverType, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
    from .byte_stream import ByteStreamPipe, FuturesByteStreamPipe
    from .cobs_stream import CobsStream, FuturesCobsStream
    from .comsrv import ComSrv, FuturesComSrv
    from .scpi import ErrorEntry, FuturesScpiPipe, FuturesSerialScpiPipe, InstrumentError, ScpiPipe, SerialScpiPipe
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "ByteStreamPipe": ".byte_stream",
            "CanDevice": "..devices",
            "CanDriverType": "..devices",
            "CobsStream": ".cobs_stream",
            "ComSrv": ".comsrv",
            "ErrorEntry": ".scpi",
            "FtdiDeviceInfo": "..devices",
            "FuturesByteStreamPipe": ".byte_stream",
            "FuturesCobsStream": ".cobs_stream",
            "FuturesComSrv": ".comsrv",
            "FuturesScpiPipe": ".scpi",
            "FuturesSerialScpiPipe": ".scpi",
            "HidDeviceInfo": "..devices",
            "InstrumentError": ".scpi",
            "ScpiPipe": ".scpi",
            "SerialScpiPipe": ".scpi",
            "SigrokDeviceInfo": "..devices",
            "blocking": "..base",
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
    "FuturesByteStreamPipe",
    "FuturesCobsStream",
    "FuturesComSrv",
    "FuturesScpiPipe",
    "FuturesSerialScpiPipe",
    "HidDeviceInfo",
    "InstrumentError",
    "ScpiPipe",
    "SerialScpiPipe",
    "SigrokDeviceInfo",
    "blocking",
]

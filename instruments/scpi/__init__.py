"""Instruments that speak SCPI, whatever carries the messages.

::

    from instruments.scpi import Instrument

    scope = Instrument("TCPIP::192.168.1.12::hislip0::INSTR")
    print(await scope.identifier())
    samples = await scope.query_array("WAV:DATA?", "i2")
"""

from __future__ import annotations

from .errors import ErrorEntry, InstrumentError
from .instrument import Instrument
from .pipe import ScpiPipe, SerialScpiPipe

__all__ = ["ErrorEntry", "Instrument", "InstrumentError", "ScpiPipe", "SerialScpiPipe"]

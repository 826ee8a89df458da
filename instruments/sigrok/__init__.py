"""Logic analyzers and oscilloscopes of sigrok, through sigrok-cli::

from instruments.sigrok import list_devices

devices = await list_devices()
t, data = await devices[0].read(channels=["D1", "D2"], samplerate=48e6, num_samples=1000)
"""

from __future__ import annotations

from .capture import Capture, load
from .codec import Annotation
from .decoders import decode
from .device import SigrokDevice, list_devices
from .picture import plot
from .program import SigrokError

__all__ = ["Annotation", "Capture", "SigrokDevice", "SigrokError", "decode", "list_devices", "load", "plot"]

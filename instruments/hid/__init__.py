"""Human interface devices that are no mice: instruments that are plugged in without a driver of their own.

::

    from instruments.hid import HidDevice, enumerate_hid_devices

    device = HidDevice(0x0483, 0x5750)
    await device.write(b"\\x00" + bytes(64))
    report = await device.read(timeout_ms=100)
"""

from __future__ import annotations

from ..devices import HidDeviceInfo
from .connection import NotPluggedInError
from .device import HidDevice, enumerate_hid_devices

__all__ = ["HidDevice", "HidDeviceInfo", "NotPluggedInError", "enumerate_hid_devices"]

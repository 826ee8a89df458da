"""Drivers as devices of Tango Controls.

::

    from instruments.tango import serve

    serve("instruments.cryocon:CryoCon", "tcp://192.168.1.123:5000", instance="lab", device="lab/cryo/1")

Needs PyTango: ``pip install sockio[tango]``.
"""

from __future__ import annotations

from sockio.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .classes import device_class
    from .device import DriverDevice
    from .server import devices_of, register, run, serve
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "DriverDevice": ".device",
            "device_class": ".classes",
            "devices_of": ".server",
            "register": ".server",
            "run": ".server",
            "serve": ".server",
        },
    )

__all__ = ["DriverDevice", "device_class", "devices_of", "register", "run", "serve"]

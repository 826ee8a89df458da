"""GPIB instruments behind Prologix adapters: GPIB-USB (a serial port) and GPIB-ETHERNET (TCP port 1234)."""

from __future__ import annotations

from .adapter import Adapter, adapter_on
from .messages import PrologixMessages

__all__ = ["Adapter", "PrologixMessages", "adapter_on"]

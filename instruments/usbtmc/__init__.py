"""Instruments on USB by the class for test and measurement (USBTMC), through the Linux kernel's driver."""

from __future__ import annotations

from .connection import UsbtmcConnection
from .sysfs import is_available

__all__ = ["UsbtmcConnection", "is_available"]

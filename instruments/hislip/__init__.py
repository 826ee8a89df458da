"""HiSLIP 1.0 (IVI-6.1): instruments in the network, by two TCP connections to port 4880."""

from __future__ import annotations

from .codec import RemoteLocal
from .connection import HislipConnection
from .errors import HislipError, HislipFatalError

__all__ = ["HislipConnection", "HislipError", "HislipFatalError", "RemoteLocal"]

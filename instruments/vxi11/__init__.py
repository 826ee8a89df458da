"""VXI-11: messages to instruments over TCP, by remote procedure calls."""

from __future__ import annotations

from .codec import Vxi11Error
from .connection import Vxi11Connection
from .rpc.codec import RpcError

__all__ = ["RpcError", "Vxi11Connection", "Vxi11Error"]

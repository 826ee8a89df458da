"""Remote procedure calls of ONC RPC version 2 (Sun RPC) over TCP: as much of it as VXI-11 needs."""

from __future__ import annotations

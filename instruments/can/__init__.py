"""CAN buses: frames as they are, the GCT protocol, signals by name, log files.

::

    from instruments.can import CanBus, DataMessage

    async with CanBus("can::socket::can0") as bus:
        await bus.send(DataMessage(0x123, data=[1, 2, 3]))
        with bus.raw() as receiver:
            print(await receiver.next(timeout=1.0))
"""

from __future__ import annotations

from .bus import CanBus
from .codec import GctDecoder
from .dbc import Database, Signals
from .errors import CanBusError, CanBusOffError
from .filters import CanFilter
from .gct import BROADCAST_ADDR, CONTROLLER_NODEID, DEFAULT_DDP_TIMEOUT, GctCanBus
from .gct_messages import (
    GCTCAN_BROADCAST_ADDRESS,
    DdpMessage,
    GctMessage,
    Heartbeat,
    MonitoringData,
    MonitoringRequest,
    SysCtrlMessage,
    SysCtrlType,
)
from .log_files import LogWriter, read_log
from .messages import CanMessage, DataMessage, ErrorMessage, RemoteMessage
from .receiver import CanReceiver, GctReceiver

__all__ = [
    "BROADCAST_ADDR",
    "CONTROLLER_NODEID",
    "DEFAULT_DDP_TIMEOUT",
    "GCTCAN_BROADCAST_ADDRESS",
    "CanBus",
    "CanBusError",
    "CanBusOffError",
    "CanFilter",
    "CanMessage",
    "CanReceiver",
    "DataMessage",
    "Database",
    "DdpMessage",
    "ErrorMessage",
    "GctCanBus",
    "GctDecoder",
    "GctMessage",
    "GctReceiver",
    "Heartbeat",
    "LogWriter",
    "MonitoringData",
    "MonitoringRequest",
    "RemoteMessage",
    "Signals",
    "SysCtrlMessage",
    "SysCtrlType",
    "read_log",
]

"""Tells the portmapper of this machine where simulated instruments speak VXI-11 (RFC 1833, section 3).

A device of its own in the configuration, without transports::

    - class: PortmapperEntry
      package: instruments.simulators.vxi11_portmapper
      name: portmapper
      device: dmm1

A portmapper has one entry for VXI-11: the instrument with ``device_names: [inst0]`` that clients find without a port.
"""

from __future__ import annotations

import atexit
import logging
import socket as sockets
import struct
from typing import Any

import gevent
from gevent import socket

from instruments.vxi11.codec import CORE
from instruments.vxi11.rpc.codec import WORD, Procedure, RpcError, find_results, unpack
from instruments.vxi11.rpc.portmapper import MAPPING, PORT, PORTMAPPER, TCP
from sockio.errors import ProtocolError

from .engine import BaseDevice
from .vxi11_channels import FRAMING, read_records

SET = Procedure(PORTMAPPER, 1, "PMAPPROC_SET")
UNSET = Procedure(PORTMAPPER, 2, "PMAPPROC_UNSET")

#: Seconds that a portmapper may take.
PATIENCE = 5.0

_log = logging.getLogger("simulator.portmapper")


class PortmapperEntry(BaseDevice):
    """The entry of another device. Errors are logged: a bench without a portmapper works for whoever knows the port.

    Args:
        name: of this device.
        device: the name of the one that speaks VXI-11.
    """

    def __init__(self, name: str, device: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._device = device
        gevent.spawn(self._register)  # as soon as the server runs: until then it has no port

    def _register(self) -> None:
        try:
            transports = self.server.get_device_by_name(self._device).transports
            (transport,) = (transport for transport in transports if transport.props.get("protocol") == "vxi11")
            while not transport.started:
                gevent.sleep(0.01)
            set_port(transport.address[1])
        except (OSError, EOFError, ProtocolError, KeyError, ValueError, struct.error) as error:
            _log.error("%s is not registered with the portmapper: %r", self._device, error)
        else:
            atexit.register(unset_port)


def set_port(port: int) -> None:
    """Register the port of VXI-11, instead of the one that is registered.

    Raises:
        OSError, EOFError: there is no portmapper, or it refused.
    """
    unset_port()
    if not _call(SET, port):
        raise RpcError(f"the portmapper did not take port {port}")


def unset_port() -> None:
    """Take the port of VXI-11 out again."""
    _call(UNSET, 0)


def _call(procedure: Procedure, port: int) -> bool:
    with socket.create_connection(("127.0.0.1", PORT), PATIENCE) as sock:
        sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        arguments = MAPPING.pack(CORE.number, CORE.version, TCP, port)
        sock.sendall(FRAMING.encode(procedure.encode_call(1, arguments)))
        record = next(read_records(sock, 1024), b"")
    return bool(unpack(WORD, record, find_results(record, 1, procedure), str(procedure))[0])

"""Asking the portmapper of a host at which port a program listens (RFC 1833, section 3: version 2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sockio.errors import ProtocolError

from .client import RpcClient
from .codec import WORD, Procedure, Program, RpcError, check_end, unpack

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

#: Where portmappers listen.
PORT = 111

#: The protocol number of TCP in a mapping.
TCP = 6

PORTMAPPER = Program("PMAP", 100000, 2)
GETPORT = Procedure(PORTMAPPER, 3, "PMAPPROC_GETPORT")

#: A mapping: program, version, protocol, port.
MAPPING = struct.Struct(">4I")


async def get_port(resource: str, runtime: Runtime, host: str, program: Program, deadline: float | None) -> int:
    """Return the TCP port of a program.

    Raises:
        RpcError: the program is not registered.
        DeadlineExpired, ProtocolError, OSError: the portmapper does not answer, or nothing that makes sense.
    """
    client = RpcClient(resource, runtime, host, PORT)
    try:
        try:
            await client.open(deadline)
        except ConnectionRefusedError as error:
            what = f"no portmapper at port {PORT} of {host}; without one, give the instrument's own port, as host:port"
            raise ConnectionRefusedError(error.errno, what, resource) from None
        arguments = MAPPING.pack(program.number, program.version, TCP, 0)
        record, start = await client.call(GETPORT, deadline, arguments)
    finally:
        client.close()
    (port,) = unpack(WORD, record, start, "PMAPPROC_GETPORT")
    check_end(record, start + 4, "PMAPPROC_GETPORT")
    if port == 0:
        raise RpcError(
            f"{resource}: the portmapper of {host} knows no {program.name} ({program.number:#x}) version "
            f"{program.version}: no instrument that speaks VXI-11, or it has to be given with its port",
            "PROG_UNAVAIL",
        )
    if port > 0xFFFF:
        raise ProtocolError(f"PMAPPROC_GETPORT: expected a port, got {port}", record[start:])
    return port

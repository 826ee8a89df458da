"""Remote procedure calls for simulated instruments: serving them on a connection, and calling back."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer

from instruments.vxi11.rpc.codec import (
    GARBAGE_ARGS,
    Call,
    Procedure,
    Program,
    RecordMarking,
    decode_call,
    encode_refusal,
    encode_success,
    refusal,
)
from sockio.buffer import Buffer
from sockio.errors import LimitError, ProtocolError

FRAMING = RecordMarking()

#: Does the work of a call, given it and the record that it came in; returns the results in XDR.
Serve = Callable[[Call, bytes], bytes]

#: Bytes that are read at once.
CHUNK = 1 << 18

#: Seconds that whoever wants service requests may take to accept a connection for them.
CONNECTION_TIME = 5.0


def read_records(sock: Any, limit: int) -> Iterator[bytes]:
    """Give the records of at most *limit* bytes that come on a connection, until it ends."""
    framing = RecordMarking(limit)
    buffer = Buffer()
    while data := sock.recv(CHUNK):
        buffer.append(data)
        while isinstance(record := framing.decode(buffer), bytes):
            yield record


def serve_calls(
    sock: Any, program: Program, procedures: frozenset[int], serve: Serve, send: Callable[[bytes], object], limit: int
) -> None:
    """Answer the calls that come on a connection, one after the other, until it ends.

    Args:
        sock: the connection.
        program: that is served.
        procedures: its procedures.
        serve: does what is called for; may raise a ProtocolError for arguments that make no sense.
        send: sends a whole record with its header.
        limit: the longest call that is accepted, in bytes.
    """
    try:
        for record in read_records(sock, limit):
            call = decode_call(record)
            reply = refusal(call, program, procedures | {0})
            if reply is None:
                try:
                    reply = encode_success(call.xid, serve(call, record) if call.procedure else b"")
                except ProtocolError:
                    reply = encode_refusal(call.xid, GARBAGE_ARGS)
            send(FRAMING.encode(reply))
    except (EOFError, OSError, ProtocolError, LimitError):
        pass


class AbortServer:
    """Listens for abort channels.

    Args:
        host, port: where; port 0 is any.
        serve: does what is called for.
        program, procedures: what that is.
    """

    def __init__(self, host: str, port: int, program: Program, procedures: frozenset[int], serve: Serve) -> None:
        self._program = program
        self._procedures = procedures
        self._serve = serve
        self._server = StreamServer((host, port), self._handle)
        self._server.start()
        self.port = int(self._server.address[1])

    def _handle(self, sock: Any, _address: object) -> None:
        serve_calls(sock, self._program, self._procedures, self._serve, sock.sendall, 1024)


class Caller:
    """Calls procedures that are one-way: whatever is answered is not looked at.

    Args:
        host, port: where the server is.

    Raises:
        OSError: it cannot be reached.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), CONNECTION_TIME)
        self._socket.settimeout(None)
        self._socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self._xid = 0
        gevent.spawn(self._discard_replies)

    def call(self, procedure: Procedure, arguments: bytes) -> None:
        """Send a call."""
        self._xid += 1
        try:
            self._socket.sendall(FRAMING.encode(procedure.encode_call(self._xid, arguments)))
        except OSError:
            pass  # nobody is interested any more

    def close(self) -> None:
        """End the connection."""
        try:
            self._socket.shutdown(sockets.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _discard_replies(self) -> None:
        try:
            while self._socket.recv(4096):
                pass
        except OSError:
            pass

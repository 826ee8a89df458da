"""A USR-CANET200 as an interface of python-can: ``can.Bus(interface="usrcanet", channel="192.168.1.60:20001")``.

The adapter is a TCP server, and its bit rate is set on its web page.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import can

from sockio.deadline import check_timeout, seconds_until
from sockio.errors import ProtocolError
from sockio.resource.fields import read_tcp
from sockio.runtimes.descriptor import READABLE, WRITABLE, Poller

from . import records
from .records import Record

#: How much may wait to be sent, in bytes: not more than the bus takes in a tenth of a second (1 Mbit/s).
SEND_BUFFER = 8192


class UsrCanetBus(can.BusABC):
    """The bus behind a USR-CANET200.

    Args:
        channel: its ``host:port``.
        connection_timeout: seconds for connecting.
        **kwargs: what every interface of python-can takes.

    Raises:
        can.CanInitializationError: it does not answer.
        ValueError: *channel* is no host and port.
    """

    def __init__(self, channel: str, connection_timeout: float = 5.0, **kwargs: Any) -> None:
        self.channel_info = f"USR-CANET200 at {channel}"
        self._channel = channel
        self._received = bytearray()
        self._unsent = b""
        self._cut: can.Message | None = None  # whose record the beginning has gone of
        self._sending = threading.Lock()
        address = read_tcp(channel)
        limit = check_timeout("connection_timeout", connection_timeout)
        try:
            self._socket = socket.create_connection((address.host, address.port), limit)
        except OSError as error:
            raise can.CanInitializationError(f"{self.channel_info}: {error}", error.errno) from error
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().__init__(channel=channel, **kwargs)

    def fileno(self) -> int:
        return self._socket.fileno()

    def shutdown(self) -> None:
        super().shutdown()
        self._socket.close()

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while len(self._received) < records.SIZE:
            try:
                data = self._socket.recv(records.SIZE - len(self._received))
            except BlockingIOError:
                if not self._wait(READABLE, deadline):
                    return None, False
                continue
            except OSError as error:
                raise can.CanOperationError(f"{self.channel_info}: {error}", error.errno) from error
            if not data:
                raise can.CanOperationError(f"{self.channel_info}: the adapter has closed the connection")
            self._received += data
        record, self._received = bytes(self._received), bytearray()
        try:
            return self._message(records.decode(record)), False
        except ProtocolError as error:
            raise can.CanOperationError(f"{self.channel_info}: {error}") from error

    def _message(self, record: Record) -> can.Message:
        return can.Message(
            timestamp=time.time(),
            arbitration_id=record.canid,
            is_extended_id=record.extended,
            is_remote_frame=record.remote,
            dlc=record.length,
            data=record.data,
            channel=self._channel,
        )

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Send a frame.

        Raises:
            can.CanTimeoutError: the adapter did not take it in time. If it has taken the beginning, the rest goes out
                when the same message is sent again, or before the next one.
            can.CanOperationError: the connection is lost.
            ValueError: the adapter knows no such frames (CAN FD, error frames).
        """
        if msg.is_fd or msg.is_error_frame:
            raise ValueError(f"{self.channel_info}: sends data and remote frames of CAN 2.0, not {msg}")
        data = b"" if msg.is_remote_frame else bytes(msg.data)
        record = records.encode(Record(msg.arbitration_id, msg.is_extended_id, msg.is_remote_frame, msg.dlc, data))
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._sending:
            if not self._send_unsent(deadline):
                raise can.CanTimeoutError(f"{self.channel_info}: transmit buffer full")
            cut, self._cut = self._cut, None
            if cut is msg:
                return
            self._unsent = record
            if not self._send_unsent(deadline):
                if len(self._unsent) == len(record):
                    self._unsent = b""
                else:
                    self._cut = msg
                raise can.CanTimeoutError(f"{self.channel_info}: transmit buffer full")

    def _send_unsent(self, deadline: float | None) -> bool:
        """Send what is left of a record, of which the beginning may have gone; return whether all of it has."""
        while self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                if not self._wait(WRITABLE, deadline):
                    return False
            except OSError as error:
                raise can.CanOperationError(f"{self.channel_info}: {error}", error.errno) from error
        return True

    def _wait(self, event: int, deadline: float | None) -> bool:
        seconds = seconds_until(deadline, time.monotonic())
        try:
            return bool(Poller(self.fileno(), event).wait(seconds))
        except (OSError, ValueError) as error:  # closed by another thread
            raise can.CanOperationError(f"{self.channel_info}: closed") from error

"""Streams over serial ports: local ones, USB adapters by their identity, and RFC 2217 servers.

pyserial opens and configures the port. On POSIX the runtime then drives its file descriptor; a port that has none
(RFC 2217, Windows) is read and written in threads.
"""

from __future__ import annotations

import errno
import os
import threading

from .common import DEFAULT_LIMIT
from .options import RFC2217_FLAGS, check_option
from .resource import HostAddress, SerialAddress, parse
from .stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .retry import Retry
    from .runtimes.base import Transport

#: How long a serial line has to be silent after a failed call, in seconds: an instrument that was slow once
#: answers within this time, or the next request raises at its own deadline.
QUIET = 0.1


class Serial(Stream):
    """A stream over a serial port, opened at the first call that needs it, and again after a failure.

    Args:
        port: a device (``/dev/ttyUSB0``, ``COM3``), a USB adapter by its identity, which is found again under whatever
            name it comes back (``serial://?vid=0403&pid=6001&sn=A50285BI``), or a server (``rfc2217://host:port``).
        baudrate: bits per second.
        bytesize: data bits, 5 to 8.
        parity: "N", "E", "O", "M" or "S": none, even, odd, mark, space.
        stopbits: 1, 1.5 or 2.
        xonxoff: software flow control.
        rtscts: hardware flow control (RTS/CTS).
        exclusive: refuse to open a port that another program has open, and keep others out. Without it, those who
            share the port have to see to it that only one of them uses it at a time.
        eol, auto_reconnect, on_connection_made, on_connection_lost, on_eof_received, buffer_size, connection_timeout,
            timeout, retry: as for `TCP`. An adapter that is unplugged is a lost connection.
        quiet: after a failed call, discard input until nothing has come for so many seconds: closing a port does not
            stop an answer that is under way. It has to be longer than the slowest answer takes.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        port: str,
        baudrate: int = 9600,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        *,
        bytesize: int = 8,
        parity: str = "N",
        stopbits: float = 1,
        xonxoff: bool = False,
        rtscts: bool = False,
        exclusive: bool = True,
        quiet: float | None = QUIET,
        retry: Retry | None = None,
    ) -> None:
        self._address = _address(port)
        super().__init__(
            str(self._address),
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            connection_timeout,
            timeout,
            quiet,
            retry,
        )
        self.port = port
        self.baudrate: int = check_option("baudrate", baudrate)
        self.bytesize: int = check_option("bytesize", bytesize)
        self.parity: str = check_option("parity", parity)
        self.stopbits: float = check_option("stopbits", stopbits)
        self.xonxoff: bool = check_option("xonxoff", xonxoff)
        self.rtscts: bool = check_option("rtscts", rtscts)
        self.exclusive = exclusive

    async def _open_transport(self, deadline: float | None) -> Transport:
        from .runtimes import serial_ports

        abandoned = threading.Event()
        try:
            port = await self.runtime.run_in_thread(deadline, self._open_port, abandoned)
        except BaseException:
            abandoned.set()
            raise
        return serial_ports.adopt(self.runtime, port, self.buffer_size, not self.exclusive)

    def _open_port(self, abandoned: threading.Event) -> Any:
        """Find and open the port. Raises the system's error for what is missing, not allowed or in use.

        Args:
            abandoned: set when nobody waits for the port any more, which is then closed again.
        """
        import serial

        from .runtimes import serial_ports

        name = self._find()
        serial_ports.wait_closed(name)
        try:
            port = serial.serial_for_url(
                name,
                do_not_open=True,
                timeout=serial_ports.PortTransport.LOOK,
                baudrate=self.baudrate,
                bytesize=self.bytesize,
                parity=self.parity,
                stopbits=self.stopbits,
                xonxoff=self.xonxoff,
                rtscts=self.rtscts,
            )
            if isinstance(self._address, SerialAddress) and os.name == "posix":
                port.exclusive = True if self.exclusive else None
            port.open()
        except serial.SerialException as error:
            code = error.errno or errno.EIO
            what = str(error) if error.errno is None else os.strerror(code)
            if code in (errno.EAGAIN, errno.EBUSY):
                what = "in use by another program"
            raise OSError(code, what) from error
        if abandoned.is_set():
            port.close()
        return port

    def _find(self) -> str:
        """Return the name that pyserial knows the port by, as of now."""
        address = self._address
        if isinstance(address, HostAddress):
            return _rfc2217_url(address)
        assert isinstance(address, SerialAddress)
        if address.port is not None:
            return address.port
        from serial.tools.list_ports import comports

        ports = comports()
        for port in ports:
            if all(getattr(port, name) == value for name, value in address.identity.items()):
                return str(port.device)
        there = ", ".join(f"{port.device} ({port.hwid})" for port in ports if port.vid is not None) or "none at all"
        raise FileNotFoundError(errno.ENOENT, f"no such adapter is plugged in; there is {there}")


def _address(port: Any) -> SerialAddress | HostAddress:
    if not isinstance(port, str):
        raise TypeError(f"port must be the name of a serial port or a URL, not {port!r}")
    if "://" not in port:
        return SerialAddress(port)
    address = parse(port)
    given = [name for name in address.options if name not in RFC2217_FLAGS]
    if given:
        raise ValueError(f"{port!r}: give {', '.join(given)} as arguments here (socket_for_url takes them in the URL)")
    if address.scheme == "serial" and isinstance(address, SerialAddress):
        return address
    if address.scheme == "rfc2217" and isinstance(address, HostAddress):
        return address
    raise ValueError(f"port must be the name of a serial port, serial:// or rfc2217://, not {port!r}")


def _rfc2217_url(address: HostAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    flags = [name if value is True else f"{name}={value}" for name, value in address.options.items() if value]
    return f"rfc2217://{host}:{address.port}" + (f"?{'&'.join(flags)}" if flags else "")

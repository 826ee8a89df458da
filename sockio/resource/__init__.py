r"""Resource strings, and the addresses that they stand for.

`parse` reads them and ``str(address)`` writes them. They are URLs, names with double colons, or names of VISA.

==============================================  ====================================================
``tcp://192.168.1.20:5025``                     a TCP socket; IPv6 is written ``tcp://[fe80::1]:5025``
``tls://192.168.1.20:5026``                     the same, with TLS
``unix:///run/instrument.sock``                 a unix socket
``serial:///dev/ttyUSB0?baudrate=115200``       a serial port by its name (``serial://COM3`` on Windows)
``serial://?vid=0403&pid=6001&sn=A50285BI``     a serial port by its USB adapter, whatever its name today
``rfc2217://192.168.1.30:2217?baudrate=19200``  a serial port behind a network server (RFC 2217)
==============================================  ====================================================

Options come after the ``?``, separated by ``&``, special characters percent-encoded:

- all: ``timeout``, ``connection_timeout`` and ``quiet`` (seconds), ``eol`` (``\r\n`` or ``%0D%0A``);
- serial and rfc2217: ``baudrate``, ``bytesize``, ``parity``, ``stopbits``, ``xonxoff``, ``rtscts``;
- serial without a name, one of them at least: ``vid`` and ``pid`` (hexadecimal), ``sn`` (serial number),
  ``location`` (USB bus and ports, such as ``1-1.2``);
- rfc2217: ``ign_set_control``, ``poll_modem`` and ``logging``, with the meaning that pyserial gives them. Its
  ``timeout`` is not among them: here that name is the timeout of a call.

Names are taken literally, and IPv6 addresses have brackets. Kinds are the same in upper and lower case:

==============================================  ====================================================
``tcp::192.168.1.20:5025``                      a TCP socket (also ``tcp:192.168.1.20:5025``)
``serial::/dev/ttyUSB0::9600::8N1``             a serial port: data bits, parity, stop bits
``ftdi::A50285BI::115200::7E2``                 a serial port by the serial number of its FTDI adapter
``vxi::192.168.1.20``                           VXI-11; ``vxi::host:port::inst1`` goes round the portmapper
``hislip::192.168.1.20``                        HiSLIP; ``hislip::host:4880::hislip1``
``prologix::COM3::10``                          GPIB instrument 10 on a Prologix adapter; with a secondary
                                                address ``10,1`` or ``10::1``; ``COM3::115200::8N1::10``
``prologix::192.168.1.40:1234::10``             the same on the network; the adapter may also be a URL
``modbus::tcp::192.168.1.50:502::32``           station 32 (255 without one), Modbus TCP
``modbus::rtu::COM1::115200::8N1::32``          the same with the frames of Modbus RTU, on a serial port;
                                                the stream may also be ``host:port`` or a URL
``can::pcan::usb1::125000``                     a CAN adapter: python-can's interface, channel, bits/s
``can::usrcanet::192.168.1.60:20001``           a USR-CANET200 on the network
``can::loopback``                               a CAN bus within the process
``hid::0483:5750::A1``                          a human interface device: vendor, product, serial number
``sigrok::fx2lafw:conn=1.5``                    a device of sigrok
``visa::myscope``                               what a VISA library knows by this name or alias
==============================================  ====================================================

Names of VISA (VPP-4.3), in any case, the parts in brackets optional:

====================================================  ==============================================
``TCPIP[0]::host[::inst0][::INSTR]``                  VXI-11; ``TCPIP::host,port`` has an explicit port
``TCPIP[0]::host::hislip0[,4880][::INSTR]``           HiSLIP
``TCPIP[0]::host::port::SOCKET``                      a TCP socket
``ASRL1[::INSTR]``, ``ASRL/dev/ttyUSB0[::INSTR]``     a serial port: COM1 on Windows, else /dev/ttyS0
``USB[0]::vid::pid::serial[::interface][::INSTR]``    a USB instrument; ``0x0699`` or decimal; also ``RAW``
``GPIB[0]::primary[::secondary][::INSTR]``            a GPIB instrument; the board: ``GPIB0::INTFC``
====================================================  ==============================================

Two spellings of the same thing give equal addresses: ``vxi::h``, ``TCPIP0::H::inst0::INSTR`` and ``tcpip::h::instr``.
`Address.resource` is the name of what is addressed, without options: who opens it with other settings has the
same resource.
"""

from __future__ import annotations

from ..lazy import lazily
from .address import Address
from .hosts import check_host, check_port
from .url import SCHEMES, HostAddress, SerialAddress, UnixAddress, URLAddress, is_url, read_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .can import CANAddress
    from .gpib import GPIBAddress, PrologixAddress
    from .lan import HiSLIPAddress, VXI11Address
    from .modbus import ModbusAddress
    from .sigrok import SigrokAddress
    from .usb import HIDAddress, USBAddress
    from .visa import VISAAddress
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "CANAddress": ".can",
            "GPIBAddress": ".gpib",
            "HIDAddress": ".usb",
            "HiSLIPAddress": ".lan",
            "ModbusAddress": ".modbus",
            "PrologixAddress": ".gpib",
            "SigrokAddress": ".sigrok",
            "USBAddress": ".usb",
            "VISAAddress": ".visa",
            "VXI11Address": ".lan",
        },
    )

__all__ = [
    "SCHEMES",
    "Address",
    "CANAddress",
    "GPIBAddress",
    "HIDAddress",
    "HiSLIPAddress",
    "HostAddress",
    "ModbusAddress",
    "PrologixAddress",
    "SerialAddress",
    "SigrokAddress",
    "URLAddress",
    "USBAddress",
    "UnixAddress",
    "VISAAddress",
    "VXI11Address",
    "check_host",
    "check_port",
    "parse",
]


def parse(resource: str) -> Address:
    """The address that a resource string stands for.

    Raises:
        ValueError: the string is not understood; the message says where, and what is allowed there.
    """
    if not isinstance(resource, str):
        raise TypeError(f"a resource string must be a str, got {type(resource).__name__}: {resource!r}")
    try:
        if is_url(resource):
            return read_url(resource)
        from .names import read_name

        return read_name(resource)
    except ValueError as error:
        raise ValueError(f"{resource!r}: {error}") from None

r"""Resource strings, and the addresses that they stand for.

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

`parse` reads them and ``str(address)`` writes them.
"""

from __future__ import annotations

from .options import COMMON, IDENTITY, RFC2217, SERIAL, check, quote, read_options, unquote, write_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from .options import Option


class Address:
    """Where a resource is, and the options to open it with. Immutable, hashable, equal by value.

    Attributes:
        scheme: what comes before ``://``.
        options: the constructor's keyword arguments that were given in the resource string, converted.
    """

    scheme: str
    _fields: tuple[Any, ...]
    _options: tuple[tuple[str, Any], ...]

    def __init__(self, scheme: str, fields: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        table = SCHEMES[scheme][1]
        for name in options:
            if name not in table:
                raise ValueError(f"unknown option {name!r}, {scheme}:// has {', '.join(table)}")
        # In the order of the table, so that equal addresses are written alike.
        checked = tuple((name, check(name, table[name], options[name])) for name in table if name in options)
        self.__dict__.update(scheme=scheme, _fields=fields, _options=checked)

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> Address:
        """Make an address of the parts of a resource string, all still percent-encoded."""
        raise NotImplementedError

    @property
    def options(self) -> dict[str, Any]:
        return dict(self._options)

    def with_options(self, options: Mapping[str, Any]) -> Address:
        """Return the same address with other options."""
        other = object.__new__(type(self))
        Address.__init__(other, self.scheme, self._fields, options)
        return other

    def _write(self) -> str:
        """What stands between ``://`` and the options."""
        raise NotImplementedError

    def _query(self) -> list[str]:
        table = SCHEMES[self.scheme][1]
        return [write_option(name, table[name], value) for name, value in self._options]

    def __str__(self) -> str:
        query = "&".join(self._query())
        return f"{self.scheme}://{self._write()}{'?' if query else ''}{query}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if isinstance(other, Address) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.scheme, self._fields, self._options))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an address cannot be changed: {name} = {value!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an address cannot be changed: del {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return parse, (str(self),)


class HostAddress(Address):
    """A host name or IP address, and a port: ``tcp``, ``tls`` and ``rfc2217``."""

    def __init__(self, scheme: str, host: str, port: int, options: Mapping[str, Any] | None = None) -> None:
        name, percent, zone = check_host(host).partition("%")
        super().__init__(scheme, (name.lower() + percent + zone, check_port(port)), options or {})

    @property
    def host(self) -> str:
        """The host in lower case, IPv6 without brackets."""
        return str(self._fields[0])

    @property
    def port(self) -> int:
        return int(self._fields[1])

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> Address:
        if path not in ("", "/"):
            raise ValueError(f"expected nothing after the port, got {path!r}")
        if "@" in authority:
            raise ValueError("user names and passwords are not supported")
        host, _, port = authority.rpartition(":")
        if authority.endswith("]") or not host or not port:
            raise ValueError("expected host:port")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            if ":" not in host:
                raise ValueError(f"only an IPv6 address has brackets, got {host!r}")
        elif ":" in host:
            raise ValueError(f"an IPv6 address needs brackets: [{host}]:{port}")
        if not (port.isascii() and port.isdigit() and len(port) < 10):
            raise ValueError(f"port must be an integer from 1 to 65535, got {port!r}")
        return cls(scheme, unquote(host), int(port), read_options(query, SCHEMES[scheme][1]))

    def _write(self) -> str:
        host = quote(self.host, safe=":")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class UnixAddress(Address):
    """The path of a unix socket."""

    def __init__(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        if not path.startswith("/") or path.endswith("/") or "\0" in path:
            raise ValueError(f"expected the absolute path of a socket, as in unix:///run/name, got {path!r}")
        super().__init__("unix", (path,), options or {})

    @property
    def path(self) -> str:
        return str(self._fields[0])

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> Address:
        if authority:
            raise ValueError(f"expected an absolute path after unix://, as in unix:///run/name, got {authority!r}")
        return cls(unquote(path), read_options(query, SCHEMES[scheme][1]))

    def _write(self) -> str:
        return quote(self.path, safe="/")


class SerialAddress(Address):
    """A serial port by its name, or by the identity of its USB adapter."""

    def __init__(
        self,
        port: str | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        vid: int | None = None,
        pid: int | None = None,
        serial_number: str | None = None,
        location: str | None = None,
    ) -> None:
        given = {"vid": vid, "pid": pid, "sn": serial_number, "location": location}
        identity = tuple(
            (name, check(name, IDENTITY[name], value)) for name, value in given.items() if value is not None
        )
        if identity and port is not None:
            raise ValueError(f"expected a port or the identity of its adapter, got both: {port!r} and {identity}")
        if not identity and (not port or "\0" in port or port.endswith("/")):
            raise ValueError(f"expected a port, such as /dev/ttyUSB0, or vid=, pid=, sn= or location=, got {port!r}")
        if pid is not None and vid is None:
            raise ValueError("pid, the product of a vendor, needs vid")
        super().__init__("serial", (port, identity), options or {})

    @property
    def port(self) -> str | None:
        """The port's name; None for one that is known by its adapter."""
        name: str | None = self._fields[0]
        return name

    @property
    def identity(self) -> dict[str, Any]:
        """What is known of the adapter, under the names of the attributes in pyserial's list of ports."""
        return {"serial_number" if name == "sn" else name: value for name, value in self._fields[1]}

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> Address:
        if authority and path:
            raise ValueError(f"expected a port, as in serial:///dev/ttyUSB0 or serial://COM3, got {authority + path!r}")
        own = {name: query.pop(name) for name in IDENTITY if name in query}
        identity = read_options(own, IDENTITY)
        if "sn" in identity:
            identity["serial_number"] = identity.pop("sn")
        return cls(unquote(authority + path) or None, read_options(query, SCHEMES[scheme][1]), **identity)

    def _write(self) -> str:
        return quote(self.port or "", safe="/")

    def _query(self) -> list[str]:
        identity = [write_option(name, IDENTITY[name], value) for name, value in self._fields[1]]
        return identity + super()._query()


SCHEMES: dict[str, tuple[type[Address], dict[str, Option]]] = {
    "tcp": (HostAddress, COMMON),
    "tls": (HostAddress, COMMON),
    "unix": (UnixAddress, COMMON),
    "serial": (SerialAddress, SERIAL),
    "rfc2217": (HostAddress, RFC2217),
}


def parse(url: str) -> Address:
    """The address that a resource string stands for.

    Raises:
        ValueError: the string is not understood; the message says where, and what is allowed there.
    """
    if not isinstance(url, str):
        raise TypeError(f"a resource string must be a str, got {type(url).__name__}: {url!r}")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        supported = ", ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(f"{url!r} is no resource that is supported: {supported}")
    try:
        if any(character <= " " or character in "#\x7f" for character in rest):
            raise ValueError("spaces, control characters and '#' must be percent-encoded")
        location, _, query = rest.partition("?")
        authority, slash, path = location.partition("/")
        return SCHEMES[scheme][0].read(scheme, authority, slash + path, _split_query(query))
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}") from None


def check_port(port: int) -> int:
    """The port itself, if it is one that can be connected to."""
    given: object = port
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"port must be an int from 1 to 65535, got {type(port).__name__}: {port!r}")
    if not 1 <= port <= 65535:
        raise ValueError(f"port must be an integer from 1 to 65535, got {port}")
    return port


def check_host(host: str) -> str:
    """The host itself, if it may be a name or an IP address. An IPv6 address has no brackets here."""
    if not isinstance(host, str):
        raise TypeError(f"host must be a str, got {type(host).__name__}: {host!r}")
    if ":" in host:
        address, percent, zone = host.partition("%")
        if _is_ipv6(address) and bool(percent) == bool(zone) and _is_plain(zone):
            return host
    elif host and _is_plain(host):
        return host
    raise ValueError(f"host must be a name or an IP address (IPv6 without brackets), got {host!r}")


def _is_ipv6(address: str) -> bool:
    import socket

    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return False
    return True


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & set(" /?#@[]\\%:")


def _split_query(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in query.split("&") if query else ():
        name, _, text = item.partition("=")
        if name in given:
            raise ValueError(f"option {name!r} is given twice")
        given[name] = text
    return given

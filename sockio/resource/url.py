"""Addresses that are written as URLs: sockets and serial ports, what a stream can be opened to."""

from __future__ import annotations

from ..options import COMMON, IDENTITY, RFC2217, SERIAL, check, quote, read_options, unquote, write_option
from .address import Address
from .hosts import check_port, normal_host, split_host_port, write_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from typing_extensions import Self

    from ..options import Option


class URLAddress(Address):
    """An address with options, written ``scheme://location?options``."""

    _fields: tuple[Any, ...]
    _options: tuple[tuple[str, Any], ...]

    def __init__(self, scheme: str, fields: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        table = SCHEMES[scheme][1]
        for name in options:
            if name not in table:
                raise ValueError(f"unknown option {name!r}, {scheme}:// has {', '.join(table)}")
        # In the order of the table, so that equal addresses are written alike.
        checked = tuple((name, check(name, table[name], options[name])) for name in table if name in options)
        super().__init__(scheme, _fields=fields, _options=checked)

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> URLAddress:
        """Make an address of the parts of a resource string, all still percent-encoded."""
        raise NotImplementedError

    @property
    def options(self) -> dict[str, Any]:
        return dict(self._options)

    @property
    def resource(self) -> str:
        return str(self.with_options({}))

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the same address with other options."""
        other = object.__new__(type(self))
        URLAddress.__init__(other, self.scheme, self._fields, options)
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


class HostAddress(URLAddress):
    """A host name or IP address, and a port: ``tcp``, ``tls`` and ``rfc2217``."""

    def __init__(self, scheme: str, host: str, port: int, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(scheme, (normal_host(host), check_port(port)), options or {})

    @property
    def host(self) -> str:
        """The host in lower case, IPv6 without brackets."""
        return str(self._fields[0])

    @property
    def port(self) -> int:
        return int(self._fields[1])

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> URLAddress:
        if path not in ("", "/"):
            raise ValueError(f"expected nothing after the port, got {path!r}")
        if "@" in authority:
            raise ValueError("user names and passwords are not supported")
        host, port = split_host_port(authority)
        return cls(scheme, unquote(host), port, read_options(query, SCHEMES[scheme][1]))

    def _write(self) -> str:
        return write_host(quote(self.host, safe=":"), self.port)


class UnixAddress(URLAddress):
    """The path of a unix socket."""

    def __init__(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        if not path.startswith("/") or path.endswith("/") or "\0" in path:
            raise ValueError(f"expected the absolute path of a socket, as in unix:///run/name, got {path!r}")
        super().__init__("unix", (path,), options or {})

    @property
    def path(self) -> str:
        return str(self._fields[0])

    @classmethod
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> URLAddress:
        if authority:
            raise ValueError(f"expected an absolute path after unix://, as in unix:///run/name, got {authority!r}")
        return cls(unquote(path), read_options(query, SCHEMES[scheme][1]))

    def _write(self) -> str:
        return quote(self.path, safe="/")


class SerialAddress(URLAddress):
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
        # Windows knows com3 and COM3 as one port.
        name = port.upper() if port and port[:3].lower() == "com" and port[3:].isdigit() else port
        super().__init__("serial", (name, identity), options or {})

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
    def read(cls, scheme: str, authority: str, path: str, query: dict[str, str]) -> URLAddress:
        if authority and path:
            raise ValueError(f"expected a port, as in serial:///dev/ttyUSB0 or serial://COM3, got {authority + path!r}")
        own = {name: query.pop(name) for name in IDENTITY if name in query}
        identity = read_options(own, IDENTITY)
        if "sn" in identity:
            identity["serial_number"] = identity.pop("sn")
        return cls(unquote(authority + path) or None, read_options(query, SCHEMES[scheme][1]), **identity)

    def _write(self) -> str:
        port = self.port or ""
        return quote(port, safe="/" if port.startswith("/") else "")

    def _query(self) -> list[str]:
        identity = [write_option(name, IDENTITY[name], value) for name, value in self._fields[1]]
        return identity + super()._query()


SCHEMES: dict[str, tuple[type[URLAddress], dict[str, Option]]] = {
    "tcp": (HostAddress, COMMON),
    "tls": (HostAddress, COMMON),
    "unix": (UnixAddress, COMMON),
    "serial": (SerialAddress, SERIAL),
    "rfc2217": (HostAddress, RFC2217),
}


def is_url(text: str) -> bool:
    """Whether a resource string begins with one of the schemes."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in SCHEMES


def read_url(url: str) -> URLAddress:
    """The address of a URL that `is_url`. Raises a `ValueError` that says what is wrong, but not in which URL."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if any(character <= " " or character in "#\x7f" for character in rest):
        raise ValueError("spaces, control characters and '#' must be percent-encoded")
    location, _, query = rest.partition("?")
    authority, slash, path = location.partition("/")
    return SCHEMES[scheme][0].read(scheme, authority, slash + path, _split_query(query))


def _split_query(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in query.split("&") if query else ():
        name, _, text = item.partition("=")
        if name in given:
            raise ValueError(f"option {name!r} is given twice")
        given[name] = text
    return given

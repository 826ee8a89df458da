"""Host names, IP addresses and ports: what they may be, and how they are written together."""

from __future__ import annotations


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
        if _normal_ipv6(address) and bool(percent) == bool(zone) and _is_plain(zone):
            return host
    elif host and _is_plain(host):
        return host
    raise ValueError(f"host must be a name or an IP address (IPv6 without brackets), got {host!r}")


def _normal_ipv6(address: str) -> str | None:
    """The shortest spelling of an IPv6 address; None for something else."""
    import socket

    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))
    except (OSError, ValueError):
        return None


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & set(" /?#@[]\\%:")


def normal_host(host: str) -> str:
    """A host in lower case, and an IPv6 address in its shortest spelling. A zone, which is the name of a network
    interface, stays as it is."""
    name, percent, zone = check_host(host).partition("%")
    return (_normal_ipv6(name) or name.lower()) + percent + zone


def read_host(text: str) -> str:
    """The host of a text in which IPv6 addresses have brackets."""
    if text.startswith("[") and text.endswith("]"):
        if ":" not in text:
            raise ValueError(f"only an IPv6 address has brackets, got {text[1:-1]!r}")
        return text[1:-1]
    if ":" in text:
        raise ValueError(f"an IPv6 address needs brackets: [{text}]")
    return text


def read_port(text: str) -> int:
    """The number of a port."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"port must be an integer from 1 to 65535, got {text!r}")
    return check_port(int(text))


def split_host_port(text: str) -> tuple[str, int]:
    """The host and the port of ``host:port``, not looked up and not checked further."""
    host, _, port = text.rpartition(":")
    if text.endswith("]") or not host or not port:
        raise ValueError(f"expected host:port, got {text!r}")
    if ":" in host and not host.startswith("["):
        raise ValueError(f"an IPv6 address needs brackets: [{host}]:{port}")
    return read_host(host), read_port(port)


def split_host(text: str) -> tuple[str, int | None]:
    """The host and the port of ``host[:port]``."""
    if ":" in text and not text.endswith("]"):
        return split_host_port(text)
    return read_host(text), None


def write_host(host: str, port: int | None = None) -> str:
    """What `split_host` reads."""
    text = f"[{host}]" if ":" in host else host
    return text if port is None else f"{text}:{port}"

"""From a URL, or another resource string, to the stream for it."""

from __future__ import annotations

from .options import RFC2217_FLAGS
from .resource import SCHEMES, HostAddress, SerialAddress, UnixAddress, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

#: What ``concurrency`` may be, and the module that offers it.
CONCURRENCY_MAP = {
    "async": "sockio.aio",
    "asyncio": "sockio.aio",
    "trio": "sockio.trio",
    "sync": "sockio.sio",
    "syncio": "sockio.sio",
}

#: The resource strings that are streams, as a message lists them.
STREAMS = (*(f"{scheme}://" for scheme in SCHEMES), "tcp::", "serial::", "ftdi::", "ASRL", "TCPIP::…::SOCKET")


def socket_for_url(url: str, *args: Any, concurrency: str = "async", **kwargs: Any) -> Any:
    """Return a stream for a URL: ``tcp://host:port``, ``tls://``, ``unix://``, ``serial://`` or ``rfc2217://``.

    Args:
        url: what to connect to; options may follow a question mark. Other resource strings of streams do as well, such
            as ``serial::COM3::9600::8N1`` or ``TCPIP::host::5025::SOCKET``, see `sockio.resource`.
        *args: arguments of the stream's class after those that the URL gives.
        concurrency: "async" (or "asyncio"), "trio", "sync" (or "syncio").
        **kwargs: keyword arguments of the stream's class; they come before options of the URL.

    Raises:
        ValueError: not a resource that is supported, not that of a stream, or no such concurrency.
    """
    from importlib import import_module

    if concurrency not in CONCURRENCY_MAP:
        raise ValueError(f"concurrency must be one of {', '.join(CONCURRENCY_MAP)}, not {concurrency!r}")
    return stream_for_url(import_module(CONCURRENCY_MAP[concurrency]), url, *args, **kwargs)


def stream_for_url(flavour: ModuleType | Any, url: str, *args: Any, **kwargs: Any) -> Any:
    """Return a stream for a resource string, made of the classes TCP, Unix and Serial of *flavour*."""
    address = parse(url)
    options = {**address.options, **kwargs}
    if isinstance(address, UnixAddress):
        return flavour.Unix(address.path, *args, **options)
    if isinstance(address, HostAddress) and address.scheme in ("tcp", "tls"):
        if address.scheme == "tls":
            options.setdefault("ssl", True)
        return flavour.TCP(address.host, address.port, *args, **options)
    if isinstance(address, (SerialAddress, HostAddress)):
        flags = {name: options.pop(name) for name in RFC2217_FLAGS if name in options}
        return flavour.Serial(str(address.with_options(flags)), *args, **options)
    raise ValueError(f"{url!r} is no stream, {address.opener} opens it; streams are {', '.join(STREAMS)}")

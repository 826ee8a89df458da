"""The text of `sockio.sio`."""

from __future__ import annotations

from .facade import (
    Core,
    Flavour,
    arguments_of,
    client_stream_members,
    define,
    own_attributes,
    server_class,
    stream_class,
)
from .iteration import iteration
from .source import Class, Module, Parameter

ITERATION = iteration("run(stream.next_batch(link))", "bytes", "self.items._read()")

BLOCKING = Flavour(call="run", look="", result="{}")

HEAD = '''"""Streams whose calls block, for scripts, notebooks and programs with threads.

Nothing runs behind them: the core does its work in the thread that calls. With ``resolve_futures=False`` a class gives
what the class of the same name in `sockio.futures` does: every call returns a `concurrent.futures.Future`.

Written by ``python -m sockio.generate`` from the core: change that instead.
"""

from __future__ import annotations

import sys

from . import client_stream, iteration, serial_port, server, tcp, unix
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .deadline import DEFAULT
from .errors import ConnectionEOFError, ConnectionTimeoutError, LimitError, ProtocolError
from .retry import Retry
from .runtimes.blocking import run
from .runtimes.blocking import runtime as _runtime
from .runtimes.listeners import BACKLOG
from .serial_port import QUIET
from .urls import stream_for_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from logging import Logger
    from ssl import SSLContext
    from types import TracebackType
    from typing import Any, Literal, TypeVar, overload

    from typing_extensions import Self

    from . import futures, stream
    from .checks import Data
    from .deadline import Timeout
    from .framing import Framing

    Frame = TypeVar("Frame")
    Memory = TypeVar("Memory")

__all__ = [
    "DEFAULT_LIMIT",
    "DFT_KEEP_ALIVE",
    "IPTOS_LOWDELAY",
    "TCP",
    "BaseStream",
    "BlockStream",
    "BlockingSerial",
    "BlockingTCP",
    "BlockingUnix",
    "ClientStream",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "LineStream",
    "ProtocolError",
    "Retry",
    "Serial",
    "Server",
    "Stream",
    "Unix",
    "serve",
    "socket_for_url",
]


class _TCP(tcp.TCP):
    runtime = _runtime


class _Unix(unix.Unix):
    runtime = _runtime


class _Serial(serial_port.Serial):
    runtime = _runtime


class _Server(server.Server["ClientStream"]):
    runtime = _runtime

    def _present(self, client: client_stream.ClientStream) -> ClientStream:
        return ClientStream(client)
'''

FOR_URL = '''

if TYPE_CHECKING:

    @overload
    def socket_for_url(url: str, *args: Any, resolve_futures: Literal[False], **kwargs: Any) -> futures.Stream: ...
    @overload
    def socket_for_url(url: str, *args: Any, resolve_futures: Literal[True] = True, **kwargs: Any) -> Stream: ...


def socket_for_url(url: str, *args: Any, **kwargs: Any) -> Any:
    """Return a stream for a URL: ``tcp://host:port``, ``tls://``, ``unix://``, ``serial://`` or ``rfc2217://``.

    Args:
        url: what to connect to; options may follow a question mark, see `sockio.resource`.
        *args: arguments of the stream's class after those that the URL gives.
        **kwargs: keyword arguments of the stream's class; they come before options of the URL.

    Raises:
        ValueError: not a URL that is supported.
    """
    return stream_for_url(sys.modules[__name__], url, *args, **kwargs)
'''

CHOICE = "        resolve_futures: False for a `sockio.futures.{name}`, whose calls give futures.\n"


def write() -> str:
    """Return the whole module."""
    core = Core()
    stream = stream_class(core, BLOCKING)
    streams = [_write_class(core, name) for name in core.streams]
    return "".join([HEAD, stream, *streams, _write_server(), ITERATION, FOR_URL])


def _write_server() -> str:
    """Return the classes of servers, whose clients are streams that block."""
    client = Module("client_stream.py").read_class("ClientStream")
    server = Module("server.py").read_class("Server")
    constructor = define("__init__", server.constructor, "None")
    doc = server.doc.replace("async with", "with")
    return f'''

class ClientStream(Stream):
    {client.doc.split("    Attributes:")[0].rstrip()}

    Args:
        core: the object of the core that does the work.
    """

    def __init__(self, core: client_stream.ClientStream) -> None:
        self._core = core
        self.stream = core

{client_stream_members(BLOCKING)}

class Server:
    {doc}

{constructor.replace("[Client]", "[ClientStream]")}
        self._core = _Server(
{arguments_of(server.constructor)}
        )

    def __repr__(self) -> str:
        return repr(self._core)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

{server_class(BLOCKING).replace("[Client]", "[ClientStream]")}

#: ``with serve(handler, host, port) as server: …``
serve = Server
'''


def _write_class(core: Core, name: str) -> str:
    stream = core.streams[name]
    chooses = Parameter("resolve_futures", "bool", "True", True)
    here = Parameter("resolve_futures", "Literal[True]", "True", True)
    there = Parameter("resolve_futures", "Literal[False]", None, True)
    constructor = stream.constructor
    arguments = arguments_of(constructor)
    return f'''

class Blocking{name}(Stream):
    """A `{name}` whose calls block: the class to derive from."""

{define("__init__", [*constructor, chooses], "None")}
        if not resolve_futures:
            raise TypeError(f"{{type(self).__name__}} blocks; for futures there is sockio.futures.{name}")
        self._core = _{name}(
{arguments}
        )
        self.stream = self._core

{own_attributes(core, stream)}


class {name}(Blocking{name}):
    {_doc(stream)}

    if TYPE_CHECKING:

        @overload
{define("__new__", [*constructor, here], "Self", "        ", "cls")} ...
        @overload
{define("__new__", [*constructor, there], f"futures.{name}", "        ", "cls", "  # type: ignore[misc]")} ...

    def __new__(cls, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> Any:
        if resolve_futures or cls is not {name}:
            return super().__new__(cls)
        from . import futures

        return futures.{name}(*args, **kwargs)

    # What help() and inspect.signature() show.
    __new__.__dict__["__wrapped__"] = Blocking{name}.__init__
'''


def _doc(stream: Class) -> str:
    if "The other arguments" in stream.doc:
        return stream.doc
    arguments, rest = stream.doc.split("\n\n    Raises:")
    return f"{arguments}\n{CHOICE.format(name=stream.name)}\n    Raises:{rest}"

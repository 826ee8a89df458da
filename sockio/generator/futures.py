"""The text of `sockio.futures`."""

from __future__ import annotations

from .facade import Core, Flavour, arguments_of, define, own_attributes, stream_class
from .iteration import iteration

FUTURES = Flavour(call="submit", look="call", result="Future[{}]")

HEAD = '''"""Streams whose calls give a `concurrent.futures.Future`, at once.

The core runs in an event loop that a thread of its own runs, one for all streams of the process. Callbacks are called
in other threads, where they may wait for futures. A wrong argument is the future's exception.

Written by ``python -m sockio.generate`` from the core: change that instead.
"""

from __future__ import annotations

import asyncio
import sys

from . import iteration, serial_port, tcp, unix
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .deadline import DEFAULT
from .errors import ProtocolError
from .retry import Retry
from .runtimes.asyncio import ConnectionEOFError, ConnectionTimeoutError, LimitError
from .runtimes.loop_thread import call, submit
from .runtimes.loop_thread import runtime as _runtime
from .serial_port import QUIET
from .urls import stream_for_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from logging import Logger
    from ssl import SSLContext
    from typing import Any, TypeVar, overload

    from . import stream
    from .checks import Data
    from .deadline import Timeout
    from .framing import Framing

    Frame = TypeVar("Frame")
    Memory = TypeVar("Memory")
    Result = TypeVar("Result")

__all__ = [
    "DEFAULT_LIMIT",
    "DFT_KEEP_ALIVE",
    "IPTOS_LOWDELAY",
    "TCP",
    "BaseStream",
    "BlockStream",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "LineStream",
    "ProtocolError",
    "Retry",
    "Serial",
    "Stream",
    "Unix",
    "socket_for_url",
]


class _TCP(tcp.TCP):
    runtime = _runtime


class _Unix(unix.Unix):
    runtime = _runtime


class _Serial(serial_port.Serial):
    runtime = _runtime
'''

ITERATION = iteration(
    "submit(stream.next_batch(link)).result()", "Future[bytes]", "await asyncio.wrap_future(self.items._read())"
)

SUBMIT = '''
    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine where the calls of this stream run, in the shared event loop."""
        return submit(coroutine)
'''

FOR_URL = '''

def socket_for_url(url: str, *args: Any, **kwargs: Any) -> Stream:
    """Return a stream for a URL: ``tcp://host:port``, ``tls://``, ``unix://``, ``serial://`` or ``rfc2217://``.

    Args:
        url: what to connect to; options may follow a question mark, see `sockio.resource`.
        *args: arguments of the stream's class after those that the URL gives.
        **kwargs: keyword arguments of the stream's class; they come before options of the URL.

    Raises:
        ValueError: not a URL that is supported.
    """
    made: Stream = stream_for_url(sys.modules[__name__], url, *args, **kwargs)
    return made
'''


def write() -> str:
    """Return the whole module."""
    core = Core()
    stream = stream_class(core, FUTURES)
    return "".join([HEAD, stream, SUBMIT, *(_write_class(core, name) for name in core.streams), ITERATION, FOR_URL])


def _write_class(core: Core, name: str) -> str:
    stream = core.streams[name]
    return f"""

class {name}(Stream):
    {stream.doc}

{define("__init__", stream.constructor, "None")}
        self._core = _{name}(
{arguments_of(stream.constructor)}
        )
        self.stream = self._core

{own_attributes(core, stream)}
"""

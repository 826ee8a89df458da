"""Talk to laboratory instruments over TCP, TLS, unix sockets and serial lines, in whatever way your program waits.

===================  ====================================  ===============================
``sockio.aio``       asyncio                               ``await sock.write_readline(…)``
``sockio.trio``      trio                                  ``await sock.write_readline(…)``
``sockio.sio``       plain calls that block                ``sock.write_readline(…)``
``sockio.sio``       ``resolve_futures=False``: futures    ``….write_readline(…).result()``
``sockio.py2``       plain calls, also under Python 2.7    ``sock.write_readline(…)``
===================  ====================================  ===============================
"""

from __future__ import annotations

from .lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import ConnectionEOFError, ConnectionTimeoutError, LimitError, ProtocolError
    from .retry import Retry
    from .urls import CONCURRENCY_MAP, socket_for_url
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "CONCURRENCY_MAP": ".urls",
            "ConnectionEOFError": ".errors",
            "ConnectionTimeoutError": ".errors",
            "LimitError": ".errors",
            "ProtocolError": ".errors",
            "Retry": ".retry",
            "socket_for_url": ".urls",
        },
    )

__version__ = "1.0.0.dev0"

__all__ = [
    "CONCURRENCY_MAP",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "ProtocolError",
    "Retry",
    "__version__",
    "socket_for_url",
]

"""Streams over unix domain sockets."""

from __future__ import annotations

from .common import DEFAULT_LIMIT
from .resource import UnixAddress
from .runtimes.sockets import connect_unix
from .stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .retry import Retry
    from .runtimes.base import Transport


class Unix(Stream):
    """A stream over a unix domain socket, connected at the first call that needs it, and again after a failure.

    Args:
        path: the absolute path of the socket.

    The other arguments are those of `TCP`.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        path: str,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        *,
        quiet: float | None = None,
        retry: Retry | None = None,
    ) -> None:
        if not isinstance(path, str):
            raise TypeError(f"path must be the absolute path of a socket, not {path!r}")
        address = UnixAddress(path)
        super().__init__(
            str(address),
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
        self.path = path

    async def _open_transport(self, deadline: float | None) -> Transport:
        return self.runtime.adopt(await connect_unix(self.runtime, self.path, deadline), self.buffer_size)

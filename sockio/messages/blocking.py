"""Connections that carry messages, for calls that block."""

from __future__ import annotations

from ..deadline import DEFAULT
from ..runtimes.blocking import run
from ..stream import Stream as CoreStream
from .connection import MessageConnection
from .events import DEFAULT_MESSAGE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from ..deadline import Timeout
    from ..sio import Stream

    Progress = Callable[[int, int], object]


class BlockingMessageConnection:
    """Messages over a stream of `sockio.sio`: ``with BlockingMessageConnection(TCP(host, port)) as messages: …``.

    What there is to know about its arguments and methods is in `MessageConnection`. Any number of threads may call it.
    Beside them there is one thread for each connection, which reads while none of them waits for anything.

    Attributes:
        core: the object that does the work.
    """

    def __init__(
        self,
        stream: Stream,
        protocol: str = "blob",
        *,
        limit: int = DEFAULT_MESSAGE_LIMIT,
        encoding: str = "ascii",
        allow_unpickle: bool = False,
        restart: bool = False,
    ) -> None:
        core: Any = getattr(stream, "stream", None)
        if not isinstance(core, CoreStream) or core.runtime.suspends:
            raise TypeError(
                "stream must be one of sockio.sio whose calls block (for those of sockio.aio and sockio.trio there is "
                f"MessageConnection), not {stream!r}"
            )
        self.stream = stream
        self.core = MessageConnection(
            core, protocol, limit=limit, encoding=encoding, allow_unpickle=allow_unpickle, restart=restart
        )

    def __repr__(self) -> str:
        state = "connected" if self.connected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self.protocol} over {self.stream}, {state}>"

    @property
    def protocol(self) -> str:
        """The name of the protocol."""
        return self.core.protocol

    @property
    def restart(self) -> bool:
        """Whether it connects again whenever the connection is lost."""
        return self.core.restart

    @restart.setter
    def restart(self, restart: bool) -> None:
        self.core.restart = restart

    @property
    def waiting(self) -> int:
        """How many messages can be received without waiting."""
        return self.core.waiting

    @property
    def in_mode(self) -> int:
        """The mode of serpy in which the peer sends."""
        return self.core.in_mode

    @property
    def out_mode(self) -> int:
        """The mode of serpy in which was sent last."""
        return self.core.out_mode

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return self.core.connected()

    def open(self, timeout: Timeout = DEFAULT) -> None:
        """Connect now, instead of at the first call that needs it."""
        run(self.core.open(timeout))

    def send(
        self,
        data: Any,
        timeout: Timeout = DEFAULT,
        *,
        acknowledge: bool | None = None,
        mode: int | None = None,
        force_mode: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Send a message, and wait until the peer has acknowledged it, if that is wanted."""
        run(self.core.send(data, timeout, acknowledge=acknowledge, mode=mode, force_mode=force_mode, progress=progress))

    def receive(self, timeout: Timeout = DEFAULT, *, progress: Progress | None = None) -> Any:
        """Return the next message. When the time is up, nothing is lost."""
        return run(self.core.receive(timeout, progress=progress))

    def close(self) -> None:
        """Close the connection. Calls that use it end with an error; messages that have come can still be received."""
        run(self.core.close())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self.receive()
        except EOFError as error:
            if getattr(error, "partial", b""):
                raise
            raise StopIteration from None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

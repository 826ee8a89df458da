"""The connection to a bus that all who use it in one event loop, or in all blocking threads, share."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from sockio import registry
from sockio.errors import DeadlineExpired
from sockio.turns import Turns

from .hub import Hub
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Hashable

    import can

    from sockio.resource import CANAddress
    from sockio.runtimes.base import Runtime

    from .filters import CanFilter
    from .message_queue import MessageQueue


class CanConnection:
    """Opens a bus when it is needed, and gives what is received to all who want it.

    Args:
        address: of the bus.
        options: what python-can opens it with.
        runtime: of those who use it.

    Attributes:
        hub: gives out what is received.
        silent_until: when the next request may follow one that failed, by what `turns` takes.
    """

    def __init__(self, address: CANAddress, options: dict[str, Any], runtime: Runtime) -> None:
        self._address = address
        self._options = options
        self._runtime = runtime
        self._starting = Turns(runtime)
        self._session: Session | None = None
        self._forsaken: weakref.finalize[..., CanConnection] | None = None
        self._turns: dict[Hashable, Turns] = {}
        self.silent_until: dict[Hashable, float] = {}
        self.resource = registry.resource(address.resource)  # which is forgotten when nobody has it
        self.home = runtime.home()
        self.hub = Hub(runtime)

    def connected(self) -> bool:
        """Tell whether the bus is open."""
        return self._session is not None and self._session.connected

    def lost_by_driver(self) -> int:
        """Return how many frames had no room before they could be read."""
        return self.hub.lost_before + (0 if self._session is None else self._session.lost_by_driver())

    async def open(self, deadline: float | None) -> Session:
        """Open the bus, unless that has been done.

        Raises:
            CanBusError: the adapter is not there.
            ConnectionTimeoutError: it could not be opened in time.
        """
        session = self._session
        if session is not None and session.connected:
            return session
        try:
            async with self._starting.turn("connect", deadline):
                session = self._session
                if session is None or not session.running:
                    session = Session(self._address, self._options, self._runtime, self.hub)
                    await session.start(deadline)
                    self._keep(session)
                else:
                    await session.ensure_open(deadline)
                return session
        except DeadlineExpired:
            raise self._runtime.timeout_error(f"{self._address}: could not be opened in time") from None

    def _keep(self, session: Session) -> None:
        self._session = session
        if self._forsaken is not None:
            self._forsaken.detach()
        self._forsaken = weakref.finalize(self, session.ask_to_stop)
        session.apply_filters()  # again, for those who have subscribed since it was opened and did not see it yet

    async def close(self) -> None:
        """Close the bus. The next call opens it again; receivers that are waiting end."""
        session, self._session = self._session, None
        if session is not None:
            await session.stop()

    def abandon(self) -> None:
        """Have the bus closed soon. Any thread may call this."""
        if self._session is not None:
            self._session.ask_to_stop()

    async def send(self, frames: list[can.Message], deadline: float | None) -> None:
        """Send frames, see `Session.send`."""
        session = await self.open(deadline)
        await session.send(frames, deadline)

    def subscribe(self, queue: weakref.ref[MessageQueue], filters: tuple[CanFilter, ...]) -> None:
        """Put what is received from now on into a queue too; the driver passes no less than all queues want."""
        self.hub.add(queue, filters)
        try:
            if self._session is not None:
                self._session.apply_filters()
        except BaseException:
            self.hub.remove(queue)
            raise

    def running(self) -> bool:
        """Tell whether the bus is read, or is being opened again after it was lost."""
        return self._session is not None and self._session.running

    def turns(self, what: Hashable) -> Turns:
        """Return the turns of those whose requests must not mix."""
        return self._turns.setdefault(what, Turns(self._runtime))


def shared_connection(address: CANAddress, options: dict[str, Any], runtime: Runtime) -> CanConnection:
    """Return the connection to a bus, the same one for everybody at home where the caller is.

    Raises:
        ValueError: it is in use with other options.
    """
    settings = {"bitrate": address.bitrate, **options}
    made: CanConnection = registry.resource(address.resource).connection(
        runtime, settings, lambda: CanConnection(address, options, runtime)
    )
    return made

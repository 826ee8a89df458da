"""Requests to one controller: in turn, not too fast, not over and over after a failure, set up first."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from . import codec
from .codec import Command
from .errors import CryoConError
from .group import open_group

if TYPE_CHECKING:
    from sockio.framing import Framing

    from ..link import Link
    from .driver import CryoCon

T = TypeVar("T")


class Identity(NamedTuple):
    """Who the controller says it is."""

    idn: str
    hardware_revision: str
    firmware_revision: str


class Pace:
    """When the next request may go out on a link."""

    def __init__(self, link: Link) -> None:
        self._link = weakref.ref(link)
        self._ended: float | None = None
        self._failed: float | None = None
        self._failure: OSError | None = None

    def check(self, retry_period: float) -> None:
        """Raise the last failure again, as long as it is less than *retry_period* seconds ago."""
        if self._failure is not None and self._remaining(self._failed, retry_period) > 0:
            raise same_error(self._failure) from self._failure

    async def wait(self, period: float) -> None:
        """Wait until *period* seconds have passed since the end of the last request."""
        link = self._link()
        remaining = self._remaining(self._ended, period)
        if remaining > 0 and link is not None:
            await link.sleep(remaining)

    def end(self, failure: OSError | None) -> None:
        """Note that a request has ended, now."""
        link = self._link()
        self._ended = None if link is None else link.clock()
        # Without its traceback, which would keep the frames of the failed call alive.
        self._failure = None if failure is None else same_error(failure)
        self._failed = None if failure is None else self._ended

    def _remaining(self, start: float | None, period: float) -> float:
        """Return the seconds that are left of a period; none if the clock is not the one of the start."""
        link = self._link()
        if start is None or link is None:
            return 0
        remaining = start + period - link.clock()
        return remaining if remaining <= period else 0


_paces: WeakKeyDictionary[Link, Pace] = WeakKeyDictionary()


def same_error(error: OSError) -> OSError:
    """Return a new exception like *error*, without traceback."""
    try:
        return copy.copy(error)
    except TypeError:
        return ConnectionError(str(error))


class Session:
    """The requests of one driver and its parts.

    Args:
        driver: whose periods hold.
        on_connection: commands to be sent on every new connection before anything else; the last three ask
            for `Identity`.
    """

    def __init__(self, driver: CryoCon, on_connection: Sequence[Command[Any]]) -> None:
        self.link = driver.link
        self.identity: Identity | None = None
        self._driver = weakref.ref(driver)
        self._period, self._retry_period = driver.io_period, driver.io_error_retry_period
        self._pace = _paces.setdefault(driver.link, Pace(driver.link))
        self._on_connection = list(on_connection)
        self._set_up = not on_connection
        self._failure: Exception | None = None
        if on_connection:
            # A connection that is open already has not been set up; a foreign object cannot tell when it
            # reconnects.
            registered = driver.link.on_connection_made(self._connection_made)
            self._set_up = registered and not driver.link.stream.connected()

    def submit(self, command: Command[T]) -> Awaitable[T]:
        """Let *command* join the open group, or send it when what is returned is awaited."""
        group = open_group(self.send)
        return self._ask(command) if group is None else group.add(command)

    async def _ask(self, command: Command[T]) -> T:
        """Send one command and return its value."""
        (result,) = await self.send([command])
        if isinstance(result, CryoConError):
            raise result
        value: T = result
        return value

    async def send(self, commands: list[Command[Any]]) -> list[Any]:
        """Send commands on one line; return their values, with the errors in place of those that failed.

        Raises:
            CryoConError: the controller could not be set up.
            OSError: the connection failed, now or less than ``io_error_retry_period`` seconds ago.
        """
        return codec.decode(commands, await self.request(codec.encode(commands), has_reply(commands)))

    async def request(
        self, data: bytes, reply: bool = True, framing: Framing[bytes] | None = None, settle: float = 0
    ) -> bytes:
        """Make one request in turn.

        Args:
            data: what to send.
            reply: whether something comes back.
            framing: of the reply, if it is more than a line. Needs a connection of sockio.
            settle: seconds for which the controller is not to be disturbed afterwards.
        """
        async with self.link.turn("request"):
            self._pace.check(self._periods()[1])
            if not self._set_up:
                await self._prepare()
            received = await self._exchange(data, reply, framing)
            if not self._set_up:
                raise CryoConError(f"{self.link}: could not be set up after connecting: {self._failure}") from (
                    self._failure
                )
            if settle:
                await self.link.sleep(settle)
            return received

    async def _exchange(self, data: bytes, reply: bool, framing: Framing[bytes] | None = None) -> bytes:
        """Send when the time has come; return the reply."""
        await self._pace.wait(self._periods()[0])
        failure: OSError | None = None
        try:
            if framing is not None:
                return await self.link.stream.write_readframe(data, framing)
            if reply:
                return await self.link.write_readline(data)
            await self.link.write(data)
            return b""
        except OSError as error:
            failure = error
            raise
        finally:
            self._pace.end(failure)

    async def _prepare(self) -> None:
        """Set the controller up, and remember who it is.

        Raises:
            CryoConError: it refuses.
        """
        values: list[Any] = []
        for line in codec.pack(self._on_connection):
            values += codec.decode(line, await self._exchange(codec.encode(line), True))
        for value in values:
            if isinstance(value, CryoConError):
                raise value
        self.identity = Identity(*values[-3:])
        self._set_up = True
        self._failure = None

    async def _connection_made(self) -> None:
        """Set a new connection up. A failure is kept for the call that made it; the next one tries again."""
        self._set_up = False
        try:
            await self._prepare()
        except Exception as error:
            self._failure = error
        # The request for which the connection was made follows at once.
        await self.link.sleep(self._periods()[0])

    def _periods(self) -> tuple[float, float]:
        """Return the driver's periods; the last known, if only a part of the driver is still in use."""
        driver = self._driver()
        if driver is not None:
            self._period, self._retry_period = driver.io_period, driver.io_error_retry_period
        return self._period, self._retry_period


def has_reply(commands: Sequence[Command[Any]]) -> bool:
    """Tell whether any of *commands* has a reply."""
    return any(command.kind is not None for command in commands)

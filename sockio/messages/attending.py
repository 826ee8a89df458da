"""The attendant of a connection that carries messages: it reads while nobody waits for anything."""

from __future__ import annotations

import os

from ..errors import DeadlineExpired
from ..retry import Retry
from .events import Body, Rejected
from .receiving import ATTENDANT, LOOK, Call, Failure, Receiving
from .wire import end_sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..link import Link
    from ..runtimes.base import Waiter

#: Seconds for which nobody has to have waited before the attendant reads. In between, who waits next reads itself.
REST = 0.01

#: Seconds for which a peer may go on sending after it was told why the connection ends: closed at once, the
#: connection would be reset, and the peer's system would throw that away.
LINGER = 0.5

#: How much of a big message is received, and checked, at a time: what fits into a processor's cache.
PIECE = 2**19

#: Seconds for which closing waits for the attendant to end.
FAREWELL = 1.0


class Attending(Receiving):
    """A connection with somebody to read from it.

    There is at most one attendant, a task or a thread, from the first call until `close`, or until the connection
    has ended and cannot be made again.
    """

    def _reset(self) -> None:
        super()._reset()
        self._vacancy = [True]  # who takes it out is the attendant, or starts it
        self._attendant: Any = None
        self._gave_up: Link | None = None
        self._farewells: list[Waiter] = []

    def _settle(self) -> None:
        """Move in where the caller is: what belongs to another event loop, or to the parent process, is of no use."""
        if self.stream.runtime.suspends:
            self.stream._settle()
        home = self.stream.runtime.home(), os.getpid()
        if home != self._home:
            if self._home is not None:
                self._reset()
            self._home = home

    def _attend_from_now_on(self) -> None:
        """Start the attendant, if there is none and there is something to attend to."""
        if self._vacancy and not self._has_ended() and self._take_vacancy():
            try:
                self.stream.runtime.spawn(self._attend(self._farewells), f"messages of {self.stream}")
            except BaseException:
                self._vacancy.append(True)
                raise

    def _take_vacancy(self) -> bool:
        try:
            return self._vacancy.pop()
        except IndexError:
            return False

    async def attend(self, begun: Callable[[], None]) -> None:
        """Be the attendant, in the calling task or thread, until the connection has ended.

        Args:
            begun: called when nobody else can become the attendant any more.
        """
        self._settle()
        self._take_vacancy()
        begun()
        await self._attend(self._farewells)

    async def _attend(self, farewells: list[Waiter]) -> None:
        # The list tells one attendant from the next, on another event loop.
        self._attendant = self.stream.runtime.caller()
        try:
            while farewells is self._farewells and not self._has_ended():
                await self._attend_once()
        except Exception:
            self.log.exception("%s: closed, since its attendant has failed", self.stream)
            await self.stream.close()
        finally:
            if self._farewells is farewells:
                self._vacancy.append(True)
                self._attendant = None
            for waiter in list(farewells):
                waiter.set()

    async def _attend_once(self) -> None:
        """Do what is to be done, or wait until there is something."""
        bell = self._bell = self.stream.runtime.waiter()
        if self._unfinished is not None:
            await self._finish(*self._unfinished)
        elif self._outbox and not self._writing.queue:
            await self._answer(True)
        elif self._is_wanted():
            activity = self._activity
            try:
                await bell.wait(self.stream.runtime.clock() + REST)
            except DeadlineExpired:
                if self._activity is activity and self._is_wanted():
                    await self._keep_reading()
        else:
            self._parked = True
            # Asked again now that others see that it waits.
            if not self._has_work():
                await bell.wait(None)
            self._parked = False

    def _has_work(self) -> bool:
        """Tell whether the attendant has anything to do."""
        return self._has_ended() or self._unfinished is not None or self._is_wanted()

    def _is_wanted(self) -> bool:
        """Tell whether nobody reads who could, and there is something to read from."""
        if self._reading.queue or not self._may_read():
            return False
        return self._is_alive(self.stream._link) or self._is_to_restart()

    def _is_alive(self, link: Link | None) -> bool:
        return link is not None and not self._over(link)

    def _is_to_restart(self) -> bool:
        """Tell whether there was a connection that is to be made again."""
        if not self.restart or not self.stream.auto_reconnect or self._closed:
            return False
        return self._begun() and (self._gave_up is None or self._gave_up is not self._ended)

    def _begun(self) -> bool:
        """Tell whether there has been a connection."""
        return self.stream.connection_counter > 0

    def _has_ended(self) -> bool:
        """Tell whether nothing will ever come again."""
        if self._closed:
            return True
        return self._begun() and not self.stream.auto_reconnect and not self._is_alive(self.stream._link)

    def _is_condemned(self) -> bool:
        """Tell whether the connection is about to end, since what came on it made no sense."""
        return self._unfinished is not None and isinstance(self._unfinished[1], Rejected)

    async def _outlast_condemned(self, call: Call) -> None:
        """Wait for the end of a connection that is about to end, so that the call can have another one."""
        if self._is_condemned():
            await self._until(lambda: not self._is_condemned(), call)
            call.link = None
            self._check_not_ended()

    def _check_not_ended(self) -> None:
        if self._has_ended():
            raise ConnectionError(f"{self.stream}: the connection has ended, and is not made again by itself")

    async def _keep_reading(self) -> None:
        """Read until somebody waits who reads instead, or there is no room for more."""
        # Who is sending now also sends what is in the outbox, unless that fails. So it is looked after again.
        looking_after = bool(self._outbox)
        call = Call(ATTENDANT, self.stream.runtime.clock() + LOOK if looking_after else None)
        if self._is_alive(self.stream._link):
            call.link = self.stream._link

        def relieved() -> bool:
            others = any(ticket.method is not ATTENDANT for ticket in list(self._reading.queue))
            return others or self._closed or not self._may_read() or bool(self._outbox) is not looking_after

        try:
            await self._until(relieved, call)
        except DeadlineExpired:
            pass
        except (OSError, EOFError) as error:
            self._note_loss(error)
            if call.link is None and not self._closed:
                self.log.warning("%s: is not connected again: %s", self.stream, error)
                self._gave_up = self._ended
            self._tell()

    def _note_loss(self, error: Exception) -> None:
        """Keep why the connection was lost for who receives next, unless it is to be made again as if nothing were."""
        error = error.with_traceback(None)
        if getattr(error, "partial", b""):
            self._put(Failure(error), len(getattr(error, "partial", b"")))
        elif not self.restart:
            self._loss = error

    # What takes time

    async def _finish(self, link: Link, event: Body | Rejected) -> None:
        """Receive a big message, or end a connection that makes no sense any more."""
        try:
            if isinstance(event, Body):
                await self.stream._call(ATTENDANT, None, None, self._receive_body, link, event)
            else:
                await self._answer_finally(self.stream.runtime.clock() + LINGER)
                await self.stream._call(ATTENDANT, LINGER, None, self._drain, link, event.error)
        except (OSError, EOFError) as error:
            # The frames in its traceback hold the link, which holds the error, and what has come of the message.
            error.__context__ = None
            if isinstance(event, Body):
                self._put(Failure(error.with_traceback(None)), 0)
            self._ended = link
        except ValueError:
            self._ended = link  # which is in the queue already
        finally:
            self._unfinished = None
            self._tell()
            for waiter in list(self._farewells):
                waiter.set()

    async def _receive_body(self, link: Link, deadline: float | None, body: Body) -> None:
        view = body.view
        total = len(view)
        self._progress = (0, total)
        done = link.buffer.take_into(view)
        body.add(view[:done])
        while done < total:
            self._progress = (done, total)
            self._tell()
            with view[done : done + PIECE] as piece:
                count = await link.transport.receive_into(piece, deadline)
                done += count
                if count < len(piece):
                    raise self.stream._end_of_stream(
                        bytes(view[: min(done, 64)]), f"the peer closed the connection after {done} of {total} bytes"
                    )
                body.add(piece)
        trailer = await self.stream._receive_exactly(link, deadline, body.trailer_size)
        self._progress = (total, total)
        self._handle(link, body.finish(trailer))

    async def _drain(self, link: Link, deadline: float | None, error: Exception) -> None:
        """Throw away what still comes, for a while, and close the connection."""
        end_sending(link)
        try:
            while True:
                received = link.transport.receive(deadline)
                if not (received if isinstance(received, bytes) else await received):
                    break
                if deadline is not None and self.stream.runtime.clock() > deadline:
                    break
        except (DeadlineExpired, OSError):
            pass
        self.stream._part_with(link)
        link.reader = None
        self.stream._retire(link, error)
        raise error

    async def close(self) -> None:
        """Close the connection. Calls that use it end with an error; messages that have come can still be received."""
        self._settle()
        try:
            if self._is_condemned():
                await self._wait_for_attendant(lambda: self._unfinished is None, LINGER + FAREWELL)
        finally:
            self._closed = True
            self.stream.retry = Retry()  # whoever is connecting again is to stop trying
            self._ring()
            try:
                await self.stream.close()
            finally:
                self._tell()
        await self._wait_for_attendant(lambda: bool(self._vacancy), FAREWELL)

    async def _wait_for_attendant(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait until the attendant has done something; for itself it does not wait."""
        runtime = self.stream.runtime
        if self._attendant == runtime.caller():
            return
        deadline = runtime.clock() + seconds
        waiter = runtime.waiter()
        self._farewells.append(waiter)
        try:
            if not self._vacancy and not done():
                await waiter.wait(deadline)
        except DeadlineExpired:
            self.log.warning("%s: its attendant takes too long", self.stream)
        finally:
            self._farewells.remove(waiter)

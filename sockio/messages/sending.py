"""How messages are sent: one at a time, in the mode that they need, and acknowledged if that is wanted."""

from __future__ import annotations

import itertools

from ..errors import ConnectionTimeoutError, DeadlineExpired
from .attending import PIECE, Attending
from .events import BIG, MessageRefusedError
from .outgoing import Outgoing, Pending
from .receiving import Call
from .wire import is_writable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..link import Link
    from .events import Parcel

    Progress = Callable[[int, int], object]

#: Seconds in which a peer that has hung up has to have said why.
LAST_WORDS = 0.5

#: How many messages may wait for the peer's verdict. Nothing is sent to one that has so many to decide upon.
PENDING_LENGTH = 1000

#: Where numbers of messages begin again.
NUMBERS = 2**32


class NotAcknowledgedError(ConnectionTimeoutError):
    """A message has been sent, and the peer has not acknowledged it in time. It may still arrive."""


class Sending(Attending):
    """A connection that sends messages."""

    def _reset(self) -> None:
        super()._reset()
        self._numbers = itertools.count(1)

    async def _send(
        self,
        data: Any,
        deadline: float | None,
        acknowledge: bool | None,
        mode: int | None,
        force_mode: bool,
        progress: Progress | None,
    ) -> None:
        """Send a message, and wait for its acknowledgement if that is wanted."""
        parcel = self._protocol.encode(data, next(self._numbers) % NUMBERS, acknowledge, mode, force_mode)
        call = Call("send", deadline)
        self._senders.append(call)
        try:
            if self._held_back:
                self._make_room()
            outgoing, pending = await self._sending.run("send", deadline, self._dispatch, parcel, call, progress)
            if self._outbox:
                await self._answer(False)
            if pending is not None:
                await self._wait_for_verdict(outgoing, pending, call)
        except DeadlineExpired:
            raise self.stream.runtime.timeout_error(
                f"{self.stream}: send: the peer takes nothing; the message has not been sent"
            ) from None
        finally:
            self._senders.remove(call)
            # What is in the outbox still is the attendant's: one that is cancelled cannot send it.
            if self._parked or self._outbox:
                self._ring()

    async def _wait_for_verdict(self, outgoing: Outgoing, pending: Pending, call: Call) -> None:
        def decided() -> bool:
            return pending.settled or self._is_broken(outgoing)

        try:
            await self._until(decided, call)
        except DeadlineExpired:
            raise NotAcknowledgedError(
                f"{self.stream}: send: the message has been sent, and not been acknowledged in time"
            ) from None
        if not pending.settled:
            raise self._why_broken(outgoing)
        if pending.reason is not None:
            raise _refused(self.stream, pending.reason)

    async def _dispatch(self, parcel: Parcel, call: Call, progress: Progress | None) -> tuple[Outgoing, Pending | None]:
        """Send a message. Called when it is its turn."""
        link = call.link = await self._connected(call)
        outgoing = self._outgoing_on(link)
        await self._set_mode(outgoing, parcel.mode, call)
        pending: Pending | None = None
        if parcel.acknowledged:
            if len(outgoing.pending) >= PENDING_LENGTH:
                await self._wait_for_peer(outgoing, lambda: len(outgoing.pending) < PENDING_LENGTH, call)
            pending = outgoing.pending[parcel.number] = Pending()
        try:
            if len(parcel.body) <= BIG and (call.deadline is None or is_writable(link)):
                # One write, which nothing comes between: the turn of those who write several is not needed.
                await self._write_parcel(link, parcel, call, pending, progress)
            else:
                await self._writing.run(
                    "send", call.deadline, self._write_parcel, link, parcel, call, pending, progress
                )
        except BaseException:
            if not call.begun:
                outgoing.pending.pop(parcel.number, None)
            raise
        return outgoing, pending

    async def _connected(self, call: Call) -> Link:
        """Return the link to send on, which is made if need be."""
        await self._outlast_condemned(call)
        link = self.stream._link
        if link is None or link.closed or not link.ready or (self.restart and link.transport.hung_up()):
            self._check_not_ended()
            # To send nothing is to see to it that there is a link.
            await self.stream._call("send", self._left(call.deadline), b"", None, None)
            link = self.stream._link
        if link is None:
            raise ConnectionAbortedError(f"{self.stream}: closed while connecting")
        return link

    def _outgoing_on(self, link: Link) -> Outgoing:
        """Return the state of sending on a link. Each begins in mode 0, whatever the last one was in."""
        outgoing = self._outgoing
        if outgoing is None or outgoing.link is not link:
            outgoing = self._outgoing = Outgoing(link)
            self._note_new(link)
        return outgoing

    def _is_broken(self, outgoing: Outgoing) -> bool:
        """Tell whether nothing more will be heard of what has been sent."""
        return outgoing.refusal is not None or self._over(outgoing.link)

    def _why_broken(self, outgoing: Outgoing) -> Exception:
        if outgoing.refusal is not None:
            return _refused(self.stream, outgoing.refusal)
        return self.stream._gone(outgoing.link, "send")

    # Modes

    async def _set_mode(self, outgoing: Outgoing, mode: int, call: Call) -> None:
        """Have the peer expect a mode. A change that it did not accept in time is still waited for by the next call."""
        if outgoing.unconfirmed or outgoing.refusal is not None:
            await self._wait_for_peer(outgoing, lambda: not outgoing.unconfirmed, call)
        if mode != outgoing.mode:
            change = self._protocol.mode_change(mode)
            await self._writing.run("send", call.deadline, self._write_mode_change, outgoing, change, mode, call)
            await self._wait_for_peer(outgoing, lambda: not outgoing.unconfirmed, call)

    async def _wait_for_peer(self, outgoing: Outgoing, ready: Callable[[], bool], call: Call) -> None:
        """Wait until what is awaited of the peer has come. Raises an error if it never will."""
        await self._until(lambda: ready() or self._is_broken(outgoing), call)
        if outgoing.refusal is not None or not ready():
            raise self._why_broken(outgoing)

    async def _write_mode_change(self, outgoing: Outgoing, change: bytes, mode: int, call: Call) -> None:
        await self._wait_writable(outgoing.link, call.deadline)
        outgoing.unconfirmed += 1
        outgoing.mode = mode
        try:
            await self._write(outgoing.link, change, call.deadline)
        except BaseException as error:
            self._give_up(outgoing.link, error)  # the peer may not have been told, and would never accept it
            raise

    # Writing

    async def _write_parcel(
        self, link: Link, parcel: Parcel, call: Call, pending: Pending | None, progress: Progress | None
    ) -> None:
        """Write a message. Once it has begun, what goes wrong ends the connection: the rest would make no sense."""
        await self._wait_writable(link, call.deadline)
        call.begun = True
        self._being_written = pending
        total = len(parcel.body)
        checksum = parcel.checksum
        counted = 0
        try:
            if not total and checksum is None:
                await self._write(link, parcel.head, call.deadline)
            elif total <= BIG:
                if checksum is not None:
                    counted = checksum(parcel.body, 0)
                await self._write(link, parcel.head + parcel.body + parcel.trailer(counted), call.deadline)
            else:
                await self._write(link, parcel.head, call.deadline)
                for start in range(0, total, PIECE):
                    piece = parcel.body[start : start + PIECE]
                    if checksum is not None:
                        counted = checksum(piece, counted)
                    await self._write(link, piece, call.deadline)
                    if progress is not None:
                        progress(start + len(piece), total)
                trailer = parcel.trailer(counted)
                if trailer:
                    await self._write(link, trailer, call.deadline)
        except BaseException as error:
            if pending is not None and isinstance(error, (OSError, EOFError)):
                await self._hear_last_words(link, pending)
            self._give_up(link, error)
            if pending is not None and pending.reason is not None:
                raise _refused(self.stream, pending.reason) from None
            raise
        finally:
            self._being_written = None

    def _give_up(self, link: Link, error: BaseException) -> None:
        self.stream._part_with(link)
        self.stream._retire(link, error)

    async def _hear_last_words(self, link: Link, pending: Pending) -> None:
        """Read what a peer that has hung up had to say about a message that it has not taken."""
        call = Call("send", self.stream.runtime.clock() + LAST_WORDS, link)
        try:
            await self._until(lambda: pending.settled or self._over(link), call)
        except (DeadlineExpired, OSError, EOFError):
            pass  # nothing

    async def _write(self, link: Link, data: bytes | memoryview, deadline: float | None) -> None:
        await self.stream._call("send", self._left(deadline), data, None, link)

    async def _wait_writable(self, link: Link, deadline: float | None) -> None:
        """Wait until something can be written: what has not begun in time need not cost the connection."""
        if self.stream.runtime.asks_for_cancellation:
            await self.stream.runtime.check_cancellation()
        if deadline is None or is_writable(link):
            return
        descriptor = link.transport.descriptor()
        assert descriptor is not None
        try:
            await self.stream.runtime.wait_writable(descriptor, deadline)
        except DeadlineExpired:
            raise
        except Exception:
            if self._over(link):
                raise ConnectionAbortedError(f"{self.stream}: was closed while send was running") from None
            raise

    async def _answer(self, patient: bool) -> None:
        """Send what is in the outbox, unless somebody is sending, who then does it afterwards.

        Args:
            patient: wait for a peer that does not take it; otherwise that is left to the attendant.
        """
        while self._outbox and not self._writing.queue:
            if not patient and not is_writable(self._outbox[0][0]):
                self._ring()
                return
            await self._writing.run("answer", None, self._write_answers, None)
            self._make_room()

    async def _answer_finally(self, deadline: float) -> None:
        """Send what is in the outbox, after whoever is sending now, who may be sending just that."""
        try:
            await self._writing.run("answer", deadline, self._write_answers, deadline)
        except DeadlineExpired:
            pass  # the peer takes nothing, so it would not hear it

    async def _write_answers(self, deadline: float | None) -> None:
        while self._outbox:
            link, answers = self._outbox.popleft()
            while self._outbox and self._outbox[0][0] is link:
                answers += self._outbox.popleft()[1]
            if not self._over(link):
                try:
                    await self._write(link, answers, deadline)
                except (OSError, EOFError):
                    pass  # who reads finds out
                except BaseException:
                    if not self._over(link):
                        self._outbox.appendleft((link, answers))  # cancelled before it was written
                    raise


def _refused(stream: Any, reason: str) -> MessageRefusedError:
    return MessageRefusedError(f"{stream}: the peer has refused the message: {reason}", reason)

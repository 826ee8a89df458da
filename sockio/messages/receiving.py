"""How messages are received: by whoever waits for one, or for the acknowledgement of one.

Who waits queues with a ticket. The first in the queue reads, and puts what comes where it belongs: messages into a
bounded queue, verdicts of the peer to who has sent what they are about, and what the protocol has to answer into an
outbox. Nobody writes while it is first: two ends that both waited for the other to read would wait for ever.
"""

from __future__ import annotations

from collections import deque

from ..deadline import sooner
from ..errors import DeadlineExpired
from ..framing import Need
from ..turns import Ticket, Turns
from .events import Answer, Body, Message, ModeAccepted, Refusal, Rejected
from .outgoing import Outgoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    from ..link import Link
    from ..runtimes.base import Waiter
    from ..stream import Stream
    from .events import Event, Verdict
    from .outgoing import Pending
    from .protocol import Decoder, Protocol

#: How many answers to the peer may wait until it takes them. Nothing is read from one that does not.
OUTBOX_LENGTH = 300

#: Bytes that a message occupies beside its own.
OVERHEAD = 100

#: Seconds between looks at whether the peer is still there, while nothing can be read because nobody takes messages.
LOOK = 0.5

ATTENDANT = "the attendant"


class Call:
    """What somebody waits for.

    Args:
        method: the name of the public method.
        deadline: a moment on the runtime's clock.
        link: the only link to read from; None for whichever there is, or can be made.

    Attributes:
        begun: whether part of a message may have been sent.
    """

    __slots__ = ("begun", "deadline", "link", "method")

    def __init__(self, method: str, deadline: float | None, link: Link | None = None) -> None:
        self.method = method
        self.deadline = deadline
        self.link = link
        self.begun = False


class Failure:
    """Stands in the queue for a message that could not be accepted."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Receiving:
    """The receiving half of a connection that carries messages.

    Args:
        stream: what carries them.
        protocol: how.
        restart: connect again whenever the connection is lost, instead of saying so to who waits.
    """

    def __init__(self, stream: Stream, protocol: Protocol, restart: bool) -> None:
        self.stream = stream
        self.restart = restart
        self._protocol = protocol
        self._items: deque[tuple[int, Any]] = deque()  # each with the size of all that came before it
        self._total = 0
        self._senders: list[Call] = []
        self._closed = False
        self._home: object = None
        self._reset()

    def _reset(self) -> None:
        """Begin anew, with nothing but the messages that have been received."""
        self._outbox: deque[tuple[Link, bytes]] = deque()
        self._reading = Turns(self.stream.runtime)
        self._writing = Turns(self.stream.runtime)
        self._sending = Turns(self.stream.runtime)
        self._decoder: tuple[Link, Decoder] | None = None
        self._outgoing: Outgoing | None = None
        self._unfinished: tuple[Link, Body | Rejected] | None = None
        self._ended: Link | None = None
        self._loss: Exception | None = None
        self._being_written: Pending | None = None
        self._held_back = False
        self._progress = (0, 0)
        self._activity: object = None
        self._bell: Waiter | None = None
        self._parked = False

    @property
    def log(self) -> Logger:
        """Where it logs: the logger "sockio.messages"."""
        import logging  # slow to import, and seldom used

        return logging.getLogger("sockio.messages")

    # Waiting

    async def _until(self, done: Callable[[], bool], call: Call) -> None:
        """Return when *done* says so, reading meanwhile if nobody else does.

        Raises:
            DeadlineExpired: it was not in time. The connection was left alone.
            ConnectionError, EOFError, OSError: there is no connection (any more), or it cannot be made.
        """
        attends = call.method is ATTENDANT
        if not attends:
            self._activity = call
        # Also at first: who has read while this caller was sending has left the answering to it.
        if self._outbox:
            await self._answer(attends)
        while not done():
            await self._take_part(done, call)
            if self._outbox:
                await self._answer(attends)
        if not attends:
            self._activity = done

    async def _take_part(self, done: Callable[[], bool], call: Call) -> None:
        """Read once, when it is this caller's turn, or wait until it is done without that."""
        turns = self._reading
        runtime = self.stream.runtime
        ticket = Ticket(call.method, runtime.caller())
        try:
            try:
                turns.enter(ticket)
                while not done():
                    if turns.admits(ticket) and self._may_read():
                        await self._read(call)
                        return
                    waiter = ticket.waiter = runtime.waiter()
                    # Asked again now that the waiter is in place.
                    if done() or (turns.admits(ticket) and self._may_read()):
                        continue
                    if call.link is None:
                        call.link = self.stream._link
                    await self._wait(waiter, call)
            finally:
                turns.leave(ticket)
        finally:
            if turns.queue:
                turns.leave(ticket)  # again, in case that an interrupt came in the middle of the line above
            if self._parked and not turns.queue:
                self._ring()

    async def _wait(self, waiter: Waiter, call: Call) -> None:
        """Wait for somebody else to do something."""
        look = None if self._may_read() else self.stream.runtime.clock() + LOOK
        limit = sooner(call.deadline, look)
        try:
            await waiter.wait(limit)
        except DeadlineExpired:
            if limit == call.deadline:
                raise
            if not self.stream.connected():
                self._ended = call.link

    def _may_read(self) -> bool:
        """Tell whether there is room for what may come, and nothing has begun to come that the attendant receives."""
        if self._unfinished is None and len(self._outbox) < OUTBOX_LENGTH:
            if not self._items:
                return True
            try:
                size = self._total - self._items[0][0]
            except IndexError:
                return True  # somebody has just taken it
            count = len(self._items)
            # Who sends may not get on until the peer, who sends as well, does; and an acknowledgement comes behind any
            # number of messages. Often it is the sender who takes them afterwards.
            excess = count - self._protocol.queue_length
            if (excess < 0 or self._senders) and size + max(0, excess) * OVERHEAD < self._protocol.limit:
                return True
        self._held_back = True
        return False

    def _make_room(self) -> None:
        """Something has been taken: let those go on who had no room."""
        if self._held_back:
            self._held_back = False
            self._tell()
            if self._parked:
                self._ring()

    def _tell(self) -> None:
        """Wake all who wait: what they wait for may have come."""
        for ticket in list(self._reading.queue):
            if ticket.waiter is not None:
                ticket.waiter.set()

    def _ring(self) -> None:
        """Wake the attendant."""
        if self._bell is not None:
            self._bell.set()

    def _over(self, link: Link | None) -> bool:
        """Tell whether nothing can come of a link any more."""
        return self._closed or (link is not None and (link.closed or link is self._ended))

    # Reading

    async def _read(self, call: Call) -> None:
        """Wait for something to come, and put everything that has come where it belongs."""
        try:
            # A stream that does not connect by itself has no other link, and need not be told which one.
            only = call.link if self.stream.auto_reconnect else None
            await self.stream._call(call.method, self._left(call.deadline), None, self._receive_events, only, call)
        except (OSError, EOFError):
            if call.link is not None:
                self._ended = call.link
            raise
        finally:
            if len(self._reading.queue) > 1:
                self._tell()

    def _left(self, deadline: float | None) -> float | None:
        """Return how many seconds there are up to a deadline."""
        return None if deadline is None else max(0.0, deadline - self.stream.runtime.clock())

    async def _receive_events(self, link: Link, deadline: float | None, call: Call) -> None:
        call.link = link
        decoder = self._decoder_of(link)
        ticket = link.reader
        idle = True
        try:
            while self._may_read():
                event = decoder.decode(link.buffer)
                if not isinstance(event, Need):
                    self._handle(link, event)
                    if not link.buffer.used:
                        return
                    idle = False
                elif idle:
                    await self.stream._receive(link, deadline)
                else:
                    return
        except DeadlineExpired:
            self.stream._leave_in_step(link, ticket)
            raise
        except BaseException as error:
            # A transport that is cancelled has taken nothing, but an interrupt can come between taking and keeping.
            if self.stream.runtime.suspends and not isinstance(error, (Exception, KeyboardInterrupt)):
                self.stream._leave_in_step(link, ticket)
            raise

    def _decoder_of(self, link: Link) -> Decoder:
        """Return what decodes a link. Each begins in mode 0, whatever the last one was in."""
        if self._decoder is None or self._decoder[0] is not link:
            self._decoder = link, self._protocol.decoder()
            self._note_new(link)
        return self._decoder[1]

    def _note_new(self, link: Link) -> None:
        """There is a connection that was not there before: how the last one has ended does not matter any more."""
        if link is not self._ended:
            self._loss = None

    def _handle(self, link: Link, event: Event) -> None:
        """Put what has come where it belongs."""
        if isinstance(event, Message):
            self._put(event.data, event.size)
            self._put_out(link, event.answer)
        elif isinstance(event, Answer):
            self._put_out(link, event.answer)
        elif isinstance(event, Rejected):
            self._put(Failure(event.error), len(getattr(event.error, "data", b"")))
            self._put_out(link, event.answer)
            if event.final:
                self._hand_over(link, event)
        elif isinstance(event, Body):
            self._hand_over(link, event)
        else:
            self._handle_reply(link, event)

    def _put(self, item: Any, size: int) -> None:
        """Put a message, or what stands for one, into the queue."""
        self._items.append((self._total, item))
        self._total += size

    def _put_out(self, link: Link, answer: bytes) -> None:
        if answer:
            self._outbox.append((link, answer))

    def _handle_reply(self, link: Link, event: ModeAccepted | Verdict | Refusal) -> None:
        """Tell who has sent what the peer replies to."""
        outgoing = self._outgoing
        if outgoing is None or outgoing.link is not link:
            outgoing = Outgoing(link)  # of whoever sent something on it, nobody waits any more
        if isinstance(event, ModeAccepted):
            outgoing.unconfirmed = max(0, outgoing.unconfirmed - 1)
        elif isinstance(event, Refusal):
            outgoing.refusal = event.reason
            self.log.warning("%s: the peer accepts nothing more: %s", self.stream, event.reason)
        else:
            pending = outgoing.settle(event)
            if event.reason is None:
                return
            if pending is None:
                self.log.warning("%s: the peer has refused message %s: %s", self.stream, event.number, event.reason)
            elif pending is self._being_written:
                # It may take nothing more, and the rest is not wanted: whoever is writing is to stop.
                self.stream._retire(link, None)

    def _hand_over(self, link: Link, event: Body | Rejected) -> None:
        """Leave to the attendant what takes longer than somebody's deadline may allow."""
        self._unfinished = link, event
        self._ring()

    async def _answer(self, patient: bool) -> None:
        """Send what is in the outbox."""
        raise NotImplementedError

    async def _answer_finally(self, deadline: float) -> None:
        """Send what is in the outbox, after whoever is sending now."""
        raise NotImplementedError

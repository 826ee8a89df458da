"""The asynchronous channel: transactions beside the exchange of messages, and what the instrument says by itself.

Nothing runs in the background: whoever waits for a message reads, the one who has waited longest, and files what
belongs to others, who wait for that. A reader whose time is up has taken nothing, and the next in line goes on.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.turns import Turns

from .channel import Channel
from .codec import Message, MessageType, type_name
from .errors import HislipError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockio.runtimes.base import Waiter

T = TypeVar("T")

#: Which response ends the transaction that begins with which message.
RESPONSES = {
    MessageType.ASYNC_INITIALIZE: MessageType.ASYNC_INITIALIZE_RESPONSE,
    MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE: MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE,
    MessageType.ASYNC_LOCK: MessageType.ASYNC_LOCK_RESPONSE,
    MessageType.ASYNC_LOCK_INFO: MessageType.ASYNC_LOCK_INFO_RESPONSE,
    MessageType.ASYNC_REMOTE_LOCAL_CONTROL: MessageType.ASYNC_REMOTE_LOCAL_RESPONSE,
    MessageType.ASYNC_DEVICE_CLEAR: MessageType.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE,
    MessageType.ASYNC_STATUS_QUERY: MessageType.ASYNC_STATUS_RESPONSE,
}

#: So many service requests are kept for who asks; older ones are forgotten.
SERVICE_REQUESTS = 256


class Transaction:
    """A message that is to be answered. One that nobody waits for any more stays in line for its response."""

    def __init__(self, kind: MessageType) -> None:
        self.response_type = RESPONSES[kind]
        self.outcome: Message | HislipError | None = None

    def take_outcome(self) -> Message | HislipError | None:
        return self.outcome


class Place:
    """The place of one who waits, in the order in which they came."""

    waiter: Waiter | None = None


class AsynchronousChannel(Channel):
    """The asynchronous channel, used by any number of callers at once.

    Attributes:
        interruptions: MessageIDs of AsyncInterrupted messages whose Interrupted has not been received yet.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sending = Turns(self.runtime)
        self._places: deque[Place] = deque()
        self._unanswered: deque[Transaction] = deque()
        self._service_requests: deque[int] = deque(maxlen=SERVICE_REQUESTS)
        self.interruptions: deque[int] = deque()

    async def transact(
        self, kind: MessageType, control: int, parameter: int, deadline: float | None, payload: bytes = b""
    ) -> Message:
        """Send a message and return the response to it.

        Raises:
            HislipError: the instrument refused it.
        """
        transaction = Transaction(kind)
        await self._sending.run(
            type_name(kind), deadline, self._begin, transaction, kind, control, parameter, payload, deadline
        )
        outcome: Message | HislipError = await self._wait_for(transaction.take_outcome, deadline)
        if isinstance(outcome, HislipError):
            raise outcome
        return outcome

    async def _begin(self, transaction: Transaction, *message: Any) -> None:
        """Send the message of a transaction."""
        try:
            self._unanswered.append(transaction)
            await self.send(*message)
        except BaseException:
            self.give_up()  # it would take the response to a later one
            raise

    async def service_request(self, deadline: float | None) -> int:
        """Return the status byte of the next service request, waiting for it if none has come since last time."""
        return await self._wait_for(lambda: _pop(self._service_requests), deadline)

    async def interruption(self, deadline: float | None) -> int:
        """Return the MessageID of the next AsyncInterrupted."""
        return await self._wait_for(lambda: _pop(self.interruptions), deadline)

    async def _wait_for(self, take: Callable[[], T | None], deadline: float | None) -> T:
        """Wait until *take* gives something; read if nobody else does."""
        place = Place()
        places = self._places
        try:
            try:
                places.append(place)
                while True:
                    # In its place before anything is looked at: who files something in between wakes it.
                    waiter = place.waiter = self.runtime.waiter()
                    taken = take()
                    if taken is not None:
                        return taken
                    if places[0] is not place:
                        await waiter.wait(deadline)
                        continue
                    await self._file_next(deadline)
                    for other in list(places):
                        if other.waiter is not None:
                            other.waiter.set()
            finally:
                self._leave(place)
        finally:
            self._leave(place)  # again, in case that an interrupt came in the middle of the line above

    def _leave(self, place: Place) -> None:
        """Leave the line; the first in it reads from now on."""
        try:
            self._places.remove(place)
        except ValueError:
            pass  # has left before
        for first in list(self._places)[:1]:
            if first.waiter is not None:
                first.waiter.set()

    async def _file_next(self, deadline: float | None) -> None:
        """Receive a message and put it where who waits for it looks."""
        try:
            await self._file(await self.receive(deadline), deadline)
        except BaseException as error:
            if self.wire.is_interrupt(error):
                self.give_up()  # nobody knows whether a message has been taken, and whose that was
            raise

    async def _file(self, message: Message, deadline: float | None) -> None:
        """Put a message where who waits for it looks."""
        kind = message.type
        if kind == MessageType.ASYNC_SERVICE_REQUEST:
            self._service_requests.append(message.control)
        elif kind == MessageType.ASYNC_INTERRUPTED:
            self.interruptions.append(message.parameter)
        elif kind == MessageType.ERROR:
            error = await self.read_error(message, deadline)
            if not self._unanswered:
                raise error
            self._unanswered.popleft().outcome = error
        else:
            message = await self.complete(message, deadline)
            for transaction in list(self._unanswered):
                if transaction.response_type == kind:
                    self._unanswered.remove(transaction)
                    transaction.outcome = message
                    return
            await self.refuse(message, deadline)


def _pop(queue: deque[int]) -> int | None:
    try:
        return queue.popleft()
    except IndexError:
        return None

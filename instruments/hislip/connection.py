"""A connection to an instrument by HiSLIP: both channels, and what needs both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from instruments.message import RESPONSE_LIMIT, MessageConnection, in_seconds
from sockio.errors import DeadlineExpired, ProtocolError

from .codec import LockControl, LockResponse, MessageType, RemoteLocal
from .errors import HislipError
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sockio.runtimes.base import Runtime

    from .session import Address, Mode

T = TypeVar("T")

#: Two letters that IVI gives to vendors; these are nobody's.
VENDOR_ID = b"xx"

#: The longest message that the instrument may send, in bytes, unless a connection is told otherwise.
MAXIMUM_MESSAGE_SIZE = 2**30

#: The instrument is to refuse a lock so much before we give up, of the time that is left, and at most so many seconds.
HEAD_START, MOST_HEAD_START = 0.1, 0.25

#: How long it may take to say so at least, in seconds: an instrument that is not to wait needs a moment, too.
LEAST_ANSWER_TIME = 0.25

#: The longest time that an instrument can be told to wait for a lock, in milliseconds: 49 days.
LONGEST_LOCK_WAIT = 2**32 - 1


class HislipConnection(MessageConnection):
    """A connection by HiSLIP. It is made by the first call that needs it, and again after it was lost.

    Args:
        address: has ``host``, ``port`` and ``sub_address``; its text is the name in errors.
        runtime: the concurrency model.
        limit: the longest response that is not a block, in bytes.
        mode: ``"synchronized"`` or ``"overlap"``, if the instrument grants it: see `mode`. Without it the
            instrument's own preference holds. In synchronized mode a message that is sent before the response to
            the last one has been read discards that response; in overlap mode responses come one after the other.
            Modes are changed by a device clear, so connecting does one if the instrument starts with the other mode.
        maximum_message_size: the longest message that the instrument may send, in bytes; longer responses come in
            several messages.
        vendor_id: the two letters by which this client introduces itself.
        options: for the TCP streams: ``keep_alive``, ``no_delay``, ``tos``, ``buffer_size``.

    Besides what `MessageConnection` says, calls raise:
        HislipError: the instrument refused what was asked, and goes on.
        HislipFatalError: the instrument ended the connection. It is a ConnectionError too.
    """

    has_lock = True
    polls_aside = True

    def __init__(
        self,
        address: Address,
        runtime: Runtime,
        limit: int = RESPONSE_LIMIT,
        *,
        mode: Mode | None = None,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        vendor_id: bytes = VENDOR_ID,
        **options: Any,
    ) -> None:
        super().__init__(str(address), runtime, limit)
        if mode not in (None, "synchronized", "overlap"):
            raise ValueError(f"mode must be 'synchronized', 'overlap' or None, not {mode!r}")
        if not 256 <= maximum_message_size < 2**63:
            raise ValueError(f"maximum_message_size must be 256 bytes or more, not {maximum_message_size!r}")
        if len(vendor_id) != 2:
            raise ValueError(f"vendor_id must be two letters, not {vendor_id!r}")
        self.address = address
        self.preferred_mode: Mode | None = mode
        self.maximum_message_size = maximum_message_size
        self.vendor_id = vendor_id
        self._options = options
        self._session: Session | None = None

    def __del__(self) -> None:
        session: Session | None = getattr(self, "_session", None)
        if session is not None:
            session.give_up()

    # What was agreed upon

    @property
    def session(self) -> Session:
        """The present connection, for its ``session_id``, ``protocol_version``, ``server_vendor_id`` and
        ``maximum_message_size``.

        Raises:
            ConnectionError: there is none.
        """
        session = self._session
        if session is None:
            raise ConnectionError(f"{self}: not connected")
        return session

    @property
    def mode(self) -> Mode:
        """The mode that the instrument has granted."""
        return "overlap" if self.session.synchronous.overlap else "synchronized"

    # Primitives of MessageConnection

    def connected(self) -> bool:
        session = self._session
        return session is not None and session.connected()

    def _usable(self) -> bool:
        session = self._session
        return session is not None and session.intact()

    async def _connect(self, deadline: float | None) -> None:
        session = self._session = Session(self.address, self.runtime, self.maximum_message_size, self._options)
        try:
            overlap = await session.initialize(self.address.sub_address, self.vendor_id, deadline)
            session.synchronous.overlap = overlap
            await session.agree_on_size(self.maximum_message_size, deadline)
            if self.preferred_mode is not None and overlap != (self.preferred_mode == "overlap"):
                await session.clear(self.preferred_mode, deadline)
        except BaseException:
            session.give_up()
            raise

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.give_up()

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.forget()

    def abandon(self) -> None:
        self._disconnect()

    async def _send(self, message: bytes, deadline: float | None) -> None:
        await self.session.synchronous.send_message(message, deadline)

    async def _receive(self, deadline: float | None) -> tuple[bytes, bool]:
        return await self.session.synchronous.receive_part(deadline)

    async def _receive_into(self, view: memoryview, deadline: float | None) -> tuple[int, bool]:
        return await self.session.synchronous.receive_into(view, deadline)

    async def _query(self, message: bytes, deadline: float | None) -> bytes:
        part, end = await self.session.synchronous.exchange(message, deadline)
        return part if end else part + await self._receive_response(deadline)

    async def _clear(self, deadline: float | None) -> None:
        await self.session.clear(self.preferred_mode, deadline)

    async def _recover(self, deadline: float | None) -> None:
        try:
            await self._clear(deadline)
        except HislipError:
            # The instrument has to be able to do it (IVI-6.1, 6.12); where it is not, a new connection starts afresh.
            await self._reconnect(deadline)

    # Calls

    async def trigger(self, timeout: float | None) -> None:
        await self._call("trigger", timeout, self._trigger)

    async def _trigger(self, deadline: float | None) -> None:
        await self.session.synchronous.trigger(deadline)

    async def read_status_byte(self, timeout: float | None) -> int:
        """Return the status byte by a status query (IVI-6.1, 6.14), also while another call waits for a response.

        Bit 4, message available, is what the instrument knows of the response to the last message sent.
        """
        return await self._aside("read_status_byte", timeout, self._query_status)

    async def _query_status(self, session: Session, deadline: float | None) -> int:
        status = await session.synchronous.handing_over.run(
            "read_status_byte", deadline, self._status_at_delivery, session, deadline
        )
        return await self._status(session, 0, deadline) if status is None else status

    async def _status_at_delivery(self, session: Session, deadline: float | None) -> int | None:
        """Return the status byte if the query for it tells that a response has been delivered, which is then its turn:
        the next message must not overtake it, or it would seem to interrupt that response."""
        delivered = session.synchronous.take_delivered()
        return await self._status(session, delivered, deadline) if delivered else None

    async def _status(self, session: Session, delivered: int, deadline: float | None) -> int:
        message_id = session.synchronous.status_message_id
        response = await session.asynchronous.transact(MessageType.ASYNC_STATUS_QUERY, delivered, message_id, deadline)
        return response.control

    async def wait_for_service_request(self, timeout: float | None) -> int:
        return await self._aside("wait_for_service_request", timeout, self._next_service_request)

    async def _next_service_request(self, session: Session, deadline: float | None) -> int:
        return await session.asynchronous.service_request(deadline)

    async def lock(self, timeout: float | None, lock_string: str = "") -> None:
        """Take the instrument's lock; it is lost when the connection is.

        Args:
            timeout: how long the instrument waits for others to release it, in seconds.
            lock_string: the name of a lock that is shared with all clients that give the same name; without it the
                lock is exclusive.

        Raises:
            ConnectionTimeoutError: somebody else has kept it.
            HislipError: this connection has it already.
        """
        outcome = await self._aside("lock", timeout, self._lock, lock_string.encode("ascii"))
        if outcome == LockResponse.FAILURE:
            raise self.runtime.timeout_error(f"{self}: another client has kept the lock for {in_seconds(timeout)}")
        if outcome != LockResponse.SUCCESS:
            raise HislipError(self.resource, 0, "a lock was asked for that this connection has already")

    async def _lock(self, session: Session, lock_string: bytes, deadline: float | None) -> int:
        wait = LONGEST_LOCK_WAIT
        if deadline is not None:
            now = self.runtime.clock()
            left = max(0.0, deadline - now)
            deadline = max(deadline, now + LEAST_ANSWER_TIME)
            wait = min(wait, int(1000 * (left - min(HEAD_START * left, MOST_HEAD_START))))
        try:
            response = await session.asynchronous.transact(
                MessageType.ASYNC_LOCK, LockControl.REQUEST, wait, deadline, lock_string
            )
        except HislipError:
            raise
        except BaseException:
            session.give_up()  # nobody would know of a lock that is granted now
            raise
        return response.control

    async def unlock(self, timeout: float | None) -> None:
        """Give the lock back, once the instrument is done with what was sent before; without it, nothing happens."""
        if self.connected():
            await self._aside("unlock", timeout, self._unlock)

    async def _unlock(self, session: Session, deadline: float | None) -> None:
        await session.asynchronous.transact(
            MessageType.ASYNC_LOCK, LockControl.RELEASE, session.synchronous.last_sent, deadline
        )

    async def lock_info(self, timeout: float | None) -> tuple[bool, int]:
        """Tell whether somebody has the exclusive lock, and how many clients have a lock."""
        return await self._aside("lock_info", timeout, self._lock_info)

    async def _lock_info(self, session: Session, deadline: float | None) -> tuple[bool, int]:
        response = await session.asynchronous.transact(MessageType.ASYNC_LOCK_INFO, 0, 0, deadline)
        return bool(response.control), response.parameter

    async def remote_local(self, request: RemoteLocal, timeout: float | None) -> None:
        """Switch between remote control and the instrument's own front panel.

        Args:
            request: what is asked for, as VISA's viGpibControlREN has it.
            timeout: seconds.
        """
        await self._aside("remote_local", timeout, self._remote_local, RemoteLocal(request))

    async def _remote_local(self, session: Session, request: RemoteLocal, deadline: float | None) -> None:
        await session.asynchronous.transact(
            MessageType.ASYNC_REMOTE_LOCAL_CONTROL, request, session.synchronous.last_sent, deadline
        )

    async def _aside(self, method: str, timeout: float | None, operate: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run ``operate(session, *args, deadline)`` on the asynchronous channel, beside what holds the turn."""
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        session = self._session
        if session is None or not session.usable():
            await self.open(timeout)
        try:
            return await operate(self.session, *args, deadline)
        except ProtocolError as error:
            raise ProtocolError(f"{self}: {error}", error.data) from None
        except (DeadlineExpired, TimeoutError):
            raise runtime.timeout_error(f"{self}: {method} timed out after {in_seconds(timeout)}") from None

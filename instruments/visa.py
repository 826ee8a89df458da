"""A connection through a VISA library, by PyVISA: for what sockio knows no other way to."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.errors import DeadlineExpired
from sockio.framing import Need
from sockio.framing.block import parse_header

from .message import REQUEST_SERVICE, RESPONSE_LIMIT, MessageConnection, Refusal, in_seconds

if TYPE_CHECKING:
    from pyvisa.constants import StatusCode
    from pyvisa.resources import MessageBasedResource

    from sockio.runtimes.base import Runtime

T = TypeVar("T")

#: How many bytes are read at once.
CHUNK = 1 << 20

#: How long an instrument that cannot be cleared has to be silent after a failed call, in seconds.
QUIET = 0.1

#: How long a service request is waited for at once, and the pause for other calls after it, in seconds. A library takes
#: a while to come back, so that what is left of the time limit is enough for less, and less than the least for nothing.
LOOK, LEAST_LOOK = 0.05, 0.01

#: The longest time that a lock can be waited for, in milliseconds.
LONGEST_WAIT = 2**31 - 1

#: How often a lock that somebody else has is asked for where the library does not wait for it, in seconds.
LOCK_PERIOD = 0.1


class Unsupported(Exception):
    """The VISA library does not do this for this resource."""


class Session:
    """One open resource of a VISA library, with one thread inside at a time.

    Args:
        resource: as PyVISA has opened it.
    """

    def __init__(self, resource: MessageBasedResource) -> None:
        self._resource = resource
        self._inside = threading.Lock()
        self.closed = False
        name = str(resource.resource_name).upper()
        #: Bytes come without marks where a message ends: a raw socket, a serial line.
        self.is_stream = name.endswith("::SOCKET") or name.startswith("ASRL")

    def run(self, milliseconds: int | None, function: Callable[[MessageBasedResource], T]) -> T:
        """Return ``function(resource)``.

        Args:
            milliseconds: the resource's time limit meanwhile; None for none.
            function: what is to be done.

        Raises:
            DeadlineExpired, Unsupported, OSError: in place of VISA's errors.
        """
        from pyvisa.constants import StatusCode
        from pyvisa.errors import InvalidSession, VisaIOError

        try:
            with self._inside:
                if self.closed:
                    raise ConnectionAbortedError("closed")
                self._resource.timeout = float("inf") if milliseconds is None else milliseconds
                result = function(self._resource)
                if self.closed:
                    raise ConnectionAbortedError("closed")
                return result
        except VisaIOError as error:
            code = error.error_code
            if code == StatusCode.error_timeout:
                raise DeadlineExpired from None
            if code in (StatusCode.error_nonsupported_operation, StatusCode.error_nonsupported_attribute):
                raise Unsupported from None
            raise ConnectionError(errno.EIO, str(error)) from None
        except NotImplementedError:
            raise Unsupported from None
        except InvalidSession:
            raise ConnectionAbortedError("closed") from None
        finally:
            if self.closed:
                self.close()

    def close(self) -> None:
        """Close the resource now, or when the thread that is inside comes out."""
        self.closed = True
        if self._inside.acquire(blocking=False):
            try:
                self._resource.close()
            except Exception:
                pass  # the library may have lost it already, and says so in its own ways
            finally:
                self._inside.release()

    def forget(self) -> None:
        """In a forked child: let nobody close the resource, which is the parent's, not even PyVISA at the end."""
        self.closed = True
        self._resource.session = None


class VisaConnection(MessageConnection):
    """A connection through a VISA library.

    It works in threads where the runtime is not the blocking one. Where the library cannot clear the device, it is
    closed and opened again after a failed call, and what it still says is thrown away.

    Whether there is a lock (VISA's viLock) depends on the library and on the resource, and asking for it is the only
    way to find out: `has_lock` is true once `lock` has got one. PyVISA-py locks instruments by VXI-11, and none by
    HiSLIP, USB, GPIB or serial lines; PyVISA-sim locks nothing.

    Args:
        address: what to open, by its ``visa_name``; anything else by its text.
        runtime: the concurrency model.
        visa_library: "@py" for PyVISA-py, "@sim", "@ivi", the path of a library, as `pyvisa.ResourceManager` takes it.
        limit: the longest response message that is not a block, in bytes.
        **options: attributes of the PyVISA resource, such as ``baud_rate=9600``.
    """

    shared_output = True

    def __init__(
        self,
        address: object,
        runtime: Runtime,
        visa_library: str = "@py",
        limit: int = RESPONSE_LIMIT,
        **options: Any,
    ) -> None:
        super().__init__(str(address), runtime, limit)
        self.visa_name = str(getattr(address, "visa_name", address))
        self.visa_library = visa_library
        self.options = options
        self._session: Session | None = None
        self._in_message = 0
        self._block_end = 0
        self._start = b""

    def __del__(self) -> None:
        if getattr(self, "_session", None) is not None:
            self._disconnect()

    def connected(self) -> bool:
        return self._session is not None and not self._session.closed

    def abandon(self) -> None:
        session = self._session
        if session is not None:
            session.close()

    async def read_status_byte(self, timeout: float | None) -> int:
        status: int = await self._request(
            "read_status_byte", timeout, self._do, "status byte", lambda visa: int(visa.read_stb())
        )
        return status

    async def trigger(self, timeout: float | None) -> None:
        await self._request("trigger", timeout, self._do, "trigger", lambda visa: visa.assert_trigger())

    async def lock(self, timeout: float | None) -> None:
        await self._request("lock", timeout, self._lock)

    async def unlock(self, timeout: float | None) -> None:
        if self.connected():
            await self._request("unlock", timeout, self._unlock)

    async def wait_for_service_request(self, timeout: float | None) -> int:
        """Wait until the instrument requests service; return its status byte. Other calls take turns with this one."""
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        while True:
            left = None if deadline is None else deadline - runtime.clock()
            if left is not None and left <= LEAST_LOOK:
                raise self._no_service(timeout)
            try:
                status = await self._request("wait_for_service_request", left, self._look_for_request)
            except TimeoutError as error:
                raise self._no_service(timeout) from error
            if status is not None:
                return status
            await runtime.sleep(self._look(deadline))

    def _no_service(self, timeout: float | None) -> Exception:
        return self.runtime.timeout_error(f"{self}: requested no service within {in_seconds(timeout)}")

    # Primitives

    async def _connect(self, deadline: float | None) -> None:
        opening = Opening(self.visa_name, self.visa_library, self.options)
        try:
            self._session = await self._in_thread(deadline, opening.open, self._milliseconds(deadline))
        except BaseException:
            opening.give_up()
            raise
        self._begin_message()

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.forget()

    async def _send(self, message: bytes, deadline: float | None) -> None:
        self._begin_message()
        await self._do("write", lambda visa: visa.write_raw(message), deadline)

    async def _receive(self, deadline: float | None) -> tuple[bytes, bool]:
        part, status = await self._do("read", read_part, deadline)
        from pyvisa.constants import StatusCode

        end = status != StatusCode.success_max_count_read
        if self._opened().is_stream:
            end = self._ends(part, status == StatusCode.success_termination_character_read)
        if end:
            self._begin_message()
        return part, end

    async def _clear(self, deadline: float | None) -> None:
        session = self._opened()
        if not session.is_stream:
            try:
                await self._run(deadline, lambda visa: visa.clear())
                return
            except Unsupported:
                pass
        await self._reconnect(deadline)
        await self._drain(deadline)

    # How they do it

    def _begin_message(self) -> None:
        self._start, self._in_message, self._block_end = b"", 0, 0

    def _ends(self, part: bytes, terminated: bool) -> bool:
        """Tell whether a message ends with a part of it that came over a byte stream: not inside a definite block."""
        self._in_message += len(part)
        if not self._block_end:
            self._start = (self._start + part)[:11]
            header = parse_header(self._start) if self._start[:1] == b"#" and self._start[1:2] not in b"0HQB" else None
            if isinstance(header, Need):
                return False
            if header is None or header[1] is None:
                return terminated
            self._block_end = header[0] + header[1]
        return terminated and self._in_message > self._block_end

    async def _drain(self, deadline: float | None) -> None:
        """Throw away what still comes, until it is silent."""
        while True:
            silent = self.runtime.clock() + QUIET
            try:
                await self._run(silent, read_part)
            except DeadlineExpired:
                break
            if deadline is not None and self.runtime.clock() >= deadline:
                raise DeadlineExpired
        self._begin_message()

    async def _lock(self, deadline: float | None) -> None:
        self.has_lock = False
        while True:
            milliseconds = self._milliseconds(deadline)
            patience = LONGEST_WAIT if milliseconds is None else milliseconds
            try:
                self.has_lock = await self._run(deadline, partial(lock, milliseconds=patience))
            except Unsupported:
                return
            except BaseException:
                self._disconnect()  # nobody would know of a lock that is granted now
                raise
            if self.has_lock:
                return
            if deadline is not None and deadline - self.runtime.clock() < LOCK_PERIOD:
                raise Refusal("somebody else has locked it")
            await self.runtime.sleep(LOCK_PERIOD)

    async def _unlock(self, deadline: float | None) -> None:
        try:
            await self._run(deadline, unlock)
        except Unsupported:
            pass

    async def _look_for_request(self, deadline: float | None) -> int | None:
        look = partial(look_for_request, seconds=self._look(deadline))
        status: int | None = await self._do("service request", look, deadline)
        return status

    def _look(self, deadline: float | None) -> float:
        """Return for how long to wait at once."""
        return LOOK if deadline is None else max(0.0, min(LOOK, (deadline - self.runtime.clock()) / 2))

    async def _do(self, what: str, function: Callable[[MessageBasedResource], Any], deadline: float | None) -> Any:
        """Have a function work with the resource; *what* is the name of what the library may not support."""
        try:
            return await self._run(deadline, function)
        except Unsupported:
            raise self._unsupported(what) from None

    async def _run(self, deadline: float | None, function: Callable[[MessageBasedResource], Any]) -> Any:
        return await self._in_thread(deadline, self._opened().run, self._milliseconds(deadline), function)

    async def _in_thread(self, deadline: float | None, function: Callable[..., T], *args: Any) -> T:
        """Run what waits in the library, until the library's own time limit."""
        if not self.runtime.suspends:
            return function(*args)
        result: T = await self.runtime.run_in_thread(deadline, function, *args)
        return result

    def _milliseconds(self, deadline: float | None) -> int | None:
        return None if deadline is None else max(1, round(1000 * (deadline - self.runtime.clock())))

    def _opened(self) -> Session:
        if self._session is None:
            raise ConnectionAbortedError("closed")
        return self._session


class Opening:
    """Opens a resource in a thread, which may be left to itself.

    Args:
        name: of the resource.
        library: the VISA library.
        options: attributes of the resource.
    """

    def __init__(self, name: str, library: str, options: dict[str, Any]) -> None:
        self._name = name
        self._library = library
        self._options = options
        self._given_up = threading.Event()

    def open(self, milliseconds: int | None) -> Session:
        """Open the resource and return a session.

        Raises:
            ImportError: there is no PyVISA.
            ValueError: there is no such library, or it misses what it needs for such a resource.
            DeadlineExpired, OSError: it cannot be opened.
        """
        try:
            import pyvisa
        except ImportError as error:
            raise ImportError(f"{self._name} needs PyVISA: pip install sockio[visa]") from error
        from pyvisa.constants import StatusCode
        from pyvisa.resources import MessageBasedResource

        try:
            manager = pyvisa.ResourceManager(self._library)
            resource = manager.open_resource(
                self._name,
                open_timeout=5000 if milliseconds is None else milliseconds,
                resource_pyclass=MessageBasedResource,
                **self._options,
            )
        except pyvisa.errors.Error as error:
            if getattr(error, "error_code", None) == StatusCode.error_timeout:
                raise DeadlineExpired from None
            raise ConnectionError(errno.EIO, str(error)) from None
        except ValueError as error:
            raise ValueError(f"{self._name}: the VISA library {self._library} cannot be used for it: {error}") from None
        assert isinstance(resource, MessageBasedResource)
        known: object = resource.resource_name
        if not isinstance(known, str):  # so pyvisa-sim takes what it does not know
            raise FileNotFoundError(errno.ENOENT, f"the VISA library {self._library} has no such resource")
        session = Session(resource)
        if session.is_stream:
            resource.read_termination = "\n"
        if self._given_up.is_set():
            session.close()
        return session

    def give_up(self) -> None:
        """Close what is opened from now on."""
        self._given_up.set()


def read_part(visa: MessageBasedResource) -> tuple[bytes, StatusCode]:
    """Read what comes next; the status says whether the message ends with it."""
    from pyvisa.constants import StatusCode

    with visa.ignore_warning(StatusCode.success_device_not_present, StatusCode.success_max_count_read):
        part, status = visa.visalib.read(visa.session, CHUNK)
    return bytes(part), status


def lock(visa: MessageBasedResource, milliseconds: int) -> bool:
    """Lock the resource, waiting for others where the library does; return False if somebody else has locked it."""
    from pyvisa.constants import StatusCode
    from pyvisa.errors import VisaIOError

    try:
        visa.lock_excl(milliseconds)
    except VisaIOError as error:
        if error.error_code == StatusCode.error_resource_locked:
            return False
        raise
    return True


def unlock(visa: MessageBasedResource) -> None:
    """Give the lock back, if there is one."""
    from pyvisa.constants import StatusCode
    from pyvisa.errors import VisaIOError

    try:
        visa.unlock()
    except VisaIOError as error:
        if error.error_code != StatusCode.error_session_not_locked:
            raise


def look_for_request(visa: MessageBasedResource, seconds: float) -> int | None:
    """Return the status byte if the instrument has requested service, or does so within a moment."""
    from pyvisa.constants import EventMechanism, EventType

    visa.enable_event(EventType.service_request, EventMechanism.queue)
    if visa.wait_on_event(EventType.service_request, round(1000 * seconds), capture_timeout=True).timed_out:
        return None
    return int(visa.read_stb()) | REQUEST_SERVICE


__all__ = ["VisaConnection"]

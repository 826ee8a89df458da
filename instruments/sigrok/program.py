"""sigrok-cli as a process: started, read from as its output comes, and ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.errors import DeadlineExpired
from sockio.runtimes.descriptor import Descriptor

from ..devices import sigrok_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from sockio.runtimes.base import Runtime

T = TypeVar("T")

PROGRAM = "sigrok-cli"

#: What the system holds between the program and us, in bytes: the most that Linux gives to everybody.
PIPE_SIZE = 1 << 20

#: How much is read at once, in bytes, where the size is not known.
CHUNK_SIZE = 1 << 16

#: What it complains of for no reason.
NOISE = ("g_atomic_ref_count_dec",)


class SigrokError(OSError):
    """sigrok-cli has failed, or ended before its time.

    Attributes:
        stderr: what it wrote to its standard error, which is also part of the message.
        status: its exit status; negative for the signal that killed it.
    """

    def __init__(self, message: str, stderr: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.stderr = stderr
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.stderr, self.status)


class Program:
    """A running sigrok-cli. Use it as a context manager: at the end of the block the process has ended.

    Args:
        runtime: of the caller.
        arguments: of the command line.
        deadline: when it has to be done; it may be moved.

    Raises:
        FileNotFoundError: it is not installed; the message says how to do that.
    """

    def __init__(self, runtime: Runtime, arguments: Sequence[str], deadline: float | None) -> None:
        self._runtime = runtime
        self.command = " ".join([PROGRAM, *arguments])
        self.deadline = deadline
        # Errors go to a file, so that nobody has to read them while the output is read.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        try:
            self._process = subprocess.Popen(
                [PROGRAM, *arguments],
                # With its standard input at an end, a continuous capture stops at once.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )
        except FileNotFoundError:
            self._errors.close()
            raise sigrok_missing() from None
        except BaseException:
            self._errors.close()
            raise
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        _widen(self._output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def __del__(self) -> None:
        if hasattr(self, "_output"):
            self.end()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """End the process, if it is still running, and give everything back."""
        process = self._process
        if process.stdout is None or process.stdout.closed:
            return
        if process.poll() is None:
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        process.stdout.close()
        process.wait()
        self._errors.close()

    async def read_into(self, view: memoryview) -> int:
        """Receive output until *view* is full; return how many bytes, fewer only at its end.

        Raises:
            ConnectionTimeoutError: the deadline has passed.
        """
        received = 0
        while received < len(view):
            count = await self._read_some(view[received:])
            if not count:
                break
            received += count
        return received

    async def read_rest(self) -> bytes:
        """Receive what is left of the output, and wait until the process has ended well."""
        rest = bytearray()
        chunk = bytearray(CHUNK_SIZE)
        with memoryview(chunk) as view:
            while count := await self._read_some(view):
                rest += view[:count]
        await self.finish()
        return bytes(rest)

    async def finish(self, received: str = "") -> str:
        """Wait until the process, whose output has ended, has ended well; return what it wrote as errors.

        Args:
            received: what has come of it so far, for the message.

        Raises:
            SigrokError: it ended badly.
        """
        if self.running:
            try:
                await self._runtime.run_in_thread(self.deadline, self._process.wait)
            except DeadlineExpired:
                raise self._late() from None
        status = self._process.returncode
        if status:
            raise self.failure(_ended(status) + (f" after {received}" if received else ""))
        return self.stderr()

    def failure(self, what: str) -> SigrokError:
        """Return the error that says what happened, with what the program said."""
        stderr = self.stderr()
        return SigrokError(
            f"{self.command}: {what}" + (f": {stderr}" if stderr else ""), stderr, self._process.returncode
        )

    def stderr(self) -> str:
        """Return what it has written to its standard error so far."""
        size = os.fstat(self._errors.fileno()).st_size
        text = os.pread(self._errors.fileno(), size, 0).decode(errors="replace")
        return "\n".join(line for line in text.splitlines() if not any(noise in line for noise in NOISE)).strip()

    async def _read_some(self, view: memoryview) -> int:
        if os.name != "posix":
            return await self._read_in_thread(view)
        try:
            await self._runtime.wait_readable(Descriptor(self._output), self.deadline)
        except DeadlineExpired:
            raise self._late() from None
        return os.readv(self._output, [view])

    async def _read_in_thread(self, view: memoryview) -> int:
        try:
            data: bytes = await self._runtime.run_in_thread(self.deadline, os.read, self._output, len(view))
        except DeadlineExpired:
            raise self._late() from None
        view[: len(data)] = data
        return len(data)

    def _late(self) -> BaseException:
        stderr = self.stderr()
        return self._runtime.timeout_error(
            f"{self.command}: timed out, give it a longer timeout" + (f": {stderr}" if stderr else "")
        )


async def in_thread(runtime: Runtime, deadline: float | None, function: Callable[..., T], *args: Any) -> T:
    """Return ``function(*args)``, which reads or writes a file.

    Raises:
        ConnectionTimeoutError: the deadline has passed.
    """
    try:
        result: T = await runtime.run_in_thread(deadline, function, *args)
    except DeadlineExpired:
        raise runtime.timeout_error(f"{function.__name__} a file of samples: timed out, give it longer") from None
    return result


async def output_of(runtime: Runtime, arguments: Sequence[str], deadline: float | None) -> str:
    """Run sigrok-cli and return what it prints.

    Raises:
        FileNotFoundError: it is not installed.
        SigrokError: it failed.
        ConnectionTimeoutError: the deadline has passed.
    """
    with Program(runtime, arguments, deadline) as program:
        return (await program.read_rest()).decode(errors="replace")


def _ended(status: int) -> str:
    if status > 0:
        return f"failed with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _widen(pipe: int) -> None:
    """Have the system hold more, so that there is less going to and fro. Linux alone can do that."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)  # type: ignore[attr-defined, unused-ignore]
    except (ImportError, AttributeError, OSError):
        pass

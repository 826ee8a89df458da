"""Messages in files.

Their format is told by the name: ``.asc`` and ``.blf`` (Vector), ``.trc`` (PEAK), ``.csv``, ``.db`` (SQLite) and more
that python-can reads and writes, and ``.log`` (candump); most of them also with ``.gz`` after it. In ``.asc`` times
begin at 0. Into ``.trc`` python-can writes data frames alone, and leaves out others.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from ..devices import optional
from .candump import read_line, write_line
from .codec import encode
from .gct_messages import GctMessage
from .messages import CanMessage, DataMessage
from .python_can import ADVICE, from_python_can, to_python_can

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


#: Formats that do not tell frames of CAN FD from others, as python-can writes them.
WITHOUT_FD = (".csv", ".csv.gz", ".db")


def read_log(path: str | os.PathLike[str]) -> Iterator[CanMessage]:
    """Go through the messages in a file.

    Raises:
        ImportError: python-can is missing (``pip install sockio[can]``), or what it needs for this format.
        OSError: the file cannot be read.
        ValueError: its name tells no format, or what is in it is not of that format.
    """
    name = os.fspath(path)
    messages = _read_candump(name) if is_candump(name) else _read_by_python_can(name)
    while True:
        try:
            message = next(messages)
        except StopIteration:
            return
        except NotImplementedError as error:
            raise ImportError(f"{name}: {error}") from error
        except Exception as error:  # python-can's readers raise what their parsing does
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise
            raise ValueError(f"{name}: not of the format that its name tells: {error}") from error
        yield message


def _read_by_python_can(name: str) -> Iterator[CanMessage]:
    with optional("can", ADVICE).LogReader(name) as reader:
        yield from map(from_python_can, reader)


def _read_candump(name: str) -> Iterator[CanMessage]:
    with open_text(name, "rt") as file:
        for line in file:
            if line.strip():
                yield read_line(line)


class LogWriter:
    """A file that messages are written to; use it as a context manager.

    Args:
        path: of the file; its end tells the format.
        channel: what the file says that messages came from.

    Raises:
        ImportError: python-can is missing (``pip install sockio[can]``), or what it needs for this format.
        OSError: the file cannot be written.
        ValueError: its name tells no format.
    """

    def __init__(self, path: str | os.PathLike[str], channel: str = "can0") -> None:
        name = os.fspath(path)
        self._channel = channel
        self._text: IO[str] | None = open_text(name, "wt") if is_candump(name) else None
        self._knows_fd = not name.lower().endswith(WITHOUT_FD)
        try:
            self._writer: Any = None if self._text else optional("can", ADVICE).Logger(name)
        except NotImplementedError as error:
            raise ImportError(f"{name}: {error}") from error

    def write(self, message: CanMessage | GctMessage) -> None:
        """Write a message, raw or of the GCT protocol, with the time at which it was received.

        Raises:
            ValueError: a frame of CAN FD, which the format cannot hold.
        """
        if isinstance(message, GctMessage):
            for frame in encode(message):
                self.write(DataMessage(frame.canid, True, frame.data))
        elif not self._knows_fd and isinstance(message, DataMessage) and message.fd:
            raise ValueError(
                f"a file of this format cannot hold frames of CAN FD, such as {message}; .asc and .blf can"
            )
        elif self._text is not None:
            self._text.write(write_line(message, self._channel))
        else:
            converted = to_python_can(message)
            converted.channel = self._channel
            self._writer.on_message_received(converted)

    def close(self) -> None:
        """Write what is left, and close the file."""
        if self._text is not None:
            self._text.close()
        else:
            self._writer.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def is_candump(name: str) -> bool:
    """Tell whether a file of this name is one of candump's."""
    return name.lower().endswith((".log", ".log.gz"))


def open_text(name: str, mode: str) -> IO[str]:
    """Open a file of text, perhaps a compressed one."""
    opened: Any = gzip.open if name.lower().endswith(".gz") else open
    file: IO[str] = opened(name, mode, encoding="ascii")
    return file

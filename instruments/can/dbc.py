"""Signals by their names: what a database of messages (DBC, KCD, ARXML, SYM, ...) says that frames hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sockio.errors import ProtocolError

from ..devices import optional
from .messages import DataMessage

#: What a signal may be: a number in its physical unit, or the name of a value.
Value: TypeAlias = "float | int | str"


@dataclass(frozen=True)
class Signals:
    """A frame, decoded.

    Attributes:
        name: of the message, as the database has it.
        values: of its signals, by name, in physical units; names of values as `str`.
        message: the frame itself.
    """

    name: str
    values: Mapping[str, Value]
    message: DataMessage

    def __getitem__(self, signal: str) -> Value:
        return self.values[signal]


class Database:
    """Messages and their signals, from a file that cantools reads.

    ::

        database = Database("motor.dbc")
        receiver = bus.raw().map(database.decode)
        await bus.send(database.encode("Setpoint", {"Speed": 1500.0}))

    Args:
        path: of the file.

    Attributes:
        definitions: the `cantools.database.can.Database`.

    Raises:
        ImportError: cantools is missing.
        OSError: the file cannot be read.
        ValueError: it is no such file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        library = optional("cantools", "signals by name need the cantools package: pip install sockio[dbc]")
        try:
            self.definitions: Any = library.database.load_file(os.fspath(path))
        except library.database.UnsupportedDatabaseFormatError as error:
            raise ValueError(f"{os.fspath(path)}: no database of CAN messages: {error}") from error
        self._messages = {(each.frame_id, each.is_extended_frame): each for each in self.definitions.messages}

    def decode(self, message: Any) -> Signals | None:
        """Return what a frame says; None for one that the database does not have, and for what is no data frame.

        Raises:
            ProtocolError: it is shorter than the database says, or selects signals that there are not.
        """
        if not isinstance(message, DataMessage):
            return None
        found = self._messages.get((message.canid, message.extid))
        if found is None:
            return None
        try:
            values = found.decode(message.data)
        except Exception as error:  # cantools passes on what its parts raise
            text = f"expected {found.name} ({found.length} bytes), got {message}: {error}"
            raise ProtocolError(text, message.data) from error
        return Signals(found.name, {name: plain(value) for name, value in values.items()}, message)

    def encode(self, name: str, values: Mapping[str, Value]) -> DataMessage:
        """Return the frame of a message.

        Args:
            name: of the message.
            values: of all its signals, by name, in physical units, or names of values.

        Raises:
            ValueError: there is no such message, a signal is missing, or a value is out of range.
        """
        found = next((each for each in self.definitions.messages if each.name == name), None)
        if found is None:
            raise ValueError(f"expected one of {sorted(each.name for each in self.definitions.messages)}, got {name!r}")
        try:
            data = found.encode(dict(values), strict=True)
        except Exception as error:
            raise ValueError(f"{name} cannot be made of {dict(values)}: {error}") from error
        return DataMessage(found.frame_id, found.is_extended_frame, data, bool(found.is_fd))


def plain(value: Any) -> Value:
    """Return a number as it is, and the name of a value as text."""
    return value if isinstance(value, (int, float)) else str(value)

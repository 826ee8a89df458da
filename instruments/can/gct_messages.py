"""The messages of the GCT protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, TypeAlias, TypeVar

from .ddp import MAX_DATA
from .messages import LENGTH, bytes_of, check_range, fields_of

#: The destination that is every node. Nobody sends from it.
GCTCAN_BROADCAST_ADDRESS = 0x7F

#: How many monitoring groups there are, and readings in each: 5 and 6 bits.
GROUPS, READINGS = 32, 64

#: How many commands there are for SysCtrl: of the 11 bits of type data two say of what type it is. The protocol speaks
#: of 1024, but a command from 512 on would change the destination, of which the lowest bit comes next.
COMMANDS = 512

#: Product ids that no heartbeat is sent with.
NO_PRODUCTS = (0, 0xFFFF)

Message = TypeVar("Message", bound="GctMessage")


class SysCtrlType(Enum):
    """What a SysCtrl message is.

    EMPTY writes and gets no answer, VALUE is an answer or an announcement, QUERY asks for the value, and may write.
    """

    EMPTY = "None"
    VALUE = "Value"
    QUERY = "Query"


class GctMessage:
    """A message of the GCT protocol: what its kinds have in common.

    Attributes:
        src: the node that sends it, 0 to 0x7E.
        dst: the node that it is for, or 0x7F for all.
    """

    __slots__ = ()
    tag: ClassVar[str]
    src: int

    def check(self) -> None:
        """Raise ValueError if no such message can be sent."""
        check_range("src", self.src, GCTCAN_BROADCAST_ADDRESS - 1)
        check_range("dst", getattr(self, "dst"), GCTCAN_BROADCAST_ADDRESS)  # noqa: B009  a field, or a property

    def to_json(self) -> dict[str, Any]:
        """Return it as ``{kind: {field: value, …}}``, bytes as lists of numbers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {self.tag: {name: plain(value) for name, value in values.items()}}

    @classmethod
    def from_json(cls: type[Message], obj: Any) -> Message:
        """Return the message that `to_json` has made *obj* of; `GctMessage.from_json` takes every kind.

        Raises:
            ValueError: it is none.
        """
        kind: Any = cls
        if cls is GctMessage:
            kind = next((KINDS[tag] for tag in obj if tag in KINDS), None) if isinstance(obj, Mapping) else None
            if kind is None:
                raise ValueError(f"expected one of {sorted(KINDS)}, got {obj!r}")
        values = fields_of(kind.tag, obj, [field.name for field in fields(kind)])
        made: Message = kind(**kind._read(values))
        return made

    @classmethod
    def _read(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return values from JSON as the fields have them."""
        if "data" in values:
            values["data"] = bytes_of(values["data"])
        return values


@dataclass(slots=True)
class SysCtrlMessage(GctMessage):
    """A command to a node, or the value that it answers.

    Args:
        src, dst: nodes.
        cmd: which command, 0 to 511.
        tp: whether it writes, asks or answers.
        data: up to 8 bytes.
    """

    tag: ClassVar[str] = "SysCtrl"
    src: int = 0
    dst: int = 0
    cmd: int = 0
    tp: SysCtrlType = SysCtrlType.EMPTY
    data: bytes = b""

    def check(self) -> None:
        GctMessage.check(self)
        check_range("cmd", self.cmd, COMMANDS - 1)
        check_size("SysCtrl", self.data, LENGTH)
        if not isinstance(self.tp, SysCtrlType):
            raise ValueError(f"tp must be a SysCtrlType, not {self.tp!r}")

    @classmethod
    def _read(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "tp" in values:
            values["tp"] = SysCtrlType(values["tp"])
        return GctMessage._read(values)


@dataclass(slots=True)
class MonitoringData(GctMessage):
    """A reading of a node, for everybody.

    Args:
        src: the node.
        group_idx: which group of readings, 0 to 31.
        reading_idx: which of its readings, 0 to 63.
        data: its value, up to 8 bytes.
    """

    tag: ClassVar[str] = "MonitoringData"
    src: int = 0
    group_idx: int = 0
    reading_idx: int = 0
    data: bytes = b""

    @property
    def dst(self) -> int:
        return GCTCAN_BROADCAST_ADDRESS

    def check(self) -> None:
        GctMessage.check(self)
        check_range("group_idx", self.group_idx, GROUPS - 1)
        check_range("reading_idx", self.reading_idx, READINGS - 1)
        check_size("MonitoringData", self.data, LENGTH)


@dataclass(slots=True)
class MonitoringRequest(GctMessage):
    """A request for readings of a node.

    Args:
        src, dst: nodes.
        group_idx: which group of readings, 0 to 31.
        readings: a bit for each reading that is wanted.
    """

    tag: ClassVar[str] = "MonitoringRequest"
    src: int = 0
    dst: int = 0
    group_idx: int = 0
    readings: int = 0

    def check(self) -> None:
        GctMessage.check(self)
        check_range("group_idx", self.group_idx, GROUPS - 1)
        check_range("readings", self.readings, 2**READINGS - 1)


@dataclass(slots=True)
class DdpMessage(GctMessage):
    """A message of any length up to 61 bytes (version 1) or 2045 (version 2), with a CRC.

    Args:
        src, dst: nodes.
        data: by convention the first byte is a command, and its bit 7 says that a response is wanted.
        version: of the way in which it is cut into frames, 1 or 2.
    """

    tag: ClassVar[str] = "Ddp"
    src: int = 0
    dst: int = 0
    data: bytes = b""
    version: int = 2

    def check(self) -> None:
        GctMessage.check(self)
        if self.version not in MAX_DATA or isinstance(self.version, bool):
            raise ValueError(f"version must be 1 or 2, not {self.version!r}")
        check_size(f"DDP version {self.version}", self.data, MAX_DATA[self.version])

    @classmethod
    def _read(cls, values: dict[str, Any]) -> dict[str, Any]:
        return GctMessage._read({"version": 1, **values})


@dataclass(slots=True)
class Heartbeat(GctMessage):
    """A sign of life of a node, for everybody.

    Args:
        src: the node.
        product_id: what kind of device it is, 1 to 0xFFFE.
    """

    tag: ClassVar[str] = "Heartbeat"
    src: int = 0
    product_id: int = 0

    @property
    def dst(self) -> int:
        return GCTCAN_BROADCAST_ADDRESS

    def check(self) -> None:
        GctMessage.check(self)
        check_range("product_id", self.product_id, 0xFFFF)
        if self.product_id in NO_PRODUCTS:
            raise ValueError(f"product_id must be from 0x1 to 0xfffe, not {self.product_id:#x}")


#: The kinds of messages, by their names in JSON.
KINDS: dict[str, type[GctMessage]] = {
    kind.tag: kind for kind in (SysCtrlMessage, MonitoringData, MonitoringRequest, DdpMessage, Heartbeat)
}

#: What is given where bytes are wanted.
Data: TypeAlias = "bytes | bytearray | Iterable[int]"

PLAIN: dict[type, Callable[[Any], Any]] = {bytes: list, bytearray: list, SysCtrlType: lambda value: value.value}


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return PLAIN.get(type(value), lambda same: same)(value)


def check_size(name: str, data: Data, most: int) -> None:
    """Raise ValueError if there is more data than a message can carry."""
    size = len(bytes_of(data))
    if size > most:
        raise ValueError(f"{name} carries up to {most} bytes, not {size}")

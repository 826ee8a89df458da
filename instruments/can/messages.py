"""What travels on a CAN bus: data frames, remote frames, and the error frames that a controller reports with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

#: The highest identifiers of 11 and of 29 bits (ISO 11898-1).
STANDARD_IDS = 0x7FF
EXTENDED_IDS = 0x1FFFFFFF

#: The most bytes that a frame carries, and the lengths that one of CAN FD may have (ISO 11898-1, table 5).
LENGTH = 8
FD_LENGTHS = frozenset([*range(9), 12, 16, 20, 24, 32, 48, 64])

#: What an error frame says, by bits of its identifier, of byte 1 and of byte 2 (linux/can/error.h).
ERROR_CLASSES = {
    0x001: "transmission timed out",
    0x002: "arbitration lost",
    0x004: "controller problem",
    0x008: "protocol violation",
    0x010: "transceiver problem",
    0x020: "no acknowledgement",
    0x040: "bus off",
    0x080: "bus error",
    0x100: "controller restarted",
}
CONTROLLER_PROBLEMS = {
    0x01: "receive buffer overflow",
    0x02: "transmit buffer overflow",
    0x04: "warning level of receive errors",
    0x08: "warning level of transmit errors",
    0x10: "receive error passive",
    0x20: "transmit error passive",
    0x40: "error active again",
}
PROTOCOL_VIOLATIONS = {
    0x01: "single bit error",
    0x02: "frame format error",
    0x04: "bit stuffing error",
    0x08: "dominant bit could not be sent",
    0x10: "recessive bit could not be sent",
    0x20: "bus overload",
    0x40: "active error announcement",
    0x80: "error on transmission",
}
CONTROLLER, PROTOCOL, BUS_OFF, RESTARTED = 0x004, 0x008, 0x040, 0x100


class DataMessage:
    """A data frame.

    Args:
        canid: its identifier: up to 0x7FF, extended up to 0x1FFFFFFF.
        extid: whether the identifier is an extended one, of 29 bits.
        data: up to 8 bytes, or numbers from 0 to 255; with *fd* up to 64, in one of the lengths that CAN FD has.
        fd: it is a frame of CAN FD.
        bitrate_switch: its data are sent at the higher rate of CAN FD.
        timestamp: when it was received, in seconds since 1970 as far as the driver tells. Equality leaves it out.

    Raises:
        TypeError, ValueError: *data* are no bytes.
    """

    __slots__ = ("_data", "bitrate_switch", "canid", "extid", "fd", "timestamp")
    tag: ClassVar[str] = "Data"

    def __init__(
        self,
        canid: int = 0,
        extid: bool = False,
        data: Iterable[int] = b"",
        fd: bool = False,
        bitrate_switch: bool = False,
        timestamp: float = 0.0,
    ) -> None:
        self.canid = canid
        self.extid = extid
        self._data = bytes_of(data)
        self.fd = fd
        self.bitrate_switch = bitrate_switch
        self.timestamp = timestamp

    @property
    def data(self) -> bytes:
        return self._data

    @data.setter
    def data(self, data: Iterable[int]) -> None:
        self._data = bytes_of(data)

    def check(self) -> None:
        """Raise ValueError if no such frame can be sent."""
        check_id(self.canid, self.extid)
        if self.fd and len(self._data) not in FD_LENGTHS:
            raise ValueError(f"a frame of CAN FD carries {sorted(FD_LENGTHS)} bytes, not {len(self._data)}")
        if not self.fd and len(self._data) > LENGTH:
            raise ValueError(f"a frame carries up to {LENGTH} bytes, not {len(self._data)}")

    def clone(self) -> DataMessage:
        """Return a copy."""
        return DataMessage(self.canid, self.extid, self._data, self.fd, self.bitrate_switch, self.timestamp)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``{"Data": {"canid": …, "extid": …, "data": [numbers]}}``."""
        fields = {"canid": self.canid, "extid": self.extid, "data": list(self._data)}
        if self.fd:
            fields |= {"fd": True, "bitrate_switch": self.bitrate_switch}
        return {self.tag: fields}

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> DataMessage:
        """Return the message that `to_json` has made *obj* of. Raises ValueError if it is none."""
        return cls(**fields_of(cls.tag, obj, ("canid", "extid", "data", "fd", "bitrate_switch")))

    def _key(self) -> tuple[Any, ...]:
        return self.canid, self.extid, self._data, self.fd, self.bitrate_switch

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, DataMessage) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kinds = "".join(f", {name}=True" for name in ("extid", "fd", "bitrate_switch") if getattr(self, name))
        return f"DataMessage(canid=0x{self.canid:0{8 if self.extid else 3}X}, data={self._data!r}{kinds})"


class RemoteMessage:
    """A remote frame: it asks another node to send the data frame of the same identifier.

    Args:
        canid: the identifier: up to 0x7FF, extended up to 0x1FFFFFFF.
        extid: whether the identifier is an extended one, of 29 bits.
        dlc: how many bytes are asked for, up to 8.
        timestamp: when it was received, in seconds since 1970 as far as the driver tells. Equality leaves it out.
    """

    __slots__ = ("canid", "dlc", "extid", "timestamp")
    tag: ClassVar[str] = "Remote"

    def __init__(self, canid: int = 0, extid: bool = False, dlc: int = 0, timestamp: float = 0.0) -> None:
        self.canid = canid
        self.extid = extid
        self.dlc = dlc
        self.timestamp = timestamp

    def check(self) -> None:
        """Raise ValueError if no such frame can be sent."""
        check_id(self.canid, self.extid)
        check_range("dlc", self.dlc, LENGTH)

    def clone(self) -> RemoteMessage:
        """Return a copy."""
        return RemoteMessage(self.canid, self.extid, self.dlc, self.timestamp)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``{"Remote": {"canid": …, "extid": …, "dlc": …}}``."""
        return {self.tag: {"canid": self.canid, "extid": self.extid, "dlc": self.dlc}}

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> RemoteMessage:
        """Return the message that `to_json` has made *obj* of. Raises ValueError if it is none."""
        return cls(**fields_of(cls.tag, obj, ("canid", "extid", "dlc")))

    def _key(self) -> tuple[Any, ...]:
        return self.canid, self.extid, self.dlc

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, RemoteMessage) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kind = ", extid=True" if self.extid else ""
        return f"RemoteMessage(canid=0x{self.canid:0{8 if self.extid else 3}X}, dlc={self.dlc}{kind})"


class ErrorMessage:
    """What a controller reports of itself and of the bus, in the form that SocketCAN gives it (linux/can/error.h).

    Args:
        classes: bits that tell what kinds of errors there were.
        data: 8 bytes of details.
        timestamp: when it was reported, in seconds since 1970 as far as the driver tells. Equality leaves it out.
    """

    __slots__ = ("classes", "data", "timestamp")

    def __init__(self, classes: int = 0, data: bytes = b"", timestamp: float = 0.0) -> None:
        self.classes = classes
        self.data = data
        self.timestamp = timestamp

    @property
    def bus_off(self) -> bool:
        """Whether the controller has taken itself off the bus."""
        return bool(self.classes & BUS_OFF)

    @property
    def restarted(self) -> bool:
        """Whether the controller is back on the bus."""
        return bool(self.classes & RESTARTED)

    @property
    def passive(self) -> bool:
        """Whether the controller has become error passive: bus off comes next."""
        return bool(self.classes & CONTROLLER and self._byte(1) & 0x30)

    @property
    def active(self) -> bool:
        """Whether the controller has become error active again: all is well."""
        return bool(self.classes & CONTROLLER and self._byte(1) & 0x40)

    @property
    def reasons(self) -> list[str]:
        """What happened, in words."""
        reasons = [text for bit, text in ERROR_CLASSES.items() if self.classes & bit]
        if self.classes & CONTROLLER:
            reasons += [text for bit, text in CONTROLLER_PROBLEMS.items() if self._byte(1) & bit]
        if self.classes & PROTOCOL:
            reasons += [text for bit, text in PROTOCOL_VIOLATIONS.items() if self._byte(2) & bit]
        return reasons or ["unknown error"]

    def _byte(self, number: int) -> int:
        return self.data[number] if len(self.data) > number else 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ErrorMessage):
            return NotImplemented
        return (self.classes, self.data) == (other.classes, other.data)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ErrorMessage({', '.join(self.reasons)}; classes=0x{self.classes:03X}, data={self.data!r})"


#: What a receiver of raw messages gives.
CanMessage: TypeAlias = DataMessage | RemoteMessage | ErrorMessage


def bytes_of(data: Iterable[int]) -> bytes:
    """Return bytes, or numbers from 0 to 255, as bytes."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, (str, int)):
        raise TypeError(f"data must be bytes, or a list of numbers from 0 to 255, not {data!r}")
    try:
        return bytes(list(data))
    except ValueError:
        raise ValueError(f"data must be bytes, or a list of numbers from 0 to 255, not {data!r}") from None


def check_id(canid: Any, extid: bool) -> None:
    """Raise ValueError if a frame cannot have such an identifier."""
    if not extid and isinstance(canid, int) and STANDARD_IDS < canid <= EXTENDED_IDS:
        raise ValueError(f"canid must be from 0 to 0x7FF, not 0x{canid:X}; extended (extid=True) up to 0x1FFFFFFF")
    check_range("canid", canid, EXTENDED_IDS)


def check_range(name: str, value: Any, highest: int) -> None:
    """Raise an error if *value* is no whole number from 0 to *highest*."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not 0 <= value <= highest:
        raise ValueError(f"{name} must be from 0 to {highest:#x}, not {value:#x}")


def fields_of(tag: str, obj: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields of ``{tag: {name: value, …}}``, or of the inner mapping alone.

    Raises:
        ValueError: *obj* is neither, or there are other fields.
    """
    fields = obj.get(tag, obj) if isinstance(obj, Mapping) else None
    if not isinstance(fields, Mapping) or not set(fields) <= set(names):
        raise ValueError(f"expected {{{tag!r}: {{{', '.join(names)}}}}}, got {obj!r}")
    return dict(fields)

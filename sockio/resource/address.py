"""What every kind of address has."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class Address:
    """Where a resource is, and the options to open it with. Immutable, hashable, equal by value.

    Attributes:
        scheme: what a resource string of this kind begins with.
        opener: the class that opens what is there; none for the streams, which `sockio.socket_for_url` opens.
    """

    scheme: str
    opener: str | None = None

    def __init__(self, scheme: str, **values: Any) -> None:
        self.__dict__.update(scheme=scheme, **values)

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given in the resource string, converted, under the names of the stream's arguments."""
        return {}

    @property
    def resource(self) -> str:
        """The name of what is addressed, without options: the same for every spelling of the same thing."""
        return str(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Address):
            return NotImplemented
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an address cannot be changed: {name} = {value!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an address cannot be changed: del {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        from . import parse

        return parse, (str(self),)

"""How a capture is carried out: which samples come, in which form, and how they become arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .capture import Capture
from .codec import Layout, unpack_analog, unpack_logic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """How a request is carried out.

    Attributes:
        wanted: the channels to return.
        layout: where they are in what comes.
        samplerate: in hertz.
        num_samples: None for no end.
        arguments: of sigrok-cli, but for the form of the output.
        exact: fewer samples than that are an error.
    """

    wanted: tuple[str, ...]
    layout: Layout
    samplerate: float
    num_samples: int | None
    arguments: list[str]
    exact: bool

    @property
    def logic(self) -> tuple[str, ...]:
        return tuple(name for name in self.wanted if name in self.layout.logic)

    @property
    def analog(self) -> tuple[str, ...]:
        return tuple(name for name in self.wanted if name in self.layout.analog)

    @property
    def size(self) -> int:
        """Bytes of a sample as it comes, of one kind of channels."""
        return 4 * len(self.layout.analog) if self.layout.analog else self.layout.unit

    @property
    def form(self) -> str:
        return "wav" if self.layout.analog else "binary"

    def unpack(self, received: Array, start: int = 0) -> Capture:
        """Return the capture in bytes that have come."""
        if self.layout.analog:
            data = unpack_analog(received.view("<f4"), self.layout, self.wanted)
        else:
            data = unpack_logic(received, self.layout, self.wanted)
        return Capture(data, self.samplerate, start)

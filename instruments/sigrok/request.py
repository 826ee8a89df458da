"""What is asked of a device: checked, and put into the words of sigrok-cli's command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .codec import Description

#: What can be given for triggers: "D0=r,D1=1", or by channel.
Triggers = str | Mapping[str, str] | None

#: sigrok's driver for its demonstration. It fills as many bits as there are channels switched on, from the lowest up,
#: whichever channels these are.
DEMO = "demo"


@dataclass(frozen=True)
class Request:
    """What is to be captured.

    Args:
        device: what ``sigrok-cli --driver`` takes.
        channels: the channels that are wanted, all if None.
        options: of the driver, such as ``{"voltage_threshold": "1.2-1.5"}``.
        group: the channel group that the options belong to.
        triggers: what to wait for, by channel, such as ``{"D0": "r"}`` or "D0=r".
        pretrigger: how much of the capture comes before the trigger, 0 to 1.

    Raises:
        TypeError, ValueError: something that cannot be.
    """

    device: str
    channels: Sequence[str] | None = None
    options: Mapping[str, Any] | None = None
    group: str | None = None
    triggers: Triggers = None
    pretrigger: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.channels, str):
            raise TypeError(f"channels must be a list of names, such as ['D0', 'D1'], not {self.channels!r}")
        if self.channels is not None and not self.channels:
            raise ValueError("channels must be at least one, or None for all")
        if self.pretrigger is not None:
            if not self.triggers:
                raise ValueError("pretrigger needs triggers, before which it is")
            if not 0 <= self.pretrigger <= 1:
                raise ValueError(f"pretrigger must be a part of the capture, 0 to 1, not {self.pretrigger!r}")
        for name, value in (self.options or {}).items():
            for text in (name, str(value)):
                if ":" in text or "=" in text or not text:
                    raise ValueError(f"an option of a driver cannot have ':' or '=' in it: {name!r}: {value!r}")
        if self.options and "samplerate" in self.options:
            raise ValueError("give the samplerate as samplerate=, not among the options")
        if self.group is not None and self.triggers:
            raise ValueError("sigrok-cli takes triggers or a channel group, not both")

    def triggered(self) -> dict[str, str]:
        """Return the conditions by channel."""
        if not isinstance(self.triggers, str):
            return dict(self.triggers or {})
        conditions = {}
        for part in self.triggers.split(","):
            name, separator, kinds = part.partition("=")
            if not separator:
                raise ValueError(f"triggers must be such as 'D0=r,D1=1', not {self.triggers!r}")
            conditions[name] = kinds
        return conditions

    def wanted(self, description: Description) -> tuple[str, ...]:
        """Return the channels that are wanted, each once.

        Raises:
            ValueError: the device has no such channel.
        """
        wanted = tuple(dict.fromkeys(self.channels)) if self.channels is not None else description.channels
        for name in (*wanted, *self.triggered()):
            if name not in description.channels:
                raise ValueError(f"{self.device} has no channel {name!r}; it has {', '.join(description.channels)}")
        return wanted

    def check_triggers(self, description: Description) -> None:
        """Raise a ValueError if the device has no such triggers."""
        for name, kinds in self.triggered().items():
            if not kinds or not set(kinds) <= set(description.triggers):
                known = ", ".join(description.triggers) or "none at all"
                raise ValueError(f"the trigger of {name} cannot be {kinds!r}; {self.device} has {known}")

    def arguments(
        self, description: Description, channels: Sequence[str], samplerate: float | None, num_samples: int | None
    ) -> list[str]:
        """Return the arguments of the command line but for the form of the output.

        Args:
            description: of the device.
            channels: what to switch on.
            samplerate: in hertz; None leaves it as it is.
            num_samples: None goes on until it is stopped.
        """
        config = {} if samplerate is None else {"samplerate": f"{samplerate:.0f}"}
        if self.triggers and "captureratio" in description.options:
            config["captureratio"] = str(round(100 * (self.pretrigger or 0)))
        elif self.pretrigger:
            raise ValueError(f"{self.device} captures nothing before a trigger: it has no option captureratio")
        config |= {name: _text(value) for name, value in (self.options or {}).items()}
        arguments = ["--driver", self.device, "--channels", ",".join(channels)]
        if config:
            arguments += ["--config", ":".join(f"{name}={value}" for name, value in config.items())]
        if self.group is not None:
            arguments += ["--channel-group", self.group]
        if self.triggers:
            conditions = [f"{name}={kinds}" for name, kinds in self.triggered().items()]
            arguments += ["--triggers", ",".join(conditions)]
        return [*arguments, *(["--continuous"] if num_samples is None else ["--samples", str(num_samples)])]


def _text(value: Any) -> str:
    """Return the value of an option as sigrok reads it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def count(samplerate: float, num_samples: int | None, time: float | None) -> int | None:
    """Return the number of samples; None if nothing is said.

    Raises:
        TypeError, ValueError: both are given, or one that cannot be.
    """
    if num_samples is not None:
        if isinstance(num_samples, bool) or int(num_samples) != num_samples or num_samples < 1:
            raise ValueError(f"num_samples must be a whole number of samples, at least 1, not {num_samples!r}")
        return int(num_samples)
    if time is None:
        return None
    samples = round(time * samplerate) if math.isfinite(time) else 0
    if samples < 1:
        raise ValueError(f"time must be seconds, at least one sample at {samplerate:g} Hz, not {time!r}")
    return samples

"""What a temperature controller controls: stages that are cooled and heated, with sensors that follow slowly.

Nothing here knows what time it is: `Cryostat.advance` is told. The same moments give the same temperatures.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: Seconds of one integration step.
STEP = 0.1

#: Seconds that are integrated at most when nobody has looked for long; the cryostat rests in the time before.
LONGEST_CATCH_UP = 600.0

#: Standard deviation of a sensor's reading, in kelvin.
NOISE = 0.002


@dataclass
class Stage:
    """A body in the cryostat.

    Attributes:
        temperature: of the body, in kelvin.
        base: temperature that it settles at without heat, in kelvin.
        heat_capacity: in joule per kelvin.
        conductance: to the cold end, in watt per kelvin.
        lag: time constant of its sensor, in seconds.
        sensed: temperature of the sensor, in kelvin.
        noise: of the sensor's present reading, in kelvin.
    """

    temperature: float
    base: float
    heat_capacity: float = 12.0
    conductance: float = 0.2
    lag: float = 0.8
    sensed: float = field(init=False)
    noise: float = 0.0

    def __post_init__(self) -> None:
        self.sensed = self.temperature

    @property
    def reading(self) -> float:
        """What the sensor shows, in kelvin."""
        return max(0.0, self.sensed + self.noise)

    def step(self, seconds: float, power: float) -> None:
        """Let *seconds* pass with *power* watt of heat. Implicit: stable however long the step."""
        heat = power + self.conductance * self.base
        self.temperature = (self.heat_capacity * self.temperature + seconds * heat) / (
            self.heat_capacity + seconds * self.conductance
        )
        self.sensed += (self.temperature - self.sensed) * seconds / (self.lag + seconds)


@dataclass
class PID:
    """A controller whose output is in percent, limited, with an integral that does not wind up.

    ``output = P (e + 1/I * integral of e dt + D de/dt)``, the derivative taken of the reading alone, so that
    a new set point makes no kick.
    """

    integral: float = 0.0
    last: float | None = None

    def reset(self) -> None:
        """Begin anew."""
        self.integral = 0.0
        self.last = None

    def output(
        self,
        set_point: float,
        reading: float,
        gains: tuple[float, float, float],
        limit: float,
        seconds: float,
    ) -> float:
        """Return the output of the next *seconds*, from 0 to *limit* percent."""
        proportional, integrator, differentiator = gains
        error = set_point - reading
        slope = 0.0 if self.last is None else (reading - self.last) / seconds
        self.last = reading
        integral = self.integral + (error * seconds / integrator if integrator > 0 else 0.0)
        wanted = proportional * (error + integral - differentiator * slope)
        if 0 <= wanted <= limit or (wanted > limit) == (error < 0):
            self.integral = integral
        return min(max(wanted, 0.0), limit)


class Heater(Protocol):
    """Something that heats a stage."""

    def heat(self, stages: Sequence[Stage], seconds: float) -> tuple[int, float]:
        """Return the stage that is heated for the next *seconds*, and the power in watt."""
        ...


class Cryostat:
    """Stages, heaters and the noise of sensors.

    Args:
        temperatures: at the beginning, one for each stage, in kelvin. They are also what the stages cool down
            to.
        now: the present moment, in seconds.
        seed: of the noise.
    """

    def __init__(self, temperatures: Sequence[float], now: float, seed: int = 0) -> None:
        self.stages = [Stage(temperature, temperature) for temperature in temperatures]
        self._now = now
        self._random = random.Random(seed)

    def advance(self, now: float, heaters: Sequence[Heater]) -> None:
        """Let time pass until *now*, in whole steps."""
        self._now = max(self._now, now - LONGEST_CATCH_UP)
        while self._now + STEP <= now:
            self._now += STEP
            powers = [0.0] * len(self.stages)
            for heater in heaters:
                index, power = heater.heat(self.stages, STEP)
                powers[index] += power
            for stage, power in zip(self.stages, powers, strict=True):
                stage.step(STEP, power)
                stage.noise = self._random.gauss(0.0, NOISE)

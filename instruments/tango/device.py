"""The Tango device of a driver: attributes, commands, state, and events from a task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, ClassVar

from ..base import Driver
from .alarms import alarm_of, with_levels
from .declaration import Call, Declaration
from .drivers import connect, disconnect
from .events import Answer, Events
from .failures import failure, text_of
from .framework import (
    AttrQuality,
    DevFailed,
    Device,
    DevState,
    GreenMode,
    device_property,
)
from .readings import Readings, is_fresh, read_together
from .threads import in_thread, wait_in_thread
from .values import encode
from .waiting import Waiting, is_shutting_down

#: Seconds for which the state holds.
STATE_PERIOD = 1.0

#: Seconds for which an instrument that could not be reached is left alone by those who read.
RETRY_PERIOD = 0.5

#: Where the state stands among the readings.
STATE = "State"

#: What the property of that name is.
URL = "Where the instrument is, such as tcp://192.168.1.123:5000."


class DriverDevice(Device):
    """An instrument, by its driver.

    Devices are made by `device_class`, which derives a class for each declaration.
    """

    green_mode = GreenMode.Asyncio

    #: What the device offers: nothing, until `device_class` derives a class.
    declaration: ClassVar[Declaration] = Declaration("DriverDevice", "", {}, {})

    url = device_property(dtype=str, default_value="", doc=URL)
    PollingPeriod = device_property(
        dtype=float, default_value=1.0, doc="Seconds between two looks at what clients want events of."
    )
    ReadValidityPeriod = device_property(
        dtype=float, default_value=0.0, doc="Seconds for which a reading is given again, without asking the instrument."
    )

    def make_driver(self) -> Driver:
        """Return the driver, from the device's properties. Nothing is sent yet.

        Raises:
            ValueError: a property is wrong; the message says which.
        """
        raise NotImplementedError

    async def made_contact(self, driver: Driver) -> None:
        """Do what is to be done when the instrument answers for the first time, at the start or after a loss."""

    def companions(self, names: Iterable[str]) -> dict[str, Call]:
        """Return what is to be read together with attributes, by names that are no attribute's."""
        return {}

    async def met(self, outcomes: dict[str, Any]) -> None:
        """Take what has come of the `companions`: values, or exceptions in their place."""

    # What Tango calls

    async def init_device(self) -> None:
        """Read the properties and begin; a wrong one leaves the device in FAULT, with the reason in its status."""
        self._driver: Driver | None = None
        self._readings = Readings({}, 0.0)
        self._in_contact = False
        self._failed_at: float | None = None
        self._witness: str | None = None
        self._state_at: float | None = None
        self._shown_state: tuple[Any, str] = (None, "")
        self._waiting = Waiting()
        self._events = Events(self, (*self.declaration.attributes, "State", "Status"))
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        try:
            await super().init_device()
            check_period("PollingPeriod", self.PollingPeriod, least=0.01)
            check_period("ReadValidityPeriod", self.ReadValidityPeriod)
            self._readings = Readings(self.declaration.attributes, self.ReadValidityPeriod)
            driver = self.make_driver()
        except Exception as problem:
            self._show(DevState.FAULT, f"Error: {text_of(problem)}")
            return
        for name in (*self.declaration.attributes, "State", "Status"):
            self.set_change_event(name, True, True)
            self.set_archive_event(name, True, True)
        for name in self.declaration.attributes:
            self.set_alarm_event(name, True, True)
        self._driver = driver
        self._show(DevState.UNKNOWN, f"{driver!r} has not been asked anything yet")
        self._polling = self._loop.create_task(self._poll(driver))
        self._watching = self._loop.create_task(self._waiting.give_up_at_shutdown())

    async def delete_device(self) -> None:
        """Stop asking, give up what the instrument has not answered yet, and close the device's own connection."""
        tasks, driver = [each for each in (self._polling, self._watching) if each is not None], self._driver
        self._polling = self._watching = self._driver = None
        self._show(DevState.INIT, "The device is being initialised")
        self._waiting.give_up()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if driver is not None:
            await disconnect(driver)
        await super().delete_device()

    async def dev_state(self) -> Any:
        """Return the state, which is asked for once a second at most."""
        await self._refresh_state()
        return self.get_state()

    async def dev_status(self) -> str:
        """Return what there is to say of the state."""
        await self._refresh_state()
        status: str = self.get_status()
        return status

    def read_hardware(self, attr_list: Iterable[int]) -> None:
        """Read all attributes of a client's call together. Called in a thread of Tango's, which waits."""
        refuse_at_shutdown()
        attributes = self.get_device_attr()
        names = [attributes.get_attr_by_ind(index).get_name() for index in attr_list]
        wanted = [name for name in names if name in self.declaration.attributes and not self._readings.is_valid(name)]
        if wanted:
            wait_in_thread(self._loop, self._refresh(wanted))

    # Reading

    async def _refresh_state(self) -> None:
        if is_fresh(self._state_at, STATE_PERIOD):
            return
        names = self._telling()
        if names or self.declaration.state:
            await self._refresh(names)

    def _telling(self) -> list[str]:
        """Return the attributes that tell the state: those with alarm levels, and of a lost instrument without a state
        of its own the one whose answer will tell that it is back."""
        names = [each.get_name() for each in with_levels(self.get_device_attr())]
        if self._failed_at is not None and self.declaration.state is None and self._witness is not None:
            names.append(self._witness)
        return names

    async def _refresh(self, names: Iterable[str]) -> None:
        """Ask the instrument for attributes and the state in one go, and note what comes.

        What has been read within the validity period is not asked again, and an instrument that was found lost is
        left alone for a while.
        """
        driver = self._driver
        if driver is None or is_fresh(self._failed_at, RETRY_PERIOD):
            return
        wanted = [name for name in names if not self._readings.is_valid(name)]
        calls = {name: self.declaration.attributes[name].read for name in wanted}
        companions = self.companions(calls)
        calls |= companions
        if self.declaration.state is not None:
            calls = {STATE: self.declaration.state, **calls}
        began = time.monotonic()
        outcomes: dict[str, Any] | None = None
        with suppress(ConnectionAbortedError), self._until_given_up():
            outcomes = await read_together(driver, calls)
        if self._driver is not driver:
            await self._refresh(names)  # initialised anew meanwhile
            return
        if outcomes is None:
            return
        await self.met({name: outcomes.pop(name) for name in companions})
        await self._conclude(driver, outcomes, began)

    def _until_given_up(self) -> AbstractContextManager[None]:
        """Wait for the instrument no longer than until the device is initialised anew."""
        if asyncio.current_task() is self._polling:
            return nullcontext()  # it ends with the driver
        return self._waiting.until_given_up()

    async def _conclude(self, driver: Driver, outcomes: dict[str, Any], began: float) -> None:
        """Note what has come of readings, and what that says of the state; unless something was changed meanwhile."""
        if self._readings.is_outdated(began):
            outcomes.pop(STATE, None)
        lost = next((each for each in outcomes.values() if isinstance(each, OSError)), None)
        for name, outcome in outcomes.items():
            if name != STATE:
                self._readings.note(name, outcome, began)
                if self._witness is None or not isinstance(outcome, OSError):
                    self._witness = name
        if lost is not None:
            self._lose(lost)
        elif outcomes:
            await self._in_touch(driver, outcomes.get(STATE))

    async def _in_touch(self, driver: Driver, state: Any = None) -> None:
        """Note that the instrument has answered, and what it has said of its state."""
        self._failed_at = None
        if not self._in_contact:
            self._in_contact = True
            try:
                await self.made_contact(driver)
            except OSError as error:
                self._lose(error)
                return
            except Exception as error:
                self._in_contact = False
                self._show(DevState.FAULT, f"Error: {text_of(error)}")
                return
        if self.declaration.state is None:
            self._show(DevState.ON, f"Connected to {self.url}")
        elif isinstance(state, Exception):
            self._show(DevState.FAULT, f"Error: {text_of(state)}")
        elif state is not None:
            self._show_switch(bool(state))

    def _show_switch(self, is_on: bool) -> None:
        label = self.declaration.state_label
        self._show(DevState.ON if is_on else DevState.OFF, f"{label} is {'On' if is_on else 'Off'}")

    def _lose(self, error: OSError) -> None:
        """Note that the instrument cannot be reached: nothing that was read before holds any more."""
        self._in_contact = False
        self._failed_at = time.monotonic()
        for name in self.declaration.attributes:
            self._readings.note(name, error, self._failed_at)
        self._show(DevState.FAULT, f"Error: {text_of(error)}")

    def _show(self, state: Any, status: str) -> None:
        """Set state and status; ON is ALARM as long as an attribute is beyond its levels."""
        self._state_at = time.monotonic()
        if state == DevState.ON and (alarms := self._alarms()):
            state, status = DevState.ALARM, "\n".join((status, *alarms))
        if (state, status) != self._shown_state:  # to tell Tango costs more than to compare
            self.set_state(state)
            self.set_status(status)
            self._shown_state = (state, status)

    def _answer(self, name: str) -> tuple[Any, float, Any]:
        """Return an attribute's value, its time and its quality, in the thread that asks for it.

        A reading that has failed because the instrument is lost is INVALID, and the status says why; what the
        instrument has refused is an exception of this attribute alone.
        """
        reading = self._readings.of(name)
        if reading is None:
            raise failure("NotRead", self.get_status(), name)
        if reading.error is not None and not isinstance(reading.error, OSError):
            raise failure(type(reading.error).__name__, text_of(reading.error), name)
        if reading.value is None:
            return self.declaration.attributes[name].type.nothing, reading.when, AttrQuality.ATTR_INVALID
        return reading.value, reading.when, AttrQuality.ATTR_VALID

    def _alarms(self) -> list[str]:
        """Return what there is to say of attributes that are beyond their levels."""
        found = []
        for attribute in with_levels(self.get_device_attr()):
            reading = self._readings.of(attribute.get_name())
            if reading is not None and reading.value is not None:
                found.append(alarm_of(attribute, reading.value))
        return [each for each in found if each is not None]

    # Writing and commands

    async def _write(self, name: str, value: Any) -> None:
        """Write an attribute."""
        declared = self.declaration.attributes[name]
        call = declared.write
        assert call is not None
        type = call.parameters[0].type
        assert type is not None
        assert type.decode is not None
        try:
            wanted = type.decode(value)
        except ValueError as error:
            raise failure("ValueError", f"{name}: {text_of(error)}", name) from error
        result = await self.call(call, wanted)
        if result is not None and call == declared.read:
            self._readings.note(name, result, time.monotonic())  # a member, which reads back what it has set

    async def _command(self, name: str, value: Any) -> Any:
        """Do a command, and return what Tango gives for its result."""
        order = self.declaration.commands[name]
        try:
            arguments, named = order.arguments(value)
        except ValueError as error:
            raise failure("ValueError", text_of(error), name) from error
        result = await self.call(order.call, *arguments, **named)
        if result is None and order.output.element in ("bool", "int") and not order.output.is_list:
            raise failure("NoValue", f"{name}: there is no value at this time", name)
        try:
            return encode(order.output, result)
        except Exception as error:
            raise failure(
                type(error).__name__, f"{name}: expected {order.output}, got {result!r}: {text_of(error)}", name
            ) from error

    async def call(self, call: Call, *arguments: Any, **named: Any) -> Any:
        """Call the driver for a client, and return what it gives.

        Raises:
            DevFailed: it has failed.
        """
        driver = self._driver
        origin = call.operation.name
        refuse_at_shutdown()
        if driver is None:
            raise failure("NotInitialized", self.get_status(), origin)
        try:
            with self._until_given_up():
                result = await call(driver, *arguments, **named)
        except OSError as error:
            if self._driver is driver:  # otherwise it has been closed, as the device was initialised anew
                self._lose(error)
            raise failure(type(error).__name__, text_of(error), origin) from error
        except Exception as error:
            raise failure(type(error).__name__, text_of(error), origin) from error
        finally:
            self._state_at = None
            self._readings.change()
            self._wake.set()
        if self._driver is driver:
            self._failed_at = None
            if self.declaration.state is None:
                await self._in_touch(driver)
                self._state_at = None  # what was changed may have ended an alarm
        return result

    # Events

    async def _poll(self, driver: Driver) -> None:
        """Look over and over at what clients want events of, and push them; find out when a lost instrument is back."""
        while self._driver is driver:
            try:
                wanted = self._events.subscribed()
                names = [name for name in wanted if name in self.declaration.attributes]
                if self._failed_at is not None or "State" in wanted or "Status" in wanted:
                    names = list(dict.fromkeys((*names, *self._telling())))
                if self.declaration.state is None and all(map(self._readings.is_valid, names)):
                    await self._try_contact(driver)  # nothing is going to be asked
                await self._refresh(names)
                if wanted:
                    await in_thread(self._events.push, wanted, self._event)
            except Exception as error:
                self.error_stream(f"polling failed: {error!r}")
                self._show(DevState.FAULT, f"Error: {text_of(error)}")
            try:
                await asyncio.wait_for(self._wake.wait(), self.PollingPeriod)
            except asyncio.TimeoutError:
                pass  # it is time
            self._wake.clear()

    async def _try_contact(self, driver: Driver) -> None:
        """Find out whether an instrument can be reached that nobody asks anything at this time."""
        try:
            await connect(driver)
        except OSError as error:
            self._lose(error)
        else:
            await self._in_touch(driver)

    def _event(self, name: str) -> Answer:
        """Return what an event says: value, time and quality, or the error."""
        if name == "State":
            return self.get_state(), time.time(), AttrQuality.ATTR_VALID
        if name == "Status":
            return self.get_status(), time.time(), AttrQuality.ATTR_VALID
        try:
            return self._answer(name)
        except DevFailed as error:
            return (error,)


def refuse_at_shutdown() -> None:
    """Refuse a request when the server is shutting down, which it does as soon as no request is being answered:
    never, if clients keep asking something that takes its time."""
    if is_shutting_down():
        raise failure("ShuttingDown", "the device server is shutting down", "DriverDevice")


def check_period(name: str, seconds: float, least: float = 0.0) -> None:
    """Refuse what is no period."""
    if not least <= seconds < float("inf"):
        raise ValueError(f"{name}: expected {least:g} seconds or more, got {seconds!r}")


__all__ = ["URL", "DriverDevice"]

"""The blocking and the futures twin of a driver class.

A twin holds the driver itself, whose calls are awaited, and shares its attributes. Calling one of its methods
calls the driver's and runs what that gives to its end (or hands over its future). Inside its own methods a
driver therefore always finds awaitables, whatever its user sees.
"""

from __future__ import annotations

import functools
import inspect
import re
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from types import MethodType
from typing import TYPE_CHECKING, Any

from sockio.runtimes.blocking import run

from .link import Flavour, Link, is_coroutine_function, parts_of

if TYPE_CHECKING:
    from .base import Driver

#: Set on plain functions that return awaitables, by `instruments.base.operation`.
OPERATION = "__operation__"

AWAITABLE = re.compile(r"(?:Awaitable|Coroutine|Queued)\[(?:Any, Any, )?(.*)\]")

#: Results that are looked at no further.
PLAIN = frozenset({type(None), bool, int, float, str, bytes})


class Twin:
    """What blocking and futures twins have in common.

    A twin derives from the twins of the driver's bases, which end with this class, and from the driver.
    """

    __slots__ = ("_native",)

    _native: Driver
    _native_class: type[Driver]
    _flavour: Flavour

    def __getattribute__(self, name: str) -> Any:
        value = getattribute(self, name)
        return value if type(value) is MethodType or name[0] == "_" else present(value)

    def __aenter__(self) -> Any:
        raise TypeError(f"{type(self).__name__} blocks: write `with`, not `async with`")

    def __aexit__(self, *exception: object) -> Any:
        raise TypeError(f"{type(self).__name__} blocks: write `with`, not `async with`")


getattribute = object.__getattribute__

#: ``native_of(twin)`` is ``twin._native``, sooner.
native_of: Callable[[Any], Any] = vars(Twin)["_native"].__get__


class Twins(dict[Flavour, "type[Any]"]):
    """The twins of a driver class, each of which is made when it is asked for first.

    Args:
        cls: the class as it was written.
    """

    def __init__(self, cls: type[Driver]) -> None:
        super().__init__()
        self._cls = cls

    def __missing__(self, flavour: Flavour) -> type[Any]:
        return self.setdefault(flavour, make_twin(self._cls, flavour))


def make_twin(cls: type[Driver], flavour: Flavour) -> type[Driver]:
    """Return the twin of a driver class.

    Args:
        cls: the class as it was written.
        flavour: ``"blocking"`` or ``"futures"``.
    """
    drivers: list[Any] = [base for base in cls.__bases__ if isinstance(getattr(base, "_twins", None), Twins)]
    bases = tuple(base._twins[flavour] for base in drivers) or (Twin,)
    inherited = [members(base) for base in drivers]

    @functools.wraps(cls.__init__)
    def initialize(self: Any, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> None:
        native = self._native
        with parts_of(native.link):
            cls.__init__(native, *args, **kwargs)

    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "__init__": initialize,
        "_native_class": cls,
        "_flavour": flavour,
    }
    for name, member in members(cls).items():
        if not name.startswith("_") and not any(known.get(name) is member for known in inherited):
            method = make_method(name, member, flavour)
            if method is not None:
                namespace[name] = method
            elif any(name in known for known in inherited):
                namespace[name] = member  # goes before what the twins of the bases have
    if hasattr(cls, "__aenter__"):
        namespace["__enter__"], namespace["__exit__"] = enter, leave
    getitem = getattr(cls, "__getitem__", None)
    if getitem is not None:
        namespace["__getitem__"] = functools.wraps(getitem)(lambda self, key: present(getitem(self, key)))
    metaclass: Any = type(cls)
    name = flavour.capitalize() + cls.__name__
    twin: type[Driver] = metaclass(name, (*bases, cls), namespace, flavour=flavour)
    return twin


def members(cls: type[Any]) -> dict[str, Any]:
    """Return the members of a class, its own and those that it inherits, as they were written."""
    found: dict[str, Any] = {}
    for ancestor in reversed(cls.__mro__):
        found |= vars(ancestor)
    return found


def make_method(name: str, member: Any, flavour: Flavour) -> Callable[..., Any] | None:
    """Return the twin's form of a class member; None if it stays as it is."""
    if not inspect.isfunction(member):
        return None

    def block(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = run(getattr(native_of(self), name)(*args, **kwargs))
        return value if type(value) in PLAIN else present(value)

    def operate(self: Any, *args: Any, **kwargs: Any) -> Any:
        native = self._native
        return finish(native.link, flavour, getattr(native, name)(*args, **kwargs))

    def iterate(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        native = self._native
        return items(native.link, getattr(native, name)(*args, **kwargs))

    def manage(self: Any, *args: Any, **kwargs: Any) -> ContextManager:
        native = self._native
        return ContextManager(native.link, getattr(native, name)(*args, **kwargs))

    if flavour == "blocking" and is_coroutine_function(member):
        return functools.wraps(member)(block)
    if is_coroutine_function(member) or hasattr(member, OPERATION):
        method = functools.wraps(member)(operate)
        method.__signature__ = result_signature(member, flavour)  # type: ignore[attr-defined]
        return method
    if inspect.isasyncgenfunction(member):
        method = functools.wraps(member)(iterate)
        method.__signature__ = iteration_signature(member)  # type: ignore[attr-defined]
        return method
    if inspect.isasyncgenfunction(getattr(member, "__wrapped__", None)):
        return functools.wraps(member)(manage)
    return None


def result_signature(function: Callable[..., Any], flavour: Flavour) -> inspect.Signature:
    """Return an operation's signature as the twin has it: ``-> float``, not ``-> Awaitable[float]``."""
    signature = inspect.signature(function)
    result = signature.return_annotation
    if isinstance(result, str):
        match = AWAITABLE.fullmatch(result)
        result = match.group(1) if match else result
        if flavour == "futures":
            result = f"Future[{result}]"
    return signature.replace(return_annotation=result)


def iteration_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of an async generator as the twin has it: ``-> Iterator[float]``."""
    signature = inspect.signature(function)
    result = signature.return_annotation
    if isinstance(result, str):
        match = re.fullmatch(r"AsyncGenerator\[(.*), None\]", result)
        result = f"Generator[{match[1]}, None, None]" if match else result.removeprefix("Async")
    return signature.replace(return_annotation=result)


def finish(link: Link, flavour: Flavour, result: Any) -> Any:
    """Make of an operation's awaitable what the flavour gives."""
    if getattr(result, "is_queued", False):
        return result  # it joined a group: its value comes when that is sent
    if flavour == "futures":
        return link.submit(presented(result))
    return present(link.wait(result))


async def presented(awaitable: Awaitable[Any]) -> Any:
    """Return what *awaitable* gives as the user of a twin sees it."""
    return present(await awaitable)


def enter(self: Any) -> Any:
    """Enter the block, waiting until that is done."""
    return present(self._native.link.wait(self._native.__aenter__()))


def leave(self: Any, *exception: Any) -> Any:
    """Leave the block, waiting until that is done."""
    return self._native.link.wait(self._native.__aexit__(*exception))


def items(link: Link, generator: Any) -> Iterator[Any]:
    """Iterate over an async generator, waiting for each item."""

    async def step() -> tuple[Any, ...]:
        try:
            return (await generator.__anext__(),)
        except StopAsyncIteration:
            return ()

    try:
        while item := link.wait(step()):
            yield item[0]
    finally:
        link.wait(generator.aclose())


class ContextManager:
    """An async context manager as a plain one."""

    def __init__(self, link: Link, manager: AbstractAsyncContextManager[Any]) -> None:
        self._link = link
        self._manager = manager

    def __enter__(self) -> Any:
        return present(self._link.wait(self._manager.__aenter__()))

    def __exit__(self, *exception: Any) -> bool | None:
        return self._link.wait(self._manager.__aexit__(*exception))


def present(value: Any) -> Any:
    """Return *value* as the user of a twin sees it: drivers, alone or in a collection, are twins too."""
    if isinstance(value, dict):
        if any(is_driver(item) for item in value.values()):
            return {key: present(item) for key, item in value.items()}
    elif type(value) in (list, tuple):
        if not PLAIN.issuperset(map(type, value)) and any(is_driver(item) for item in value):
            return type(value)(map(present, value))
    elif is_driver(value):
        return twin_of(value)
    return value


def is_driver(value: Any) -> bool:
    """Tell whether *value* is a driver or the twin of one."""
    return hasattr(type(value), "_twins")


def twin_of(driver: Driver) -> Driver:
    """Return the twin that a driver's user sees; the driver itself where its calls are awaited."""
    if isinstance(driver, Twin) or driver.link.flavour == "async":
        return driver
    attributes = vars(driver)
    reference = attributes.get("_twin")
    twin: Any = None if reference is None else reference()
    if twin is None:
        twin = object.__new__(type(driver)._twins[driver.link.flavour])
        object.__setattr__(twin, "_native", driver)
        twin.__dict__ = attributes
        attributes["_twin"] = weakref.ref(twin)
    return twin  # type: ignore[no-any-return]

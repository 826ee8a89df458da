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
from typing import TYPE_CHECKING, Any

from .link import Flavour, Link, is_coroutine_function

if TYPE_CHECKING:
    from .base import Driver

#: Set on plain functions that return awaitables, by `instruments.base.operation`.
OPERATION = "__operation__"

AWAITABLE = re.compile(r"(?:Awaitable|Coroutine|Queued)\[(?:Any, Any, )?(.*)\]")


class Twin:
    """What blocking and futures twins have in common; the first of a twin's bases."""

    __slots__ = ("_native",)

    _native: Driver

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        native = self._native
        type(native).__init__(native, *args, **kwargs)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return value if name.startswith("_") else present(value)

    def __aenter__(self) -> Any:
        raise TypeError(f"{type(self).__name__} blocks: write `with`, not `async with`")

    def __aexit__(self, *exception: object) -> Any:
        raise TypeError(f"{type(self).__name__} blocks: write `with`, not `async with`")


def make_twin(cls: type[Driver], flavour: Flavour) -> type[Driver]:
    """Return the twin of a driver class.

    Args:
        cls: the class as it was written.
        flavour: ``"blocking"`` or ``"futures"``.
    """
    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "__init__": functools.wraps(cls.__init__)(Twin.__init__),
    }
    for name in dir(cls):
        if not name.startswith("_"):
            method = make_method(name, inspect.getattr_static(cls, name), flavour)
            if method is not None:
                namespace[name] = method
    if hasattr(cls, "__aenter__"):
        namespace["__enter__"], namespace["__exit__"] = enter, leave
    getitem = getattr(cls, "__getitem__", None)
    if getitem is not None:
        namespace["__getitem__"] = functools.wraps(getitem)(lambda self, key: present(getitem(self, key)))
    metaclass: Any = type(cls)
    twin: type[Driver] = metaclass(flavour.capitalize() + cls.__name__, (Twin, cls), namespace, flavour=flavour)
    return twin


def make_method(name: str, member: Any, flavour: Flavour) -> Callable[..., Any] | None:
    """Return the twin's form of a class member; None if it stays as it is."""
    if not inspect.isfunction(member):
        return None

    def operate(self: Any, *args: Any, **kwargs: Any) -> Any:
        native = self._native
        return finish(native.link, flavour, getattr(native, name)(*args, **kwargs))

    def iterate(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        native = self._native
        return items(native.link, getattr(native, name)(*args, **kwargs))

    def manage(self: Any, *args: Any, **kwargs: Any) -> ContextManager:
        native = self._native
        return ContextManager(native.link, getattr(native, name)(*args, **kwargs))

    if is_coroutine_function(member) or hasattr(member, OPERATION):
        method = functools.wraps(member)(operate)
        method.__signature__ = result_signature(member, flavour)  # type: ignore[attr-defined]
        return method
    if inspect.isasyncgenfunction(member):
        return functools.wraps(member)(iterate)
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
        if any(is_driver(item) for item in value):
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
    twin: Driver | None = None if reference is None else reference()
    if twin is None:
        twin = object.__new__(type(driver)._twins[driver.link.flavour])
        object.__setattr__(twin, "_native", driver)
        twin.__dict__ = attributes
        attributes["_twin"] = weakref.ref(twin)
    return twin

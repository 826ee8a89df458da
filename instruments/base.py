"""The base class of drivers: write the operations once, as coroutines, and use them on every flavour.

::

    class Supply(Driver):
        async def voltage(self) -> float:
            return float(await self.link.write_readline(b"VOLT?\\n"))

``Supply(aio.TCP(...)).voltage()`` is awaited, ``Supply(sio.TCP(...)).voltage()`` is the number, and with
``resolve_futures=False`` it is a `concurrent.futures.Future`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from sockio.runtimes.blocking import run

from .link import Flavour, Link, OwnLink, calls_block, here, link_to
from .twins import OPERATION, Twin, Twins, present, twin_of

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self

    from sockio.runtimes.base import Runtime

    Parameters = ParamSpec("Parameters")

Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])


def operation(function: Function) -> Function:
    """Mark a plain method that returns an awaitable, so that the twins treat it as a coroutine method."""
    setattr(function, OPERATION, True)
    return function


class ConstructorSignature:
    """What `help` and `inspect.signature` show of the call that makes a driver."""

    def __get__(self, driver: object, cls: type[Any]) -> inspect.Signature:
        if driver is not None:
            raise AttributeError("__signature__")
        signature = inspect.signature(cls.__init__)
        parameters = list(signature.parameters.values())[1:]
        if issubclass(cls, Twin) and issubclass(cls, Standalone) and cls._flavour == "blocking":
            end = len(parameters) - any(each.kind is each.VAR_KEYWORD for each in parameters)
            parameters.insert(end, inspect.Parameter("resolve_futures", inspect.Parameter.KEYWORD_ONLY, default=True))
        return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


class Driver:
    """An instrument over a connection. What its methods give is decided by the connection, when it is
    constructed.

    Public coroutine methods, `operation` methods, async generators, async context managers (also those made
    by `contextlib.asynccontextmanager`) exist in the form of the connection's flavour: awaitable, blocking
    (``for`` and ``with`` instead of ``async for`` and ``async with``) or giving futures. Everything else is
    as it was written.

    A driver's parts (its channels, its axes) are drivers too: give them the driver in place of a connection,
    and keep them in public attributes.

    Args:
        conn: a connection of sockio; another driver, whose link is then shared; or any object with
            ``write_readline(bytes) -> bytes`` and ``write(bytes) -> None``, both plain functions (calls
            block, one exchange at a time) or both coroutine functions (calls are awaited, on asyncio or
            trio).

    Attributes:
        conn: the connection.
        link: what the driver's own methods talk to; always awaitable.

    Raises:
        TypeError: *conn* is nothing of that.
    """

    _twins: ClassVar[dict[Flavour, type[Any]]] = {}
    __signature__ = ConstructorSignature()

    conn: Any
    link: Link

    def __init_subclass__(cls, flavour: Flavour = "async", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if flavour != "async":
            return
        if issubclass(cls, Twin):
            raise TypeError(f"derive {cls.__name__} from the driver itself, not from its blocking or futures twin")
        if cls.__dict__.get("__slots__"):
            raise TypeError(f"{cls.__name__} cannot have __slots__: drivers share their attributes with their twins")
        cls._twins = Twins(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if issubclass(cls, Twin):
            raise TypeError(f"{cls.__name__} is made by constructing {cls._native_class.__name__}")
        if not args and "conn" not in kwargs:
            raise TypeError(f"{cls.__name__} needs a connection as its first argument")
        conn = args[0] if args else kwargs["conn"]
        driver = object.__new__(cls)
        driver.link = conn.link if isinstance(conn, Driver) else link_to(conn)
        driver.conn = driver.link.conn
        if isinstance(conn, Driver) and not isinstance(conn, Twin):
            return driver  # a part made by its owner, whose methods await it
        return cast("Self", twin_of(driver))

    def __init__(self, conn: Any) -> None:
        pass  # `__new__` has done it, so that the attributes are there whatever subclasses do

    def __repr__(self) -> str:
        cls = self._native_class if isinstance(self, Twin) else type(self)
        return f"{cls.__name__}({self.link})"


class Standalone(Driver):
    """A driver that makes its connection itself, for example from a resource string.

    What its methods give is decided by the class that is constructed: the class itself is for asyncio and trio, and
    runs on whichever of them awaits it; its blocking twin, which is what ``instruments.sio`` offers under that name,
    blocks, or gives futures if it is constructed with ``resolve_futures=False``. Given another driver, it shares that
    one's link, and with it the flavour; so it does with that of a driver that makes it in its constructor, as a part.
    """

    def __new__(cls, *args: Any, resolve_futures: bool = True, **kwargs: Any) -> Self:
        native: type[Any] = cls
        flavour: Flavour = "async"
        if issubclass(native, Twin):
            flavour = native._flavour if resolve_futures else "futures"
            native = native._native_class
        driver = cast("Self", object.__new__(native))
        driver.conn = args[0] if args else None
        given = next((value for value in (*args, *kwargs.values()) if isinstance(value, Driver)), None)
        if given is None and native is cls and isinstance(here.owner, OwnLink):
            driver.link = here.owner
            return driver  # a part made by its owner, whose methods await it
        link = OwnLink(flavour) if given is None else given.link
        if not isinstance(link, OwnLink):
            raise TypeError(f"{native.__name__} makes its connection itself: {given!r} has one already")
        driver.link = link
        made = twin_of(driver)
        if not isinstance(made, cls):
            made.__init__(*args, **kwargs)  # type: ignore[misc]  # Python itself does it for its own kind only
        return cast("Self", made)

    def __init__(self, conn: Any = None) -> None:
        super().__init__(conn)

    @property
    def _runtime(self) -> Runtime:
        """The runtime of the caller."""
        link = self.link
        assert isinstance(link, OwnLink)  # `__new__` has seen to it
        return link.runtime


@overload
def blocking(native: type[Any]) -> Any: ...
@overload
def blocking(native: Callable[Parameters, Coroutine[Any, Any, Result]]) -> Callable[Parameters, Result]: ...
def blocking(native: Any) -> Any:
    """Return the form of a standalone driver class, or of a coroutine function, whose calls block.

    It is what `instruments.sio` has under the same name. A class also takes ``resolve_futures=False``, for calls that
    give futures.

    Args:
        native: as it was written. A function waits for nothing but drivers, and what `instruments.link.runtime_here`
            gives.
    """
    if isinstance(native, type):
        return twins_of(native)["blocking"]

    @functools.wraps(native)
    def block(*args: Any, **kwargs: Any) -> Any:
        with calls_block():
            return present(run(native(*args, **kwargs)))

    return block


def futures(native: type[Any]) -> Any:
    """Return the form of a standalone driver class whose calls give futures."""
    return twins_of(native)["futures"]


def twins_of(native: Any) -> dict[Flavour, Any]:
    """Return the twins of a standalone driver class.

    Raises:
        TypeError: it is none.
    """
    if not issubclass(native, Standalone) or issubclass(native, Twin):
        raise TypeError(f"expected a class that is derived from Standalone, and no twin of one, got {native!r}")
    twins: dict[Flavour, Any] = native._twins
    return twins


__all__ = ["Driver", "Link", "Standalone", "blocking", "futures", "operation"]

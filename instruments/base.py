"""The base class of drivers: write the operations once, as coroutines, and use them on every flavour.

::

    class Supply(Driver):
        async def voltage(self) -> float:
            return float(await self.link.write_readline(b"VOLT?\\n"))

``Supply(aio.TCP(...)).voltage()`` is awaited, ``Supply(sio.TCP(...)).voltage()`` is the number, and with
``resolve_futures=False`` it is a `concurrent.futures.Future`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from .link import Flavour, Link, link_to
from .twins import OPERATION, Twin, make_twin, twin_of

if TYPE_CHECKING:
    from typing_extensions import Self

Function = TypeVar("Function", bound=Callable[..., Any])


def operation(function: Function) -> Function:
    """Mark a plain method that returns an awaitable, so that the twins treat it as a coroutine method."""
    setattr(function, OPERATION, True)
    return function


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

    _twins: ClassVar[dict[Flavour, type[Driver]]] = {}

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
        cls._twins = {twin: make_twin(cls, twin) for twin in ("blocking", "futures")}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if issubclass(cls, Twin):
            raise TypeError(f"{cls.__name__} is made by constructing {cls.__mro__[2].__name__}")
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
        cls = type(self)
        return f"{(cls.__mro__[2] if isinstance(self, Twin) else cls).__name__}({self.link})"


__all__ = ["Driver", "Link", "operation"]

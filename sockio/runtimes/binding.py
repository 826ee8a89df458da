"""Classes of the core, on a concurrency model."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from .base import Runtime

    Class = TypeVar("Class", bound=type[Any])

_bound: dict[tuple[type[Any], Runtime], type[Any]] = {}


def bind(cls: Class, runtime: Runtime) -> Class:
    """Return a stream class on a runtime: what ``class TCP(cls): runtime = runtime`` makes, the same one each time."""
    bound: Any = _bound.get((cls, runtime))
    if bound is None:
        bound = _bound[cls, runtime] = type(cls.__name__, (cls,), {"runtime": runtime, "__module__": cls.__module__})
    return bound  # type: ignore[no-any-return]

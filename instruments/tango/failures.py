"""What clients are told when something has failed."""

from __future__ import annotations

from .framework import DevFailed, Except


def text_of(error: BaseException) -> str:
    """Return what an error says."""
    if isinstance(error, DevFailed):
        return "; ".join(str(each.desc).strip() for each in error.args)
    return str(error) or type(error).__name__


def failure(reason: str, description: str, origin: str) -> Exception:
    """Return the exception that a client gets."""
    try:
        Except.throw_exception(reason, description, origin)
    except DevFailed as error:
        return error
    raise AssertionError("PyTango has not raised what it was asked to")


__all__ = ["failure", "text_of"]

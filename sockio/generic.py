"""Stands in for `typing.Generic` where a program runs: that is slow to import, and for type checkers alone."""

from __future__ import annotations


class Generic:
    """What can be written ``Generic[Item]`` as a base."""

    def __class_getitem__(cls, item):  # type: ignore[no-untyped-def]  # checkers see the one of typing
        return cls

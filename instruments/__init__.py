"""Drivers for laboratory instruments, over any connection of `sockio` or one of your own."""

from __future__ import annotations

"""Devices of sigrok: logic analyzers, oscilloscopes, meters."""

from __future__ import annotations

from .address import Address
from .fields import check_text


class SigrokAddress(Address):
    """A device of sigrok.

    Args:
        device: what ``sigrok-cli -d`` takes: a driver, and perhaps its connection, such as ``fx2lafw:conn=1.5``.
    """

    opener = "SigrokDevice"
    device: str

    def __init__(self, device: str) -> None:
        if check_text("sigrok device", device).startswith("-"):
            raise ValueError(f"sigrok device must be a driver such as fx2lafw, got {device!r}")
        super().__init__("sigrok", device=device)

    def __str__(self) -> str:
        return f"sigrok::{self.device}"

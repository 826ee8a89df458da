"""A USBTMC instrument with the USB488 subclass, as a USB gadget of this machine (FunctionFS on dummy_hcd)."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

GADGETS = Path(os.environ.get("LAB", "/sys/kernel/config/usb_gadget"))

#: USBTMC requests (table 15) and USB488 ones (table 9), by bRequest: what answers a control request.
INITIATE_CLEAR, READ_STATUS_BYTE, GO_TO_LOCAL = 5, 128, 161
CAPABILITIES = struct.pack("<BBHBB6xHBB8x", 1, 0, 0x100, 0, 0, 0x100, 7, 0x40)
REPLIES = {
    1: b"\x01\x00",
    2: b"\x01\0\0\0\0\0\0\0",
    3: b"\x01\x00",
    4: b"\x01\0\0\0\0\0\0\0",
    INITIATE_CLEAR: b"\x01",
    6: b"\x01\0",
    7: CAPABILITIES,
    160: b"\x01",
    GO_TO_LOCAL: b"\x01",
    162: b"\x01",
}

#: Those that go into the log.
NAMES = {INITIATE_CLEAR: "clear", GO_TO_LOCAL: "local"}

SETUP, DEVICE_TO_HOST = 4, 0x80


def descriptors(packet: int) -> bytes:
    """Return those of the interface and of its three endpoints: bulk out, bulk in, interrupt in."""
    interface = struct.pack("<9B", 9, 4, 0, 0, 3, 0xFE, 3, 1, 1)
    endpoints = ((0x01, 2, packet, 0), (0x82, 2, packet, 0), (0x83, 3, 8, 4))
    return interface + b"".join(
        struct.pack("<BBBBHB", 7, 5, address, kind, size, interval) for address, kind, size, interval in endpoints
    )


class Gadget:
    """The instrument; a context manager.

    Args:
        answer: called with each program message, returns the response message or None.
        part: the largest Bulk-IN transfer, in bytes of the message.

    Attributes:
        status: the status byte.
        log: what has happened, as words.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None], serial: str = "TMC1", part: int = 1 << 20) -> None:
        self.answer = answer
        self.serial = serial
        self.part = part
        self.status = 0
        self.log: list[str] = []
        self.responses = b""
        self._clearings = 0
        self._folder = GADGETS / "tmc"
        self._mounted = Path("/run/ffs-tmc")

    def __enter__(self) -> Gadget:
        for name in ("strings/0x409", "configs/c.1", "functions/ffs.tmc"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        attributes = {
            "idVendor": "0x1209",
            "idProduct": "0x4617",
            "bcdDevice": "0x0100",
            "strings/0x409/manufacturer": "sockio",
            "strings/0x409/product": "simulated instrument",
            "strings/0x409/serialnumber": self.serial,
        }
        for name, value in attributes.items():
            (self._folder / name).write_text(value)
        (self._folder / "configs/c.1/f").symlink_to(self._folder / "functions/ffs.tmc")
        self._mounted.mkdir()
        subprocess.run(["mount", "-t", "functionfs", "tmc", str(self._mounted)], check=True)
        self._control = os.open(self._mounted / "ep0", os.O_RDWR)
        body = struct.pack("<II", 4, 4) + descriptors(64) + descriptors(512)
        os.write(self._control, struct.pack("<III", 3, 12 + len(body), 1 | 2) + body)
        strings = struct.pack("<H", 0x409) + b"USBTMC\0"
        os.write(self._control, struct.pack("<IIII", 2, 16 + len(strings), 1, 1) + strings)
        self._out, self._in, self._interrupt = (os.open(self._mounted / f"ep{i}", os.O_RDWR) for i in (1, 2, 3))
        for work in (self._serve_control, self._serve_bulk):
            threading.Thread(target=work, daemon=True).start()
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        subprocess.run(["lab", "plug", "tmc", "2"], check=True)

    def unplug(self) -> None:
        subprocess.run(["lab", "unplug", "tmc"], check=True)

    def request_service(self, status: int) -> None:
        """Send the status byte as a service request (USB488, table 7)."""
        self.status = status
        os.write(self._interrupt, bytes([0x81, status]))

    def _serve_control(self) -> None:
        while True:
            event = os.read(self._control, 12)
            if event[8] != SETUP:
                continue
            kind, request, value, _, length = struct.unpack("<BBHHH", event[:8])
            if request == READ_STATUS_BYTE:
                os.write(self._control, bytes([1, value & 0x7F, 0])[:length])
                os.write(self._interrupt, bytes([0x80 | value & 0x7F, self.status]))
            elif request in REPLIES:
                if request == INITIATE_CLEAR:
                    self._clearings += 1
                    self.responses = b""
                if request in NAMES:
                    self.log.append(NAMES[request])
                os.write(self._control, REPLIES[request][:length])
            else:
                try:
                    (os.write(self._control, b"") if kind & DEVICE_TO_HOST == 0 else os.read(self._control, 0))
                except OSError:
                    pass  # so is a request stalled

    def _serve_bulk(self) -> None:
        received = message = b""
        while True:
            try:
                received += os.read(self._out, 1 << 20)
            except OSError:
                received = message = self.responses = b""
                time.sleep(0.05)  # unplugged
                continue
            while len(received) >= 12:
                kind, tag, inverse, size, attributes = struct.unpack("<BBBxIB", received[:9])
                length = 12 + (size + -size % 4 if kind == 1 else 0)
                if len(received) < length:
                    break
                data, received = received[12:length], received[length:]
                if kind == 1:
                    message += data[:size]
                    if attributes & 1:
                        self._obey(message)
                        message = b""
                elif kind == 2:
                    self._respond(tag, inverse, size)
                elif kind == 128:
                    self.log.append("trigger")

    def _obey(self, message: bytes) -> None:
        clearings = self._clearings
        answer = self.answer(message)
        if answer is not None and clearings == self._clearings:
            self.responses += answer

    def _respond(self, tag: int, inverse: int, size: int) -> None:
        if not self.responses:
            self.log.append("silent")
            return
        size = min(size, self.part)
        part, self.responses = self.responses[:size], self.responses[size:]
        header = struct.pack("<BBBxIB3x", 2, tag, inverse, len(part), 0 if self.responses else 1)
        transfer = header + part + bytes(-len(part) % 4)
        try:
            os.write(self._in, transfer)
            if len(transfer) % 512 == 0:
                os.write(self._in, b"")  # a transfer ends with a short packet (USBTMC 3.3)
        except OSError:
            pass  # unplugged

"""HID devices of this machine: one on USB (gadget f_hid on dummy_hcd), and one that a program plays (/dev/uhid)."""

from __future__ import annotations

import errno
import os
import select
import struct
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from usb_gadget import VENDOR, Gadget

#: Reports of 64 bytes each way, without an id.
PLAIN = bytes.fromhex("0600ff 0901 a101 0901 1500 26ff00 7508 9540 8102 0902 9102 c0")

#: Input report 1 of 32 bytes, output report 2 of 32, feature report 3 of 8.
NUMBERED = bytes.fromhex(
    "0600ff 0901 a101 8501 0901 1500 26ff00 7508 9520 8102 8502 0902 9520 9102 8503 0903 9508 b102 c0"
)

#: Requests of /dev/uhid (linux/uhid.h).
DESTROY, OUTPUT, GET_REPORT, GET_REPLY, CREATE, INPUT, SET_REPORT, SET_REPLY = 1, 6, 9, 10, 11, 12, 13, 14


class UsbDevice(Gadget):
    """A USB device with 64-byte reports."""

    def __init__(self) -> None:
        # A report that is as long as report_length is followed by an empty packet, which libusb takes for a report.
        attributes = {"protocol": b"0", "subclass": b"0", "report_length": b"128", "report_desc": PLAIN}
        super().__init__("hid", "hid.0", 0x0001, "HID1", 1, attributes)
        self._file = -1

    def plug(self) -> None:
        super().plug()
        self._file = os.open("/dev/hidg0", os.O_RDWR | os.O_NONBLOCK)

    def unplug(self) -> None:
        super().unplug()
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def receive(self) -> bytes:
        """Return the next output report."""
        assert select.select([self._file], [], [], 20)[0], "no output report"
        return os.read(self._file, 64)

    def send(self, report: bytes) -> None:
        """Send an input report."""
        assert select.select([], [self._file], [], 20)[1], "input reports are not taken"
        os.write(self._file, report)


class UserDevice:
    """A device that answers output report 2 with its bytes the other way round in input report 1; a context manager.

    Args:
        serial_number: its serial number.
        vendor, product: its numbers.
        descriptor: its report descriptor; with another one it answers nothing.

    Attributes:
        received: output reports, as they came.
        feature: the content of feature report 3.
        answers: whether requests for it are answered as they should be; otherwise two bytes short.
        fails: whether it refuses them.
    """

    def __init__(
        self, serial_number: str = "UH1", vendor: int = VENDOR, product: int = 0x0077, descriptor: bytes = NUMBERED
    ) -> None:
        self._serial_number = serial_number.encode()
        self._vendor, self._product = vendor, product
        self._descriptor = descriptor
        self.received: list[bytes] = []
        self.feature = bytes(8)
        self.answers = True
        self.fails = False

    def __enter__(self) -> UserDevice:
        self._file = os.open("/dev/uhid", os.O_RDWR)
        name, place = b"sockio user device", b"lab/uhid"
        numbers = (len(self._descriptor), 3, self._vendor, self._product, 0x100, 0)
        fields = (CREATE, name, place, self._serial_number, *numbers, self._descriptor)
        os.write(self._file, struct.pack("<I128s64s64sHHIIII4096s", *fields))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """Be gone."""
        if self._file >= 0:
            number, self._file = self._file, -1
            os.write(number, struct.pack("<I", DESTROY))
            os.close(number)

    def send(self, report: bytes) -> None:
        """Send an input report."""
        os.write(self._file, struct.pack("<IH4096s", INPUT, len(report), report))

    def _serve(self) -> None:
        while self._file >= 0:
            try:
                event = os.read(self._file, 4380)
            except OSError:
                return
            (kind,) = struct.unpack_from("<I", event)
            if kind == OUTPUT:
                data, size, _ = struct.unpack_from("<4096sHB", event, 4)
                self.received.append(data[:size])
                if self._descriptor == NUMBERED:
                    self.send(b"\x01" + data[1:size][::-1])
            elif kind == GET_REPORT:
                number, report, _ = struct.unpack_from("<IBB", event, 4)
                content = bytes([report]) + self.feature
                size = len(content) if self.answers else len(content) - 2
                os.write(
                    self._file, struct.pack("<IIHH4096s", GET_REPLY, number, errno.EIO * self.fails, size, content)
                )
            elif kind == SET_REPORT:
                number, _, _, size, data = struct.unpack_from("<IBBH4096s", event, 4)
                self.feature = data[1:size]
                os.write(self._file, struct.pack("<IIH", SET_REPLY, number, 0))

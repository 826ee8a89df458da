"""pyserial."""

from __future__ import annotations

from collections.abc import Callable

import serial
from workload import REPLY, REQUEST, serve


def request_reply(path: str) -> Callable[[int], None]:
    port = serial.Serial(path, 115200, timeout=5)

    def run(count: int) -> None:
        for _ in range(count):
            port.write(REQUEST)
            assert port.readline() == REPLY

    return run


if __name__ == "__main__":
    serve({"request_reply": request_reply})

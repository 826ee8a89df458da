"""A broadcast with serpy2's messages: a reading to everybody who listens, ten times a second.

Programs that use the original serpy2 can listen::

    python -m examples.broadcast serve 0.0.0.0 5001 &
    python -m examples.broadcast listen workstation1 5001 20
"""

from __future__ import annotations

import math
import queue
import sys
import time

from sockio.serpy2 import Connection, Server

PERIOD = 0.1  # seconds between readings


def serve(adr: str, port: int) -> None:
    """Send readings to all who are connected."""
    server = Server(adr, port, nb_conn=100).start()
    print(f"listening on port {server.port}", flush=True)
    while True:
        reading = 4.2 + 0.1 * math.sin(time.monotonic())
        for listener in server:
            try:
                listener.sendData(reading, timeout=0)
            except (queue.Full, ConnectionError):
                pass  # who is too slow, or leaves, misses it
        time.sleep(PERIOD)


def listen(adr: str, port: int, count: int) -> None:
    """Print so many readings."""
    with Connection(auto_restart=True).connect(adr, port) as connection:
        for _ in range(count):
            print(f"{connection.getData():.3f} K", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        listen(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

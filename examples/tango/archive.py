"""Keeps what devices tell of themselves in an SQLite file, until it is killed.

::

    python -m examples.tango.archive cryostat.sqlite lab/cryostat/1/sample lab/cryostat/1/heater
    sqlite3 cryostat.sqlite "SELECT datetime(time, 'unixepoch'), value FROM readings ORDER BY time"

It subscribes to archive events, as the archivers of control systems do: nothing is polled.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import sqlite3
from collections.abc import Sequence
from typing import Any

TABLE = "CREATE TABLE IF NOT EXISTS readings (attribute TEXT, time REAL, value, quality TEXT, error TEXT)"

#: Readings that may wait to be written.
WAITING = 10_000


def row(name: str, event: Any) -> tuple[Any, ...]:
    """Return what is kept of an event."""
    if event.err:
        return name, event.reception_date.totime(), None, None, event.errors[0].desc
    value = event.attr_value
    return name, value.time.totime(), value.value, value.quality.name.removeprefix("ATTR_"), None


def main(arguments: Sequence[str] | None = None) -> None:
    """Keep what the devices tell."""
    import tango

    parser = argparse.ArgumentParser(description="Keep what devices tell of themselves in an SQLite file.")
    parser.add_argument("file", help="is made, or gets more")
    parser.add_argument("attributes", nargs="+", help="such as lab/cryostat/1/sample")
    given = parser.parse_args(arguments)
    arrived: queue.Queue[tuple[Any, ...]] = queue.Queue(WAITING)
    devices = []
    for name in given.attributes:
        device, _, attribute = name.rpartition("/")
        proxy = tango.DeviceProxy(device)
        devices.append(proxy)
        proxy.subscribe_event(
            attribute, tango.EventType.ARCHIVE_EVENT, lambda event, name=name: arrived.put(row(name, event))
        )
    print(f"archiving {len(devices)} attributes", flush=True)
    with sqlite3.connect(given.file) as database:
        database.execute(TABLE)
        while True:
            database.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", arrived.get())
            database.commit()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()

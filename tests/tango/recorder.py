"""A controller at a port of this process, whose lines are counted, and which can be made to misbehave."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Any

from instruments.simulators.cryocon import CryoCon


class Recorder:
    """A simulated controller that answers at once.

    Attributes:
        lines: what has been received.
        connections: how many connections there have been, and how many there are.
        replies: what is answered to a line that contains a text, before the controller is asked.
        before: called with each line before it is answered.
    """

    def __init__(self, **options: Any) -> None:
        self.device = CryoCon("recorded", io_period=0, **options)
        self.lines: list[str] = []
        self.made = self.open = 0
        self.replies: dict[str, bytes] = {}
        self.before: Callable[[str], object] = lambda line: None
        self._lock = threading.Lock()
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with recorder._lock:
                    recorder.made += 1
                    recorder.open += 1
                try:
                    for line in self.rfile:
                        reply = recorder.answer(line)
                        if reply:
                            self.wfile.write(reply)
                except ConnectionError:
                    pass  # the device has gone
                finally:
                    with recorder._lock:
                        recorder.open -= 1

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self, line: bytes) -> bytes | None:
        text = line.decode().strip()
        self.before(text)
        with self._lock:
            self.lines.append(text)
            for part, reply in self.replies.items():
                if part in text:
                    return reply
            return self.device.answer(line)

    def asked(self, part: str) -> list[str]:
        """Return the lines that contain a text."""
        with self._lock:
            return [line for line in self.lines if part in line]

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

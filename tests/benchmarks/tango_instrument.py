"""An instrument that takes its time, for the benchmarks of Tango.

Run as a module of its own; it prints its port. It understands ``wait N``, answered after N milliseconds, ``count``,
answered with the number of other lines so far: those of a CryoCon controller, answered with numbers.
"""

from __future__ import annotations

import socketserver
import threading
import time

from tests.benchmarks.server import end_with_parent

lines: list[bytes] = []


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        for line in self.rfile:
            name, _, value = line.partition(b" ")
            if name == b"wait":
                time.sleep(int(value) / 1000)
                reply = b"4.2"
            elif name == b"count\n":
                reply = b"%d" % len(lines)
            else:
                lines.append(line)
                reply = b";".join([b"4.2"] * line.count(b"?"))
            self.wfile.write(reply + b"\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()

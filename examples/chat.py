"""A chat between workstations, with serpy's messages: what one says, all the others hear.

One of them is the server. Programs that use the original serpy can take part::

    python -m examples.chat serve 0.0.0.0 5000 &
    python -m examples.chat join workstation1 5000 Ada
    python -m examples.chat join workstation1 5000 Emmy
"""

from __future__ import annotations

import queue
import sys
import threading

from sockio.serpy import Connection, Server


def serve(adr: str, port: int) -> None:
    """Pass on what everybody says."""
    server = Server(adr, port, nb_conn=50, encoding="utf-8").start()
    print(f"listening on port {server.port}", flush=True)
    while True:
        threading.Thread(target=pass_on, args=(server, server.getConnection()), daemon=True).start()


def pass_on(server: Server, speaker: Connection) -> None:
    """Send what one says to all the others, until he leaves."""
    while True:
        try:
            text = speaker.getData().decode("utf-8")
        except (ConnectionError, ValueError) as error:
            print(f"somebody has left: {error}", flush=True)
            speaker.close()
            return
        for listener in server:
            if listener is not speaker:
                try:
                    listener.sendData(text, timeout=1)
                except (queue.Full, ConnectionError):
                    pass  # who does not listen, or leaves, misses it
                except ValueError as error:
                    print(f"not passed on: {error}", flush=True)


def join(adr: str, port: int, name: str) -> None:
    """Say what is typed, and print what others say, until the end of the input (Ctrl-D)."""
    with Connection(encoding="utf-8", auto_restart=True).connect(adr, port) as connection:
        threading.Thread(target=print_others, args=(connection,), daemon=True).start()
        connection.sendData(f"* {name} is here", mode=1)
        print(f"* you are {name}", flush=True)
        for line in sys.stdin:
            connection.sendData(f"{name}: {line.strip()}", mode=1)


def print_others(connection: Connection) -> None:
    try:
        while True:
            print(connection.getData().decode("utf-8"), flush=True)
    except ConnectionError:
        pass  # this workstation has left


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        join(sys.argv[2], int(sys.argv[3]), sys.argv[4])

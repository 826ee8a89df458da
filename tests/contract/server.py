"""The other side of the contracts: real sockets on loopback, each connection served by a thread.

Nothing here knows sockio. A test either lets the server answer by itself (`Server.answer`), or gives it a script, or
takes the connections one by one and says what happens on each (`Server.peer`).
"""

from __future__ import annotations

import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.ports import hold

#: Nothing in the tests waits longer than so many seconds for something that is to happen.
PATIENCE = 10.0


class Peer:
    """One connection, seen from the instrument.

    Attributes:
        received: everything that has come, in order.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.received = bytearray()
        self._taken = 0

    def readline(self, eol: bytes = b"\n") -> bytes:
        """Return the next line that the client sends; ``b""`` when it has closed."""
        while (end := self.received.find(eol, self._taken)) < 0:
            if not self._receive():
                return b""
        return self._take(end + len(eol))

    def readexactly(self, size: int) -> bytes:
        while len(self.received) - self._taken < size:
            assert self._receive(), f"the client closed after {bytes(self.received[self._taken :][:64])!r}"
        return self._take(self._taken + size)

    def _take(self, end: int) -> bytes:
        with memoryview(self.received) as view:
            taken = view[self._taken : end].tobytes()
        self._taken = end
        return taken

    def _receive(self) -> bytes:
        try:
            chunk = self.socket.recv(65536)
        except ConnectionError:
            chunk = b""
        except OSError:
            if self.socket.fileno() != -1:
                raise
            chunk = b""  # closed on this side
        self.received += chunk
        return chunk

    def expect(self, data: bytes) -> None:
        received = self.readexactly(len(data))
        assert received == data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def trickle(self, data: bytes, pause: float = 0.01) -> None:
        """Send one byte at a time, until all is sent or the client has gone."""
        with suppress(OSError):
            for index in range(len(data)):
                self.send(data[index : index + 1])
                time.sleep(pause)

    def answer(self, request: bytes, reply: bytes) -> None:
        self.expect(request)
        self.send(reply)

    def flood(self, line: bytes, silence: float = 0.2) -> int:
        """Send as much as the client takes; return how many bytes that were once it has taken none for a while."""
        self.socket.setblocking(False)
        data = line * (65536 // len(line))
        sent = 0
        with suppress(ConnectionError):
            while select.select([], [self.socket], [], silence)[1]:
                sent += self.socket.send(data[sent % len(line) :])
        self.socket.settimeout(PATIENCE)
        return sent

    def gone(self) -> bool:
        """Wait until the client has closed its side; False if it has not in good time."""
        try:
            while self._receive():
                pass
        except TimeoutError:
            return False
        return True

    def still_there(self) -> bool:
        """Tell whether the client's side is open and has sent nothing."""
        return not select.select([self.socket], [], [], 0)[0]

    def shut_down(self) -> None:
        """End in good order: FIN."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut_down()
        self.socket.close()

    def reset(self) -> None:
        """End at once: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Server:
    """A TCP server on a port of its own.

    Args:
        script: ``script(peer)`` serves a connection in a thread; by default lines are answered by `answer`.
            None leaves the connections to the test, which has them from `peer`.

    Attributes:
        requests: the lines that the default script received, of all connections, in order.
        peers: every connection so far.
    """

    def __init__(
        self, script: Callable[[Peer], Any] | str | None = "answer", receive_buffer: int | None = None
    ) -> None:
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self.script = self._answer_lines if script == "answer" else script
        self.requests: list[bytes] = []
        self.peers: list[Peer] = []
        self._new: queue.Queue[Peer] = queue.Queue()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._accepting: threading.Thread | None = None
        self.listen()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def connections(self) -> int:
        return len(self.peers)

    def listen(self) -> None:
        """Take connections, again after `refuse`."""
        if self._listener.fileno() == -1:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((self.host, self.port))
        self._listener.listen(64)
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def refuse(self) -> None:
        """Take no more connections: the port refuses them. Those that are there stay."""
        self._stop_listening()
        hold(self.port)

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._accepting is not None:
            self._accepting.join(PATIENCE)
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            peer = Peer(sock)
            self.peers.append(peer)
            self._new.put(peer)
            if self.script is not None:
                thread = threading.Thread(target=self._serve, args=(self.script, peer), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, script: Callable[[Peer], Any], peer: Peer) -> None:
        try:
            script(peer)
        except ConnectionError:
            pass  # the client has gone
        except BaseException as error:
            self._failures.append(error)
        finally:
            peer.close()

    def _answer_lines(self, peer: Peer) -> None:
        while request := peer.readline():
            self.requests.append(request)
            reply = self.answer(request)
            if reply is not None:
                peer.send(reply)

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to a request: what ends in ``?`` is answered with a line that repeats it."""
        return b"answer to " + request if request.rstrip().endswith(b"?") else None

    def peer(self) -> Peer:
        """Return the next connection that nobody has asked for yet, waiting for it."""
        return self._new.get(timeout=PATIENCE)

    def close(self) -> None:
        """Close everything; raises what failed in a script."""
        self._stop_listening()
        for thread in self._threads:
            thread.join(0.5)  # most end when the client closes
        for peer in self.peers:
            peer.shut_down()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script does not end"
        for peer in self.peers:
            peer.close()
        if self._failures:
            raise self._failures[0]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            self.close()
        except BaseException:
            if kind is None:
                raise


class Unresponsive:
    """A port that neither takes connections nor refuses them: its queue of pending connections is full."""

    def __enter__(self) -> tuple[str, int]:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)
        host, port = self._listener.getsockname()
        return host, port

    def __exit__(self, *_: object) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()


class Bridge:
    """A serial line behind a TCP port, as ser2net has it: whatever client is connected gets what the device says.

    The line to the device is one that outlives the clients. Its answers come when `answer` is called, to whoever is
    connected then; with nobody there they are held back until somebody is (as the buffers of a serial line do).
    """

    def __init__(self) -> None:
        self.requests: queue.Queue[bytes] = queue.Queue()
        self.connected = threading.Semaphore(0)
        self._changed = threading.Condition()
        self._client: Peer | None = None
        self.server = Server(self._serve)
        self.address = self.server.address

    def _serve(self, peer: Peer) -> None:
        with self._changed:
            self._client = peer
            self._changed.notify_all()
        self.connected.release()
        while request := peer.readline():
            self.requests.put(request)
        with self._changed:
            if self._client is peer:
                self._client = None

    def request(self) -> bytes:
        """Return the next request that reached the device, over whichever connection."""
        return self.requests.get(timeout=PATIENCE)

    def answer(self, reply: bytes) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._client is not None, PATIENCE)
            assert self._client is not None
            self._client.send(reply)

    def wait_for_client(self) -> None:
        assert self.connected.acquire(timeout=PATIENCE)

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.__exit__(*error)

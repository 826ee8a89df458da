"""A TLS server whose certificates are made on the spot, each connection served by a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

import trustme

from tests.contract.faults_server import pattern


class Certificates:
    """An authority of the tests' own, and what servers can show."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.good = self.authority.issue_cert("localhost", "127.0.0.1")
        self.wrong_name = self.authority.issue_cert("somebody.example.org")
        self.unknown = trustme.CA().issue_cert("localhost", "127.0.0.1")

    def trusting(self) -> ssl.SSLContext:
        """Return a client's context that verifies, and trusts this authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


class TLSServer:
    """Answers lines: ``echo TEXT``, ``wait SECONDS TEXT``, ``split SECONDS TEXT``, ``block SIZE``, ``sink SIZE``,
    ``silence``; ``end TEXT`` closes as TLS wants it, ``cut TEXT`` closes the socket underneath.

    Args:
        certificate: what it shows.
        version: the only version of TLS that it speaks.
    """

    def __init__(self, certificate: trustme.LeafCert, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = self._context.maximum_version = version
        certificate.configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(sock,)))
                self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with self._context.wrap_socket(sock, server_side=True) as secured, secured.makefile("rb") as lines:
                for line in lines:
                    verb, _, rest = line.decode().strip().partition(" ")
                    if verb == "sink":
                        lines.read(int(rest))
                        rest = "taken"
                    self._answer(secured, verb, rest)
        except OSError as error:
            self.errors.append(error)
        finally:
            sock.close()

    def _answer(self, secured: ssl.SSLSocket, verb: str, text: str) -> None:
        if verb in ("wait", "split"):
            seconds, _, text = text.partition(" ")
            if verb == "split":
                secured.sendall(text[: len(text) // 2].encode())
                text = text[len(text) // 2 :]
            time.sleep(float(seconds))
        if verb in ("echo", "wait", "split", "sink"):
            secured.sendall(text.encode() + b"\n")
        elif verb == "block":
            secured.sendall(pattern(int(text)))
        elif verb == "end":
            secured.sendall(text.encode())
            secured.settimeout(0)
            with contextlib.suppress(ssl.SSLWantReadError):
                secured.unwrap()  # does not wait for the client's good-bye
            raise ConnectionAbortedError
        elif verb == "cut":
            secured.sendall(text.encode())
            raise ConnectionAbortedError

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive()


class PlainServer:
    """Takes connections without TLS, and sends the same bytes on each.

    Args:
        greeting: what is sent; nothing for a peer that keeps silent.
    """

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._connections.append(sock)
                sock.sendall(self._greeting)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for sock in self._connections:
            sock.close()

"""What sockio.py2 promises, in the language that Python 2 and 3 share: ``python contract.py path/to/py2.py``."""

from __future__ import absolute_import, division, print_function

import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "..", "..", "sockio", "py2.py")


def load(path):
    """Return the module of a file, by itself: the package around it is for Python 3."""
    module = types.ModuleType("py2")
    with open(path, "rb") as source:
        exec(compile(source.read(), path, "exec"), module.__dict__)
    return module


py2 = load(PATH)
py2.log.addHandler(logging.NullHandler())
py2.log.propagate = False


class Server(object):
    """A TCP server that runs a function of its own for each connection, in a thread, and notes every line it gets.

    Args:
        *scripts: what to do with the first connection, the second, ...; the last one also with all that follow.
    """

    def __init__(self, *scripts):
        self.scripts = scripts
        self.lines = []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def start(self):
        self.listener.listen(50)
        thread = threading.Thread(target=self.accept)
        thread.daemon = True
        thread.start()
        return self

    def accept(self):
        count = 0
        while True:
            try:
                sock, _ = self.listener.accept()
            except (OSError, IOError):
                return
            script = self.scripts[min(count, len(self.scripts) - 1)]
            count += 1
            thread = threading.Thread(target=self.serve, args=(script, sock))
            thread.daemon = True
            thread.start()

    def serve(self, script, sock):
        try:
            script(self, sock)
        except (OSError, IOError):
            pass
        finally:
            sock.close()

    def read_line(self, sock):
        line = b""
        while not line.endswith(b"\n"):
            byte = sock.recv(1)
            if not byte:
                return b""
            line += byte
        self.lines.append(line)
        return line

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except (OSError, IOError):
            pass
        self.listener.close()


def echo(server, sock):
    """Answer each line with itself; a line that begins with ``silent`` with nothing."""
    while True:
        line = server.read_line(sock)
        if not line:
            return
        if not line.startswith(b"silent"):
            sock.sendall(line)


def send(data):
    """Return a script that waits for a line, sends *data* and closes."""

    def script(server, sock):
        if server.read_line(sock):
            sock.sendall(data)

    return script


class Contract(unittest.TestCase):
    def serve(self, *scripts):
        server = Server(*scripts)
        self.addCleanup(server.stop)
        return server.start()

    def tcp(self, server, *args, **kwargs):
        tcp = py2.TCP("127.0.0.1", server.port, *args, **kwargs)
        self.addCleanup(tcp.close)
        return tcp

    def test_request_and_reply(self):
        tcp = self.tcp(self.serve(echo))
        self.assertEqual(tcp.write_readline(b"*IDN?\n"), b"*IDN?\n")
        self.assertEqual(tcp.write_read(b"abc\n", 10), b"abc\n")
        self.assertEqual(tcp.write_readlines(b"1\n2\n", 2), [b"1\n", b"2\n"])
        self.assertEqual(tcp.writelines_readlines([b"1\n", b"2\n", b"3\n"]), [b"1\n", b"2\n", b"3\n"])
        tcp.writelines([b"12\n", bytearray(b"34\n")])
        self.assertEqual(tcp.readexactly(4), b"12\n3")
        self.assertEqual(tcp.readuntil(b"4"), b"4")
        self.assertEqual(tcp.read(5), b"\n")

    def test_attributes(self):
        server = self.serve(echo)
        tcp = self.tcp(server, 2.5)
        self.assertEqual((tcp.host, tcp.port, tcp.timeout), ("127.0.0.1", server.port, 2.5))
        self.assertEqual(self.tcp(server).timeout, 1.0)
        self.assertEqual((tcp.connected(), tcp.is_open, tcp.connection_counter), (False, False, 0))
        tcp.open()
        self.assertEqual((tcp.connected(), tcp.is_open, tcp.connection_counter), (True, True, 1))
        self.assertIn("connected", repr(tcp))
        self.assertRaises(ConnectionError if sys.version_info[0] > 2 else socket.error, tcp.open)
        tcp.close()
        tcp.close()
        self.assertFalse(tcp.connected())

    def test_ends_of_lines(self):
        server = self.serve(echo)
        tcp = self.tcp(server, eol=b"\r\n")
        self.assertEqual(tcp.write_readline(b"a\nb\r\n"), b"a\nb\r\n")
        self.assertEqual(tcp.write_readline(b"a;b\n", eol=b";"), b"a;")
        self.assertEqual(tcp.readline(eol=b"\n"), b"b\n")
        self.assertRaises(ValueError, py2.TCP, "127.0.0.1", server.port, eol=b"")
        self.assertRaises(TypeError, py2.TCP, "127.0.0.1", server.port, eol=u"\n")

    def test_time_limits(self):
        server = self.serve(echo)
        tcp = self.tcp(server, timeout=60)
        with self.assertRaises(py2.ConnectionTimeoutError) as caught:
            tcp.write_readline(b"silent\n", timeout=0.05)
        for kin in (socket.timeout, OSError) if sys.version_info[0] == 2 else (TimeoutError, ConnectionError):
            self.assertIsInstance(caught.exception, kin)
        self.assertFalse(tcp.connected())
        self.assertEqual(tcp.write_readline(b"next\n", timeout=None), b"next\n")

    def test_a_request_is_never_sent_twice(self):
        server = self.serve(echo)
        tcp = self.tcp(server, 0.05)
        for _ in range(3):
            self.assertRaises(py2.ConnectionTimeoutError, tcp.write_readline, b"silent\n")
        self.assertEqual(tcp.write_readline(b"done\n", timeout=10), b"done\n")
        self.assertEqual(server.lines, [b"silent\n"] * 3 + [b"done\n"])
        self.assertEqual(tcp.connection_counter, 4)

    def test_a_late_reply_is_nobody_elses(self):
        answer = threading.Event()

        def late(server, sock):
            line = server.read_line(sock)
            answer.wait(10)
            sock.sendall(b"late " + line)

        tcp = self.tcp(self.serve(late, echo), 10)
        self.assertRaises(py2.ConnectionTimeoutError, tcp.write_readline, b"slow\n", timeout=0.05)
        answer.set()
        self.assertEqual(tcp.write_readline(b"quick\n"), b"quick\n")

    def test_what_came_unasked_is_discarded_before_a_request(self):
        def greet(server, sock):
            sock.sendall(b"welcome\n")
            echo(server, sock)

        tcp = self.tcp(self.serve(greet), 10)
        self.assertEqual(tcp.readline(), b"welcome\n")
        tcp.close()
        tcp.open()
        while not tcp.in_waiting():
            time.sleep(0.001)
        self.assertEqual(tcp.write_readline(b"x\n"), b"x\n")

    def test_reconnects_when_the_peer_has_gone(self):
        tcp = self.tcp(self.serve(send(b"first\n"), echo), 10)
        self.assertEqual(tcp.write_readline(b"x\n"), b"first\n")
        while tcp.connected():
            time.sleep(0.001)
        self.assertEqual(tcp.write_readline(b"second\n"), b"second\n")
        self.assertEqual(tcp.connection_counter, 2)

    def test_does_not_reconnect_if_told_not_to(self):
        tcp = self.tcp(self.serve(send(b"first\n")), 10, auto_reconnect=False)
        self.assertRaises((OSError, IOError), tcp.write_readline, b"x\n")
        tcp.open()
        self.assertEqual(tcp.write_readline(b"x\n"), b"first\n")
        while tcp.connected():
            time.sleep(0.001)
        self.assertRaises(py2.ConnectionEOFError, tcp.write_readline, b"x\n")

    def test_connecting_is_tried_again(self):
        server = Server(echo)
        self.addCleanup(server.stop)
        starter = threading.Timer(0.3, server.start)
        starter.start()
        self.addCleanup(starter.join)
        tcp = self.tcp(server, None, retry=py2.Retry(attempts=None, delay=0.05, growth=1))
        self.assertEqual(tcp.write_readline(b"x\n"), b"x\n")
        self.assertEqual(tcp.connection_counter, 1)

    def test_nobody_there(self):
        server = Server(echo)
        self.addCleanup(server.stop)
        for kin in (OSError, socket.error, EnvironmentError):
            with self.assertRaises(kin) as caught:
                self.tcp(server).write_readline(b"x\n")
            self.assertEqual(caught.exception.errno, errno.ECONNREFUSED)
            self.assertIn(str(server.port), str(caught.exception))
        retry = py2.Retry(attempts=None, delay=0.02)
        self.assertRaises(py2.ConnectionTimeoutError, self.tcp(server, 0.1, retry=retry).open)

    def test_a_line_cut_short_is_an_error(self):
        tcp = self.tcp(self.serve(send(b"1.23\n4.")), 10)
        with self.assertRaises(py2.ConnectionEOFError) as caught:
            tcp.write_readlines(b"x\n", 4)
        self.assertEqual(caught.exception.partial, b"1.23\n4.")
        self.assertIsInstance(caught.exception, EOFError)
        with self.assertRaises(py2.ConnectionEOFError) as caught:
            self.tcp(self.serve(send(b"12")), 10).write_readline(b"x\n")
        self.assertEqual(caught.exception.partial, b"12")

    def test_a_peer_that_resets_the_connection(self):
        def reset(server, sock):
            server.read_line(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        tcp = self.tcp(self.serve(reset, echo), 10)
        with self.assertRaises(py2.ConnectionResetError if sys.version_info[0] == 2 else ConnectionResetError):
            tcp.write_readline(b"x\n")
        self.assertEqual(tcp.write_readline(b"y\n"), b"y\n")

    def test_a_large_write_is_complete(self):
        size = 20 * 10**6
        received = []

        def swallow(server, sock):
            count = 0
            while count < size:
                count += len(sock.recv(2**16))
            received.append(count)
            sock.sendall(b"done\n")

        for timeout in (None, 30):
            tcp = self.tcp(self.serve(swallow), timeout)
            self.assertIsNone(tcp.write(b"x" * size))
            self.assertEqual(tcp.readline(), b"done\n")
        self.assertEqual(received, [size, size])

    def test_large_reads(self):
        data = bytes(bytearray(range(256))) * 4000
        tcp = self.tcp(self.serve(send(data)), 30)
        tcp.write(b"x\n")
        self.assertEqual(tcp.readexactly(len(data)), data)
        tcp = self.tcp(self.serve(send(data)), 30)
        target = bytearray(len(data))
        tcp.write(b"x\n")
        tcp.read_into(target)
        self.assertEqual(bytes(target), data)
        tcp = self.tcp(self.serve(send(data)), 30)
        self.assertEqual(tcp.write_read(b"x\n"), data)

    def test_threads_get_their_own_replies(self):
        tcp = self.tcp(self.serve(echo), 30)
        wrong = []

        def ask(number):
            for index in range(50):
                request = "{}.{}\n".format(number, index).encode("ascii")
                if tcp.write_readline(request) != request:
                    wrong.append(request)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(tcp.connection_counter, 1)

    def test_waiting_for_a_turn_is_limited_too(self):
        tcp = self.tcp(self.serve(echo), 30)
        tcp.open()
        reading = threading.Thread(target=lambda: self.assertRaises((OSError, IOError), tcp.readline, timeout=None))
        reading.start()
        self.addCleanup(reading.join)
        self.addCleanup(tcp.close)
        while not tcp._turns.queue:
            time.sleep(0.001)
        with self.assertRaises(py2.ConnectionTimeoutError) as caught:
            tcp.readline(timeout=0.05)
        self.assertIn("waiting for its turn", str(caught.exception))
        self.assertTrue(tcp.connected())

    def test_an_endless_line(self):
        tcp = self.tcp(self.serve(send(b"x" * 10000)), 10, buffer_size=1000)
        with self.assertRaises(py2.LimitError):
            tcp.write_readline(b"x\n")

    def test_iteration(self):
        tcp = self.tcp(self.serve(send(b"1\n2\n3\n")), 10)
        tcp.write(b"go\n")
        for line in tcp:
            self.assertEqual(line, b"1\n")
            break
        self.assertEqual(tcp.readline(), b"2\n")
        self.assertEqual(list(tcp), [b"3\n"])
        tcp.write(b"go\n")
        self.assertEqual(next(py2.LineStream(tcp)), b"1\n")
        self.assertEqual(list(py2.BlockStream(tcp, 2)), [b"2\n", b"3\n"])

    def test_blocks(self):
        self.assertEqual(self.tcp(self.serve(send(b"#15hello\n")), 10).write_readblock(b"x\n"), b"hello")
        self.assertEqual(self.tcp(self.serve(send(b"#0hello\n")), 10).write_readblock(b"x\n"), b"hello")
        with self.assertRaises(py2.ProtocolError) as caught:
            self.tcp(self.serve(send(b"ERROR\n")), 10).write_readblock(b"x\n")
        self.assertEqual(caught.exception.data, b"ERROR\n")

    def test_callbacks(self):
        told = []
        tcp = self.tcp(
            self.serve(echo),
            10,
            on_connection_made=lambda: told.append(tcp.write_readline(b"set up\n")),
            on_connection_lost=told.append,
        )
        self.assertEqual(tcp.write_readline(b"x\n"), b"x\n")
        self.assertEqual(told, [b"set up\n"])
        tcp.close()
        self.assertEqual(told, [b"set up\n", None])

    @unittest.skipUnless(hasattr(signal, "setitimer"), "this platform has no timer signals")
    def test_signals_disturb_nothing(self):
        ticks = []

        def slow(server, sock):
            while server.read_line(sock):
                while len(ticks) < 10:
                    time.sleep(0.001)
                sock.sendall(b"slow\n")

        before = signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(number))
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0, 0)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        for timeout in (None, 30):
            del ticks[:]
            self.assertEqual(self.tcp(self.serve(slow), timeout).write_readline(b"x\n"), b"slow\n")

    def test_one_connection(self):
        connection = py2.Connection("127.0.0.1", self.serve(send(b"1\n")).port, 10)
        self.addCleanup(connection.close)
        self.assertTrue(connection.connected())
        self.assertEqual(connection.write_readline(b"x\n"), b"1\n")
        self.assertRaises(py2.ConnectionEOFError, connection.readline)
        self.assertRaises((OSError, IOError), connection.readline)
        self.assertEqual(connection.connection_counter, 1)

    def test_command_line(self):
        tcp = py2.main(["--host", "localhost", "-p", "5025", "--log-level", "error"])
        self.assertIsInstance(tcp, py2.TCP)
        self.assertEqual((tcp.host, tcp.port), ("localhost", 5025))
        self.assertEqual(py2.main(["--port", "1"]).host, "0")

    def test_arguments(self):
        for error, args, kwargs in (
            (ValueError, ("host", 70000), {}),
            (ValueError, ("a host", 1), {}),
            (TypeError, (1, 1), {}),
            (TypeError, ("host", "1"), {}),
            (TypeError, ("host", 1, "1"), {}),
            (ValueError, ("host", 1, -1), {}),
            (TypeError, ("host", 1), {"retry": 3}),
            (TypeError, ("host", 1), {"tymeout": 3}),
        ):
            self.assertRaises(error, py2.TCP, *args, **kwargs)
        self.assertRaises(TypeError, py2.TCP("host", 1).write, u"text")


if __name__ == "__main__":
    unittest.main()

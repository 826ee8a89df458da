"""What the generated facades add to the core: which class a call makes, attributes that reach it, plain iteration."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import os
import socket
import threading
import weakref

import pytest

from sockio import aio, futures, sio
from sockio.runtimes.loop_thread import LoopThread, shared


class Peer:
    """A server on loopback that answers every line with itself; one that begins with ``silent`` with nothing."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.socks: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.socks.append(sock)
            self.threads.append(threading.Thread(target=self.serve, args=(sock,)))
            self.threads[-1].start()

    def serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as lines:
            try:
                for line in lines:
                    if line == b"close\n":
                        return
                    if not line.startswith(b"silent"):
                        sock.sendall(line)
            except OSError:
                pass

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join()


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.stop()


@pytest.fixture
def blocking(peer):
    stream = sio.TCP("127.0.0.1", peer.port, timeout=10)
    yield stream
    stream.close()


@pytest.fixture
def stream(peer):
    stream = sio.TCP("127.0.0.1", peer.port, timeout=10, resolve_futures=False)
    yield stream
    stream.close().result()


def test_classes(blocking, stream):
    assert isinstance(blocking, sio.TCP)
    assert type(stream) is futures.TCP
    assert repr(blocking) == f"<sockio.sio.TCP tcp://127.0.0.1:{blocking.port}, not connected>"
    assert repr(stream) == f"<sockio.futures.TCP tcp://127.0.0.1:{stream.port}, not connected>"
    assert str(blocking) == str(stream) == f"tcp://127.0.0.1:{stream.port}"
    assert type(sio.Unix("/run/x", resolve_futures=False)) is futures.Unix
    assert type(sio.Serial("COM3", resolve_futures=False)) is futures.Serial
    assert type(sio.socket_for_url("tcp://host:1?timeout=3")) is sio.TCP
    assert type(sio.socket_for_url("tcp://host:1", resolve_futures=False)) is futures.TCP
    assert type(futures.socket_for_url("unix:///run/x")) is futures.Unix
    assert type(aio.socket_for_url("tcp://host:1")) is aio.TCP


@pytest.mark.parametrize("base", [sio.TCP, sio.BlockingTCP])
def test_a_class_derived_in_a_script_has_a_constructor_of_its_own(base, peer):
    class Supply(base):
        def __init__(self, port, **options):
            super().__init__("127.0.0.1", port, timeout=10, **options)

        def idn(self):
            return self.write_readline(b"*IDN?\n")

    supply = Supply(peer.port)
    assert supply.idn() == b"*IDN?\n"
    supply.close()
    with pytest.raises(TypeError, match=r"Supply blocks; for futures there is sockio\.futures\.TCP"):
        Supply(peer.port, resolve_futures=False)


@pytest.mark.parametrize("facade", [sio, futures])
def test_attributes_reach_the_core(facade):
    stream = facade.TCP("host", 5025, b"\r\n", no_delay=False, quiet=0.2)
    assert (stream.host, stream.port, stream.eol, stream.no_delay, stream.quiet) == ("host", 5025, b"\r\n", False, 0.2)
    assert (stream.timeout, stream.connection_counter, stream.resource) == (None, 0, "tcp://host:5025")
    stream.timeout = 3
    stream.eol = b"\r"
    stream.on_connection_lost = print
    core = stream.stream
    assert (core.timeout, core.eol, core.on_connection_lost) == (3, b"\r", print)
    with pytest.raises(AttributeError):
        stream.host = "other"
    serial = facade.Serial("/dev/ttyS0", 19200, parity="E")
    serial.baudrate = 115200
    assert (serial.stream.baudrate, serial.parity) == (115200, "E")


@pytest.mark.parametrize("facade", [sio, futures])
def test_iteration(facade, peer):
    stream = facade.TCP("127.0.0.1", peer.port, timeout=10)

    def done(call):
        return call if facade is sio else call.result()

    done(stream.write(b"1\n2\n3\n4 5 6\n"))
    for line in stream:
        assert line == b"1\n"
        break
    assert done(stream.readline()) == b"2\n"
    assert next(facade.LineStream(stream)) == b"3\n"
    assert next(facade.BlockStream(stream, b" ")) == b"4 "

    class Pairs(facade.BaseStream):
        def _read(self):
            return self.tcp.readexactly(2)

    assert next(Pairs(stream)) == b"5 "
    done(stream.write(b"7\nclose\n"))
    assert list(stream) == [b"6\n", b"7\n"]
    assert stream.connection_counter == 1


def test_a_callback_of_futures_runs_in_a_thread_where_it_may_wait(peer):
    seen = []

    def made():
        seen.append((threading.current_thread().name, stream.write_readline(b"set up\n").result(), variable.get()))

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("of the caller")
    stream = futures.TCP("127.0.0.1", peer.port, timeout=10, on_connection_made=made)
    assert stream.write_readline(b"x\n").result() == b"x\n"
    assert seen == [("sockio callback", b"set up\n", "of the caller")]
    stream.close().result()


def test_coroutine_callbacks_are_refused():
    async def callback():
        pass

    for facade in (sio, futures):
        with pytest.raises(TypeError, match="on_connection_made must be a plain function"):
            facade.TCP("host", 1, on_connection_made=callback)


def test_a_failing_callback_is_logged_and_harms_nothing(peer, caplog):
    def made():
        raise ValueError("broken")

    stream = futures.TCP("127.0.0.1", peer.port, timeout=10, on_connection_made=made)
    assert stream.write_readline(b"x\n").result() == b"x\n"
    assert "on_connection_made failed" in caplog.text
    assert "ValueError: broken" in caplog.text
    stream.close().result()


def test_cancelling_a_future_cancels_the_call(stream):
    future = stream.write_readline(b"silent\n", timeout=None)
    while not stream.connected():
        pass
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    assert stream.write_readline(b"next\n").result() == b"next\n"
    assert stream.connection_counter == 2


def test_waiting_in_the_loops_own_thread_raises_instead_of_hanging(stream):
    async def wait():
        for wait in (stream.write_readline(b"x\n").result, stream.write_readline(b"y\n").exception):
            with pytest.raises(RuntimeError, match="'sockio loop' cannot wait for a future"):
                wait()
        return stream.connected()

    assert stream.submit(wait()).result() in (True, False)
    done = stream.write_readline(b"z\n")
    results = []
    done.add_done_callback(lambda future: results.append(future.result()))
    assert done.result() == b"z\n"
    shared().call(lambda: None)
    assert results == [b"z\n"]


def test_any_coroutine_can_be_submitted(stream):
    async def twice():
        return [await stream.stream.write_readline(b"1\n"), await stream.stream.write_readline(b"2\n")]

    assert stream.submit(twice()).result() == [b"1\n", b"2\n"]


def test_what_ends_a_program_does_not_end_the_loop(stream):
    async def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        stream.submit(leave()).result()
    assert stream.write_readline(b"x\n").result() == b"x\n"


def test_a_cancelled_task_is_a_cancelled_future():
    async def cancel():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    thread = shared()
    future = thread.submit(cancel())
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


def test_dropping_the_last_reference_closes_the_connection(peer):
    stream = futures.TCP("127.0.0.1", peer.port, timeout=10)
    assert stream.write_readline(b"x\n").result() == b"x\n"
    shared().call(lambda: None)  # the loop has let go of the call
    core = weakref.ref(stream.stream)
    del stream
    gc.collect()
    assert core() is None
    peer.threads[1].join(10)
    assert not peer.threads[1].is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own(stream):
    assert stream.write_readline(b"parent\n").result() == b"parent\n"
    child = os.fork()
    if not child:
        status = 1
        try:
            if stream.write_readline(b"child\n").result(10) == b"child\n" and isinstance(shared(), LoopThread):
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert stream.write_readline(b"parent\n").result() == b"parent\n"
    assert stream.connection_counter == 1


@pytest.mark.parametrize("flavour", [sio, futures])
def test_line_by_line_a_stream_ends_where_it_ends_and_is_not_connected_again(flavour):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = flavour.TCP(*listener.getsockname())
        opened = stream.open()
        if opened is not None:
            opened.result()
        with listener.accept()[0] as peer:
            peer.sendall(b"1\n2\n")
        lines = flavour.LineStream(stream)
        assert [next(lines), next(lines)] == [b"1\n", b"2\n"]
        for _ in range(2):
            with pytest.raises(StopIteration):
                next(lines)
        assert stream.connection_counter == 1

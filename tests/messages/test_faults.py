"""Faults on purpose: who sends while nobody receives, who breaks off in any phase, and what is left behind."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import sockio.serpy
import sockio.serpy2
from sockio import sio
from sockio.buffer import Buffer
from sockio.messages import BlockingMessageConnection, arrays
from sockio.messages.blob import ARRAY, BYTES, MESSAGE, encode_head
from sockio.messages.events import Rejected
from sockio.messages.protocols import protocol_named
from sockio.runtimes.blocking import runtime
from tests.messages.kit import PATIENCE, expect, peer, receive, until

RESET = struct.pack("ii", 1, 0)
SET_MODE_1 = b"\x01SETMODE1\x1f"
MODE_ACCEPTED = b"\x01ACKMODCG\x1f"
ACKNOWLEDGED = b"\x01ACKEOT!!\x1f"


# Two ends that both send


@pytest.mark.parametrize("acknowledge", [True, False])
def test_both_ends_send_before_either_receives(acknowledge):
    """Longer than the queue, and more than the sockets hold: who sends takes in what comes meanwhile."""

    def exchange(messages: BlockingMessageConnection) -> None:
        for number in range(12):
            messages.send(str(number), PATIENCE, acknowledge=acknowledge)
        messages.send(np.zeros(20_000_000, "u1"), PATIENCE, acknowledge=acknowledge)
        for number in range(12):
            assert messages.receive(PATIENCE) == str(number)
        assert len(messages.receive(PATIENCE)) == 20_000_000
        messages.send("done", PATIENCE)
        assert messages.receive(PATIENCE) == "done"

    outcomes: list[Any] = []

    def handler(client: sio.ClientStream) -> None:
        with BlockingMessageConnection(client) as messages:
            exchange(messages)
            outcomes.append("handler")
            ended.wait(PATIENCE)

    ended = threading.Event()
    with sio.serve(handler) as server, BlockingMessageConnection(sio.TCP(server.host, server.port)) as messages:
        exchange(messages)
        until(lambda: outcomes)
        ended.set()


def test_an_acknowledgement_is_sent_although_the_sender_in_its_way_gives_up():
    """Who could not send in time leaves what has to be answered to the attendant, which may be reading by then."""

    def slow(sock: socket.socket) -> None:
        sock.sendall(SET_MODE_1)
        expect(sock, MODE_ACCEPTED)
        accepted.set()
        filled.wait(PATIENCE)
        sock.sendall(b"hello\x04\x1f")
        gave_up.wait(PATIENCE)
        received = b""
        while ACKNOWLEDGED not in received:
            chunk = sock.recv(1_000_000)
            assert chunk
            received = received[-20:] + chunk
        sock.sendall(b"thanks\x1f")

    accepted, filled, gave_up = threading.Event(), threading.Event(), threading.Event()
    with peer(slow) as address, BlockingMessageConnection(sio.TCP(*address), "serpy") as messages:

        def fill() -> None:
            try:
                while True:
                    messages.send("x" * 1000, 0.3)
            except TimeoutError:
                pass

        assert accepted.wait(PATIENCE)
        sender = threading.Thread(target=fill)
        sender.start()
        until(lambda: messages.core._writing.queue)
        filled.set()
        sender.join(PATIENCE)
        assert messages.connected()
        gave_up.set()
        assert messages.receive(PATIENCE) == b"hello"
        assert messages.receive(PATIENCE) == b"thanks"


async def test_a_peer_that_never_acknowledges_is_sent_no_more_than_it_may_have_to_decide_upon(flavour, monkeypatch):
    monkeypatch.setattr("sockio.messages.sending.PENDING_LENGTH", 5)
    ended = threading.Event()

    def silent(sock: socket.socket) -> None:
        expect(sock, SET_MODE_1)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"x\x04\x1f" * 5)
        ended.wait(PATIENCE)
        sock.sendall(ACKNOWLEDGED * 5)
        expect(sock, b"y\x04\x1f")
        sock.sendall(ACKNOWLEDGED)

    async with flavour.peer(silent) as address:
        connection = flavour.connect(address, "serpy")
        outcomes = []
        for _ in range(7):
            with pytest.raises(TimeoutError) as caught:
                await connection.send("x", 0.02, mode=1)
            outcomes.append("has not been sent" in str(caught.value))
        assert outcomes == [False] * 5 + [True] * 2
        ended.set()
        await connection.send("y", PATIENCE, mode=1)


# Memory


@pytest.mark.parametrize(
    ("module", "bad"),
    [
        (sockio.serpy, b"\x01" + b"u" * 1_000_000 + b"\x1f"),
        (sockio.serpy, b"\x01SETMODE2\x1f" + b"~" * 1_000_000 + b"\x1f"),
        (sockio.serpy2, b"\xde\xca\xfe\xca\xfe\x81\x05\0\0\0" + struct.pack("<I", 1_000_000) + b"u" * 1_000_000),
    ],
)
def test_messages_that_make_no_sense_fill_the_queue_by_their_size(module, bad):
    with module.Server("127.0.0.1", 0, limit=1_000_000).start() as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
            connection = server.getConnection(PATIENCE)
            sender = threading.Thread(target=client.sendall, args=(bad * 15,), daemon=True)
            sender.start()
            until(connection.isDataAvailable)
            for _ in range(15):
                assert connection._messages.waiting <= 2
                with pytest.raises(ValueError, match="expected"):
                    connection.getData(PATIENCE)
            sender.join(PATIENCE)


@pytest.mark.parametrize(
    "description",
    [
        '{"dtype": "<U0", "shape": [4611686018427387904, 4611686018427387904]}',
        '{"dtype": "|V0", "shape": [1000000000000]}',
        '{"dtype": [["a", "<f8", [0]]], "shape": [1000000]}',
        '{"dtype": ' + '[["a", ' * 100 + '"<f8"' + "]]" * 100 + ', "shape": [0]}',
        '{"dtype": "<f8", "shape": [1000000000000000000000000000000, 0]}',
    ],
)
def test_descriptions_that_promise_more_than_their_bytes_are_refused(description):
    with pytest.raises(ValueError, match=r"elements|records|dtype and shape|array|dimension"):
        arrays.allocate(description.encode(), 0)


def test_arrays_of_empty_elements_and_nested_records_still_come():
    for array in (np.zeros((3, 0)), np.zeros(5, [("a", [("b", [("c", "<f8", (2,))])])]), np.zeros(7, "V0")):
        view, contents = arrays.allocate(arrays.describe(array), array.nbytes)
        view[:] = arrays.memory_of(array)
        assert contents().dtype == array.dtype
        assert contents().shape == array.shape
    assert json.loads(arrays.describe(np.zeros(1, "<f8"))) == {"dtype": "<f8", "shape": [1]}


def test_no_memory_for_a_message_is_the_end_of_that_connection_alone(monkeypatch):
    def no_memory(size: int) -> None:
        raise MemoryError

    monkeypatch.setattr("sockio.messages.blob.Memory", no_memory)

    def script(sock: socket.socket) -> None:
        sock.sendall(encode_head(MESSAGE, 1, BYTES, b"", 1000, 1))
        assert b"there is no memory for a message of 1000 bytes" in receive(sock, 100)

    with peer(script) as address, BlockingMessageConnection(sio.TCP(*address)) as messages:
        with pytest.raises(ValueError, match="no memory"):
            messages.receive(PATIENCE)


@pytest.mark.parametrize(
    ("type", "description"),
    [(BYTES, b""), (ARRAY, b'{"dtype": "<f8", "shape": [1]}'), (9, b"")],
    ids=["bytes", "array", "unknown"],
)
@pytest.mark.parametrize("length", [2**61, 2**63 + 8])
def test_what_no_memory_can_hold_is_refused_whatever_it_is(type, description, length):
    buffer = Buffer()
    buffer.append(encode_head(MESSAGE, 1, type, description, length, 1))
    event = protocol_named("blob", 2**64, "ascii", False).decoder().decode(buffer)
    assert isinstance(event, Rejected)
    assert event.final
    assert f"no memory for a message of {length} bytes" in str(event.error)


# Peers that go, and connections that are closed, in every phase

PHASES = {
    "mode": ("serpy", lambda sock: receive(sock, 10), lambda messages: messages.send("x", None, mode=1)),
    "acknowledgement in serpy": (
        "serpy",
        lambda sock: (receive(sock, 10), sock.sendall(MODE_ACCEPTED), receive(sock, 3)),
        lambda messages: messages.send("x", None, mode=1),
    ),
    "half an acknowledgement": (
        "blob",
        lambda sock: (receive(sock, 20), sock.sendall(b"\xabLOB\x01\x02")),
        lambda messages: messages.send("x", None),
    ),
    "big message out": (
        "blob",
        lambda sock: receive(sock, 2000),
        lambda messages: messages.send(bytes(30_000_000), None),
    ),
    "big message in": (
        "blob",
        lambda sock: sock.sendall(encode_head(MESSAGE, 1, BYTES, b"", 5_000_000, 1) + bytes(1_000_000)),
        lambda messages: messages.receive(None),
    ),
    "small message in": (
        "blob",
        lambda sock: sock.sendall(encode_head(MESSAGE, 1, BYTES, b"", 5000, 1) + bytes(100)),
        lambda messages: messages.receive(None),
    ),
    "nothing": ("serpy2", lambda sock: None, lambda messages: messages.receive(None)),
}


@pytest.mark.parametrize("end", ["closed here", "closed by the peer", "reset by the peer"])
@pytest.mark.parametrize("phase", PHASES)
def test_whatever_it_is_at_a_call_ends_with_the_connection(phase, end):
    protocol, script, call = PHASES[phase]
    outcome: list[BaseException | None] = []

    def use() -> None:
        try:
            call(messages)
        except BaseException as error:
            outcome.append(error)
        else:
            outcome.append(None)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with BlockingMessageConnection(sio.TCP(*listener.getsockname()), protocol) as messages:
            user = threading.Thread(target=use, daemon=True)
            user.start()
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(PATIENCE)
                script(sock)
                if end == "closed here":
                    messages.close()
                elif end == "reset by the peer":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            user.join(PATIENCE)
            assert len(outcome) == 1
            assert isinstance(outcome[0], (ConnectionError, EOFError))


# Servers


@pytest.mark.parametrize("module", [sockio.serpy, sockio.serpy2])
def test_messages_of_clients_that_have_gone_are_all_delivered(module):
    """Also those that did not fit into the queue, and were left in the socket when the client went."""
    with module.Server("127.0.0.1", 0).start() as server:
        with module.Connection().connect("127.0.0.1", server.port) as client:
            for number in range(100):
                client.sendData(str(number))
        received: list[int] = []

        def take() -> bool:
            received.extend(int(connection.getData()) for connection in server.readableConnections())
            return len(received) == 100

        until(take)
        assert received == list(range(100))
        until(lambda: not len(server))


def test_a_server_that_is_closed_under_load_leaves_nothing_behind(caplog):
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    server = sockio.serpy.Server("127.0.0.1", 0, nb_conn=30).start()
    waiting: list[Any] = []
    used: set[sockio.serpy.Connection] = set()

    def fetch() -> None:
        try:
            waiting.append(server.getConnection())
        except ConnectionError as error:
            waiting.append(error)

    def load(connection: sockio.serpy.Connection) -> None:
        number = 0
        try:
            while True:
                connection.sendData(str(number), number % 2, PATIENCE)
                number += 1
        except ConnectionError:
            pass

    def take(connection: sockio.serpy.Connection) -> None:
        try:
            while True:
                connection.getData()
                used.add(connection)
        except ConnectionError:
            pass

    fetchers = [threading.Thread(target=fetch) for _ in range(15)]
    for fetcher in fetchers:
        fetcher.start()
    clients = [sockio.serpy.Connection().connect("127.0.0.1", server.port) for _ in range(10)]
    until(lambda: len(waiting) == 10)
    children = list(waiting)
    users = [threading.Thread(target=load, args=(one,)) for one in clients + children]
    users += [threading.Thread(target=take, args=(one,)) for one in clients + children]
    for user in users:
        user.start()
    until(lambda: all(one in used for one in clients + children))
    server.closeServer()
    assert len(server) == 0
    for thread in users + fetchers:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert sum(isinstance(one, ConnectionError) for one in waiting) == 5
    while clients:
        clients.pop().close()
    until(lambda: threading.active_count() <= threads)
    for held in (clients, children, waiting, users, fetchers, used):
        held.clear()
    gc.collect()
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    assert not [record for record in caplog.records if record.exc_info or "does not end" in record.getMessage()]


# Processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_closes_its_copy_at_once_and_leaves_the_parent_alone(caplog):
    with sockio.serpy.Server("127.0.0.1", 0).start() as server:
        with sockio.serpy.Connection().connect("127.0.0.1", server.port) as connection:
            child = server.getConnection(PATIENCE)
            pid = os.fork()
            if not pid:
                connection.close()
                server.closeServer()
                os._exit(1 if caplog.records else 0)  # it would have said that its attendant takes too long
            assert os.waitpid(pid, 0)[1] == 0
            assert connection.sendData("hello", 1, PATIENCE)
            assert child.getData(PATIENCE) == b"hello"


@pytest.mark.parametrize(
    "program",
    [
        "connection.sendData('a', mode=1)",
        "Thread(target=connection.getData, daemon=True).start(); Thread(target=server.getConnection).start()",
        "server.closeServer()",
    ],
)
def test_the_interpreter_exits_with_open_connections_in_silence(program):
    begin = (
        "from functools import partial; from threading import Thread as T; from sockio.serpy import Connection, Server;"
        "Thread = partial(T, daemon=True); server = Server('127.0.0.1', 0).start();"
        "connection = Connection(auto_restart=True).connect('127.0.0.1', server.port); server.getConnection();"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", begin + program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_two_threads_that_read_and_write_at_both_ends_do_not_block_each_other():
    """Each change of mode has to be answered by an end that is itself waiting for the answer to one."""
    count = 300
    outcomes: list[Any] = []

    def load(connection: sockio.serpy.Connection) -> None:
        outcomes.append({connection.sendData(str(number), number % 2, PATIENCE) for number in range(count)})

    def take(connection: sockio.serpy.Connection) -> None:
        outcomes.append([int(connection.getData(PATIENCE)) for _ in range(count)])

    with sockio.serpy.Server("127.0.0.1", 0).start() as server:
        with sockio.serpy.Connection().connect("127.0.0.1", server.port) as client:
            ends = client, server.getConnection(PATIENCE)
            users = [threading.Thread(target=use, args=(end,)) for use in (load, take) for end in ends]
            for user in users:
                user.start()
            for user in users:
                user.join(PATIENCE)
    assert len(outcomes) == 4
    assert outcomes.count({None, True}) == outcomes.count(list(range(count))) == 2


def test_one_attendant_is_enough_for_many_threads(monkeypatch):
    """Whoever calls first starts it, and no other one, however many call at that moment."""
    started: list[str] = []
    spawn = runtime.spawn
    monkeypatch.setattr(runtime, "spawn", lambda *args: (started.append(args[1]), spawn(*args)), raising=False)
    with peer(lambda sock: receive(sock, 40 * 2)) as address:
        messages = BlockingMessageConnection(sio.TCP(*address), "serpy")
        with contextlib.closing(messages):
            start = threading.Barrier(40)

            def send() -> None:
                start.wait(PATIENCE)
                messages.send("x", PATIENCE)

            senders = [threading.Thread(target=send) for _ in range(40)]
            interval = sys.getswitchinterval()
            sys.setswitchinterval(1e-6)
            try:
                for sender in senders:
                    sender.start()
                for sender in senders:
                    sender.join(PATIENCE)
            finally:
                sys.setswitchinterval(interval)
    assert len(started) == 1


def test_an_attendant_that_could_not_be_started_is_started_later(monkeypatch):
    with peer(lambda sock: receive(sock, 2)) as address:
        with monkeypatch.context() as patch:
            messages = BlockingMessageConnection(sio.TCP(*address), "serpy")

            def refuse(thread: threading.Thread) -> None:
                raise RuntimeError("can't start new thread")

            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError):
                messages.send("x")
        messages.send("x", PATIENCE)
        messages.close()


def test_an_encoding_that_there_is_not_is_known_before_anything_is_sent():
    with pytest.raises(ValueError, match="unknown encoding: klingon"):
        sockio.serpy.Connection(encoding="klingon")


def test_the_socket_of_a_connection_can_be_looked_at():
    with sockio.serpy.Server("127.0.0.1", 0).start() as server:
        connection = sockio.serpy.Connection()
        assert connection.conn is None
        with connection.connect("127.0.0.1", server.port):
            assert connection.conn is not None
            assert connection.conn.getpeername() == ("127.0.0.1", server.port)
        assert connection.conn is None


@pytest.mark.parametrize("use", ["serpy2.checksum(bytes(10))", "arrays.is_array(object())"])
def test_numpy_may_be_being_imported_by_another_thread(use):
    """It is in sys.modules then, and has nothing in it yet."""
    program = (
        "import sys, threading\n"
        "from sockio.messages import arrays, serpy2\n"
        "started = threading.Event()\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('numpy.'):\n"
        "            started.set()\n"
        "            sys.meta_path.remove(self)\n"
        "            threading.Event().wait(0.1)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "def load():\n"
        "    import numpy\n"
        "threading.Thread(target=load).start()\n"
        "assert started.wait(20)\n"
        f"print({use})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() in ("0", "False")

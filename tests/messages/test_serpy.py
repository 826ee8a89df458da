"""`sockio.serpy` and `sockio.serpy2`: the API of the originals, and that none of their defects is met here."""

from __future__ import annotations

import gc
import inspect
import logging
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sockio import serpy, serpy2
from sockio.messages import MessageRefusedError
from tests.messages.kit import PATIENCE, Peer, expect, peer, receive, receive_all, until

MODULES = [serpy, serpy2]


@pytest.fixture(params=MODULES, ids=lambda module: module.__name__)
def module(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def server(module: Any) -> Iterator[Any]:
    with module.Server("127.0.0.1", 0).start() as server:
        yield server


def pair(server: Any, **options: Any) -> tuple[Any, Any]:
    """Return both ends of a new connection."""
    module = serpy if isinstance(server, serpy.Server) else serpy2
    ours = module.Connection(**options).connect("127.0.0.1", server.port)
    return ours, server.getConnection(PATIENCE)


# The API


def test_names_and_parameters_are_those_of_the_text():
    assert list(inspect.signature(serpy.Connection).parameters)[:4] == [
        "sock", "encoding", "auto_restart", "allow_unpickle",
    ]  # fmt: skip
    assert list(inspect.signature(serpy2.Connection).parameters)[:2] == ["sock", "auto_restart"]
    assert list(inspect.signature(serpy.Server).parameters)[:5] == [
        "adr", "port", "nb_conn", "encoding", "allow_unpickle",
    ]  # fmt: skip
    assert list(inspect.signature(serpy2.Server).parameters)[:3] == ["adr", "port", "nb_conn"]
    assert list(inspect.signature(serpy.Connection.sendData).parameters)[1:] == [
        "data",
        "mode",
        "timeout",
        "force_mode",
    ]
    assert list(inspect.signature(serpy2.Connection.sendData).parameters)[1:] == ["data", "timeout"]
    for module in MODULES:
        assert inspect.signature(module.Server).parameters["nb_conn"].default == 5
        assert inspect.signature(module.Connection).parameters["auto_restart"].default is False


def test_messages_go_both_ways(server, module):
    ours, theirs = pair(server)
    with ours:
        assert ours.sendData("hello") is None
        assert theirs.getData(PATIENCE) == (b"hello" if module is serpy else "hello")
        assert theirs.sendData(b"\x00\x1f\x04") is None
        assert ours.getData(timeout=PATIENCE) == b"\x00\x1f\x04"
        assert ours.isConnected()
        assert ours.connected
        assert ours.adr == ("127.0.0.1", server.port)
        assert theirs.adr is None
        assert not ours.auto_restart


@pytest.mark.parametrize(("mode", "outcome"), [(0, None), (1, True), (2, None), (3, True)])
def test_modes_0_to_3(mode, outcome):
    with serpy.Server("127.0.0.1", 0).start() as server:
        ours, theirs = pair(server)
        with ours:
            assert ours.sendData("hello", mode) is outcome
            assert theirs.getData(PATIENCE) == b"hello"
            assert ours.out_mode == theirs.in_mode == mode


def test_objects_are_pickled_where_both_ends_allow_it():
    with serpy.Server("127.0.0.1", 0, allow_unpickle=True).start() as server:
        ours, theirs = pair(server, allow_unpickle=True)
        with ours:
            assert ours.sendData({"a": [1, None]}, mode=5) is True
            assert theirs.getData(PATIENCE) == {"a": [1, None]}


def test_objects_are_refused_otherwise_and_the_sender_is_told():
    with serpy.Server("127.0.0.1", 0).start() as server:
        ours, theirs = pair(server, allow_unpickle=True)
        with ours, pytest.raises(MessageRefusedError, match="allow_unpickle=True"):
            ours.sendData([1, 2])
        with pytest.raises(ValueError, match="allow_unpickle=True"):
            theirs.getData(PATIENCE)


def test_no_message_in_time_is_queue_empty(server):
    ours, theirs = pair(server)
    with ours, theirs:
        for end in (ours, theirs):
            with pytest.raises(queue.Empty):
                end.getData(timeout=0.01)
            with pytest.raises(queue.Empty):
                end.getData(0)
        theirs.sendData("still there")
        assert ours.getData(PATIENCE) in ("still there", b"still there")


def test_a_peer_that_takes_nothing_is_queue_full(module):
    # (a small message is not begun, and the connection is left alone)
    stop = threading.Event()
    with peer(lambda sock: stop.wait(PATIENCE)) as (host, port):
        with module.Connection().connect(host, port) as connection:
            with pytest.raises(queue.Full):
                send_often(connection, "x" * 50_000, 0.05)
            assert connection.isConnected()
        stop.set()


def send_often(connection: Any, message: str, timeout: float) -> None:
    for _ in range(1000):
        connection.sendData(message, timeout=timeout)


def test_an_acknowledgement_that_does_not_come_in_time_is_false():
    def silent(sock: socket.socket) -> None:
        expect(sock, b"\x01SETMODE1\x1f")
        sock.sendall(b"\x01ACKMODCG\x1f")
        expect(sock, b"hello\x04\x1f")
        receive_all(sock)

    with peer(silent) as address, serpy.Connection().connect(*address) as connection:
        assert connection.sendData("hello", 1, 0.1) is False


@pytest.mark.parametrize(("protocol", "mode"), [("serpy", 1), ("serpy", 3), ("blob", 1)])
def test_a_peer_that_does_not_even_answer_is_false_too(protocol, mode):
    # (in serpy it has not accepted the mode either, so the message has not been sent)
    with peer(receive_all) as address, serpy.Connection(protocol=protocol).connect(*address) as connection:
        for _ in range(2):
            assert connection.sendData("hello", mode, 0.05) is False
        assert connection.isConnected()


def test_acknowledged_sends_to_a_server_that_is_not_there_again_are_false():
    with peer(lambda sock: None) as address, serpy.Connection(auto_restart=True).connect(*address) as connection:
        until(lambda: not connection.isConnected())
        assert connection.sendData("hello", 1, 0.05) is False
        with pytest.raises(queue.Full):
            connection.sendData("hello", 0, 0.05)


def test_iteration_ends_when_nothing_comes(server):
    ours, theirs = pair(server)
    with ours, theirs:
        for number in range(5):
            theirs.sendData(str(number))
        until(lambda: ours._messages.waiting == 5)
        assert [int(message) for message in ours] == list(range(5))
        assert list(ours) == []


def test_a_connected_socket_is_taken_over(module):
    with peer(lambda sock: (sock.sendall(module_block(module)), receive_all(sock))) as address:
        sock = socket.create_connection(address)
        with module.Connection(sock) as connection:
            assert connection.start() is connection
            assert connection.conn is sock
            # As for one that it has made itself: messages do not wait for each other's TCP acknowledgement.
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getData(PATIENCE) in (b"a", "a")
        assert sock.fileno() == -1


def module_block(module: Any) -> bytes:
    return b"a\x1f" if module is serpy else bytes.fromhex("DE CA FE CA FE 81 61 00 00 00 01 00 00 00 61")


def test_connecting_again_closes_what_there_was(server):
    ours, first = pair(server)
    with ours:
        ours.connect("127.0.0.1", server.port)
        second = server.getConnection(PATIENCE)
        ours.sendData("hello")
        assert second.getData(PATIENCE) in ("hello", b"hello")
        with pytest.raises(EOFError):
            first.getData(PATIENCE)


def test_who_is_not_connected_is_told_what_to_do(module):
    connection = module.Connection()
    assert not connection.isConnected()
    assert not connection.isDataAvailable()
    for call in (connection.getData, connection.start, lambda: connection.sendData("x")):
        with pytest.raises(ConnectionError, match="connect"):
            call()
    connection.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        connection.connect("127.0.0.1", port)


def test_calls_after_closing_are_errors_and_what_has_come_can_be_taken(server):
    ours, theirs = pair(server)
    theirs.sendData("before")
    until(ours.isDataAvailable)
    ours.close()
    ours.close()
    assert ours.getData() in ("before", b"before")
    with pytest.raises(ConnectionError):
        ours.getData()
    with pytest.raises(ConnectionError):
        ours.sendData("x")


# The server


def test_lists_of_connections(server):
    assert len(server) == 0
    pairs = [pair(server) for _ in range(3)]
    assert len(server) == 3
    assert server.getConnectionsList() == server.connections == list(server) == [theirs for _, theirs in pairs]
    assert server.readableConnections() == []
    pairs[1][0].sendData("hello")
    until(server.readableConnections)
    assert server.readableConnections() == [pairs[1][1]]
    pairs[2][0].close()
    until(lambda: len(server) == 2)
    pairs[1][0].close()
    until(lambda: not pairs[1][1].isConnected())
    assert len(server) == 2, "it has left a message"
    pairs[1][1].getData()
    until(lambda: server.getConnectionsList() == [pairs[0][1]])


def test_closing_the_server_leaves_its_children_open(server):
    ours, theirs = pair(server)
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    for _ in range(3):
        ours.sendData("hello")
        assert theirs.getData(PATIENCE) in ("hello", b"hello")
        theirs.sendData("hello")
        assert ours.getData(PATIENCE) in ("hello", b"hello")
    with pytest.raises(ConnectionError, match="closed"):
        server.getConnection(PATIENCE)
    server.closeServer()
    assert not theirs.isConnected()
    with pytest.raises(EOFError):
        ours.getData(PATIENCE)


def test_a_server_listens_before_it_is_started(module):
    server = module.Server("127.0.0.1", 0)
    assert server.serv.getsockname() == ("127.0.0.1", server.port)
    with module.Connection().connect("127.0.0.1", server.port):
        with pytest.raises(queue.Empty):
            server.getConnection(0.01)
        assert server.start() is server
        server.getConnection(PATIENCE)
        server.closeServer()
    module.Server("127.0.0.1", 0).close()
    with module.Server("", 0).start() as everywhere, module.Connection().connect("127.0.0.1", everywhere.port):
        assert everywhere.getConnection(PATIENCE)


def test_a_port_in_use_is_an_error(server, module):
    with pytest.raises(OSError, match="in use"):
        module.Server("127.0.0.1", server.port)


# The defects of the originals, by the numbers of their list


def test_1_and_20_messages_are_handled_as_they_come(server):
    ours, theirs = pair(server)
    with ours, theirs:
        for number in range(200):  # polling every 50 ms in four threads, this would take 20 s
            ours.sendData(str(number))
            assert int(theirs.getData(PATIENCE)) == number


def test_2_there_is_one_thread_for_a_connection(module):
    before = threading.active_count()
    with module.Server("127.0.0.1", 0, nb_conn=10).start() as server:
        pairs = [pair(server) for _ in range(5)]
        for ours, theirs in pairs:
            ours.sendData("hello")
            theirs.getData(PATIENCE)
        assert threading.active_count() <= before + 1 + 10
        for ours, _ in pairs:
            ours.close()
    until(lambda: threading.active_count() <= before)


def test_7_closing_does_not_wait_for_messages_that_nobody_takes(server):
    ours, theirs = pair(server)
    for number in range(50):
        ours.sendData(str(number))
    until(theirs.isDataAvailable)
    theirs.close()
    ours.close()
    assert int(theirs.getData()) == 0


def test_8_a_new_connection_begins_in_mode_0():
    scripts = [
        lambda sock: (expect(sock, b"\x01SETMODE2\x1f"), sock.sendall(b"\x01ACKMODCG\x1f"), expect(sock, b"Vg\x1f")),
        lambda sock: expect(sock, b"plain\x1f"),
    ]
    with peer(*scripts) as address, serpy.Connection(auto_restart=True).connect(*address) as connection:
        connection.sendData(b"b")
        connection._messages.stream.retry = serpy_retry()
        until(lambda: connection._messages.stream.connection_counter == 2)
        connection.sendData("plain")


def serpy_retry() -> Any:
    from sockio import Retry

    return Retry(attempts=None, delay=0.01, growth=1.0)


def test_9_and_10_connections_beyond_nb_conn_are_closed_and_hold_nobody_up(module, caplog):
    with module.Server("127.0.0.1", 0, nb_conn=2).start() as server:
        kept = [pair(server) for _ in range(2)]
        for _ in range(5):
            with module.Connection().connect("127.0.0.1", server.port) as refused, pytest.raises(ConnectionError):
                refused.getData(PATIENCE)
        assert len(server) == 2
        kept[0][0].close()
        kept[0][1].close()

        def connect() -> bool:
            connection = module.Connection().connect("127.0.0.1", server.port)
            try:
                return bool(server.getConnection(0.2))
            except queue.Empty:
                connection.close()
                return False

        until(connect)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) >= 1


def test_9_connections_that_nobody_fetches_do_no_harm(module):
    with module.Server("127.0.0.1", 0, nb_conn=3).start() as server:
        for _ in range(10):
            with module.Connection().connect("127.0.0.1", server.port):
                until(lambda: len(server) > 0)
            until(lambda: len(server) == 0)
            assert server._new == []


def test_11_acknowledged_sends_of_many_threads_are_not_confused():
    with serpy.Server("127.0.0.1", 0).start() as server:
        ours, theirs = pair(server)
        received: list[bytes] = []

        def take() -> None:
            while len(received) < 200:
                received.append(theirs.getData(PATIENCE))

        outcomes: list[bool | None] = []

        def send(first: int) -> None:
            for number in range(first, first + 25):
                outcomes.append(ours.sendData(str(number), mode=1 + 2 * (number % 2), timeout=PATIENCE))

        threads = [threading.Thread(target=take), *(threading.Thread(target=send, args=(25 * i,)) for i in range(8))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert outcomes == [True] * 200
        assert sorted(map(int, received)) == list(range(200))
        ours.close()


def test_15_and_16_a_connection_that_has_ended_says_so(server):
    ours, theirs = pair(server)
    theirs.close()
    until(lambda: not ours.isConnected())
    with pytest.raises(ConnectionError):
        send_often(ours, "x", PATIENCE)


def test_17_a_connection_from_a_socket_cannot_restart(module):
    with peer(receive_all) as address:
        with socket.create_connection(address) as sock:
            with pytest.raises(ValueError, match="cannot restart"):
                module.Connection(sock, auto_restart=True)
        sock.close()
    with module.Server("127.0.0.1", 0).start() as server:
        ours, theirs = pair(server)
        with pytest.raises(ValueError, match="cannot restart"):
            theirs.enableRestart()
        ours.enableRestart()
        assert ours.auto_restart
        ours.disableRestart()
        ours.close()


def test_22_waiting_for_a_connection_has_a_timeout(server):
    with pytest.raises(queue.Empty):
        server.getConnection(0.01)


# Restarting


def test_a_connection_restarts_also_while_nobody_uses_it(module):
    first = module.Server("127.0.0.1", 0).start()
    ours = module.Connection(auto_restart=True).connect("127.0.0.1", first.port)
    ours._messages.stream.retry = serpy_retry()
    taker: list[Any] = []
    waiting = threading.Thread(target=lambda: taker.append(ours.getData(PATIENCE)))
    waiting.start()
    first.closeServer()
    with module.Server("127.0.0.1", first.port).start() as second:
        theirs = second.getConnection(PATIENCE)
        theirs.sendData("again")
        waiting.join(PATIENCE)
        assert taker in (["again"], [b"again"])
        ours.sendData("hello")
        assert theirs.getData(PATIENCE) in ("hello", b"hello")
        ours.close()


def test_the_attribute_auto_restart_is_the_switch(module):
    with module.Server("127.0.0.1", 0).start() as server:
        with module.Connection().connect("127.0.0.1", server.port) as connection:
            connection.auto_restart = True
            until(lambda: len(server) == 1)
            server.getConnectionsList()[0].close()
            until(lambda: connection._messages.stream.connection_counter == 2 and connection.isConnected())
            connection.auto_restart = False
            until(lambda: len(server) == 1)
            server.getConnectionsList()[0].close()
            with pytest.raises(ConnectionError):
                connection.getData(PATIENCE)
            assert not connection.auto_restart


def test_closing_ends_restarting(module):
    threads = threading.active_count()
    server = module.Server("127.0.0.1", 0).start()
    ours = module.Connection(auto_restart=True).connect("127.0.0.1", server.port)
    stream = ours._messages.stream
    server.getConnection(PATIENCE)
    server.closeServer()
    until(lambda: stream._opening.queue)  # the attendant is connecting again
    ours.close()
    until(lambda: threading.active_count() <= threads)
    with pytest.raises(ConnectionError):
        ours.getData()


def test_without_restart_the_connection_has_ended(server):
    ours, theirs = pair(server)
    theirs.close()
    with pytest.raises(EOFError):
        ours.getData(PATIENCE)
    for call in (lambda: ours.getData(PATIENCE), lambda: ours.sendData("x", timeout=PATIENCE)):
        with pytest.raises(ConnectionError, match="the connection has ended, and is not made again by itself"):
            call()
    assert list(ours) == []


# One module for all


@pytest.mark.parametrize("protocol", ["blob", "serpy", "serpy2"])
def test_the_protocol_can_be_chosen(module, protocol):
    with module.Server("127.0.0.1", 0, protocol=protocol).start() as server:
        with module.Connection(protocol=protocol).connect("127.0.0.1", server.port) as ours:
            theirs = server.getConnection(PATIENCE)
            outcome = ours.sendData(b"\x00\x01")
            assert outcome is (True if protocol == "blob" and module is serpy2 else None)
            assert theirs.getData(PATIENCE) == b"\x00\x01"
    with pytest.raises(ValueError, match="one of blob, serpy, serpy2"):
        module.Connection(protocol="serpy3")
    with pytest.raises(ValueError, match="one of blob, serpy, serpy2"):
        module.Server("127.0.0.1", 0, protocol="serpy3")


def test_arrays_by_the_blob_protocol(module):
    array = np.arange(1_000_000, dtype=">u2").reshape(1000, 1000)
    with module.Server("127.0.0.1", 0, protocol="blob").start() as server:
        with module.Connection(protocol="blob").connect("127.0.0.1", server.port) as ours:
            theirs = server.getConnection(PATIENCE)
            if module is serpy:
                assert ours.sendData(array, mode=1) is True
            else:
                assert ours.sendData(array) is True
            received = theirs.getData(PATIENCE)
            assert received.dtype == array.dtype
            np.testing.assert_array_equal(received, array)


# Faults


@pytest.mark.parametrize("garbage", [b"\x01SETMODE9\x1f", b"\xff" * 100, b"\x1f" * 1000, b"GET / HTTP/1.1\r\n\r\n"])
def test_a_peer_that_sends_garbage_harms_nobody_else(server, garbage):
    ours, theirs = pair(server)
    with socket.create_connection(("127.0.0.1", server.port)) as vandal:
        vandal.sendall(garbage)
        vandal.shutdown(socket.SHUT_WR)
        receive_all(vandal)
        for _ in range(10):
            ours.sendData("hello")
            assert theirs.getData(PATIENCE) in ("hello", b"hello")
    ours.close()


def test_nothing_is_left_behind(module):
    descriptors = open_descriptors()
    threads = threading.active_count()
    for _ in range(5):
        with module.Server("127.0.0.1", 0, nb_conn=10).start() as server:
            pairs = [pair(server) for _ in range(4)]
            for ours, theirs in pairs:
                ours.sendData("hello")
                theirs.getData(PATIENCE)
            pairs[0][0].close()
            pairs[1][1].close()
            for ours, _ in pairs[2:]:
                ours.close()
            pairs[1][0].close()
    gc.collect()
    until(lambda: threading.active_count() <= threads)
    until(lambda: open_descriptors() <= descriptors)


def open_descriptors() -> int:
    import os

    return len(os.listdir("/proc/self/fd"))


def test_a_chat_of_original_serpy_clients():
    """Plain sockets that speak as the original does, and a server of ours that passes on what they say."""
    with serpy.Server("127.0.0.1", 0).start() as server:
        clients = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(3)]
        until(lambda: len(server) == 3)
        clients[0].sendall(b"hello everybody\x1f")
        until(server.readableConnections)
        for connection in server.readableConnections():
            text = connection.getData().decode()
            for other in server:
                other.sendData(text)
        for client in clients:
            assert receive(client, 16) == b"hello everybody\x1f"
            client.close()


def test_peers_of_the_kit_report_their_errors():
    program = Peer(lambda sock: expect(sock, b"never"))
    socket.create_connection(program.address).close()
    until(program.has_ended)
    program.stop()
    assert isinstance(program.error, AssertionError)

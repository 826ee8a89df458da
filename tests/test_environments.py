"""The blocking flavour where other things are going on in the same thread: gevent, a running event loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap

import pytest

PEER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
connections = [server.accept()[0] for _ in range(2)]
for connection in connections:
    assert connection.recv(100) == b"READ?\\n"
time.sleep(0.1)
for number, connection in enumerate(connections):
    connection.sendall(b"%d\\n" % number)
assert sys.stdin.read() == ""
"""


@pytest.fixture
def port():
    """The port of a peer that answers two connections only after both have asked."""
    with subprocess.Popen([sys.executable, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        yield int(peer.stdout.readline())
        peer.stdin.close()
    assert peer.returncode == 0


@pytest.mark.parametrize("limit", ["", "timeout=10"])
def test_greenlets_wait_side_by_side_under_gevents_monkey_patching(port, limit):
    pytest.importorskip("gevent", reason="gevent is not installed (extra: simulator)")
    program = f"""
        from gevent import monkey
        monkey.patch_all()
        import gevent
        from sockio.sio import TCP

        def ask():
            stream = TCP("127.0.0.1", {port}, {limit})
            reply = stream.write_readline(b"READ?\\n")
            stream.close()
            return reply

        ticks = 0

        def tick():
            global ticks
            while True:
                gevent.sleep(0.01)
                ticks += 1

        ticking = gevent.spawn(tick)
        asking = [gevent.spawn(ask) for _ in range(2)]
        gevent.joinall(asking, raise_error=True)
        assert sorted(greenlet.value for greenlet in asking) == [b"0\\n", b"1\\n"]
        assert ticks > 2, ticks
    """
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, timeout=30, check=False)
    assert done.returncode == 0


def test_calls_block_inside_a_running_event_loop_as_in_a_notebook(port):
    from sockio.sio import TCP

    async def cell() -> list[bytes]:
        streams = [TCP("127.0.0.1", port), TCP("127.0.0.1", port)]
        for stream in streams:
            stream.write(b"READ?\n")
        replies = [stream.readline() for stream in streams]
        for stream in streams:
            stream.close()
        return replies

    assert asyncio.run(cell()) == [b"0\n", b"1\n"]

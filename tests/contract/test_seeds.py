"""The examples that users of sockio know, as they stand: only host and port are those of a server that is there."""

from __future__ import annotations

import asyncio
import textwrap
from typing import Any

import pytest

import sockio

from .server import Peer, Server


def program(text: str, server: Server) -> str:
    """Return an example with a server to talk to."""
    text = textwrap.dedent(text)
    assert "'acme.example.com', 5000" in text
    return text.replace("'acme.example.com', 5000", f"{server.host!r}, {server.port}")


def run(text: str, server: Server) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(program(text, server), "example", "exec"), names)
    return names


def run_inside_a_coroutine(text: str, server: Server, before: str = "", after: str = "") -> dict[str, Any]:
    """Run an example that awaits at its top, as the asyncio prompt would."""
    body = textwrap.indent(program(text, server), "    ")
    before = textwrap.indent(textwrap.dedent(before), "    ")
    after = textwrap.indent(textwrap.dedent(after), "    ")
    names: dict[str, Any] = {}
    source = f"from sockio.aio import TCP\nasync def main():\n{before}\n{body}\n{after}\n    await sock.close()\n"
    source += "    return locals()\n"
    exec(compile(source, "example", "exec"), names)
    result: dict[str, Any] = asyncio.run(names["main"]())
    return result


ASYNCIO = """
    import asyncio
    from sockio.aio import TCP

    async def main():
        sock = TCP('acme.example.com', 5000)
        # Assuming a SCPI complient on the other end we can ask for:
        reply = await sock.write_readline(b'*IDN?\\n')
        print(reply)

    asyncio.run(main())
    """

CLASSIC = """
    from sockio.sio import TCP

    sock = TCP('acme.example.com', 5000)
    reply = sock.write_readline(b'*IDN?\\n')
    print(reply)
    """

FUTURES = """
    from sockio.sio import TCP

    sock = TCP('acme.example.com', 5000, resolve_futures=False)
    reply = sock.write_readline(b'*IDN?\\n').result()
    print(reply)
    """

# Without the ``.result()`` that it has there: a py2 stream returns the reply itself.
PYTHON_2 = """
    from sockio.py2 import TCP

    sock = TCP('acme.example.com', 5000)
    reply = sock.write_readline(b'*IDN?\\n')
    print(reply)
    """


@pytest.mark.parametrize("example", [ASYNCIO, CLASSIC, FUTURES, PYTHON_2], ids=["asyncio", "classic", "futures", "py2"])
def test_usage(server: Server, capsys: pytest.CaptureFixture[str], example: str) -> None:
    names = run(example, server)
    assert capsys.readouterr().out == "b'answer to *IDN?\\n'\n".replace("\n'", "\\n'")
    if "sock" in names:
        closed = names["sock"].close()
        if closed is not None:
            closed.result()


def test_trio(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    example = ASYNCIO.replace("sockio.aio", "sockio.trio").replace("asyncio.run(main())", "trio.run(main)")
    run(example.replace("import asyncio", "import trio"), server)
    assert "answer to *IDN?" in capsys.readouterr().out


def test_no_delay_can_be_disabled(server: Server) -> None:
    from sockio.aio import TCP
    from sockio.common import IPTOS_NORMAL

    assert TCP(*server.address, no_delay=False).no_delay is False
    assert TCP(*server.address, tos=IPTOS_NORMAL).tos == 0


def test_auto_reconnection(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    example = """
        sock = TCP('acme.example.com', 5000)
        reply = await sock.write_readline(b'*IDN?\\n')
        print(reply)

        # ... kill the server connection somehow and bring it back to life again
        kill()

        # You can use the same socket object. It will reconnect automatically
        # and work "transparently"
        reply = await sock.write_readline(b'*IDN?\\n')
        print(reply)
        """

    def kill() -> None:
        server.refuse()
        server.peers[0].shut_down()
        server.listen()

    import builtins

    builtins.kill = kill  # type: ignore[attr-defined]
    try:
        names = run_inside_a_coroutine(example, server)
    finally:
        del builtins.kill  # type: ignore[attr-defined]
    assert capsys.readouterr().out.count("answer to *IDN?") == 2
    assert names["sock"].connection_counter == 2


def test_timeout(scripted: Server) -> None:
    example = """
        sock = TCP('acme.example.com', 5000, connection_timeout=0.1, timeout=1)
        await sock.close()
        sock = TCP('acme.example.com', 5000, timeout=1)
        # the next call will raise asyncio.TimeoutError if it takes more than 0.1s
        reply = await sock.write_readline(b'*IDN?\\n', timeout=0.1)
        print(reply)
        """
    with pytest.raises(asyncio.TimeoutError) as caught:
        run_inside_a_coroutine(example, scripted)
    assert isinstance(caught.value, sockio.ConnectionTimeoutError)


def test_custom_eol(scripted: Server) -> None:
    def script(peer: Peer) -> None:
        peer.answer(b"first?\n", b"one\ntwo\r")
        peer.answer(b"*IDN?\n", b"ACME\r")

    scripted.script = script
    example = """
        sock = TCP('acme.example.com', 5000, eol=b'\\r')
        first = await sock.write_readline(b'first?\\n')
        sock.eol = b'\\n'
        reply = await sock.write_readline(b'*IDN?\\n', eol=b'\\r')
        """
    names = run_inside_a_coroutine(example, scripted)
    assert (names["first"], names["reply"]) == (b"one\ntwo\r", b"ACME\r")


def test_callbacks(server: Server) -> None:
    before = """
        async def connected():
            await sock.write(b'ACQU:TRIGGER HARDWARE\\n')
            await sock.write(b'DISPLAY OFF\\n')
        """
    example = "sock = TCP('acme.example.com', 5000, on_connection_made=connected)"
    after = "reply = await sock.write_readline(b'*IDN?\\n', timeout=5)"
    names = run_inside_a_coroutine(example, server, before, after)
    assert names["reply"] == b"answer to *IDN?\n"
    assert server.requests == [b"ACQU:TRIGGER HARDWARE\n", b"DISPLAY OFF\n", b"*IDN?\n"]


def test_streams(scripted: Server, capsys: pytest.CaptureFixture[str]) -> None:
    scripted.script = lambda peer: peer.send(b"one\rtwo\rthree\r")
    example = """
        sock = TCP('acme.example.com', 5000, eol=b'\\r')

        async for line in sock:
            print(line)
        """
    run_inside_a_coroutine(example, scripted)
    assert capsys.readouterr().out == "b'one\\r'\nb'two\\r'\nb'three\\r'\n"


def test_streams_where_calls_block(scripted: Server, capsys: pytest.CaptureFixture[str]) -> None:
    scripted.script = lambda peer: peer.send(b"one\rtwo\rthree\r")
    run(
        """
        from sockio.sio import TCP

        sock = TCP('acme.example.com', 5000, eol=b'\\r')

        for line in sock:
            print(line)

        sock.close()
        """,
        scripted,
    )
    assert capsys.readouterr().out == "b'one\\r'\nb'two\\r'\nb'three\\r'\n"

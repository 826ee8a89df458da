"""The text of `sockio.py2`: which parts of the core are lowered, and what is written by hand around them."""

from __future__ import annotations

import ast

from .expressions import Part
from .lowering import lower, names_given
from .python2_text import HEAD, TAIL
from .source import PACKAGE, CannotGenerate

PARTS = (
    Part("errors.py"),
    Part(
        "checks.py",
        rewritten={
            'data.cast("B")': "byte_view(data)",
            "[check_data(line) for line in lines]": "[bytes(check_data(line)) for line in lines]",
        },
    ),
    Part("deadline.py"),
    Part("buffer.py"),
    Part("retry.py"),
    Part("common.py", only=("IPTOS_LOWDELAY", "DEFAULT_LIMIT", "DFT_KEEP_ALIVE")),
    Part(
        "resource/hosts.py",
        only=("check_host", "check_port", "_normal_ipv6", "_is_plain"),
        rewritten={
            "isinstance(host, str)": "isinstance(host, TEXT)",
            "name.isprintable()": "is_printable(name)",
        },
    ),
    Part(
        "framing/base.py",
        left_out=("DEFAULT_LIMIT",),
        renamed={"check_eol": "check_terminator_type"},
    ),
    Part(
        "framing/block.py",
        left_out=("encode_block", "Block.encode"),
        renamed={"check_eol": "check_terminator_type"},
    ),
    Part("turns.py", left_out=("Turn", "Turns.turn", "Turns.run")),
    Part("runtimes/base.py", left_out=("Runtime.spawn",)),
    Part(
        "runtimes/descriptor.py",
        rewritten={
            'getattr(select, "POLLRDHUP", 0)': "POLLRDHUP",
            "ready = self._poll.poll(wait)": "ready = poll_again(self._poll, wait)",
            "self.recv = sock.recv\n": "self.recv = system_call(sock.recv)\n",
            "self.recv_into = sock.recv_into\n": "self.recv_into = system_call(sock.recv_into)\n",
            "self.send = sock.send\n": "self.send = system_call(sock.send)\n",
            "return sock.send(data, DONT_WAIT)": "return system_call(sock.send)(data, DONT_WAIT)",
        },
    ),
    Part("runtimes/sockets.py", left_out=("connect_unix",)),
    Part(
        "runtimes/blocking.py",
        left_out=("run", "BlockingRuntime.spawn", "BlockingRuntime.check_callback"),
        rewritten={
            # Python 2 has no time limits for locks.
            """ another one, by a lock that is held until it is set.

    An event of `threading` has a lock of its own, which it takes by a function in Python: an interrupt at the end of
    that leaves it held for ever, and with it whoever sets the event.
    \"""
""": ' another one."""\n',
            """        self._unset = threading.Lock()
        self._unset.acquire()
""": "        self._event = threading.Event()\n",
            "self._unset.acquire(timeout=-1 if deadline is None else max(0, deadline - clock()))": (
                "self._event.wait(None if deadline is None else max(0, deadline - clock()))"
            ),
            """            raise DeadlineExpired
        self.set()
""": "            raise DeadlineExpired\n",
            """        try:
            self._unset.release()
        except RuntimeError:
            pass  # has been set before
""": "        self._event.set()\n",
            # Without a thread that watches, the end of an idle connection is noticed by the next call.
            """        from . import watcher

        self._watched = True
        watcher.watch(self._descriptor, hung_up)
""": "        pass\n",
            """        if self._watched:
            from . import watcher

            watcher.unwatch(self._descriptor)
""": "",
            "        self._watched = False\n": "",
            "refuse_awaitable(callback, callback(*args))": "callback(*args)",
        },
    ),
    Part("link.py"),
    Part(
        "callbacks.py",
        left_out=("Callbacks._finish",),
        rewritten={
            "            awaitable = self.runtime.invoke(callback, *args)\n"
            "            if awaitable is not None:\n"
            "                self.runtime.spawn(self._finish(callback, awaitable))\n": (
                "            self.runtime.invoke(callback, *args)\n"
            ),
        },
    ),
    Part("endpoint.py"),
    Part("connection.py", renamed={"Connection": "BaseConnection"}),
    Part(
        "receiving.py",
        rewritten={
            'memoryview(buffer).cast("B")': "byte_view(buffer)",
            """        # A BytesIO hands out its memory to be written, and then itself as bytes without a copy.
        memory = io.BytesIO(bytes(n))
        with memory.getbuffer() as view:
            await self._receive_into(link, deadline, view)
        return memory.getvalue()
""": """        memory = bytearray(n)
        await self._receive_into(link, deadline, memoryview(memory))
        return bytes(memory)
""",
            """            # Released whatever happens: the frames that an error holds shall hold none of the memory.
            with view[received:] as rest:
                received += await link.transport.receive_into(rest, deadline)
""": """            received += await link.transport.receive_into(view[received:], deadline)
""",
        },
        renamed={"Connection": "BaseConnection"},
    ),
    Part("stream.py"),
    Part("iteration.py"),
    Part(
        "tcp.py",
        rewritten={
            '        address = HostAddress("tls" if ssl else "tcp", host, port)\n': "",
            "            str(address),\n": "            resource_of(host, port),\n",
            """        ssl: TLS: True for one that verifies the peer's certificate, or an `ssl.SSLContext`.
""": "",
            "        ssl: SSLContext | bool = False,\n": "",
            """        self.ssl = ssl
        self._ssl_context: SSLContext | None = None
        if ssl:
            from .tls import check_context

            self._ssl_context = check_context(ssl)
""": "",
            """        transport = self.runtime.adopt(descriptor, self.buffer_size)
        if self._ssl_context is None:
            return transport
        from .tls import secure

        return await secure(self.runtime, transport, self._ssl_context, self.host, deadline)
""": "        return self.runtime.adopt(descriptor, self.buffer_size)\n",
        },
        renamed={"TCP": "BaseTCP"},
    ),
)


def write() -> str:
    """Return the whole module.

    Raises:
        CannotGenerate: two parts of the core have the same name for different things.
    """
    texts = [lower(part) for part in PARTS]
    owners: dict[str, str] = {}
    for part, text in zip(PARTS, texts, strict=True):
        for name in [name for statement in ast.parse(text).body for name in names_given(statement)]:
            if name in owners:
                raise CannotGenerate(f"{PACKAGE / part.path}:1: {name} is also in {owners[name]}: rename one of them")
            owners[name] = part.path
    return "\n\n".join([HEAD.strip("\n") + "\n", *texts, TAIL.strip("\n") + "\n"])

"""What both sides have to agree on, and how long they wait."""

from __future__ import annotations

#: The encoding of text.
DEFAULT_ENCODING = "utf-8"

#: What ends a line of text.
DEFAULT_TERMINATOR = b"\r\n"
TERMINATOR = DEFAULT_TERMINATOR

#: Seconds; more than zero: a lost connection is noticed although nobody reads.
DEFAULT_MONITOR_CONNECTION_INTERVAL = 0.1

#: What a client sends, as a line, to show that it is alive.
HEARTBEAT = b"heartbeat"

LOCALHOST_IPV4 = "127.0.0.1"
LOCALHOST_IPV6 = "::1"
DEFAULT_LOCALHOST = LOCALHOST_IPV4
LOCAL_HOST = DEFAULT_LOCALHOST

#: Seconds that a connection is idle before it is probed, seconds between probes, and how many of them without an
#: answer end it.
KEEPALIVE_TIME = 60
KEEPALIVE_INTERVAL = 15
KEEPALIVE_PROBES = 4

#: The same as streams take it.
KEEP_ALIVE = {"active": 1, "idle": KEEPALIVE_TIME, "interval": KEEPALIVE_INTERVAL, "retry": KEEPALIVE_PROBES}

#: Seconds without a heartbeat after which a server gives its client up.
DEFAULT_MAX_HEARTBEAT_INTERVAL = 10.0

#: The longest that a server goes without looking for heartbeats, in seconds.
HEARTBEAT_CHECK_INTERVAL = 1.0

#: Seconds that closing waits, for a peer that does not take what was written and for what goes on in a server.
CLOSE_TIMEOUT = 5.0

#: Seconds that a TLS handshake may take unless ``ssl_handshake_timeout`` says otherwise, as with asyncio's own streams.
HANDSHAKE_TIMEOUT = 60.0

#: The longest line, in bytes without its end, unless ``limit`` says otherwise: that of asyncio's own streams.
DEFAULT_LIMIT = 2**16

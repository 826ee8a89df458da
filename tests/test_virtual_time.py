"""What depends on time, to the second, in a time that does not pass."""

from __future__ import annotations

import errno

import pytest

from sockio import ConnectionTimeoutError, Retry
from sockio.runtimes.blocking import run
from sockio.runtimes.fake import FakeRuntime, FakeTransport
from sockio.stream import Stream


class Instrument(Stream):
    """A stream to a scripted peer; *connections* says what each attempt to connect gives, and how long it takes."""

    def __init__(self, connections, *, connection_timeout=None, timeout=None, quiet=None, retry=None):
        self.runtime = FakeRuntime()
        self.connections = list(connections)
        self.attempts = []
        settings = True, None, None, None, 100, connection_timeout, timeout, quiet, retry
        super().__init__("fake://instrument", b"\n", *settings)

    async def _open_transport(self, deadline):
        self.attempts.append(self.runtime.now)
        seconds, transport = self.connections.pop(0)
        await self.runtime.sleep(seconds)
        if isinstance(transport, OSError):
            raise transport
        return transport(self.runtime)


def peer(*answers):
    """A connection whose peer answers the first request with the first script, and so on."""
    scripts = list(answers)
    return lambda runtime: FakeTransport(runtime, answer=lambda request: scripts.pop(0))


def refused():
    return OSError(errno.ECONNREFUSED, "refused")


def test_connecting_is_tried_again_with_growing_delays_up_to_the_ceiling():
    retry = Retry(attempts=6, delay=1, growth=2, ceiling=5, jitter=0)
    instrument = Instrument([*[(0, refused())] * 5, (0, peer([(0, b"ok\n")]))], retry=retry)
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.attempts == [0, 1, 3, 7, 12, 17]


def test_the_last_refusal_is_raised_when_the_attempts_are_used_up():
    instrument = Instrument([(0, refused())] * 3, retry=Retry(attempts=3, delay=1, jitter=0))
    with pytest.raises(ConnectionRefusedError, match="fake://instrument"):
        run(instrument.write_readline(b"?\n"))
    assert instrument.attempts == [0, 1, 3]


def test_no_attempt_is_begun_after_the_time_is_up():
    instrument = Instrument([(0, refused())] * 9, timeout=5, retry=Retry(attempts=None, delay=1, jitter=0))
    with pytest.raises(ConnectionTimeoutError, match=r"3 attempt\(s\), the last one: refused") as raised:
        run(instrument.write_readline(b"?\n"))
    assert instrument.attempts == [0, 1, 3]
    assert isinstance(raised.value.__cause__, ConnectionRefusedError)


def test_delays_are_spread_by_the_jitter_and_no_further():
    delays = [Retry(delay=1, growth=1, jitter=0.25).delay_after(1) for _ in range(1000)]
    assert 0.75 <= min(delays) < 0.8
    assert 1.2 < max(delays) <= 1.25


def test_a_peer_that_trickles_cannot_stretch_the_time_limit():
    trickle = [(0.4 * count, b"x") for count in range(1, 50)]
    instrument = Instrument([(0, peer(trickle))], timeout=1)
    with pytest.raises(ConnectionTimeoutError, match=r"timed out after 1 s receiving; so far came b'xx'"):
        run(instrument.write_readline(b"?\n"))
    assert instrument.runtime.now == 1


class Pouring(FakeTransport):
    """A connection whose peer never stops sending: there is more whenever something has been taken."""

    def receive(self, deadline):
        self._runtime.now += 0.01
        assert self._runtime.now < 100, "it goes on for ever"
        return b"0123456789"

    def receive_now(self):
        return self.receive(None)

    def arrived(self):
        return True


def test_a_peer_that_never_stops_cannot_stretch_a_read_of_everything():
    instrument = Instrument([(0, Pouring)], timeout=1)
    with pytest.raises(ConnectionTimeoutError, match="read timed out after 1 s"):
        run(instrument.read())
    assert 1 <= instrument.runtime.now < 2


def test_a_peer_that_never_stops_cannot_stretch_the_resynchronisation():
    instrument = Instrument([(0, Pouring)], timeout=1, quiet=0.5)
    instrument.distrust()
    with pytest.raises(ConnectionTimeoutError, match=r"not silent for 0\.5 s"):
        run(instrument.write_readline(b"?\n"))
    assert 1 <= instrument.runtime.now < 2


def silent(runtime):
    return FakeTransport(runtime)


def test_calls_share_the_silence_that_they_have_heard():
    instrument = Instrument([(0, silent)] * 3 + [(0, peer([(0, b"ok\n")]))], timeout=3, quiet=10)
    instrument.distrust()
    for _ in range(3):
        with pytest.raises(ConnectionTimeoutError, match="not silent for 10 s"):
            run(instrument.write_readline(b"?\n"))
        run(instrument.runtime.sleep(100))  # nobody listens: what came then is not known
    began = instrument.runtime.now
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.runtime.now == pytest.approx(began + 1)


def test_what_comes_begins_the_silence_anew():
    chatter = [(0, lambda runtime: FakeTransport(runtime, greeting=[(2, b"late\n")]))]
    instrument = Instrument([(0, silent), *chatter, *[(0, silent)] * 2, (0, peer([(0, b"ok\n")]))], timeout=3, quiet=9)
    instrument.distrust()
    for _ in range(4):  # silent for 3 s, 2 s and then 1 s, 3 s, 3 s: 2 s are missing
        with pytest.raises(ConnectionTimeoutError, match="not silent for 9 s"):
            run(instrument.write_readline(b"?\n"))
    began = instrument.runtime.now
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.runtime.now == pytest.approx(began + 2)


def test_another_failure_begins_the_silence_anew():
    instrument = Instrument([(0, silent)] * 3 + [(0, peer([(0, b"ok\n")]))], timeout=3, quiet=8)
    instrument.distrust()
    for again in (False, True, False):
        if again:
            instrument.distrust()
        with pytest.raises(ConnectionTimeoutError, match="not silent for 8 s"):
            run(instrument.write_readline(b"?\n"))
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.runtime.now == pytest.approx(11)


def test_doubt_that_arises_during_a_resynchronisation_is_settled_by_another_one():
    class DoubtfulMeanwhile(FakeTransport):
        def receive(self, deadline):
            if not self.requests and self._runtime.now < 1:
                self._runtime.now = 0.9
                instrument.distrust()
            return super().receive(deadline)

    connections = [(0, lambda runtime: DoubtfulMeanwhile(runtime, [(1.5, b"late\n")], lambda request: [(0, b"ok\n")]))]
    instrument = Instrument(connections, quiet=1)
    instrument.distrust()
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.runtime.now == pytest.approx(2.5)


def test_the_time_limit_holds_for_connecting_too():
    instrument = Instrument([(0.75, peer([(0.5, b"late\n")]))], timeout=1)
    with pytest.raises(ConnectionTimeoutError):
        run(instrument.write_readline(b"?\n"))
    assert instrument.runtime.now == 1


def test_with_a_limit_of_its_own_connecting_is_not_counted_in():
    instrument = Instrument([(0.75, peer([(0.5, b"fine\n")]))], timeout=1, connection_timeout=1)
    assert run(instrument.write_readline(b"?\n")) == b"fine\n"
    assert instrument.runtime.now == 1.25


def test_a_time_limit_of_zero_takes_what_is_there():
    instrument = Instrument([(0, lambda runtime: FakeTransport(runtime, [(0, b"there\n"), (1, b"later\n")]))])
    assert run(instrument.readline(timeout=0)) == b"there\n"
    with pytest.raises(ConnectionTimeoutError):
        run(instrument.readline(timeout=0))


def test_after_a_failed_call_the_next_waits_for_silence():
    late = [(0.125, b"late "), (0.25, b"reply\n")]
    back = lambda runtime: FakeTransport(runtime, late, lambda request: [(0.5, b"own reply\n")])  # noqa: E731
    instrument = Instrument([(0, peer([])), (0, back)], timeout=2, quiet=0.25)
    with pytest.raises(ConnectionTimeoutError):
        run(instrument.write_readline(b"1?\n"))
    assert run(instrument.write_readline(b"2?\n")) == b"own reply\n"
    assert instrument.runtime.now == 2 + 0.25 + 0.25 + 0.5  # the failure, the late reply, the silence, the reply


def test_a_line_that_never_falls_silent_is_an_error_at_the_deadline():
    chatter = [(0.125 * count, b"x") for count in range(100)]
    noisy = lambda runtime: FakeTransport(runtime, chatter)  # noqa: E731
    silent = (0, peer([(0, b"ok\n")]))
    instrument = Instrument([(0, peer([])), (0, noisy), (0, noisy), silent], timeout=1, quiet=0.25)
    for end in (1, 2, 3):
        with pytest.raises(ConnectionTimeoutError):
            run(instrument.write_readline(b"?\n"))
        assert instrument.runtime.now == end
    assert run(instrument.write_readline(b"?\n")) == b"ok\n"
    assert instrument.runtime.now == 3.25

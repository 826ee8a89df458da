"""The state of the sending direction of a connection, and of the messages whose verdicts are awaited."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..link import Link
    from .events import Verdict


class Pending:
    """A message on which the peer's verdict is awaited."""

    __slots__ = ("reason", "settled")

    def __init__(self) -> None:
        self.settled = False
        self.reason: str | None = None


class Outgoing:
    """The state of the sending direction of a link.

    Attributes:
        mode: in which the peer has been told to expect what comes.
        unconfirmed: how many changes of mode it has not accepted yet.
        pending: by number, in the order in which they were sent.
        refusal: why the peer accepts nothing more.
    """

    __slots__ = ("link", "mode", "pending", "refusal", "unconfirmed")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.mode = 0
        self.unconfirmed = 0
        self.pending: dict[int, Pending] = {}
        self.refusal: str | None = None

    def settle(self, verdict: Verdict) -> Pending | None:
        """Tell who has sent the message, and return what was pending, if anything."""
        # The list is made in one go: another thread may be adding to the dictionary.
        numbers = list(self.pending)[:1] if verdict.number is None else [verdict.number]
        pending = self.pending.pop(numbers[0], None) if numbers else None
        if pending is not None:
            pending.reason = verdict.reason
            pending.settled = True
        return pending

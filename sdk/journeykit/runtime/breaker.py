"""Circuit breakers: stop asking whoever is down, and stop a journey that goes wrong.

A channel's breaker is about outages: nothing can be sent, so nothing is handed over for
a while, and then one batch finds out. It lives in the process, since the next one finds
out just as soon. A journey's breaker is about its messages: too many of them failed for
good, so the journey is paused, and a person looks. It counts in the store.
"""

from __future__ import annotations

from collections import deque

from journeykit.runtime.retries import MINUTE_MS

_WINDOW = 20  # attempts
_LEAST = 5  # before so many nobody can tell an outage from bad luck
_LONGEST_MS = 15 * MINUTE_MS


class ChannelBreaker:
    """Whether a channel is worth asking.

    Closed, it lets everything through. When half of the last attempts were outages it
    opens for a minute, then lets one batch through; that closes it, or opens it for
    twice as long, a quarter of an hour at most.
    """

    def __init__(self) -> None:
        """Start closed."""
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self._open_until: int | None = None
        self._open_ms = MINUTE_MS
        self._probed_at: int | None = None

    def opens_at(self, now: int) -> int | None:
        """When the channel may be asked again; None: now. Asking makes it a probe."""
        if self._open_until is None:
            return None
        if now < self._open_until:
            return self._open_until
        # Whoever began to probe may never have come to it.
        if self._probed_at is not None and now < self._probed_at + MINUTE_MS:
            return self._probed_at + MINUTE_MS
        self._probed_at = now
        return None

    @property
    def is_open(self) -> bool:
        """Whether it keeps messages back."""
        return self._open_until is not None

    def answered(self, *, outages: int, answers: int, now: int) -> None:
        """Take what came of a batch: how many outages, and how many answers of any kind."""
        if self._open_until is not None:
            if self._probed_at is None:
                return  # of batches that were on their way when it opened
            self._probed_at = None
            if answers and answers >= outages:
                self._recent.clear()
                self._open_until, self._open_ms = None, MINUTE_MS
            elif outages:
                self._open_ms = min(2 * self._open_ms, _LONGEST_MS)
                self._open_until = now + self._open_ms
            return
        total = outages + answers
        if not total:
            return
        # A large batch counts in proportion: what came last in it must not hide the rest.
        marks = min(total, _WINDOW)
        down = round(marks * outages / total)
        self._recent.extend([True] * down + [False] * (marks - down))
        if len(self._recent) >= _LEAST and 2 * sum(self._recent) >= len(self._recent):
            self._open_until = now + self._open_ms


def trips(succeeded: int, failed: int, *, share: float, at_least: int) -> bool:
    """Whether so many failures stop a journey.

    Args:
        succeeded: Deliveries that were sent since the count began.
        failed: Deliveries that failed for good.
        share: From which share of failures on, in percent.
        at_least: But not before so many failures.
    """
    return failed >= at_least and 100 * failed >= share * (succeeded + failed)

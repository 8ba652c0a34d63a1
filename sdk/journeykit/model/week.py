"""The minutes of a week in which sending is open, as policies allow it.

Quiet and open hours repeat every week, so whether they ever leave an hour, and how long
they can hold a message back, is a matter of 10,080 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, islice

from journeykit.model.clocktimes import ClosingTime, TimeOfDay, weekday_numbers
from journeykit.model.policies import Policies
from journeykit.model.steps import Window

DAY = 24 * 60
WEEK = 7 * DAY


def open_minutes(policies: Policies, channel: str | None, purpose: str) -> bytearray:
    """Mark each minute of the week with 1 if such a message may go in it."""
    minutes = bytearray(b"\1" * WEEK)
    for opening in policies.open_hours:
        if opening.channel in (None, channel) and opening.purpose in ("all", purpose):
            held = _covered(opening.windows)
            minutes = bytearray(a & b for a, b in zip(minutes, held, strict=True))
    for quiet in policies.quiet_hours:
        if quiet.channel in (None, channel) and quiet.purpose in ("all", purpose):
            held = _covered([quiet.window])
            minutes = bytearray(a & ~b for a, b in zip(minutes, held, strict=True))
    return minutes


def longest_closed(minutes: bytearray) -> int:
    """Count the minutes of the longest stretch that is closed."""
    longest = current = 0
    # Twice around: the longest night may be the one from Sunday to Monday.
    for is_open in islice(cycle(minutes), 2 * WEEK):
        current = 0 if is_open else current + 1
        longest = max(longest, current)
    return min(longest, WEEK)


def _covered(windows: Iterable[Window]) -> bytearray:
    minutes = bytearray(WEEK)
    for window in windows:
        start = TimeOfDay.parse(window.start).minutes
        end = ClosingTime.parse(window.end).minutes
        length = end - start if end > start else end - start + DAY
        for day in weekday_numbers(window.weekdays) or range(7):
            for minute in range(day * DAY + start, day * DAY + start + length):
                minutes[minute % WEEK] = 1  # Sunday night ends on Monday
    return minutes

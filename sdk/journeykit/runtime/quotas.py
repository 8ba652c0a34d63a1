"""Daily quotas: never more than so many messages of a channel in any 24 hours.

It is one more lane of the pace, of a tenth of the quota at once and the rest evenly over
the day, by the generic cell rate algorithm (ITU-T I.371). With an interval `i` and a burst
`b`, less than `b + T / i` cells go in any time `T`; so with `i = T / (q + 1 - b)` it is less
than `q + 1`. Places are taken when messages go, and never ahead: what was put off in a
crash may go late, and would come on top of its next day.
"""

from __future__ import annotations

from typing import NamedTuple

from journeykit.ports import Slots
from journeykit.runtime.retries import MINUTE_MS

# A round hands over for five minutes by one clock; an hour of two providers' clocks differs
# by less than that.
_DAY_US = (24 * 60 + 5) * MINUTE_MS * 1000


class Places(NamedTuple):
    """What a quota has left.

    Attributes:
        going: How many may go now; those places are taken.
        next_at: When the next one is free, milliseconds.
        every_ms: How long after it the one after that is.
    """

    going: int
    next_at: int
    every_ms: int


def taken(slots: Slots, channel: str, quota: int, wanted: int, *, now: int) -> Places:
    """Take as many places of a channel's quota as there are, up to what is wanted.

    Args:
        slots: Where the lane is.
        channel: The channel's name.
        quota: The most messages in any 24 hours, 1 or more.
        wanted: How many are to go.
        now: The clock, milliseconds.

    Raises:
        StoreError: The lane can't be asked; places may be lost, none is given twice.
    """
    burst = max(1, quota // 10)
    interval = -(-_DAY_US // (quota + 1 - burst))
    now_us = now * 1000

    def free(arrival: int) -> int:
        return max(0, (now_us - arrival) // interval + burst)

    def reserve(count: int) -> int:
        # A burst of 1: so the lane says where it is, and not where one may begin.
        lane = f"quota:{channel}"
        return slots.reserve(lane, count, interval_us=interval, burst=1, now_us=now_us)

    arrival = reserve(0)
    count = min(wanted, free(arrival))
    if count:
        arrival = reserve(count)  # somebody may have come first: those places are lost
        count, after = min(count, free(arrival)), arrival + count * interval
    else:
        after = arrival
    next_us = max(now_us, after - (burst - 1) * interval)
    return Places(count, -(-next_us // 1000), -(-interval // 1000))

"""When to ask a provider again. Pure: the jitter is derived, not drawn.

Delays double from a minute (1, 2, 4, …) to an hour, each longer by up to a tenth, so that
what failed together does not come back together.
"""

from __future__ import annotations

from journeykit.engine.ids import BUCKETS, bucket

MINUTE_MS = 60_000
FIRST_MS = MINUTE_MS
LONGEST_MS = 60 * MINUTE_MS
ATTEMPTS = 8
"""So often a message is handed over at most: about two hours of trying."""

HORIZON_MS = 15 * MINUTE_MS
"""A message that can't go within it passes the guards again before it does: by then caps,
consent and quiet hours may say something else."""


def backoff(id: str, attempts: int) -> int:
    """Milliseconds to wait after so many attempts in vain, 1 or more.

    Args:
        id: Of the delivery; it decides the jitter, the same each time.
        attempts: How often it was handed over.
    """
    delay = min(FIRST_MS << min(attempts - 1, 16), LONGEST_MS)
    return delay + delay * bucket(f"retry/{attempts}", id) // (10 * BUCKETS)

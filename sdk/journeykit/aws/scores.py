"""Scoring jobs in the cloud: models are asked about all customers, a page at a time.

A job is a chain of messages on the wakes queue, as a visit is, and belongs to nobody: see
`journeykit.aws.visits`. A page that comes twice finds what was reported, and reports nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from journeykit.aws.messages import Visit, visit_parcel
from journeykit.aws.queues import Parcel
from journeykit.errors import InputError
from journeykit.ports import Claims
from journeykit.runtime.scoring import Scan, Scoring

_log = logging.getLogger("journeykit.scores")

SCORE = "score"
"""The reason of a visit that asks models."""

PAGE = 100
"""Customers of a page: it is done, and reported, while one invocation lasts."""


class Wakes(Protocol):
    """The wakes queue."""

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Send parcels, as `Queue.send` does."""
        ...


def begin(
    names: Sequence[str],
    known: Sequence[str],
    wakes: Wakes,
    *,
    now: int,
    token: Callable[[], str] = lambda: secrets.token_hex(8),
) -> Sequence[str]:
    """Begin a job; return the scores that it computes.

    Args:
        names: The scores that are wanted; all of them if none is named.
        known: The scores of the bundle.
        wakes: Where its pages go.
        now: The clock, milliseconds.
        token: Draws the job's id, and what tells its messages apart.

    Raises:
        InputError: The bundle has no such score, or none at all.
        StoreError: Perhaps it was not begun; the same again does no harm.
    """
    unknown = sorted({*names} - {*known})
    if unknown or not known:
        there = (
            ", ".join(known) or "none; [scores] names those that a bundle takes along"
        )
        named = ", ".join(map(repr, unknown)) or "any"
        raise InputError(f"the bundle has no score {named:.200}; it has {there}")
    wanted = sorted({*names} or {*known})
    visit = Visit(
        id=token(),
        reason=SCORE,
        journey=" ".join(wanted),
        started_at=now,
        token=token(),
    )
    wakes.send([visit_parcel(visit)])
    return wanted


class ScorePages:
    """Does a page at a time. Any number of processes may."""

    def __init__(
        self,
        scan: Scan,
        wakes: Wakes,
        claims: Claims,
        scoring: Scoring,
        *,
        page: int = PAGE,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Join the parts.

        Args:
            scan: All customers.
            wakes: Where the next page goes.
            claims: Who does a page that came twice; these claims are visits' only.
            scoring: Asks the models.
            page: How many customers are read at once.
            token: Draws what tells a job's messages apart.
        """
        self._scan = scan
        self._wakes = wakes
        self._claims = claims
        self._scoring = scoring
        self._page = page
        self._token = token

    def page(self, visit: Visit, *, now: int) -> Visit | None:
        """Ask about the customers of a page, and send the next page's message.

        Returns:
            The next page; None: this was the last one, or is somebody else's.

        Raises:
            StoreError: It is not done; the same page is to come again.
        """
        key = f"{visit.id}/{visit.page}"
        if not self._claims.claim(key, visit.token, 1, at=now):
            return None
        customers = self._scan.scan(visit.cursor, self._page)
        # A bundle that was deployed meanwhile may have fewer.
        names = {*visit.journey.split()} & {*self._scoring.names}
        if names:
            done = self._scoring.score(customers, now=now, names=names)
            for name, count in done.failed.items():
                _log.error("score %r failed for %d of a page", name, count)
        visited = visit.visited + len(customers)
        if len(customers) < self._page or not names:
            _log.info("scoring %s is through: %d customers", visit.id, visited)
            return None
        next_page = replace(
            visit,
            cursor=customers[-1].id,
            visited=visited,
            page=visit.page + 1,
            token=self._token(),
        )
        self._wakes.send([visit_parcel(next_page)])
        return next_page

"""Visit jobs in the cloud: who is concerned by something new is woken, or launched.

A job is a chain of messages on the wakes queue, a page each. Whoever is handed a page
reads so many customers, sends a wake-up to those who are concerned, and then the message
of the next page. There is nobody who holds the job, so nobody's end ends it: a page that
was not acknowledged comes again, and then some are woken twice, which does no harm.

A job that concerns everybody is several chains side by side, each through its part of the
table, which DynamoDB calls a segment of a parallel scan.

Nor does it make two jobs of one. Each message has a token of its own, and a page belongs
to the token that claims it first. When a page comes again, a second message of the next
one goes out, and of the two only one is done. The claimed one can't be lost: its message
is acknowledged after the next one was sent.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from journeykit.aws.messages import Visit, stimulus_parcel, visit_parcel
from journeykit.aws.queues import MAX_DELAY_S, Parcel, Unsendable
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Launch, Stimulus, WakeUp
from journeykit.ports import Claims
from journeykit.runtime.concerned import EVERYBODY, LAUNCH
from journeykit.runtime.visits import is_concerned

_log = logging.getLogger("journeykit.visits")

SETTLED_S = 60
"""A visit is begun before its catalog is stored, so that nobody's end in between loses it,
and is to come when everybody goes by the new one: who enters a stopped journey by the old
one, or a wake-up that is handled by it, would be missed. Storing takes up to 20 s (else
the visit is begun once more), functions go by a catalog that may be 5 s old, and a write
that was decided by it is given up by its client after 27 s."""

PAGE = 500
"""Customers that are read at once: one or two seconds of work."""

PER_SECOND = 200
"""Who is concerned by a resume is due at once, and has something to be sent."""

PARTS = 4
"""How many chains a job of everybody has: together 800 wake-ups a second, so a million
customers in 21 minutes."""


class Scan(Protocol):
    """All customers, whole or part by part."""

    def scan(
        self, after: str, limit: int, *, part: int = 0, parts: int = 1
    ) -> Sequence[Customer]:
        """Return the customers of a part behind an id (empty: from the start)."""
        ...


class Wakes(Protocol):
    """The wakes queue."""

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Send parcels, as `Queue.send` does."""
        ...


class VisitPages:
    """Begins visit jobs, and does a page at a time. Any number of processes may."""

    def __init__(
        self,
        scan: Scan,
        wakes: Wakes,
        claims: Claims,
        *,
        page: int = PAGE,
        per_second: float = PER_SECOND,
        parts: int = PARTS,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Join the parts.

        Args:
            scan: All customers.
            wakes: Where pages and wake-ups go.
            claims: Who does a page that came twice; these claims are nobody else's.
            page: How many customers are read at once.
            per_second: How many are woken in a second, about, by each part of a job.
            parts: In how many parts a job goes that concerns everybody.
            token: Draws a job's id, and what tells its messages apart.
        """
        self._scan = scan
        self._wakes = wakes
        self._claims = claims
        self._page = page
        self._per_second = per_second
        self._parts = parts
        self._token = token

    def begin(self, reason: str, journey: str, *, now: int) -> Visit:
        """Begin a job whose first page comes when what it is about is settled.

        Args:
            reason: Why: `resume`, `stop`, `publish`, `launch`.
            journey: Whom it concerns: those who run in it; for `launch`, who is in what it
                is about. Empty: everybody.
            now: The clock, milliseconds.

        Raises:
            StoreError: Perhaps it was not begun; the same again does no harm.
        """
        id = self._token()
        parts = self._parts if journey == EVERYBODY or reason == LAUNCH else 1
        visits = [
            Visit(
                id=id,
                reason=reason,
                journey=journey,
                started_at=now,
                token=self._token(),
                part=part,
                parts=parts,
            )
            for part in range(parts)
        ]
        self._wakes.send([visit_parcel(visit, delay_s=SETTLED_S) for visit in visits])
        return visits[0]

    def page(self, visit: Visit, *, now: int) -> Visit | None:
        """Wake who is concerned on a page, and send the next page's message.

        Args:
            visit: The page.
            now: The clock, milliseconds.

        Returns:
            The next page; None: this was the last one, or is somebody else's.

        Raises:
            StoreError: It is not done; the same page is to come again.
        """
        part = f"{visit.part}." if visit.parts > 1 else ""
        key = f"{visit.id}/{part}{visit.page}"
        if not self._claims.claim(key, visit.token, 1, at=now):
            return None
        if visit.parts > 1:
            customers = self._scan.scan(
                visit.cursor, self._page, part=visit.part, parts=visit.parts
            )
        else:
            customers = self._scan.scan(visit.cursor, self._page)
        is_launch = visit.reason == LAUNCH
        whom = EVERYBODY if is_launch else visit.journey
        concerned = [one.id for one in customers if is_concerned(one, whom)]
        self._stir(visit, concerned, now)
        visited = visit.visited + len(concerned)
        if len(customers) < self._page:
            _log.info(
                "visit %s (%s, part %d of %d) is through: %d woken",
                visit.id,
                visit.reason,
                visit.part + 1,
                visit.parts,
                visited,
            )
            return None
        next_page = replace(
            visit,
            cursor=customers[-1].id,
            visited=visited,
            page=visit.page + 1,
            token=self._token(),
        )
        self._wakes.send(
            [visit_parcel(next_page, delay_s=self._delay_s(len(concerned)))]
        )
        return next_page

    def _stir(self, visit: Visit, ids: Sequence[str], now: int) -> None:
        """Send what wakes people, spread over the time that it is to take."""
        if not ids:
            return
        parcels = [
            stimulus_parcel(_stimulus(visit, id, now), delay_s=self._delay_s(n))
            for n, id in enumerate(ids)
        ]
        try:
            self._wakes.send(parcels)
        except Unsendable as error:  # the others were sent, and the job goes on
            _log.error("%d wake-ups can't be sent: %s", len(error.refused), error)

    def _delay_s(self, count: int) -> int:
        return min(int(count / self._per_second), MAX_DELAY_S)


def _stimulus(visit: Visit, customer: str, now: int) -> Stimulus:
    if visit.reason != LAUNCH:
        return WakeUp(customer)
    return Launch(
        id=f"visit-{visit.id}",
        journey=visit.journey,
        customer=customer,
        received_at=to_datetime(now),
    )

"""Visit jobs: what must reach people who have no stimulus of their own.

A resume, a stop, a publish of other segments or schedules, the launch of a journey, and a
file of people to enroll or remove are jobs: they go through their people page by page, and
how far they have come is stored with each page. Whoever was visited twice, because the
process died in between, is not concerned: a second wake-up finds nothing to do, and calls
have ids that are derived from the job. The first one
writes the catalog's revision into the document, so that a worker that still decides by
the one before it decides again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Enroll, Launch, Remove, Stimulus
from journeykit.errors import InputError
from journeykit.model.events import checked_call
from journeykit.ports import Job, Jobs, Scan
from journeykit.runtime.concerned import EVERYBODY, LAUNCH
from journeykit.runtime.runtime import BATCH, Runtime

PEOPLE_BYTES = 64 * 1024 * 1024
"""The most that a file of people may have: a job keeps it until it is done."""


class Person(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A line of a file of people.

    Attributes:
        customer: Whom.
        entry: What the run is to know.
        erased: Whether they were forgotten since the job began. Then it says nothing else,
            and is there so that the lines behind it keep their numbers.
    """

    customer: str
    entry: dict[str, Any] = {}
    erased: bool = False


_person = msgspec.json.Decoder(Person)


def people(lines: bytes, *, place: str = "", stored: bool = False) -> list[Person]:
    """Read whom a file names: a customer's id a line, or an object of it.

    Args:
        lines: The file.
        place: What it is called.
        stored: Whether a job keeps it, so that some may have been erased since.

    Raises:
        InputError: A line names nobody; it says which.
    """
    if len(lines) > PEOPLE_BYTES:
        raise InputError(
            f"{len(lines):,} bytes are more than a job keeps ({PEOPLE_BYTES:,}); "
            "split the file",
            place=place,
        )
    found = []
    for number, line in enumerate(lines.splitlines(), 1):
        text = line.strip()
        if not text:
            continue
        try:
            if text.startswith(b"{"):
                found.append(_person.decode(text))
            else:
                found.append(Person(text.decode()))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(
                f"names nobody ({error}); write a customer's id, or "
                '{"customer": "ada", "entry": {}}',
                place=f"{place}:{number}",
            ) from error
        if not (stored and found[-1].erased):
            _checked(found[-1], f"{place}:{number}")
    return found


def _checked(person: Person, place: str) -> None:
    """Refuse a line that no door would take."""
    if person.erased:
        raise InputError("names nobody: only a job says `erased`", place=place)
    checked_call(_enroll("a-journey", person, "id", to_datetime(0)), place)


def is_concerned(customer: Customer, journey: str) -> bool:
    """Whether something of a customer obeys a journey's state: a run, a held message.

    A visit without a journey concerns everybody; nothing concerns a tombstone.
    """
    if customer.merged_into:
        return False
    return (
        journey == EVERYBODY
        or any(run.journey == journey for run in customer.active)
        # A run may be over while a message of it is still held.
        or any(one.message.journey == journey for one in customer.held)
    )


class Visits:
    """Runs jobs. Several processes may, at worst they do the same twice."""

    def __init__(self, scan: Scan, jobs: Jobs, runtime: Runtime) -> None:
        """Join the parts."""
        self._scan = scan
        self._jobs = jobs
        self._runtime = runtime

    def run(self, job: Job, *, now: int) -> Job:
        """Run a job to its end, from where it stopped; return it as it is then."""
        for step in self.pages(job, now=now):
            job = step
        return job

    def unfinished(self, *, now: int) -> int:
        """Run what somebody left behind; return how many jobs that were."""
        jobs = self._jobs.unfinished()
        for job in jobs:
            self.run(job, now=now)
        return len(jobs)

    def pages(self, job: Job, *, now: int) -> Iterator[Job]:
        """Run a job page by page; yield it after each, stored."""
        if not job.id:
            job = self._jobs.save(replace(job, started_at=now))
        pages = self._running
        if job.people:
            pages = self._named
        elif job.reason == LAUNCH:
            pages = self._launched
        for page in pages(job, now):
            yield self._jobs.save(page)

    def _running(self, job: Job, now: int) -> Iterator[Job]:
        """Wake those who run in the journey."""
        while True:
            page = self._scan.scan(job.cursor, BATCH)
            concerned = [
                customer.id for customer in page if is_concerned(customer, job.journey)
            ]
            if concerned:
                self._runtime.wake(concerned, now=now)
            job = replace(
                job,
                cursor=page[-1].id if page else job.cursor,
                visited=job.visited + len(concerned),
                done=len(page) < BATCH,
            )
            yield job
            if job.done:
                return

    def _launched(self, job: Job, now: int) -> Iterator[Job]:
        """Let enter a journey who is by now in what it is about."""
        at = to_datetime(now)
        while True:
            page = self._scan.scan(job.cursor, BATCH)
            stimuli: list[Stimulus] = [
                Launch(
                    id=f"job-{job.id}",
                    journey=job.journey,
                    customer=customer.id,
                    received_at=at,
                )
                for customer in page
                if not customer.merged_into
            ]
            if stimuli:
                self._runtime.ingest(stimuli, now=now, door="job")
            job = replace(
                job,
                cursor=page[-1].id if page else job.cursor,
                visited=job.visited + len(stimuli),
                done=len(page) < BATCH,
            )
            yield job
            if job.done:
                return

    def _named(self, job: Job, now: int) -> Iterator[Job]:
        """Enroll or remove the people of a file, but those who were erased since."""
        named = people(job.people, stored=True)
        start = int(job.cursor or 0)
        at = to_datetime(job.started_at or now)
        while True:
            if (kept := self._kept(job)) != job.people:
                job = replace(job, people=kept)
                named = people(kept, stored=True)
            page = named[start : start + BATCH]
            stimuli: list[Stimulus] = [
                _call(job.reason, job.journey, one, f"job-{job.id}-{start + n}", at)
                for n, one in enumerate(page)
                if not one.erased
            ]
            if stimuli:
                self._runtime.ingest(stimuli, now=now, door="job")
            start += len(page)
            done = start >= len(named)
            job = replace(
                job,
                cursor=str(start),
                visited=start,
                done=done,
                people=b"" if done else job.people,
            )
            yield job
            if done:
                return

    def _kept(self, job: Job) -> bytes:
        """Whom a job names by now: another process may have forgotten somebody."""
        return next(
            (one.people for one in self._jobs.unfinished() if one.id == job.id),
            job.people,
        )


def _call(
    reason: str, journey: str, person: Person, id: str, at: datetime
) -> Enroll | Remove:
    if reason == "remove":
        return Remove(id=id, journey=journey, customer=person.customer, received_at=at)
    return _enroll(journey, person, id, at)


def _enroll(journey: str, person: Person, id: str, at: datetime) -> Enroll:
    return Enroll(
        id=id,
        journey=journey,
        customer=person.customer,
        received_at=at,
        entry=person.entry,
    )

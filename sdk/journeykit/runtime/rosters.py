"""Whom unfinished jobs name, and taking somebody's name out of them.

A job keeps the people that it was given until it is done. Who is forgotten meanwhile is
not to be called by it any more. Their line stays, without their name: how far the job has
come is counted in lines, and so are the ids of what it has called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from journeykit.errors import InputError
from journeykit.ports import Job
from journeykit.runtime.visits import Person, people

ERASE = "erase"
"""Why a job names people: they are to be forgotten."""

_NOBODY = msgspec.json.encode(Person("", erased=True))


class Erasure(msgspec.Struct, frozen=True):
    """What an erase job is to do.

    Attributes:
        people: Whose names are to be forgotten.
        archive: Whether the lines of the event archive go, too.
    """

    people: list[str]
    archive: bool = True


def erasure_of(job: Job) -> Erasure:
    """What an erase job is to do."""
    return msgspec.json.decode(job.people, type=Erasure)


def named_in(job: Job, customers: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield what a job keeps about customers, as JSON values."""
    if not job.people:
        return
    what = {"reason": job.reason, "journey": job.journey}
    for one in _known(job):
        if one.customer in customers and not one.erased:
            yield {**what, **msgspec.to_builtins(one)}


def without(job: Job, customers: Collection[str]) -> Job:
    """The job without customers; done, if it was to forget nobody else.

    The same job, if it names none of them.
    """
    if not any(named_in(job, customers)):
        return job
    if job.reason == ERASE:
        asked = erasure_of(job)
        left = [id for id in asked.people if id not in customers]
        changed = Erasure(left, asked.archive)
        return replace(job, people=msgspec.json.encode(changed), done=not left)
    lines = (
        _NOBODY if one.customer in customers else msgspec.json.encode(one)
        for one in _known(job)
    )
    return replace(job, people=b"\n".join(lines))


def _known(job: Job) -> list[Person]:
    """Whom a job names; nobody, if that can't be read: then nobody is called either."""
    try:
        if job.reason == ERASE:
            return [Person(id) for id in erasure_of(job).people]
        return people(job.people, stored=True)
    except (InputError, msgspec.DecodeError):
        return []

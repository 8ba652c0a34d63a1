"""What the embedded store knows of people: to be shown to them, and to be forgotten.

Forgetting is one transaction. SQLite then writes zeros over what it removes, and empties
the log that it writes ahead, as far as nobody reads it at that moment.
"""

# ruff: noqa: S608 - the statements are ours; what comes from outside is a parameter

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from uuid import uuid4

import msgspec

from journeykit.engine.stimuli import decoded
from journeykit.local.documents import unpacked_command
from journeykit.ports import Holding, Job
from journeykit.runtime.rosters import named_in, without

_AMONG = "in (select value from json_each(?1))"

# Of each part: what is told, and from which rows.
_PARTS = {
    "claim": ("key, holder as customer, place", f"claim where holder {_AMONG}"),
    "conflict": (
        "*",
        f"conflict where holder {_AMONG} or claimant {_AMONG}",
    ),
    "delivery": (
        """delivery.id, channel, journey, version, step, enrollment, template, outcome,
        at, reason, provider_id, test, address""",
        f"""delivery join origin on origin.id = origin
        where customer in (select id from customer where name {_AMONG})""",
    ),
    "identifier": ("*", f"identity where customer {_AMONG}"),
    "notice": ("*", f"notice where customer {_AMONG}"),
    "reference": ("*", f"reference where customer {_AMONG}"),
}
_COMMANDS = f"""
    select body from command
    where customer in (select id from customer where name {_AMONG}) order by id"""
# What nobody could read says in its columns about nobody.
_LETTERS = f"""
    select id, at, door, reason, customer, kind, body from dead_letter
    where customer {_AMONG} or customer = '' order by id"""
_JOBS = """
    select id, reason, journey, people from job join job_people on job = id
    where people != x'' order by id"""
_WAITING = "select id, kind, body from inbox order by id"

_OF_NUMBERED = ("wakeup", "command", "delivery")
_OF_NAMED = {
    "conflict": f"holder {_AMONG} or claimant {_AMONG}",
    "identity": f"customer {_AMONG}",
    "notice": f"customer {_AMONG}",
    "reference": f"customer {_AMONG}",
}
_TOLD_AS = {"identity": "identifier", "customer": "document", "inbox": "stimulus"}


def holdings(
    db: sqlite3.Connection, customers: Collection[str], is_about: Callable[[str], bool]
) -> list[Holding]:
    """Return what is kept about customers, their documents apart.

    Args:
        db: The database.
        customers: Who.
        is_about: Whether a text that nobody could read is about them.
    """
    return [
        Holding(part, body)
        for part, body in sorted(
            _told(db, _listed(customers), is_about), key=lambda told: told[0]
        )
    ] + [Holding("stimulus", body) for _, body in _stimuli(db, {*customers})]


def _told(
    db: sqlite3.Connection, names: str, is_about: Callable[[str], bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for part, (columns, rows) in _PARTS.items():
        cursor = db.execute(f"select {columns} from {rows}", (names,))
        titles = [title for title, *_ in cursor.description]
        for row in cursor:
            yield (
                part,
                {
                    title: _readable(value)
                    for title, value in zip(titles, row, strict=True)
                },
            )
    for (body,) in db.execute(_COMMANDS, (names,)):
        yield "command", msgspec.to_builtins(unpacked_command(body))
    customers = {*msgspec.json.decode(names)}
    for job in _jobs(db):
        yield from (("job", told) for told in named_in(job, customers))
    for _, at, door, reason, customer, kind, body in _letters(db, names, is_about):
        letter = {"at": at, "door": door, "reason": reason, "customer": customer}
        yield "dead_letter", {**letter, "kind": kind, "body": _dead(kind, body)}


def _jobs(db: sqlite3.Connection) -> list[Job]:
    """The unfinished jobs that name people."""
    return [
        Job(id, reason, journey, people=people)
        for id, reason, journey, people in db.execute(_JOBS)
    ]


def _letters(
    db: sqlite3.Connection, names: str, is_about: Callable[[str], bool]
) -> Iterator[tuple[Any, ...]]:
    for letter in db.execute(_LETTERS, (names,)):
        *_, customer, _, body = letter
        if customer or is_about(body.decode("utf-8", "replace")):
            yield letter


def _readable(value: object) -> object:
    """A column's value as JSON: bodies are JSON, ids of ours are short."""
    if not isinstance(value, bytes):
        return value
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(value)
    return value.hex()


def _dead(kind: str, body: bytes) -> object:
    """What could not be handled, readable if it can be."""
    with contextlib.suppress(ValueError):
        return msgspec.to_builtins(decoded(kind, body))
    return body.decode("utf-8", "replace")


def _stimuli(
    db: sqlite3.Connection, customers: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for id, kind, body in db.execute(_WAITING):
        with contextlib.suppress(ValueError):  # one that can't be read is buried later
            stimulus = decoded(kind, body)
            if stimulus.customer in customers:
                yield id, msgspec.to_builtins(stimulus)


def erase(
    db: sqlite3.Connection, customers: Collection[str], is_about: Callable[[str], bool]
) -> Mapping[str, int]:
    """Forget customers, within a transaction that somebody else has begun.

    Args:
        db: The database.
        customers: Whom.
        is_about: Whether a text that nobody could read is about them.
    """
    names = _listed(customers)
    erased: dict[str, int] = {}

    def done(part: str, statement: str) -> None:
        rows = db.execute(statement, (names,)).rowcount
        erased[_TOLD_AS.get(part, part)] = rows

    numbers = f"customer in (select id from customer where name {_AMONG})"
    for table in _OF_NUMBERED:
        done(table, f"delete from {table} where {numbers}")
    for table, whose in _OF_NAMED.items():
        done(table, f"delete from {table} where {whose}")
    done("customer", f"delete from customer where name {_AMONG}")
    waiting = [(id,) for id, _ in _stimuli(db, {*customers})]
    db.executemany("delete from inbox where id = ?", waiting)
    # By rows, since each gets a name of its own, and a place stays taken.
    claims = db.execute(
        f"select key, holder from claim where holder {_AMONG}",
        (names,),
    ).fetchall()
    db.executemany(
        "update claim set holder = ? where key = ? and holder = ?",
        [(f"~{uuid4().hex}", key, holder) for key, holder in claims],
    )
    jobs = 0
    for job in _jobs(db):
        if (count := sum(1 for _ in named_in(job, {*customers}))) == 0:
            continue
        jobs += count
        left = without(job, customers)
        if left.done:
            db.execute("delete from job where id = ?", (job.id,))
            db.execute("delete from job_people where job = ?", (job.id,))
        else:
            db.execute(
                "update job_people set people = ? where job = ?", (left.people, job.id)
            )
    letters = [(id,) for id, *_ in _letters(db, names, is_about)]
    db.executemany("delete from dead_letter where id = ?", letters)
    del erased["wakeup"]  # a part of the document
    erased |= {
        "claim": len(claims),
        "dead_letter": len(letters),
        "job": jobs,
        "stimulus": len(waiting),
    }
    return {part: count for part, count in sorted(erased.items()) if count}


def _listed(customers: Collection[str]) -> str:
    return msgspec.json.encode([*customers]).decode()

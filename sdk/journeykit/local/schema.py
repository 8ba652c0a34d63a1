"""What stands in the database, and how it came to be so.

    customer     id, name, revision, document        names are written once, ids are short
    layout       id, fields                          what stands where in a document
    wakeup       (due, customer)                     one row a customer who waits: `next_due`
    command      id, due, …, body; index (due)       the outbox; a claimed one is due again
                                                     when its lease ends
    origin       id, channel, journey, …, template   where deliveries come from, each once
    delivery     n, id, customer, origin, …          in the order of their outcomes, 30 days;
                 index (n >> 14, substr(id, 1, 4))   see below
    tally        journey, succeeded, failed
    inbox        id, kind, body
    journal      id, lines                           one block a commit, until it is in a file
    dead_letter  id, at, door, reason, customer, kind, body
    claim        (key, holder), place
    lane         name, arrival                       when the next slot is free, microseconds
    catalog      revision, document                  the last 50
    content      n, id, templates                    the last 50, and those of the newest catalog
    reference    (key, customer), delivery, at;      who is meant by an address or a provider's
                 index (at)                          id, 400 days
    identity     key, customer, at                   whose an identifier is
    conflict     (key, claimant), kind, holder, at;  identifiers of two people, 90 days
                 index (at)
    notice       n, (customer, id), at, body, …;     in-app inboxes, 90 days
                 index (at)
    job          id, …, people
    bookmark     reader, place
    counter      name, value                         the last number given; none comes again

Integers are keys wherever rows are many: rows stay short and what is read together lies
together. How fast the store is depends on how many pages a commit writes. Ids of
deliveries are random, so one index over all of them would have each new one write a page
of its own. This one keeps every 16,384 together, in some 60 pages, and who looks for a
delivery asks each of these parts; four bytes of an id are enough to find it.
"""

from __future__ import annotations

import sqlite3

from journeykit.errors import NewerStore, StoreError

APPLICATION = int.from_bytes(b"jkit", "big")
"""Marks the file as ours (`PRAGMA application_id`)."""

_FIRST = (
    """create table customer (
        id integer primary key,
        name text not null unique,
        revision integer not null,
        document blob not null
    )""",
    """create table layout (
        id integer primary key,
        fields text not null unique
    )""",
    """create table wakeup (
        due integer not null,
        customer integer not null,
        primary key (due, customer)
    ) without rowid""",
    """create table command (
        id integer primary key,
        due integer not null,
        claimed integer not null default 0,
        attempts integer not null default 0,
        reserved integer not null default 0,
        customer integer not null,
        body blob not null
    )""",
    "create index command_due on command (due)",
    """create table origin (
        id integer primary key,
        channel text not null,
        journey text not null,
        version integer not null,
        step text not null,
        template text not null,
        test integer not null,
        unique (journey, version, step, channel, template, test)
    )""",
    # An id is 12 bytes where it is 24 hexadecimal digits, else text.
    """create table delivery (
        n integer primary key,
        id not null,
        customer integer not null,
        origin integer not null,
        enrollment not null,
        outcome text not null,
        at integer not null,
        reason text not null,
        provider_id text not null
    )""",
    "create index delivery_id on delivery (n >> 14, substr(id, 1, 4))",
    """create table tally (
        journey text primary key,
        succeeded integer not null,
        failed integer not null
    ) without rowid""",
    """create table inbox (
        id integer primary key,
        kind text not null,
        body blob not null
    )""",
    """create table journal (
        id integer primary key,
        lines blob not null
    )""",
    """create table dead_letter (
        id integer primary key,
        at integer not null,
        door text not null,
        reason text not null,
        customer text not null,
        kind text not null,
        body blob not null
    )""",
    """create table claim (
        key text not null,
        holder text not null,
        place integer not null,
        at integer not null,
        primary key (key, holder),
        unique (key, place)
    ) without rowid""",
    """create table lane (
        name text primary key,
        arrival integer not null
    ) without rowid""",
    """create table catalog (
        revision integer primary key,
        document blob not null
    )""",
    # Last what may be long, so that the rest is read and written without it.
    """create table job (
        id integer primary key,
        reason text not null,
        journey text not null,
        cursor text not null,
        visited integer not null,
        started_at integer not null
    )""",
    """create table job_people (
        job integer primary key,
        people blob not null
    )""",
    """create table bookmark (
        reader text primary key,
        place text not null
    ) without rowid""",
    """create table counter (
        name text primary key,
        value integer not null
    ) without rowid""",
)

_SECOND = (
    """create table content (
        n integer primary key,
        id text not null unique,
        templates blob not null
    )""",
    # Keys and ids as in `delivery`: 12 bytes where they are ours.
    """create table reference (
        key not null,
        customer text not null,
        delivery not null,
        at integer not null,
        primary key (key, customer)
    ) without rowid""",
    "create index reference_at on reference (at)",
    """create table notice (
        n integer primary key,
        customer text not null,
        id text not null,
        at integer not null,
        expires_at integer,
        read_at integer,
        dismissed_at integer,
        body blob not null,
        unique (customer, id)
    )""",
    "create index notice_at on notice (at)",
    "alter table delivery add column address not null default ''",
)

_THIRD = (
    # Keys as in `delivery`: 12 bytes where they are ours.
    """create table identity (
        key not null primary key,
        customer text not null,
        at integer not null
    ) without rowid""",
    """create table conflict (
        key not null,
        claimant text not null,
        kind text not null,
        holder text not null,
        at integer not null,
        primary key (key, claimant)
    ) without rowid""",
    "create index conflict_at on conflict (at)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD)
"""What leads from each shape to the next; `PRAGMA user_version` counts those done."""


def shape_of(db: sqlite3.Connection, name: str, *, known: int = len(MIGRATIONS)) -> int:
    """Return how many migrations a database has behind it; 0: it is empty.

    Raises:
        NewerStore: More than are known.
        StoreError: It is another application's.
    """
    # In one statement, so that it is all of one moment.
    application, shape, tables = db.execute(
        "select application_id, user_version, (select count(*) from sqlite_master) "
        "from pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION and (application or shape or tables):
        raise StoreError(
            f"{name} is another application's database; nothing in it was changed"
        )
    if shape > known:
        raise NewerStore(
            f"{name} was written by a later journeykit (shape {shape}, this one reads "
            f"up to {known}); deploy that release here too"
        )
    return int(shape)


def migrate(
    db: sqlite3.Connection,
    name: str,
    migrations: tuple[tuple[str, ...], ...] = MIGRATIONS,
) -> None:
    """Bring a database to the shape of this release, one migration at a time.

    Each is done whole or not at all. Whoever opens the database at the same time waits.
    """
    known = len(migrations)
    while shape_of(db, name, known=known) < known:
        with db:
            db.execute("begin immediate")
            # Somebody else may have done it between the question and the lock.
            if (shape := shape_of(db, name, known=known)) < known:
                for statement in migrations[shape]:
                    db.execute(statement)
                db.execute(f"pragma application_id = {APPLICATION}")
                db.execute(f"pragma user_version = {shape + 1}")

"""The customer document: everything a decision depends on, apart from the catalog.

One document per customer is the unit of consistency: one reaction is one conditional
write of it. Instants are milliseconds since the epoch, UTC. Fields at their default are
left out of the JSON. `schema` counts the shapes; `upgraded` reads the older ones.

The structs are kept from the garbage collector (`gc=False`): they hold trees of JSON
values, in which there is never a cycle to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from journeykit.engine.commands import SendMessage

SCHEMA = 2
"""The shape of documents that this release writes. 2 came with traits, segments and merged
customers: a release that knows none of them would drop them, and so must not write."""


class Address(msgspec.Struct, gc=False, omit_defaults=True):
    """What we know of one address, apart from the address itself.

    Attributes:
        suppressed: Why nothing may be sent to it; empty if something may.
        bounced_at: When it last bounced softly.
        engaged_at: When a person last opened, clicked or answered something there, to the
            hour: what happens within one hour of it is not written again.
        replied_at: When somebody last wrote to us from there.
    """

    suppressed: str = ""
    bounced_at: int | None = None
    engaged_at: int | None = None
    replied_at: int | None = None


class Consent(msgspec.Struct, gc=False, omit_defaults=True):
    """A yes or no, or a yes that waits to be confirmed; an empty field means all.

    Attributes:
        granted: Yes or no.
        at: Since when.
        channel: For which channel.
        topic: For which topic.
        purpose: For which purpose.
        source: Where it was said, as whoever told us calls it.
        pending: Whether it was requested and not confirmed yet; it is no yes then. It
            stands beside the last word on the same, which it does not undo.
        over: Of a yes that was confirmed: when it was asked for. A no to marketing that
            is older than that, and about more, doesn't hold against it. None: of others.
    """

    granted: bool
    at: int
    channel: str = ""
    topic: str = ""
    purpose: str = ""
    source: str = ""
    pending: bool = False
    over: int | None = None


class Watch(msgspec.Struct, gc=False, omit_defaults=True):
    """A goal that is still open for one run.

    Attributes:
        goal: The goal's id.
        until: Exclusive end of its window; None: as long as the run lasts.
    """

    goal: str
    until: int | None = None


class Enrollment(msgspec.Struct, gc=False, omit_defaults=True):
    """One run of the customer through one journey version.

    Attributes:
        id: Derived; see `journeykit.engine.ids`.
        journey: The journey's id.
        version: The version it runs on to its end.
        n: Counts the customer's entries into this journey, from 1; 0: of a run that came
            with somebody who was merged in.
        entered_at: When it started.
        held_out: Whether it runs no step and only watches the goals.
        key: The value that keeps runs apart, as text; empty if the journey has no key.
        entry: The fields of the entry event that conditions and templates name.
        step: Where it is; empty before the first and in a held-out run.
        visit: How many steps it has arrived at.
        arrived_at: When it should have arrived at this step; expiry counts from here.
        due: When it goes on by itself; None: never.
        standing: It stands before a Send that was deferred.
        arriving: It has yet to arrive at `step`: parked by a pause, or out of budget.
        generation: Which generation of emitted events moved it, while it is held up for
            want of budget.
        latches: WaitFor step to the path whose event came first; -1: none so far.
        watches: The goals still open.
        reached: The goals reached.
        test: Whether test traffic started it.
        rounds: Repeat step to its rounds begun, while it is in one.
        sprint: How many steps it has taken since its last wait, while it is held up for
            want of budget.
        tried: How many channels of the Send that it is at have had their chance. If it
            is more than 0 a message has gone over the last of them.
        results: Call, Collect and Survey step to its result. While a Survey waits for an
            answer it holds `until` when, and the positions of the channels over which it
            was `asked`. While the window of a Collect is
            open it holds what was `gathered`: a key, by which it may be taken back, and
            the item, or null if it is only counted.
        unconfirmed: It has not begun, and begins when a consent is confirmed.
    """

    id: str
    journey: str
    version: int
    n: int
    entered_at: int
    held_out: bool = False
    key: str = ""
    entry: dict[str, Any] = {}
    step: str = ""
    visit: int = 0
    arrived_at: int = 0
    due: int | None = None
    standing: bool = False
    arriving: bool = False
    generation: int = 0
    latches: dict[str, int] = {}
    watches: list[Watch] = []
    reached: list[str] = []
    test: bool = False
    results: dict[str, dict[str, Any]] = {}
    rounds: dict[str, int] = {}
    sprint: int = 0
    tried: int = 0
    unconfirmed: bool = False


class Finished(msgspec.Struct, gc=False, omit_defaults=True):
    """A run that has ended while a goal is still watched.

    Attributes:
        id: The enrollment's id.
        version: Its version, whose goals are asked.
        key: Its key.
        entry: What its goals' conditions may name.
        watches: The goals still open, each with an end.
        reached: The goals reached.
        test: Whether test traffic started it.
    """

    id: str
    version: int
    key: str = ""
    entry: dict[str, Any] = {}
    watches: list[Watch] = []
    reached: list[str] = []
    test: bool = False


class Visits(msgspec.Struct, gc=False, omit_defaults=True):
    """What re-entry asks about earlier runs, for a journey or for one key in it.

    Attributes:
        count: Entries so far.
        last_in: When the last one was.
        last_out: When the last exit was.
        recent: The latest entries, as many as `max_entries` needs.
    """

    count: int = 0
    last_in: int = 0
    last_out: int | None = None
    recent: list[int] = []


class Past(Visits, gc=False, omit_defaults=True):
    """What a journey has been to the customer so far: the visits of all runs, and more.

    `count` numbers the next enrollment.

    Attributes:
        outcome: How the last run ended: a status, and a reason behind a colon.
        arms: Split step to arm, for splits that stick.
        keys: Key to the visits of that key.
        finished: Runs that have ended while a goal is still watched.
        early: The `n` of the latest runs that exited or failed: a message of theirs that
            comes back is not sent any more.
        removed: Whether triggers enter the customer no more, until a call does.
    """

    outcome: str = ""
    arms: dict[str, str] = {}
    keys: dict[str, Visits] = {}
    finished: list[Finished] = []
    early: list[int] = []
    removed: bool = False


class Released(msgspec.Struct, gc=False, array_like=True):
    """A message in the ledger that caps are counted from."""

    at: int
    channel: str
    topic: str
    journey: str
    purpose: str
    delivery_id: str


class Asking(msgspec.Struct, gc=False, omit_defaults=True):
    """What a message in the ledger asks that is a survey's.

    Attributes:
        kind: `nps`, `csat`, `ces` or `text`.
        survey: The survey's name.
        enrollment: The id of the run that asks.
        answered: Whether it was answered.
        test: Whether it is test traffic.
    """

    kind: str
    survey: str
    enrollment: str = ""
    answered: bool = False
    test: bool = False


class Held(msgspec.Struct, gc=False, omit_defaults=True):
    """A released message that came back: the guards are asked again when it is due.

    Attributes:
        message: The command, as it came back.
        since: When it came back.
        due: When it may be asked again; None: parked, its journey is paused.
    """

    message: SendMessage
    since: int
    due: int | None = None


class Score(msgspec.Struct, gc=False, array_like=True):
    """What a model said of the customer, and when.

    Attributes:
        value: A number between 0 and 1, another number, or a name.
        at: When it was computed, milliseconds.
    """

    value: Any
    at: int


class Progress(msgspec.Struct, gc=False, omit_defaults=True):
    """How far the customer has come on the way to a trigger that needs more than one event.

    Attributes:
        due: When it moves by itself: a time that runs out, the next of a schedule; None:
            not by time.
        state: What its kind of trigger keeps, as JSON values.
    """

    due: int | None = None
    state: list[Any] = []


class Customer(msgspec.Struct, gc=False, omit_defaults=True):
    """The aggregate. Treat it as frozen: `react` returns another one.

    Attributes:
        id: Who.
        created_at: When the first event came.
        schema: The shape of this document.
        revision: Counts reactions that changed something; the optimistic lock.
        clock: The customer's own time; it never runs back.
        catalog: The highest catalog revision seen.
        profile: Attributes, `zone` among them.
        addresses: The state of each, under `ids.address_key`.
        consents: The latest per channel, topic and purpose.
        active: The enrollments that have not ended.
        past: By journey.
        ledger: Messages within the longest cap window, oldest first.
        forgotten: Entries into journeys that are forgotten; numbering goes on from there,
            so that no enrollment's id is ever given twice.
        counters: Lifetime caps: scope to count.
        seen: Hash of (source, event id) to the instant it was received.
        next_due: When there is something to do by itself; None: never.
        held: Messages that were released and came back, in the order of their coming.
        salt: What the name in the logs is made with, beside the id. It is nowhere else:
            whoever erases the document makes the log anonymous.
        traits: Declared trait to its state; `journeykit.engine.traits` says which.
        scores: Model to what it said last.
        segments: The segments that the customer is in, each with the instant since when.
        lists: The same of static lists.
        stage: The lifecycle stage; empty: in none, or there are no stages.
        staged_at: Since when.
        audience: The version of the audience's definitions that `segments` and `stage`
            were last judged by.
        flips_at: When a segment or the stage may change by the passing of time alone;
            None: never.
        progress: Trigger (`journey/0`) to how far the customer has come on the way to it.
        identifiers: By which other names the customer is known: `kind:value`.
        merged_into: Of a customer who was merged into another one: into whom. Nothing but
            that is left of them.
        absorbed: Who was merged into this one: `merging.mark_of`; of a merged customer
            what they have left.
        surveys: Which messages in the ledger are surveys', by their delivery ids.
    """

    id: str
    created_at: int
    schema: int  # without a default, so that it is always written
    revision: int = 0
    clock: int = 0
    catalog: int = 0
    profile: dict[str, Any] = {}
    addresses: dict[str, Address] = {}
    consents: list[Consent] = []
    active: list[Enrollment] = []
    past: dict[str, Past] = {}
    forgotten: int = 0
    ledger: list[Released] = []
    counters: dict[str, int] = {}
    seen: dict[int, int] = {}
    next_due: int | None = None
    held: list[Held] = []
    salt: str = ""
    traits: dict[str, Any] = {}
    scores: dict[str, Score] = {}
    segments: dict[str, int] = {}
    lists: dict[str, int] = {}
    stage: str = ""
    staged_at: int = 0
    audience: int = 0
    flips_at: int | None = None
    progress: dict[str, Progress] = {}
    identifiers: list[str] = []
    merged_into: str = ""
    absorbed: list[str] = []
    surveys: dict[str, Asking] = {}


def created(
    id: str, at: int, profile: dict[str, Any] | None = None, *, salt: str = ""
) -> Customer:
    """A customer about whom nothing has been decided yet.

    The salt is drawn by whoever keeps documents and logs; the engine draws nothing.
    """
    return Customer(id, at, SCHEMA, clock=at, profile=profile or {}, salt=salt)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Customer)


def encode(customer: Customer) -> bytes:
    """Write the document as JSON."""
    return _encoder.encode(customer)


def decode(document: bytes) -> Customer:
    """Read a document of this release.

    Raises:
        msgspec.ValidationError: It is damaged, or of another shape: see `upgraded`.
    """
    return _decoder.decode(document)


def upgraded(document: Mapping[str, Any]) -> Customer:
    """Read a document of this or any earlier release.

    Raises:
        ValueError: It is from a later release than this one, or damaged
            (`msgspec.ValidationError` is a ValueError).
    """
    schema = document.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema < 1:
        raise ValueError(f"schema is {schema!r:.40}, which no customer document has")
    if schema > SCHEMA:
        raise ValueError(
            f"this customer was written by a later journeykit (schema {schema}, "
            f"this one reads up to {SCHEMA}); deploy that release here too"
        )
    customer = msgspec.convert(document, Customer, strict=False)
    customer.schema = SCHEMA  # what is new has a default that says: nothing of it yet
    return customer


def encoded(value: object) -> bytes:
    """A part of the document as JSON."""
    return _encoder.encode(value)


def size_of(value: object) -> int:
    """Bytes of JSON that a part of the document takes."""
    return len(_encoder.encode(value))

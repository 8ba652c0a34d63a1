"""The customer while a reaction is at work on it, and one run within it.

`react` is pure because it works on a draft: the draft copies what it is about to
change, and at the end it is either taken whole, as the next customer, or dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import LATEST, to_datetime
from journeykit.engine.commands import Command, PublishEvent
from journeykit.engine.conditions import Predicate, Scope
from journeykit.engine.customer import (
    Customer,
    Enrollment,
    Past,
    Visits,
    encoded,
    size_of,
)
from journeykit.engine.due import Due, DueRule
from journeykit.engine.ids import told_id
from journeykit.engine.limits import (
    ACTIVE_BYTES,
    EMIT_GENERATIONS,
    EMITS_AT_ONCE,
    FIELDS_SHOWN,
    PROFILE_BYTES,
    PROFILE_KEYS,
    SENDS_PER_REACTION,
    STEPS_PER_REACTION,
    TOLD_AT_ONCE,
    VALUE_CHARACTERS,
)
from journeykit.engine.moves import Move
from journeykit.engine.trace import TraceEntry
from journeykit.model import cel
from journeykit.model.envelopes import JOURNEYS
from journeykit.model.zones import is_zone, zone

UTC = zone("UTC")


class Happening(msgspec.Struct, frozen=True, gc=False):
    """An event as the engine handles it: from outside, or let happen by an Emit.

    Attributes:
        id: The event's id.
        name: Its name.
        properties: What it carries.
        occurred_at: When it happened; None: now.
        generation: 0 from outside, 1 what that caused, and so on.
        test: Whether it is test traffic.
        inner: Whether the engine tells it of itself: nobody else ever hears of it.
        source: Who says so: for patterns.
        public: Whether an Emit let it happen that publishes it: the archive has it too.
    """

    id: str
    name: str
    properties: Mapping[str, Any]
    occurred_at: datetime | None = None
    generation: int = 0
    test: bool = False
    inner: bool = False
    source: str = JOURNEYS
    public: bool = False

    def fields(self, at: int) -> dict[str, Any]:
        """What conditions see as `event`: the properties, and $id, $name, $time."""
        return {
            **self.properties,
            "$id": self.id,
            "$name": self.name,
            "$time": self.occurred_at or to_datetime(at),
        }

    def tree(self, at: int) -> dict[str, Any]:
        """What patterns see: the event as it would stand on the bus."""
        return {
            "source": self.source,
            "detail-type": self.name,
            "detail": self.properties,
            "id": self.id,
            "time": cel.instant_text(self.occurred_at or to_datetime(at)),
        }


class Starting(msgspec.Struct, frozen=True, gc=False):
    """A journey that a Start step lets the customer enter.

    Attributes:
        id: The derived id; the same again is the same start again.
        journey: The journey's id.
        entry: What the run is to know, as `entry`.
        generation: 1 from a run that time or an event from outside moved, and so on.
        test: Whether it is test traffic.
    """

    id: str
    journey: str
    entry: dict[str, Any]
    generation: int
    test: bool


class Ending(msgspec.Struct, frozen=True, gc=False):
    """Runs that an Exit step of another run ends.

    Attributes:
        journey: The journey whose runs end.
        key: Only the run of this key; None: all of them.
        reason: Why.
        by: The enrollment that it comes from, which stays.
    """

    journey: str
    key: str | None
    reason: str
    by: str


Queued = Happening | Starting | Ending
"""What steps leave for when the rounds are done."""


class Stir(msgspec.Struct, frozen=True, gc=False):
    """What has happened to an enrollment: an event that it hears, a changed profile.

    Attributes:
        event: The event's name; None: none that it hears.
        looks: Whether the profile has changed.
    """

    event: str | None = None
    looks: bool = False

    def meets(self, event: str | None) -> bool:
        """Whether it is this event; for None, whether the profile is to be looked at."""
        return self.looks if event is None else event == self.event


class JourneyFacts:
    """What a run needs to know of its journey.

    Attributes:
        id: The journey's id.
        version: Its version.
        priority: Larger goes first.
        purpose: What its messages are for, unless they say otherwise.
        topic: What they are about, unless they say otherwise.
        zone: Where a customer's own zone isn't known.
        following: Step id to the id of the step behind it; None is the end.
        gathers: Collect step to the name of the events that it gathers.
        around: Step id to the ids of the steps it stands in, and its own.
    """

    id: str
    version: int
    priority: int
    purpose: str
    topic: str
    zone: ZoneInfo | None
    following: dict[str, str | None]
    gathers: dict[str, str]
    around: dict[str, frozenset[str]]

    def behind(self, step: str | None) -> str | None:
        """The id of the step behind a step; None is the end."""
        return None if step is None else self.following[step]


class Draft:
    """A customer that is being changed, and what has been decided so far.

    Attributes:
        scope: What conditions see; whoever makes the draft sets it.
    """

    scope: Scope

    __slots__ = (
        "_zone",
        "absorbed",
        "active",
        "addresses",
        "answered",
        "ask",
        "at",
        "audience",
        "before",
        "catalog",
        "caused",
        "changed",
        "clock",
        "commands",
        "consent_changed",
        "consents",
        "counters",
        "customer",
        "explain",
        "flips_at",
        "forgotten",
        "generation",
        "held",
        "identifiers",
        "judged",
        "ledger",
        "lists",
        "merged_into",
        "now",
        "past",
        "placement",
        "profile",
        "profile_changed",
        "progress",
        "queue",
        "roots",
        "scope",
        "scores",
        "seen",
        "segments",
        "sends_left",
        "stage",
        "staged_at",
        "steps_left",
        "surveys",
        "test",
        "told",
        "trace",
        "traits",
    )

    def __init__(self, customer: Customer, *, now: int, explain: bool) -> None:
        """Start from a customer, who stays as they are."""
        self.before = customer
        self.customer = customer.id
        self.now = now
        self.at = customer.clock
        self.clock = customer.clock
        self.explain = explain
        self.profile = customer.profile
        self.addresses = customer.addresses
        self.consents = customer.consents
        self.consent_changed = False
        self.active = list(customer.active)
        self.past = customer.past
        self.forgotten = customer.forgotten
        self.ledger = customer.ledger
        self.counters = customer.counters
        self.seen = customer.seen
        self.held = customer.held
        self.catalog = customer.catalog
        self.traits = customer.traits
        self.scores = customer.scores
        self.segments = customer.segments
        self.lists = customer.lists
        self.stage = customer.stage
        self.staged_at = customer.staged_at
        self.audience = customer.audience
        self.flips_at = customer.flips_at
        self.progress = customer.progress
        self.identifiers = customer.identifiers
        self.merged_into = customer.merged_into
        self.absorbed = customer.absorbed
        self.surveys = customer.surveys
        self.commands: list[Command] = []
        self.trace: list[TraceEntry] = []
        self.queue: list[Queued] = []
        self.caused = 0
        self.generation = 0
        self.test = False
        self.placement = self.ask = ""  # what is asked now: where, and by which event
        self.answered = False
        self.steps_left = STEPS_PER_REACTION
        self.sends_left = SENDS_PER_REACTION
        self.changed = False
        self.profile_changed = False
        self.roots: set[str] = set()  # what has changed, as conditions call it
        self.judged: Any = None  # what the audience was last judged by
        self.told = 0
        # As the profile was last read; without a zone there is none.
        self._zone: tuple[ZoneInfo | None, object] = (None, None)

    def begin(self, at: int) -> None:
        """An instant begins: a stimulus of its own, whatever came before it here."""
        self.at = at
        self.clock = max(at, self.clock)
        self.generation = self.caused = 0
        self.test = False
        self.scope.step = None

    def note(
        self, kind: str, *, reason: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        """Record a decision that is no single run's."""
        self.trace.append(
            TraceEntry(
                kind, self.at, reason=reason, detail=detail or {}, test=self.test
            )
        )

    def written(
        self, values: Mapping[str, Any], missing: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What of some values the trace may show: names only, unless it explains."""
        names = list(values)[:FIELDS_SHOWN]
        shown: dict[str, Any] = (
            {"values": {cut(name): cut(values[name]) for name in names}}
            if self.explain
            else {"fields": [cut(name) for name in names]}
        )
        if len(values) > len(names):
            shown["more"] = len(values) - len(names)
        if missing:
            shown["missing"] = [cut(name) for name in missing[:FIELDS_SHOWN]]
        return shown

    def write_profile(self, values: Mapping[str, Any]) -> bool:
        """Write attributes, None removing one; False and unchanged if it got too large."""
        profile = {**self.profile, **values}
        for name in [name for name, value in values.items() if value is None]:
            del profile[name]
        # Compared as JSON: to Python 1 and True are equal, to a condition they are not.
        after = encoded(profile)
        if after == encoded(self.profile):
            return True
        if len(profile) > PROFILE_KEYS or len(after) > PROFILE_BYTES:
            return False
        self.profile = self.scope.profile = profile
        self.changed = self.profile_changed = True
        self.roots.add("profile")
        return True

    def has_room(self, more: int) -> bool:
        """Whether the running enrollments may take so many bytes more."""
        return size_of(self.active) + more <= ACTIVE_BYTES

    def may_cause(self) -> bool:
        """Whether a step may cause one thing more: not too many, nor too long a chain."""
        return self.generation < EMIT_GENERATIONS and self.caused < EMITS_AT_ONCE

    def cause(self, item: Queued) -> None:
        """Queue something for after the rounds."""
        self.caused += 1
        self.queue.append(item)

    def tell(
        self, name: str, properties: Mapping[str, Any], *, test: bool | None = None
    ) -> None:
        """Let journeys hear, after the rounds, what the engine itself has to say.

        It is not learned from, remembered, archived or published. What goes too far, as
        something that an event caused which an event caused, is noted and not heard.
        """
        if self.generation >= EMIT_GENERATIONS or len(self.queue) >= TOLD_AT_ONCE:
            self.note("ignored", reason="endless", detail={"event": name})
            return
        self.told += 1
        before = self.before
        id = told_id(self.customer, before.created_at, before.revision, self.told)
        self.queue.append(
            Happening(
                id,
                name,
                properties,
                generation=self.generation + 1,
                test=self.test if test is None else test,
                inner=True,
            )
        )

    def emit(self, happening: Happening, *, public: bool) -> None:
        """Queue an event for after the rounds, and publish it if it is for others too."""
        self.cause(replace(happening, public=True) if public else happening)
        if public:
            self.commands.append(
                PublishEvent(
                    happening.id,
                    happening.name,
                    self.customer,
                    dict(happening.properties),
                    self.at,
                    happening.test,
                )
            )

    @property
    def own_due(self) -> int:
        """When something of the customer's own moves by time: no run, no message.

        A segment or the stage, or the way to a trigger. LATEST: nothing does.
        """
        due = LATEST if self.flips_at is None else self.flips_at
        if self.progress:
            for progress in self.progress.values():
                if progress.due is not None and progress.due < due:
                    due = progress.due
        return due

    @property
    def zone(self) -> ZoneInfo:
        """The customer's own zone, else UTC: for what is no journey's."""
        return self._own_zone() or UTC

    def _own_zone(self) -> ZoneInfo | None:
        known, name = self._zone
        wanted = self.profile.get("zone")
        if name is not wanted:
            known = _zone_or_none(wanted)
            self._zone = (known, wanted)
        return known

    def zone_of(self, facts: JourneyFacts) -> tuple[ZoneInfo, str]:
        """The customer's zone, else the journey's, else UTC; and which of them it is."""
        known = self._own_zone()
        if known is not None:
            return known, "profile"
        if facts.zone is not None:
            return facts.zone, "journey"
        return UTC, "default"

    def writable_past(self, journey: str) -> Past:
        """The same, to be written into; its containers are replaced, not changed."""
        if self.past is self.before.past:
            self.past = dict(self.past)
        past = self.past.get(journey)
        if past is None:
            past = self.past[journey] = Past()
        elif past is self.before.past.get(journey):
            past = self.past[journey] = replace(past)
        return past

    def writable_visits(self, past: Past, key: str) -> Visits:
        """The visits of one key, to be written into."""
        known = past.keys.get(key)
        visits = Visits() if known is None else replace(known)
        past.keys = {**past.keys, key: visits}
        return visits


def _zone_or_none(name: object) -> ZoneInfo | None:
    # Asked first: to say what is wrong with a name takes longer than a whole reaction.
    return zone(name) if isinstance(name, str) and is_zone(name) else None


def cut(value: Any) -> Any:
    """A value as the trace shows it: long text is cut, and a large one described."""
    if isinstance(value, str):
        return (
            value
            if len(value) <= VALUE_CHARACTERS
            else value[: VALUE_CHARACTERS - 1] + "…"
        )
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict | list) and size_of(value) > VALUE_CHARACTERS:
        return f"{type(value).__name__} of {len(value)}…"
    return value


class Run:
    """One enrollment while it moves.

    Attributes:
        draft: The customer it belongs to.
        enrollment: A copy, to be written into; its containers are replaced.
        plan: The journey's facts.
        move: What it was told to do, and has not done yet.
        released: Whether a message of this run was released in this reaction.
        sends: The Sends that did so: a step releases one message a reaction.
        waited: How long it has waited since then, milliseconds.
        since_wait: Steps since the last wait.
        generation: 0 if an event from outside moves it, or time; else the emitted event's.
    """

    __slots__ = (
        "draft",
        "ended",
        "enrollment",
        "generation",
        "move",
        "plan",
        "released",
        "sends",
        "since_wait",
        "waited",
    )

    def __init__(
        self, draft: Draft, enrollment: Enrollment, plan: JourneyFacts
    ) -> None:
        """Start to work on an enrollment."""
        self.draft = draft
        self.enrollment = enrollment
        self.plan = plan
        self.move: Move | None = None
        self.released = False
        self.sends: tuple[str, ...] = ()
        self.waited = 0
        self.since_wait = 0
        self.generation = draft.generation
        self.ended = False

    @property
    def scope(self) -> Scope:
        """What conditions see."""
        scope, enrollment = self.draft.scope, self.enrollment
        scope.entry = enrollment.entry
        results = enrollment.results
        scope.step = results and {id: {"result": results[id]} for id in results}
        return scope

    def matches(self, where: Predicate | None) -> bool:
        """Whether an event's condition holds for this run."""
        return where is None or where(self.scope)

    def keep(self, step: str, result: dict[str, Any]) -> bool:
        """Keep a step's result if the document has room; False if it hasn't."""
        known = self.enrollment.results.get(step)
        more = size_of(result) - (0 if known is None else size_of(known))
        if not self.draft.has_room(more):
            return False
        self.put(step, result)
        return True

    def put(self, step: str, result: dict[str, Any]) -> None:
        """Keep a step's result, however large."""
        self.enrollment.results = {**self.enrollment.results, step: result}

    def forget(self, step: str) -> None:
        """Drop a step's result of an earlier round."""
        results = self.enrollment.results
        if step in results:
            self.enrollment.results = {k: v for k, v in results.items() if k != step}

    def due(
        self, rule: DueRule, *, start: int | None = None
    ) -> tuple[Due, dict[str, str]]:
        """When a wait is over that starts now, or then; and in which zone it was found."""
        arrival = self.draft.at if start is None else start
        if rule.elapsed:
            return rule(arrival, UTC, self.scope), {}
        zone, origin = self.draft.zone_of(self.plan)
        found = {"zone": str(zone), "zone_from": origin}
        if origin != "profile" and "zone" in self.draft.profile:
            found["not_a_zone"] = cut(str(self.draft.profile["zone"]))
        return rule(arrival, zone, self.scope), found

    def assigned(self, split: str) -> str | None:
        """The arm that the customer has had at a Split of this journey."""
        past = self.draft.past.get(self.enrollment.journey)
        return past.arms.get(split) if past else None

    def assign(self, split: str, arm: str) -> None:
        """Remember an arm for later runs."""
        past = self.draft.writable_past(self.enrollment.journey)
        past.arms = {**past.arms, split: arm}

    def explained(self, rule: Predicate) -> dict[str, Any]:
        """A condition and, if the reaction is to be explained, what it saw."""
        return explained(rule, self.scope, explain=self.draft.explain)

    def note(
        self,
        kind: str,
        *,
        reason: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Record a decision of this run."""
        enrollment = self.enrollment
        self.draft.trace.append(
            TraceEntry(
                kind,
                self.draft.at,
                enrollment.journey,
                enrollment.version,
                enrollment.id,
                enrollment.step,
                reason,
                detail or {},
                enrollment.test,
            )
        )


def explained(rule: Predicate, scope: Scope, *, explain: bool) -> dict[str, Any]:
    """A condition for the trace; with what it saw and what would have had to differ."""
    if not explain:
        return {"rule": rule.text}
    why = rule.explain(scope)
    detail: dict[str, Any] = {
        "rule": rule.text,
        "values": {name: cut(value) for name, value in why.values.items()},
    }
    if why.missing:
        detail["missing"] = list(why.missing)
    if why.would_hold_if:
        detail["would_hold_if"] = cut(why.would_hold_if)
    return detail

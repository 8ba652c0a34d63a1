"""A journey, compiled: what an enrollment of one version needs to run to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from journeykit.engine.brought import brought, entering, hidden, name_of
from journeykit.engine.calendar import to_ms
from journeykit.engine.conditions import (
    Predicate,
    ValueOf,
    compile_condition,
    compile_value,
)
from journeykit.engine.draft import JourneyFacts
from journeykit.engine.occurrences import ScheduleRule
from journeykit.engine.patterns import Pattern
from journeykit.engine.sequences import Way
from journeykit.engine.steps import KINDS, Send, Step
from journeykit.engine.values import Document
from journeykit.model.durations import Duration
from journeykit.model.rates import Rate
from journeykit.model.zones import zone

BROUGHT = ("becomes", "inactive")
"""The types of triggers that are the entering of a hidden segment."""


class ReEntryRule(msgspec.Struct, frozen=True):
    """May a customer enter again; the fields are those of `journeykit.ReEntry`.

    Attributes:
        is_open: Whether nobody is ever refused.
    """

    mode: str
    cooldown: Duration | None
    max_entries: int | None
    per: Duration | None
    is_open: bool


class When:
    """A trigger or a condition: of a goal, an exit rule or an entry.

    Attributes:
        event: The event's name; None if it is a condition on the profile alone, or a
            pattern.
        where: The condition; None if the event's name is enough.
        pattern: The pattern that says which events; None: the name does.
    """

    __slots__ = ("event", "pattern", "where")

    def __init__(self, document: Document | str) -> None:
        """Compile the document of a trigger, or a condition's text."""
        trigger: Document = (
            {"name": None, "where": document} if isinstance(document, str) else document
        )
        self.event: str | None = trigger.get("name")
        pattern: Document | None = trigger.get("pattern")
        self.pattern = None if pattern is None else Pattern(pattern)
        where: str | None = trigger["where"]
        self.where = None if where is None else compile_condition(where)


class GoalRule:
    """A goal, compiled; the attributes are those of `journeykit.Goal`."""

    __slots__ = ("exits", "id", "value", "when", "within")

    def __init__(self, document: Document) -> None:
        """Compile a Goal."""
        self.id: str = document["id"]
        self.when = When(document["when"])
        value: float | str | None = document["value"]
        self.value: ValueOf | float | None = (
            compile_value(value) if isinstance(value, str) else value
        )
        within: str | None = document["within"]
        self.within = Duration.parse(within) if within else None
        self.exits: bool = document["on_goal"] == "exit"


class ExitWhen:
    """An exit rule, compiled; the attributes are those of `journeykit.ExitRule`."""

    __slots__ = ("reason", "when")

    def __init__(self, document: Document) -> None:
        """Compile an ExitRule."""
        self.when = When(document["when"])
        self.reason: str = document["reason"]


class Latch(msgspec.Struct, frozen=True):
    """An event that a WaitFor counts from an earlier step on."""

    waiting: str
    path: int
    where: Predicate | None


class JourneyPlan(JourneyFacts):
    """One version of a journey, ready to run.

    Attributes:
        entries: The event triggers, in the author's order; and what triggers become that
            are the entering of a hidden segment.
        ways: The triggers that ask for several events, by their names.
        brought: The hidden traits and segments of the triggers.
        api_entries: The conditions of the API triggers.
        schedules: The schedules that start it, by the names of their triggers.
        published_at: When this version was published, milliseconds; 0: not known.
        unique: What only one customer may enter with; None: everybody may.
        steps: All steps by id.
        first: The id of the first; None if there is none.
        goals: The goals.
        exits: The exit rules.
        reentry: May a customer enter again.
        key: What keeps runs apart.
        every_run: Whether an event without the key concerns every run.
        starts_at: No entries before, milliseconds.
        ends_at: No entries from then on, milliseconds.
        ejects_at: When running enrollments end, milliseconds.
        pace: How fast its messages go out; for the dispatcher.
        holdout: Basis points of customers held out.
        salt: What their bucket is drawn with.
        entry_fields: The fields of the entry event that are kept.
        hears: Names of the events that mean something to a running enrollment.
        latches: Event name to the latches that it may close.
        armed_at: Step id to the WaitFor steps whose latches open there.
        asks: What goals, exit rules and waits without an event ask for: `profile`,
            `trait`, `segment`, `consent`.
        asks_profile: Whether any of them asks for anything.
        gate: The segment that a run is kept in only as long as the customer; empty: none.
        marketing: The channels and the topic of each Send that is marketing.
        waits_for_consent: Whether a run waits for a consent that is not confirmed yet.
    """

    def __init__(self, document: Document) -> None:
        """Compile the plan document of a journey."""
        self.id = document["id"]
        self.version = document["version"]
        self.priority = document["priority"]
        self.purpose = document["purpose"]
        self.topic = document["topic"] or ""
        self.zone = zone(document["zone"]) if document["zone"] else None
        self.following = {}
        self.around = {}
        self.steps: dict[str, Step] = {}
        self._inside: frozenset[str] = frozenset()
        self.first = self._lay_out(document["steps"], None)
        self.gathers = {id: s.gathers for id, s in self.steps.items() if s.gathers}
        triggers = document["trigger"]
        self.brought = brought(document)
        self.entries = [
            When(entering(hidden(name)) if item["type"] in BROUGHT else item)
            for name, item in self._named(triggers)
            if item["type"] in ("event", "pattern", *BROUGHT)
        ]
        self.api_entries = [
            compile_condition(item["where"]) if item["where"] else None
            for item in triggers
            if item["type"] == "api"
        ]
        self.schedules = {
            f"{self.id}/{n}": ScheduleRule(item)
            for n, item in enumerate(triggers)
            if item["type"] == "schedule"
        }
        # Only what was published is: a schedule begins with it, as far as anybody knows.
        self.published_at: int = document.get("published_at", 0)
        unique: str | None = document.get("unique")
        self.unique = None if unique is None else compile_value(unique)
        self.goals = {item["id"]: GoalRule(item) for item in document["goal"]}
        self.exits = [ExitWhen(item) for item in document["exit_rules"]]
        self.reentry = _reentry(document["reentry"])
        self.key = compile_value(document["key"]) if document["key"] else None
        self.every_run: bool = document["on_missing_key"] == "all"
        self.starts_at = _ms(document["starts_at"])
        self.ends_at = _ms(document["ends_at"])
        self.ejects_at = self.ends_at if document["on_end"] == "eject" else None
        self.pace = _rate(document.get("pace"))
        holdout = document["holdout"]
        self.holdout = round(holdout["share"] * 100) if holdout else 0
        self.salt: str = (holdout and holdout["salt"]) or self.id
        self.entry_fields = self._entry_fields()
        self.ways = {
            name: Way(item, self, name=name, key=self.key, fields=self.entry_fields)
            for name, item in self._named(triggers)
            if item["type"] == "sequence"
        }
        self.latches: dict[str, list[Latch]] = {}
        self.armed_at: dict[str, list[str]] = {}
        for step in self.steps.values():
            if step.since is not None:
                self.armed_at.setdefault(step.since, []).append(step.id)
                for event, path, where in step.hears():
                    self.latches.setdefault(event, []).append(
                        Latch(step.id, path, where)
                    )
        self.marketing = frozenset(
            (step.channels, step.topic or self.topic)
            for step in self.steps.values()
            if isinstance(step, Send) and (step.purpose or self.purpose) == "marketing"
        )
        # Catalogs are kept for years; those of earlier releases lack it.
        self.waits_for_consent = document.get("on_unconfirmed", "wait") == "wait"
        self.hears = frozenset(self._heard())
        self.asks = frozenset(self._asked())
        self.asks_profile = any(when.event is None for when in self._whens()) or any(
            step.looks for step in self.steps.values()
        )
        self.gate: str = document.get("keep_while_in_segment") or ""

    def _lay_out(self, documents: Sequence[Document], then: str | None) -> str | None:
        """Compile steps that are followed by `then`; return the id of the first."""
        for n, document in enumerate(documents):
            last = n + 1 == len(documents)
            behind = then if last else documents[n + 1]["id"]
            id = document["id"]
            self.following[id] = behind
            outside = self._inside
            self._inside = self.around[id] = outside | {id}
            self.steps[id] = KINDS[document["type"]](document, behind, self._lay_out)
            self._inside = outside
        return documents[0]["id"] if documents else then

    def _named(self, triggers: Sequence[Document]) -> Iterator[tuple[str, Document]]:
        """The triggers with their names."""
        for place, item in enumerate(triggers):
            yield name_of(self.id, place), item

    def _whens(self) -> list[When]:
        """What the goals and the exit rules ask for."""
        return [*(g.when for g in self.goals.values()), *(e.when for e in self.exits)]

    def listening(self, name: str) -> Iterator[Predicate | None]:
        """The conditions of whatever listens to an event of this name."""
        whens = [*self.entries, *self._whens()]
        yield from (when.where for when in whens if when.event == name)
        patterns = [when.pattern for when in self.entries if when.pattern is not None]
        yield from (None for pattern in patterns if name in (pattern.names or ()))
        for way in self.ways.values():
            yield from (role.where for role in way.roles if role.event == name)
        for step in self.steps.values():
            yield from (where for event, _, where in step.hears() if event == name)

    def _entry_fields(self) -> tuple[str, ...]:
        read = {path for step in self.steps.values() for path in step.paths}
        for when in self._whens():
            read |= when.where.paths if when.where else set()
        for goal in self.goals.values():
            read |= goal.value.paths if isinstance(goal.value, ValueOf) else set()
        names = {str(path[1]) for path in read if path[0] == "entry" and path[1:]}
        return tuple(sorted(names))  # in an order that no hash seed changes

    def _asked(self) -> Iterator[str]:
        """What is asked for without an event."""
        for when in self._whens():
            if when.event is None and when.where is not None:
                yield from (str(path[0]) for path in when.where.paths)
        for step in self.steps.values():
            if step.looks:
                yield from (str(path[0]) for path in step.paths)

    def _heard(self) -> Iterator[str]:
        """The events that mean something to a running enrollment."""
        yield from (when.event for when in self._whens() if when.event is not None)
        for step in self.steps.values():
            yield from (event for event, _, _ in step.hears())


def _reentry(document: Document) -> ReEntryRule:
    def duration(name: str) -> Duration | None:
        return Duration.parse(document[name]) if document[name] else None

    mode, most = document["mode"], document["max_entries"]
    cooldown, per = duration("cooldown"), duration("per")
    is_open = mode in ("always", "restart") and cooldown is None and most is None
    return ReEntryRule(mode, cooldown, most, per, is_open)


def _rate(text: str | None) -> Rate | None:
    return None if text is None else Rate.parse(text)


def _ms(text: Any) -> int | None:
    return None if text is None else to_ms(datetime.fromisoformat(text))

"""The catalog: everything that decides beside the customer, compiled and versioned.

A catalog is a versioned input of `react`, never something that it looks up. It comes
from plan documents (plain JSON values), so that a process that only runs journeys needs
nothing of what authors write them with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, Protocol, Self

import msgspec

from journeykit.engine.audience import Audience
from journeykit.engine.calendar import LATEST
from journeykit.engine.conditions import ValueOf
from journeykit.engine.customer import Enrollment, Held
from journeykit.engine.guards import ChannelRules, Guards, PluginGuard
from journeykit.engine.matching import Hearing, Triggers, heard
from journeykit.engine.occurrences import ScheduleRule
from journeykit.engine.plan import JourneyPlan, When
from journeykit.engine.sequences import Role, Way
from journeykit.engine.suppressions import EMPTY, SuppressionList
from journeykit.engine.telling import watched
from journeykit.engine.traits import TraitRules
from journeykit.engine.values import Document
from journeykit.errors import DefinitionError
from journeykit.model.durations import Duration
from journeykit.model.events import CALL_RESULTS
from journeykit.model.rates import Rate
from journeykit.model.shapes import NO_SHAPES, Shapes

State = Literal["live", "paused", "stopped", "draft", "closed"]
"""`live` · `paused`: nobody enters or moves on, goals and exit rules act · `stopped`:
all runs end · `draft`: nobody enters yet, runs move on · `closed`: nobody enters any
more, runs move on to their end."""

_NOT_ASKED = frozenset[State](["draft", "closed"])  # their triggers hear no event
NOT_SCHEDULED = frozenset[State](["draft", "closed", "stopped"])
"""Nobody is woken by the schedules of these journeys. Those of a paused one go on, and it
refuses entry."""


class Planned(Protocol):
    """A definition that can write its plan document: a Journey, Policies."""

    def to_plan(self) -> dict[str, Any]:
        """Write every field as plain JSON values, defaults included."""
        ...


class BreakerRule(msgspec.Struct, frozen=True):
    """When a journey is paused by itself; the fields are those of `journeykit.Breaker`."""

    share: float
    at_least: int


class Entry:
    """An event trigger of a live journey, or what an event is to a sequence.

    Attributes:
        plan: The journey.
        when: The event.
        way: The sequence; None: the event itself starts a run.
        role: What the event is to the sequence.
        pattern: The pattern that the event must match; None: its name is enough.
    """

    __slots__ = ("pattern", "plan", "role", "way", "when")

    def __init__(
        self,
        plan: JourneyPlan,
        when: When | Role,
        way: Way | None = None,
        role: Role | None = None,
    ) -> None:
        """Join the trigger with its journey."""
        self.plan = plan
        self.when = when
        self.way = way
        self.role = role
        self.pattern = when.pattern if isinstance(when, When) else None

    @property
    def hearing(self) -> Hearing:
        """The event that it is for."""
        return Hearing(self.when.event, self.when.where, self.pattern)


def _customer_id(profile: Mapping[str, object], customer: str) -> str | None:
    """The address where no plugin knows a better one."""
    return customer


BY_CUSTOMER_ID = ChannelRules(address=_customer_id, normalize=str)
"""How a channel is addressed that no plugin has rules for: by the customer's id."""


class Schedule(NamedTuple):
    """A schedule of a live journey."""

    plan: JourneyPlan
    rule: ScheduleRule


class Catalog:
    """Journeys, policies and states, ready to decide with.

    Attributes:
        revision: Counts publishes and state changes; a document keeps the highest seen.
        plans: Journey and version to the plan.
        live: Journey to its newest plan.
        guards: The rules of sending.
        max_age: Older events move no journey.
        shapes: What events must hold to be handled at all; whoever calls `react` asks.
        pace: Channel to how fast its messages go out; for the dispatcher, like a plan's.
        breaker: When failures pause a journey; None: never.
        certainly_young_ms: Below it an event is young enough in every time zone.
        entries: The triggers that an event may meet, by priority.
        ways: The triggers that ask for several events, by their names.
        schedules: The schedules that start journeys, by the names of their triggers; by
            priority of the journeys.
        watched: The attributes of the profile whose changes somebody listens to; None:
            those of all.
        any_unique: Whether any journey takes one customer of a value only.
        running: The names of the events that mean something to running enrollments.
        hears: The names of all events that mean something to anybody; where a pattern
            doesn't list them, `in` still tells, see `HeardNames`.
        valued: The references that goals take their value from: `event.amount`.
        traits: What is computed of the customers' events.
        audience: Segments and stages.
        asks: What the conditions of running journeys ask for that have no event:
            `profile`, `trait`, `segment`, `consent`.
        any_gates: Whether any journey keeps people only while they are in a segment.
        judges: Whether it matters to anybody who customers are.
        any_windows: Whether any goal is watched after its run has ended.
        any_states: Whether any journey is not simply live.
    """

    def __init__(
        self,
        plans: Sequence[JourneyPlan],
        guards: Guards,
        *,
        max_age: Duration,
        states: Mapping[str, State],
        revision: int,
        pace: Mapping[str, Rate] = {},
        breaker: BreakerRule | None = None,
        audience: Document,
        shapes: Shapes = NO_SHAPES,
    ) -> None:
        """Index the plans; use `compile` to make a catalog."""
        self.revision = revision
        self.shapes = shapes
        self.guards = guards
        self.max_age = max_age
        self.pace = pace
        self.breaker = breaker
        self.certainly_young_ms = max_age.shortest_ms()
        self.plans = {(plan.id, plan.version): plan for plan in plans}
        self.live: dict[str, JourneyPlan] = {}
        for plan in plans:
            known = self.live.get(plan.id)
            if known is None or plan.version > known.version:
                self.live[plan.id] = plan
        self._states = dict(states)
        self.any_states = bool(self._states)
        hidden = [
            plan.brought
            for plan in self._by_priority()  # which says who hears first of one instant
            if self.state_of(plan.id) not in _NOT_ASKED
        ]
        traits = [item for own_traits, _ in hidden for item in own_traits]
        self.traits = TraitRules.compile([*(audience.get("traits") or ()), *traits])
        self.audience = Audience.compile(audience, self.traits, hidden)
        self.asks = frozenset[str]().union(*(plan.asks for plan in plans))
        self.any_gates = any(plan.gate for plan in plans)
        self.judges = not self.audience.is_empty or bool(self.asks - {"profile"})
        goals = [goal for plan in plans for goal in plan.goals.values()]
        self.valued = frozenset(
            goal.value.text for goal in goals if isinstance(goal.value, ValueOf)
        )
        self.any_windows = any(goal.within is not None for goal in goals)
        self.entries = self._indexed()
        self.ways = {
            way.name: way for plan in self.live.values() for way in self._ways_of(plan)
        }
        self.schedules = self._scheduled()
        self.watched = watched(plans)
        self.any_unique = any(plan.unique is not None for plan in self.live.values())
        self.running = CALL_RESULTS.union(*(plan.hears for plan in plans))
        self.hears = heard(self.running | self.entries.names, self.entries.others)

    @classmethod
    def compile(
        cls,
        journeys: Iterable[Planned | Document],
        *,
        policies: Planned | Document,
        channels: Mapping[str, ChannelRules] | None = None,
        states: Mapping[str, State] | None = None,
        revision: int = 1,
        guards: Mapping[str, PluginGuard] | None = None,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        suppressions: SuppressionList = EMPTY,
        audience: Document | None = None,
        shapes: Shapes = NO_SHAPES,
    ) -> Self:
        """Compile journeys and policies.

        Args:
            journeys: Journeys, or their plan documents; several versions of one may
                stand side by side, and entries go to the newest.
            policies: Policies, or their plan document.
            channels: The pure parts of the channel plugins, by channel; any other
                channel is addressed by the customer's id.
            states: Journeys that are not simply live.
            revision: The catalog's own version.
            guards: The guards of plugins, set up, by name.
            facts: What channels said about their templates when they were published, by
                channel; for their own rules.
            suppressions: Addresses that nothing goes to, whoever has them.
            audience: The plan document of traits, segments and stages.
            shapes: What events must hold to be handled at all; whoever calls `react` asks.

        Raises:
            DefinitionError: A plan document is damaged.
        """
        document = _document(policies)
        with _whole("policies"):
            rules = Guards(
                document,
                channels or {},
                BY_CUSTOMER_ID,
                guards=guards or {},
                facts=facts or {},
                suppressions=suppressions,
            )
            max_age = Duration.parse(document["max_age"])
            # Catalogs are kept for years; those of earlier releases have neither.
            paces: Document = document.get("pace") or {}
            pace = {name: Rate.parse(text) for name, text in paces.items()}
            breaker = document.get("breaker")
            rule = BreakerRule(**breaker) if breaker else None
        plans = [_plan(_document(journey)) for journey in journeys]
        with _whole("one of the journeys, or of the audience,"):
            return cls(
                plans,
                rules,
                max_age=max_age,
                states=states or {},
                revision=revision,
                pace=pace,
                breaker=rule,
                audience=audience or {},
                shapes=shapes,
            )

    def _indexed(self) -> Triggers[Entry]:
        found: list[Entry] = []
        for plan in self._by_priority():
            if self.state_of(plan.id) not in _NOT_ASKED:
                found += [Entry(plan, when) for when in plan.entries]
            for way in self._ways_of(plan):
                found += [Entry(plan, role, way, role) for role in way.roles]
        return Triggers([(entry, entry.hearing) for entry in found])

    def _by_priority(self) -> list[JourneyPlan]:
        return sorted(self.live.values(), key=lambda plan: (-plan.priority, plan.id))

    def _ways_of(self, plan: JourneyPlan) -> Iterable[Way]:
        return () if self.state_of(plan.id) in _NOT_ASKED else plan.ways.values()

    def _scheduled(self) -> dict[str, Schedule]:
        return {
            name: Schedule(plan, rule)
            for plan in self._by_priority()
            if plan.schedules and self.state_of(plan.id) not in NOT_SCHEDULED
            for name, rule in plan.schedules.items()
        }

    def state_of(self, journey: str) -> State:
        """Whether a journey is live."""
        return self._states.get(journey, "live")

    def plan_of(self, enrollment: Enrollment) -> JourneyPlan | None:
        """The plan that an enrollment runs on; None if the catalog doesn't hold it."""
        plan = self.live.get(enrollment.journey)
        if plan is not None and plan.version == enrollment.version:
            return plan
        return self.plans.get((enrollment.journey, enrollment.version))

    def due_of(self, enrollment: Enrollment) -> int:
        """When an enrollment goes on by itself; LATEST: never."""
        plan = self.plan_of(enrollment)
        if plan is None:  # its version is not in the catalog: it waits for its return
            return LATEST
        if self.any_states and self.state_of(plan.id) == "stopped":
            return LATEST
        due = LATEST if enrollment.due is None else enrollment.due
        return due if plan.ejects_at is None else min(due, plan.ejects_at)

    def due_of_held(self, held: Held) -> int:
        """When the guards are asked again about a held message; LATEST: not by time."""
        if self.any_states and self.state_of(held.message.journey) == "stopped":
            return LATEST
        return LATEST if held.due is None else held.due

    def next_due(self, active: Sequence[Enrollment], held: Sequence[Held]) -> int:
        """When something happens by itself; LATEST: never."""
        due, due_of = LATEST, self.due_of
        for enrollment in active:
            if (own := due_of(enrollment)) < due:
                due = own
        return min(due, *map(self.due_of_held, held)) if held else due


@contextmanager
def _whole(what: str) -> Iterator[None]:
    """Say which document is damaged when one can't be compiled."""
    try:
        yield
    except DefinitionError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as err:
        raise DefinitionError(
            f"the plan document of {what} is damaged ({err!r:.200}); publish it again"
        ) from err


def _plan(document: Document) -> JourneyPlan:
    with _whole(f"journey {document.get('id')!r:.80}"):
        return JourneyPlan(document)


def _document(item: Planned | Document) -> Document:
    return item if isinstance(item, Mapping) else item.to_plan()

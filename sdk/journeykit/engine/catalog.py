"""The catalog: everything that decides beside the customer, compiled and versioned.

A catalog is a versioned input of `react`, never something that it looks up. It comes
from plan documents (plain JSON values), so that a process that only runs journeys needs
nothing of what authors write them with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol, Self

import msgspec

from journeykit.engine.calendar import LATEST
from journeykit.engine.conditions import ValueOf
from journeykit.engine.customer import Enrollment, Held
from journeykit.engine.guards import ChannelRules, Guards, PluginGuard
from journeykit.engine.plan import JourneyPlan, When
from journeykit.engine.suppressions import EMPTY, SuppressionList
from journeykit.engine.values import Document
from journeykit.errors import DefinitionError
from journeykit.model.durations import Duration
from journeykit.model.events import CALL_RESULTS
from journeykit.model.rates import Rate

State = Literal["live", "paused", "stopped", "draft", "closed"]
"""`live` · `paused`: nobody enters or moves on, goals and exit rules act · `stopped`:
all runs end · `draft`: nobody enters yet, runs move on · `closed`: nobody enters any
more, runs move on to their end."""

_NOT_ASKED = frozenset[State](["draft", "closed"])  # their triggers hear no event


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
    """An event trigger of a live journey."""

    __slots__ = ("plan", "when")

    def __init__(self, plan: JourneyPlan, when: When) -> None:
        """Join the trigger with its journey."""
        self.plan = plan
        self.when = when


def _customer_id(profile: Mapping[str, object], customer: str) -> str | None:
    """The address where no plugin knows a better one."""
    return customer


BY_CUSTOMER_ID = ChannelRules(address=_customer_id, normalize=str)
"""How a channel is addressed that no plugin has rules for: by the customer's id."""


class Catalog:
    """Journeys, policies and states, ready to decide with.

    Attributes:
        revision: Counts publishes and state changes; a document keeps the highest seen.
        plans: Journey and version to the plan.
        live: Journey to its newest plan.
        guards: The rules of sending.
        max_age: Older events move no journey.
        pace: Channel to how fast its messages go out; for the dispatcher, like a plan's.
        breaker: When failures pause a journey; None: never.
        certainly_young_ms: Below it an event is young enough in every time zone.
        entries: Event name to the triggers that it may meet, by priority.
        hears: The names of all events that mean something to anybody.
        valued: The references that goals take their value from: `event.amount`.
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
    ) -> None:
        """Index the plans; use `compile` to make a catalog."""
        self.revision = revision
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
        goals = [goal for plan in plans for goal in plan.goals.values()]
        self.valued = frozenset(
            goal.value.text for goal in goals if isinstance(goal.value, ValueOf)
        )
        self.any_windows = any(goal.within is not None for goal in goals)
        self.entries = self._indexed()
        self.hears = CALL_RESULTS.union(self.entries, *(plan.hears for plan in plans))

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
        with _whole("one of the journeys"):
            return cls(
                plans,
                rules,
                max_age=max_age,
                states=states or {},
                revision=revision,
                pace=pace,
                breaker=rule,
            )

    def _indexed(self) -> dict[str, tuple[Entry, ...]]:
        found: dict[str, list[Entry]] = {}
        plans = sorted(self.live.values(), key=lambda plan: (-plan.priority, plan.id))
        for plan in plans:
            for when in plan.entries:
                if when.event is not None and self.state_of(plan.id) not in _NOT_ASKED:
                    found.setdefault(when.event, []).append(Entry(plan, when))
        return {name: tuple(entries) for name, entries in found.items()}

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
        due = min(map(self.due_of, active), default=LATEST)
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

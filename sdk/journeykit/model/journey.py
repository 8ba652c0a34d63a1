"""A journey: trigger, steps, exit rules, goals."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, fields
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field

from journeykit.errors import InvalidJourney, Problem, UnknownStep
from journeykit.model.conditions import Condition, Expression
from journeykit.model.definition import (
    definition,
    document_of,
    rebuilt,
    source_of,
)
from journeykit.model.durations import Duration
from journeykit.model.names import Id, Pace, Percent, Reason, Stage, ZoneName
from journeykit.model.rules import Purpose
from journeykit.model.steps import Instant, Step, StepSequence, _Step
from journeykit.model.triggers import EventTrigger, Trigger


def _many(value: object) -> object:
    """Take one or several; keep several."""
    if value is None:
        return ()
    if isinstance(value, Mapping | str) or not isinstance(value, Sequence):
        return (value,)
    return value


ReEntryMode = Literal["never", "after_exit", "always", "restart"]


@definition
class ReEntry:
    """Whether, when and how often a customer may enter again.

    Attributes:
        mode: `never` again · `after_exit` of the run before · `always`, even beside it ·
            `restart`: the run before exits and a new one starts.
        cooldown: How long after the last exit it stays shut.
        max_entries: How many entries there may be.
        per: In which span `max_entries` counts; over all time if not given.
    """

    mode: ReEntryMode = "after_exit"
    _: KW_ONLY
    cooldown: Duration | None = None
    max_entries: Annotated[int, Field(ge=1, le=100)] | None = None
    per: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse a span that limits nothing."""
        if self.per is not None and self.max_entries is None:
            raise ValueError("per is the span of max_entries; give max_entries too")


@definition
class Goal:
    """What the journey is for.

    Attributes:
        when: The trigger or condition that reaches it; counted once a run.
        id: Its name in reports: `goal`, `goal-2`, … if not given.
        value: What reaching it is worth: a number, or a reference like `event.amount`.
        within: How long after the entry it counts, even after the run has ended; without
            it the goal is watched as long as the run lasts.
        on_goal: Whether reaching it ends the run: `exit` or `continue`.
    """

    when: Annotated[EventTrigger | Condition, Field(union_mode="left_to_right")]
    _: KW_ONLY
    id: Id | None = None
    value: float | Expression | None = None
    within: Duration | None = None
    on_goal: Literal["exit", "continue"] = "exit"


@definition
class ExitRule:
    """What ends a run wherever it is.

    Attributes:
        when: A trigger or a condition.
        reason: What reports and traces call it.
    """

    when: Annotated[EventTrigger | Condition, Field(union_mode="left_to_right")]
    reason: Reason = "exit_rule"


@definition
class Holdout:
    """The share of customers who enter but get nothing, to measure the lift.

    Attributes:
        share: In percent, to two decimals.
        salt: Journeys of one salt and share hold out the same people; the journey's id
            if not given.
    """

    share: Annotated[Percent, Field(gt=0, lt=100)]
    salt: Id | None = None


def _reentry(value: object) -> object:
    return ReEntry(cast(Any, value)) if isinstance(value, str) else value


def _holdout(value: object) -> object:
    is_share = isinstance(value, int | float) and not isinstance(value, bool)
    return Holdout(cast(float, value)) if is_share else value


def _exit_rules(value: object) -> object:
    """Take a trigger or a condition for the rule that it is."""
    rules = cast(Sequence[object], _many(value))
    return tuple({"when": rule} if _is_bare(rule) else rule for rule in rules)


def _is_bare(rule: object) -> bool:
    if isinstance(rule, Mapping):
        return "when" not in rule
    return isinstance(rule, EventTrigger | Condition | str)


@definition
class Journey:
    """A versioned path for each customer who triggers it.

    Attributes:
        id: Its name.
        trigger: What starts it; one or several.
        steps: What happens then, in order.
        goal: What it is for; one or several.
        exit_rules: What ends a run early; triggers, conditions or ExitRules.
        reentry: May a customer enter again: a mode or a ReEntry.
        key: What keeps runs apart, `event.order_id`: one run per value at a time, and
            later events go to the run of their value.
        unique: What only one customer may enter with, `profile.email`: of several who
            share it, the first.
        on_missing_key: An event without the key concerns `all` runs or is ignored
            (`ignore`).
        name: What people call it.
        stage: The lifecycle stage of its steps.
        priority: Larger goes first where journeys compete for a cap.
        purpose: `marketing` or `transactional`; a Send may differ.
        topic: What its messages are about; a Send may differ.
        on_unconfirmed: Who enters while a consent that its marketing needs is requested
            and not confirmed: the run begins at the confirmation (`wait`), or at once, and
            what needs the consent is not sent (`proceed`).
        zone: Where a customer's own time zone isn't known.
        starts_at: No entries before.
        ends_at: No entries from then on.
        on_end: What happens to running enrollments at `ends_at`: they `finish`, or
            `eject` ends them.
        keep_while_in_segment: Nobody enters who is not in this segment, and whoever leaves
            it leaves the journey, at once.
        holdout: The share in percent, or a Holdout.
        pace: How fast its messages go out together, such as `1000/h`; the rest waits.
        objectives: The objectives that it serves.
        version: Counts up with each publish.
    """

    id: Id
    _: KW_ONLY
    trigger: Annotated[
        Trigger | Sequence[Trigger],
        BeforeValidator(_many),
        AfterValidator(tuple),
        Field(min_length=1, max_length=16),
    ]
    steps: StepSequence
    goal: Annotated[
        Goal | Sequence[Goal] | None,
        BeforeValidator(_many),
        AfterValidator(tuple),
        Field(max_length=8),
    ] = ()
    exit_rules: Annotated[
        Sequence[ExitRule | EventTrigger | Condition],
        BeforeValidator(_exit_rules),
        AfterValidator(tuple),
        Field(max_length=16),
    ] = ()
    reentry: Annotated[ReEntry | ReEntryMode, BeforeValidator(_reentry)] = ReEntry()
    key: Expression | None = None
    unique: Expression | None = None
    on_missing_key: Literal["all", "ignore"] = "all"
    name: Annotated[str, Field(max_length=200)] = ""
    stage: Stage | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    purpose: Purpose = "marketing"
    topic: Id | None = None
    on_unconfirmed: Literal["wait", "proceed"] = "wait"
    zone: ZoneName | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    on_end: Literal["finish", "eject"] = "finish"
    keep_while_in_segment: Id | None = None
    holdout: Annotated[Holdout | float | None, BeforeValidator(_holdout)] = None
    pace: Pace | None = None
    objectives: Annotated[Sequence[Id], AfterValidator(tuple)] = ()
    version: Annotated[int, Field(ge=1)] = 1

    def __post_init__(self) -> None:
        """Give every step and goal an id, and refuse what contradicts itself."""
        for name in ("starts_at", "ends_at"):
            instant = getattr(self, name)
            if instant is not None and instant.tzinfo is None:
                raise ValueError(
                    f"{name}: {instant.isoformat()} has no offset; add one, such as "
                    f"{instant.isoformat()}Z"
                )
        starts_at, ends_at = self.span
        if starts_at and ends_at and starts_at >= ends_at:
            raise ValueError("ends_at must come after starts_at")
        steps, derived = _with_ids(self.steps)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "_derived_ids", derived)
        object.__setattr__(self, "goal", _named_goals(self.goals))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers, however many the author gave."""
        return cast(tuple[Trigger, ...], self.trigger)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goals, however many the author gave."""
        return cast(tuple[Goal, ...], self.goal)

    @property
    def span(self) -> tuple[datetime | None, datetime | None]:
        """`starts_at` and `ends_at`, which an author may have given as text."""
        return cast(
            tuple[datetime | None, datetime | None], (self.starts_at, self.ends_at)
        )

    @property
    def derived_ids(self) -> frozenset[str]:
        """The step ids that the author left to us; empty for a journey from JSON."""
        return cast(frozenset[str], getattr(self, "_derived_ids", frozenset()))

    @property
    def fingerprint(self) -> str:
        """What tells two versions apart: a hash of the canonical JSON, version aside."""
        document = document_of(self)
        document.pop("version", None)
        text = json.dumps(document, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_plan(self) -> dict[str, Any]:
        """Every field as plain JSON values, defaults included: what the engine reads."""
        return cast(dict[str, Any], document_of(self, form="plan"))

    def walk(self) -> Iterator[Step]:
        """All steps in document order, the nested ones behind their parent."""
        return _walk(self.steps)

    def step(self, id: str) -> Step:
        """The step of this id.

        Raises:
            UnknownStep: No step has it.
        """
        for step in self.walk():
            if step.id == id:
                return step
        raise UnknownStep(
            f"journey {self.id!r} has no step {id!r}; it has "
            + ", ".join(repr(step.id) for step in self.walk()),
            source=source_of(self),
        )


class DoubledSteps(InvalidJourney):
    """Steps of one journey that have the same id.

    Attributes:
        ids: The ids that more than one step has.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Name each of the steps, with its place."""
        problems = [
            Problem(used_twice(step.id or ""), *(source_of(step) or ()))
            for step in steps
        ]
        super().__init__("step ids must differ", issues=problems)
        self.ids = frozenset(step.id or "" for step in steps)


def used_twice(id: str) -> str:
    """What is wrong with a step whose id another one has, too."""
    return f"step id {id!r} is used twice; rename one"


def _walk(items: StepSequence) -> Iterator[Step]:
    for step in cast(Sequence[Step], items):
        yield step
        for part in _parts(step):
            yield from _walk(part)


def _parts(step: Step) -> Iterator[StepSequence]:
    """The step sequences inside a step, in document order."""
    for field in fields(step):
        value = getattr(step, field.name)
        if isinstance(value, tuple) and value:
            if isinstance(value[0], _Step):
                yield value
            else:
                yield from (part.steps for part in value if hasattr(part, "steps"))


def _with_ids(steps: StepSequence) -> tuple[StepSequence, frozenset[str]]:
    """Copy the steps, with an id for each that has none; a slug, numbered if taken."""
    explicit = [step.id for step in _walk(steps) if step.id is not None]
    doubled = [id for id, count in Counter(explicit).items() if count > 1]
    if doubled:
        raise DoubledSteps([step for step in _walk(steps) if step.id in doubled])
    taken = set(explicit)
    derived: set[str] = set()

    def named(node: object) -> Mapping[str, object]:
        if not isinstance(node, _Step) or node.id is not None:
            return {}
        wanted = cast(Any, node).slug
        id, number = wanted, 1
        while id in taken:
            number += 1
            id = f"{wanted}-{number}"
        taken.add(id)
        derived.add(id)
        return {"id": id}

    return tuple(rebuilt(step, named) for step in steps), frozenset(derived)


def _named_goals(goals: Sequence[Goal]) -> tuple[Goal, ...]:
    names = [goal.id or f"goal-{n}" for n, goal in enumerate(goals, 1)]
    if goals and goals[0].id is None:
        names[0] = "goal"
    if len(set(names)) < len(names):
        raise ValueError(f"goals need ids of their own: {', '.join(names)}")
    return tuple(
        rebuilt(goal, lambda node, name=name: {"id": name})  # type: ignore[misc]
        for goal, name in zip(goals, names, strict=True)
    )

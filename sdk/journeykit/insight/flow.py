"""How runs go through a journey: counts per step, shares per way, and whether they add up.

Counted from the decision log alone. A run's steps in order are its visits: a step that a
run comes to twice is arrived at twice. Each arrival goes on, still stands there, or is
where the run ended; so

    arrived = went on + waiting + completed + exited + failed       at each step, and
    entered = held out + waiting + completed + exited + failed      in the journey.

Where that doesn't hold, `doubts` says by how much, and why that may be.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from journeykit.insight.map.graph import START, Graph
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey

_NAMED = 3  # steps or ways that a doubt names; it counts the others


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFlow:
    """How many went from one step on to another.

    Attributes:
        step: From where.
        next_step: Whereto.
        count: How often.
        share: Of all arrivals at `step`, 0..1.
        known: Whether the definition has this way.
    """

    step: str
    next_step: str
    count: int
    share: float
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFlow:
    """What happened at one step.

    Attributes:
        step: Its id.
        arrived: How often a run arrived here.
        went_on: Arrivals that went on to another step.
        waiting: Runs that stand here now, that is, at the end of the log.
        completed: Runs that came to the end of their steps here.
        exited: Runs that ended here early, by reason.
        failed: Runs that ended here by a fault, by reason.
        sent: Messages released here.
        suppressed: Messages not sent here, by reason.
        undelivered: Messages released here that did not arrive, as far as anybody said.
        median_ms: The median time from arriving here to going on; None: nobody did.
        late_ms: The same, of the slowest tenth: the 90th percentile.
        known: Whether the definition has this step.
    """

    step: str
    arrived: int = 0
    went_on: int = 0
    waiting: int = 0
    completed: int = 0
    exited: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    undelivered: int = 0
    median_ms: int | None = None
    late_ms: int | None = None
    known: bool = True

    @property
    def ended(self) -> int:
        """Runs that ended here, however."""
        return self.completed + sum(self.exited.values()) + sum(self.failed.values())

    @property
    def missing(self) -> int:
        """Arrivals of which nobody knows what became; below 0: there are too many."""
        return self.arrived - self.went_on - self.waiting - self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalFlow:
    """How many runs reached a goal.

    Attributes:
        goal: Its id.
        reached: Runs that were treated and reached it.
        held_out: Runs that were held out and reached it.
    """

    goal: str
    reached: int
    held_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyFlow:
    """How a journey's runs went.

    Attributes:
        journey: Its id.
        definition: What is counted, and over whom.
        entered: Runs that started, those held out among them.
        held_out: Runs that got nothing, to measure the lift.
        waiting: Runs under way at the end of the log.
        completed: Runs that came to the end of their steps.
        exited: Runs that ended early, by reason.
        failed: Runs that ended by a fault, by reason.
        unbegun: Runs that entered and took no step: they wait for a consent to be
            confirmed, for a paused journey, or ended before their first step.
        refused: Triggers that were met without an entry, by reason.
        goals: The goals that were reached.
        begun_elsewhere: Steps that were the first known of a run without being the
            journey's first, to how many runs: what came before is not in the log, or they
            began on another version.
        versions: Version to the runs that started on it.
        steps: Each step, in the definition's order, then what it doesn't have.
        edges: Each way that was taken.
        doubts: What doesn't add up, or may mislead: a sentence each.
    """

    journey: str
    definition: str
    entered: int
    held_out: int
    waiting: int
    completed: int
    exited: Mapping[str, int]
    failed: Mapping[str, int]
    unbegun: int
    refused: Mapping[str, int]
    goals: tuple[GoalFlow, ...]
    begun_elsewhere: Mapping[str, int]
    versions: Mapping[int, int]
    steps: tuple[StepFlow, ...]
    edges: tuple[EdgeFlow, ...]
    doubts: tuple[str, ...]

    @property
    def treated(self) -> int:
        """Runs that go, or went, through the steps."""
        return self.entered - self.held_out

    @property
    def sent(self) -> int:
        """Messages released."""
        return sum(step.sent for step in self.steps)

    @property
    def suppressed(self) -> Mapping[str, int]:
        """Messages not sent, by reason, the most frequent first."""
        found: Counter[str] = Counter()
        for step in self.steps:
            found.update(step.suppressed)
        return _sorted(found)

    def step(self, id: str) -> StepFlow:
        """What happened at a step; nothing, if nobody came there."""
        for step in self.steps:
            if step.step == id:
                return step
        return StepFlow(step=id)

    def edge(self, step: str, next_step: str) -> EdgeFlow | None:
        """What went from one step to another; None: nothing did."""
        for edge in self.edges:
            if (edge.step, edge.next_step) == (step, next_step):
                return edge
        return None


def flow(house: Warehouse, journey: Journey, *, segment: str = "") -> JourneyFlow:
    """Count how a journey's runs went.

    Args:
        house: The logs.
        journey: The journey as it is defined now; runs of all versions are counted.
        segment: Count only people who are in this segment at the end of the log.
    """
    return flows(house, [journey], segment=segment)[0]


def flows(
    house: Warehouse, journeys: Sequence[Journey], *, segment: str = ""
) -> list[JourneyFlow]:
    """Count how the runs of several journeys went, each table read once.

    Args:
        house: The logs.
        journeys: The journeys as they are defined now.
        segment: Count only people who are in this segment at the end of the log.
    """
    rows = _Rows(house, [journey.id for journey in journeys], segment)
    return [_Count(journey, rows).flow() for journey in journeys]


PEOPLE = (
    " and person in (select person from stays"
    " where kind = 'segment' and name = ? and to_ms is null)"
)
"""SQL: what holds only for people who are in a segment now; the parameter is its name."""

# Where a run ended its last decision says, and not its last visit: so what the counts of a
# step are made of are two counts, which must agree.
_STANDS = """
select journey, outcome, reason, runs.step, last.step, count(*)
from runs left join (select run, step from visits where next_step is null) last using (run)
where true
"""
_LOST = "select journey, count(*) from headless where true"


class _Rows:
    """What the tables say of some journeys, by journey."""

    def __init__(self, house: Warehouse, ids: Sequence[str], segment: str) -> None:
        self.house = house
        self.ids = ids
        self.segment = segment
        self.stands = self.by_journey(_STANDS, "1, 2, 3, 4, 5")
        self.moves = self.by_journey(
            "select journey, step, next_step, place = 1, count(*) from visits where true",
            "1, 2, 3, 4",
        )
        self.times = self.by_journey(
            "select journey, step, quantile_cont(left_ms - arrived_ms, [0.5, 0.9])"
            " from visits where next_step is not null",
            "1, 2",
        )
        self.messages = self.by_journey(
            "select journey, step, count(*), count(undelivered) from messages where true",
            "1, 2",
        )
        self.unsent = self.by_journey(
            "select journey, step, reason, count(*) from unsent where true", "1, 2, 3"
        )
        self.goals = self.by_journey(
            "select journey, goal, count(*) filter (not held_out),"
            " count(*) filter (held_out) from goals where true",
            "1, 2",
        )
        self.refused = self.by_journey(
            "select journey, reason, count(*) from refused where true", "1, 2"
        )
        self.versions = self.by_journey(
            "select journey, version, count(*) from runs where true", "1, 2"
        )
        # Runs that began before the time that counts are left out on purpose.
        cut = house.scope.since is not None
        self.lost = {} if cut else self.by_journey(_LOST, "1")

    def by_journey(self, select: str, group: str) -> dict[str, list[tuple[Any, ...]]]:
        """Rows about these journeys and their people, without test traffic, in order."""
        text = f"{select} and not test and journey in (select unnest(?))"
        values: list[Any] = [list(self.ids)]
        if self.segment:
            text, values = text + PEOPLE, [*values, self.segment]
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for journey, *rest in self.house.rows(
            f"{text} group by {group} order by {group}", values
        ):
            found[journey].append(tuple(rest))
        return found


class _Count:
    """One journey's counts."""

    def __init__(self, journey: Journey, rows: _Rows) -> None:
        self.journey = journey
        self.rows = rows
        self.graph = Graph.of(journey)
        self.moves: Counter[tuple[str, str]] = Counter()
        self.totals: Counter[str] = Counter()
        self.here: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.unbegun = 0
        self.count_moves()
        self.count_ends()

    def named(self, step: str) -> str:
        """A step's id; a Goto is where it leads to."""
        return self.graph.gotos.get(step, step)

    def move(self, source: str, target: str, count: int) -> None:
        """Count a way, through what leaves no trace if the definition has no other."""
        source, target = self.named(source), self.named(target)
        between: tuple[str, ...] = ()
        if not any(edge.target == target for edge in self.graph.on(source)):
            between = self.graph.silently(source, target)
        for step, next_step in pairwise((source, *between, target)):
            self.moves[step, next_step] += count

    def count_moves(self) -> None:
        for step, next_step, is_first, count in self.rows.moves[self.journey.id]:
            if is_first:
                self.move(START, step, count)
            if next_step is not None:
                self.move(step, next_step, count)

    def count_ends(self) -> None:
        """Where runs stand or ended, and how they got from their last visit there."""
        for outcome, reason, at, last, count in self.rows.stands[self.journey.id]:
            self.totals[outcome] += count
            if outcome == "held_out":
                continue
            at = at or last or ""
            if at and last != at:
                self.move(last or START, at, count)
            elif not at:
                self.unbegun += count
            self.here[self.named(at)][outcome, reason or ""] += count

    def flow(self) -> JourneyFlow:
        id = self.journey.id
        ends: Counter[tuple[str, str]] = Counter()
        for counts in self.here.values():
            ends.update(counts)
        arrived: Counter[str] = Counter()
        for (_, target), count in self.moves.items():
            arrived[target] += count
        first = {edge.target for edge in self.graph.on(START)}
        goals = {goal: (reached, held) for goal, reached, held in self.rows.goals[id]}
        named = [goal.id or "" for goal in self.journey.goals]
        found = JourneyFlow(
            journey=id,
            definition=self.definition(),
            entered=sum(self.totals.values()),
            held_out=self.totals["held_out"],
            waiting=self.totals["waiting"],
            completed=self.totals["completed"],
            exited=_reasons(ends, "exited"),
            failed=_reasons(ends, "failed"),
            unbegun=self.unbegun,
            refused=_sorted(dict(self.rows.refused[id])),
            goals=tuple(
                GoalFlow(goal=goal, reached=reached, held_out=held)
                for goal in [*named, *sorted(goals.keys() - set(named))]
                for reached, held in [goals.get(goal, (0, 0))]
            ),
            begun_elsewhere=_sorted(
                {
                    target: count
                    for (source, target), count in self.moves.items()
                    if source == START and target not in first
                }
            ),
            versions=dict(self.rows.versions[id]),
            steps=tuple(self.steps(arrived)),
            edges=tuple(self.edges(arrived)),
            doubts=(),
        )
        return replace(found, doubts=tuple(self.doubts(found)))

    def definition(self) -> str:
        segment = self.rows.segment
        whom = (
            f" of people who are in the segment {segment!r} at the end of the log"
            if segment
            else ""
        )
        return (
            f"Runs of {self.journey.id}{whom} that entered within the log, test traffic "
            "left out. A step's counts are arrivals: who comes twice counts twice. A "
            "share is of all arrivals at the step that the way leads from. Time in a step "
            "is the median from arriving to going on, of those who went on and stayed at "
            "all: a wait that is over at once leaves no trace."
        )

    def steps(self, arrived: Mapping[str, int]) -> Iterator[StepFlow]:
        id = self.journey.id
        went_on: Counter[str] = Counter()
        for (source, _), count in self.moves.items():
            went_on[source] += count
        times = dict(self.rows.times[id])
        messages = {step: (n, lost) for step, n, lost in self.rows.messages[id]}
        unsent: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for step, reason, count in self.rows.unsent[id]:
            unsent[step][reason] = count
        known = self.graph.steps
        logged = {*arrived, *messages, *unsent, *self.here} - {START, ""}
        for step in [*known, *sorted(logged - known.keys())]:
            here = self.here.get(step, Counter())
            median, late = times.get(step, (None, None))
            sent, undelivered = messages.get(step, (0, 0))
            yield StepFlow(
                step=step,
                arrived=arrived.get(step, 0),
                went_on=went_on[step],
                waiting=here["waiting", ""],
                completed=here["completed", ""],
                exited=_reasons(here, "exited"),
                failed=_reasons(here, "failed"),
                sent=sent,
                suppressed=_sorted(unsent[step]),
                undelivered=undelivered,
                median_ms=None if median is None else round(median),
                late_ms=None if late is None else round(late),
                known=step in known,
            )

    def edges(self, arrived: Mapping[str, int]) -> Iterator[EdgeFlow]:
        ways = {(edge.source, edge.target) for edge in self.graph.edges}
        for way, count in sorted(
            self.moves.items(), key=lambda each: (-each[1], each[0])
        ):
            step, next_step = way
            if step != START:
                yield EdgeFlow(
                    step=step,
                    next_step=next_step,
                    count=count,
                    share=count / arrived[step],
                    known=way in ways,
                )

    # --- what doesn't add up -------------------------------------------------------

    def doubts(self, found: JourneyFlow) -> Iterator[str]:
        if lost := sum(count for (count,) in self.rows.lost.get(self.journey.id, ())):
            is_one = lost == 1
            yield (
                f"{_times(lost, 'decision')} {'is' if is_one else 'are'} about runs whose "
                "entry is not in this log, because it begins later, or a part is missing: "
                f"{'it is' if is_one else 'they are'} not counted."
            )
        off = [step for step in found.steps if step.missing]
        if off:
            named = [
                f"{step.step} ({step.arrived:,} arrived, "
                f"{step.arrived - step.missing:,} accounted for)"
                for step in off
            ]
            yield (
                f"The counts don't add up at {_several(named)}. A part of the log is "
                "missing, or runs were moved to another step when a version was published."
            )
        others = [step.step for step in found.steps if not step.known and step.arrived]
        late = {k: n for k, n in found.begun_elsewhere.items() if k not in others}
        if late:
            runs = sum(late.values())
            whose = "1 run's" if runs == 1 else f"{runs:,} runs'"
            yield (
                f"{whose} first known step is not the journey's first: "
                f"{_several(late)}. What came before is not in the log, or they began on "
                "another version."
            )
        if others:
            arrivals = sum(step.arrived for step in found.steps if not step.known)
            yield (
                f"{_times(arrivals, 'arrival')} at steps that this version doesn't have: "
                f"{_several(others)}. Other versions have them; they stand below the map."
            )
        strange = [
            edge
            for edge in found.edges
            if not edge.known
            and edge.step not in others
            and edge.next_step not in others
        ]
        if strange:
            ways = [f"{edge.step} → {edge.next_step}" for edge in strange]
            count = sum(edge.count for edge in strange)
            yield (
                f"{_times(count, 'time')} runs went ways that this version doesn't have: "
                f"{_several(ways)}. Other versions have them, or a run was moved."
            )
        if len(found.versions) > 1:
            each = ", ".join(
                f"version {version}: {count:,}"
                for version, count in found.versions.items()
            )
            yield f"Runs of several versions are counted together ({each})."


def _reasons(counts: Mapping[tuple[str, str], int], outcome: str) -> dict[str, int]:
    """Of ends by outcome and reason those of one outcome, by reason."""
    return _sorted({why: n for (how, why), n in counts.items() if how == outcome})


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first; ties by name, so that it is the same every time."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _several(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    shown = list(names)[:_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"

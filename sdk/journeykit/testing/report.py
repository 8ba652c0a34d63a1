"""What became of everybody: the counts of a simulation, by journey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from journeykit.engine.customer import Customer
from journeykit.model.plain_text import printable
from journeykit.testing.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyReport:
    """What became of everybody who came to one journey.

    Attributes:
        journey: The journey's id.
        entered: How many runs started, those held out among them.
        held_out: How many of them got nothing, to measure the lift.
        waiting: How many runs have not ended.
        completed: How many came to the end of their steps.
        exited: How many ended early, by reason.
        failed: How many ended by a fault, by reason.
        goals: How often each goal was reached.
        values: What reaching each goal was worth in total.
        sent: How many messages were released.
        deferred: How often a message was held back, by reason.
        suppressed: How many messages were not sent, by reason.
        not_entered: How often a trigger was met in vain, by reason.
    """

    journey: str
    entered: int = 0
    held_out: int = 0
    waiting: int = 0
    completed: int = 0
    exited: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    goals: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    sent: int = 0
    deferred: Mapping[str, int] = field(default_factory=dict)
    suppressed: Mapping[str, int] = field(default_factory=dict)
    not_entered: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """How many runs have ended, in whatever way."""
        return self.completed + sum(self.exited.values()) + sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Report(Mapping[str, JourneyReport]):
    """One JourneyReport for each journey, by its id; print it for a table."""

    journeys: Sequence[JourneyReport]

    def __getitem__(self, journey: str) -> JourneyReport:
        """The report of one journey."""
        for report in self.journeys:
            if report.journey == journey:
                return report
        raise KeyError(journey)

    def __iter__(self) -> Iterator[str]:
        """The journeys' ids."""
        return (report.journey for report in self.journeys)

    def __len__(self) -> int:
        """How many journeys there are."""
        return len(self.journeys)

    def __str__(self) -> str:
        """A table, and beneath each journey what its numbers are made of."""
        columns = "entered held_out waiting completed exited failed sent suppressed"
        names = columns.split()
        width = max(map(len, ["journey", *self]))
        heads = [name.replace("_", " ") for name in names]
        lines = ["  ".join(["journey".ljust(width), *heads])]
        for report in self.journeys:
            numbers = (
                str(_total(getattr(report, name))).rjust(len(name)) for name in names
            )
            lines.append("  ".join([report.journey.ljust(width), *numbers]))
            lines += (f"  {line}" for line in _made_of(report))
        return "\n".join(map(printable, lines))


def report(
    journeys: Iterable[str], record: Record, customers: Iterable[Customer]
) -> Report:
    """Count, and assert that nobody was lost.

    Raises:
        AssertionError: Entered are not as many as held out, waiting and ended together,
            which would be a fault of journeykit.
    """
    running = Counter(
        run.journey
        for customer in customers
        for run in customer.active
        if not run.held_out
    )
    reports = [
        _report(journey, record, running[journey]) for journey in sorted(set(journeys))
    ]
    # A reaction whose trace grew beyond its bound left some of its entries out.
    if not record.counts["", "forgotten", "trace"]:
        for item in reports:
            assert item.entered == item.held_out + item.waiting + item.ended, (
                f"journey {item.journey!r} lost somebody: {item}"
            )
    return Report(tuple(reports))


def _report(journey: str, record: Record, waiting: int) -> JourneyReport:
    kinds: dict[str, dict[str, int]] = {}
    for (whose, kind, reason), count in sorted(record.counts.items()):
        if whose == journey:
            kinds.setdefault(kind, {})[reason] = count

    def by_reason(kind: str) -> dict[str, int]:
        return kinds.get(kind, {})

    held_out = _total(by_reason("held_out"))
    return JourneyReport(
        journey=journey,
        entered=_total(by_reason("entered")) + held_out,
        held_out=held_out,
        waiting=waiting,
        completed=_total(by_reason("completed")),
        exited=by_reason("exited"),
        failed=by_reason("failed"),
        goals=by_reason("goal"),
        values={
            goal: record.values[journey, goal]
            for goal in by_reason("goal")
            if record.values[journey, goal]
        },
        sent=_total(by_reason("sent")),
        deferred=by_reason("deferred"),
        suppressed=by_reason("suppressed"),
        not_entered=by_reason("not_entered"),
    )


def _total(counted: int | Mapping[str, int]) -> int:
    return counted if isinstance(counted, int) else sum(counted.values())


def _made_of(report: JourneyReport) -> Iterator[str]:
    """What the totals are made of: a line each, where there is something to say."""
    for name in ("exited", "failed", "suppressed", "deferred", "not_entered"):
        counted: Mapping[str, int] = getattr(report, name)
        if counted:
            parts = (f"{reason} {count:,}" for reason, count in counted.items())
            yield f"{name.replace('_', ' ')}: {', '.join(parts)}"
    for goal, count in report.goals.items():
        worth = report.values.get(goal)
        yield f"reached {goal}: {count:,}" + (f", worth {worth:,.2f}" if worth else "")

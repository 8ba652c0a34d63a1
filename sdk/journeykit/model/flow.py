"""The paths through a journey: what is never reached, never ends, or comes too late.

Steps nest and rejoin, so one walk in document order sees every path. What the walk
knows where it stands is a `_Here`; after steps that part it is what holds on any of the
ways. Steps that loop will have to be walked until nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from journeykit.model.conditions import Expression
from journeykit.model.durations import Duration
from journeykit.model.events import MESSAGE
from journeykit.model.issues import Issue, Level, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.rules import STEPS_PER_SPRINT
from journeykit.model.steps import (
    Branch,
    Due,
    Emit,
    Send,
    StepSequence,
    Until,
    Wait,
    WaitFor,
    _Step,
)
from journeykit.model.triggers import EventTrigger


@dataclass(frozen=True)
class _Here:
    """What is known before a step.

    Attributes:
        before: The steps that lie on every path to here.
        steps: The most steps that may have been taken since the last wait.
        earliest: The earliest instant at which anybody can be here, if known.
        sent: The last Send; empty if none.
        gap: Whether something has been waited for since that.
    """

    before: frozenset[str] = frozenset()
    steps: int = 0
    earliest: datetime | None = None
    sent: str = ""
    gap: bool = False


def flow_issues(journey: Journey) -> Iterator[Issue]:
    """Yield what is wrong with a journey's paths."""
    yield from _Walk(journey).steps(journey.steps, _Here(earliest=journey.span[0]))[1]


def emits(journey: Journey, *, at_once: bool) -> Iterator[tuple[Emit, bool]]:
    """Yield each Emit that a run can reach, and whether it can then end without a wait.

    Args:
        journey: Whose they are.
        at_once: Whether to yield only what it can reach without a wait; otherwise what
            lies in a Branch is left out, whose conditions can end any circle.
    """
    yield from _emits(journey.steps, ends=True, at_once=at_once)


def _emits(
    steps: StepSequence, *, ends: bool, at_once: bool
) -> Iterator[tuple[Emit, bool]]:
    for n, step in enumerate(steps):
        ends_here = ends and _is_instant(steps[n + 1 :])
        if isinstance(step, Emit):
            yield step, ends_here
        elif not _waits(step) if at_once else not isinstance(step, Branch):
            for way in step.ways:
                yield from _emits(way, ends=ends_here, at_once=at_once)
        if step.ends or (at_once and not _passes(step)):
            return


def _is_instant(steps: StepSequence) -> bool:
    """Whether a run can come to the end of these steps, or exit, without a wait."""
    for step in steps:
        if step.ends:
            return True
        if not _passes(step):
            return False
    return True


def _waits(step: _Step) -> bool:
    return step.waits and not is_zero(getattr(step, "due", None))


def is_zero(due: object) -> bool:
    """Whether this is a duration, and of nothing."""
    return due == Duration()


def _passes(step: _Step) -> bool:
    if _waits(step):
        return False
    return not step.ways or any(map(_is_instant, step.ways))


class _Walk:
    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.ends_at = journey.span[1] if journey.on_end == "eject" else None

    def issue(self, level: Level, message: str, step: _Step) -> Issue:
        return issue(level, message, step, journey=self.journey.id, step=step.id or "")

    def steps(
        self, steps: StepSequence, here: _Here | None
    ) -> tuple[_Here | None, list[Issue]]:
        """Walk a sequence; return what holds behind it (None: nobody gets there)."""
        found: list[Issue] = []
        skipping: _Here | None = None  # behind a step that may be passed over
        for n, step in enumerate(steps):
            if here is None:
                reason = f"every path ends at {steps[n - 1].id!r}"
                found.append(
                    self.issue("error", f"never reached: {reason}; remove it", step)
                )
                return None, found
            behind, issues = self.step(step, here)
            found += issues
            if skipping is not None:
                behind = _joined([behind, skipping])
            skipping = here if step.passes_over else None
            here = behind
        return here, found

    def step(self, step: _Step, here: _Here) -> tuple[_Here | None, list[Issue]]:
        found = list(self.issues(step, here))
        id = step.id or ""
        here = replace(here, before=here.before | {id}, steps=here.steps + 1)
        if step.ends:
            return None, found
        if isinstance(step, Send):
            here = replace(here, sent=id, gap=False)
        elif isinstance(step, Wait):
            due = _earliest(step.due, here.earliest)
            too_late = self.too_late(due, step)
            if too_late is not None:  # said once: what follows is as late
                found, due = [*found, too_late], None
            here = _after_wait(here, due) if _waits(step) else here
        elif step.waits:
            here = _after_wait(here, here.earliest)
        return self.parted(step, here, found) if step.ways else (here, found)

    def parted(
        self, step: _Step, here: _Here, found: list[Issue]
    ) -> tuple[_Here | None, list[Issue]]:
        ends: list[_Here | None] = []
        for n, way in enumerate(step.ways):
            start = here
            if isinstance(step, WaitFor) and n == len(step.paths):
                due = _earliest(step.timeout, here.earliest)
                if (too_late := self.too_late(due, step)) is not None:
                    found.append(too_late)
                    due = None
                start = replace(here, earliest=due)
            end, issues = self.steps(way, start)
            found += issues
            ends.append(end)
        return _joined(ends), found

    def issues(self, step: _Step, here: _Here) -> Iterator[Issue]:
        if here.steps == STEPS_PER_SPRINT:
            yield self.issue(
                "error",
                f"more than {STEPS_PER_SPRINT} steps without a wait: at run time that is "
                "taken for a loop and fails; add a Wait",
                step,
            )
        if isinstance(step, Wait) and is_zero(step.due):
            yield self.issue(
                "error", "a wait of nothing is no wait; take it out, or wait", step
            )
        if isinstance(step, WaitFor):
            yield from self.listening(step, here)

    def listening(self, step: WaitFor, here: _Here) -> Iterator[Issue]:
        """What a WaitFor may wait for in vain."""
        if step.since is not None and step.since not in here.before:
            known = {other.id or "" for other in self.journey.walk()}
            if step.since not in known:
                what = f"since={step.since!r} is no step"
            elif step.since == step.id:
                what = "since names this step itself, which is what it does anyway"
            else:
                what = f"since={step.since!r} doesn't lie on every path to this step"
            way_out = meant(step.since, here.before, none="leave it out")
            yield self.issue("error", f"{what}; {way_out}", step)
        if step.timeout is None:
            if step.otherwise:
                yield self.issue(
                    "error",
                    "otherwise is never reached without a timeout; give one",
                    step,
                )
            yield self.issue(
                "warning",
                "waits for ever for what may never happen; give it a timeout",
                step,
            )
        names = [p.when.name for p in step.paths if isinstance(p.when, EventTrigger)]
        missed = [name for name in names if name.startswith(MESSAGE)]
        if missed and step.since is None and here.sent and here.gap:
            yield self.issue(
                "warning",
                f"{missed[0]!r} doesn't count if it comes between {here.sent!r} and "
                f"this step; add since={here.sent!r}, or wait for it at once",
                step,
            )

    def too_late(self, due: datetime | None, step: _Step) -> Issue | None:
        if due is None or self.ends_at is None or due < self.ends_at:
            return None
        return self.issue(
            "error",
            f"this wait can't end before {due:%Y-%m-%d %H:%M}Z, and the journey ends "
            f"at {self.ends_at:%Y-%m-%d %H:%M}Z with on_end='eject': nobody gets past "
            "it; shorten the wait, move ends_at, or let runs finish",
            step,
        )


def _joined(ends: Sequence[_Here | None]) -> _Here | None:
    """What holds behind ways that rejoin."""
    open_ends = [end for end in ends if end is not None]
    if not open_ends:
        return None
    instants = [end.earliest for end in open_ends]
    known = [instant for instant in instants if instant is not None]
    last = next((end for end in reversed(open_ends) if end.sent), open_ends[0])
    return _Here(
        before=frozenset.intersection(*(end.before for end in open_ends)),
        steps=max(end.steps for end in open_ends),
        earliest=min(known) if len(known) == len(instants) else None,
        sent=last.sent,
        gap=any(end.gap for end in open_ends),
    )


def _after_wait(here: _Here, due: datetime | None) -> _Here:
    return replace(here, steps=0, earliest=due, gap=bool(here.sent))


def _earliest(due: Due | None, earliest: datetime | None) -> datetime | None:
    """The earliest instant at which a wait can end that begins at `earliest`."""
    if isinstance(due, Duration):
        return _later(earliest, due)
    if not isinstance(due, Until) or isinstance(due.instant, Expression):
        return earliest  # an instant may have passed on arrival
    if not isinstance(due.instant, datetime):
        return _later(earliest, due.after)
    until = due.instant.astimezone(UTC)
    if due.before is not None:
        until -= timedelta(milliseconds=due.before.longest_ms())
    until = _later(until, due.after) or until
    return until if earliest is None else max(until, earliest)


def _later(instant: datetime | None, by: Duration | None) -> datetime | None:
    if instant is None or by is None:
        return instant
    try:
        return instant + timedelta(milliseconds=by.shortest_ms())
    except OverflowError:  # beyond the year 9999, so beyond every end
        return datetime.max.replace(tzinfo=UTC)

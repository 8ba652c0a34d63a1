"""The paths through a journey: what is never reached, never ends, or comes too late.

One walk goes along all ways. What it knows where it stands is a `_Here`; where ways meet
it is what holds on any of them. It goes in document order and, where steps loop, on until
nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from journeykit.model.conditions import Expression
from journeykit.model.durations import Duration
from journeykit.model.events import MESSAGE
from journeykit.model.issues import Issue, Level, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.rules import STEPS_PER_SPRINT
from journeykit.model.steps import (
    Due,
    Goto,
    Repeat,
    Send,
    StepSequence,
    Until,
    Wait,
    WaitFor,
    _Step,
)
from journeykit.model.triggers import EventTrigger
from journeykit.model.ways import Way, Ways, is_free, is_zero

_TOO_MANY = STEPS_PER_SPRINT + 1  # nobody counts on from there
_NEVER = datetime.max.replace(tzinfo=UTC)  # beyond every end: nobody comes here


@dataclass(frozen=True)
class _Here:
    """What is known before a step.

    Attributes:
        before: The steps that lie on every path to here.
        steps: The most steps that may have been taken since the last wait.
        earliest: The earliest instant at which anybody can be here, if known.
        sent: The Sends that may have been the last, each with whether something has been
            waited for since.
    """

    before: frozenset[str] = frozenset()
    steps: int = 0
    earliest: datetime | None = None
    sent: frozenset[tuple[str, bool]] = frozenset()


def flow_issues(journey: Journey) -> Iterator[Issue]:
    """Yield what is wrong with a journey's paths."""
    yield from _Walk(journey).issues()


class _Walk:
    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.ends_at = journey.span[1] if journey.on_end == "eject" else None
        self.ways = Ways(journey)
        self.order = {place: n for n, place in enumerate(self.ways.steps)}
        self.gotos = [step for step in journey.walk() if isinstance(step, Goto)]
        self.spinning = [
            goto
            for goto in self.gotos
            if goto.id in self.ways.on and self.ways.comes_back(goto.id, is_free)
        ]
        self._rounds: dict[str, int | None] = {}
        self.here = self.walked()

    def issues(self) -> Iterator[Issue]:
        for place, here in self.here.items():
            step = self.ways.steps[place]
            if step.id == place:
                yield from self.of_step(step, here)
        yield from self.unreached(self.journey.steps)
        yield from self.loops()

    def issue(self, level: Level, message: str, step: _Step) -> Issue:
        return issue(level, message, step, journey=self.journey.id, step=step.id or "")

    # --- the walk ------------------------------------------------------------------

    def walked(self) -> dict[str, _Here]:
        """What is known before each place that can be reached."""
        here: dict[str, _Here] = {}
        if self.ways.first is not None:
            here[self.ways.first] = _Here(earliest=self.journey.span[0])
        left = set(here)
        while left:
            place = min(left, key=self.order.__getitem__)
            left.remove(place)
            for way in self.ways.on[place]:
                if way.to is None:
                    continue
                ahead = self.along(way, place, here[place])
                joined = _joined(here[way.to], ahead) if way.to in here else ahead
                if joined != here.get(way.to):
                    here[way.to] = joined
                    left.add(way.to)
        return here

    def along(self, way: Way, place: str, here: _Here) -> _Here:
        """What is known at the end of a way."""
        step = self.ways.steps[place]
        before = here.before | {step.id or ""}
        sent, earliest = here.sent, here.earliest
        steps = 0 if way.round else here.steps + 1
        if isinstance(step, Repeat) and place == step.id and way.to != step.id:
            steps += self.before_the_last_round(step, way, steps)
        elif isinstance(step, Send):
            sent = frozenset({(place, False)})
        if way.waits and not way.over:
            steps, sent = 0, frozenset((send, True) for send, _ in sent)
            earliest = _earliest(way.due, earliest)
            if way.due is not None and self.is_too_late(earliest):
                earliest = _NEVER
        return _Here(before, min(steps, _TOO_MANY), earliest, sent)

    def before_the_last_round(self, repeat: Repeat, way: Way, steps: int) -> int:
        """The most steps that all rounds but one take, if there is no wait in them."""
        if way.to != repeat.steps[0].id:
            return 0
        length = self.round_of(repeat) or 0
        is_wrong = (
            steps + repeat.times * length > STEPS_PER_SPRINT
        )  # said at the Repeat
        return 0 if is_wrong else (repeat.times - 1) * length

    def round_of(self, repeat: Repeat) -> int | None:
        """The most steps of a round without a wait; None if each has one."""
        id = repeat.id or ""
        if id not in self._rounds:
            first, end = repeat.steps[0].id or "", self.ways.rounds(repeat)
            steps = self.farthest(first).get(end)
            self._rounds[id] = None if steps is None else steps + 1
        return self._rounds[id]

    def farthest(self, start: str) -> dict[str | None, int]:
        """The most steps to each place that can be come to without a wait."""
        far: dict[str | None, int] = {start: 0}
        left = {start}
        while left:
            place = min(left, key=self.order.__getitem__)
            left.remove(place)
            step = self.ways.steps[place]
            for way in filter(is_free, self.ways.on[place]):
                steps = far[place] + 1
                if isinstance(step, Repeat) and place == step.id:
                    steps += self.before_the_last_round(step, way, 0)
                if far.get(way.to, -1) < (steps := min(steps, _TOO_MANY)):
                    far[way.to] = steps
                    left |= {way.to} if way.to is not None else set()
        return far

    # --- what is wrong -------------------------------------------------------------

    def unreached(self, steps: StepSequence) -> Iterator[Issue]:
        """The first of the steps behind the end of every path."""
        for last, step in pairwise(steps):
            if last.id in self.here and step.id not in self.here:
                reason = f"every path ends at {last.id!r}"
                yield self.issue("error", f"never reached: {reason}; remove it", step)
        for step in steps:
            for way in step.ways:
                yield from self.unreached(way)

    def of_step(self, step: _Step, here: _Here) -> Iterator[Issue]:
        if here.steps == STEPS_PER_SPRINT and not self.spinning:
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
        if here.earliest != _NEVER:  # said once: what follows is as late
            for way in self.ways.on[step.id or ""]:
                if way.due is not None and not way.over:
                    yield from self.too_late(_earliest(way.due, here.earliest), step)
        if isinstance(step, WaitFor):
            yield from self.listening(step, here)
        if isinstance(step, Repeat):
            yield from self.rounds(step, here)

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
            way_out = meant(step.since, here.before - {step.id}, none="leave it out")
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
        lost = [send for send, gap in here.sent if gap]
        if missed and step.since is None and lost:
            send = max(lost, key=self.order.__getitem__)
            since = f"add since={send!r}, or " if send in here.before else ""
            yield self.issue(
                "warning",
                f"{missed[0]!r} doesn't count if it comes between {send!r} and "
                f"this step; {since}wait for it at once",
                step,
            )

    def is_too_late(self, due: datetime | None) -> bool:
        return due is not None and self.ends_at is not None and due >= self.ends_at

    def too_late(self, due: datetime | None, step: _Step) -> Iterator[Issue]:
        if self.is_too_late(due):
            yield self.issue(
                "error",
                f"this wait can't end before {due:%Y-%m-%d %H:%M}Z, and the journey ends "
                f"at {self.ends_at:%Y-%m-%d %H:%M}Z with on_end='eject': nobody gets past "
                "it; shorten the wait, move ends_at, or let runs finish",
                step,
            )

    # --- loops ---------------------------------------------------------------------

    def rounds(self, repeat: Repeat, here: _Here) -> Iterator[Issue]:
        """Rounds that follow each other without a wait."""
        length = self.round_of(repeat)
        if length is None or repeat.times == 1 or self.spinning:
            return
        first, end = repeat.steps[0].id or "", self.ways.rounds(repeat)
        circle = {
            place
            for place in self.ways.reach(first, is_free)
            if place and end in self.ways.reach(place, is_free)
        }
        if here.steps + 1 + repeat.times * length > STEPS_PER_SPRINT:
            yield self.issue(
                "error",
                f"loop without a wait: {repeat.times} rounds of {length} steps"
                f"{self.but(circle)}, and more than {STEPS_PER_SPRINT} steps fail at run "
                "time; add a Wait to the steps, or lower times",
                repeat,
            )
            return
        for place in sorted(circle & self.here.keys(), key=self.order.__getitem__):
            if isinstance(send := self.ways.steps[place], Send):
                yield self.issue(
                    "warning",
                    f"a step sends one message at a time, and the rounds of {repeat.id!r} "
                    f"can follow each other without a wait{self.but(circle)}: further "
                    "messages are not sent; add a Wait to the steps of the Repeat",
                    send,
                )

    def loops(self) -> Iterator[Issue]:
        """Where Goto leads nowhere, round without a wait, or round for ever."""
        known = [step.id or "" for step in self.journey.walk()]
        ended = set[str | None]()
        for goto in self.gotos:
            id = goto.id or ""
            if goto.to not in known:
                way_out = meant(goto.to, known)
                yield self.issue("error", f"{goto.to!r} is no step; {way_out}", goto)
            elif goto in self.spinning:
                circle = {
                    place
                    for place in self.ways.reach(id, is_free)
                    if place and id in self.ways.reach(place, is_free)
                }
                yield self.issue(
                    "error",
                    f"loop without a wait: from {goto.to!r} a run comes back here"
                    f"{self.but(circle)}; add a Wait",
                    goto,
                )
            elif id in self.here and id not in ended and self.is_endless(id):
                ended |= self.ways.reach(id)
                yield self.issue(
                    "warning",
                    "runs for ever: no way leads out of the loop, and no goal or exit "
                    "rule ends the run; add one, or a Branch with an Exit",
                    goto,
                )

    def but(self, circle: Iterable[str | None]) -> str:
        """Name a wait that is none in this circle, if there is one."""
        for place in sorted(filter(None, circle), key=self.order.__getitem__):
            if any(way.waits and is_free(way) for way in self.ways.on[place]):
                return f", since {place!r} can be over at once (a duration can't)"
        return ""

    def is_endless(self, place: str) -> bool:
        """Whether nothing ends a run that has come to this place."""
        journey = self.journey
        exits = any(goal.on_goal == "exit" for goal in journey.goals)
        if exits or journey.exit_rules or self.ends_at is not None:
            return False
        reached = self.ways.reach(place)
        return None not in reached and not any(
            p is None or not self.ways.on[p] or _may_leave(self.ways.steps[p])
            for p in reached
        )


_OPTIONS = (
    *("on_past", "on_expired", "on_refused", "on_capped", "on_quiet"),
    *("on_error", "on_empty"),
)


def _may_leave(step: _Step) -> bool:
    """Whether an option of the step may end the run."""
    return any(getattr(step, option, "") == "exit" for option in _OPTIONS)


def _joined(one: _Here, other: _Here) -> _Here:
    """What holds where two ways meet."""
    known = one.earliest is not None and other.earliest is not None
    return _Here(
        before=one.before & other.before,
        steps=max(one.steps, other.steps),
        earliest=min(one.earliest, other.earliest) if known else None,  # type: ignore[type-var]
        sent=one.sent | other.sent,
    )


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
    except OverflowError:  # beyond the year 9999
        return _NEVER

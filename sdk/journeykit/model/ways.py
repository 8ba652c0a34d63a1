"""The ways through a journey: its steps as a graph.

Steps nest and rejoin; Repeat and Goto lead back. A place is a step's id; where a round of
a Repeat is over is a place of its own, because from there the run may go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

from journeykit.model.durations import Duration
from journeykit.model.journey import Journey
from journeykit.model.steps import (
    Branch,
    Collect,
    Due,
    Emit,
    Goto,
    Repeat,
    Send,
    Start,
    Step,
    StepSequence,
    Survey,
    Until,
    Wait,
    WaitFor,
    _Step,
)
from journeykit.model.triggers import EventTrigger

_ROUND_OVER = "\x00"  # behind a Repeat's id, and in no id


class Way(NamedTuple):
    """A way on from a place.

    Attributes:
        to: The place it leads to; None: the end of the run.
        waits: Whether it may take time.
        surely: Whether it takes time however often it is taken: an instant passes only
            once, and a condition may hold already.
        due: What it waits for, if that is a matter of time alone.
        over: Whether it passes over a step, without the wait.
        round: Whether it begins another round of a Repeat, which is not without end.
    """

    to: str | None
    waits: bool = False
    surely: bool = False
    due: Due | None = None
    over: bool = False
    round: bool = False


class Ways:
    """The places of a journey and the ways between them.

    Attributes:
        first: Where a run begins; None if there are no steps.
        steps: Place to step, in document order; a round of a Repeat is over behind its
            steps.
        on: Place to the ways on from there.
    """

    def __init__(self, journey: Journey, *, branches: bool = True) -> None:
        """Lay out the steps; without branches, no way leads into a Branch."""
        self._branches = branches
        self.steps: dict[str, Step] = {}
        self._behind: dict[str, str | None] = {}
        self._around: dict[str, tuple[str, ...]] = {}
        self.first = self._place(journey.steps, None, ())
        self.on = {place: tuple(self._ways(place)) for place in self.steps}

    def _place(
        self, steps: StepSequence, then: str | None, around: tuple[str, ...]
    ) -> str | None:
        """Place steps that are followed by `then`; return the first place."""
        for n, step in enumerate(cast(Sequence[Step], steps)):
            id = step.id or ""
            behind = then if n + 1 == len(steps) else steps[n + 1].id
            self.steps[id] = step
            self._behind[id] = behind
            self._around[id] = around
            if isinstance(step, Repeat):
                self._place(step.steps, id + _ROUND_OVER, (*around, id))
                self.steps[id + _ROUND_OVER] = step
                self._behind[id + _ROUND_OVER] = behind
                continue
            for way in step.ways:
                self._place(way, behind, around)
        return steps[0].id if steps else then

    def _ways(self, place: str) -> Iterator[Way]:
        step, then = self.steps[place], self._behind[place]
        if isinstance(step, Goto):
            if step.to in self.steps:
                inside = step.to in self._around[place]
                yield Way(step.to + _ROUND_OVER if inside else step.to)
        elif isinstance(step, Repeat):
            is_over = place.endswith(_ROUND_OVER)
            yield Way(step.steps[0].id, round=is_over)
            if is_over or step.until is not None:
                yield Way(then)
        elif isinstance(step, Wait):
            waits = not is_zero(step.due)
            yield Way(then, waits, _takes_time(step), step.due)
            if step.passes_over and then is not None:
                yield Way(self._behind[then], waits, over=True)
        elif step.ends:
            yield Way(None)
        else:
            into = self._branches or not isinstance(step, Branch)
            for n, way in enumerate((into and step.ways) or ((),)):
                to = way[0].id if way else then
                waits = step.waits or _awaits_word(step)
                yield Way(to, waits, _surely(step, n), _late(step, n))

    def rounds(self, repeat: Repeat) -> str:
        """The place where a round of a Repeat is over."""
        return (repeat.id or "") + _ROUND_OVER

    def reach(
        self, start: str | None, along: Callable[[Way], bool] = lambda way: True
    ) -> set[str | None]:
        """The places that can be come to from one, itself included; None is the end."""
        found = {start}
        left = [start]
        while left:
            place = left.pop()
            for way in self.on.get(place or "", ()):
                if way.to not in found and along(way):
                    found.add(way.to)
                    left.append(way.to)
        return found

    def comes_back(self, start: str, along: Callable[[Way], bool]) -> bool:
        """Whether a way on from a place leads back to it."""
        return any(
            along(way) and start in self.reach(way.to, along) for way in self.on[start]
        )


def _awaits_word(step: _Step) -> bool:
    """Whether it may wait for word of a message, or for an answer to it."""
    if isinstance(step, Survey) and step.within is not None:
        return True
    return isinstance(step, Send) and step.fallback_after is not None


def _surely(step: _Step, n: int) -> bool:
    """Whether the n-th way of a step takes time however often it is taken."""
    if isinstance(step, WaitFor):
        if n < len(step.paths):
            return isinstance(step.paths[n].when, EventTrigger)
        return _lasts(step.timeout)
    if isinstance(step, Survey):  # nobody answers before being asked, if anybody is
        return step.within is not None and n == 0
    return _lasts(step.window) if isinstance(step, Collect) else step.waits


def _late(step: _Step, n: int) -> Due | None:
    """What the n-th way waits for, if that is the timeout, or a window's end."""
    if isinstance(step, Collect):
        return step.window if step.until_count is None else None
    is_late = isinstance(step, WaitFor) and n == len(step.paths)
    return cast(WaitFor, step).timeout if is_late else None


def _takes_time(step: Wait) -> bool:
    due = step.due
    if isinstance(due, Until) and due.instant is not None:
        return step.on_past == step.on_missing == "exit"  # else it is over at once
    return _lasts(due)


def _lasts(due: Due | None) -> bool:
    """Whether a wait takes time even if the one before has only just ended."""
    if isinstance(due, Until):  # at 20:00 a wait until 20:00 is over
        return due.instant is None and due.after is not None and not is_zero(due.after)
    return due is not None and not is_zero(due)


def is_zero(due: object) -> bool:
    """Whether this is a duration, and of nothing."""
    return due == Duration()


def is_free(way: Way) -> bool:
    """Whether a run may take a way again and again without a wait."""
    return not way.surely and not way.round


def causes(journey: Journey, *, at_once: bool) -> Iterator[tuple[Emit | Start, bool]]:
    """Yield each Emit and Start that a run can reach, and whether it can then end at once.

    Args:
        journey: Whose they are.
        at_once: Whether to yield only what it can reach without a wait; otherwise what
            lies in a Branch is left out, whose conditions can end any circle.
    """
    ways, through = Ways(journey), Ways(journey, branches=at_once)
    reached = through.reach(through.first, _is_instant if at_once else lambda way: True)
    for place, step in ways.steps.items():
        if place in reached and isinstance(step, Emit | Start):
            yield step, None in ways.reach(place, _is_instant)


def _is_instant(way: Way) -> bool:
    return not way.waits

"""What a map says of definitions: steps, ways, triggers, in a few words each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from journeykit.engine.words import REASONS
from journeykit.model.conditions import Condition, Expression, text_of
from journeykit.model.durations import Duration
from journeykit.model.journey import Journey
from journeykit.model.names import ENGINE_REASONS
from journeykit.model.schedules import ScheduleTrigger
from journeykit.model.steps import (
    Branch,
    Call,
    Collect,
    Due,
    Emit,
    Exit,
    Goto,
    Repeat,
    Send,
    Split,
    Start,
    Step,
    Survey,
    Update,
    Wait,
    WaitFor,
)
from journeykit.model.triggers import (
    ApiTrigger,
    BecomesTrigger,
    EventTrigger,
    Happens,
    InactiveTrigger,
    PatternTrigger,
    SequenceTrigger,
    Trigger,
)

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))

KINDS: Mapping[str, str] = {
    "start": "Start",
    "end": "End",
    "held_out": "Held out",
    "send": "Send",
    "survey": "Survey",
    "wait": "Wait",
    "wait_for": "Wait for",
    "branch": "Branch",
    "split": "Split",
    "update": "Update",
    "emit": "Emit",
    "exit": "Exit",
    "call": "Call",
    "collect": "Collect",
    "start_journey": "Start",
    "repeat": "Repeat",
}
"""Kind of a place on the map to what it is called."""


def about(step: Step) -> str:
    """What a step does, without its kind: `email: welcome`, `2d`."""
    match step:
        case Survey():
            return f"{step.kind} by {_channels(step)}: {step.template}"
        case Send():
            return f"{_channels(step)}: {step.template}"
        case Wait():
            return due_in_words(step.due)
        case WaitFor() | Branch():
            return ""
        case Split():
            return ", ".join(f"{arm.name} {arm.weight:g} %" for arm in step.arms)
        case Update():
            return ", ".join(step.values)
        case Emit():
            return step.name
        case Exit():
            if step.journey is not None:
                return f"runs of {step.journey}"
            return step.reason
        case Call():
            return step.action
        case Collect():
            return f"{step.when.name}, for {due_in_words(step.window)}"
        case Start():
            return step.journey
        case Repeat():
            until = f", until {step.until.text}" if step.until is not None else ""
            return f"up to {step.times} times{until}"
        case Goto():
            return step.to
        case _:  # a kind to come is shown by its name
            return ""


def _channels(step: Send) -> str:
    return " or ".join(step.channel)


def kind_of(step: Step) -> str:
    """The kind of place that a step is."""
    return "start_journey" if isinstance(step, Start) else step.type


def way_labels(step: Step) -> Iterator[str]:
    """Yield what each way on from a step is called, in their order."""
    match step:
        case Branch():
            yield from (_asked(path.when) for path in step.paths)
            yield "otherwise"
        case WaitFor():
            yield from (_asked(path.when) for path in step.paths)
            if step.timeout is not None:
                yield _late(step.timeout)
        case Split():
            yield from (f"{arm.name} {arm.weight:g} %" for arm in step.arms)
        case Call():
            yield from () if isinstance(step.on_error, str) else ("", "if it fails")
        case Survey():
            yield from () if step.within is None else ("answered", "no answer")
        case _:
            return


def _late(due: Due) -> str:
    words = due_in_words(due)
    return f"none {words}" if words.startswith("until") else f"none within {words}"


def _asked(when: EventTrigger | Condition) -> str:
    return _event(when) if isinstance(when, EventTrigger) else when.text


def _event(trigger: EventTrigger) -> str:
    where = f" if {trigger.where.text}" if trigger.where is not None else ""
    return f"{trigger.name}{where}"


def due_in_words(due: Due) -> str:
    """How long, or until when: `2d`, `until 20:00`, `until 7d before entry.end_date`."""
    if isinstance(due, str):
        return Duration.parse(due).short
    if isinstance(due, Duration):
        return due.short
    parts = []
    offset, side = (due.before, "before") if due.before else (due.after, "after")
    base = ""
    if isinstance(due.instant, Expression):
        base = text_of(due.instant)
    elif due.instant is not None:
        base = str(due.instant)
    if offset is not None:
        parts.append(f"{offset.short} {side} {base or 'arrival'}")
    elif base:
        parts.append(base)
    if due.weekdays:
        parts.append(", ".join(due.weekdays))
    if due.time:
        parts.append(str(due.time))
    if due.window is not None:
        parts.append(f"{due.window.start} to {due.window.end}")
    return f"until {', '.join(parts)}"


def trigger_in_words(trigger: Trigger) -> str:
    """What starts a journey: `order.placed if event.total > 40`."""
    match trigger:
        case EventTrigger():
            return _event(trigger)
        case ApiTrigger():
            return "an enroll call"
        case SequenceTrigger():
            return ", then ".join(
                f"{part.when.name}{f' {part.times} times' if part.times > 1 else ''}"
                if isinstance(part, Happens)
                else f"no {part.when.name} for {part.within.short}"
                for part in trigger.parts
            )
        case BecomesTrigger():
            return f"it becomes true: {trigger.when.text}"
        case InactiveTrigger():
            names = " or ".join(each.name for each in trigger.listened)
            if trigger.after is not None:
                return f"no {names} for {trigger.after.short}"
            return f"no {names} for {trigger.cadence:g} times as long as usual"
        case ScheduleTrigger():
            return "a schedule"
        case PatternTrigger():
            names = ", ".join(sorted(trigger.names or ()))
            return f"a pattern of {names}" if names else "a pattern of events"


def triggers_in_words(journey: Journey) -> str:
    """What starts a journey, however many triggers it has."""
    return " · ".join(map(trigger_in_words, journey.triggers))


def time_in_words(ms: float) -> str:
    """A stretch of time by its two largest units: `2 d 4 h`, `40 s`; `0 s` is at once."""
    left = round(ms)
    parts: list[tuple[int, str]] = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
        if len(parts) == 2:
            break
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def share_in_words(share: float) -> str:
    """A share as percent; what is more than none never looks like it."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def people_in_words(count: int) -> str:
    """So many people."""
    return "1 person" if count == 1 else f"{count:,} people"


_OUR_REASONS = ENGINE_REASONS.union(*(each for each in REASONS.values() if each))


def reason_in_words(reason: str) -> str:
    """Why something happened: ours in words (`frequency cap`), an author's as it is."""
    if not reason:
        return "no reason"
    return reason.replace("_", " ") if reason in _OUR_REASONS else reason


def counts_in_words(counts: Mapping[str, int], *, most: int = 3) -> str:
    """Counts by reason: `no consent 80, frequency cap 24, 3 others 7`."""
    named = [f"{reason_in_words(name)} {n:,}" for name, n in counts.items()]
    if len(named) > most:
        others = list(counts.values())[most - 1 :]
        named = [*named[: most - 1], f"{len(others)} others {sum(others):,}"]
    return ", ".join(named)

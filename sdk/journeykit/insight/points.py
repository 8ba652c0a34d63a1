"""Points: what can happen to a person or a run, named in one short text.

A funnel is a list of them, and so is the end of an attribution:

| text | when it happens |
| --- | --- |
| `order.placed` | an event of this name |
| `order.placed where event.amount > 40` | one for which the condition holds |
| `event:a/b` | an event whose name looks like something else |
| `welcome/send-1` | a run comes to the step |
| `welcome/send-1@clicked` | the step's message was clicked; also `sent`, `delivered`, … |
| `welcome@sent`, `*@sent` | any message of the journey, of any journey |
| `welcome@entered` | a run starts; also `completed`, `exited`, `failed` |
| `welcome@exited:goal_reached` | a run ends so, for this reason |
| `welcome@goal`, `welcome@goal:purchase` | a goal is reached: any, or this one |
| `stage:retention`, `segment:vip` | a person comes into it |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from journeykit.errors import DefinitionError, InputError
from journeykit.model import cel
from journeykit.model.conditions import Condition
from journeykit.model.rules import ID

MessageFate = Literal[
    "sent",
    "delivered",
    "opened",
    "clicked",
    "replied",
    "bounced",
    "complained",
    "unsubscribed",
]
"""What may become of a message."""

RunMark = Literal["entered", "completed", "exited", "failed", "goal"]
"""What may be noted of a run."""

FATES: tuple[MessageFate, ...] = get_args(MessageFate)
MARKS: tuple[RunMark, ...] = get_args(RunMark)

LONGEST = 4_500  # characters; a condition may have 4,096 of them
_NAME = 128  # characters of an event's name

_OF_JOURNEY = re.compile(
    rf"(?P<journey>\*|{ID})(?:/(?P<step>{ID}))?(?:@(?P<what>[a-z]+)(?::(?P<detail>{ID}))?)?"
)


@dataclass(frozen=True, slots=True)
class EventPoint:
    """An event.

    Attributes:
        name: How it is called.
        where: A condition on `event`; none: any such event.
    """

    name: str
    where: str | None = None

    def __str__(self) -> str:
        """Print the text that `point` reads."""
        looks_else = bool(set("/@") & set(self.name)) or self.name.partition(":")[
            0
        ] in (
            "event",
            "stage",
            "segment",
        )
        name = f"event:{self.name}" if looks_else else self.name
        return f"{name} where {self.where}" if self.where else name


@dataclass(frozen=True, slots=True)
class StepPoint:
    """A run comes to a step."""

    journey: str
    step: str

    def __str__(self) -> str:
        """Print the text that `point` reads."""
        return f"{self.journey}/{self.step}"


@dataclass(frozen=True, slots=True)
class RunPoint:
    """A run starts, ends or reaches a goal.

    Attributes:
        journey: Whose run.
        mark: What is noted of it.
        detail: For which reason it ended, or which goal; empty: any.
    """

    journey: str
    mark: RunMark
    detail: str = ""

    def __str__(self) -> str:
        """Print the text that `point` reads."""
        return f"{self.journey}@{self.mark}" + (
            f":{self.detail}" if self.detail else ""
        )


@dataclass(frozen=True, slots=True)
class MessagePoint:
    """A message was sent, or something became of it.

    Attributes:
        journey: Whose message; empty: of any journey.
        step: Of which step; empty: of any.
        fate: What became of it.
    """

    journey: str
    step: str
    fate: MessageFate

    def __str__(self) -> str:
        """Print the text that `point` reads."""
        step = f"/{self.step}" if self.step else ""
        return f"{self.journey or '*'}{step}@{self.fate}"


@dataclass(frozen=True, slots=True)
class StayPoint:
    """A person comes into a segment or a stage."""

    kind: Literal["stage", "segment"]
    name: str

    def __str__(self) -> str:
        """Print the text that `point` reads."""
        return f"{self.kind}:{self.name}"


Point: TypeAlias = EventPoint | StepPoint | RunPoint | MessagePoint | StayPoint


def point(text: str) -> Point:
    """Read a point.

    Args:
        text: As in the table above.

    Raises:
        InputError: It is none; the message says how to write it.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InputError(
            f"a point has 1 to {LONGEST:,} characters, such as 'order.placed'"
        )
    name, has_condition, where = text.partition(" where ")
    if has_condition:
        return _event(name.removeprefix("event:"), where)
    kind, colon, rest = text.partition(":")
    if colon and kind == "event":
        return _event(rest, None)
    if colon and kind in ("stage", "segment"):
        if not re.fullmatch(ID, rest):
            raise InputError(f"{text!r}: {rest!r} is no name of a {kind}")
        return StayPoint(cast(Literal["stage", "segment"], kind), rest)
    if "/" in text or "@" in text:
        return _of_journey(text)
    return _event(text, None)


def holds(where: str) -> Mapping[str, None]:
    """Check a condition that is to be asked of recorded events.

    Returns:
        The first names that it reads of the event, in no order.

    Raises:
        InputError: It can't be read, or asks for more than the event.
    """
    try:
        condition = Condition.parse(where)
    except DefinitionError as error:
        raise InputError(f"where {where!r}: {error}") from error
    parsed = cel.parse(condition.text)
    if any(True for _ in cel.time_tests(parsed)):
        raise InputError(
            f'where {where!r}: a log has no now; compare with timestamp("…") instead'
        )
    paths = cel.paths(parsed)
    if others := sorted({str(path[0]) for path in paths} - {"event"}):
        raise InputError(
            f"where {where!r}: of recorded events only `event` is known, "
            f"and not `{others[0]}`"
        )
    return dict.fromkeys(str(path[1]) for path in paths if len(path) > 1)


def _event(name: str, where: str | None) -> EventPoint:
    name = name.strip()
    if not name or len(name) > _NAME:
        raise InputError(f"an event's name has 1 to {_NAME} characters; got {name!r}")
    if where is None:
        return EventPoint(name)
    holds(where)
    return EventPoint(name, where.strip())


def _of_journey(text: str) -> Point:
    match = _OF_JOURNEY.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text!r} is no point: write a step as 'welcome/send-1', its message as "
            "'welcome/send-1@clicked', a run as 'welcome@entered', and an event of such "
            f"a name as 'event:{text}'"
        )
    journey, step = match["journey"], match["step"] or ""
    what, detail = match["what"], match["detail"] or ""
    if what in FATES and not detail:
        of = "" if journey == "*" else journey
        if step and not of:
            raise InputError(
                f"{text!r}: a step belongs to a journey; name it for the *"
            )
        return MessagePoint(of, step, cast(MessageFate, what))
    if journey == "*":
        raise InputError(
            f"{text!r}: only messages are of any journey, such as '*@sent'"
        )
    if what is None:
        return StepPoint(journey, step)
    if what in MARKS and not step and not (detail and what in ("entered", "completed")):
        return RunPoint(journey, cast(RunMark, what), detail)
    marks = ", ".join(FATES if step else (*MARKS, *FATES))
    raise InputError(f"{text!r}: behind the @ stands one of {marks}")

"""What goes with leaving a journey, as values: factors, places, and all that was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from journeykit.insight.stats.intervals import Interval, Share

Leaving = Literal["no_goal", "not_back", "ended_early", "event", "silence"]
Kind = Literal[
    "property",
    "hour",
    "weekday",
    "version",
    "segment",
    "persona",
    "stage",
    "arm",
    "path",
    "channel",
    "template",
    "delay",
    "deferral",
    "suppression",
    "step",
    "friction",
]


class Churn(NamedTuple):
    """An event by which somebody is known to have left.

    Attributes:
        event: The event's name.
        within_days: For how long after the entry it is looked for.
        is_silence: Whether its absence is what tells it, as of a purchase.
    """

    event: str
    within_days: float
    is_silence: bool = False


@dataclass(frozen=True, slots=True)
class Factor:
    """Something that is true of some runs and not of others.

    Attributes:
        kind: What sort of thing it is.
        name: Which: the property, or the step.
        level: Its value, or a range of values, or a reason.
        unit: What is counted: `run`, or `stay` at a step.
        group: Of the runs of which it is true, those that were left.
        others: Of all other runs of which it is known, those that were left.
        people: How many people the group's runs are of.
        difference: The first share minus the second.
        interval: Where the difference may lie; of an associated factor it is widened for
            having been picked out of many.
        p_value: Adjusted for how many factors were looked at.
        associated: Whether that is below the rate of false discoveries.
        step: The step that it points to; empty: the entry.
        touchpoint: The touchpoint that the step is; empty if none.
        friction: What the touchpoint's author noted to stand in the customer's way.
        also: Other properties, or a persona's segment, that are true of just the same
            runs, in words.
    """

    kind: Kind
    name: str
    level: str
    unit: Literal["run", "stay"]
    group: Share
    others: Share
    people: int
    difference: float
    interval: Interval
    p_value: float
    associated: bool
    step: str
    touchpoint: str
    friction: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is, in words."""
        return words_of(self.kind, self.name, self.level)

    @property
    def points_to(self) -> str:
        """Where to look, in words: a step and its touchpoint, or the entry."""
        if not self.step:
            return "the entry"
        at = f"step {self.step}"
        return f"{at}, touchpoint {self.touchpoint}" if self.touchpoint else at


@dataclass(frozen=True, slots=True)
class Place:
    """A step, and how many left there.

    Attributes:
        step: The step.
        touchpoint: The touchpoint that it is; empty if none.
        friction: What the touchpoint's author noted.
        left: Of those who came there, those who went no further and left.
    """

    step: str
    touchpoint: str
    friction: tuple[str, ...]
    left: Share


@dataclass(frozen=True, slots=True)
class Causes:
    """What goes with leaving a journey.

    Attributes:
        journey: The journey.
        leaving: How leaving is told.
        left: Of the runs of which it is known, those that were left.
        people: How many people these runs are of.
        undecided: Runs of which it isn't known yet.
        factors: What was looked at: first what is associated, the largest difference
            first, then the rest.
        looked_at: How many factors that is.
        too_few: Of how many there were too few runs or people to say anything.
        places: The steps, in the order of the journey; empty where leaving has no place.
        level: How sure the intervals are.
        problems: What couldn't be looked at, a sentence each.
        definition: What is counted.
    """

    journey: str
    leaving: Leaving
    left: Share
    people: int
    undecided: int
    factors: tuple[Factor, ...]
    looked_at: int
    too_few: int
    places: tuple[Place, ...]
    level: float
    problems: tuple[str, ...]
    definition: str

    @property
    def associated(self) -> tuple[Factor, ...]:
        """The factors that go with leaving more or less often."""
        return tuple(each for each in self.factors if each.associated)


def words_of(kind: Kind, name: str, level: str) -> str:
    """What a factor is, in words."""
    match kind:
        case "property":
            return f"entered with {name} {level}"
        case "hour":
            return f"entered between {level} o'clock"
        case "weekday":
            return f"entered on a {level}"
        case "version":
            return f"version {level}"
        case "segment" | "stage" | "persona":
            return f"in {kind} {name} at the entry"
        case "arm":
            return f"arm {level} at {name}"
        case "path":
            return f"path {level} at {name}"
        case "channel":
            return f"first message by {level}"
        case "template":
            return f"first message {level}"
        case "delay":
            return f"first message sent {level}"
        case "deferral":
            return f"held back at {name}: {level}"
        case "suppression":
            return f"not sent at {name}: {level}"
        case "step":
            return f"at step {name}, of all steps"
        case "friction":
            return "at a step whose touchpoint has friction noted"

"""How the figure of an objective is got out of the logs: measures.

`Objective.kpi` says it in words; its measure says it so that `journeykit measure
objectives` can compute it. Shares are in percent here, from 0 to 100, as people write
targets.

To add a kind: a class here (in `Measure`, at the end), what can be wrong about it in
`journeykit.model.targets`, how it is computed in `journeykit.insight.gauges`, and a line
for it in `journeykit.insight.measured`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Discriminator, Field, Tag

from journeykit.model import cel
from journeykit.model.conditions import Expression, expr_of, text_of
from journeykit.model.definition import definition
from journeykit.model.durations import Duration
from journeykit.model.names import Id
from journeykit.model.traits import Amount, Events
from journeykit.model.triggers import EventTrigger


def _require_length(name: str, length: Duration | None) -> None:
    if length is not None and not length:
        raise ValueError(f"{name}: nothing is in a window of no length; leave it out")


@definition
class _Measured:
    """What all measures have.

    Attributes:
        over: Counts what was in the last so long; without it all there is in the log.
    """

    _: KW_ONLY
    over: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_length("over", self.over)


@definition
class Conversion(_Measured):
    """The percent of a journey's runs, or people, that reached its goal.

    Held-out people don't count. Of a goal with a window only runs count whose window is
    over: the others may still reach it.

    Attributes:
        journey: The journey's id.
        goal: The goal's id; the first goal if not given.
        per: Whether it is a share of the journey's runs (`run`), or of the people who
            entered it (`person`).
    """

    type: Literal["conversion"] = field(default="conversion", kw_only=True)
    journey: Id
    _: KW_ONLY
    goal: Id | None = None
    per: Literal["run", "person"] = "run"


@definition
class Arrival(_Measured):
    """The percent of a journey's runs that came to one of its steps.

    Only runs that have ended count: the others may still come to it.

    Attributes:
        journey: The journey's id.
        step: The step's id.
        among: The step that runs must have come to, to be counted at all; every run if
            not given.
    """

    type: Literal["arrival"] = field(default="arrival", kw_only=True)
    journey: Id
    step: Id
    _: KW_ONLY
    among: Id | None = None


@definition
class Revenue(_Measured):
    """What goals that were reached are worth, by their `value`.

    Held-out people don't count.

    Attributes:
        journey: The journey's id; all journeys if not given.
        goal: The goal's id; all goals of the journey if not given.
        per: The sum (`total`), or the mean of a run that entered (`run`), of a person
            who entered (`person`), of a goal that was reached (`goal`).
    """

    type: Literal["revenue"] = field(default="revenue", kw_only=True)
    journey: Id | None = None
    _: KW_ONLY
    goal: Id | None = None
    per: Literal["total", "run", "person", "goal"] = "total"

    def __post_init__(self) -> None:
        """Refuse a goal of no journey."""
        _require_length("over", self.over)
        if self.goal is not None and self.journey is None:
            raise ValueError("goal is that of a journey; give the journey too")


class _OfEvents:
    """What measures of events have in common."""

    of: Events

    @property
    def triggers(self) -> Sequence[EventTrigger]:
        """The events that count, whatever way they were written."""
        return cast(Sequence[EventTrigger], self.of)


@definition
class Occurrences(_Measured, _OfEvents):
    """How many events there were, or how many people had one.

    Attributes:
        of: The event, or several, each by its name or as `on(…)` with a condition on
            `event`.
        count: What is counted: `events` or `people`.
    """

    type: Literal["occurrences"] = field(default="occurrences", kw_only=True)
    of: Events
    _: KW_ONLY
    count: Literal["events", "people"] = "events"


@definition
class Total(_Measured, _OfEvents):
    """The sum, or the mean, of a number of the events.

    Attributes:
        of: The event, or several, each by its name or as `on(…)` with a condition on
            `event`.
        value: The number: `event.total`. An event without it does not count.
        per: The sum (`total`), or the mean of an event (`event`), of a person who had
            one (`person`).
    """

    type: Literal["total"] = field(default="total", kw_only=True)
    of: Events
    value: Amount
    _: KW_ONLY
    per: Literal["total", "event", "person"] = "total"

    def __post_init__(self) -> None:
        """Refuse what is no field of the event."""
        _require_length("over", self.over)
        path = expr_of(self.amount)
        if not (isinstance(path, cel.Path) and path.keys):
            raise ValueError(
                f"value: {self.amount_text} is no field of the event; write event.total"
            )

    @property
    def amount(self) -> Expression:
        """The field that is added up."""
        return cast(Expression, self.value)

    @property
    def amount_text(self) -> str:
        """The field that is added up, in words."""
        return text_of(self.amount)


@definition
class Reach(_Measured, _OfEvents):
    """The percent of people who had one event among those who had another.

    Attributes:
        of: The event, or several, each by its name or as `on(…)` with a condition on
            `event`.
        among: The event that people must have had to be counted at all; anybody with any
            event if not given.
    """

    type: Literal["reach"] = field(default="reach", kw_only=True)
    of: Events
    _: KW_ONLY
    among: Events | None = None

    @property
    def everybody(self) -> Sequence[EventTrigger] | None:
        """The events of those who are counted at all; None: any."""
        return cast(Sequence[EventTrigger] | None, self.among)


@definition
class Active(_OfEvents):
    """The percent of people who did something lately, among all who ever did it.

    Attributes:
        of: The event, or several, each by its name or as `on(…)` with a condition on
            `event`.
        within: What lately is.
    """

    type: Literal["active"] = field(default="active", kw_only=True)
    of: Events
    within: Duration

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_length("within", self.within)


@definition
class Returning(_Measured, _OfEvents):
    """The percent that come back: after an event there is another one in time.

    Only events count whose time to come back is over.

    Attributes:
        of: The event, or several, each by its name or as `on(…)` with a condition on
            `event`.
        within: How soon.
        back: The event that they come back with; the same one if not given.
        after: What they come back after: `each` event, or the `first` one that a person
            had.
    """

    type: Literal["returning"] = field(default="returning", kw_only=True)
    of: Events
    within: Duration
    _: KW_ONLY
    back: Events | None = None
    after: Literal["each", "first"] = "each"

    def __post_init__(self) -> None:
        """Refuse a window of no length."""
        _require_length("over", self.over)
        _require_length("within", self.within)

    @property
    def returns(self) -> Sequence[EventTrigger]:
        """The events that people come back with."""
        return cast(Sequence[EventTrigger], self.back or self.of)


@definition
class Membership:
    """How many people are in a segment, or in a stage of the lifecycle.

    Attributes:
        segment: The segment's id.
        stage: The stage's id, instead of a segment.
        count: Whether it is the `percent` of all people in the log, or how many
            `people` they are.
    """

    type: Literal["membership"] = field(default="membership", kw_only=True)
    _: KW_ONLY
    segment: Id | None = None
    stage: Id | None = None
    count: Literal["percent", "people"] = "percent"

    def __post_init__(self) -> None:
        """Refuse two, or none."""
        if (self.segment is None) == (self.stage is None):
            raise ValueError("give a segment or a stage, one of the two")


@definition
class SurveyScore(_Measured):
    """The score of a survey.

    It is the net promoter score, from -100 to 100, of an `nps` survey, the percent of
    answers of 4 or 5 of a `csat` survey, and the mean answer, 1 to 7, of a `ces` survey.

    Attributes:
        survey: The survey's id; all surveys of the kind if not given.
        kind: What it asks: `nps`, `csat` or `ces`.
    """

    type: Literal["survey_score"] = field(default="survey_score", kw_only=True)
    survey: Id | None = None
    _: KW_ONLY
    kind: Literal["nps", "csat", "ces"] = "nps"


@definition
class MessageRate(_Measured):
    """The percent of messages sent of which something was heard.

    Attributes:
        what: What became of them: `delivered`, `opened`, `clicked`, `replied`,
            `bounced`, `complained` or `unsubscribed`.
        journey: Only those of this journey.
        channel: Only those of this channel.
        template: Only those made from this template.
    """

    type: Literal["message_rate"] = field(default="message_rate", kw_only=True)
    what: Literal[
        "delivered",
        "opened",
        "clicked",
        "replied",
        "bounced",
        "complained",
        "unsubscribed",
    ] = "delivered"
    _: KW_ONLY
    journey: Id | None = None
    channel: Id | None = None
    template: Annotated[str, Field(min_length=1, max_length=256)] | None = None


Measure: TypeAlias = Annotated[
    Annotated[Conversion, Tag("conversion")]
    | Annotated[Arrival, Tag("arrival")]
    | Annotated[Revenue, Tag("revenue")]
    | Annotated[Occurrences, Tag("occurrences")]
    | Annotated[Total, Tag("total")]
    | Annotated[Reach, Tag("reach")]
    | Annotated[Active, Tag("active")]
    | Annotated[Returning, Tag("returning")]
    | Annotated[Membership, Tag("membership")]
    | Annotated[SurveyScore, Tag("survey_score")]
    | Annotated[MessageRate, Tag("message_rate")],
    Discriminator("type"),
]
"""Any kind of measure, told apart by its `type`."""

Unit = Literal["percent", "amount", "count", "score"]
"""What a measure is in: percent, the currency of its values, a number, a score."""


def unit_of(measure: Measure) -> Unit:
    """Say what a measure, and so the target of its objective, is in."""
    match measure:
        case Conversion() | Arrival() | Reach() | Active() | Returning():
            return "percent"
        case MessageRate():
            return "percent"
        case Revenue() | Total():
            return "amount"
        case Occurrences():
            return "count"
        case Membership(count=count):
            return "percent" if count == "percent" else "count"
        case SurveyScore():
            return "score"


def is_growing(measure: Measure) -> bool:
    """Whether it only adds up over time, so that a target has a pace to keep."""
    match measure:
        case Revenue(per="total", over=None) | Total(per="total", over=None):
            return True
        case Occurrences(over=None):
            return True
        case _:
            return False

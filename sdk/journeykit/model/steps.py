"""The steps that a journey is made of: a closed union, one class a kind.

To add a kind: a class here (in `Step`, at the end), a class of the same `type` in
`journeykit/engine/steps.py`, tests, and a section in docs/steps.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from journeykit.errors import InputError
from journeykit.model.clocktimes import Weekday
from journeykit.model.conditions import Condition, Expression, text_of
from journeykit.model.definition import definition
from journeykit.model.durations import Duration, hours
from journeykit.model.events import instant
from journeykit.model.names import (
    ClosingTimeText,
    EventName,
    FieldName,
    Id,
    Percent,
    Reason,
    Time,
    Values,
    slug,
)
from journeykit.model.rules import COLLECTED_ITEMS, Fate, Purpose
from journeykit.model.surveys import MAX_QUESTION, SurveyKind
from journeykit.model.triggers import EventTrigger


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Channels = Annotated[
    str | Sequence[Id],
    BeforeValidator(_one_or_many),
    AfterValidator(tuple),
    Field(min_length=1, max_length=8),
]


@definition
class Window:
    """A stretch of the day in the customer's local time, such as 08:00 to 10:00.

    The end is exclusive. A window over midnight belongs to the day on which it starts.

    Attributes:
        start: Its first minute, `"08:00"`.
        end: The first minute behind it, `"10:00"`; `"24:00"` is midnight.
        weekdays: The days on which it starts; all of them if empty.
    """

    start: Time
    end: ClosingTimeText
    _: KW_ONLY
    weekdays: Annotated[Sequence[Weekday], AfterValidator(tuple)] = ()

    def __post_init__(self) -> None:
        """Refuse a window without a minute in it."""
        if self.start == self.end:
            raise ValueError(
                f"a window from {self.start} to {self.end} is empty; "
                "write '00:00' to '24:00' for the whole day"
            )


_DATED = re.compile(r"\d{4}-")


def _anchor(value: object) -> object:
    """An instant, or a reference to one; text that begins like a date is an instant."""
    if isinstance(value, str):
        if not _DATED.match(value):
            return Expression(value)
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(
                f"{value!r:.60} is no instant: {error}; write '2026-06-07T12:00:00Z'"
            ) from error
    if isinstance(value, str | datetime):
        try:
            return instant(value)
        except InputError as error:  # a ValueError is what pydantic adds the field to
            raise ValueError(error.message) from error
    return value


@definition
class Until:
    """An instant to wait for: from a base, by an offset, to a local time.

    The base is `instant` if given, else the arrival at the step. `before` and `after`
    move it. Then `time`, `weekdays` and `window` ask for the first fitting local time at
    or after that.

    Attributes:
        instant: A date with time and offset, or a reference to one:
            `profile.renews_at`, `entry.end_date`. A date alone is its local midnight;
            a number is seconds since the epoch, from 1e11 on milliseconds.
        before: How long before the instant.
        after: How long after the instant.
        time: A local time of day, `"20:00"`.
        weekdays: The local days that fit, `["mon", "thu"]`.
        window: A local window: inside it is now, outside it is its next start.
    """

    instant: Annotated[datetime | Expression | str | None, BeforeValidator(_anchor)] = (
        None
    )
    _: KW_ONLY
    before: Duration | None = None
    after: Duration | None = None
    time: Time | None = None
    weekdays: Annotated[Sequence[Weekday], AfterValidator(tuple)] = ()
    window: Window | None = None

    def __post_init__(self) -> None:
        """Refuse what asks for nothing, or for two things at once."""
        if self.before is not None and self.after is not None:
            raise ValueError("before and after exclude each other; give one")
        if self.instant is None and self.before is not None:
            raise ValueError("before needs an instant to be before")
        if self.window is not None and (self.time or self.weekdays):
            raise ValueError("window excludes time and weekdays; it has its own")
        if not (
            self.instant or self.after or self.time or self.weekdays or self.window
        ):
            raise ValueError("give an instant, a time, weekdays or a window")

    @property
    def slug(self) -> str:
        """The readable part of a derived step id."""
        anchor = text_of(self.instant) if isinstance(self.instant, Expression) else ""
        if isinstance(self.instant, datetime):
            anchor = self.instant.date().isoformat()
        offset = f"{self.before.short} before" if self.before else ""
        window = f"{self.window.start} {self.window.end}" if self.window else ""
        return " ".join([offset, anchor, *self.weekdays, self.time or "", window])


if TYPE_CHECKING:  # what authors may write, where that is more than what is kept
    Due: TypeAlias = Duration | Until | str
    Instant: TypeAlias = datetime | str
    StepSequence: TypeAlias = Sequence["_Step"]  # of `[Send(…), Wait(…)]`
    OnError: TypeAlias = Literal["continue", "exit"] | StepSequence
else:
    Due = Duration | Until
    Instant = datetime
    StepSequence = Annotated[Sequence["Step"], AfterValidator(tuple)]
    OnError = Annotated[
        Annotated[Literal["continue", "exit"], Tag("word")]
        | Annotated[StepSequence, Tag("steps")],
        Discriminator(lambda value: "word" if isinstance(value, str) else "steps"),
    ]


@definition
class When:
    """One way on: what must happen or hold, and the steps that follow then.

    Attributes:
        when: A condition; in a WaitFor also a trigger, `on("order.placed")`.
        steps: What follows; may be empty.
    """

    when: EventTrigger | Condition
    steps: StepSequence = ()


@definition
class Arm:
    """One arm of a Split.

    Attributes:
        name: What reports call it.
        weight: Its share in percent, to two decimals.
        steps: What follows; may be empty.
    """

    name: Id
    weight: Annotated[Percent, Field(gt=0, le=100)]
    steps: StepSequence = ()


@definition
class _Step:
    """What every step has.

    Attributes:
        id: Its name within the journey; derived from what it does if not given.
        touchpoint: The declared touchpoint that this step is.
    """

    _: KW_ONLY
    id: Id | None = field(default=None)
    touchpoint: Id | None = None

    waits: ClassVar[bool] = False  # whether a run that comes here can't go on at once

    @property
    def ends(self) -> bool:
        """Whether no run goes on from here to the step behind it."""
        return False

    @property
    def ways(self) -> Sequence[StepSequence]:
        """The steps inside, one sequence a way on; empty if it does not part."""
        return ()

    @property
    def passes_over(self) -> bool:
        """Whether it may pass over the step behind it."""
        return False


@definition
class Send(_Step):
    """Send a message: over one channel, or the first of several that works.

    Attributes:
        channel: `"email"`, or `["push", "email"]` in order of preference. A missing
            address, a missing consent for the channel, a cap of the channel or a bounce
            moves on to the next.
        template: The name of what is sent.
        variables: What the template gets: constants and references.
        topic: What it is about, for consent and caps; the journey's if not given.
        purpose: `marketing` or `transactional`; the journey's if not given.
        expires_after: How late it may go, counted from the instant the step was
            reached; by default 24 hours for marketing, never for transactional.
        fallback_after: How long a channel has to be heard of: then the next one has its
            turn, and at once if the message bounced, was rejected or failed. None: a
            message that went is not followed up.
        fallback_unless: What must be heard of a message by then, so that no other channel
            follows: that it was `delivered`, `opened`, `clicked` or `replied` to.
        once_per_address: Whether of customers who share an address only one gets it.
        on_expired: What follows if it is too late: `skip` or `exit`.
        on_refused: What follows without consent or address: `skip` or `exit`.
        on_capped: What a cap does: `skip`, `defer` until it frees up, or `exit`.
        on_quiet: What quiet hours do: `defer` until they end, `skip`, or `exit`.
    """

    type: Literal["send"] = field(default="send", kw_only=True)
    channel: Channels
    template: Annotated[str, Field(min_length=1, max_length=128)]
    _: KW_ONLY
    variables: Values = field(default_factory=dict)
    topic: Id | None = None
    purpose: Purpose | None = None
    expires_after: Duration | Literal["never"] | None = None
    fallback_after: Duration | None = None
    fallback_unless: Fate = "delivered"
    once_per_address: bool = False
    on_expired: Literal["skip", "exit"] = "skip"
    on_refused: Literal["skip", "exit"] = "skip"
    on_capped: Literal["skip", "defer", "exit"] = "skip"
    on_quiet: Literal["defer", "skip", "exit"] = "defer"

    def __post_init__(self) -> None:
        """Refuse a fallback to nothing."""
        if self.fallback_after is None:
            if self.fallback_unless != "delivered":
                raise ValueError(
                    "fallback_unless needs fallback_after: how long it waits"
                )
            return
        if len(self.channel) < 2:
            raise ValueError(
                "fallback_after needs another channel to fall back to: "
                f'channel=["{self.channel[0]}", "…"]'
            )
        if self.fallback_after == Duration():
            raise ValueError(
                "fallback_after=0 gives the first channel no time; give it some, or use "
                "one channel"
            )

    @property
    def slug(self) -> str:
        """`send-email-cart-reminder`."""
        return slug("send", self.channel[0], self.template)


@definition
class Wait(_Step):
    """Wait for a while, or until an instant.

    The due instant is computed once, on arrival, and kept.

    Attributes:
        due: `hours(48)` is elapsed time, `days(2)` the same local time two days
            later; `Until(…)` an instant.
        on_past: If the instant has passed on arrival: `proceed`, `skip_step` (pass over
            the step behind this one as well) or `exit`.
        on_missing: If the instant's attribute is missing: `exit`, `proceed` or
            `skip_step`.
    """

    type: Literal["wait"] = field(default="wait", kw_only=True)
    due: Due
    _: KW_ONLY
    on_past: Literal["proceed", "skip_step", "exit"] = "proceed"
    on_missing: Literal["exit", "proceed", "skip_step"] = "exit"

    @property
    def slug(self) -> str:
        """`wait-2d`, `wait-until-20-00`."""
        if isinstance(self.due, Until):
            return slug("wait-until", self.due.slug.replace(":", "-"))
        return slug("wait", Duration.parse(self.due).short)

    waits: ClassVar[bool] = True

    @property
    def passes_over(self) -> bool:
        """With `skip_step`, if its instant has passed or is missing."""
        return (
            isinstance(self.due, Until)
            and self.due.instant is not None
            and "skip_step" in (self.on_past, self.on_missing)
        )


@definition
class WaitFor(_Step):
    """Wait for the first of several things to happen.

    A condition that holds on arrival is taken at once. An event counts from the
    arrival on or, with `since`, from the arrival at an earlier step.

    Attributes:
        paths: What may happen, and what follows; the first in time wins, ties in order.
        timeout: A duration, or an instant; without one the wait has no end of its own.
        otherwise: What follows when the time is up.
        since: The id of an earlier step: the first matching event from the arrival
            there counts, even if it came before this step was reached.
        on_missing: If the timeout's attribute is missing: `exit`, `proceed` (as if the
            time were up).
    """

    type: Literal["wait_for"] = field(default="wait_for", kw_only=True)
    paths: Annotated[Sequence[When], AfterValidator(tuple), Field(min_length=1)]
    _: KW_ONLY
    timeout: Due | None = None
    otherwise: StepSequence = ()
    since: Id | None = None
    on_missing: Literal["exit", "proceed"] = "exit"

    @property
    def slug(self) -> str:
        """`wait-for-order.placed`."""
        names = [p.when.name for p in self.paths if isinstance(p.when, EventTrigger)]
        return slug("wait-for", names[0] if names else "condition")

    waits: ClassVar[bool] = True

    @property
    def ways(self) -> Sequence[StepSequence]:
        """The paths and, if there is a timeout, what follows it."""
        late = () if self.timeout is None else (self.otherwise,)
        return (*(path.steps for path in self.paths), *late)


@definition
class Branch(_Step):
    """Take the first path whose condition holds.

    Attributes:
        paths: The ways on, asked in order.
        otherwise: What follows if none holds.
    """

    type: Literal["branch"] = field(default="branch", kw_only=True)
    paths: Annotated[Sequence[When], AfterValidator(tuple), Field(min_length=1)]
    _: KW_ONLY
    otherwise: StepSequence = ()

    slug: ClassVar[str] = "branch"

    @property
    def ways(self) -> Sequence[StepSequence]:
        """The paths, and what follows if none is taken."""
        return (*(path.steps for path in self.paths), self.otherwise)

    def __post_init__(self) -> None:
        """Refuse a trigger where nobody waits for it."""
        for path in self.paths:
            if isinstance(path.when, EventTrigger):
                raise ValueError(  # noqa: TRY004 - pydantic reports it with the field
                    f"on({path.when.name!r}) can't be asked in a Branch, which decides at "
                    "once; use WaitFor"
                )


@definition
class Split(_Step):
    """Send shares of the customers different ways, each customer always the same way.

    Attributes:
        arms: The ways; their weights add up to 100.
        on_reentry: On another run of the same customer the arm stays (`sticky`) or is
            drawn anew (`redraw`).
    """

    type: Literal["split"] = field(default="split", kw_only=True)
    arms: Annotated[Sequence[Arm], AfterValidator(tuple), Field(min_length=1)]
    _: KW_ONLY
    on_reentry: Literal["sticky", "redraw"] = "sticky"

    slug: ClassVar[str] = "split"

    @property
    def ways(self) -> Sequence[StepSequence]:
        """The arms."""
        return tuple(arm.steps for arm in self.arms)

    def __post_init__(self) -> None:
        """Refuse weights that don't add up, and names that appear twice."""
        total = sum(round(arm.weight * 100) for arm in self.arms)
        if total != 10_000:
            raise ValueError(
                f"the weights of a Split must add up to 100, these make {total / 100:g}"
            )
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError(f"the arms of a Split need names of their own: {names}")


@definition
class Update(_Step):
    """Write to the customer's profile.

    Attributes:
        values: Attributes and their new values; `None` removes one.
    """

    type: Literal["update"] = field(default="update", kw_only=True)
    values: Annotated[Values, Field(min_length=1)]

    @property
    def slug(self) -> str:
        """`update-plan`."""
        return slug("update", *list(self.values)[:2])


@definition
class Emit(_Step):
    """Let an event happen to this customer; all their journeys hear it.

    Attributes:
        name: The event's name.
        properties: What it carries: constants and references.
        public: Whether it is published to the outside as well.
    """

    type: Literal["emit"] = field(default="emit", kw_only=True)
    name: EventName
    properties: Values = field(default_factory=dict)
    _: KW_ONLY
    public: bool = False

    @property
    def slug(self) -> str:
        """`emit-cart.rescued`."""
        return slug("emit", self.name)


@definition
class Exit(_Step):
    """End the run here or, with `journey`, this customer's runs of another journey.

    Attributes:
        reason: What reports and traces call it; of runs that are ended from elsewhere
            `removed_by_journey` if not given.
        journey: End the runs of this journey, and go on here. Its own id means the other
            runs of this journey.
        key: End the run with this key only, `entry.order_id`.
    """

    type: Literal["exit"] = field(default="exit", kw_only=True)
    reason: Reason = "exit"
    _: KW_ONLY
    journey: Id | None = None
    key: Expression | None = None

    def __post_init__(self) -> None:
        """Refuse a key that is of no journey."""
        if self.key is not None and self.journey is None:
            raise ValueError("key: of which journey? give journey as well")

    @property
    def slug(self) -> str:
        """`exit`, `exit-not-interested`, `exit-from-welcome`."""
        if self.journey is not None:
            return slug("exit-from", self.journey)
        return slug("exit") if self.reason == "exit" else slug("exit", self.reason)

    @property
    def ends(self) -> bool:
        """If it ends its own run."""
        return self.journey is None


@definition
class Call(_Step):
    """Let a plugin's action do something, and wait for its result.

    The steps behind it read the result as `step("call-voucher").result`.

    Attributes:
        action: The action's name.
        arguments: What it gets: constants and references.
        timeout: How long the run waits for the result.
        retries: How often the action is tried again, if it says that this may help.
        on_error: What follows if the action fails or the time is up: `continue`, `exit`,
            or steps.
    """

    type: Literal["call"] = field(default="call", kw_only=True)
    action: Id
    arguments: Values = field(default_factory=dict)
    _: KW_ONLY
    timeout: Duration = hours(1)
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    on_error: OnError = "continue"

    def __post_init__(self) -> None:
        """Refuse a call that has failed before it can succeed."""
        if self.timeout == Duration():
            raise ValueError(
                "timeout: a call takes its time; give it a minute at least"
            )

    @property
    def slug(self) -> str:
        """`call-voucher`."""
        return slug("call", self.action)

    waits: ClassVar[bool] = True

    @property
    def ways(self) -> Sequence[StepSequence]:
        """Straight on, and what follows a failure."""
        return () if isinstance(self.on_error, str) else ((), self.on_error)


@definition
class Collect(_Step):
    """Gather the events of a while, so that one message tells of them all: a digest.

    The steps behind it read `step("collect").result`: its `items` are the events, first
    come first, each with the fields of `keep`; its `count` says how many there were.

    Attributes:
        when: The event that is gathered, `on("comment.posted")`.
        window: How long: a duration, or until a local time, `Until(time="18:00")`.
        keep: The fields of each event that an item has.
        cancel: The event that takes one back.
        by: What the two have in common, `event.id`.
        max_items: How many are listed; the others are only counted.
        until_count: Close the window as soon as there are so many.
        include_entry: Whether the event that started the run is the first, if it is one
            of those that are gathered.
        on_empty: What follows if there is nothing in the end: `exit` or `proceed`.
    """

    type: Literal["collect"] = field(default="collect", kw_only=True)
    when: EventTrigger
    _: KW_ONLY
    window: Due
    keep: Annotated[
        Sequence[FieldName],
        BeforeValidator(_one_or_many),
        AfterValidator(tuple),
        Field(max_length=16),
    ] = ()
    cancel: EventTrigger | None = None
    by: Expression | None = None
    max_items: Annotated[int, Field(ge=1, le=COLLECTED_ITEMS)] = COLLECTED_ITEMS
    until_count: Annotated[int, Field(ge=1)] | None = None
    include_entry: bool = True
    on_empty: Literal["exit", "proceed"] = "exit"

    def __post_init__(self) -> None:
        """Refuse a window that can't be, and half of a cancellation."""
        if isinstance(self.window, Until) and self.window.instant is not None:
            raise ValueError(
                "window: it opens on arrival; give a duration, or a local time such as "
                "Until(time='18:00')"
            )
        if self.window == Duration():
            raise ValueError("window: nothing can come in no time; give a duration")
        if (self.cancel is None) != (self.by is None):
            raise ValueError(
                "cancel and by belong together: the event that takes another back, and "
                "the field by which it names it"
            )

    slug: ClassVar[str] = "collect"
    waits: ClassVar[bool] = True


@definition
class Start(_Step):
    """Let this customer enter another journey, which needs an `api()` trigger.

    Its entry rules hold as for an enroll call.

    Attributes:
        journey: The id of the journey.
        entry: What its run is to know, as `entry`: constants and references.
    """

    type: Literal["start"] = field(default="start", kw_only=True)
    journey: Id
    entry: Values = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """`start-welcome`."""
        return slug("start", self.journey)


@definition
class Repeat(_Step):
    """Go through some steps several times.

    Attributes:
        steps: The steps of each round.
        times: How many rounds there are at most.
        until: No further round if this holds; asked before each, the first as well.
    """

    type: Literal["repeat"] = field(default="repeat", kw_only=True)
    steps: Annotated[StepSequence, Field(min_length=1)]
    _: KW_ONLY
    times: Annotated[int, Field(ge=1, le=100)]
    until: Condition | None = None

    slug: ClassVar[str] = "repeat"

    @property
    def ways(self) -> Sequence[StepSequence]:
        """The steps of a round, behind which the next one begins."""
        return (self.steps,)


def _question(value: str | Mapping[str, str]) -> str | Mapping[str, str]:
    texts = {"": value} if isinstance(value, str) else value
    for locale, text in texts.items():
        where = f"[{locale!r:.80}]" if locale else ""
        if len(text) > MAX_QUESTION:
            raise ValueError(
                f"question{where}: may have {MAX_QUESTION} characters, has {len(text)}"
            )
        if locale and not _is_locale(locale):
            raise ValueError(f"question{where}: is no locale, such as 'de' or 'pt-BR'")
    return value


_is_locale = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}").fullmatch

Question = Annotated[
    str | Mapping[str, str], AfterValidator(_question), Field(max_length=MAX_QUESTION)
]


@definition
class Survey(Send):
    """Ask the customer something, by a message, and wait for the answer.

    It is sent as by a Send: `channel`, `template` and its other options are those. The
    template has the links of the answer page, `survey.url` and `survey.links`. An answer
    is an event, `survey.answered`. The steps behind read it as
    `step("survey-…").result`: `score`, `group`, `text`.

    Attributes:
        kind: `nps` (0 to 10), `csat` (1 to 5), `ces` (1 to 7), or `text`.
        within: How long the run waits for the answer, from the message on. None: it goes
            on at once, and an answer is an event like others.
        otherwise: What follows without an answer in time, also where nobody was asked.
        survey: Under which name answers are filed; the journey's id if not given.
        question: What the answer page asks: a text, or texts by locale, `{"de": "…"}`;
            a usual question of its kind if not given.
    """

    type: Literal["survey"] = field(default="survey", kw_only=True)  # type: ignore[assignment]
    _: KW_ONLY
    kind: SurveyKind
    within: Duration | None = None
    otherwise: StepSequence = ()
    survey: Id | None = None
    question: Question = ""

    def __post_init__(self) -> None:
        """Refuse a wait of nothing, and what would never follow."""
        super().__post_init__()
        if self.within == Duration():
            raise ValueError(
                "within: nobody answers in no time; give it some days, or leave it out"
            )
        if self.within is None and self.otherwise:
            raise ValueError(
                "otherwise needs within: how long the run waits for an answer"
            )

    @property
    def slug(self) -> str:
        """`survey-nps`."""
        return slug("survey", self.kind)

    @property
    def ways(self) -> Sequence[StepSequence]:
        """Straight on with the answer, and what follows without one."""
        return () if self.within is None else ((), self.otherwise)


@definition
class Goto(_Step):
    """Go on at another step of the same journey.

    Attributes:
        to: The id of that step.
    """

    type: Literal["goto"] = field(default="goto", kw_only=True)
    to: Id

    @property
    def slug(self) -> str:
        """`goto-remind`."""
        return slug("goto", self.to)

    @property
    def ends(self) -> bool:
        """It never goes on to the step behind it."""
        return True


Step = Annotated[
    Send
    | Wait
    | WaitFor
    | Branch
    | Split
    | Update
    | Emit
    | Exit
    | Call
    | Collect
    | Start
    | Repeat
    | Goto
    | Survey,
    Discriminator("type"),
]

"""Small worlds in which things really meet: journeys, policies, and what happens.

Few event names, few attributes, few lengths of time, all of which fit together: an event
comes exactly when a wait is over, two journeys stand before one cap, the clocks change
in the night between.

Hypothesis draws only bytes here, and `Dice` makes a world of them: drawn one by one, the
300 choices of a world take a hundred times as long as the life that is lived in it. Each
choice of a byte 0 is the simplest one, so what hypothesis shrinks becomes simpler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from hypothesis import settings, strategies as st

from journeykit import (
    Absorb,
    AbsorbCustomer,
    Arm,
    Branch,
    Cap,
    Catalog,
    ClosedDays,
    Collect,
    Condition,
    ConsentDefault,
    Count,
    Customer,
    Duration,
    Emit,
    Enroll,
    Event,
    EventTrigger,
    Exit,
    ExitRule,
    Goal,
    Goto,
    Holdout,
    Journey,
    Last,
    Merge,
    MostFrequent,
    OpenHours,
    Policies,
    QuietHours,
    Reaction,
    ReEntry,
    Repeat,
    Segment,
    Send,
    SendMessage,
    Split,
    Stage,
    Start,
    Stimulus,
    Sum,
    Survey,
    TraceEntry,
    Trigger,
    Until,
    Update,
    Wait,
    WaitFor,
    WakeUp,
    When,
    Window,
    api,
    becomes,
    changed,
    consent,
    days,
    entered,
    entry,
    event,
    every,
    finished,
    has,
    hours,
    inactive,
    left,
    minutes,
    older_than,
    on,
    once,
    one_of,
    profile,
    react,
    segment,
    stage_changed,
    stuck,
    trait,
    within_last,
    within_next,
)
from journeykit.engine.catalog import State
from journeykit.engine.guards import ChannelRules
from journeykit.model.definition import document_of
from journeykit.model.journey import ReEntryMode
from journeykit.model.steps import Step

T = TypeVar("T")

DEPTH = 1
"""How often the everyday number of examples; conftest.py sets it."""


def examples(count: int) -> settings:
    """So many examples on an everyday run."""
    return settings(max_examples=count * DEPTH)


# --- words --------------------------------------------------------------------------

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NAMES = ("cart.updated", "order.placed", "page.viewed")
JOURNEYS = ("alpha", "beta", "gamma")
CUSTOMERS = ("ada", "bob", "cyd")  # all three fall differently into holdouts
TOPICS = ("news", "offers")
CHANNELS = ("email", "sms", "push")
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # its clocks go forward at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kolkata",
)
STARTS = (
    datetime(2026, 3, 6, 20, tzinfo=UTC),  # two days before New York changes
    datetime(2026, 3, 27, 21, 30, tzinfo=UTC),  # a day before Berlin changes
    datetime(2026, 4, 3, 6, tzinfo=UTC),  # a day before Lord Howe changes
    datetime(2026, 10, 23, 22, tzinfo=UTC),  # a day before Berlin changes back
    datetime(2026, 10, 31, 1, tzinfo=UTC),  # a day before New York changes back
)
LENGTHS = (minutes(30), hours(1), hours(6), hours(24), days(1), days(2))
GAPS = (0, 1, MINUTE, 30 * MINUTE, HOUR - 1, HOUR, 6 * HOUR, 23 * HOUR, DAY, 2 * DAY)


def _address(attribute: str) -> Callable[[Mapping[str, object], str], str | None]:
    def address(attributes: Mapping[str, object], customer: str) -> str | None:
        known = attributes.get(attribute)
        return known if isinstance(known, str) else None

    return address


RULES = {
    "email": ChannelRules(_address("email"), str.lower),
    "sms": ChannelRules(_address("phone"), str),
}
"""Push has no rules: it is addressed by the customer's id."""


def ms(instant: datetime) -> int:
    """An instant as the engine counts it."""
    return round(instant.timestamp() * 1000)


def aware(instant: int) -> datetime:
    """An instant as the public doors take it, exactly."""
    return datetime.fromtimestamp(instant // 1000, UTC).replace(
        microsecond=instant % 1000 * 1000
    )


class Dice:
    """Choices made of bytes: one byte a choice, and 0 for ever when they run out."""

    def __init__(self, drawn: bytes) -> None:
        """Begin with the first byte."""
        self._drawn = drawn
        self._next = 0

    def number(self, sides: int) -> int:
        """From 0 to below `sides`."""
        byte = self._drawn[self._next] if self._next < len(self._drawn) else 0
        self._next += 1
        return byte % sides

    def pick(self, *options: T) -> T:
        """One of these; the first is the simplest."""
        return options[self.number(len(options))]

    def rare(self, sides: int = 4) -> bool:
        """Whether something happens that happens once in so many times."""
        return self.number(sides) == sides - 1

    def some(self, make: Callable[[], T], most: int, least: int = 0) -> list[T]:
        """A few of them."""
        return [make() for _ in range(least + self.number(most - least + 1))]

    def subset(self, options: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Some of the names, each with one of its values."""
        return {
            name: self.pick(*values)
            for name, values in options.items()
            if self.number(2)
        }


# --- journeys -----------------------------------------------------------------------

VIP = profile.vip == True
OF_PROFILE = (
    profile.score >= 2,
    VIP,
    profile.score == 0,
    has(profile.plan),
    one_of(profile.plan, ["pro", "max"]),
)
OF_EVENT = (event.amount >= 1, has(event.item), event.amount == 0)
OF_RUN = (entry.amount >= 1, has(entry.item))
SEGMENTS = ("vip", "keen", "gone", "beta")
STAGES = ("new", "active", "good")
OF_AUDIENCE = (
    segment.vip == True,
    segment.keen == True,
    ~(segment.gone == True),
    segment.beta == True,
    trait.orders >= 2,
    trait.liked == "x",
    trait.stage == "active",
    consent.email == True,
)
OF_TIME = (
    trait.recent >= 1,
    trait.spent > 2,
    ~(trait.recent >= 2),
    older_than(trait.last, days(1)),
    within_last(trait.last, hours(6)),
    within_next(profile.renews_at, days(1)),
    older_than(trait.stage_since, hours(24)),
)
"""What time alone may change, so that nobody watches it without an event."""
HEARD = (*OF_EVENT, event.item == entry.item, event.amount > entry.amount)
OF_WATCHED = (*OF_PROFILE, *OF_AUDIENCE)
OF_ASKED = (*OF_WATCHED, *OF_TIME)
UPDATES: tuple[dict[str, Any], ...] = (
    {"score": 2},
    {"score": 0, "plan": None},
    {"vip": True, "plan": "pro"},
    {"score": entry.amount},
    {"renews_at": entry["$time"]},
    {"zone": "America/New_York"},
    {"email": None},
)
EMITTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order.placed", {"amount": 2}),
    ("page.viewed", {"item": entry.item, "amount": entry.amount}),
    ("cart.updated", {"amount": 0}),
    ("profile.updated", {"score": 3}),
    ("consent.changed", {"granted": False, "topic": "news"}),
)


class Style(NamedTuple):
    """What the journeys of a world may have.

    Attributes:
        apart: Whether there may be a wait between two messages of a run.
        timeless: Whether no guard looks at the clock.
        knows: Whether there are traits, segments and stages to ask for.
    """

    apart: bool = True
    timeless: bool = False
    knows: bool = False

    @property
    def watched(self) -> tuple[Condition, ...]:
        """What may be looked at whenever something has changed."""
        return OF_WATCHED if self.knows else OF_PROFILE

    @property
    def asked(self) -> tuple[Condition, ...]:
        """What may be asked at a moment."""
        return OF_ASKED if self.knows else OF_PROFILE


ANY = Style()
TIMELESS = Style(apart=False, timeless=True)


def trigger(dice: Dice, wheres: Sequence[Condition]) -> EventTrigger:
    """One of the few events, perhaps with a condition."""
    where = dice.pick(*wheres) if dice.rare(4) else None
    return on(dice.pick(*NAMES), where=where)


def starter(dice: Dice, style: Style, start: datetime) -> Trigger:
    """What starts a journey: mostly an event, else something that takes longer."""
    one = trigger(dice, (*OF_EVENT, *style.asked))
    if not dice.rare(5):
        return one
    if style.knows and dice.number(2):
        return member(dice)
    if dice.rare(5):
        return schedule(dice, style, start)
    other, soon = on(dice.pick(*NAMES)), dice.pick(*LENGTHS)
    kinds: list[Trigger] = [
        one.times(2, within=soon),
        one.then(other, within=soon),
        one.without(other, within=soon),
        one.without(other, within=soon, since="first").then(one),
        inactive(one, for_=soon),
        becomes(dice.pick(*style.asked)),
        changed(profile.vip),
        finished(dice.pick(*JOURNEYS)),
    ]
    return dice.pick(*kinds)


def member(dice: Dice) -> Trigger:
    """Who the customer is now, or is no more."""
    which = dice.pick(*SEGMENTS)
    kinds: list[Trigger] = [
        entered(which),
        left(which),
        stage_changed(to=dice.pick(*STAGES)),
        stuck(dice.pick(*STAGES), for_=dice.pick(*LENGTHS)),
    ]
    return dice.pick(*kinds)


def schedule(dice: Dice, style: Style, start: datetime) -> Trigger:
    """The calendar; mostly once, as a world is few days long."""
    which = dice.pick(None, *SEGMENTS) if style.knows else None
    where = dice.pick(*style.asked) if dice.rare(3) else None
    zone = dice.pick(None, None, *ZONES)
    day = aware(ms(start) + dice.number(6) * DAY)
    local = f"{day:%Y-%m-%dT}{dice.pick('09:00', '02:30', '00:00')}"
    kinds: list[Trigger] = [
        once(local, segment=which, where=where, zone=zone),
        once(day, segment=which, where=where),
        every("sun", at="02:30", segment=which, where=where, zone=zone),
        every("day", at="09:00", segment=which, where=where, zone=zone),
    ]
    return dice.pick(*kinds)


def window(dice: Dice) -> Window:
    """Local hours, also over midnight and over the hour that clocks change."""
    return Window(
        dice.pick("08:00", "22:00", "00:00", "02:30"),
        dice.pick("09:00", "18:00", "06:00", "24:00", "03:00"),
        weekdays=dice.pick((), (), (), ("sat", "sun"), ("mon", "wed", "fri")),
    )


def due(dice: Dice) -> Duration | Until:
    """A length of time, or an instant of any form."""
    form = dice.pick("length", "length", "time", "window", "instant", "entry")
    if form == "time":
        return Until(
            time=dice.pick("09:00", "00:30", "02:30"),
            weekdays=dice.pick((), ("sun",), ("mon", "thu")),
        )
    if form == "window":
        return Until(window=window(dice))
    if form == "instant":
        before = dice.pick(None, *LENGTHS)
        return Until(dice.pick(profile.renews_at, entry.renews_at), before=before)
    if form == "entry":
        return Until(entry["$time"], after=dice.pick(*LENGTHS))
    return dice.pick(*LENGTHS)


def send(dice: Dice, style: Style = ANY) -> Send:
    """A message, with every option."""
    expires: Duration | Literal["never"] | None
    expires = dice.pick(None, None, "never", minutes(30), hours(2), days(1))
    channels = dice.pick(
        ["email"], ["push"], ["email", "sms"], ["sms", "push"], ["push", "email"]
    )
    fallback = dice.pick(None, None, minutes(30), hours(6))
    if len(channels) == 1 or not style.apart:
        fallback = None
    return Send(
        channels,
        dice.pick("hello", "offer"),
        fallback_after=fallback,
        fallback_unless=dice.pick("delivered", "opened") if fallback else "delivered",
        variables=dice.pick({}, {"plan": profile.plan, "one": 1}),
        topic=dice.pick(None, None, *TOPICS),
        purpose=dice.pick(None, None, None, "marketing", "transactional"),
        expires_after="never" if style.timeless else expires,
        on_expired=dice.pick("skip", "exit"),
        on_refused=dice.pick("skip", "skip", "exit"),
        on_capped=dice.pick("skip", "defer", "defer", "exit"),
        on_quiet=dice.pick("defer", "defer", "skip", "exit"),
    )


def step(dice: Dice, style: Style, depth: int) -> Step:
    """A step of any kind, with steps inside."""

    def inner() -> list[Step]:
        return steps(dice, style, depth - 1)

    def path(when: EventTrigger | Condition) -> When:
        return When(when, inner())

    kinds = ["wait", "send", "send", "wait", "send", "wait_for", "update", "emit"]
    kind = dice.pick(*kinds, *(["branch", "split", "rarer"] if depth else ["exit"]))
    if kind == "wait" or (kind == "send" and not style.apart):
        return Wait(
            due(dice),
            on_past=dice.pick("proceed", "skip_step", "exit"),
            on_missing=dice.pick("proceed", "skip_step", "exit"),
        )
    if kind == "send":
        return send(dice, style)
    if kind == "wait_for":

        def happens() -> When:
            asks = dice.rare(3)
            looks = (*style.watched, *OF_RUN)
            return path(dice.pick(*looks) if asks else trigger(dice, HEARD))

        return WaitFor(
            dice.some(happens, 2, 1),
            timeout=due(dice) if dice.number(3) else None,
            otherwise=inner(),
            on_missing=dice.pick("proceed", "exit"),
        )
    if kind == "branch":
        asked = (*style.asked, *OF_RUN)
        paths = dice.some(lambda: path(dice.pick(*asked)), 2, 1)
        return Branch(paths, otherwise=inner())
    if kind == "split":
        arms = [Arm("left", 50, inner()), Arm("right", 50, inner())]
        return Split(arms, on_reentry=dice.pick("sticky", "redraw"))
    if kind == "rarer":
        if which := dice.number(4):
            # How long an answer is waited for counts from the release, as a fallback does.
            kinds_of = (other, digest, survey if style.apart else digest)
            return kinds_of[which - 1](dice)
        until = dice.pick(*style.asked, *OF_RUN) if dice.rare() else None
        return Repeat([Wait(due(dice)), *inner()], times=dice.pick(2, 3), until=until)
    if kind == "update":
        return Update(dice.pick(*UPDATES))
    if kind == "emit":
        return Emit(*dice.pick(*EMITTED), public=dice.pick(False, True))
    return Exit("enough")


def digest(dice: Dice) -> Step:
    """A step that gathers events, and may be told to take one back."""
    what, without = dice.pick(*NAMES), dice.pick(*NAMES)
    taken_back = {"cancel": on(without), "by": event.item} if dice.number(2) else {}
    return Collect(
        on(what),
        window=dice.pick(*LENGTHS, Until(time="09:00")),
        keep=["item", "$time"],
        max_items=dice.pick(50, 1, 2),
        until_count=dice.pick(None, 1, 3),
        include_entry=dice.pick(True, False),
        on_empty=dice.pick("exit", "proceed"),
        **taken_back,
    )


def survey(dice: Dice) -> Step:
    """A step that asks, and may wait for the answer."""
    return Survey(
        dice.pick("email", "sms"),
        "ask",
        kind=dice.pick("nps", "csat", "text"),
        within=dice.pick(None, days(1), hours(5)),
        purpose=dice.pick(None, "transactional"),
        expires_after="never",
        on_capped=dice.pick("skip", "defer"),
    )


def other(dice: Dice) -> Step:
    """A step that starts a journey, or ends runs of one: perhaps of its own."""
    journey = dice.pick(*JOURNEYS)
    if dice.number(2):
        return Start(journey, {"amount": entry.amount, "item": dice.pick("x", "y")})
    key = dice.pick(None, None, entry.item)
    return Exit(dice.pick("exit", "elsewhere"), journey=journey, key=key)


def steps(dice: Dice, style: Style, depth: int) -> list[Step]:
    """Some steps."""
    if depth < 0:
        return []
    most, least = (5, 2) if depth == 2 else (2, 0)
    return dice.some(lambda: step(dice, style, depth), most, least)


def all_steps(dice: Dice, style: Style) -> list[Step]:
    """The steps of a journey; a WaitFor may listen from the first one on."""
    found = steps(dice, style, 2)
    if style.apart and dice.rare():  # the most usual journey of all
        pairs = [(Wait(dice.pick(*LENGTHS)), send(dice)) for _ in range(3)]
        found = [step for pair in pairs for step in pair]
    if not style.apart:
        place = dice.number(len(found) + 1)
        messages = dice.some(lambda: send(dice, style), 2, 1)
        found = [*found[:place], *messages, *found[place:]]
    if len(found) > 1 and dice.number(2):
        found[0] = replace(found[0], id="first")
        found[1:] = [
            replace(step, since="first") if isinstance(step, WaitFor) else step
            for step in found[1:]
        ]
    if style.apart and found and dice.rare(6):  # round and round, mostly with a wait
        found[0] = replace(found[0], id="first")
        pause = dice.pick(days(1), days(2), hours(24), days(1), None)
        found += [*([Wait(pause)] if pause else []), Goto("first")]
    return found


def goal(dice: Dice, style: Style) -> Goal:
    """A goal by an event or by a condition, with a window or without."""
    return Goal(
        dice.pick(*style.watched) if dice.rare() else trigger(dice, HEARD),
        value=dice.pick(None, 5, event.amount),
        within=dice.pick(None, *LENGTHS),
        on_goal=dice.pick("continue", "exit"),
    )


def reentry(dice: Dice) -> ReEntry:
    """Every mode, often with no limit."""
    mode: ReEntryMode
    mode = dice.pick("always", "after_exit", "restart", "always", "never")
    if dice.number(2):
        return ReEntry(mode)
    most = dice.pick(None, 3, 1, 2)
    return ReEntry(
        mode,
        cooldown=dice.pick(*LENGTHS) if dice.number(2) else None,
        max_entries=most,
        per=dice.pick(None, *LENGTHS) if most else None,
    )


def journey(dice: Dice, id: str, start: datetime, style: Style = ANY) -> Journey:
    """A journey with a bit of everything."""
    triggers = dice.some(lambda: starter(dice, style, start), 2, 1)
    return Journey(
        id=id,
        trigger=[*triggers, api()],
        steps=all_steps(dice, style),
        goal=dice.some(lambda: goal(dice, style), 2),
        exit_rules=[
            ExitRule(dice.pick(*style.watched) if n else trigger(dice, HEARD))
            for n in dice.pick((), (), (), (0,), (1,))
        ],
        reentry=reentry(dice),
        key=dice.pick(None, None, None, None, event.item),
        on_missing_key=dice.pick("all", "ignore"),
        priority=dice.pick(0, 5),
        purpose=dice.pick("marketing", "marketing", "marketing", "transactional"),
        topic=dice.pick(None, *TOPICS),
        zone=dice.pick(None, *ZONES),
        ends_at=aware(ms(start) + 5 * DAY) if dice.rare(6) else None,
        on_end=dice.pick("finish", "eject"),
        holdout=Holdout(dice.pick(50, 99.99)) if dice.rare(6) else None,
        keep_while_in_segment=dice.pick(*SEGMENTS)
        if style.knows and dice.rare(6)
        else None,
    )


# --- who customers are --------------------------------------------------------------


def audience(dice: Dice) -> Mapping[str, Any]:
    """Traits for all time and sliding ones, segments that ask each other, and stages."""
    traits = [
        _trait("orders", dice.pick(*NAMES), None),
        _trait("recent", dice.pick(*NAMES), dice.pick(*LENGTHS)),
        _trait("spent", dice.pick(*NAMES), dice.pick(*LENGTHS, None)),
        _trait("last", dice.pick(*NAMES), None),
        _trait("liked", dice.pick(*NAMES), None),
    ]
    stages: list[Mapping[str, Any]] = []
    if dice.number(2):
        of_stages = [text for text in ASKED if "stage" not in text]
        of_stages = [text for text in of_stages if "segment" not in text]
        stages.append(_stage("new", dice.pick(None, None, *of_stages)))
        stages += [_stage(id, _asks(dice, of_stages)) for id in STAGES[1:]]
    leaves = [text for text in ASKED if "segment" not in text]
    segments = [_segment("beta", None)]
    leaves += ["segment.beta == true"] * 2
    for id in SEGMENTS[:3]:
        segments.append(_segment(id, _asks(dice, leaves)))
        leaves += [f"segment.{id} == true"] * 3
    return {"traits": traits, "segments": segments[::-1], "stages": stages}


ASKED = tuple(condition.text for condition in OF_ASKED)


def _asks(dice: Dice, leaves: Sequence[str]) -> str:
    """A condition of one or two."""
    one = dice.pick(*leaves[::-1])
    other = dice.pick(*leaves)
    return dice.pick(one, one, f"({one}) && ({other})", f"({one}) || !({other})")


# Written a hundred times, and each time alike: reading them takes as long as a life.


@cache
def _trait(name: str, what: str, within: Duration | None) -> Mapping[str, Any]:
    one: Any
    match name:
        case "orders":
            one = Count(name, what)
        case "recent":
            one = Count(name, what, within=within)
        case "spent":
            one = Sum(name, what, value=event.amount, within=within)
        case "last":
            one = Last(name, what)
        case _:
            one = MostFrequent(name, what, value=event.item)
    return document_of(one, form="plan")


@cache
def _segment(id: str, when: str | None) -> Mapping[str, Any]:
    asked = None if when is None else Condition.parse(when)
    return document_of(Segment(id, asked, listed=when is None), form="plan")


@cache
def _stage(id: str, when: str | None) -> Mapping[str, Any]:
    asked = None if when is None else Condition.parse(when)
    return document_of(Stage(id, asked), form="plan")


# --- policies -----------------------------------------------------------------------


def cap(dice: Dice, style: Style = ANY) -> Cap:
    """A cap in any form: rolling, by the calendar, for life."""
    form = dice.pick("within", "within", "calendar", "ever")
    if style.timeless:
        form = "ever"
    scope = dice.pick("all", "all", "channel", "topic", "journey")
    return Cap(
        dice.pick(1, 2, 1, 3, 0),
        within=dice.pick(*LENGTHS) if form == "within" else None,
        calendar=dice.pick("day", "week", "month") if form == "calendar" else None,
        channel=dice.pick(*CHANNELS) if scope == "channel" else None,
        topic=dice.pick(*TOPICS) if scope == "topic" else None,
        journey=dice.pick(*JOURNEYS) if scope == "journey" else None,
        purpose=purpose(dice),
    )


def purpose(dice: Dice) -> Literal["marketing", "transactional", "all"]:
    """Which messages a rule is about."""
    return dice.pick("marketing", "marketing", "all", "transactional")


def policies(dice: Dice, start: datetime, style: Style = ANY) -> Policies:
    """Rules of every kind; those that look at the clock only where that is wanted."""

    def channel() -> str | None:
        return dice.pick(None, None, *CHANNELS)

    def consent() -> ConsentDefault:
        return ConsentDefault(
            dice.pick("allow", "refuse"),
            channel=channel(),
            topic=dice.pick(None, *TOPICS),
            purpose=purpose(dice),
        )

    def quiet() -> QuietHours:
        return QuietHours(window(dice), channel=channel(), purpose=purpose(dice))

    def opened() -> OpenHours:
        windows = dice.some(lambda: window(dice), 2, 1)
        return OpenHours(windows, channel=channel(), purpose=purpose(dice))

    def closed() -> ClosedDays:
        dates = dice.some(lambda: aware(ms(start) + dice.number(6) * DAY).date(), 3, 1)
        return ClosedDays(dates, channel=channel(), purpose=purpose(dice))

    # One survey in so many days is a rule that looks at the clock, and there by default.
    surveys = days(0) if style.timeless else days(90)
    if dice.rare():
        return Policies(survey_cool_down=surveys)
    asked = dice.some(consent, 2) if dice.rare(3) else []
    if style.timeless:
        caps = dice.some(lambda: cap(dice, style), 1)
        return Policies(caps=caps, consent=asked, survey_cool_down=surveys)
    return Policies(
        caps=dice.some(lambda: cap(dice), 3),
        quiet_hours=dice.some(quiet, 2),
        open_hours=dice.some(opened, 1),
        closed_days=dice.some(closed, 1) if dice.number(2) else [],
        consent=asked,
        bounce_cool_down=dice.pick(*LENGTHS),
        max_age=dice.pick(hours(24), days(1), hours(1)),
    )


@dataclass(frozen=True)
class World:
    """Journeys, the rules for them, when it all starts, and who customers are."""

    journeys: tuple[Journey, ...]
    policies: Policies
    start: datetime
    audience: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def plans(self) -> Sequence[Mapping[str, Any]]:
        """The journeys as a catalog reads them."""
        return [journey.to_plan() for journey in self.journeys]

    def catalog(
        self, states: Mapping[str, State] | None = None, revision: int = 1
    ) -> Catalog:
        """The catalog, with some journeys paused or stopped."""
        return Catalog.compile(
            self.plans,
            policies=self.policies,
            channels=RULES,
            states=states,
            revision=revision,
            audience=self.audience,
        )


def rolls(size: int) -> st.SearchStrategy[Dice]:
    """Dice that last for so many choices."""
    return st.binary(min_size=size, max_size=size).map(Dice)


def world_of(dice: Dice, each: Sequence[Dice], style: Style = ANY) -> World:
    """A world, with dice of its own for each of up to three journeys."""
    start = dice.pick(*STARTS)
    rules = policies(dice, start, style)
    count = 1 + dice.number(3)
    known: Mapping[str, Any] = {}
    if dice.number(2):
        known = audience(dice)
        style = style._replace(knows=True)
    journeys = tuple(
        journey(own, id, start, style)
        for id, own in zip(JOURNEYS[:count], each, strict=False)
    )
    return World(journeys, rules, start, known)


@st.composite
def worlds(draw: st.DrawFn, style: Style = ANY) -> World:
    """Up to three journeys under one set of rules."""
    return world_of(draw(rolls(90)), [draw(rolls(130)) for _ in JOURNEYS], style)


# --- what happens -------------------------------------------------------------------


class Report(NamedTuple):
    """What becomes of a message: of the n-th last that was sent until then."""

    name: str
    n: int
    bounce: str


class Change(NamedTuple):
    """A journey is paused, stopped, or live again."""

    journey: str
    state: State


class Union(NamedTuple):
    """The customer turns out to be somebody else as well, who has lived until then."""

    name: str
    story: Sequence[Moment]


Happening = tuple[str, dict[str, Any]]


class Moment(NamedTuple):
    """Something that happens.

    Attributes:
        now: The wall clock when it is handled.
        received: When it came in; the same, or before.
        occurred: When it happened by its sender's word.
        what: The event's name and properties, or something else.
        id: The event's id.
        test: Whether it is test traffic.
    """

    now: int
    received: int
    occurred: int
    what: Happening | Enroll | WakeUp | Report | Change | Union
    id: str = ""
    test: bool = False


ATTRIBUTES: dict[str, Sequence[Any]] = {
    "score": (0, 1, 2, 3),
    "vip": (False, True),
    "plan": ("free", "pro", None),
    "zone": (*ZONES, "Mars/Phobos", None),
    "email": ("Ada@x.example", "ada@y.example", None),
    "phone": ("+39011", None),
    "renews_at": ("2026-03-29", "2026-10-26T01:30:00Z", "soon", None),
}
CONSENTS = {"channel": CHANNELS, "topic": TOPICS, "purpose": ("marketing", "all")}


def carried(dice: Dice, start: datetime) -> dict[str, Any]:
    """What an ordinary event carries."""
    renews_at = dice.number(5) * DAY // 2 + ms(start)
    return {
        "amount": dice.number(4),
        **dice.subset({"item": ("x", "y", ""), "renews_at": (renews_at,)}),
    }


def happening(dice: Dice, start: datetime, style: Style) -> Happening:
    """An event: mostly an ordinary one, else one that means something by itself."""
    kind = dice.number(17)
    if kind < 9:
        return dice.pick(*NAMES), carried(dice, start)
    if kind == 16:
        return dice.pick("list.joined", "list.left"), {"list": "beta"}
    if kind < 12:
        return "profile.updated", dice.subset(ATTRIBUTES)
    if kind < 14:
        about = dice.subset(CONSENTS)
        if dice.rare(2):
            return dice.pick("consent.requested", "consent.confirmed"), about
        yes = {"granted": dice.pick(True, False, False, "yes")}
        return "consent.changed", {**yes, **about}
    channel = {"channel": dice.pick("sms", "email", "push")}
    if kind == 14:
        bounce = dice.pick(*["hard", *(["soft", "soft"] * (not style.timeless))])
        return "message.bounced", {**channel, "bounce": bounce}
    name = dice.pick(
        "message.unsubscribed", "message.complained", "message.replied", "restored"
    )
    if name == "message.replied":
        return name, {**channel, "keyword": dice.pick("stop", "start", "help")}
    if name == "restored":
        return dice.pick("address.restored", "address.suppressed"), channel
    return name, {**channel, **dice.subset({"topic": TOPICS})}


def story(
    dice: Dice,
    start: datetime,
    style: Style = ANY,
    *,
    customer: str = "ada",
    states: bool = False,
    orderly: bool = False,
    merges: bool = False,
    size: int = 16,
) -> list[Moment]:
    """What happens to one customer.

    `orderly`: no wake-ups and no changes; events come in the order of their stamps.
    `merges`: the customer may be merged with others.
    """
    now = received = ms(start)
    kinds = ["event"] * 8 + ["enroll", "report"]
    if not orderly:
        kinds += ["wake", "wake"]
    if states:
        kinds += ["change"]
    known = {
        "zone": dice.pick(*ZONES),
        "email": "a@x",
        "phone": "+1",
        "score": dice.number(4),
    }
    found = [Moment(now, now, now, ("profile.updated", known), f"{customer}-p")]
    for n in range(dice.pick(size, size // 2, 1, 2, size)):
        now += dice.pick(*GAPS)
        lag = dice.pick(0, MINUTE, HOUR, 2 * DAY - 1, 2 * DAY) if dice.rare() else 0
        if orderly:
            lag = min(lag, now - received)
        received = now - lag
        age = dice.pick(HOUR, 23 * HOUR, DAY, -MINUTE, -HOUR) if dice.rare(6) else 0
        id = f"{customer}-{n // 4 if dice.rare(8) else n}"
        what: Happening | Enroll | WakeUp | Report | Change | Union
        if merges and dice.rare(12):
            other = f"{customer}-{n}"
            theirs = story(dice, start, style, customer=other, size=4)
            theirs = [moment for moment in theirs if moment.now <= received]
            what = Union(other, theirs)
            found.append(Moment(now, received, received, what, id))
            continue
        match dice.pick(*kinds):
            case "event":
                what = happening(dice, start, style)
            case "enroll":
                what = Enroll(
                    id=id,
                    journey=dice.pick(*JOURNEYS),
                    customer=customer,
                    received_at=aware(received),
                    entry=carried(dice, start),
                )
            case "report":
                names = ["message.delivered", "message.opened"]
                if not style.timeless:
                    names += ["message.failed", "message.bounced"]
                bounce = dice.pick("hard", "soft")
                what = Report(dice.pick(*names), dice.number(3), bounce)
            case "wake":
                what = WakeUp(customer)
            case _:
                to: State = dice.pick("live", "paused", "live", "stopped", "draft")
                what = Change(dice.pick(*JOURNEYS), to)
        found.append(Moment(now, received, received - age, what, id, dice.rare(8)))
    return found


@st.composite
def stories(
    draw: st.DrawFn,
    /,
    start: datetime,
    style: Style = ANY,
    *,
    size: int = 16,
    **options: Any,
) -> list[Moment]:
    """What happens to one customer, with the options of `story`."""
    return story(draw(rolls(10 + 14 * size)), start, style, size=size, **options)


# --- a life -------------------------------------------------------------------------


def _same(customer: Customer) -> Customer:
    return customer


def is_cut(reaction: Reaction) -> bool:
    """Whether the trace was too long and doesn't tell all."""
    return any(
        entry.kind == "forgotten" and entry.reason == "trace"
        for entry in reaction.trace
    )


class Told(NamedTuple):
    """One decision, and the wall clock of its reaction."""

    entry: TraceEntry
    now: int


class Life:
    """A customer in a world, moment by moment.

    Attributes:
        customer: As of now.
        reactions: All so far, each with its wall clock.
        sent: All messages so far.
    """

    def __init__(
        self,
        world: World,
        *,
        name: str = "ada",
        explain: bool = False,
        carry: Callable[[Customer], Customer] = _same,
        catalog: Catalog | None = None,
    ) -> None:
        """Start unknown; `carry` is what becomes of the document between reactions."""
        self.world = world
        self.name = name
        self.explain = explain
        self.carry = carry
        self.customer: Customer | None = None
        self.reactions: list[tuple[int, Reaction]] = []
        self.sent: list[SendMessage] = []
        self.states: dict[str, State] = {}
        self.catalog = catalog or world.catalog()

    def live(self, story: Sequence[Moment], *, timer: bool = False) -> Life:
        """Go through what happens; with a timer that wakes at each due instant."""
        for moment in story:
            if timer:
                self.wake_until(moment.received - 1)  # nor overtakes a waiting event
            self.meet(moment)
        return self

    def meet(self, moment: Moment) -> Reaction | None:
        """One moment; None if only the catalog changed."""
        if isinstance(moment.what, Change):
            self.states[moment.what.journey] = moment.what.state
            self.catalog = self.world.catalog(self.states, self.catalog.revision + 1)
            return None
        return self.react(self.stimulus(moment), moment.now)

    def stimulus(self, moment: Moment) -> Event | Enroll | WakeUp | Absorb:
        """What a moment is to `react`."""
        what = moment.what
        if isinstance(what, Enroll | WakeUp):
            return what
        if isinstance(what, Union):
            return self._absorb(what, moment)
        if isinstance(what, Report):
            what = (what.name, self._report(what))
        assert not isinstance(what, Change)
        name, properties = what
        return Event(
            id=moment.id,
            name=name,
            customer=self.name,
            occurred_at=aware(moment.occurred),
            received_at=aware(moment.received),
            properties=properties,
            test=moment.test,
        )

    def _absorb(self, union: Union, moment: Moment) -> Absorb:
        """All that is known of the other one, whose timer was on time until then."""
        other = Life(self.world, name=union.name, catalog=self.catalog)
        other.live(union.story, timer=True)
        at = aware(moment.received)
        merge = Merge(id=moment.id, customer=union.name, into=self.name, received_at=at)
        commands = other.react(merge, moment.now).commands
        told = [Absorb.of(one) for one in commands if isinstance(one, AbsorbCustomer)]
        return told[0]

    def _report(self, report: Report) -> dict[str, Any]:
        if not self.sent:
            return {"delivery_id": "unknown", "channel": "email"}
        about = self.sent[-1 - report.n % len(self.sent)]
        return {
            "delivery_id": about.delivery_id,
            "enrollment": about.enrollment,
            "channel": about.channel,
            "bounce": report.bounce,
        }

    def react(self, stimulus: Stimulus, now: int) -> Reaction:
        """One reaction."""
        reaction = react(
            self.customer,
            stimulus,
            catalog=self.catalog,
            now=aware(now),
            explain=self.explain,
        )
        self.customer = self.carry(reaction.customer)
        self.reactions.append((now, reaction))
        self.sent += [c for c in reaction.commands if isinstance(c, SendMessage)]
        return reaction

    def wake(self, now: int) -> Reaction:
        """A wake-up."""
        return self.react(WakeUp(self.name), now)

    def wake_until(self, end: int) -> None:
        """A timer that is on time, and gives up after a thousand wake-ups."""
        for _ in range(1000):
            if self.due is None or self.due > end:
                return
            now = max(self.due, self.reactions[-1][0])
            if now > end:
                return
            self.wake(now)

    @property
    def due(self) -> int | None:
        """When there is something to do."""
        return self.customer.next_due if self.customer else None

    @property
    def told(self) -> list[Told]:
        """The whole trace."""
        return [Told(e, now) for now, r in self.reactions for e in r.trace]

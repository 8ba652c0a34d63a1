"""Generated definitions: any journey and any policies that an author could write.

The journeys are such that `check` finds no error in them: names refer to something,
`event` and `entry` stand where they mean something. The vocabulary is small, so that
generated events and profiles meet the conditions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

from journeykit import (
    Arm,
    BecomesTrigger,
    Branch,
    Call,
    Cap,
    ClosedDays,
    Collect,
    Condition,
    ConsentDefault,
    Duration,
    Emit,
    EventTrigger,
    Exit,
    ExitRule,
    Expression,
    Goal,
    Goto,
    Happens,
    Holdout,
    InactiveTrigger,
    Journey,
    OpenHours,
    Policies,
    QuietHours,
    ReEntry,
    Repeat,
    Send,
    SequenceTrigger,
    Split,
    Survey,
    Topic,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    Without,
    api,
    on,
)
from journeykit.model.surveys import SURVEY_KINDS

T = TypeVar("T")

EVENTS = ("cart.updated", "order.placed", "page viewed", "message.opened")
FIELDS = ("total", "amount", "country", "plan", "renews_at", "odd name")
CHANNELS = ("email", "sms", "push")
TOPICS = ("news", "offers")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
START = datetime(2026, 3, 1, tzinfo=UTC)


def made(cls: type[T], *args: Any, **kwargs: Any) -> st.SearchStrategy[T]:
    """Call the class with what is drawn, and leave out what is not given."""
    return st.builds(lambda *given, **named: cls(*given, **named), *args, **kwargs)


@cache
def names() -> st.SearchStrategy[str]:
    return st.sampled_from(["a", "b2", "x.y", "long-name", "under_score"])


@cache
def texts() -> st.SearchStrategy[str]:
    awkward = [
        "",
        "on",
        "22:00",
        "1e3",
        "null",
        "a: b",
        " # ",
        "é\n\tx",
        "two\nlines",
        "'\"",
    ]
    return st.one_of(st.sampled_from(awkward), st.text(max_size=12))


@cache
def durations(*, longest_days: int = 40) -> st.SearchStrategy[Duration]:
    return st.one_of(
        st.builds(lambda n: Duration(ms=n * 60_000), st.integers(1, 3_000)),
        st.builds(lambda n: Duration(days=n), st.integers(1, longest_days)),
        st.builds(lambda n: Duration(months=n), st.integers(1, 3)),
        st.builds(Duration, days=st.integers(0, 3), ms=st.integers(1, 90_000_001)),
    )


@cache
def instants() -> st.SearchStrategy[datetime]:
    return st.integers(0, 500_000).map(lambda n: START + timedelta(minutes=n))


@cache
def times() -> st.SearchStrategy[str]:
    return st.builds(
        "{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 59])
    )


@cache
@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(times())
    end = draw(times().filter(lambda end: end != start) | st.just("24:00"))
    weekdays = draw(st.lists(st.sampled_from(WEEKDAYS), max_size=3, unique=True))
    return Window(start, end, weekdays=weekdays)


@cache
def paths(*roots: str) -> st.SearchStrategy[str]:
    def printed(root: str, field: str) -> str:
        return f'{root}["{field}"]' if " " in field else f"{root}.{field}"

    return st.builds(printed, st.sampled_from(roots), st.sampled_from(FIELDS))


@cache
def references(*roots: str) -> st.SearchStrategy[Expression]:
    return paths(*roots).map(Expression)


@cache
def conditions(*roots: str) -> st.SearchStrategy[Condition]:
    literals = st.sampled_from(["1", "100", "2.5", '"DE"', '"free"', "true", "null"])
    path = paths(*roots)
    atoms = st.one_of(
        st.builds(
            "{} {} {}".format, path, st.sampled_from(["==", "!=", "<", ">="]), literals
        ),
        path.filter(lambda text: "[" not in text).map("has({})".format),
        path.map('{} in ["DE", "FR", 1]'.format),
    )
    texts = st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({}) && ({})".format, inner, inner),
            st.builds("({}) || ({})".format, inner, inner),
            inner.map("!({})".format),
        ),
        max_leaves=4,
    )
    return texts.map(Condition.parse)


@cache
def triggers(*roots: str) -> st.SearchStrategy[EventTrigger]:
    where = st.none() | conditions(*roots)
    return made(on, st.sampled_from(EVENTS), where=where)


@cache
@st.composite
def sequences(draw: st.DrawFn) -> SequenceTrigger:
    """Draw a trigger that asks for several events."""
    heard = triggers("event", "profile")
    within = durations().filter(bool)
    first = draw(st.integers(1, 3))
    undoes = st.none() | made(on, st.just("undone"), where=conditions("event"))
    unless = {} if first == 1 else {"unless": draw(undoes)}
    parts: list[Happens | Without] = [Happens(draw(heard), times=first, **unless)]
    if draw(st.booleans()) or first == 1:
        then = made(Happens, heard, times=st.integers(1, 2), within=st.none() | within)
        since = st.sampled_from(["last", "first"])
        parts.append(draw(then | made(Without, heard, within=within, since=since)))
    return SequenceTrigger(parts)


@cache
def hidden_triggers() -> st.SearchStrategy[Any]:
    """Triggers that bring a segment of their own along."""
    holds = conditions("profile").map(BecomesTrigger)
    heard = st.lists(triggers("event"), min_size=1, max_size=2)
    after = durations().filter(bool)
    own = triggers("event").map(lambda one: InactiveTrigger(one, cadence=2.0))
    return st.one_of(holds, made(InactiveTrigger, heard, after=after), own)


@cache
def values(*roots: str, min_size: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    constants = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 9),
        st.just(2.5),
        st.just(3.0),
        texts(),
    )
    nested = st.recursive(
        constants | references(*roots),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(texts(), inner, max_size=2).filter(
                lambda v: set(v) != {"cel"}
            ),
        ),
        max_leaves=4,
    )
    return st.dictionaries(
        st.sampled_from(FIELDS), nested, min_size=min_size, max_size=2
    )


@cache
def untils() -> st.SearchStrategy[Until]:
    anchors = st.one_of(instants(), references("entry", "profile"))
    offsets = st.one_of(
        st.just({}),
        durations().map(lambda d: {"before": d}),
        durations().map(lambda d: {"after": d}),
    )
    shapes = st.one_of(
        st.just({}),
        times().map(lambda t: {"time": t}),
        st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=2).map(
            lambda days: {"weekdays": days}
        ),
        windows().map(lambda w: {"window": w}),
    )
    anchored = st.builds(lambda i, o, s: Until(i, **o, **s), anchors, offsets, shapes)
    local = st.builds(lambda s: Until(**s), shapes.filter(bool))
    return anchored | local


@cache
def dues() -> st.SearchStrategy[Duration | Until]:
    return durations() | untils()


class _Steps:
    """Draws steps; knows the ids that are taken, and those behind which it stands."""

    def __init__(self, draw: st.DrawFn, journey: str) -> None:
        self.draw = draw
        self.journey = journey
        self.taken = 0

    def id(self) -> str | None:
        if not self.draw(st.booleans()):
            return None
        self.taken += 1
        return f"step-{self.taken}"

    def many(self, depth: int, before: tuple[str, ...], least: int = 0) -> list[Any]:
        steps: list[Any] = []
        for _ in range(self.draw(st.integers(least, 1 + depth))):
            step = self.one(depth, before)
            steps.append(step)
            if step.id is not None:
                before = (*before, step.id)
            if step.ends:
                return steps
        if before and not self.draw(st.integers(0, 5)):
            # Two waits, because a wait before them may pass over one.
            steps += [
                Wait(self.draw(durations())),
                Wait(self.draw(durations())),
                Goto(self.draw(st.sampled_from(before)), id=self.id()),
            ]
        return steps

    def one(self, depth: int, before: tuple[str, ...]) -> Any:
        draw = self.draw
        kinds = ["send", "wait", "wait", "update", "emit", "call", "collect"]
        kinds += ["wait_for", "branch", "split", "repeat", "survey"] if depth else []
        kinds += ["exit"] if before and depth < 2 else []
        kind = draw(st.sampled_from(kinds))
        common = {"id": self.id(), "touchpoint": None}
        inside = before if common["id"] is None else (*before, common["id"])
        if kind == "send":
            return Send(**draw(sends()), **common)
        if kind == "wait":
            past = st.sampled_from(["proceed", "skip_step", "exit"])
            missing = st.sampled_from(["exit", "proceed", "skip_step"])
            return Wait(
                draw(dues()), on_past=draw(past), on_missing=draw(missing), **common
            )
        if kind == "update":
            return Update(draw(values("entry", "profile", min_size=1)), **common)
        if kind == "emit":
            # A name that no trigger has: two journeys could chase each other otherwise.
            return Emit(
                draw(st.sampled_from(["cart.rescued", "step.done"])),
                draw(values("entry", "profile")),
                public=draw(st.booleans()),
                **common,
            )
        if kind == "exit":
            others = draw(st.none() | st.just(self.journey))
            return Exit(draw(names()), journey=others, **common)
        if kind == "repeat":
            return Repeat(
                self.many(depth - 1, inside, least=1),
                times=draw(st.integers(1, 3)),
                until=draw(st.none() | conditions("entry", "profile")),
                **common,
            )
        if kind == "call":
            word = st.sampled_from(["continue", "exit"])
            steps = depth and draw(st.booleans())
            return Call(
                draw(names()),
                draw(values("entry", "profile")),
                timeout=draw(durations()),
                retries=draw(st.integers(0, 20)),
                on_error=self.many(depth - 1, inside) if steps else draw(word),
                **common,
            )
        if kind == "collect":
            return Collect(**draw(collects()), **common)
        if kind == "survey":
            within = draw(st.none() | durations())
            text = st.text(min_size=1, max_size=40)
            return Survey(
                **draw(sends()),
                kind=draw(st.sampled_from(SURVEY_KINDS)),
                within=within,
                otherwise=() if within is None else self.many(depth - 1, inside),
                survey=draw(st.none() | names()),
                question=draw(
                    st.just("") | text | st.just({"": "How?", "de-CH": "Wie?"})
                ),
                **common,
            )
        if kind == "wait_for":
            when = conditions("entry", "profile") | triggers(
                "event", "entry", "profile"
            )
            timed = draw(st.booleans())
            return WaitFor(
                [
                    When(draw(when), self.many(depth - 1, inside))
                    for _ in range(draw(st.integers(1, 2)))
                ],
                timeout=draw(dues()) if timed else None,
                otherwise=self.many(depth - 1, inside) if timed else (),
                since=draw(st.none() | st.sampled_from(before)) if before else None,
                on_missing=draw(st.sampled_from(["exit", "proceed"])),
                **common,
            )
        if kind == "branch":
            return Branch(
                [
                    When(
                        draw(conditions("entry", "profile")),
                        self.many(depth - 1, inside),
                    )
                    for _ in range(draw(st.integers(1, 2)))
                ],
                otherwise=self.many(depth - 1, inside),
                **common,
            )
        first = draw(st.sampled_from([50, 33.33, 1, 99.5]))
        return Split(
            [
                Arm("a", first, self.many(depth - 1, inside)),
                Arm("b", round(100 - first, 2), self.many(depth - 1, inside)),
            ],
            on_reentry=draw(st.sampled_from(["sticky", "redraw"])),
            **common,
        )


@cache
def sends() -> st.SearchStrategy[dict[str, Any]]:
    channels = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True)
    return st.fixed_dictionaries(
        {
            "channel": channels,
            "template": st.sampled_from(["hello", "cart reminder", "x/y.html"]),
        },
        optional={
            "variables": values("entry", "profile"),
            "topic": st.sampled_from(TOPICS),
            "purpose": st.sampled_from(["marketing", "transactional"]),
            "expires_after": st.just("never") | durations(),
            "fallback_after": durations(),
            "fallback_unless": st.sampled_from(["delivered", "opened", "clicked"]),
            "once_per_address": st.booleans(),
            "on_expired": st.sampled_from(["skip", "exit"]),
            "on_refused": st.sampled_from(["skip", "exit"]),
            "on_capped": st.sampled_from(["skip", "defer", "exit"]),
            "on_quiet": st.sampled_from(["defer", "skip", "exit"]),
        },
    ).map(_with_a_fallback)


def _with_a_fallback(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, without a fallback where there is no other channel, or no time."""
    if len(fields["channel"]) > 1 and fields.get("fallback_after", ZERO) != ZERO:
        return fields
    return {name: v for name, v in fields.items() if not name.startswith("fallback")}


ZERO = Duration()


@cache
def collects() -> st.SearchStrategy[dict[str, Any]]:
    heard = triggers("event", "entry", "profile")
    taken_back = st.fixed_dictionaries(
        {"cancel": heard, "by": references("event", "entry")}
    )
    fields = st.fixed_dictionaries(
        {"when": heard, "window": durations()},
        optional={
            "keep": st.lists(st.sampled_from(FIELDS), max_size=2),
            "max_items": st.integers(1, 3),
            "until_count": st.integers(1, 3),
            "include_entry": st.booleans(),
            "on_empty": st.sampled_from(["exit", "proceed"]),
        },
    )
    return st.builds(lambda a, b: {**a, **b}, fields, taken_back | st.just({}))


@cache
def goals() -> st.SearchStrategy[Goal]:
    by_event = made(
        Goal,
        triggers("event", "entry", "profile"),
        value=st.one_of(st.none(), st.just(9.5), references("event", "entry")),
        within=st.none() | durations(),
        on_goal=st.sampled_from(["exit", "continue"]),
    )
    by_state = made(
        Goal,
        conditions("entry", "profile"),
        value=st.one_of(st.none(), references("profile", "entry")),
        within=st.none() | durations(),
        on_goal=st.sampled_from(["exit", "continue"]),
    )
    return by_event | by_state


@cache
def exit_rules() -> st.SearchStrategy[Any]:
    when = conditions("entry", "profile") | triggers("event", "entry", "profile")
    return when | made(ExitRule, when, reason=names())


@cache
def reentries() -> st.SearchStrategy[ReEntry | str]:
    modes = st.sampled_from(["never", "after_exit", "always", "restart"])
    limited = made(
        ReEntry,
        modes,
        cooldown=st.none() | durations(),
        max_entries=st.integers(1, 3),
        per=st.none() | durations(),
    )
    return modes | made(ReEntry, modes, cooldown=durations()) | limited


@cache
@st.composite
def journeys(draw: st.DrawFn, id: str = "journey", depth: int = 2) -> Journey:
    """Draw a journey of this id, whose steps nest so deep."""
    key = draw(st.none() | references("event"))
    entries = st.one_of(
        triggers("event", "profile"),
        made(api, where=st.none() | conditions("entry", "profile")),
        sequences(),
        # No event starts their runs, so that there would be no key.
        *([hidden_triggers()] if key is None else []),
    )
    return Journey(
        id=id,
        trigger=draw(st.lists(entries, min_size=1, max_size=2)),
        steps=_Steps(draw, id).many(depth, (), least=1),
        goal=draw(st.lists(goals(), max_size=2)),
        exit_rules=draw(st.lists(exit_rules(), max_size=2)),
        reentry=draw(reentries()),
        key=key,
        on_missing_key=draw(st.sampled_from(["all", "ignore"])),
        name=draw(texts()),
        stage=draw(st.sampled_from([None, "awareness", "conversion"])),
        priority=draw(st.integers(-3, 3)),
        purpose=draw(st.sampled_from(["marketing", "transactional"])),
        topic=draw(st.none() | st.sampled_from(TOPICS)),
        zone=draw(st.none() | st.sampled_from(ZONES)),
        starts_at=draw(st.none() | st.just(START)),
        ends_at=draw(st.none() | instants().map(lambda at: at + timedelta(days=1))),
        on_end=draw(st.sampled_from(["finish", "eject"])),
        holdout=draw(
            st.one_of(
                st.none(), st.just(10), made(Holdout, st.just(12.5), salt=names())
            )
        ),
        objectives=draw(st.lists(names(), max_size=2)),
        version=draw(st.integers(1, 3)),
    )


@cache
def caps() -> st.SearchStrategy[Cap]:
    spans = st.one_of(
        st.just({}),
        durations().map(lambda d: {"within": d}),
        st.sampled_from(["day", "week", "month"]).map(lambda c: {"calendar": c}),
    )
    return st.builds(
        lambda limit, span, channel, topic, purpose: Cap(
            limit, **span, channel=channel, topic=topic, purpose=purpose
        ),
        st.integers(0, 4),
        spans,
        st.none() | st.sampled_from(CHANNELS),
        st.none() | st.sampled_from(TOPICS),
        purposes(),
    )


@cache
def purposes() -> st.SearchStrategy[str]:
    return st.sampled_from(["marketing", "transactional", "all"])


@cache
def policies() -> st.SearchStrategy[Policies]:
    """Draw rules of every kind."""
    channel = st.none() | st.sampled_from(CHANNELS)
    scope = {"channel": channel, "purpose": purposes()}
    topic = st.none() | st.sampled_from(TOPICS)
    dates = st.lists(
        st.dates(date(2026, 3, 1), date(2026, 6, 1)),
        min_size=1,
        max_size=3,
        unique=True,
    )
    return made(
        Policies,
        caps=st.lists(caps(), max_size=3),
        quiet_hours=st.lists(made(QuietHours, windows(), **scope), max_size=2),
        open_hours=st.lists(
            made(OpenHours, st.lists(windows(), min_size=1, max_size=2), **scope),
            max_size=1,
        ),
        closed_days=st.lists(made(ClosedDays, dates, **scope), max_size=1),
        topics=st.just([Topic("news", name="News"), Topic("offers")]),
        consent=st.lists(
            made(
                ConsentDefault,
                st.sampled_from(["allow", "refuse"]),
                topic=topic,
                **scope,
            ),
            max_size=2,
        ),
        bounce_cool_down=durations(),
        max_age=durations(),
    )

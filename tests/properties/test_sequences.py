"""A sequence against an oracle that looks at the whole stream, at every way through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any, NamedTuple

from hypothesis import given, strategies as st
from tests.properties.worlds import examples

from journeykit import (
    Catalog,
    Customer,
    Event,
    Happens,
    Journey,
    Policies,
    SequenceTrigger,
    WakeUp,
    Without,
    hours,
    on,
    react,
)

T0 = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = 3_600_000
NAMES = "abc"


class Seen(NamedTuple):
    """An event of the stream: its hour, and its name."""

    at: int
    name: str


class End(NamedTuple):
    """When a part has ended, and how many events had come by then."""

    at: int
    seen: int


# --- The oracle ---------------------------------------------------------------------


def ends(parts: Sequence[Any], stream: Sequence[Seen]) -> set[End]:
    """Every instant at which the last of these parts ends, by whatever events."""
    *before, part = parts
    earlier = ends(before, stream) if before else None
    if isinstance(part, Without):
        return set(absences(part, sorted(earlier or ()), stream))
    return set(happenings(part, earlier, stream))


def happenings(
    part: Happens, earlier: set[End] | None, stream: Sequence[Seen]
) -> Iterator[End]:
    places = [n for n, seen in enumerate(stream) if seen.name == part.when.name]
    for chosen in combinations(places, part.times):
        last = chosen[-1]
        if earlier is None:
            starts = [End(stream[chosen[0]].at, chosen[0] + 1)]
            is_alone = part.times == 1
        else:
            starts = [end for end in earlier if end.seen <= chosen[0]]
            is_alone = False
        for start in starts:
            between = stream[start.seen : last + 1]
            undone = part.unless and part.unless.name in {s.name for s in between}
            late = part.within and start.at + length(part) <= stream[last].at
            if is_alone or not (undone or late):
                yield End(stream[last].at, last + 1)


def absences(
    part: Without, earlier: Sequence[End], stream: Sequence[Seen]
) -> Iterator[End]:
    """One at a time is waited for: `last` puts another one in its place."""
    pending: int | None = None
    for seen in range(len(stream) + 1):
        now = stream[seen].at if seen < len(stream) else None
        if pending is not None and (now is None or pending < now):
            yield End(pending, seen)
            pending = None
        if seen < len(stream) and stream[seen].name == part.when.name:
            pending = None
        for end in earlier:
            # The end of a part that is itself an absence never comes before this one.
            if end.seen == seen + 1 and (pending is None or part.since == "last"):
                pending = end.at + length(part)


def length(part: Any) -> int:
    return int(part.within.ms) // HOUR


def starts_by_oracle(parts: Sequence[Any], stream: Sequence[Seen]) -> list[int]:
    """When runs start: what has started one does not count for the next."""
    found: list[int] = []
    begin = 0
    while True:
        whole = ends(parts, stream[begin:])
        if not whole:
            return found
        first = min(whole)
        found.append(first.at)
        begin += first.seen


# --- What the engine does -------------------------------------------------------------


def starts_by_engine(
    trigger: SequenceTrigger, stream: Sequence[Seen], wakes: Sequence[int]
) -> list[int]:
    journey = Journey(id="j", trigger=trigger, steps=[], reentry="always")
    catalog = Catalog.compile([journey], policies=Policies())
    customer: Customer | None = None
    found: list[int] = []
    for n, seen in enumerate([*stream, None]):
        until = seen.at if seen else 100
        for hour in [*sorted(w for w in wakes if w < until), *([] if seen else [100])]:
            customer, started = handled(customer, WakeUp("ada"), hour, catalog)
            found += started
        if seen is not None:
            at = T0 + timedelta(hours=seen.at)
            event = Event(
                id=str(n),
                name=seen.name,
                customer="ada",
                occurred_at=at,
                received_at=at,
            )
            customer, started = handled(customer, event, seen.at, catalog)
            found += started
    return found


def handled(
    customer: Customer | None, stimulus: Any, hour: int, catalog: Catalog
) -> tuple[Customer, list[int]]:
    now = T0 + timedelta(hours=hour)
    reaction = react(customer, stimulus, catalog=catalog, now=now)
    start = int(T0.timestamp() * 1000)
    entered = [entry.at for entry in reaction.trace if entry.kind == "entered"]
    return reaction.customer, [(at - start) // HOUR for at in entered]


# --- The property -----------------------------------------------------------------------


@st.composite
def sequences(draw: st.DrawFn) -> SequenceTrigger:
    names = st.sampled_from(NAMES).map(on)
    spans = st.integers(1, 8).map(hours)
    parts: list[Any] = []
    for place in range(draw(st.integers(1, 3))):
        if place and not isinstance(parts[-1], Without) and draw(st.booleans()):
            since: Any = draw(st.sampled_from(["last", "first"]))
            parts.append(Without(draw(names), within=draw(spans), since=since))
            continue
        times = draw(st.integers(1, 3))
        bare = not place and times == 1
        parts.append(
            Happens(
                draw(names),
                times=times,
                within=None if bare else draw(st.none() | spans),
                unless=None if bare else draw(st.none() | names),
            )
        )
    if len(parts) == 1 and parts[0].times == 1:
        parts.append(Happens(draw(names), within=draw(spans)))
    return SequenceTrigger(parts)


@st.composite
def streams(draw: st.DrawFn) -> list[Seen]:
    hour, stream = 0, []
    for gap in draw(st.lists(st.integers(0, 4), max_size=12)):
        hour += gap
        stream.append(Seen(hour, draw(st.sampled_from(NAMES))))
    return stream


@examples(600)
@given(sequences(), streams())
def test_a_sequence_starts_runs_exactly_when_it_is_whole(
    trigger: SequenceTrigger, stream: list[Seen]
) -> None:
    started = starts_by_engine(trigger, stream, [])

    assert started == starts_by_oracle(trigger.parts, stream)


@examples(150)
@given(sequences(), streams(), st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_when_somebody_looks(
    trigger: SequenceTrigger, stream: list[Seen], wakes: list[int]
) -> None:
    alone = starts_by_engine(trigger, stream, [])

    looked_at = starts_by_engine(trigger, stream, wakes)

    assert looked_at == alone


def test_these_streams_complete_sequences_of_every_kind() -> None:
    parts = [
        [Happens(on("a"), times=3, within=hours(5))],
        [Happens(on("a")), Happens(on("b"), within=hours(3))],
        [Happens(on("a")), Without(on("b"), within=hours(3))],
        [Happens(on("a")), Without(on("b"), within=hours(2)), Happens(on("c"))],
    ]
    every = [
        [Seen(2 * n, name) for n, name in enumerate(names)]
        for names in product(NAMES, repeat=5)
    ]

    counts = [sum(len(starts_by_oracle(of, one)) for one in every) for of in parts]

    assert min(counts) > 20

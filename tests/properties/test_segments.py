"""Who a customer is at any instant is what the conditions say at that instant.

Documents are judged by what has changed, and woken when something may flip. Held against
it: judging everything anew, at every hour and at every instant at which something happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st

from journeykit import (
    Catalog,
    Condition,
    Count,
    Event,
    Journey,
    Last,
    Merge,
    Policies,
    Segment,
    Stage,
    Sum,
    Update,
    Wait,
    WakeUp,
    audience_plan,
    days,
    event,
    every,
    hours,
    on,
    react,
    stuck,
)
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import Customer, decode, encode
from journeykit.engine.draft import Draft
from journeykit.engine.trace import TraceEntry
from journeykit.engine.views import Views
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import next_audience

START = to_ms(datetime(2026, 10, 20, tzinfo=UTC))  # Berlin's clocks change on the 25th
HOUR = 3_600_000

TRAITS = [
    Count("orders", "order.placed"),
    Count("recent", "order.placed", within=days(2)),
    Sum("spent", "order.placed", value=event.total, within=hours(30)),
    Last("last_order", "order.placed"),
]

LEAVES = [
    "trait.orders >= 2",
    "trait.recent >= 2",
    "trait.spent > 50",
    'trait.last_order.olderThan("P2D")',
    'trait.last_order.withinLast("PT20H")',
    'profile.ends.withinNext("P1D")',
    'profile.ends.olderThan("PT5H")',
    'profile.plan == "pro"',
    "has(profile.ends)",
    "consent.email",
    'trait.stage == "active"',
    'trait.stage_since.olderThan("PT30H")',
    "segment.listed",
]


def conditions(leaves: list[str]) -> st.SearchStrategy[Condition]:
    leaf = st.sampled_from(leaves) | st.sampled_from(leaves).map("!({})".format)
    pair = st.builds("({}) {} ({})".format, leaf, st.sampled_from(["&&", "||"]), leaf)
    return (leaf | pair).map(Condition.parse)


@st.composite
def audiences(draw: st.DrawFn) -> dict[str, Any]:
    """Segments that ask for traits, the stage, and segments before them."""
    of_stages = [text for text in LEAVES if "stage" not in text]
    stages = [
        Stage("new"),
        Stage("active", draw(conditions(of_stages))),
        Stage("good", draw(conditions(of_stages))),
    ]
    segments = [Segment("listed", listed=True)]
    leaves = list(LEAVES)
    for n in range(draw(st.integers(1, 5))):
        segments.append(Segment(f"s{n}", draw(conditions(leaves))))
        leaves += [f"segment.s{n}"] * 3
    return audience_plan(TRAITS, draw(st.permutations(segments)), stages)


HAPPENINGS = st.one_of(
    st.builds(lambda total: ("order.placed", {"total": total}), st.integers(0, 60)),
    st.builds(
        lambda hours_ahead: (
            "profile.updated",
            {"ends": to_datetime(START + hours_ahead * HOUR).isoformat()},
        ),
        st.integers(0, 200),
    ),
    st.sampled_from(
        [
            ("profile.updated", {"plan": "pro"}),
            ("profile.updated", {"plan": None}),
            ("profile.updated", {"zone": "Europe/Berlin"}),
            ("profile.updated", {"zone": "Pacific/Apia"}),
            ("consent.changed", {"channel": "email", "granted": True}),
            ("message.unsubscribed", {"channel": "email"}),
            ("list.joined", {"list": "listed"}),
            ("list.left", {"list": "listed"}),
            ("visited", {}),
        ]
    ),
)
LIVES = st.lists(
    st.tuples(st.integers(0, 20 * 60), st.integers(0, 90 * 60), HAPPENINGS),
    min_size=1,
    max_size=8,
)

# Whoever comes into a segment has their plan written, and so may come into the next.
PROMOTES = Journey(
    "promotes",
    trigger=on("segment.entered", where=event.segment == "s0"),
    reentry="always",
    steps=[Update({"plan": "pro"})],
)


def lived(
    catalog: Catalog, life: list[tuple[int, int, tuple[str, dict[str, Any]]]]
) -> Iterator[tuple[int, Customer, list[TraceEntry]]]:
    """The customer at each hour and after each thing that happens; and the trace."""
    at = START
    stimuli: list[tuple[int, Event]] = []
    for n, (minutes, late, (name, properties)) in enumerate(life):
        at += minutes * 60_000
        event = Event(
            id=f"e{n}",
            name=name,
            customer="ada",
            occurred_at=to_datetime(at - late * 60_000),
            received_at=to_datetime(at),
            properties=properties,
        )
        stimuli.append((at, event))
    customer: Customer | None = None
    trace: list[TraceEntry] = []
    for now in sorted(
        {*range(START, at + 100 * HOUR, HOUR), *(at for at, _ in stimuli)}
    ):
        while customer and customer.next_due is not None and customer.next_due < now:
            due = customer.next_due
            reaction = react(
                customer, WakeUp("ada"), catalog=catalog, now=to_datetime(due)
            )
            customer = reaction.customer
            trace += reaction.trace
            assert customer.next_due is None or customer.next_due > due
            yield due, customer, trace
        for received_at, event in stimuli:
            if received_at == now:
                reaction = react(
                    customer, event, catalog=catalog, now=event.received_at
                )
                customer = decode(encode(reaction.customer))
                trace += reaction.trace
        if customer is not None and customer.next_due == now:
            reaction = react(
                customer, WakeUp("ada"), catalog=catalog, now=to_datetime(now)
            )
            customer = reaction.customer
            trace += reaction.trace
        if customer is not None:
            yield now, customer, trace


def judged_anew(catalog: Catalog, customer: Customer, at: int) -> Draft:
    """The same customer, everything about whom is asked at an instant."""
    draft = Draft(customer, now=at, explain=False)
    draft.at = at
    draft.scope = Views(draft, catalog)
    catalog.audience.judge(draft, everything=True)
    return draft


@given(audiences(), LIVES)
def test_at_every_hour_the_document_says_what_judging_it_anew_says(audience, life):
    catalog = Catalog.compile([PROMOTES], policies=Policies(), audience=audience)

    for at, customer, _ in lived(catalog, life):
        if customer.revision:  # of whom nothing is stored nothing is known
            anew = judged_anew(catalog, customer, at)

            assert customer.segments == anew.segments
            assert (customer.stage, customer.staged_at) == (anew.stage, anew.staged_at)
            assert customer.flips_at == anew.flips_at


@given(audiences(), LIVES)
def test_who_enters_was_out_and_who_leaves_was_in(audience, life):
    catalog = Catalog.compile([PROMOTES], policies=Policies(), audience=audience)
    inside: set[str] = set()
    told = 0

    for _, customer, trace in lived(catalog, life):
        for entry in trace[told:]:
            if entry.kind == "segment":
                name = entry.detail["segment"]
                assert (name in inside) is (entry.reason == "left")
                inside ^= {name}
        told = len(trace)
        assert inside == set(customer.segments)


def published(
    audience: dict[str, Any], added: Condition, at: int
) -> tuple[Catalog, Catalog]:
    """Two revisions of a catalog: the second one, of that instant, has a segment more."""
    wider = {
        **audience,
        "segments": [
            *audience["segments"],
            *audience_plan([], [Segment("added", added)])["segments"],
        ],
    }
    known = CatalogDocument(0, 0, "", [], {})
    catalogs = []
    for revision, drafted in enumerate((audience, wider), 1):
        of = at if revision > 1 else 0
        document, _ = next_audience(known, drafted, revision=revision, at=of, plans=[])
        known = CatalogDocument(revision, of, "", [], {}, audience=document)
        catalogs.append(
            Catalog.compile(
                [PROMOTES], policies=Policies(), revision=revision, audience=document
            )
        )
    first, second = catalogs
    return first, second


def told(
    life: list[tuple[int, int, tuple[str, dict[str, Any]]]],
    first: Catalog,
    second: Catalog,
    *,
    published_at: int,
    nap: int,
    lag: int,
) -> list[tuple[str, str, str, int]]:
    """What is told of segments and stages, where everything is handled late."""
    at = START
    stimuli: list[tuple[int, Event | WakeUp]] = []
    for n, (minutes, late, (name, properties)) in enumerate(life):
        at += minutes * 60_000
        event = Event(
            id=f"e{n}",
            name=name,
            customer="ada",
            occurred_at=to_datetime(at - late * 60_000),
            received_at=to_datetime(at),
            properties=properties,
        )
        stimuli.append((at + lag * 60_000, event))
    end = at + 200 * HOUR
    stimuli += [(now, WakeUp("ada")) for now in range(START, end, nap * HOUR)]
    customer: Customer | None = None
    found: list[tuple[str, str, str, int]] = []
    for now, stimulus in sorted(stimuli, key=lambda one: one[0]):
        if customer is None and isinstance(stimulus, WakeUp):
            continue
        catalog = first if now < published_at else second
        reaction = react(customer, stimulus, catalog=catalog, now=to_datetime(now))
        customer = decode(encode(reaction.customer))
        for entry in reaction.trace:
            if entry.kind in ("segment", "stage"):
                name = entry.detail.get("segment", "")
                found.append((entry.kind, entry.reason, name, entry.at))
    return found


@given(
    audiences(),
    conditions(LEAVES),
    LIVES,
    st.integers(0, 150 * 60),
    st.integers(1, 60),
    st.integers(0, 90),
)
def test_a_publish_in_between_swallows_no_flip_of_an_unchanged_definition(
    audience, added, life, minutes, nap, lag
):
    at = START + minutes * 60_000
    first, second = published(audience, added, at)

    alone = told(life, first, first, published_at=at, nap=nap, lag=lag)
    between = told(life, first, second, published_at=at, nap=nap, lag=lag)

    assert [one for one in between if one[2] != "added"] == alone
    if lag == 0:  # what came before the publish was handled before it
        assert all(one[3] >= at for one in between if one[2] == "added")


WAITING = [
    PROMOTES,
    Journey(
        "weekly",
        trigger=every("day", at="09:00"),
        steps=[Wait(hours(30)), Update({"plan": None})],
    ),
    Journey(
        "abandoned",
        trigger=on("visited").without(on("order.placed"), within=hours(4)),
        steps=[Wait(days(1))],
    ),
    Journey("stuck", trigger=stuck("new", for_=days(2)), steps=[Wait(days(1))]),
]


@given(audiences(), LIVES, st.integers(0, 90 * 24))
def test_a_tombstone_waits_for_nothing_and_no_wake_up_changes_it(audience, life, ahead):
    catalog, later = (
        Catalog.compile(
            WAITING,
            policies=Policies(),
            revision=revision,
            audience={**audience, "at": START},
        )
        for revision in (1, 2)
    )
    other = Catalog.compile(WAITING[1:], policies=Policies(), revision=3)
    *_, (at, customer, _) = lived(catalog, life)
    now = to_datetime(at)
    merge = Merge(id="m", customer="ada", into="bob", received_at=now)

    tombstone = react(customer, merge, catalog=catalog, now=now).customer

    assert tombstone.merged_into == "bob"
    assert (tombstone.next_due, tombstone.progress, tombstone.segments) == (
        None,
        {},
        {},
    )
    for known in (catalog, later, other):
        woken = react(
            tombstone, WakeUp("ada"), catalog=known, now=to_datetime(at + ahead * HOUR)
        )
        assert woken.customer is tombstone
        assert (woken.commands, woken.trace) == ((), ())

"""Paths against plain counts over the same ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.insight.recording import record
from tests.insight.tables import DAY, START, emptied, put

from journeykit import Branch, Event, Exit, Journey, Send, Wait, When, days, entry, on
from journeykit.errors import InputError
from journeykit.insight.paths import (
    OTHER,
    Paths,
    paths_of_events,
    paths_of_journey,
    thinned,
)
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event

WELCOME = Journey(
    "welcome",
    trigger=on("signed.up"),
    exit_rules=[on("account.closed")],
    steps=[
        Wait(days(1)),
        Branch(
            [When(entry.plan == "pro", [Send("email", "pro")])],
            otherwise=[Exit("free")],
        ),
        Wait(days(1)),
    ],
)


def happened(name: str, customer: str, day: int, **properties: Any) -> Event:
    return make_event(name, customer, at=f"2026-06-{day:02}T09:00:00Z", **properties)


STORY = [
    happened("signed.up", "ada", 1, plan="pro"),
    happened("signed.up", "ben", 1, plan="free"),
    happened("signed.up", "cleo", 2, plan="pro"),
    happened("account.closed", "cleo", 3),
    happened("signed.up", "dan", 4, plan="free"),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(record(tmp_path, WELCOME, STORY)) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with Warehouse.open(Logs([])) as opened:
        yield opened


def test_a_journeys_variants_are_told_with_their_ends(house: Warehouse) -> None:
    found = paths_of_journey(house, "welcome")

    assert found.cases == 4
    assert found.variant_count == 3
    assert [
        (" ".join(key.removeprefix("step:") for key in one.steps), one.end, one.count)
        for one in found.variants
    ] == [
        ("wait-1d branch exit-free", "end:exited: free", 2),
        ("wait-1d", "end:exited: exit_rule", 1),
        ("wait-1d branch send-email-pro wait-1d-2", "end:completed", 1),
    ]
    assert found.variants[2].median_ms == DAY


def test_what_follows_a_step_adds_up_to_those_who_came(house: Warehouse) -> None:
    found = paths_of_journey(house, "welcome")

    assert_conserved(found)
    after = {
        edge.target: edge.count for edge in found.edges if edge.source == "step:wait-1d"
    }
    assert after == {"step:branch": 3, "end:exited: exit_rule": 1}


def test_only_so_many_variants_are_told(house: Warehouse) -> None:
    found = paths_of_journey(house, "welcome", variants=1)

    assert len(found.variants) == 1
    assert found.variant_count == 3


def test_a_way_is_cut_where_it_gets_too_long(house: Warehouse) -> None:
    found = paths_of_journey(house, "welcome", depth=2)

    assert {(one.steps, one.end, one.count) for one in found.variants} == {
        (("step:wait-1d", "step:branch"), "", 3),
        (("step:wait-1d",), "end:exited: exit_rule", 1),
    }
    assert {link.position for link in found.links} == {0}  # nobody ended at the second


def test_a_journey_that_nobody_entered_has_no_ways(house: Warehouse) -> None:
    found = paths_of_journey(house, "nobody")

    assert found.cases == found.variant_count == 0
    assert [*found.variants, *found.links, *found.edges] == []


def test_events_begin_where_it_is_asked_and_after_a_silence(empty: Warehouse) -> None:
    heard(empty, "1:a0 1:b1 1:b2 1:a9 1:c10 2:b0 2:a1 3:c1")

    every = paths_of_events(empty)
    from_a = paths_of_events(empty, start="a")
    parted = paths_of_events(empty, gap="5d")
    repeated = paths_of_events(empty, repeats=True)

    assert ways(every) == {"abac": 1, "ba": 1, "c": 1}
    assert ways(from_a) == {"abac": 1, "a": 1}
    assert ways(parted) == {"ab": 1, "ac": 1, "ba": 1, "c": 1}
    assert ways(repeated) == {"abbac": 1, "ba": 1, "c": 1}
    assert ways(paths_of_events(empty, names=["a", "c"])) == {"ac": 1, "a": 1, "c": 1}


def test_what_is_told_of_messages_is_no_step_unless_asked(empty: Warehouse) -> None:
    heard(empty, "1:a0 1:message.opened1 1:b2")

    assert ways(paths_of_events(empty)) == {"ab": 1}
    assert ways(paths_of_events(empty, names=["a", "message.opened"])) == {
        "amessage.opened": 1
    }


def test_rare_events_are_taken_together(empty: Warehouse) -> None:
    often = " ".join(f"{n}:n{m}x0 {n}:n{m}x1" for n in range(2) for m in range(12))
    heard(empty, f"{often} 5:rare0 6:seldom0")

    found = paths_of_events(empty, repeats=True)

    other = [node for node in found.nodes if node.is_other]
    assert [(node.key, node.count) for node in other] == [(OTHER, 2)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"depth": 0}, "1 to 50 positions"),
        ({"variants": 1001}, "0 to 1,000 variants"),
        ({"names": [f"n{n}" for n in range(13)]}, "12 events at most"),
        ({"gap": "0s"}, "longer than nothing"),
    ],
    ids=["depth", "variants", "names", "gap"],
)
def test_what_is_out_of_bounds_is_refused(
    empty: Warehouse, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        paths_of_events(empty, **options)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.integers(1, 6), st.text("abcd", min_size=1, max_size=9), max_size=6
    ),
    st.integers(2, 4),
)
def test_all_views_agree_with_the_ways_themselves(
    empty: Warehouse, taken: dict[int, str], most: int
) -> None:
    heard(
        empty,
        " ".join(
            f"{who}:{c}{n}" for who, way in taken.items() for n, c in enumerate(way)
        ),
    )

    found = paths_of_events(empty, repeats=True, depth=50)

    assert ways(found) == Counter(taken.values())
    assert_conserved(found)
    follows = Counter(pair for way in taken.values() for pair in pairwise(way))
    assert {
        (edge.source[5:], edge.target[5:]): edge.count
        for edge in found.edges
        if edge.source != "start" and edge.target != "end:no more"
    } == follows
    assert Counter({node.name: node.count for node in found.nodes[1:-1]}) == Counter(
        "".join(taken.values())
    )
    thin = thinned(found.links, most=most)
    assert sum(link.count for link in thin) == sum(link.count for link in found.links)
    for position in {link.position for link in thin}:
        assert len({k.source for k in thin if k.position == position}) <= most


def assert_conserved(found: Paths) -> None:
    for node in found.nodes:
        out = sum(edge.count for edge in found.edges if edge.source == node.key)
        into = sum(edge.count for edge in found.edges if edge.target == node.key)
        assert node.kind == "start" or into == node.count
        assert node.kind == "end" or out == node.count
    ends = sum(node.count for node in found.nodes if node.kind == "end")
    assert ends == found.cases


def ways(found: Paths) -> dict[str, int]:
    return {
        "".join(key.removeprefix("step:") for key in one.steps): one.count
        for one in found.variants
    }


def heard(house: Warehouse, story: str) -> None:
    """Put in events, `1:a0` for what happens to 1 on day 0."""
    rows = []
    for n, told in enumerate(story.split()):
        who, _, what = told.partition(":")
        name = what.rstrip("0123456789")
        day = int(what[len(name) :])
        rows.append(
            {
                "event": n,
                "id": str(n),
                "source": "",
                "name": name,
                "person": int(who),
                "customer_known": True,
                "happened_ms": START + day * DAY,
                "received_ms": START + day * DAY,
                "test": False,
                "properties": "{}",
            }
        )
    put(emptied(house), "events", rows)

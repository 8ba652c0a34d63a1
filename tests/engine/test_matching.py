"""The index over triggers: it changes how long it takes, never what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from journeykit import (
    Catalog,
    Event,
    Journey,
    Policies,
    Send,
    event,
    has,
    on,
    one_of,
    pattern,
    profile,
    react,
    starts_with,
)
from journeykit.engine.conditions import Predicate, Scope
from journeykit.engine.matching import Hearing, Triggers
from journeykit.engine.patterns import Pattern
from journeykit.model.events import INNER

NAME = "order.placed"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

KEYS = ("a", "b", "c.d", "e")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.0, 2.5, -0.0]),
    st.sampled_from(["", "a", "ab", "abc", "b", "1"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((*KEYS, "d")), inner, max_size=3),
    ),
    max_leaves=6,
)
EVENTS = st.dictionaries(st.sampled_from((*KEYS, "c")), VALUES, max_size=5)


def _literal(value: object) -> str:
    return {None: "null", True: "true", False: "false"}.get(  # type: ignore[call-overload]
        value if value is None or isinstance(value, bool) else (), ""
    ) or (f'"{value}"' if isinstance(value, str) else repr(value))


LITERALS = SCALARS.map(_literal)
NUMBERS = st.sampled_from(["-1", "0", "1", "1.0", "2", "2.5"])
PATHS = st.sampled_from(
    ["event.a", "event.b", 'event["c.d"]', "event.c.d", "event.a.b", 'event["$id"]',
     "event.a[0]", "event.a.b.e", "profile.a"]
)  # fmt: skip
ATOMS = st.one_of(
    st.builds("{} == {}".format, PATHS, LITERALS),
    st.builds("{} == {}".format, LITERALS, PATHS),
    st.builds("{} != {}".format, PATHS, LITERALS),
    st.builds(
        "{} {} {}".format, PATHS, st.sampled_from(["<", "<=", ">", ">="]), NUMBERS
    ),
    st.builds("{} <= {}".format, NUMBERS, PATHS),
    st.builds('{}.startsWith("{}")'.format, PATHS, st.sampled_from(["", "a", "ab"])),
    st.builds(
        "{} in [{}]".format, PATHS, st.lists(LITERALS, min_size=1).map(", ".join)
    ),
    st.builds("{} in [{}, profile.b]".format, PATHS, LITERALS),
    PATHS.filter(lambda path: path[-1] != "]").map("has({})".format),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        inner.map("!({})".format),
    ),
    max_leaves=5,
)

LEAVES = st.lists(
    st.one_of(
        SCALARS,
        st.sampled_from(
            [
                {"prefix": "a"},
                {"prefix": ""},
                {"suffix": "b"},
                {"exists": True},
                {"exists": False},
                {"anything-but": "a"},
                {"numeric": [">", 0]},
                {"numeric": [">=", 1, "<", 2.5]},
                {"numeric": ["=", 2]},
            ]
        ),
    ),
    min_size=1,
    max_size=3,
)
DETAILS = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from((*KEYS, "c", "d", "a.b")), inner, min_size=1, max_size=3
    ),
    max_leaves=4,
).filter(lambda tree: isinstance(tree, dict))
TOP = st.fixed_dictionaries(
    {},
    optional={
        "detail-type": st.sampled_from([[NAME], ["other"], [{"prefix": "order."}]]),
        "source": st.sampled_from([["shop"], ["web", "shop"], [{"prefix": "s"}]]),
        "id": st.sampled_from([["1"], ["2"]]),
        "detail": DETAILS,
        "$or": st.lists(
            st.fixed_dictionaries({"detail": DETAILS}), min_size=2, max_size=3
        ),
    },
).filter(bool)


def hearing(made: str | dict[str, Any] | None) -> Hearing:
    if isinstance(made, dict):
        return Hearing(None, None, Pattern(made))
    return Hearing(NAME, Predicate(made) if made else None)


def met(
    asked: Sequence[Hearing], properties: dict[str, Any], source: str
) -> list[Hearing]:
    fields = {**properties, "$id": "1", "$name": NAME, "$time": NOW}
    scope = Scope(event=fields, profile={"a": 1, "b": "ab"})
    tree = {
        "source": source,
        "detail-type": NAME,
        "detail": properties,
        "id": "1",
        "time": "2026-06-01T12:00:00Z",
    }
    return [
        each
        for each in asked
        if (each.where is None or each.where(scope))
        and (each.pattern is None or each.pattern.matches(tree))
    ]


@given(
    made=st.lists(st.none() | CONDITIONS | TOP, max_size=12),
    events=st.lists(st.tuples(EVENTS, st.sampled_from(["", "shop"])), max_size=4),
)
@example(made=["event.a == 1"], events=[({"a": True}, "")])
@example(made=[{"detail": {"c": {"d": [1]}}}], events=[({"c.d": 1}, "")])
@example(made=[{"detail": {"a": {"c": {"d": [1]}}}}], events=[({"a": {"c.d": 1}}, "")])
@example(made=["has(event.a)"], events=[({"a": {}}, ""), ({"a": []}, "")])
def test_the_index_finds_what_asking_every_trigger_finds(
    made: list[str | dict[str, Any] | None], events: list[tuple[dict[str, Any], str]]
) -> None:
    hearings = [hearing(each) for each in made]
    triggers = Triggers([(each, each) for each in hearings], least=0)

    for properties, source in events:
        fields = {**properties, "$id": "1", "$name": NAME, "$time": NOW}
        found = triggers.candidates(NAME, fields, source)
        named = [
            each
            for each in hearings
            if each.event == NAME or (each.pattern and each.pattern.names_it(NAME))
        ]

        assert met(found, properties, source) == met(named, properties, source)
        assert met(triggers.all(NAME), properties, source) == met(
            named, properties, source
        )


BOUNDS = st.sampled_from([-1, 0, 0.5, 1, 2, 3, 5])


@given(
    ranges=st.lists(
        st.tuples(st.sampled_from([">", ">="]), BOUNDS, st.sampled_from(["<", "<="]),
                  BOUNDS),
        max_size=40,
    ),
    values=st.lists(st.sampled_from([-2, -1, 0, 0.25, 0.5, 1, 1.0, 2.5, 5, 6])),
)  # fmt: skip
def test_ranges_hold_their_numbers_however_they_overlap(
    ranges: list[tuple[str, float, str, float]], values: list[float]
) -> None:
    texts = [
        {"detail": {"a": [{"numeric": [low, one, high, other]}]}}
        for low, one, high, other in ranges
        if one < other
    ]
    hearings = [hearing(each) for each in texts]
    triggers = Triggers([(each, each) for each in hearings], least=0)

    for value in values:
        found = triggers.candidates(NAME, {"a": value}, "")

        assert list(found) == met(hearings, {"a": value}, "")  # not one too many


def thousand(where: Any) -> list[Journey]:
    return [
        Journey(
            f"j{n:04d}", trigger=on(NAME, where=where(n)), steps=[Send("email", "x")]
        )
        for n in range(1000)
    ]


@pytest.mark.parametrize(
    ("where", "properties"),
    [
        (lambda n: event.code == f"c{n}", {"code": "c7"}),
        (lambda n: (event.country == "DE") & (event.code == f"c{n}"),
         {"country": "DE", "code": "c7"}),
        (lambda n: has(event.code) & one_of(event.code, [f"c{n}", f"d{n}"]),
         {"code": "d7"}),
        (lambda n: starts_with(event.url, f"/shop/{n:04d}/"), {"url": "/shop/0007/x"}),
        (lambda n: (event.sum >= n) & (event.sum < n + 1), {"sum": 7.5}),
        (lambda n: (event.code == f"c{n}") | (event.url == f"u{n}"), {"url": "u7"}),
        (lambda n: event.shop.code == f"c{n}", {"shop": {"code": "c7"}}),
        (lambda n: (profile.plan == "pro") & (event.code == f"c{n}"), {"code": "c7"}),
    ],
    ids=["equal", "rarest", "in", "prefix", "range", "or", "nested", "profile-too"],
)  # fmt: skip
def test_of_a_thousand_journeys_one_is_asked(
    where: Any, properties: dict[str, Any]
) -> None:
    catalog = Catalog.compile(thousand(where), policies=Policies())

    found = catalog.entries.candidates(NAME, properties)

    assert [entry.plan.id for entry in found] == ["j0007"]


def test_no_journey_is_asked_where_the_field_is_not_there() -> None:
    journeys = thousand(lambda n: event.code == f"c{n}")
    catalog = Catalog.compile(journeys, policies=Policies())

    assert catalog.entries.candidates(NAME, {"other": 1}) == ()
    assert catalog.entries.candidates("other", {"code": "c7"}) == ()


def test_journeys_enter_by_priority_whichever_way_they_were_found() -> None:
    wheres: list[Any] = [event.a == 1, event.b == 2, None, event.a > 0, has(event.b)]
    journeys = [
        Journey(
            f"j{n}",
            trigger=(
                pattern({"detail": {"a": [1]}})
                if n == 7
                else on(NAME, where=wheres[n % 5])
            ),
            priority=n,
            steps=[Send("email", "x")],
        )
        for n in range(20)
    ]
    catalog = Catalog.compile(journeys, policies=Policies())
    placed = Event(
        id="1", name=NAME, customer="ada", occurred_at=NOW, received_at=NOW,
        properties={"a": 1, "b": 2},
    )  # fmt: skip

    reaction = react(None, placed, catalog=catalog, now=NOW)

    entered = [entry.journey for entry in reaction.trace if entry.kind == "entered"]
    assert entered == [f"j{n}" for n in range(19, -1, -1)]


def test_who_wants_to_know_why_hears_of_every_trigger() -> None:
    catalog = Catalog.compile(
        thousand(lambda n: event.code == f"c{n}")[:20], policies=Policies()
    )
    placed = Event(
        id="1", name=NAME, customer="ada", occurred_at=NOW, received_at=NOW,
        properties={"code": "c3"},
    )  # fmt: skip

    short = react(None, placed, catalog=catalog, now=NOW)
    whole = react(None, placed, catalog=catalog, now=NOW, explain=True)

    assert [entry.kind for entry in short.trace].count("unmatched") == 0
    assert [entry.kind for entry in whole.trace].count("unmatched") == 19
    assert short.commands == whole.commands


def test_a_catalog_hears_what_its_patterns_leave_open() -> None:
    def heard(**given: Any) -> frozenset[str]:
        journey = Journey("j", trigger=pattern(given["of"]), steps=[Send("email", "x")])
        return Catalog.compile([journey], policies=Policies()).hears

    named = heard(of={"detail-type": ["a"]})
    begun = heard(of={"detail-type": [{"prefix": "order."}]})
    anything = heard(of={"source": ["shop"]})

    assert "a" in named
    assert "b" not in named
    assert "order.placed" in begun
    assert "cart.updated" not in begun
    assert "whatever" in anything
    assert not any(name in anything for name in INNER)


def test_a_catalog_without_patterns_hears_a_plain_set() -> None:
    catalog = Catalog.compile(thousand(lambda n: None)[:1], policies=Policies())

    assert type(catalog.hears) is frozenset

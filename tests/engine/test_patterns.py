"""Event patterns: which are refused, and which events they match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import DefinitionError, Journey, Send, event, pattern, profile
from journeykit.engine.patterns import Pattern
from journeykit.model.documents import from_json, from_yaml, to_json, to_yaml
from journeykit.model.patterns import MAX_PATTERN, MAX_RULES, names_of, parsed

# What aws/event-ruler (Apache-2.0) answers to the patterns of its README and its tests;
# the file says which row is from where.
CORPUS = json.loads(
    (Path(__file__).parent / "data" / "event_patterns.json").read_text()
)
MATCHED = [case for case in CORPUS["cases"] if case["expected"] != "invalid"]
REFUSED = [case for case in CORPUS["cases"] if case["expected"] == "invalid"]


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return Pattern(pattern).matches(event)


def of(*tests: Any) -> dict[str, Any]:
    return {"detail": {"x": list(tests)}}


def having(value: Any) -> dict[str, Any]:
    return {"detail": {"x": value}}


@pytest.mark.parametrize("case", MATCHED, ids=lambda case: case["id"])
def test_a_pattern_matches_what_the_engine_of_eventbridge_matches(
    case: dict[str, Any],
) -> None:
    assert matches(case["pattern"], case["event"]) is case["expected"]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_what_eventbridge_refuses_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        parsed(case["pattern"])


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ([{"numeric": [">"]}], "one or two bounds"),
        ([{"numeric": ["~", 1]}], "has = < <= > >="),
        ([{"numeric": [">", "1"]}], "compares with a number"),
        ([{"numeric": [">", True]}], "compares with a number"),
        ([{"numeric": ["=", 1, "<", 2]}], "no other bound"),
        ([{"numeric": ["<", 2, ">", 1]}], "a lower bound, then an upper one"),
        ([{"numeric": ["<", 2, "<", 1]}], "one upper bound"),
        ([{"numeric": [">", 5, "<", 5]}], "no number is in"),
        ([{"cidr": "10.0.0.1"}], "no block of addresses"),
        ([{"cidr": "10.0.0.0/64"}], "no block of addresses"),
        ([{"exists": "yes"}], "exists is true or false"),
        ([{"wildcard": "a\\b"}], "goes before"),
        ([{"wildcard": "a\\"}], "goes before"),
        ([{"anything-but": []}], "texts or numbers"),
        ([{"anything-but": None}], "texts or numbers"),
        ([{"anything-but": {"cidr": "10.0.0.0/8"}}], "takes one of prefix"),
        ([{"anything-but": {"prefix": []}}], "text, or a list"),
        ([{"prefix": {"equals-ignore-case": "a", "b": 1}}], "equals-ignore-case"),
        ([["a"]], "no value that a field can have"),
    ],
    ids=repr,
)
def test_a_wrong_test_is_refused_with_its_field(tests: list[Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as refused:
        parsed(of(*tests))

    assert "detail.x: " in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([], "a mapping of fields"),
        ({}, "needs a field"),
        ({"detail": {"": [1]}}, "no name of a field"),
        ({"detail": {"x": ["a" * MAX_PATTERN]}}, f"may have {MAX_PATTERN}"),
        ({"detail": {"x": [{1, 2}]}}, "JSON"),
        ({"$or": [{"source": ["a"]}]}, "two or more"),
        ({"$or": [{"prefix": ["a"]}, {"source": ["a"]}]}, "a test and no field"),
    ],
    ids=["list", "empty", "no-name", "long", "no-json", "one-alternative", "no-field"],
)
def test_what_is_no_pattern_is_refused(wrong: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        parsed(wrong)


def test_alternatives_are_bounded() -> None:
    two = {"$or": [{"a": [1]}, {"b": [1]}]}
    many = {f"f{n}": two for n in range(10)}

    with pytest.raises(DefinitionError, match=f"more than {MAX_RULES}"):
        parsed(many)

    del many["f0"]
    assert len(parsed(many)) == 512


def test_a_pattern_nests_only_so_deep() -> None:
    deep: dict[str, Any] = {"x": [1]}
    for _ in range(40):
        deep = {"x": deep}

    with pytest.raises(DefinitionError, match="deeper"):
        parsed(deep)


@pytest.mark.parametrize("value", [1, 1.0])
def test_a_number_is_a_number_however_it_is_written(value: float) -> None:
    assert matches(of(1), having(value))
    assert not matches(of({"anything-but": [1]}), having(value))


@pytest.mark.parametrize(
    ("test", "value"),
    [
        (1, True),
        (True, 1),
        (None, False),
        ("1", 1),
        ({"numeric": ["=", 1]}, True),
        ({"numeric": ["=", 1]}, "1"),
        ({"cidr": "10.0.0.0/8"}, "not an address"),
        ({"cidr": "10.0.0.0/8"}, "::1"),
        ({"cidr": "10.0.0.0/8"}, 10),
        ({"prefix": "1"}, 1),
    ],
    ids=repr,
)
def test_a_value_of_another_kind_does_not_match(test: Any, value: Any) -> None:
    assert not matches(of(test), having(value))


@pytest.mark.parametrize("value", [5, None, True, "ab"])
def test_anything_but_a_text_takes_values_of_other_kinds(value: Any) -> None:
    assert matches(of({"anything-but": {"prefix": "b"}}), having(value))


def test_null_and_an_empty_text_are_values() -> None:
    assert matches(of(None), having(None))
    assert matches(of({"exists": True}), having(None))
    assert matches(of(""), having(""))


@pytest.mark.parametrize("value", [[], {}, [[]], [{}]], ids=repr)
def test_an_empty_list_or_mapping_counts_as_absent(value: Any) -> None:
    assert matches(of({"exists": False}), having(value))
    assert not matches(of({"exists": True}), having(value))


def test_a_value_may_be_one_thing_or_absent() -> None:
    either = of("a", {"exists": False})

    assert matches(either, having("a"))
    assert matches(either, {"detail": {}})
    assert not matches(either, having("b"))


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"a.b": ["x"]}, {"a": {"b": "x"}}),
        ({"a": {"b": ["x"]}}, {"a.b": "x"}),
        ({"a.b": ["x"]}, {"a.b": "x"}),
        ({"a.b.c": ["x"]}, {"a": {"b.c": "x"}}),
        ({"a": {"b.c": ["x"]}}, {"a.b": [{"c": "x"}]}),
    ],
    ids=["nested", "joined", "both", "below", "in-a-list"],
)
def test_a_key_with_dots_is_a_path(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matches({"detail": pattern}, {"detail": event})
    assert not matches({"detail": pattern}, {"detail": {"a": {"z": "x"}}})


def test_fields_of_one_list_match_in_one_element_and_others_where_they_like() -> None:
    wanted = {
        "detail": {
            "items": {"sku": ["a"], "sizes": {"size": [1], "left": [0]}},
            "tags": ["new"],
        }
    }
    apart = {"sku": "a", "sizes": [{"size": 1, "left": 5}, {"size": 2, "left": 0}]}
    other = {"sku": "b", "sizes": [{"size": 1, "left": 0}]}
    right = {"sku": "a", "sizes": [{"size": 2}, {"size": 1, "left": 0}]}
    tags = ["old", "new"]

    assert not matches(wanted, {"detail": {"items": [apart, other], "tags": tags}})
    assert matches(wanted, {"detail": {"items": [apart, right], "tags": tags}})
    assert not matches(wanted, {"detail": {"items": [right], "tags": ["old"]}})


def test_absence_is_asked_of_the_element_that_was_chosen() -> None:
    open_ticket = {
        "detail": {"tickets": {"id": [{"exists": True}], "shut": [{"exists": False}]}}
    }

    assert matches(
        open_ticket, {"detail": {"tickets": [{"id": 1, "shut": 1}, {"id": 2}]}}
    )
    assert not matches(open_ticket, {"detail": {"tickets": [{"id": 1, "shut": 1}]}})


def test_a_large_list_takes_no_more_than_a_pass_or_two() -> None:
    fields = {key: [{"exists": True}] for key in "abcdef"}
    rows = [dict.fromkeys("abcde", n) for n in range(2_000)]

    # Combination by combination it would take 2,000 to the fifth.
    assert not matches({"detail": {"rows": fields}}, {"detail": {"rows": rows}})
    several = {f"list{n}": [{"numeric": [">", 0]}] for n in range(6)}
    values = {f"list{n}": list(range(500)) for n in range(5)}
    assert not matches({"detail": several}, {"detail": values})


def test_many_asterisks_take_one_pass() -> None:
    wanted = of({"wildcard": "*a" * 40 + "*b"})

    assert not matches(wanted, having("a" * 20_000))
    assert matches(wanted, having("a" * 20_000 + "b"))


TEXTS = st.text("ab*\\", max_size=8)


@given(parts=st.lists(st.text("ab", min_size=1, max_size=2), max_size=4), text=TEXTS)
def test_a_wildcard_matches_as_the_pieces_between_do(
    parts: list[str], text: str
) -> None:
    wild = "*".join(parts)

    def fits(rest: str, pieces: list[str]) -> bool:
        if not pieces:
            return rest == ""
        if len(pieces) == 1:
            return rest == pieces[0]
        head, *tail = pieces
        return rest.startswith(head) and any(
            fits(rest[len(head) + n :], tail) for n in range(len(rest) - len(head) + 1)
        )

    assert matches(of({"wildcard": wild}), having(text)) is fits(text, parts or [""])


@given(text=TEXTS)
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*")

    assert matches(of({"wildcard": escaped}), having(text))
    assert not matches(of({"wildcard": escaped}), having(f"{text}a"))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"detail-type": ["a", "b"]}, {"a", "b"}),
        ({"$or": [{"detail-type": ["a"]}, {"detail-type": ["b"]}]}, {"a", "b"}),
        (
            {"detail-type": ["a", "b"], "$or": [{"id": [1]}, {"detail-type": ["b"]}]},
            {"a", "b"},
        ),
        ({"detail-type": [{"prefix": "a"}]}, None),
        ({"detail-type": ["a", {"prefix": "b"}]}, None),
        ({"$or": [{"detail-type": ["a"]}, {"source": ["x"]}]}, None),
        ({"source": ["x"]}, None),
    ],
    ids=["list", "alternatives", "both", "prefix", "mixed", "one-open", "no-name"],
)
def test_a_pattern_knows_the_names_that_it_can_match(
    given: dict[str, Any], names: set[str] | None
) -> None:
    assert names_of(parsed(given)) == names


def test_the_name_alone_rules_events_out() -> None:
    orders = Pattern({"detail-type": [{"prefix": "order."}], "detail": {"x": [1]}})
    shop = Pattern({"source": ["shop"]})

    assert orders.names_it("order.placed")
    assert not orders.names_it("cart.updated")
    assert shop.names_it("anything")


# --- As triggers -------------------------------------------------------------------------

LARGE = pattern(
    {
        "detail-type": ["order.placed"],
        "detail": {"total": [{"numeric": [">", 100]}], "country": ["DE", "AT"]},
    }
)


def journey(*triggers: Any) -> Journey:
    return Journey("j", trigger=list(triggers), steps=[Send("email", "hello")])


def test_a_pattern_starts_a_journey(drive: Any) -> None:
    ada = drive(journey(LARGE))

    ada.event("order.placed", total=100, country="DE")
    ada.event("order.placed", total=101, country="FR")
    assert ada.did == []
    ada.event("order.placed", total=101, country="AT")

    assert ada.did.count("entered") == 1


def test_a_pattern_without_a_name_hears_every_event_but_what_happens_inside(
    drive: Any,
) -> None:
    ada = drive(journey(pattern({"detail": {"vip": [True]}})))

    ada.event("whatever", vip=False)
    ada.event("segment.entered", vip=True)
    assert ada.did == []
    ada.event("whatever", vip=True)

    assert ada.did.count("entered") == 1


def test_a_condition_besides_is_asked_too(drive: Any) -> None:
    trigger = pattern({"detail": {"n": [1]}}, where=profile.plan == "pro")
    ada = drive(journey(trigger))

    ada.event("e", n=1)
    assert "entered" not in ada.did
    ada.event("profile.updated", plan="pro")
    ada.event("e", n=1)

    assert ada.did.count("entered") == 1


def test_why_a_pattern_did_not_match_is_told(drive: Any) -> None:
    ada = drive(journey(LARGE), explain=True)

    ada.event("order.placed", total=7, country="DE")
    ada.event("order.placed", total=700)

    one, other = [entry for entry in ada.trace if entry.kind == "unmatched"]
    assert one.reason == other.reason == "pattern"
    assert one.detail == {"rule": "detail.total", "values": {"event.total": 7}}
    assert other.detail == {"rule": "detail.country", "missing": ["event.country"]}


def test_a_pattern_sees_where_an_event_comes_from_and_when(drive: Any) -> None:
    ada = drive(
        journey(pattern({"source": ["shop"], "time": [{"prefix": "2026-06-01T12"}]}))
    )

    ada.event("e", source="web")
    assert ada.did == []
    ada.event("e", source="shop")

    assert ada.did.count("entered") == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"resources": ["arn"]}, "no event here has resources"),
        ({"source": {"x": ["a"]}}, "no event here has source"),
        ({"detail": ["a"]}, "no event here has detail"),
        ({"detail": {"x": [{"like": "a"}]}}, "detail.x: 'like' is no test"),
    ],
    ids=["other-field", "below-source", "whole-detail", "no-test"],
)
def test_a_trigger_that_can_never_match_is_refused(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(DefinitionError, match=says):
        pattern(wrong)


def test_a_field_of_other_events_may_be_wanted_absent() -> None:
    assert pattern({"account": [{"exists": False}], "source": ["shop"]})


def test_a_condition_needs_its_name() -> None:
    with pytest.raises(DefinitionError, match="where="):
        pattern({"source": ["a"]}, event.x == 1)  # type: ignore[arg-type]


def test_a_pattern_survives_json_and_yaml() -> None:
    made = journey(LARGE)

    assert from_json(to_json(made)) == made
    assert from_yaml(to_yaml(made)) == made


def test_nobody_changes_a_pattern_afterwards() -> None:
    given = {"source": ["shop"]}
    made = pattern(given)

    given["source"].append("web")

    assert made.pattern == {"source": ["shop"]}

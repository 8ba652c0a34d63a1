from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.conditions import (
    Missing,
    Scope,
    compile_condition,
    compile_value,
)


def holds(text: str, **parts: object) -> bool:
    scope = Scope(event=parts)
    assert compile_condition(text).holds(scope) is compile_condition(text)(scope)
    return compile_condition(text)(scope)


def error(text: str, **parts: object) -> bool:
    """Neither the condition nor its negation holds."""
    return not holds(text, **parts) and not holds(f"!({text})", **parts)


def test_a_missing_field_neither_holds_nor_fails():
    assert error("event.total > 0")
    assert error("event.total == 0")
    assert error("event.total != 0")


def test_a_missing_part_of_the_scope_is_an_error_and_not_an_empty_map():
    assert error("has(entry.total)")
    assert error('"odd name" in entry')
    assert not holds("has(event.total)")
    assert holds("!has(event.total)")


def test_null_can_be_compared_for_equality_and_not_for_order():
    assert holds("event.total == null", total=None)
    assert holds("event.total != 0", total=None)
    assert error("event.total < 0", total=None)
    assert error("event.total > 0", total=None)
    assert holds("has(event.total)", total=None)


def test_and_or_absorb_an_error_on_either_side():
    for text in ("event.x > 0 || event.yes", "event.yes || event.x > 0"):
        assert holds(text, yes=True)
        assert error(text, yes=False)
    for text in ("event.x > 0 && event.yes", "event.yes && event.x > 0"):
        assert holds(f"!({text})", yes=False)
        assert error(text, yes=True)


def test_numbers_compare_across_int_and_double():
    assert holds("event.n == 1.0", n=1)
    assert holds("event.n in [1, 2]", n=2.0)
    assert holds("event.n < 1.5", n=1)


def test_whole_numbers_of_any_size_compare_exactly():
    assert holds("event.n > 9007199254740992.0", n=2**53 + 1)
    assert holds("event.n > 9223372036854775807", n=10**30)
    assert error("event.n == 1", m=10**30)


@pytest.mark.parametrize("yes", [True, False])
def test_true_and_false_are_no_numbers(yes):
    number = int(yes)

    assert not holds(f"event.yes == {number}", yes=yes)
    assert not holds(f"event.n == {str(yes).lower()}", n=number)
    assert not holds(f"event.yes in [{number}]", yes=yes)
    assert not holds("event.a == event.b", a=[yes], b=[number])
    assert not holds("event.a == event.b", a={"k": yes}, b={"k": number})
    assert error("event.yes < 2", yes=yes)


def test_values_of_different_kinds_are_unequal_and_have_no_order():
    assert holds('event.n != "1"', n=1)
    assert error('event.n < "1"', n=1)


def test_lists_and_maps_are_equal_in_depth():
    assert holds("event.a == event.b", a=[{"k": [1, None]}], b=[{"k": [1.0, None]}])
    assert not holds("event.a == event.b", a=[1, 2], b=[2, 1])
    assert not holds("event.a == event.b", a={"k": None}, b={})


def test_nan_equals_nothing():
    assert not holds("event.n == event.n", n=float("nan"))
    assert holds("event.n != event.n", n=float("nan"))
    assert not holds("event.n in event.list", n=float("nan"), list=[float("nan")])
    assert holds("!(event.n < 1)", n=float("nan"))


def test_text_is_ordered_by_code_point():
    assert holds('event.a > "\\uffff"', a="\U0001f600")
    assert holds('event.a < "a"', a="Z")


def test_in_looks_into_lists_and_for_keys_of_maps():
    assert holds('"vip" in event.tags', tags=["vip"])
    assert holds('"vip" in event.tags', tags={"vip": None})
    assert not holds("1 in event.tags", tags={"1": 1})
    assert error("null in event.tags", tags={"1": 1})
    assert error('"vip" in event.tags', tags="vip")


def test_special_keys_stand_beside_the_properties():
    event = {"$name": "order.placed", "$time": "2026-03-01T10:00:00+01:00"}

    assert holds('event["$name"] == "order.placed"', **event)
    assert holds('event["$time"] == timestamp("2026-03-01T09:00:00Z")', **event)
    assert holds('event["$time"] < timestamp("2026-03-01T09:00:00.001Z")', **event)
    assert not holds('event["$time"] == "2026-03-01T10:00:00+01:00"', **event)
    assert error('event["$time"] > "2026"', **event)


def test_a_naive_or_malformed_timestamp_is_an_error():
    for at in ("2026-03-01T09:00:00", "soon", None, 1.5, True, [], 10**18):
        assert error('timestamp(event.at) > timestamp("2000-01-01T00:00:00Z")', at=at)


def test_a_whole_number_is_a_timestamp_in_seconds():
    assert holds('timestamp(event.at) == timestamp("1970-01-01T00:00:01Z")', at=1)


def test_positions_reach_into_lists():
    assert holds('event.items[1].sku == "b"', items=[{"sku": "a"}, {"sku": "b"}])
    assert error('event.items[2].sku == "b"', items=[{"sku": "a"}, {"sku": "b"}])


def test_a_scope_may_hold_any_mapping_and_change_between_questions():
    condition = compile_condition("event.total > entry.total")
    scope = Scope(event=MappingProxyType({"total": 2}), entry={"total": 1})

    assert condition(scope)

    scope.event = {"total": 0}

    assert not condition(scope)


def test_a_condition_knows_the_paths_that_it_reads():
    condition = compile_condition("has(profile.phone) && entry.total >= 100")

    assert condition.paths == {("profile", "phone"), ("entry", "total")}
    assert condition.text == "has(profile.phone) && entry.total >= 100"


# --- Values --------------------------------------------------------------------------


def test_a_value_is_the_json_that_is_there():
    scope = Scope(event={"a": {"b": [1, None]}, "$time": "2026-03-01T10:00:00+01:00"})

    assert compile_value("event.a")(scope) == {"b": [1, None]}
    assert compile_value("event.a.b[1]")(scope) is None
    assert compile_value("size(event.a.b)")(scope) == 2
    assert compile_value("event.a.b[0] == 1")(scope) is True
    assert compile_value('event["$time"]')(scope) == "2026-03-01T10:00:00+01:00"
    assert compile_value('timestamp(event["$time"])')(scope) == "2026-03-01T09:00:00Z"
    assert compile_value("event.a.b").paths == {("event", "a", "b")}


def test_a_value_that_is_missing_names_its_path():
    with pytest.raises(Missing) as missing:
        compile_value("event.a.b")(Scope(event={"a": 3}))

    assert missing.value.path == "event.a.b"


def test_a_value_that_can_not_be_computed_names_its_expression():
    with pytest.raises(Missing) as missing:
        compile_value("size(event.a)")(Scope(event={"a": 3}))

    assert missing.value.path == "size(event.a)"


# --- Explanations --------------------------------------------------------------------

SCOPE = Scope(
    event={"total": -3, "currency": "EUR", "gift": False, "items": [1], "map": {}},
    profile={"phone": "+49", "limit": 5},
)


@pytest.mark.parametrize(
    ("text", "would_hold_if"),
    [
        ("event.total > 0", "event.total would have had to be > 0 (was -3)"),
        ("0 < event.total", "event.total would have had to be > 0 (was -3)"),
        ("!(event.total < 0)", "event.total would have had to be >= 0 (was -3)"),
        ("event.nope > 0", "event.nope would have had to be > 0 (was missing)"),
        (
            'event.currency == "USD"',
            'event.currency would have had to be "USD" (was "EUR")',
        ),
        (
            'event.currency != "EUR"',
            'event.currency would have had to be anything but "EUR" (was "EUR")',
        ),
        (
            "event.total > profile.limit",
            (
                "event.total would have had to be > profile.limit "
                "(was -3; profile.limit was 5)"
            ),
        ),
        (
            "size(event.items) > 1",
            "size(event.items) would have had to be > 1 (event.items was [1])",
        ),
        ("has(event.phone)", "event.phone would have had to be there (was missing)"),
        (
            "!has(profile.phone)",
            'profile.phone would have had to be absent (was "+49")',
        ),
        (
            '"odd name" in event',
            'event["odd name"] would have had to be there (was missing)',
        ),
        (
            'event.currency in ["USD"]',
            'event.currency would have had to be one of ["USD"] (was "EUR")',
        ),
        (
            '!(event.currency in ["EUR"])',
            'event.currency would have had to be none of ["EUR"] (was "EUR")',
        ),
        ("2 in event.items", "event.items would have had to hold 2 (was [1])"),
        (
            'event.currency.startsWith("U")',
            'event.currency would have had to start with "U" (was "EUR")',
        ),
        (
            '!event.currency.contains("U")',
            'event.currency would have had not to contain "U" (was "EUR")',
        ),
        ("event.gift", "event.gift would have had to be true (was false)"),
        (
            'event.currency == "EUR" && event.total > 0 && event.gift',
            (
                "event.total would have had to be > 0 (was -3) and "
                "event.gift would have had to be true (was false)"
            ),
        ),
        (
            "event.total > 0 || event.gift",
            (
                "either event.total would have had to be > 0 (was -3), or "
                "event.gift would have had to be true (was false)"
            ),
        ),
        (
            "!(event.total < 0 && event.currency == 'EUR')",
            (
                "either event.total would have had to be >= 0 (was -3), or "
                'event.currency would have had to be anything but "EUR" (was "EUR")'
            ),
        ),
        (
            "(event.total > 0 || event.gift) && has(event.phone)",
            (
                "(either event.total would have had to be > 0 (was -3), or "
                "event.gift would have had to be true (was false)) and "
                "event.phone would have had to be there (was missing)"
            ),
        ),
    ],
)
def test_a_condition_that_does_not_hold_says_what_would_have_had_to_differ(
    text, would_hold_if
):
    explanation = compile_condition(text).explain(SCOPE)

    assert not explanation.holds
    assert explanation.would_hold_if == would_hold_if


def test_a_condition_that_holds_needs_nothing_to_differ():
    explanation = compile_condition("event.total < 0 || event.nope").explain(SCOPE)

    assert explanation.holds
    assert explanation.would_hold_if == ""
    assert explanation.values == {"event.total": -3}
    assert explanation.missing == ("event.nope",)


def test_an_explanation_shows_values_and_names_what_is_missing():
    text = "event.total > entry.total && has(event.phone) && has(event.a.b)"

    explanation = compile_condition(text).explain(SCOPE)

    assert explanation.values == {"event.total": -3}
    assert explanation.missing == ("entry.total", "event.a")
    assert explanation.errors == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('event.total < "x"', 'event.total < "x": < can\'t order a number and text'),
        (
            "has(event.total.x)",
            "has(event.total.x): event.total is a number, not a map",
        ),
        ("1 in event.total", "1 in event.total: a number can't hold a number"),
        ("size(event.total) > 1", "size(event.total): size can't take a number"),
        (
            "event.total.contains('1')",
            'event.total.contains("1"): contains can\'t take a number and text',
        ),
        (
            'timestamp(event.currency) > timestamp("2026-01-01T00:00:00Z")',
            'timestamp(event.currency): "EUR" is no RFC 3339 timestamp',
        ),
        ("event.currency && event.gift", "event.currency is text, not true or false"),
        ("!event.total", "event.total is a number, not true or false"),
    ],
)
def test_an_explanation_says_what_could_not_be_answered(text, reason):
    explanation = compile_condition(text).explain(SCOPE)

    assert explanation.errors == (reason,)
    assert explanation.missing == ()


def test_long_values_are_cut_in_the_words_and_whole_among_the_values():
    explanation = compile_condition("event.a == 1").explain(
        Scope(event={"a": "x" * 999})
    )

    assert len(explanation.would_hold_if) < 150
    assert explanation.values == {"event.a": "x" * 999}


FIELDS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys("abc", st.booleans() | st.integers(0, 2) | st.just("x"))
)
ATOMS = [
    "event.a",
    "event.b > 1",
    'event.c == "x"',
    "has(event.a)",
    "event.a in [1, 2]",
]
SOME = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        inner.map(lambda text: f"!({text})")
        | st.tuples(inner, inner).map(" && ".join).map("({})".format)
        | st.tuples(inner, inner).map(" || ".join).map("({})".format)
    ),
    max_leaves=6,
)


@given(SOME, FIELDS)
def test_an_explanation_agrees_with_the_condition(text, fields):
    condition, scope = compile_condition(text), Scope(event=fields)

    explanation = condition.explain(scope)

    assert explanation.holds is condition(scope)
    assert (explanation.would_hold_if == "") is explanation.holds
    assert set(explanation.missing).isdisjoint(explanation.values)

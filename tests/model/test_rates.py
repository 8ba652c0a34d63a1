"""Rates, and the settings that a dispatcher reads off the catalog."""

from __future__ import annotations

import contextlib

import jsonschema
import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Breaker,
    Catalog,
    DefinitionError,
    InvalidJourney,
    Journey,
    Policies,
    Rate,
    on,
    rate,
)
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)
from journeykit.model.rates import MOST


@pytest.mark.parametrize(
    ("text", "interval_us"),
    [
        ("1/s", 1_000_000),
        ("100/s", 10_000),
        ("600/min", 100_000),
        ("5000/h", 720_000),
        ("7/s", 142_858),  # rather too long than too short
        ("1000000/s", 1),
    ],
)
def test_a_rate_says_how_far_apart(text: str, interval_us: int) -> None:
    assert rate(text).interval_us == interval_us


@given(st.integers(1, MOST), st.sampled_from(["s", "min", "h"]))
def test_a_rate_survives_its_text_and_lets_no_more_through(
    count: int, unit: str
) -> None:
    made = Rate(count, unit)

    assert Rate.parse(str(made)) == made
    assert eval(repr(made)) == made
    assert made.interval_us * count >= {"s": 1, "min": 60, "h": 3600}[unit] * 1_000_000


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ("0/s", "never lets anything through"),
        ("000/s", "never lets anything through"),
        ("5/d", "what a day may see is a Cap"),
        ("1,000 / hour", "write '1000/h'"),
        ("60/m", "write '60/min'"),
        ("007/s", "write '7/s'"),
        ("0.5/s", "write a whole number in a longer unit"),
        ("99999999/s", "at most 1,000,000"),
        ("10", "write '100/s', '600/min' or '5000/h'"),
        ("-1/s", "write '100/s'"),
        ("ten/s", "write '100/s'"),
        ("", "write '100/s'"),
        (5, "write '100/s'"),
        ("²/s", "write '100/s'"),
    ],
)
def test_what_is_no_rate_is_refused_with_the_way_out(wrong: str, way_out: str) -> None:
    with pytest.raises(DefinitionError, match=way_out):
        rate(wrong)


@given(st.text(max_size=20))
def test_any_text_is_a_rate_or_refused(text: str) -> None:
    with contextlib.suppress(DefinitionError):
        assert str(rate(text)) == text


@pytest.mark.parametrize(
    ("count", "unit"), [(0, "s"), (True, "s"), (1, "d"), (1.5, "h")]
)
def test_a_rate_that_is_made_of_nonsense_is_refused(count: int, unit: str) -> None:
    with pytest.raises(DefinitionError):
        Rate(count, unit)


JOURNEY = Journey("j", trigger=on("start"), steps=[], pace="1000/h")
POLICIES = Policies(pace={"email": "50/s", "sms": rate("5/s")}, breaker=Breaker(5))


def test_text_becomes_a_rate() -> None:
    assert JOURNEY.pace == rate("1000/h")
    assert POLICIES.pace == {"email": rate("50/s"), "sms": rate("5/s")}


def test_rates_and_breakers_survive_json_and_yaml() -> None:
    assert from_json(to_json(JOURNEY)) == JOURNEY == from_yaml(to_yaml(JOURNEY))
    assert from_json(to_json(POLICIES), Policies) == POLICIES
    assert from_yaml(to_yaml(POLICIES), Policies) == POLICIES
    assert to_json(POLICIES) == (
        '{"pace":{"email":"50/s","sms":"5/s"},"breaker":{"share":5.0}}'
    )


def test_a_breaker_that_is_switched_off_stays_off() -> None:
    off = Policies(breaker=None)

    assert from_json(to_json(off), Policies) == off
    assert from_yaml(to_yaml(off), Policies) == off
    assert off != Policies()


def test_what_nobody_sets_changes_no_fingerprint() -> None:
    assert to_json(Policies()) == "{}"
    assert "pace" not in to_json(Journey("j", trigger=on("start"), steps=[]))


def test_a_rate_that_is_wrong_in_a_file_is_named_with_its_place() -> None:
    with pytest.raises(InvalidJourney) as raised:
        from_yaml("pace:\n  email: 0/s\n", Policies, file="policies.yaml")

    (issue,) = raised.value.issues
    assert issue.message.startswith("pace.email: rate '0/s' is not understood")
    assert issue.line == 2


@pytest.mark.parametrize("value", [{"share": 0}, {"share": 101}, {"at_least": 0}, 5])
def test_a_breaker_that_makes_no_sense_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError):
        Policies(breaker=Breaker(**value) if isinstance(value, dict) else value)  # type: ignore[arg-type]


def test_editors_know_what_a_rate_looks_like() -> None:
    schema = json_schema(Policies)

    jsonschema.validate({"pace": {"email": "50/s"}, "breaker": None}, schema)
    for wrong in ("0/s", "50/d", "1000001/s"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"pace": {"email": wrong}}, schema)


def test_the_catalog_carries_them() -> None:
    catalog = Catalog.compile([JOURNEY], policies=POLICIES)

    assert catalog.live["j"].pace == rate("1000/h")
    assert catalog.pace == POLICIES.pace
    assert catalog.breaker is not None
    assert (catalog.breaker.share, catalog.breaker.at_least) == (5, 10)


def test_a_breaker_is_on_unless_somebody_switches_it_off() -> None:
    on_, off = (
        Catalog.compile([], policies=policies)
        for policies in (Policies(), Policies(breaker=None))
    )

    assert on_.breaker is not None
    assert (on_.breaker.share, on_.breaker.at_least) == (10, 10)
    assert off.breaker is None


def test_plans_of_a_release_that_knew_no_rates_are_compiled() -> None:
    plan, policies = JOURNEY.to_plan(), POLICIES.to_plan()
    del plan["pace"], policies["pace"], policies["breaker"]

    catalog = Catalog.compile([plan], policies=policies)

    assert catalog.live["j"].pace is None
    assert (catalog.pace, catalog.breaker) == ({}, None)


def test_a_damaged_rate_in_a_plan_is_an_error_of_ours() -> None:
    with pytest.raises(DefinitionError):
        Catalog.compile([{**JOURNEY.to_plan(), "pace": "fast"}], policies=POLICIES)

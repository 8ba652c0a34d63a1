"""What a model says of a customer: kept with its instant, and seen by conditions."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit import (
    Count,
    Goal,
    Journey,
    Send,
    WaitFor,
    When,
    audience_plan,
    days,
    on,
    trait,
)
from journeykit.engine.customer import Score
from journeykit.engine.limits import SCORES
from journeykit.engine.scoring import is_score, is_score_name

EARLIER = "2026-06-01T11:00:00+00:00"  # an hour before
LEAVING = Journey(
    "leaving",
    trigger=on("page.viewed", where=trait.churn > 0.7),
    steps=[Send("email", "stay")],
)


def said(ada: Any, value: object, *, name: str = "churn", **more: Any) -> list[str]:
    entries: list[str] = ada.event("score.updated", name=name, value=value, **more)
    return entries


def test_a_score_is_kept_with_the_instant_at_which_it_was_computed(drive: Any) -> None:
    ada = drive(LEAVING)

    said(ada, 0.8, occurred=EARLIER)

    assert ada.customer.scores == {"churn": Score(0.8, ada.ms(EARLIER))}


def test_a_condition_sees_what_was_said_last(drive: Any) -> None:
    ada = drive(LEAVING)
    ada.event("page.viewed")
    assert ada.sent == []
    said(ada, 0.8)

    ada.event("page.viewed")

    assert [one.template for one in ada.commands] == ["stay"]


def test_a_condition_may_ask_when_it_was_said(drive: Any) -> None:
    fresh = Journey(
        "fresh",
        trigger=on("page.viewed", where=trait.churn_at >= "2026-06-01T12:00:00Z"),
        steps=[Send("email", "fresh")],
    )
    ada = drive(fresh)
    said(ada, 0.8, occurred=EARLIER)
    ada.event("page.viewed")
    assert ada.commands == []
    said(ada, 0.8)

    ada.event("page.viewed")

    assert [one.template for one in ada.commands] == ["fresh"]


def test_who_waits_for_a_score_goes_on_when_it_comes(drive: Any) -> None:
    waits = Journey(
        "waits",
        trigger=on("start"),
        goal=Goal(trait.churn < 0.2),
        steps=[
            WaitFor([When(trait.churn > 0.7, [Send("email", "stay")])], timeout=days(9))
        ],
    )
    ada = drive(waits)
    ada.event("start")
    said(ada, 0.5)
    assert ada.commands == []

    said(ada, 0.9)

    assert [one.template for one in ada.commands] == ["stay"]


def test_an_older_word_does_not_replace_a_newer_one(drive: Any) -> None:
    ada = drive(LEAVING)
    said(ada, 0.8)

    said(ada, 0.1, occurred=EARLIER)

    assert ada.customer.scores["churn"].value == 0.8
    assert ada.last.trace[-1].reason == "stale_score"


def test_null_forgets_a_score(drive: Any) -> None:
    ada = drive(LEAVING)
    said(ada, 0.8)

    said(ada, None)

    assert ada.customer.scores == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Churn", 1),
        ("churn_at", 1),
        ("x" * 65, 1),
        (None, 1),
        ("churn", True),
        ("churn", []),
        ("churn", ""),
        ("churn", "x" * 65),
        ("churn", 2**60),
    ],
    ids=["capital", "at", "long", "none", "true", "list", "empty", "text", "huge"],
)
def test_what_is_no_score_is_ignored_and_said(
    drive: Any, name: Any, value: object
) -> None:
    ada = drive(LEAVING)

    said(ada, value, name=name)

    assert ada.customer.scores == {}
    assert ada.last.trace[-1].reason == "malformed_score"


def test_a_customer_has_no_more_scores_than_there_is_room_for(drive: Any) -> None:
    ada = drive(LEAVING)
    for n in range(SCORES):
        said(ada, n, name=f"s{n}")

    said(ada, 1, name="one_more")
    said(ada, 9, name="s0")

    assert len(ada.customer.scores) == SCORES
    assert ada.customer.scores["s0"].value == 9
    assert "too_many_scores" in [one.reason for one in ada.trace]


def test_the_log_does_not_show_a_score_unless_it_may(drive: Any) -> None:
    from journeykit.engine.redaction import redacted

    ada = drive(LEAVING, explain=True)
    said(ada, 0.8)

    [entry] = [one for one in ada.trace if one.kind == "score"]

    assert redacted(entry, frozenset()).detail == {"values": {"churn": "known"}}
    shown = redacted(entry, frozenset({"trait.churn"})).detail
    assert shown == {"values": {"churn": 0.8}}


def test_the_same_again_is_written_and_stirs_nobody(drive: Any) -> None:
    ada = drive(LEAVING)
    said(ada, 0.8, occurred=EARLIER)

    said(ada, 0.8)

    assert ada.customer.scores["churn"].at == ada.ms("+0h")
    assert ada.last.trace == ()


@given(st.floats() | st.integers() | st.text() | st.booleans() | st.none())
def test_a_number_that_json_can_hold_or_a_short_name_is_a_score(value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)

    expected = (number and math.isfinite(value) and abs(value) <= 2**53) or (
        isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable()
    )

    assert is_score(value) == expected


def test_a_score_is_called_as_a_condition_can_say_it() -> None:
    assert is_score_name("churn_2")
    assert not is_score_name("2churn")
    assert not is_score_name("next-offer")


@pytest.mark.parametrize("name", ["orders", "stage", "stage_since"])
def test_a_score_that_nobody_would_see_is_not_kept(drive: Any, name: str) -> None:
    plan = audience_plan([Count("orders", "order.placed")])
    ada = drive(LEAVING, audience=plan)

    trace = said(ada, 7, name=name)

    assert ada.customer.scores == {}
    assert any("malformed_score" in entry for entry in trace)


def test_a_score_is_printable() -> None:
    assert not is_score("\u202eoops")

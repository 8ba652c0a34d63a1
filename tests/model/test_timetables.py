from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Journey,
    Segment,
    Send,
    WaitFor,
    When,
    entry,
    event,
    every,
    on,
    once,
    profile,
)
from journeykit.model.check import check
from journeykit.model.memberships import Audience

DAILY = every("day", at="09:00")


def said(journey: Journey, **known: Any) -> list[str]:
    """What check has to say, the level in front."""
    found = check([journey], **known)
    return [f"{one.level}: {one.message}" for one in found]


def make_journey(**fields: Any) -> Journey:
    return Journey(**{"id": "j", "trigger": DAILY, "steps": [], **fields})


def test_a_schedule_that_is_right_is_no_issue() -> None:
    journey = make_journey(
        trigger=every("day", at="09:00", segment="vip", where=profile.plan == "pro"),
        steps=[Send("email", "daily", variables={"day": entry.local})],
        key=event["$id"],
    )
    audience = Audience(segments=[Segment("vip", profile.plan == "pro")])

    assert said(journey, audience=audience) == []


def test_a_segment_that_is_not_there_is_named_with_the_one_spelled_alike() -> None:
    journey = make_journey(trigger=every("day", at="09:00", segment="vips"))
    audience = Audience(segments=[Segment("vip", profile.plan == "pro")])

    assert said(journey, audience=audience) == [
        "error: segment 'vips' is not known; did you mean 'vip'?"
    ]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-07-01T00:00:00Z", "when the journey has ended"),
        ("2026-07-02T00:00", "when the journey has ended"),
        ("2026-05-31T23:59:00Z", "before the journey starts"),
        ("2026-05-30T00:00", "before the journey starts"),
    ],
)
def test_a_time_outside_of_the_journeys_span_is_an_error(
    moment: str, words: str
) -> None:
    (only,) = said(make_journey(trigger=once(moment), **SPAN))

    assert only.startswith("error: ")
    assert words in only


@pytest.mark.parametrize("moment", ["2026-06-01T00:00:00Z", "2026-06-30T12:00"])
def test_a_time_inside_of_it_is_none(moment: str) -> None:
    assert said(make_journey(trigger=once(moment), **SPAN)) == []


SPAN = {"starts_at": "2026-06-01T00:00:00Z", "ends_at": "2026-07-01T00:00:00Z"}


def test_what_comes_again_and_again_to_who_enters_once_is_hinted_at() -> None:
    (hint,) = said(make_journey(reentry="never"))

    assert hint.startswith("hint: it comes again and again (at 0 9 * * *)")
    assert said(make_journey(reentry="never", trigger=once("2026-06-01T09:00"))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"key": event.order},
        {"unique": event.order},
        {"steps": [Send("email", "x", variables={"n": entry.order})]},
    ],
    ids=["key", "unique", "step"],
)
def test_what_no_schedule_says_cant_be_asked_of_its_runs(fields: Any) -> None:
    assert any(
        "only a schedule starts this journey" in one
        for one in said(make_journey(**fields))
    )
    both = make_journey(trigger=[DAILY, on("order.placed")], **fields)
    assert not any("only a schedule" in one for one in said(both))


def test_nobody_hears_that_a_schedule_is_due() -> None:
    waiting = WaitFor([When(on("schedule.due"))], timeout="1d")

    assert any(
        "is no event that anybody hears" in one
        for one in said(make_journey(steps=[waiting]))
    )


def test_a_unique_journey_needs_the_action_that_claims() -> None:
    journey = make_journey(trigger=on("x"), unique=profile.email)

    assert said(journey, actions=["claim"]) == []
    assert said(journey) == []
    (only,) = said(journey, actions=["sms"])
    assert "unique asks the action 'claim'" in only


def test_more_schedules_than_a_document_takes_are_refused() -> None:
    journeys = [make_journey(id=f"j{n}") for n in range(101)]

    assert check(journeys[:100]) == []
    (only,) = check(journeys)
    assert only.level == "error"
    assert "there are 101 schedules" in only.message

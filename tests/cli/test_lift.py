from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Shop

from journeykit.engine.ids import bucket
from journeykit.testing import make_event

HALF = """\
from journeykit import Goal, Holdout, Journey, Send, days, on

half = Journey(
    "half",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", within=days(3), on_goal="continue"),
    holdout=Holdout(50),
    steps=[Send("email", "hello")],
)
"""
PEOPLE = [f"c{n}" for n in range(40)]


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Forty have come, every fourth has bought, and their time is over."""
    shop.write("journeys/half.py", HALF)
    assert shop("publish").exit_code == 0
    shop.happen(
        *(make_event("cart.updated", c, at="2026-01-05T09:00:00Z") for c in PEOPLE),
        *(
            make_event("order.placed", c, at="2026-01-06T09:00:00Z")
            for c in PEOPLE[::4]
        ),
        make_event("cart.updated", "late", at="2026-01-20T09:00:00Z"),
        until="2026-01-21T09:00:00Z",
    )
    return shop


def test_both_groups_are_told(busy: Shop) -> None:
    told = " ".join(busy("lift", "half").stdout.split())

    others = [n for n, each in enumerate(PEOPLE) if bucket("half", each) < 5_000]
    bought = sum(n % 4 == 0 for n in others)
    assert "half · 50 % held out" in told
    assert "41 entered, 1 of them too late to count yet" in told
    assert f"held out {bought} of {len(others)}" in told
    assert "There is none yet" in told


def test_a_workspace_may_stand_in_the_place_of_the_journey(busy: Shop) -> None:
    everything, one = busy("lift").stdout, busy("lift", "half").stdout

    assert one.splitlines()[0] == everything.splitlines()[0]
    assert "no holdout  cart, news" in everything
    assert "no holdout" not in one


def test_the_json_has_instants_and_definitions(busy: Shop) -> None:
    document = json.loads(busy("lift", "half", "--json").stdout)

    (experiment,) = document["experiments"]
    (comparison,) = experiment["comparisons"]
    assert comparison["looks"][-1]["at"].startswith("2026-01-09")
    assert "Test traffic is left out" in comparison["definition"]
    assert experiment["sample_ratio"]["of"] == 41


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--within", "3d"], "--within and --value say more of an --event"),
        (["--event", "order.placed"], "--event needs --within"),
        (["--event", "order.placed", "--within", "soon"], "--within: "),
        (["--event", "order.placed", "--within", "0d"], "between 0 and 3,660 days"),
        (["--smallest", "0"], "between 0 and 1, not 0"),
    ],
    ids=["within", "event", "duration", "nothing", "smallest"],
)
def test_what_makes_no_sense_is_said(
    busy: Shop, arguments: list[str], said: str
) -> None:
    result = busy("lift", "half", *arguments)

    assert result.exit_code != 0
    assert said in result.output


def test_a_journey_that_is_not_there_is_said(busy: Shop) -> None:
    result = busy("lift", "halves")

    assert result.exit_code == 1
    assert "half" in result.output


def test_what_goes_with_leaving_is_told(busy: Shop) -> None:
    result = busy("causes", "half", "--all")

    others = [n for n, each in enumerate(PEOPLE) if bucket("half", each) >= 5_000]
    left = sum(n % 4 != 0 for n in others)
    told = " ".join(result.stdout.split())
    assert f"runs left {left} of {len(others)}" in told
    assert "Nothing that can be told from chance" in told
    assert "associated with leaving" in told


def test_the_json_of_causes_has_words_and_places(busy: Shop) -> None:
    document = json.loads(busy("causes", "half", "--json").stdout)

    assert document["leaving"] == "no_goal"
    assert document["left"]["of"] == len(PEOPLE) - sum(
        bucket("half", each) < 5_000 for each in PEOPLE
    )
    assert document["factors"] == []  # of so few people nothing is said
    assert [each["step"] for each in document["places"]] == ["send-email-hello"]
    assert any("no event archive" in each for each in document["problems"])


def test_without_an_archive_no_event_tells_who_left(busy: Shop) -> None:
    result = busy("causes", "half", "--silent", "order.placed", "--within", "3d")

    assert result.exit_code == 1
    assert "there is no event archive" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--churn", "x", "--silent", "y"], "say one"),
        (["--churn", "x"], "--churn needs --within"),
        (["--silent", "x"], "--silent needs --within"),
        (["--within", "3d"], "says more of --churn or --silent"),
    ],
    ids=["both", "churn", "silent", "within"],
)
def test_a_way_to_leave_that_makes_no_sense_is_said(
    busy: Shop, arguments: list[str], said: str
) -> None:
    result = busy("causes", "half", *arguments)

    assert result.exit_code != 0
    assert said in result.output

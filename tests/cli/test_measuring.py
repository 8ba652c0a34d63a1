"""`measure funnel`, `paths`, `attribution`, `messages` and `surveys` on a small shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group

JOURNEY = """\
id: cart
trigger: {name: cart.updated}
reentry: always
goal: {when: {name: order.placed}, value: event.total, within: 7d}
steps:
  - {type: wait, due: 4h}
  - {type: send, channel: email, template: reminder}
"""


def line(number: int, name: str, customer: str, day: int, **properties: Any) -> str:
    return json.dumps(
        {
            "id": str(number),
            "name": name,
            "customer": customer,
            "occurred_at": f"2026-06-{day:02}T09:00:00Z",
            "properties": properties,
        }
    )


EVENTS = [
    line(1, "cart.updated", "ada", 1),
    line(2, "order.placed", "ada", 3, total=40),
    line(3, "cart.updated", "ben", 4),
    line(4, "survey.answered", "ada", 5, survey="joy", kind="csat", score=5),
    line(5, "review.posted", "ada", 6, rating=2),
    line(6, "ticket.opened", "ben", 6, ticket="t", topic="\x1b[31mred"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "journeys").mkdir()
    (folder / "journeykit.toml").write_text('channels = {email = "console"}\n')
    (folder / "policies.yaml").write_text("consent: [{default: allow}]\n")
    (folder / "journeys" / "cart.yaml").write_text(JOURNEY)
    (folder / "events.jsonl").write_text("\n".join(EVENTS))
    ran = CliRunner().invoke(
        group, ["run", str(folder), "--events", str(folder / "events.jsonl")]
    )
    assert ran.exit_code == 0, ran.output
    return folder


def measure(shop: Path, part: str, *args: str) -> Result:
    return CliRunner().invoke(
        group,
        ["measure", part, str(shop), *args],
        env={"NO_COLOR": "1", "COLUMNS": "80"},
    )


def shown(shop: Path, part: str, *args: str) -> str:
    done = measure(shop, part, *args)
    assert done.exit_code == 0, done.output
    assert all(len(row) <= 80 for row in done.output.splitlines())
    return done.output


def document(shop: Path, part: str, *args: str) -> dict[str, Any]:
    done = measure(shop, part, *args, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FUNNEL = ("--step", "cart@entered", "--step", "order.placed")


def test_a_funnel_is_shown_point_by_point(shop: Path) -> None:
    text = shown(shop, "funnel", *FUNNEL)

    assert "1. cart@entered" in text
    assert "↓ 50.0 % go on, half of them within 2 d; 1 do not" in text
    assert "50.0 % of 2 get to the end (9.5 to 90.5 %)" in text


def test_a_funnel_in_json_has_the_same_counts(shop: Path) -> None:
    found = document(shop, "funnel", *FUNNEL, "--count", "runs", "--within", "2d")

    assert [level["reached"] for level in found["levels"]] == [2, 0]
    assert (found["unit"], found["within"]) == ("runs", "2d")
    assert "test traffic" in found["definition"]
    assert found["logs"]["is_replay"] is True


TRAITS = "- {type: count, name: orders, of: {name: order.placed}}\n"
SEGMENTS = """\
- {id: buyers, when: trait.orders >= 1}
- {id: waiting, when: trait.orders < 1}
"""
PERSONAS = """\
- {id: bea, name: Buying Bea, segment: buyers}
- {id: wim, segment: waiting}
"""


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cleo bought as well, before she had anything in her cart."""
    folder = tmp_path_factory.mktemp("peopled")
    more = [
        line(7, "order.placed", "cleo", 1, total=5),
        line(8, "cart.updated", "cleo", 7),
    ]
    for name, text in (
        ("journeykit.toml", 'channels = {email = "console"}\n'),
        ("policies.yaml", "consent: [{default: allow}]\n"),
        ("journeys/cart.yaml", JOURNEY),
        ("traits.yaml", TRAITS),
        ("segments.yaml", SEGMENTS),
        ("personas.yaml", PERSONAS),
        ("events.jsonl", "\n".join(sorted(EVENTS + more, key=_when))),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    ran = CliRunner().invoke(
        group, ["run", str(folder), "--events", str(folder / "events.jsonl")]
    )
    assert ran.exit_code == 0, ran.output
    return folder


def _when(row: str) -> str:
    at: str = json.loads(row)["occurred_at"]
    return at


@pytest.mark.parametrize("unit", ["people", "runs"])
def test_a_funnel_by_persona_counts_its_people_alone(peopled: Path, unit: str) -> None:
    found = document(peopled, "funnel", *FUNNEL, "--count", unit, "--by", "persona")

    assert [level["reached"] for level in found["levels"]] == [3, 1]
    counts = {
        one["persona"]: [level["reached"] for level in one["funnel"]["levels"]]
        for one in found["personas"]
    }
    assert counts == {"bea": [2, 1], "wim": [1, 0]}
    whose = [one["funnel"]["definition"] for one in found["personas"]]
    assert "in the segment 'buyers' at the end of the log" in whose[0]


def test_personas_stand_below_the_funnel_of_everybody(peopled: Path) -> None:
    text = shown(peopled, "funnel", *FUNNEL, "--by", "persona")

    below = text[text.index("Buying Bea (segment buyers)") :]
    assert [row.split()[-3:] for row in below.splitlines()[1:3]] == [
        ["2", "100.0", "%"],
        ["1", "50.0", "%"],
    ]
    assert "wim (segment waiting)" in below
    assert "Somebody may be of several, or of none." in " ".join(below.split())


def test_a_workspace_without_personas_says_how_to_have_some(shop: Path) -> None:
    done = measure(shop, "funnel", *FUNNEL, "--by", "persona")

    assert done.exit_code == 1
    assert "personas.py" in done.stderr


def test_a_misspelt_point_is_told(shop: Path) -> None:
    text = shown(shop, "funnel", "--step", "cart.updatd", "--step", "order.placed")

    assert "! cart.updatd never happened in these logs; did you mean" in text


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--step", "a"), "2 to 12 points"),
        (("--step", "A/b", "--step", "a"), "event:A/b"),
        ((), "Missing option '--step'"),
    ],
    ids=["one", "unreadable", "none"],
)
def test_what_is_no_funnel_says_how_to_write_one(
    shop: Path, args: tuple[str, ...], why: str
) -> None:
    done = measure(shop, "funnel", *args)

    assert done.exit_code != 0
    assert why in done.output


def test_the_ways_through_a_journey_are_shown(shop: Path) -> None:
    text = shown(shop, "paths", "--journey", "cart")

    assert "1 different ways, the 1 most frequent:" not in text
    assert "wait-4h → send-email-reminder → (completed)" in text


def test_the_ways_through_events_are_shown(shop: Path) -> None:
    found = document(
        shop, "paths", "--event", "cart.updated", "--event", "order.placed"
    )

    assert {(tuple(one["steps"]), one["count"]) for one in found["variants"]} == {
        (("step:cart.updated", "step:order.placed"), 1),
        (("step:cart.updated",), 1),
    }


def test_a_journeys_ways_have_no_silences(shop: Path) -> None:
    done = measure(shop, "paths", "--journey", "cart", "--gap", "1d")

    assert done.exit_code == 2
    assert "leave --journey out" in done.output


def test_no_such_events_is_an_error(shop: Path) -> None:
    done = measure(shop, "paths", "--event", "nothing")

    assert done.exit_code == 1
    assert "no such events in the archive" in done.output


def test_credit_is_shown_by_three_rules(shop: Path) -> None:
    text = shown(shop, "attribution", "--of", "cart@goal")

    assert "1 times to 1 person" not in text
    assert "once, to 1 person" in text
    assert text.count("100.0 %") == 4
    assert "40" in text


def test_credit_for_an_event_has_its_worth(shop: Path) -> None:
    found = document(
        shop, "attribution", "--of", "order.placed", "--value", "event.total"
    )

    (credit,) = found["credits"]
    assert (found["worth"], credit["linear"]["worth"]) == (40, 40)
    assert credit["journey"] == "cart"


def test_messages_are_shown_by_what_is_asked(shop: Path) -> None:
    text = shown(shop, "messages", "--by", "journey", "--by", "step")
    found = document(shop, "messages", "--journey", "cart", "--per", "month")

    assert "cart · send-email-reminder" in text
    assert "nothing was ever reported of messages by email" in text
    assert found["total"]["released"] == 2
    assert found["trend"][0]["starts_at"] == "2026-06-01T00:00:00Z"


def test_what_customers_say_is_shown_and_can_not_command_a_terminal(shop: Path) -> None:
    text = shown(shop, "surveys")

    assert "joy · csat" in text
    assert "100 % (21 to 100 %) of 1 answer" in text
    assert "2.00 of 5 of 1 rating" in text
    assert "\x1b" not in text
    assert "\\x1b[31mred" in text


def test_one_survey_is_shown_alone(shop: Path) -> None:
    assert "reviews" not in shown(shop, "surveys", "--survey", "joy")

    done = measure(shop, "surveys", "--survey", "sorrow")
    assert done.exit_code == 1
    assert "no survey 'sorrow' was sent or answered; these were: 'joy'" in done.output

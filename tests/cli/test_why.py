from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result

from journeykit.cli.why import command, explained
from journeykit.engine.trace import TraceEntry

WORKSPACE = {
    "journeykit.toml": 'channels = {email = "console"}',
    "journeys/cart.py": """\
from journeykit import Branch, Journey, Send, Wait, When, days, event, hours, on, profile

cart = Journey(
    "cart",
    trigger=on("cart.updated", where=event.total > 5),
    zone="America/New_York",
    steps=[
        Wait(hours(1)),
        Send("email", "reminder"),
        Wait(hours(1)),
        Send("email", "again"),
        Branch([When(profile.plan == "gold", [Send("email", "gold")])]),
    ],
)
""",
    "journeys/other.py": """\
from journeykit import Journey, Update, on

other = Journey("other", trigger=on("cart.updated"), steps=[Update({"seen": True})])
""",
    "policies.py": """\
from journeykit import Cap, Policies, hours

policies = Policies(caps=[Cap(1, within=hours(24))])
""",
}

Why = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace and some events, in which the test stands."""
    for name, text in WORKSPACE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    events = [
        cart("1", "ada", "2026-06-01T13:00:00Z", total=3),
        cart("2", "ada", "2026-06-01T14:00:00Z", total=10),
        *(cart(f"b{n}", "bob", f"2026-06-01T14:{n:02}:00Z", total=1) for n in range(9)),
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(events))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def why(folder: Path) -> Why:
    """Ask about a customer."""

    def ask(customer: str, *arguments: str) -> Result:
        arguments = (customer, ".", "--events", "events.jsonl", *arguments)
        return CliRunner().invoke(command, arguments)

    return ask


def cart(id: str, customer: str, at: str, **properties: Any) -> str:
    event = {"id": id, "name": "cart.updated", "customer": customer, "occurred_at": at}
    return json.dumps({**event, "properties": properties})


def words(text: str) -> str:
    """The text without its layout."""
    return " ".join(text.split())


def test_a_refusal_says_its_rule_what_it_saw_and_when_it_could_have_gone(
    why: Why,
) -> None:
    told = words(why("ada", "--journey", "cart").stdout)

    assert (
        "not sent: at most 1 within 24h (all channels): 1 was sent; the next could have "
        "gone at 2026-06-02 11:00" in told
    )


def test_a_condition_says_what_it_saw_and_what_would_have_had_to_differ(
    why: Why,
) -> None:
    told = words(why("ada", "--journey", "cart").stdout)

    assert (
        "Condition: event.total > 5 · Saw: event.total = 3. · "
        "event.total would have had to be > 5 (was 3)." in told
    )
    assert 'profile.plan would have had to be "gold" (was missing).' in told


def test_the_instants_are_those_of_the_customers_clock(why: Why) -> None:
    told = why("ada").stdout

    assert "America/New_York" in told.splitlines()[0]
    assert "2026-06-01 11:00  sent reminder by email" in told


def test_decisions_are_grouped_by_journey_and_run(why: Why) -> None:
    told = why("ada").stdout

    assert "run 1, from 2026-06-01 10:00 to 2026-06-01 12:00" in told
    assert told.index("\ncart ") < told.index("\nother ")


def test_one_journey_can_be_asked_for(why: Why) -> None:
    told = why("ada", "--journey", "other").stdout

    assert "seen = true" in told
    assert "reminder" not in told


def test_a_journey_that_there_is_not_is_an_error_with_a_hint(
    why: Why,
) -> None:
    result = why("ada", "--journey", "cat")

    assert result.exit_code != 0
    assert "there is no journey 'cat'; did you mean 'cart'?" in (
        f"{result.output}{result.exception}"
    )


def test_what_repeats_is_told_twice_and_counted(why: Why) -> None:
    told = why("bob", "--journey", "cart").stdout

    assert told.count("Condition: event.total > 5") == 2
    assert "7 more like it, the last at 2026-06-01 10:08" in told


def test_all_tells_everything(why: Why) -> None:
    told = why("bob", "--journey", "cart", "--all").stdout

    assert told.count("Condition: event.total > 5") == 9
    assert "more like it" not in told


def test_a_customer_who_appears_nowhere_is_an_error_with_close_matches(
    why: Why,
) -> None:
    result = why("adam")

    assert result.exit_code != 0
    assert (
        "none of its 11 events is about customer 'adam'; did you mean 'ada'?"
        in f"{result.output}{result.exception}"
    )


def test_lines_that_were_not_taken_are_told_as_simulate_tells_them(
    why: Why, folder: Path
) -> None:
    with (folder / "events.jsonl").open("a") as events:
        events.write("\noops")

    told = words(why("ada").stderr)

    assert "1 line was not taken; simulate --out DIR keeps them" in told
    assert "The first: events.jsonl:12: not a line of JSON" in told


def test_if_all_lines_are_taken_nothing_is_said_of_it(why: Why) -> None:
    assert why("ada").stderr == ""


def test_asking_writes_nothing(why: Why, folder: Path) -> None:
    with (folder / "events.jsonl").open("a") as events:
        events.write("\noops")
    before = sorted(path.name for path in folder.iterdir())

    result = why("ada")

    after = sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")
    assert result.exit_code == 0
    assert after == before


def test_of_many_runs_the_last_ones_are_told() -> None:
    runs = [
        entry
        for n in range(8)
        for entry in (
            TraceEntry("entered", n, "cart", 1, f"run-{n}"),
            TraceEntry("completed", n, "cart", 1, f"run-{n}"),
        )
    ]

    told = click.unstyle("\n".join(explained(runs, zone=ZoneInfo("UTC"))))

    assert "3 earlier runs" in told
    assert "run 3," not in told
    assert "run 4," in told
    assert "run 8," in told


def test_nothing_to_tell_is_said() -> None:
    assert "no decision was taken" in next(iter(explained([], zone=ZoneInfo("UTC"))))

"""`journeykit watch`, over real logs on disk."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.insight.some_days import FIRST, some_days

from journeykit.cli import group
from journeykit.insight.daily import Day
from journeykit.local.embedded import Embedded
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

DAYS = 43
LAST = FIRST + timedelta(days=DAYS - 1)
JOURNEY = """
from journeykit import Goal, Journey, Send, on

cart = Journey(
    id="cart",
    trigger=on("cart.updated"),
    purpose="transactional",
    goal=Goal(on("bought"), id="bought"),
    steps=[Send("email", "left")],
)
"""


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the morning after the last day."""
    at(monkeypatch, LAST + timedelta(days=1))


def at(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    morning = datetime.combine(day, time(6), UTC)
    now = int(morning.timestamp()) * 1000
    monkeypatch.setattr("journeykit.cli.watch.wall_clock", lambda: now)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace that is published, and has no log yet."""
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "cart.py").write_text(JOURNEY, "utf-8")
    settled(tmp_path, '[watch]\ntell = ["email:ops"]\npause = ["failures"]\n')
    loaded = Workspace.load(tmp_path)
    registry = Registry.from_plugins(plugin_manager())
    with Embedded.open(loaded, registry) as embedded:
        embedded.publish(now=0)
    return tmp_path


def settled(folder: Path, watch: str) -> None:
    text = f'name = "shop"\nchannels = {{email = "file"}}\n{watch}'
    text += '[settings.file]\npath = "messages.jsonl"\n'
    (folder / "journeykit.toml").write_text(text, "utf-8")


def lines_of(day: date, what: Day) -> Iterator[bytes]:
    revision = 0
    for kind, reasons in what.journeys["cart"].counts.items():
        for reason, count in reasons.items():
            for _ in range(count):
                revision += 1
                line: dict[str, Any] = {
                    "customer": f"c{day}",
                    "revision": revision,
                    "n": 0,
                    "now": f"{day}T12:00:00Z",
                    "at": f"{day}T12:00:00Z",
                    "kind": kind,
                    "journey": "cart",
                    "version": 1,
                    "enrollment": f"{revision:08x}{day.toordinal():08x}{0:08x}",
                    "reason": "" if kind == "sent" else reason,
                }
                yield json.dumps(line).encode() + b"\n"


def log(folder: Path, change: Callable[[int, dict[str, Any]], None] | None) -> None:
    """Write the decision log of some days."""
    days = some_days(DAYS, change) if change else some_days(DAYS)
    text = b"".join(line for day, what in days.items() for line in lines_of(day, what))
    (folder / ".journeykit" / "decisions.jsonl").write_bytes(text)


def a_fault(day: int, shape: dict[str, Any]) -> None:
    if day == DAYS - 1:
        shape["failed"] = 0.3


def watch(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(
        group, ["watch", str(folder), "--at", str(LAST), *args], catch_exceptions=False
    )


def test_a_fault_is_told_and_its_journey_paused(workspace: Path) -> None:
    log(workspace, a_fault)

    first, again = watch(workspace), watch(workspace)

    assert first.exit_code == again.exit_code == 3
    assert "! failed runs of cart up on 2026-02-16: " in first.output
    assert "Of the runs that ended, those that ended by a fault." in first.output
    assert "told        email" in first.output
    assert "paused      cart" in first.output
    assert "told        email" not in again.output
    told = (workspace / "messages.jsonl").read_text().splitlines()
    [message] = [json.loads(line) for line in told]
    assert message["address"] == "ops"
    status = CliRunner().invoke(group, ["status", str(workspace), "--json"])
    [journey] = json.loads(status.output)["journeys"]
    assert journey["state"] == "paused"


def test_a_day_as_usual_ends_well(workspace: Path) -> None:
    log(workspace, None)

    done = watch(workspace)

    assert done.exit_code == 0
    assert "nothing unusual" in done.output
    assert "one false alarm is to be expected in 90 days" in " ".join(
        done.output.split()
    )


def test_a_dry_run_says_who_would_be_told(workspace: Path) -> None:
    log(workspace, a_fault)

    done = watch(workspace, "--dry-run")

    assert done.exit_code == 3
    assert "told        would be email" in done.output
    assert "paused      would be cart" in done.output
    assert not (workspace / ".journeykit" / "watch").exists()
    assert not [*workspace.rglob("messages.jsonl")]


def test_json_has_every_figure(workspace: Path) -> None:
    log(workspace, a_fault)

    document = json.loads(watch(workspace, "--json", "--dry-run").output)

    [day] = document["days"]
    [finding] = day["findings"]
    assert (day["day"], day["is_dry_run"]) == (str(LAST), True)
    assert (finding["figure"], finding["journey"]) == ("failures", "cart")
    assert finding["seen"] > finding["high"] >= finding["expected"]
    assert finding["sentence"].startswith("failed runs of cart up on 2026-02-16")
    assert finding["definition"]
    assert day["definition"]


def test_who_cannot_be_told_is_an_error(workspace: Path) -> None:
    settled(workspace, '[watch]\ntell = ["email:ops"]\n')
    log(workspace, a_fault)
    (workspace / "journeykit.toml").write_text(
        'channels = {email = "file"}\n[watch]\ntell = ["email:ops"]\n'
        '[settings.file]\npath = "/dev/null/no"\n',
        "utf-8",
    )

    done = watch(workspace)

    assert done.exit_code == 1
    assert "! email was not told: " in done.output


def test_without_a_word_in_the_settings_nobody_is_told(workspace: Path) -> None:
    settled(workspace, "")
    log(workspace, a_fault)

    done = watch(workspace)

    assert done.exit_code == 3
    assert "nobody; [watch] in journeykit.toml says whom" in done.output
    assert "paused  " not in done.output


def test_a_day_that_is_not_over_is_refused(workspace: Path) -> None:
    done = CliRunner().invoke(group, ["watch", str(workspace), "--at", "2999-01-01"])

    assert done.exit_code == 2
    assert "2999-01-01 is not over yet" in done.output


def test_logs_that_lie_elsewhere_are_only_looked_at(
    workspace: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for day, what in some_days(DAYS, a_fault).items():
        folder = elsewhere / "decisions" / f"day={day}"
        folder.mkdir(parents=True)
        packed = gzip.compress(b"".join(lines_of(day, what)))
        (folder / "one.gz").write_bytes(packed)

    done = watch(workspace, "--logs", str(elsewhere))

    assert done.exit_code == 3
    assert "! failed runs of cart up" in done.output
    assert "paused      would be cart" in done.output
    assert not [*workspace.rglob("messages.jsonl")]


def test_two_places_of_logs_are_one_too_many(workspace: Path) -> None:
    done = watch(workspace, "--logs", "x", "--data", "y")

    assert done.exit_code == 2


def test_objectives_are_held_against_their_history_too(workspace: Path) -> None:
    log(workspace, None)
    (workspace / "objectives.py").write_text(
        "from datetime import date\n"
        "from journeykit import Objective\n"
        "from journeykit.model.measures import Conversion\n"
        "o = Objective('buyers', 'how many buy', 90, date(2026, 1, 31),"
        " measure=Conversion('cart', goal='bought'))\n",
        "utf-8",
    )

    looked, left = watch(workspace), watch(workspace, "--no-objectives")

    assert "objective (buyers) down" in looked.output
    assert "was for 2026-01-31" in " ".join(looked.output.split())
    assert "buyers" not in left.output


def test_of_a_day_long_ago_nobody_is_told_and_nothing_is_paused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(workspace, a_fault)
    at(monkeypatch, LAST + timedelta(days=30))

    done = watch(workspace)

    assert done.exit_code == 3
    assert "told        nobody, of a day more than a week ago" in done.output
    assert "paused  " not in done.output
    assert not [*workspace.rglob("messages.jsonl")]


def test_objectives_that_are_no_figure_to_look_at_are_not_read(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(workspace, '[watch]\nfigures = ["failures"]\n')
    log(workspace, a_fault)
    (workspace / "objectives.py").write_text(
        "from datetime import date\n"
        "from journeykit import Objective\n"
        "from journeykit.model.measures import Conversion\n"
        "o = Objective('buyers', 'how many buy', 90, date(2026, 1, 31),"
        " measure=Conversion('cart', goal='bought'))\n",
        "utf-8",
    )
    monkeypatch.setattr("journeykit.insight.readings.Readings.__call__", None)

    assert watch(workspace).exit_code == 3

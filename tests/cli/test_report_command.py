from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group, main

JOURNEY = """
from journeykit import Goal, Journey, Send, Wait, days, event, on

cart = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.total, within=days(7)),
    steps=[Wait(days(1)), Send("email", "reminder")],
)
"""
POLICIES = """
from journeykit import ConsentDefault, Policies

policies = Policies(consent=[ConsentDefault("allow")])
"""


def events() -> Iterator[dict[str, Any]]:
    for n in range(12):
        yield {
            "id": f"c{n}",
            "name": "cart.updated",
            "customer": f"person-{n}",
            "occurred_at": f"2026-05-{n + 1:02}T09:00:00Z",
        }
        if n % 3 == 0:
            yield {
                "id": f"o{n}",
                "name": "order.placed",
                "customer": f"person-{n}",
                "occurred_at": f"2026-05-{n + 1:02}T12:00:00Z",
                "properties": {"total": 10},
            }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which twelve people have come, and four have bought.

    The last two of the others still wait when the log ends: six got a message.
    """
    folder = tmp_path_factory.mktemp("reported") / "shop"
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeykit.toml").write_text(
        'name = "Tea & more"\n[channels]\nemail = "console"\n'
    )
    (folder / "journeys" / "cart.py").write_text(JOURNEY)
    (folder / "policies.py").write_text(POLICIES)
    past = folder.parent / "events.jsonl"
    past.write_text("".join(json.dumps(event) + "\n" for event in events()))
    done = CliRunner().invoke(group, ["run", str(folder), "--events", str(past)])
    assert done.exit_code == 0, done.output
    return folder


def reported(shop: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(group, ["report", str(shop), "--out", str(out), *options])


def test_the_report_is_written_and_its_head_is_printed(
    shop: Path, tmp_path: Path
) -> None:
    done = reported(shop, tmp_path / "r.html")

    assert done.exit_code == 0, done.output
    assert done.stderr == f"wrote {tmp_path / 'r.html'}\n"
    assert done.stdout.startswith("Tea & more ──")
    assert "  people         12\n  entries        12\n" in done.stdout
    assert "  messages sent  6\n  goals reached  4\n" in done.stdout
    html = (tmp_path / "r.html").read_text("utf-8")
    assert "<h1>Tea &amp; more</h1>" in html
    assert "person-" not in html


def test_the_head_as_json_says_what_is_missing(shop: Path, tmp_path: Path) -> None:
    done = reported(shop, tmp_path / "r.html", "--json")

    told = json.loads(done.stdout)
    figures = {one["name"]: one["figure"] for one in told["figures"]}
    assert figures == {
        "people": "12",
        "entries": "12",
        "messages sent": "6",
        "goals reached": "4",
    }
    assert told["missing"] == {}
    assert told["logs"]["is_replay"] is True
    assert (tmp_path / "r.html").exists()


def test_title_and_direction_can_be_chosen(shop: Path, tmp_path: Path) -> None:
    reported(shop, tmp_path / "r.html", "--title", "<May>", "--dir", "rtl")

    html = (tmp_path / "r.html").read_text("utf-8")
    assert "<h1>&lt;May&gt;</h1>" in html
    assert 'dir="rtl"' in html


def test_only_runs_of_a_time_can_be_told(shop: Path, tmp_path: Path) -> None:
    done = reported(shop, tmp_path / "r.html", "--since", "2026-05-10")

    assert "  entries        3\n" in done.stdout


def test_an_event_that_never_came_is_no_error(shop: Path, tmp_path: Path) -> None:
    done = reported(shop, tmp_path / "r.html", "--returns", "tea.spilled")

    assert done.exit_code == 0, done.output
    assert "Nobody had the event tea.spilled" in (tmp_path / "r.html").read_text(
        "utf-8"
    )


def test_a_folder_that_can_not_be_written_is_said(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = reported(shop, tmp_path / "file" / "r.html")

    assert done.exit_code == 1
    assert "file" in done.stderr


def test_without_duckdb_it_says_how_to_get_it(
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(SystemExit) as ended:
        main(["report", str(shop), "--out", str(tmp_path / "r.html")])

    assert ended.value.code == 1
    assert "pip install 'journeykit[insight]'" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()

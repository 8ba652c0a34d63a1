"""`journeykit map`: a journey, or the whole customer journey, in five formats."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group

JOURNEYS = """
from journeykit import Branch, Exit, Journey, Send, Wait, When, days, entry, on

cart = Journey(
    id="cart",
    name="Forgotten cart",
    stage="conversion",
    trigger=on("cart.updated"),
    steps=[
        Wait(days(1)),
        Branch([When(entry.total >= 100, [Send("sms", "nudge", touchpoint="nudge")])],
               otherwise=[Exit("too-small")]),
        Send("email", "last"),
    ],
)
"""
TOUCHPOINTS = """
from journeykit import Touchpoint

touchpoints = [
    Touchpoint("nudge", stage="conversion", channel="sms", friction="<b>too pushy</b>"),
    Touchpoint("store", stage="awareness", channel="store", event="store.visited",
               friction="queues", owner="stores"),
]
"""
EVENTS = [
    {
        "id": "1",
        "name": "cart.updated",
        "customer": "ada",
        "properties": {"total": 120},
    },
    {"id": "2", "name": "cart.updated", "customer": "ben", "properties": {"total": 20}},
    {"id": "3", "name": "store.visited", "customer": "ben"},
]

Run = Callable[..., Result]


@pytest.fixture
def journeykit(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    return lambda *arguments: CliRunner().invoke(group, arguments)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeykit.toml").write_text(
        'name = "The <shop>"\nchannels = {email = "file", sms = "file"}\n'
    )
    (folder / "journeys" / "cart.py").write_text(JOURNEYS)
    (folder / "touchpoints.py").write_text(TOUCHPOINTS)
    return folder


@pytest.fixture
def busy(shop: Path, journeykit: Run) -> Path:
    events = shop.parent / "events.jsonl"
    lines = [{**event, "occurred_at": "2026-06-01T12:00:00Z"} for event in EVENTS]
    lines.append(
        {
            **lines[0],
            "id": "4",
            "customer": "cleo",
            "occurred_at": "2026-06-09T12:00:00Z",
        }
    )
    events.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    done = journeykit("run", str(shop), "--events", str(events), "--publish")
    assert done.exit_code == 0, done.output
    return shop


def test_a_journey_is_told_as_a_tree(busy: Path, journeykit: Run) -> None:
    result = journeykit("map", "cart", str(busy))

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("Forgotten cart ──")
    assert "  entered     3" in lines
    assert "    ├ entry.total >= 100: 1 · 50 %" in lines
    assert "    ├ otherwise: 1 · 50 %" in lines
    assert any(line.split() == ["Wait", "wait-1d", "·", "1d", "3"] for line in lines)
    assert "    waiting here 1" in lines
    assert "Runs of cart that entered within the log" in result.output


def test_the_whole_customer_journey_is_told_by_stages(
    busy: Path, journeykit: Run
) -> None:
    result = journeykit("map", str(busy))

    assert result.exit_code == 0, result.output
    assert "Forgotten cart: 3 entered, 1 under way" in result.output
    assert "nudge (sms, sent): sent 1, 1 person" in result.output
    assert "store (store, observed): seen 1, 1 person" in result.output
    assert "! Nobody is met in consideration" in result.output
    assert "“queues” at store" in " ".join(result.output.split())


def test_without_logs_it_shows_what_is_defined(shop: Path, journeykit: Run) -> None:
    result = journeykit("map", "cart", str(shop))

    assert result.exit_code == 0, result.output
    assert "entered" not in result.output.replace("starts by", "")
    assert "There are no logs yet, so nothing is counted." in result.output


@pytest.mark.parametrize("kind", ["text", "html"])
def test_without_duckdb_it_draws_what_is_defined_and_says_why_it_counts_nothing(
    kind: str, busy: Path, journeykit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    result = journeykit("map", str(busy), "--format", kind)

    assert result.exit_code == 0, result.output
    assert "Forgotten cart" in result.stdout
    assert "3 entered" not in result.stdout
    assert "Nothing is counted" in result.stdout
    assert "journeykit[insight]" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("kind", ["svg", "mermaid", "json"])
def test_pictures_without_duckdb_are_whole_and_the_reason_goes_to_stderr(
    kind: str, busy: Path, journeykit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined = journeykit("map", "cart", str(busy), "--format", kind, "--no-counts")
    monkeypatch.setitem(sys.modules, "duckdb", None)

    result = journeykit("map", "cart", str(busy), "--format", kind)

    assert result.stdout == defined.stdout
    assert "Nothing is counted" in result.stderr
    assert "journeykit[insight]" in result.stderr


def test_logs_that_are_named_are_not_left_uncounted_in_silence(
    busy: Path, journeykit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    result = journeykit("map", str(busy), "--data", str(busy / ".journeykit"))

    assert result.exit_code == 1
    assert "journeykit[insight]" in result.stderr


def test_counts_can_be_left_out(busy: Path, journeykit: Run) -> None:
    result = journeykit("map", "cart", str(busy), "--no-counts")

    assert result.exit_code == 0, result.output
    assert "waiting here" not in result.output
    assert "no logs yet" not in result.output


@pytest.mark.parametrize(
    "name", ["map.svg", "map.html", "map.mmd", "map.json", "map.md"]
)
def test_the_files_ending_says_the_format(
    name: str, shop: Path, journeykit: Run
) -> None:
    out = shop.parent / "maps" / name

    result = journeykit("map", str(shop), "--out", str(out))

    assert result.exit_code == 0, result.output
    text = out.read_text("utf-8")
    begins = {
        "map.svg": "<svg ",
        "map.html": "<!doctype html>",
        "map.mmd": "flowchart LR\n",
        "map.json": "{\n",
        "map.md": "```mermaid\nflowchart LR\n",
    }
    assert text.startswith(begins[name])
    assert text.endswith("\n")
    assert "<b>too pushy" not in text or name == "map.json"


def test_json_has_places_ways_and_counts(busy: Path, journeykit: Run) -> None:
    result = journeykit("map", "cart", str(busy), "--json")

    document = json.loads(result.stdout)
    assert document["places"][0]["id"] == "(start)"
    assert {"from": "branch", "to": "exit-too-small", "label": "otherwise"} in document[
        "ways"
    ]
    flow = document["flow"]
    assert (flow["entered"], flow["waiting"], flow["exited"]) == (
        3,
        1,
        {"too-small": 1},
    )
    assert flow["definition"].startswith("Runs of cart")
    assert document["logs"]["test_runs"] == 0


def test_json_of_all_has_the_stages_and_what_they_lack(
    busy: Path, journeykit: Run
) -> None:
    result = journeykit("map", str(busy), "--format", "json")

    document = json.loads(result.stdout)
    assert document["columns"][0]["id"] == "awareness"
    assert document["coverage"]["gaps"][0]["kind"] == "stage_without_journeys"
    assert document["columns"][0]["touchpoints"][0]["observed"] == 1


def test_a_locale_that_runs_from_the_right_mirrors_it(
    shop: Path, journeykit: Run
) -> None:
    with (shop / "journeykit.toml").open("a") as file:
        file.write('[content]\nlocale = "ar-EG"\n')

    page = journeykit("map", str(shop), "--format", "html").output
    told = journeykit("map", str(shop), "--format", "html", "--dir", "ltr").output

    assert '<html lang="en" dir="rtl">' in page
    assert '<html lang="en" dir="ltr">' in told


def test_the_page_is_well_formed_and_loads_nothing(busy: Path, journeykit: Run) -> None:
    page = journeykit("map", str(busy), "--format", "html").output

    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "<b>too pushy" not in page
    assert "The &lt;shop&gt;" in page
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    links = {part.split('"')[0] for part in page.split(' href="#')[1:]}
    assert links <= set(ids)
    body = page[page.index("<body>") : page.index("</body>") + 7]
    ElementTree.fromstring(body.replace("<br>", "<br/>"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["card"], "there is no journey 'card'; did you mean 'cart'?"),
        (["cart", "--persona", "hanna"], "there is no persona 'hanna'"),
        (
            ["cart", "--since", "2026-07-01", "--until", "2026-06-01"],
            "--since is not before",
        ),
    ],
    ids=["journey", "persona", "span"],
)
def test_what_is_not_there_is_said(
    arguments: list[str], says: str, shop: Path, journeykit: Run
) -> None:
    journey, *options = arguments

    result = journeykit("map", journey, str(shop), *options)

    assert result.exit_code != 0
    assert says in " ".join(result.stderr.split())


def test_a_folder_that_is_no_workspace_is_said(tmp_path: Path, journeykit: Run) -> None:
    result = journeykit("map", "cart", str(tmp_path))

    assert result.exit_code == 1
    assert "so it is no workspace" in result.stderr


def test_the_workspace_may_stand_before_the_journey(
    busy: Path, journeykit: Run
) -> None:
    turned = journeykit("map", str(busy), "cart")

    assert turned.exit_code == 0, turned.output
    assert turned.output == journeykit("map", "cart", str(busy)).output


def test_a_page_that_counts_nothing_says_so_without_alarm(
    shop: Path, journeykit: Run
) -> None:
    page = journeykit("map", str(shop), "--format", "html").output

    assert "There are no logs yet, so nothing is counted." in page
    assert "Before you trust the counts" not in page

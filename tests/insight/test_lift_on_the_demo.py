"""Lift where nothing that is sent can do anything: it must come out as none."""

from __future__ import annotations

import importlib.util
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from journeykit.cli.demo import command, shopping
from journeykit.cli.insight import LogChoice, warehouse
from journeykit.insight.lift import RECORDED, EventOutcome, Lift, lift
from journeykit.local.logs import log_files

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(shopping.PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)

DAY = 86_400


def found_in(folder: Path, event: EventOutcome | None = None) -> Lift:
    choice = LogChoice(data=folder / "data")
    with warehouse(folder / "workspace", choice) as (workspace, house):
        return lift(house, workspace.journeys, event=event)


def lapses(folder: Path) -> tuple[int, int]:
    """Silences of 30 days, and how many of them end within 14 more: of the archive."""
    purchases: dict[str, set[float]] = defaultdict(set)
    last = 0.0
    for path in log_files(folder / "data" / "events.jsonl"):
        for line in path.read_bytes().splitlines():
            heard = json.loads(line)
            at = datetime.fromisoformat(heard["occurred_at"]).timestamp()
            last = max(last, at)
            if heard["name"] == "purchase":
                purchases[heard["customer"]].add(at)
    came = back = 0
    for visits in purchases.values():
        instants = sorted(visits)
        for one, following in zip(instants, [*instants[1:], float("inf")], strict=True):
            if following - one > 30 * DAY and one + 44 * DAY <= last:
                came += 1
                back += following - one <= 44 * DAY
    return came, back


def differences(found: Lift) -> Sequence[bool]:
    (experiment,) = found.experiments
    assert experiment.sample_ratio is not None
    assert not experiment.sample_ratio.mismatch
    return [comparison.is_zero_inside for comparison in experiment.comparisons]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo of fifteen households has written."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    CliRunner().invoke(command, ["--households", "15", "--out", str(folder)])
    return folder


def test_it_is_said_that_the_events_are_recorded_ones(folder: Path) -> None:
    found = found_in(folder)

    assert found.recorded == RECORDED
    assert all(baseline.natural for baseline in found.baselines)


def test_who_comes_back_is_counted_as_the_archive_counts_it(folder: Path) -> None:
    (baseline,) = found_in(folder).baselines

    assert (baseline.returned.of, baseline.returned.count) == lapses(folder)


@pytest.mark.slow
def test_in_the_whole_year_nothing_is_caused_and_many_come_back(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "out"
    CliRunner().invoke(command, ["--out", str(folder)])

    found = found_in(folder)
    shopping_again = found_in(folder, EventOutcome("purchase", 30, "sales_value"))

    assert all(differences(found))
    assert all(differences(shopping_again))
    (comparison,) = shopping_again.experiments[0].comparisons
    assert comparison.value is not None
    assert comparison.value.interval is not None
    assert 0 in comparison.value.interval
    (baseline,) = found.baselines
    assert (baseline.returned.of, baseline.returned.count) == lapses(folder)
    assert baseline.returned.share == pytest.approx(0.445, abs=5e-4)

"""What has been kept for long enough goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.cli.conftest import Shop

from journeykit.engine.calendar import to_datetime
from journeykit.local.embedded import alone, archive_lines, wall_clock
from journeykit.local.service import Service
from journeykit.ports import Change, DeadLetter
from journeykit.testing import make_event
from journeykit.testing.store_contract.samples import make_person

DAY = 24 * 60 * 60 * 1000
SAID = """
[retention]
customers = "730d"
events = "400d"
decisions = "100d"
dead_letters = "30d"
"""


@pytest.fixture
def aged(published: Shop) -> Shop:
    """A shop that keeps things for so long, and has some that are older."""
    settings = published.folder / "journeykit.toml"
    settings.write_text(settings.read_text("utf-8") + SAID, "utf-8")
    now = wall_clock()
    with published.embedded() as embedded:
        store = embedded.store
        for id, age in (("old", 731), ("new", 729)):
            person = make_person(id, seen={1: now - age * DAY})
            store.commit([Change(None, replace(person, created_at=now - 900 * DAY))])
            at = to_datetime(now) - timedelta(days=age)
            event = make_event("seen", id)
            event = replace(event, received_at=at, occurred_at=at)
            embedded.archive.append(archive_lines([event]))
        fresh = make_event("seen", "new")
        fresh = replace(fresh, received_at=to_datetime(now))
        embedded.archive.append(archive_lines([fresh]))
        for age in (101, 99):
            line = {"customer": "x", "now": f"{to_datetime(now - age * DAY):%FT%TZ}"}
            embedded.decisions.append(json.dumps(line).encode() + b"\n")
        store.bury(
            [DeadLetter(now - n * DAY, "run", "", "", "", b"") for n in (31, 29)]
        )
    return published


def lines(shop: Shop, name: str) -> int:
    files = sorted((shop.folder / ".journeykit").glob(f"{name}*.jsonl"))
    return sum(len(file.read_bytes().splitlines()) for file in files)


def kept(shop: Shop) -> tuple[list[str], int, int, int]:
    with shop.embedded() as embedded:
        people = [one.id for one in embedded.store.scan("", 99)]
        letters = len(embedded.store.dead(0, 99))
    return people, lines(shop, "events"), lines(shop, "decisions"), letters


def test_what_is_over_goes_and_nothing_else(aged: Shop) -> None:
    result = aged("retain", "--yes")

    assert result.exit_code == 0, result.output
    assert kept(aged) == (["new"], 1, 1, 1)
    told = " ".join(result.stdout.split())
    assert "1 customers" in told
    # One was about who was forgotten, and went with them.
    assert "1 lines of the event archive" in told
    assert "1 lines of the decision log" in told
    assert "1 dead letters" in told


def test_a_dry_run_says_what_would_go_and_changes_nothing(aged: Shop) -> None:
    before = kept(aged)
    files = {file: file.read_bytes() for file in everything(aged)}

    result = aged("retain", "--dry-run")

    told = " ".join(result.stdout.split())
    assert told.startswith("would go: 1 customers 2 lines of the event archive")
    assert {file: file.read_bytes() for file in everything(aged)} == files
    assert kept(aged) == before


def everything(shop: Shop) -> Iterator[Path]:
    return (shop.folder / ".journeykit").glob("*.jsonl")


def test_once_more_nothing_goes_and_no_file_is_written(aged: Shop) -> None:
    aged("retain", "--yes")
    files = {
        file: (file.stat().st_mtime_ns, file.read_bytes()) for file in everything(aged)
    }

    aged("retain", "--yes")

    assert files
    assert files == {
        file: (file.stat().st_mtime_ns, file.read_bytes()) for file in everything(aged)
    }


def test_to_let_go_asks_first(aged: Shop) -> None:
    before = kept(aged)

    result = aged("retain", input="n\n")

    assert result.exit_code == 1
    assert kept(aged) == before


def test_nothing_ends_if_nobody_says_so(published: Shop) -> None:
    result = published("retain", "--yes")

    assert result.exit_code == 1
    assert "has no [retention]" in result.stderr


def test_it_is_done_here_when_whoever_worked_there_is_done_without_it(
    aged: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a `run` does, which looks for no jobs.
    working = ExitStack()
    working.enter_context(alone(aged.folder / ".journeykit"))
    monkeypatch.setattr("journeykit.cli.running.time.sleep", lambda _: working.close())

    result = aged("retain", "--yes")

    assert "1 customers" in " ".join(result.stdout.split())
    assert kept(aged) == (["new"], 1, 1, 1)
    with aged.embedded() as embedded:
        assert not embedded.store.unfinished()


def test_a_running_serve_does_it_when_it_is_asked(aged: Shop) -> None:
    with aged.embedded() as embedded:
        service = Service(embedded)
        service.start()
        try:
            result = aged("retain", "--yes")
        finally:
            service.stop()

    assert "done by the process that is running" in result.stdout
    assert kept(aged) == (["new"], 1, 1, 1)


def test_a_running_serve_does_it_every_day(aged: Shop) -> None:
    ticks = iter(range(wall_clock(), 2**60, 61_000))
    with aged.embedded() as embedded:
        service = Service(embedded, clock=lambda: next(ticks))
        service.start()
        try:
            while len(embedded.store.scan("", 99)) > 1:
                pass
        finally:
            service.stop()

    people, *_ = kept(aged)
    assert "old" not in people


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('people = "1d"', "retention.people: is not a key; there are customers"),
        ('events = "2y"', "retention.events: '2y' is no number of days from 1d on"),
        ('events = "1h"', "retention.events: '1h' is no number of days from 1d on"),
        ("events = 30", "retention.events:"),
    ],
    ids=["key", "years", "hour", "number"],
)
def test_what_cannot_be_kept_for_so_long_is_a_mistake(
    published: Shop, text: str, words: str
) -> None:
    settings = published.folder / "journeykit.toml"
    settings.write_text(
        f"{settings.read_text('utf-8')}\n[retention]\n{text}\n", "utf-8"
    )

    result = published("check")

    assert result.exit_code == 1
    assert words in " ".join((result.stdout + result.stderr).split())

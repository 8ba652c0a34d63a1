"""Who is told when, what is paused when, and what is counted only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.insight.some_days import FIRST, some_days

from journeykit import DefinitionError, StoreBusy
from journeykit.insight import watching as module
from journeykit.insight.alarms import Alarm
from journeykit.insight.daily import Counts, Day, Part
from journeykit.insight.watching import FolderShelf, MemoryShelf, Shelf, Watching
from journeykit.model.watching import Contact, WatchRule, WatchSettings

BEGIN = 91
OPS = Contact("email", "ops@example.com")
BOSS = Contact("sms", "+15550100")


class Told:
    """A log of days, with whoever is told and what is paused."""

    def __init__(
        self, days: Mapping[date, Day], *, settings: WatchSettings, shelf: Shelf
    ) -> None:
        self.days = days
        self.alarms: list[tuple[str, list[str]]] = []
        self.pauses: list[tuple[str, str]] = []
        self.states: dict[str, str] = {}
        self.problem = ""
        self.unreached: set[str] = set()
        self.crashes: set[str] = set()
        self.last: Alarm | None = None
        self.broken = False
        self.watching = Watching(
            "shop",
            settings,
            self._parts,
            shelf,
            lambda: self.states,
            self._tell,
            self._pause,
        )

    def _parts(self, first: date, last: date) -> Sequence[Part]:
        return [
            _DayPart(str(day), str(day), _lines(one))
            for day, one in self.days.items()
            if first <= day <= last
        ]

    def _tell(self, contact: Contact, alarm: Alarm) -> str:
        if contact.channel in self.crashes:
            raise KeyboardInterrupt
        if contact.channel in self.unreached:
            return "no route"
        self.last = alarm
        if not self.problem:
            self.alarms.append(
                (contact.channel, sorted(one.figure for one in alarm.findings))
            )
        return self.problem

    def _pause(self, journey: str, reason: str) -> None:
        if self.broken:
            raise DefinitionError("it is stopped")
        self.pauses.append((journey, reason))
        self.states[journey] = "paused"

    def run(self, number: int, **options: Any) -> module.Watched:
        return self.watching.run(FIRST + timedelta(days=number), **options)


class _DayPart(msgspec.Struct):
    name: str
    state: str
    lines: list[bytes]

    def blocks(self) -> Iterator[bytes]:
        READ.append(self.name)
        yield from self.lines


READ: list[str] = []
"""The parts that were read, in their order."""


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    READ.clear()


def _lines(day: Day) -> list[bytes]:
    """Lines that come to this; `Counter` has tests of its own."""
    return [msgspec.json.encode(day)]


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(part: Any) -> Counts:
        [text] = part.blocks()
        return Counts({part.name: msgspec.json.decode(text, type=Day)})

    monkeypatch.setattr(module, "counted", counted)


def faulty(count: int) -> dict[date, Day]:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day >= BEGIN:
            shape["failed"] = 0.3

    return some_days(count, change)


def on_one_day(number: int, **said: Any) -> Callable[[int, dict[str, Any]], None]:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day == number:
            shape.update(said)

    return change


def rule(**said: Any) -> WatchSettings:
    return WatchSettings(rule=WatchRule(**{"tell": (OPS,), **said}))


def test_whoever_is_to_be_told_is_told_once_a_day() -> None:
    told = Told(faulty(BEGIN + 1), settings=rule(tell=(OPS, BOSS)), shelf=MemoryShelf())

    first, again = told.run(BEGIN), told.run(BEGIN)

    assert first.told == ["email", "sms"]
    assert again.told == []
    assert again.looked == first.looked
    assert told.alarms == [("email", ["failures"]), ("sms", ["failures"])]


def test_what_lasts_is_told_again_after_a_week() -> None:
    told = Told(faulty(BEGIN + 8), settings=rule(), shelf=MemoryShelf())

    days = [bool(told.run(BEGIN + number).told) for number in range(8)]

    assert days == [True, *[False] * 6, True]
    assert told.run(BEGIN + 7).since == {
        "failures/cart//up": FIRST + timedelta(days=BEGIN)
    }


def test_whoever_was_not_reached_is_told_the_next_time() -> None:
    told = Told(faulty(BEGIN + 1), settings=rule(), shelf=MemoryShelf())
    told.problem = "email can't be reached"

    failed = told.run(BEGIN)
    told.problem = ""
    done = told.run(BEGIN)

    assert failed.told == []
    assert failed.failures == ["email was not told: email can't be reached"]
    assert done.told == ["email"]


def test_whoever_was_not_reached_hears_of_it_though_it_is_over() -> None:
    days = some_days(BEGIN + 3, on_one_day(BEGIN, failed=0.3))
    told = Told(days, settings=rule(tell=(OPS,)), shelf=MemoryShelf())
    told.problem = "email can't be reached"
    told.run(BEGIN)
    told.problem = ""

    left = [*told.watching.missed(FIRST + timedelta(days=BEGIN + 1))]
    done = [told.run((day - FIRST).days) for day in left]

    assert [(day - FIRST).days for day in left] == [BEGIN, BEGIN + 1]
    assert [list(one.told) for one in done] == [["email"], []]
    assert [*told.watching.missed(FIRST + timedelta(days=BEGIN + 1))] == []


def test_a_day_is_told_later_only_to_whom_it_could_not_be_told() -> None:
    told = Told(faulty(BEGIN + 2), settings=rule(tell=(OPS, BOSS)), shelf=MemoryShelf())
    told.unreached = {"sms"}
    told.run(BEGIN)
    told.run(BEGIN + 1)
    told.unreached = set()

    again = told.run(BEGIN)

    assert again.told == ["sms"]
    assert told.alarms == [("email", ["failures"]), ("sms", ["failures"])]


def test_a_crash_after_a_message_does_not_send_it_twice() -> None:
    told = Told(
        faulty(BEGIN + 1),
        settings=rule(tell=(OPS, BOSS), pause=("failures",)),
        shelf=MemoryShelf(),
    )
    told.crashes = {"sms"}
    with pytest.raises(KeyboardInterrupt):
        told.run(BEGIN)
    told.crashes = set()

    told.run(BEGIN)

    assert [channel for channel, _ in told.alarms] == ["email", "sms"]
    assert len(told.pauses) == 1
    assert told.last is not None
    assert list(told.last.paused) == ["cart"]  # though it was the first try's


def test_a_day_of_long_ago_is_only_looked_at() -> None:
    shelf = MemoryShelf()
    told = Told(faulty(BEGIN + 1), settings=rule(pause=("failures",)), shelf=shelf)

    done = told.run(BEGIN, may_act=False)

    assert done.looked.findings
    assert (told.alarms, told.pauses) == ([], [])
    assert shelf.get("told.json") is None


def test_what_comes_of_standing_still_pauses_no_journey_again() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day == BEGIN:
            shape["failed"] = 0.3
        if BEGIN < day <= BEGIN + 3:
            shape["entries"] = 0.0
        if day == BEGIN + 4:  # it went on in the afternoon; much was overdue
            shape["entries"] /= 3
            shape["no_consent"] = 0.6

    told = Told(
        some_days(BEGIN + 14, change),
        settings=rule(pause=("failures", "entries", "suppressions")),
        shelf=MemoryShelf(),
    )
    told.run(BEGIN)
    assert [journey for journey, _ in told.pauses] == ["cart"]
    told.run(BEGIN + 1)
    told.run(BEGIN + 2)
    told.run(BEGIN + 3)  # in the morning of the day behind it
    told.states["cart"] = "live"

    found = [told.run(BEGIN + number) for number in range(4, 14)]

    figures = {one.figure for each in found for one in each.looked.findings}
    assert "entries" not in figures
    assert len(told.pauses) == 1


def test_a_journey_that_has_run_again_is_paused_for_a_new_fault() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day in (BEGIN, BEGIN + 9):
            shape["failed"] = 0.3

    told = Told(
        some_days(BEGIN + 10, change),
        settings=rule(pause=("failures",)),
        shelf=MemoryShelf(),
    )
    told.run(BEGIN)
    told.states["cart"] = "live"

    for number in range(1, 10):
        told.run(BEGIN + number)

    assert len(told.pauses) == 2


def test_a_dry_run_tells_nobody_and_notes_nothing() -> None:
    shelf = MemoryShelf()
    told = Told(faulty(BEGIN + 1), settings=rule(pause=("failures",)), shelf=shelf)

    done = told.run(BEGIN, dry_run=True)

    assert (done.told, done.paused) == (["email"], ["cart"])
    assert (told.alarms, told.pauses) == ([], [])
    assert shelf.get("told.json") is shelf.get("parts.json") is None


def test_a_journey_is_paused_if_its_rule_says_so() -> None:
    settings = WatchSettings(journeys={"cart": WatchRule(pause=("failures",))})
    told = Told(faulty(BEGIN + 1), settings=settings, shelf=MemoryShelf())

    done = told.run(BEGIN)

    assert done.paused == ["cart"]
    [(journey, reason)] = told.pauses
    assert journey == "cart"
    assert reason.startswith("watch: failed runs of cart up on 2026-04-06: ")


def test_without_a_rule_nothing_is_paused() -> None:
    told = Told(faulty(BEGIN + 1), settings=rule(), shelf=MemoryShelf())

    assert told.run(BEGIN).paused == []
    assert told.pauses == []


def test_what_is_for_the_better_pauses_nothing() -> None:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day == BEGIN:
            shape["entries"] *= 4

    told = Told(
        some_days(BEGIN + 1, change),
        settings=rule(pause=("entries",)),
        shelf=MemoryShelf(),
    )

    done = told.run(BEGIN)

    assert {one.figure for one in done.looked.findings} == {"entries"}
    assert done.paused == []


def test_a_journey_that_somebody_let_go_on_is_not_paused_for_the_same_again() -> None:
    told = Told(
        faulty(BEGIN + 2), settings=rule(pause=("failures",)), shelf=MemoryShelf()
    )
    told.run(BEGIN)
    told.states["cart"] = "live"

    told.run(BEGIN)
    told.run(BEGIN + 1)

    assert len(told.pauses) == 1


def test_a_journey_that_cannot_be_paused_is_said() -> None:
    told = Told(
        faulty(BEGIN + 1), settings=rule(pause=("failures",)), shelf=MemoryShelf()
    )
    told.broken = True

    done = told.run(BEGIN)

    assert done.paused == []
    assert done.failures == ["cart can't be paused: it is stopped"]
    assert done.told == ["email"]


def test_nobody_is_told_of_a_day_before_the_latest() -> None:
    told = Told(
        faulty(BEGIN + 3), settings=rule(pause=("failures",)), shelf=MemoryShelf()
    )
    told.run(BEGIN + 2, may_pause=False)
    told.alarms.clear()

    done = told.run(BEGIN)

    assert done.looked.findings
    assert (done.told, done.paused, told.alarms) == ([], [], [])


def test_days_that_nobody_looked_at_are_looked_at_later() -> None:
    told = Told(some_days(BEGIN), settings=rule(), shelf=MemoryShelf())
    day = FIRST + timedelta(days=BEGIN - 1)

    assert [*told.watching.missed(day)] == [day]
    told.run(BEGIN - 4)
    assert len([*told.watching.missed(day)]) == 3
    told.run(BEGIN - 1)
    assert [*told.watching.missed(day)] == []
    assert len([*told.watching.missed(day + timedelta(days=90))]) == 7


def test_only_what_is_new_is_read_again(tmp_path: Path) -> None:
    days = some_days(BEGIN + 1)
    shelf = FolderShelf(tmp_path / "watch")
    last = str(FIRST + timedelta(days=BEGIN))

    first = Told(days, settings=rule(), shelf=shelf).run(BEGIN - 1)
    READ.clear()
    second = Told(days, settings=rule(), shelf=shelf).run(BEGIN)

    assert first.read > 80
    assert (READ, second.read) == ([last], 1)


def test_a_part_that_has_changed_is_read_again() -> None:
    days = some_days(BEGIN + 1)
    told = Told(days, settings=rule(), shelf=MemoryShelf())
    told.run(BEGIN)
    READ.clear()
    parts = told._parts

    def changed(first: date, last: date) -> Sequence[Part]:
        return [
            _DayPart(one.name, one.state + "!", [*one.blocks()])
            if one.name == "2026-03-01"
            else one
            for one in parts(first, last)
        ]

    object.__setattr__(told.watching, "parts", changed)

    done = told.run(BEGIN)

    assert done.read == 1


def test_damaged_counts_are_made_anew(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    days = some_days(BEGIN + 1)
    before = Told(days, settings=rule(), shelf=shelf).run(BEGIN)
    (tmp_path / "counts" / "2026-03-01.json").write_text("{")
    (tmp_path / "told.json").write_text("{")

    after = Told(days, settings=rule(), shelf=shelf).run(BEGIN)

    assert after.looked == before.looked
    assert after.read == 1


def test_when_time_runs_out_what_is_counted_is_kept() -> None:
    shelf = MemoryShelf()
    told = Told(some_days(BEGIN + 1), settings=rule(), shelf=shelf)
    left = iter([100.0, 100.0, *[10.0] * 200])

    with pytest.raises(StoreBusy, match="3 parts of the log are counted, and 8"):
        told.run(BEGIN, time_left=lambda: next(left))

    assert len(json.loads(shelf.get("parts.json") or b"")) == 3
    assert told.run(BEGIN).looked.tests > 0


def test_what_is_noted_of_who_was_told_holds_no_address(tmp_path: Path) -> None:
    told = Told(faulty(BEGIN + 1), settings=rule(), shelf=FolderShelf(tmp_path))

    told.run(BEGIN)

    assert "failures/cart//up" in (tmp_path / "told.json").read_text()
    assert "example.com" not in (tmp_path / "told.json").read_text()


def test_objectives_that_cannot_be_read_do_not_stop_the_watch() -> None:
    told = Told(faulty(BEGIN + 1), settings=rule(), shelf=MemoryShelf())

    def broken(day: date, **_: object) -> Any:
        raise DefinitionError("duckdb is missing")

    object.__setattr__(told.watching, "objectives", broken)

    done = told.run(BEGIN)

    assert done.told == ["email"]
    assert done.failures == ["the objectives can't be looked at: duckdb is missing"]

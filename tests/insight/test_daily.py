"""Counts by journey and day, against a plain count of the same lines."""

from __future__ import annotations

import json
import random
from collections import Counter as Plain, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.insight.recording import record

from journeykit import Goal, Journey, Send, Wait, days, on
from journeykit.insight import daily
from journeykit.insight.daily import Counter, Counts, Sample, cohort
from journeykit.insight.parts import FilesPart, parts_of
from journeykit.testing import make_event


def line(**fields: Any) -> bytes:
    """A line of a decision log."""
    known = {
        "customer": "c",
        "revision": 1,
        "n": 0,
        "at": "2026-06-01T12:00:00Z",
        "now": "2026-06-01T12:00:00Z",
        "kind": "entered",
        "journey": "cart",
        "version": 1,
        "enrollment": "0" * 24,
    }
    return json.dumps({**known, **fields}).encode() + b"\n"


def counted(*lines: bytes) -> Counts:
    counter = Counter()
    counter.read(b"".join(lines))
    return counter.counts()


def test_a_real_log_is_counted_as_one_counts_by_hand(tmp_path: Path) -> None:
    journey = Journey(
        id="cart",
        trigger=on("cart.updated"),
        holdout=20,
        goal=Goal(on("bought")),
        steps=[Wait(days(1)), Send("email", "left")],
    )
    events = []
    for number in range(60):
        at = f"2026-06-{1 + number % 10:02}T10:{number:02}:00Z"
        events.append(make_event("cart.updated", f"c{number}", at=at))
        if number % 3 == 0:
            later = at.replace("T10", "T15")
            events.append(make_event("bought", f"c{number}", at=later))
    logs = record(tmp_path, journey, events, parts=3)

    total = Counts()
    for part in parts_of(logs.decisions):
        total = total.plus(daily.counted(part))

    by_hand: dict[tuple[str, str, str], int] = Plain()
    converted = defaultdict(set)
    entered = defaultdict(set)
    for path in sorted(tmp_path.glob("decisions-*.jsonl")):
        for text in path.read_text().splitlines():
            one = json.loads(text)
            by_hand[one["now"][:10], one["kind"], ""] += 1
            if one["kind"] == "entered":
                entered[one["now"][:10]].add(one["enrollment"])
            if one["kind"] == "goal":
                converted[one["now"][:10]].add(one["enrollment"])
    assert by_hand["2026-06-01", "held_out", ""] >= 0
    for day, found in total.days.items():
        cart = found.journeys["cart"]
        for kind in ("entered", "held_out", "completed", "exited", "goal", "sent"):
            assert cart.count(kind) == by_hand[day, kind, ""], (day, kind)
    for day, runs in entered.items():
        found_days = {date.fromisoformat(one): what for one, what in total.days.items()}
        goal = next(iter(total.days[day].journeys["cart"].reached), "bought")
        share = cohort(found_days, "cart", goal, on=date.fromisoformat(day), within=0)
        assert share.entered == len(runs)
        assert share.reached == len(runs & converted[day])


def test_a_decision_that_stands_there_twice_counts_once() -> None:
    counts = counted(line(), line(), line(revision=2))

    cart = counts.days["2026-06-01"].journeys["cart"]
    assert cart.count("entered") == 2
    assert counts.repeated == 1


def test_below_zero_the_event_tells_decisions_apart() -> None:
    counts = counted(
        line(n=-1, kind="suppressed", reason="loop", event="a"),
        line(n=-1, kind="suppressed", reason="loop", event="b"),
        line(n=-1, kind="suppressed", reason="loop", event="b"),
        line(n=-1, kind="suppressed", reason="loop", event="b", source="till"),
    )

    assert counts.days["2026-06-01"].journeys["cart"].count("suppressed", "loop") == 3


def test_test_traffic_counts_nowhere() -> None:
    counts = counted(line(test=True), line(revision=2, test=False))

    assert counts.days["2026-06-01"].journeys["cart"].count("entered") == 1
    assert counts.days["2026-06-01"].decisions == 1
    assert counts.tests == 1


def test_a_message_that_came_back_is_sent_once() -> None:
    detail = {"channel": "email", "delivery_id": "d"}
    counts = counted(
        line(kind="sent", detail=detail),
        line(kind="sent", revision=2, detail={**detail, "held": True}),
    )

    assert counts.days["2026-06-01"].journeys["cart"].counts["sent"] == {"email": 1}


def test_a_decision_belongs_to_the_day_on_which_it_was_made() -> None:
    counts = counted(
        line(at="2026-05-30T12:00:00Z", now="2026-06-01T00:00:00Z"),
        line(revision=2, now="2026-06-02T01:30:00+02:00"),
    )

    assert counts.days.keys() == {"2026-06-01"}
    assert counts.days["2026-06-01"].decisions == 2


def test_damaged_lines_are_counted_and_passed_over() -> None:
    counts = counted(line(), b"{not json\n", b'{"customer": 3}\n', line(revision=2))

    assert counts.damaged == 2
    assert counts.days["2026-06-01"].journeys["cart"].count("entered") == 2


def test_a_name_of_no_day_is_a_damaged_line() -> None:
    counts = counted(line(now="yesterday"))

    assert (counts.damaged, counts.days) == (1, {})


def test_reasons_are_bounded() -> None:
    lines = [
        line(kind="exited", revision=number, reason=f"r{number}")
        for number in range(200)
    ]

    cart = counted(*lines).days["2026-06-01"].journeys["cart"]

    assert len(cart.counts["exited"]) == 51
    assert cart.count("exited") == 200
    assert cart.count("exited", "other") == 150


@given(st.lists(st.integers(0, 5), max_size=80), st.integers(0, 80))
def test_parts_add_up_to_the_whole(days: list[int], cut: int) -> None:
    lines = [
        line(
            revision=number,
            now=f"2026-06-0{1 + day}T12:00:00Z",
            enrollment=f"{number:010x}",
            kind="goal" if number % 4 == 3 else "entered",
            reason="bought" if number % 4 == 3 else "",
        )
        for number, day in enumerate(days)
    ]

    whole = counted(*lines)
    parts = counted(*lines[:cut]).plus(counted(*lines[cut:]))

    assert parts == whole
    assert Counts.decoded(parts.encoded()) == parts


def test_counts_of_another_form_are_made_anew() -> None:
    counts = counted(line())

    assert Counts.decoded(counts.encoded().replace(b'"days"', b'"tage"')) == Counts()
    assert Counts.decoded(b"{") is None
    counts.schema += 1
    assert Counts.decoded(counts.encoded()) is None


def test_a_sample_is_all_runs_as_long_as_they_are_few() -> None:
    runs = random.Random(3).sample(range(1 << 40), 100)

    sample = Sample.of(runs)

    assert [*sample.numbers()] == sorted(runs)
    assert not sample.is_cut


def test_of_many_runs_a_sample_tells_the_share_that_converted() -> None:
    draw = random.Random(4)
    runs = [draw.getrandbits(40) for _ in range(40_000)]
    converted = [one for one in runs if draw.random() < 0.3]
    first = daily.Day({"cart": daily.JourneyDay(entered=Sample.of(runs))})
    later = daily.Day(
        {"cart": daily.JourneyDay(reached={"bought": Sample.of(converted)})}
    )
    days_of = {date(2026, 6, 1): first, date(2026, 6, 3): later}

    found = cohort(days_of, "cart", "bought", on=date(2026, 6, 1), within=2)

    assert found.entered == daily.SAMPLE
    # Three standard deviations of such a sample, on either side.
    assert found.reached / found.entered == pytest.approx(0.3, abs=0.061)
    assert cohort(days_of, "cart", "bought", on=date(2026, 6, 1), within=1).reached == 0


def test_held_out_runs_convert_nobody() -> None:
    counts = counted(
        line(enrollment="a" * 24),
        line(revision=2, kind="held_out", enrollment="b" * 24),
        line(revision=3, kind="goal", reason="g", enrollment="b" * 24),
    )
    found = {date(2026, 6, 1): counts.days["2026-06-01"]}

    share = cohort(found, "cart", "g", on=date(2026, 6, 1), within=0)

    assert (share.entered, share.reached) == (1, 0)


def test_files_are_read_packed_or_not_and_known_again(tmp_path: Path) -> None:
    import gzip

    from journeykit.insight.sources import files

    plain, packed = tmp_path / "decisions-000001.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(line() + line(revision=2) + b'{"half')
    packed.write_bytes(gzip.compress(line(revision=3)))
    parts: list[FilesPart] = [*parts_of(files([plain, packed]))]

    counts = [daily.counted(part) for part in parts]

    assert [one.days["2026-06-01"].decisions for one in counts] == [2, 1]
    assert next(iter(parts_of(files([plain, packed])))).state == parts[0].state
    plain.write_bytes(line())
    assert next(iter(parts_of(files([plain])))).state != parts[0].state


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path) -> None:
    import gzip

    from journeykit.insight.sources import files

    packed = tmp_path / "decisions.jsonl.gz"
    with gzip.open(packed, "wb", compresslevel=1) as file:
        file.write(line())
        for _ in range(48):
            file.write(b" " * 1024 * 1024)
        file.write(b"\n" + line(revision=2))
    [part] = parts_of(files([packed]))

    longest = max(len(block) for block in part.blocks())
    found = daily.counted(part)

    assert longest < 24 * 1024 * 1024
    assert found.days["2026-06-01"].decisions == 2
    assert found.damaged == 1

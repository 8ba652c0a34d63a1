from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, strategies as st

from journeykit.engine.records import lines_of
from journeykit.engine.trace import TraceEntry
from journeykit.local.decisions import (
    begins_at_the_start,
    decision_blocks,
    decisions_about,
    totals,
)
from journeykit.local.logs import LogFile

KINDS = ("entered", "sent", "completed", "waiting")


class Journal:
    """What is committed and in no file yet."""

    def __init__(self, blocks: Sequence[bytes] = ()) -> None:
        self.blocks = [*enumerate(blocks, 1)]

    def journal(self, limit: int) -> Sequence[tuple[int, bytes]]:
        return self.blocks[:limit]

    def forget(self, until: int) -> None:
        self.blocks = [block for block in self.blocks if block[0] > until]


def block(customer: str, revision: int, *kinds: str) -> bytes:
    """The lines of one reaction."""
    entries = [TraceEntry(kind, 1000 * revision, "cart", 1, "e1") for kind in kinds]
    return lines_of(entries, customer=customer, revision=revision, now=1000 * revision)


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    """The blocks of some reactions, in the order of their commits."""
    revisions: Counter[str] = Counter()
    blocks = []
    for customer in draw(st.lists(st.sampled_from("abc"), max_size=9)):
        revisions[customer] += 1
        kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
        blocks.append(block(customer, revisions[customer], *kinds))
    return blocks


EVERYBODY = dict.fromkeys("abc", 99)


@given(logs(), st.data())
def test_what_was_written_twice_counts_once(
    blocks: list[bytes], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(blocks)))
    end = data.draw(st.integers(start, len(blocks)))

    twice = [*blocks[:end], *blocks[start:]]

    assert totals(twice, EVERYBODY) == totals(blocks, EVERYBODY)
    for customer in "abc":
        told = [*decisions_about(twice, customer)]
        assert told == [*decisions_about(blocks, customer)]


@given(logs(), st.integers(0, 5))
def test_what_was_decided_after_the_documents_were_read_is_not_counted(
    blocks: list[bytes], until: int
) -> None:
    by_then = [
        lines for lines in blocks if int(lines.split(b'"revision":')[1][:1]) <= until
    ]

    counted = totals(blocks, dict.fromkeys("abc", until))

    assert counted == totals(by_then, EVERYBODY)


def test_about_others_nothing_is_counted() -> None:
    assert totals([block("erased", 1, "entered")], {"ada": 1}).counts == {}


def test_a_decision_that_changed_nothing_is_not_counted_but_told() -> None:
    entry = TraceEntry("not_entered", 5, "cart", reason="paused")
    lines = lines_of(
        [entry], customer="ada", revision=3, now=5, event="e9", changed=False
    )

    assert totals([lines], {"ada": 3}).counts == {}
    assert [*decisions_about([lines, lines], "ada")] == [entry]


def test_events_of_one_id_and_two_sources_are_told_both() -> None:
    entry = TraceEntry("not_entered", 5, "cart", reason="paused")
    blocks = [
        lines_of(
            [entry],
            customer="ada",
            revision=3,
            now=5,
            event="e9",
            source=source,
            changed=False,
        )
        for source in ("shop", "till", "shop")
    ]

    assert [*decisions_about(blocks, "ada")] == [entry, entry]


def test_instants_in_a_detail_are_read_as_they_were_decided() -> None:
    entry = TraceEntry("waiting", 5, detail={"until": 86_400_000, "to": "somewhere"})
    lines = lines_of([entry], customer="ada", revision=1, now=5)

    (told,) = decisions_about([lines], "ada")

    assert told == entry


def test_a_damaged_line_is_passed_over() -> None:
    damaged = b'{"customer":"ada","rev\n' + block("ada", 1, "entered") + b"\xff{\n"

    assert totals([damaged], {"ada": 1}).counts.total() == 1
    assert [e.kind for e in decisions_about([damaged], "ada")] == ["entered"]


def test_files_come_before_the_journal_oldest_first(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "decisions.jsonl", max_bytes=200)
    for revision in range(1, 5):
        log.append(block("ada", revision, "entered"))
    log.close()

    blocks = decision_blocks(log.path, Journal([block("ada", 5, "sent")]))

    told = [entry.at for entry in decisions_about(blocks, "ada")]
    assert told == [1000, 2000, 3000, 4000, 5000]
    assert begins_at_the_start(log.path)


def test_half_a_line_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(block("ada", 1, "entered") + block("ada", 2, "sent")[:-9])

    told = [e.kind for e in decisions_about(decision_blocks(path, Journal()), "ada")]

    assert told == ["entered"]


def test_a_file_that_is_put_aside_meanwhile_is_read_once(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "decisions.jsonl", max_bytes=300)
    log.append(block("ada", 1, "entered"))
    blocks = decision_blocks(log.path, Journal())

    read = [next(blocks)]
    log.append(block("ada", 2, "waiting", "sent"))  # puts the file aside
    log.append(block("ada", 3, "completed"))
    log.close()
    read += blocks

    told = [entry.kind for entry in decisions_about(read, "ada")]
    assert told[0] == "entered"
    assert len(told) == len({*told})


def test_a_log_of_which_the_first_files_are_gone_does_not_begin_at_the_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "decisions.jsonl"
    assert begins_at_the_start(path)

    path.with_name("decisions-000002.jsonl").touch()
    assert not begins_at_the_start(path)

    path.with_name("decisions-000001.jsonl").touch()
    assert begins_at_the_start(path)

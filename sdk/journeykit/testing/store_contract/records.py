"""What stores keep for whoever looks after the runtime: letters, decisions, jobs."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from journeykit.engine.stimuli import WakeUp
from journeykit.ports import Bookmarks, DeadLetters, Job, Jobs, Journal
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import NOW, make_letter


class DeadLettersContract(Contract):
    """What whoever keeps dead letters keeps; `inbox` has the revived ones."""

    def test_dead_letters_are_numbered_and_paged(self, store: DeadLetters) -> None:
        store.bury([])
        store.bury(
            [make_letter("a"), make_letter("b", body=b"\x00\xff"), make_letter("c")]
        )

        first, second = store.dead(0, 2)
        assert (first, second) == (
            make_letter("a", id=first.id),
            make_letter("b", body=b"\x00\xff", id=second.id),
        )
        assert [letter.reason for letter in store.dead(second.id, 9)] == ["c"]

    def test_a_revived_letter_is_a_stimulus(self, store: DeadLetters) -> None:
        store.bury([make_letter("a"), make_letter("b")])
        first, second = store.dead(0, 9)

        store.revive([first.id], into=[WakeUp("ada")])

        assert [letter.id for letter in store.dead(0, 9)] == [second.id]
        assert list(self.inbox(store)) == [WakeUp("ada")]


class JournalContract(Contract):
    """What whoever keeps decisions until they are in files keeps."""

    def log(self, store: Any, lines: bytes) -> None:
        """Make a commit with these lines of decisions."""
        raise NotImplementedError

    def test_the_journal_keeps_the_order_of_commits(self, store: Journal) -> None:
        for n in range(4):
            self.log(store, b"%d\n" % n)
        self.log(store, b"")

        blocks = list(store.journal(3))
        assert [lines for _, lines in blocks] == [b"0\n", b"1\n", b"2\n"]

        store.forget(blocks[-1][0])
        ((number, lines),) = store.journal(3)
        assert lines == b"3\n"
        assert number > blocks[-1][0]

        store.forget(number)
        self.log(store, b"4\n")
        assert store.journal(3)[0][0] > number, "no number is given twice"


class JobsContract(Contract):
    """What whoever keeps visit jobs keeps."""

    def test_a_job_goes_on_where_it_stopped(self, store: Jobs) -> None:
        people = b'{"customer": "ada"}\n' * 1000
        first = store.save(Job(0, "enroll", "welcome", started_at=NOW, people=people))
        second = store.save(Job(0, "stop", "vouchers", started_at=NOW))
        assert list(store.unfinished()) == [first, second]
        assert first.people == people
        assert first.id != second.id

        moved = store.save(replace(first, cursor="ada", visited=17))
        assert moved.id == first.id
        assert list(store.unfinished()) == [moved, second]

        store.save(replace(moved, cursor="zoe", visited=99, done=True))
        assert list(store.unfinished()) == [second]

        store.save(moved)
        assert list(store.unfinished()) == [second], "over is over"


class BookmarksContract(Contract):
    """What whoever keeps bookmarks keeps."""

    def mark(self, store: Any, reader: str, place: str) -> None:
        """Write down how far a reader has read."""
        raise NotImplementedError

    def test_a_bookmark_is_the_last_one(self, store: Bookmarks) -> None:
        assert store.bookmark("r") is None

        self.mark(store, "r", "1")
        self.mark(store, "r", "2")
        self.mark(store, "q", "")

        assert store.bookmark("r") == "2"
        assert store.bookmark("q") == ""

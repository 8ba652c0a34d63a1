"""What every store keeps: all the contracts, and what concerns several ports at once."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from journeykit.engine.commands import Command
from journeykit.engine.stimuli import Stimulus, WakeUp
from journeykit.ports import (
    Along,
    Change,
    CustomerStore,
    DeadLetter,
    Job,
    Outcome,
    Settled,
    Store,
)
from journeykit.runtime.rosters import ERASE, Erasure, erasure_of
from journeykit.runtime.visits import Person, people
from journeykit.testing.store_contract.catalogs import CatalogsContract
from journeykit.testing.store_contract.customers import (
    CustomerStoreContract,
    ScanContract,
)
from journeykit.testing.store_contract.exact import ClaimsContract, SlotsContract
from journeykit.testing.store_contract.identities import (
    ConflictsContract,
    IdentitiesContract,
)
from journeykit.testing.store_contract.messages import (
    ContentsContract,
    NoticesContract,
    ReferencesContract,
    make_notice,
    make_reference,
)
from journeykit.testing.store_contract.outbox import (
    DeliveriesContract,
    InboxContract,
    OutboxContract,
)
from journeykit.testing.store_contract.privacy import PrivacyContract
from journeykit.testing.store_contract.records import (
    BookmarksContract,
    DeadLettersContract,
    JobsContract,
    JournalContract,
)
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_catalog,
    make_full,
    make_later,
    make_letter,
    make_message,
    make_newcomer,
    make_person,
)


class StoreContract(
    CustomerStoreContract,
    ScanContract,
    InboxContract,
    OutboxContract,
    DeliveriesContract,
    ClaimsContract,
    SlotsContract,
    CatalogsContract,
    ContentsContract,
    ReferencesContract,
    IdentitiesContract,
    ConflictsContract,
    NoticesContract,
    PrivacyContract,
    DeadLettersContract,
    JournalContract,
    JobsContract,
    BookmarksContract,
):
    """What every store keeps.

    class TestMyStore(StoreContract):
        def make(self, folder: Path) -> Store:
            return MyStore.open(folder / "my.db")

        def reopen(self, store: Store, folder: Path) -> Store:
            store.close()
            return self.make(folder)
    """

    def make(self, folder: Path) -> Store:
        """Return an empty store; it may keep its files in the folder."""
        raise NotImplementedError

    def reopen(self, store: Store, folder: Path) -> Store:
        """Return the store as the next process finds it, if it outlives a process."""
        return store

    def close(self, store: Store) -> None:
        """Close it."""
        store.close()

    def decide(self, store: Store, *commands: Command) -> None:
        """Commit commands of Ada's, whoever she is by now."""
        decide(store, *commands)

    def decided(self, store: Store) -> tuple[list[Command], bytes]:
        """Claim all commands, and read the journal."""
        tasks = store.take(NOW + DAY, 999, lease_until=NOW + 2 * DAY)
        lines = b"".join(lines for _, lines in store.journal(999))
        return [task.command for task in tasks], lines

    def buried(self, store: Store) -> list[DeadLetter]:
        """Read the dead letters."""
        return [*store.dead(0, 999)]

    def inbox(self, store: Store) -> Sequence[Stimulus]:
        """Read what is pending."""
        return [stimulus for _, stimulus in store.pending(999)]

    def handle(self, store: Store, *numbers: int) -> None:
        """Commit that stimuli are handled."""
        store.commit([], along=Along(handled=numbers))

    def log(self, store: Store, lines: bytes) -> None:
        """Commit a change with these lines, and one that has none."""
        assert not store.commit(
            [_next_of(store, "c", lines=lines), _next_of(store, "d")]
        )

    def mark(self, store: Store, reader: str, place: str) -> None:
        """Commit a bookmark."""
        store.commit([], along=Along(bookmark=(reader, place)))

    def test_what_goes_along_is_stored_with_the_commit(self, store: Store) -> None:
        store.put([WakeUp("x"), WakeUp("y")])
        numbers = [number for number, _ in store.pending(9)]

        store.commit(
            [Change(None, make_person("ada"), lines=b"1\n"), make_newcomer("bob")],
            along=Along(
                handled=(numbers[0],),
                dead=(make_letter("poison"),),
                bookmark=("events.jsonl", "17"),
                lines=b"2\n",
            ),
        )

        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("y")]
        assert [letter.reason for letter in store.dead(0, 9)] == ["poison"]
        assert store.bookmark("events.jsonl") == "17"
        assert [lines for _, lines in store.journal(9)] == [b"1\n2\n"]

    def test_what_goes_along_needs_no_change(self, store: Store) -> None:
        store.commit([], along=Along(bookmark=("r", "1"), lines=b"1\n"))

        assert store.bookmark("r") == "1"
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]

    def test_nothing_goes_along_with_a_refusal(self, store: Store) -> None:
        store.commit([make_newcomer("ada")], along=Along(bookmark=("r", "1")))
        store.put([WakeUp("x")])
        ((number, _),) = store.pending(9)

        refused = store.commit(
            [make_newcomer("ada"), Change(None, make_person("bob"), lines=b"1\n")],
            along=Along(
                handled=(number,),
                dead=(make_letter("poison"),),
                bookmark=("r", "2"),
                lines=b"2\n",
            ),
        )

        assert set(refused) == {"ada"}
        assert len(store.pending(9)) == 1
        assert list(store.dead(0, 9)) == []
        assert store.bookmark("r") == "1"
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]

    def test_references_are_kept_with_the_settlement(self, store: Store) -> None:
        decide(store, make_message("d1"))
        (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
        reference = make_reference("ada", delivery_id="d1")

        store.settle([Settled(task.id, "sent", NOW)], references=[reference])

        assert [*store.referred([reference.key])[reference.key]] == [reference]
        assert store.find(["d1"])["d1"].outcome == "sent"

    def test_the_next_process_finds_everything(
        self, store: Store, tmp_path: Path
    ) -> None:
        ada = make_full("ada", next_due=NOW)
        commands = (make_message("d1"), make_message("d2"), make_message("d3"))
        store.commit(
            [Change(None, ada, commands, b"1\n")], along=Along(bookmark=("r", "1"))
        )
        done, waiting, claimed = store.take(NOW, 3, lease_until=NOW + HOUR)
        store.settle(
            [
                Settled(done.id, "sent", NOW),
                Settled(waiting.id, "again", NOW + 5, attempts=1),
            ],
            reports=[WakeUp("ada")],
        )
        store.claim("k", "ada", 1, at=NOW)
        store.reserve("sms", 1, interval_us=100, burst=1, now_us=1000)
        store.publish(make_catalog(1))
        store.keep_content("a" * 64, b"templates")
        store.refer([make_reference("ada")])
        store.post([make_notice("n1")])
        store.bury([make_letter("poison")])
        job = store.save(Job(0, "resume", "welcome"))

        store = self.reopen(store, tmp_path)

        assert store.load(["ada"]) == {"ada": ada}
        assert list(store.due(NOW, 9)) == [(NOW, "ada")]
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]
        assert store.bookmark("r") == "1"
        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}
        assert list(store.take(NOW + HOUR, 9, lease_until=NOW + DAY)) == [
            replace(waiting, attempts=1),
            replace(claimed, lapsed=True),
        ]
        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("ada")]
        assert store.claim("k", "bob", 1, at=NOW) == 0
        assert store.reserve("sms", 1, interval_us=100, burst=1, now_us=1000) == 1100
        assert store.current() == make_catalog(1)
        assert store.content("a" * 64) == b"templates"
        (known,) = store.referred([make_reference("ada").key]).values()
        assert [*known] == [make_reference("ada")]
        assert [*store.notices("ada", limit=9)] == [make_notice("n1")]
        assert [letter.reason for letter in store.dead(0, 9)] == ["poison"]
        assert list(store.unfinished()) == [job]
        assert not store.commit([Change(ada, make_later(ada, next_due=None))])
        assert list(store.due(NOW, 9)) == []
        store.close()

    def test_lines_of_a_job_stay_without_the_name(self, store: Store) -> None:
        lines = b'ada\n{"customer": "bob", "entry": {"code": 1}}\ncyd\nada'
        for reason in ("enroll", "remove"):
            store.save(Job(0, reason, "welcome", people=lines))

        erased = store.erase(["ada", "dan"])

        assert erased == {"job": 4}
        for job in store.unfinished():
            assert b"ada" not in job.people
            assert people(job.people, stored=True) == [
                Person("", erased=True),
                Person("bob", {"code": 1}),
                Person("cyd"),
                Person("", erased=True),
            ]

    def test_a_job_to_erase_somebody_ends_with_the_last_who_is_erased(
        self, store: Store
    ) -> None:
        asked = Erasure(["ada", "bob"], archive=False)
        store.save(Job(0, ERASE, "", people=msgspec.json.encode(asked)))

        store.erase(["ada"])
        (left,) = store.unfinished()
        store.erase(["bob"])

        assert erasure_of(left) == Erasure(["bob"], archive=False)
        assert not store.unfinished()
        assert not store.holdings(["ada", "bob"])


def decide(store: CustomerStore, *commands: Command) -> None:
    """Commit commands of Ada's, whoever she is by now."""
    assert not store.commit([_next_of(store, "ada", commands=commands)])


def settled(store: Store, command: Command, outcome: Outcome) -> None:
    """Let a command be decided, claimed and settled."""
    decide(store, command)
    (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
    store.settle([Settled(task.id, outcome, NOW)])


def _next_of(store: CustomerStore, id: str, **fields: Any) -> Change:
    """A customer's next revision, whoever that is by now."""
    before = store.load([id]).get(id)
    after = make_later(before) if before else make_person(id)
    return Change(before, after, **fields)

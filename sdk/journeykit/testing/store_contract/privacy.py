"""What stores can tell about people, and forget."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from msgspec.structs import replace

from journeykit.engine.ids import identity_key
from journeykit.ports import (
    Change,
    Claims,
    Conflict,
    Conflicts,
    CustomerStore,
    DeadLetters,
    Deliveries,
    Identities,
    Inbox,
    Job,
    Jobs,
    Notices,
    Outbox,
    Privacy,
    References,
    Settled,
)
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.messages import make_notice, make_reference
from journeykit.testing.store_contract.samples import (
    DAY,
    NOW,
    make_later,
    make_letter,
    make_message,
    make_person,
    make_stimuli,
)

PARTS = (
    "claim",
    "command",
    "conflict",
    "dead_letter",
    "delivery",
    "identifier",
    "job",
    "notice",
    "reference",
    "stimulus",
)

PHONE = identity_key("phone", "+15550100")


class Whole(
    CustomerStore,
    Inbox,
    Outbox,
    Deliveries,
    Claims,
    References,
    Identities,
    Conflicts,
    Notices,
    DeadLetters,
    Jobs,
    Privacy,
    Protocol,
):
    """A store that keeps everything that can name a customer."""


class PrivacyContract(Contract):
    """What whoever keeps what is known of people keeps.

    Attributes:
        parts: What there is to be known of a customer, beside the document.
    """

    parts: ClassVar[Sequence[str]] = PARTS

    def know(self, store: Any, customer: str) -> None:
        """Let everything be known of a customer, once of each part, and be stored."""
        later, sent = (
            make_message(f"{customer}-{n}", customer=customer)
            for n in ("later", "sent")
        )
        someone = make_person(customer, next_due=NOW + DAY)
        assert not store.commit([Change(None, someone, commands=(sent,))])
        (task,) = store.take(NOW + DAY, 1, lease_until=NOW + 2 * DAY)
        store.settle([Settled(task.id, "sent", NOW)])
        after = make_later(someone)
        assert not store.commit([Change(someone, after, commands=(later,))])
        # Claimed, so that whoever is known next is not handed it.
        store.take(NOW + DAY, 1, lease_until=NOW + 2 * DAY)
        placed, *_ = make_stimuli()
        store.put([replace(placed, customer=customer)])
        store.bury([make_letter("poison", customer=customer)])
        store.claim("first-3", customer, 3, at=NOW)
        store.own([identity_key("email", customer)], customer, at=NOW)
        store.contest(Conflict(PHONE, "phone", "somebody", customer, NOW))
        store.refer([make_reference(customer)])
        store.post([make_notice("n1", customer=customer)])
        store.save(
            Job(0, "enroll", "welcome", people=b"somebody\n" + customer.encode())
        )

    def test_all_of_a_customer_is_told(self, store: Whole) -> None:
        self.know(store, "ada")
        self.know(store, "bob")

        told = store.holdings(["ada"])

        assert Counter(each.part for each in told) == Counter(self.parts)
        assert "bob" not in str(told)
        assert not store.holdings(["cyd"])
        assert not store.holdings([])

    def test_who_is_erased_is_gone_whole_and_nobody_else_is(self, store: Whole) -> None:
        self.know(store, "ada")
        self.know(store, "bob")
        before = store.holdings(["bob"])

        erased = store.erase(["ada", "cyd"])

        assert erased == {**dict.fromkeys(self.parts, 1), "document": 1}
        assert not store.holdings(["ada"])
        assert not store.load(["ada"])
        assert list(store.due(NOW + DAY, 9)) == [(NOW + DAY, "bob")]
        assert [*store.notices("ada", limit=9)] == []
        assert store.find(["ada-sent"]) == {}
        assert set(store.find(["bob-sent"])) == {"bob-sent"}
        assert store.holdings(["bob"]) == before
        assert set(store.load(["bob"])) == {"bob"}

    def test_to_erase_again_does_nothing(self, store: Whole) -> None:
        self.know(store, "ada")
        store.erase(["ada"])

        assert store.erase(["ada"]) == {}
        assert store.erase([]) == {}

    def test_a_place_that_was_claimed_stays_taken_by_nobody(self, store: Whole) -> None:
        for holder in ("ada", "bob"):
            store.claim("first-3", holder, 3, at=NOW)

        store.erase(["ada"])

        assert store.claim("first-3", "cyd", 3, at=NOW) == 3
        assert store.claim("first-3", "dan", 3, at=NOW) == 0
        assert store.claim("first-3", "bob", 3, at=NOW) == 2

    def test_who_comes_back_begins_anew(self, store: Whole) -> None:
        self.know(store, "ada")
        store.erase(["ada"])

        self.know(store, "ada")

        assert store.load(["ada"])["ada"].revision == 2
        assert Counter(each.part for each in store.holdings(["ada"])) == Counter(
            self.parts
        )

"""What stores keep around messages: templates, who is meant by a name, in-app inboxes."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from journeykit.channels import Notice
from journeykit.engine.ids import address_key, provider_key
from journeykit.ports import Contents, Notices, Reference, References
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import DAY, HOUR, NOW, ODD_IDS

AT = datetime.fromtimestamp(NOW / 1000, UTC)
KEY = address_key("sms", "+15550100")


def make_reference(customer: str, **fields: Any) -> Reference:
    """A message that somebody got at the address of `KEY`."""
    named = {"key": KEY, "delivery_id": f"of {customer}", "at": NOW, **fields}
    return Reference(customer=customer, **named)


def make_notice(id: str, **fields: Any) -> Notice:
    """A notice for Ada."""
    body = {"title": "Hello", "badge": 1, "link": None}
    return Notice(**{"id": id, "customer": "ada", "at": AT, "body": body, **fields})


class ContentsContract(Contract):
    """What whoever keeps published templates keeps."""

    def test_templates_are_found_by_their_id(self, store: Contents) -> None:
        store.keep_content("a" * 64, b"first")
        store.keep_content("b" * 64, b"second")

        assert store.content("a" * 64) == b"first"
        assert store.content("b" * 64) == b"second"
        assert store.content("c" * 64) is None

    def test_templates_may_be_kept_again(self, store: Contents) -> None:
        store.keep_content("a" * 64, b"first")
        store.keep_content("a" * 64, b"first")

        assert store.content("a" * 64) == b"first"

    @pytest.mark.parametrize("size", [0, 1, 350 * 1024, 1_000_000])
    def test_templates_may_be_large(self, store: Contents, size: int) -> None:
        content = bytes(n * 7 % 251 for n in range(size))
        id = sha256(content).hexdigest()

        store.keep_content(id, content)

        assert store.content(id) == content


class ReferencesContract(Contract):
    """What whoever keeps other names of deliveries keeps."""

    def test_who_is_meant_is_found_by_key(self, store: References) -> None:
        ada, bob = make_reference("ada", at=NOW), make_reference("bob", at=NOW + 5)
        other = make_reference("ada", key=provider_key("sms", "SM1"))

        store.refer([ada, other, bob])

        found = store.referred([KEY, other.key, "of nobody"])
        assert {key: [*known] for key, known in found.items()} == {
            KEY: [bob, ada],
            other.key: [other],
        }

    def test_nothing_is_asked_and_nothing_kept(self, store: References) -> None:
        store.refer([])

        assert store.referred([]) == {}
        assert store.referred([KEY]) == {}

    def test_the_latest_delivery_to_a_customer_counts(self, store: References) -> None:
        first = make_reference("ada", delivery_id="d1")
        second = make_reference("ada", delivery_id="d2", at=NOW + HOUR)

        store.refer([first])
        store.refer([second])

        assert [*store.referred([KEY])[KEY]] == [second]

    def test_of_two_at_once_the_later_counts(self, store: References) -> None:
        first = make_reference("ada", delivery_id="d1")
        second = make_reference("ada", delivery_id="d2", at=NOW + 1)

        store.refer([second, first])

        assert [*store.referred([KEY])[KEY]] == [second]

    def test_the_latest_twenty_of_a_key_are_told(self, store: References) -> None:
        store.refer([make_reference(f"c{n:02}", at=NOW + n) for n in range(30)])

        told = [one.customer for one in store.referred([KEY])[KEY]]

        assert told == [f"c{n:02}" for n in range(29, 9, -1)]

    def test_any_customer_may_be_meant(self, store: References) -> None:
        id = "0123456789abcdef" * 2
        store.refer([make_reference(c, delivery_id=id) for c in ODD_IDS])

        kept: set[str] = set()
        for n, customer in enumerate(ODD_IDS):
            key = address_key("sms", str(n))
            store.refer([make_reference(customer, key=key, delivery_id=id)])
            (one,) = store.referred([key])[key]
            assert (one.customer, one.delivery_id) == (customer, id)
            kept.add(one.customer)
        assert kept == set(ODD_IDS)


class NoticesContract(Contract):
    """What whoever keeps in-app inboxes keeps."""

    def test_an_inbox_has_the_latest_first(self, store: Notices) -> None:
        first = make_notice("d1", expires_at=AT + timedelta(days=3))
        second = make_notice("d2", at=AT + timedelta(seconds=1), body={"nested": [{}]})
        third = make_notice("d3", at=AT + timedelta(seconds=2))
        store.post([third, first])
        store.post([second, make_notice("d4", customer="bob")])
        store.post([])

        assert [*store.notices("ada", limit=9)] == [third, second, first]
        assert [*store.notices("ada", limit=2)] == [third, second]
        assert [*store.notices("cyd", limit=2)] == []

    def test_the_same_notice_again_changes_nothing(self, store: Notices) -> None:
        store.post([make_notice("d1")])
        store.mark("ada", "d1", read_at=NOW + HOUR, dismissed_at=None)

        store.post([make_notice("d1", at=AT + timedelta(hours=2), body={})])

        (notice,) = store.notices("ada", limit=9)
        assert notice == make_notice("d1", read_at=AT + timedelta(hours=1))

    def test_the_first_mark_of_each_kind_counts(self, store: Notices) -> None:
        store.post([make_notice("d1")])

        store.mark("ada", "d1", read_at=NOW + HOUR, dismissed_at=None)
        store.mark("ada", "d1", read_at=NOW + DAY, dismissed_at=NOW + DAY)
        after = store.mark("ada", "d1", read_at=None, dismissed_at=NOW + 2 * DAY)

        assert after == make_notice(
            "d1", read_at=AT + timedelta(hours=1), dismissed_at=AT + timedelta(days=1)
        )
        assert [*store.notices("ada", limit=9)] == [after]

    def test_nobody_marks_what_is_not_theirs(self, store: Notices) -> None:
        store.post([make_notice("d1")])

        assert store.mark("bob", "d1", read_at=NOW, dismissed_at=NOW) is None
        assert store.mark("ada", "d2", read_at=NOW, dismissed_at=NOW) is None
        assert [*store.notices("ada", limit=9)] == [make_notice("d1")]
        assert [*store.notices("bob", limit=9)] == []

    def test_any_customer_has_an_inbox(self, store: Notices) -> None:
        for customer in ODD_IDS:
            store.post([make_notice("d1", customer=customer)])

        for customer in ODD_IDS:
            assert [one.customer for one in store.notices(customer, limit=9)] == [
                customer
            ]

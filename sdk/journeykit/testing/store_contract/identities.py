"""What stores keep of who is who."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit.engine.ids import identity_key
from journeykit.ports import Conflict, Conflicts, Identities
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import DAY, HOUR, NOW, ODD_IDS

EMAIL = identity_key("email", "ada@example.com")
PHONE = identity_key("phone", "+15550100")
BROWSER = identity_key("anonymous", "a-17")


def make_conflict(claimant: str = "bob", **fields: Any) -> Conflict:
    """An e-mail address of Ada's that somebody else was named by."""
    conflict = Conflict(EMAIL, "email", "ada", claimant, NOW)
    return replace(conflict, **fields)


class IdentitiesContract(Contract):
    """What whoever knows whose an identifier is keeps."""

    def test_nobody_has_an_identifier_at_first(self, store: Identities) -> None:
        assert store.owners([EMAIL, PHONE]) == {}
        assert store.owners([]) == {}

    def test_the_first_who_is_named_by_it_has_it(self, store: Identities) -> None:
        assert store.own([EMAIL, BROWSER], "ada", at=NOW) == {
            EMAIL: "ada",
            BROWSER: "ada",
        }
        assert store.own([EMAIL, PHONE], "bob", at=NOW + 1) == {
            EMAIL: "ada",
            PHONE: "bob",
        }
        assert store.owners([EMAIL, PHONE, BROWSER, "unknown"]) == {
            EMAIL: "ada",
            PHONE: "bob",
            BROWSER: "ada",
        }

    def test_what_one_had_goes_to_whom_they_became_part_of(
        self, store: Identities
    ) -> None:
        store.own([EMAIL, BROWSER], "~a", at=NOW)

        store.own([EMAIL, BROWSER], "ada", at=NOW, instead_of="~a")
        store.own([EMAIL], "bob", at=NOW, instead_of="~a")

        assert store.owners([EMAIL, BROWSER]) == {EMAIL: "ada", BROWSER: "ada"}

    def test_to_disown_frees_ones_own(self, store: Identities) -> None:
        store.own([EMAIL, PHONE], "ada", at=NOW)

        store.disown([EMAIL], "ada")
        store.disown([PHONE, BROWSER], "bob")

        assert store.owners([EMAIL, PHONE]) == {PHONE: "ada"}
        assert store.own([EMAIL], "bob", at=NOW) == {EMAIL: "bob"}

    @pytest.mark.parametrize("id", ODD_IDS, ids=ascii)
    def test_a_customer_may_be_called_anything(
        self, store: Identities, id: str
    ) -> None:
        store.own([EMAIL], id, at=NOW)

        assert store.owners([EMAIL]) == {EMAIL: id}

    def test_of_many_who_ask_at_once_one_has_it(self, store: Identities) -> None:
        said = self.together(lambda n: store.own([EMAIL], f"c{n}", at=NOW)[EMAIL], 10)

        assert set(said) == {store.owners([EMAIL])[EMAIL]}, "and all of them know who"


class ConflictsContract(Contract):
    """What whoever keeps conflicts keeps."""

    def test_a_conflict_is_kept_once(self, store: Conflicts) -> None:
        assert store.contest(make_conflict())
        assert not store.contest(make_conflict(at=NOW + HOUR))
        assert store.contest(make_conflict("cid", at=NOW + 1))

        assert list(store.contested(9)) == [
            make_conflict("cid", at=NOW + 1),
            make_conflict(),
        ]
        assert list(store.contested(1)) == [make_conflict("cid", at=NOW + 1)]

    def test_what_was_dealt_with_is_gone(self, store: Conflicts) -> None:
        store.contest(make_conflict())

        assert not store.reconcile(EMAIL, "cid")
        assert list(store.contested(9)) == [make_conflict()]
        assert store.reconcile(EMAIL, "bob")

        assert list(store.contested(9)) == []
        assert store.contest(make_conflict(at=NOW + DAY)), "it may come up again"

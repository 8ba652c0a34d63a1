"""What stores keep of published catalogs."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import pytest

from journeykit.errors import StaleCatalog
from journeykit.ports import Catalogs
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import make_catalog


class CatalogsContract(Contract):
    """What whoever keeps the published catalogs keeps."""

    def test_nothing_is_published_at_first(self, store: Catalogs) -> None:
        assert store.revision() == 0
        assert store.current() is None

    def test_the_newest_catalog_counts(self, store: Catalogs) -> None:
        for revision in range(1, 61):
            store.publish(make_catalog(revision))

        assert store.revision() == 60
        assert store.current() == make_catalog(60)

    @pytest.mark.parametrize("revision", [-1, 0, 1, 2, 4])
    def test_only_the_next_revision_is_published(
        self, store: Catalogs, revision: int
    ) -> None:
        store.publish(make_catalog(1))
        store.publish(make_catalog(2))

        with pytest.raises(StaleCatalog, match="2"):
            store.publish(make_catalog(revision, note="too late"))

        assert store.revision() == 2
        assert store.current() == make_catalog(2)

    def test_of_two_who_publish_at_once_one_wins(self, store: Catalogs) -> None:
        def publish(n: int) -> bool:
            try:
                store.publish(make_catalog(1, note=str(n)))
            except StaleCatalog:
                return False
            return True

        assert sum(self.together(publish, 6)) == 1
        assert store.revision() == 1

"""The stores of an account, put together as the runtime and the dispatcher want them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from journeykit.channels import Notice
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Stimulus
from journeykit.ports import (
    NOTHING,
    Along,
    CatalogDocument,
    Change,
    Conflict,
    Delivery,
    Reference,
    Settled,
    Task,
)

if TYPE_CHECKING:
    from journeykit.aws.outbox import SqsOutbox
    from journeykit.aws.parts import Parts
    from journeykit.engine.stimuli import Absorb


class Kept:
    """What the runtime needs: customers, who they are and, for feedback, deliveries."""

    def __init__(self, parts: Parts) -> None:
        """Take whose parts these are; each is made when it is asked."""
        self._parts = parts

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """See `CustomerStore.load`."""
        return self._parts.customers.load(ids)

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """See `CustomerStore.commit`."""
        return self._parts.customers.commit(changes, along=along)

    def due(self, before: int, limit: int) -> Sequence[tuple[int, str]]:
        """See `CustomerStore.due`."""
        return self._parts.customers.due(before, limit)

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """See `Deliveries.find`; a report may come before its message is settled."""
        return self._parts.deliveries.find(ids, unsettled=True)

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """See `Deliveries.tallies`."""
        return self._parts.tallies.tallies()

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """See `Deliveries.reset_tallies`."""
        self._parts.tallies.reset_tallies(journeys)

    def refer(self, references: Sequence[Reference]) -> None:
        """See `References.refer`."""
        self._parts.references.refer(references)

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """See `References.referred`."""
        return self._parts.references.referred(keys)

    def owners(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `Identities.owners`."""
        return self._parts.identities.owners(keys)

    def own(
        self, keys: Sequence[str], customer: str, *, at: int, instead_of: str = ""
    ) -> Mapping[str, str]:
        """See `Identities.own`."""
        identities = self._parts.identities
        return identities.own(keys, customer, at=at, instead_of=instead_of)

    def disown(self, keys: Sequence[str], customer: str) -> None:
        """See `Identities.disown`."""
        self._parts.identities.disown(keys, customer)

    def handovers(self, customers: Sequence[str]) -> Sequence[Absorb]:
        """See `Handovers.handovers`."""
        return self._parts.customers.handovers(customers)

    def forget_handovers(self, customers: Sequence[str]) -> None:
        """See `Handovers.forget_handovers`."""
        self._parts.customers.forget_handovers(customers)

    def contest(self, conflict: Conflict) -> bool:
        """See `Conflicts.contest`."""
        return self._parts.identities.contest(conflict)

    def contested(self, limit: int) -> Sequence[Conflict]:
        """See `Conflicts.contested`."""
        return self._parts.identities.contested(limit)

    def reconcile(self, key: str, claimant: str) -> bool:
        """See `Conflicts.reconcile`."""
        return self._parts.identities.reconcile(key, claimant)


class Outgoing:
    """What the dispatcher needs; one for the process, as the dispatcher is.

    Attributes:
        outbox: That of the invocation.
    """

    outbox: SqsOutbox

    def __init__(self, parts: Parts) -> None:
        """Take whose parts these are; each is made when it is asked."""
        self._parts = parts

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        """See `Outbox.take`."""
        return self.outbox.take(now, limit, lease_until=lease_until)

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        """See `Outbox.settle`."""
        self.outbox.settle(settled, reports=reports, references=references)

    def backlog(self) -> Mapping[str, int]:
        """See `Outbox.backlog`."""
        return self.outbox.backlog()

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """See `Deliveries.find`."""
        return self._parts.deliveries.find(ids)

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """See `Deliveries.tallies`."""
        return self._parts.tallies.tallies()

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """See `Deliveries.reset_tallies`."""
        self._parts.tallies.reset_tallies(journeys)

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        """See `Slots.reserve`."""
        return self._parts.slots.reserve(
            lane, slots, interval_us=interval_us, burst=burst, now_us=now_us
        )

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """See `Claims.claim`."""
        return self._parts.claims.claim(key, holder, limit, at=at)

    def release(self, key: str, holder: str, *, since: int) -> None:
        """See `Claims.release`."""
        self._parts.claims.release(key, holder, since=since)

    def post(self, notices: Sequence[Notice]) -> None:
        """See `Notices.post`."""
        self._parts.notices.post(notices)

    def revision(self) -> int:
        """See `Catalogs.revision`."""
        return self._parts.catalogs.revision()

    def current(self) -> CatalogDocument | None:
        """See `Catalogs.current`."""
        return self._parts.catalogs.current()

    def publish(self, catalog: CatalogDocument) -> None:
        """See `Catalogs.publish`; here it is a breaker that pauses its journey."""
        self._parts.catalogs.publish(catalog)
        self._parts.telemetry.count("JourneysPaused")

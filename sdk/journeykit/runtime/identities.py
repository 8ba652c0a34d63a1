"""Whom an event is about, if it brings other names than the customer's id.

Each identifier belongs to the first who is named by it, by a conditional write of its own
before anything is decided. So of two processes that meet a new one at the same time, both
learn whose it is. Then an event is about

1. the customer that it names, or else
2. whoever has the strongest of its identifiers, or else
3. somebody new, whose id is made of the strongest one: the same again gives the same id.

Whoever else has one of its identifiers is the same person. If nobody has ever said who
that is, a browser's visitor, they become part of the customer: `journeykit.engine.merging`
says how. If it is somebody known, nobody is merged: two people share a browser, a mailbox
or a telephone more often than one person has two ids. The identifier stays whose it is,
and the conflict is kept for people to look at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.ids import derived, identity_key, made_id
from journeykit.engine.merging import awaits, fitting, is_known
from journeykit.engine.stimuli import Merge
from journeykit.errors import InputError, StoreBusy
from journeykit.model.events import CUSTOMER_ALIASED, IDENTITY_CONFLICT, Event
from journeykit.model.identity import ALIAS, IdentityRules
from journeykit.ports import Conflict, Conflicts, Identities

_log = logging.getLogger("journeykit.runtime")

_RACES = 20  # lost in a row, and the store is called busy
_CHAIN = 100  # tombstones on the way to a survivor

NOBODY = (
    "it names no customer, and none of its identifiers counts; give one of a kind that "
    "journeykit.toml lists in [identity], with a value that is somebody's"
)

Load = Callable[[Sequence[str]], Mapping[str, Customer]]


class Rows(Identities, Conflicts, Protocol):
    """What has to be kept to know who is who."""


class Resolved(msgspec.Struct, frozen=True):
    """What an event is about.

    Attributes:
        event: It, about one customer, with those identifiers that are theirs.
        merges: Who becomes part of whom first; the event is looked at again then.
        conflicts: What is told of identifiers that are somebody else's.
        awaited: Who was merged into the customer, and has not arrived there yet: what
            they have left comes first.
    """

    event: Event
    merges: tuple[Merge, ...] = ()
    conflicts: tuple[Event, ...] = ()
    awaited: tuple[str, ...] = ()


def survivor_of(customer: str, load: Load, known: Mapping[str, Customer]) -> str:
    """Return who somebody is by now: whom they were merged into, or they themselves.

    Where two were merged into each other, it is the one of the smallest id.

    Args:
        customer: Their id.
        load: Returns documents.
        known: Those that are loaded already.

    Raises:
        StoreError: A document can't be read.
    """
    return way_of(customer, load, known)[0]


def way_of(
    customer: str, load: Load, known: Mapping[str, Customer]
) -> tuple[str, list[str]]:
    """Return who somebody is by now, and of whom of those on the way nothing has come yet.

    See `survivor_of`.
    """
    documents: dict[str, Customer] = {}
    while customer not in documents:
        found = known.get(customer) or load([customer]).get(customer)
        if found is None or not found.merged_into or len(documents) > _CHAIN:
            heir = found
            break
        documents[customer] = found
        customer = found.merged_into
    else:
        path = list(documents)
        customer = min(path[path.index(customer) :])
        heir = documents[customer]
    awaited = [id for id, passed in documents.items() if awaits(passed, heir)]
    return customer, awaited


def merge_of(customer: str, into: str, *, at: int) -> Merge:
    """What an operator says: that one is part of another one, whoever they are."""
    return Merge(
        id=derived("merge", customer, into, str(at)),
        customer=customer,
        into=into,
        received_at=to_datetime(at),
    )


class Resolver:
    """Looks up whom events are about. Any number of processes may, at the same time."""

    def __init__(self, rules: IdentityRules, rows: Rows, load: Load) -> None:
        """Take the workspace's rules, what is kept, and who returns documents."""
        self._rules = rules
        self._rows = rows
        self._load = load

    def concerns(self, event: Event) -> bool:
        """Whether it has to be looked up whom an event is about."""
        return self._rules.concerns(event)

    def is_about_nobody(self, event: Event) -> bool:
        """Whether an event names nobody by what counts here."""
        return not event.customer and not self._rules.named(event)

    def owners(self, events: Iterable[Event]) -> dict[str, str]:
        """Return who has the identifiers of these events, by key, for `resolve`.

        Raises:
            StoreError: It can't be looked up.
        """
        keys = {
            identity_key(kind, value): None
            for event in events
            for kind, value in self._rules.named(event).items()
        }
        return dict(self._rows.owners(list(keys))) if keys else {}

    def holder_of(self, event: Event, owners: Mapping[str, str]) -> str:
        """Return who is named by an event as far as that is known already; empty: nobody."""
        keys = [identity_key(*named) for named in self._rules.named(event).items()]
        return event.customer or next((owners[k] for k in keys if k in owners), "")

    def earlier_id(self, event: Event) -> str:
        """Another customer's id that an event says is the same customer; empty: none."""
        return self._rules.earlier_id(event)

    def resolve(self, event: Event, owners: dict[str, str] | None = None) -> Resolved:
        """Say whom an event is about.

        Args:
            event: The event.
            owners: Who has its identifiers, as of a moment ago; None: that is looked up.
                Who gets one now is added.

        Raises:
            InputError: Nobody.
            StoreBusy: Others claim the same all the time.
            StoreError: It can't be looked up.
        """
        named = self._rules.named(event)
        keys = {identity_key(kind, value): kind for kind, value in named.items()}
        earlier = self._earlier(event)
        if not keys:
            if not event.customer:
                raise InputError(NOBODY)
            if not earlier:
                return Resolved(replace(event, identifiers={}))
        if owners is None:
            owners = dict(self._rows.owners(list(keys)))
        at = to_ms(event.received_at)
        for _ in range(_RACES):
            whose = {key: owners[key] for key in keys if key in owners}
            customer = event.customer or self._of(keys, whose, named)
            if not earlier and all(whose.get(key) == customer for key in keys):
                return Resolved(replace(event, customer=customer, identifiers=named))
            found = self._settled(event, customer, keys, whose, earlier)
            customer = found.customer
            free = [key for key in keys if key not in whose]
            if free and not found.merges and found.has_room(keys, free, named):
                given = self._rows.own(free, customer, at=at)
                owners.update(given)
                if any(owner != customer for owner in given.values()):
                    continue  # somebody came first: look again
            for key, owner in found.stale.items():  # of who is a tombstone by now
                given = self._rows.own([key], customer, at=at, instead_of=owner)
                owners.update(given)
            theirs = {
                kind: named[kind]
                for key, kind in keys.items()
                if key not in found.others
            }
            return Resolved(
                replace(event, customer=customer, identifiers=theirs),
                tuple(found.merges),
                () if found.merges else tuple(self._told(event, customer, found)),
                tuple(found.awaited),
            )
        raise StoreBusy("others claim the same identifiers all the time; try again")

    def _earlier(self, event: Event) -> str:
        """Another id of the same customer; empty: none.

        An alias may say it by what a browser was called: then it is whoever has that.
        """
        earlier = self._rules.earlier_id(event)
        if not earlier or event.name != CUSTOMER_ALIASED or self._load([earlier]):
            return earlier
        keys = [identity_key(kind, earlier) for kind in self._rules.anonymous]
        owners = self._rows.owners(keys) if keys else {}
        return next((owners[key] for key in keys if key in owners), earlier)

    def _of(
        self,
        keys: Mapping[str, str],
        owners: Mapping[str, str],
        named: Mapping[str, str],
    ) -> str:
        """Who has the strongest identifier, or somebody new."""
        for key in keys:
            if key in owners:
                return owners[key]
        kind, value = next(iter(named.items()))
        return made_id(kind, value)

    def _settled(
        self,
        event: Event,
        customer: str,
        keys: Mapping[str, str],
        owners: Mapping[str, str],
        earlier: str,
    ) -> _Found:
        """Find out who is merged into whom, and who is not."""
        asked = dict.fromkeys([customer, *owners.values(), *filter(None, [earlier])])
        known = dict(self._load(list(asked)))
        ways = {
            id: way_of(id, self._load, known)
            if id in known and known[id].merged_into
            else (id, [])
            for id in asked
        }
        heirs = {id: heir for id, (heir, _) in ways.items()}
        missing = [heir for id, heir in heirs.items() if heir != id]
        known.update(self._load(missing) if missing else {})
        found = _Found(heirs[customer], known)
        found.awaited += ways[customer][1]
        weak = self._rules.anonymous
        for key, owner in owners.items():
            heir = heirs[owner]
            if heir == found.customer:
                if awaited := ways[owner][1]:
                    found.awaited += awaited
                elif owner != heir:
                    found.stale[key] = owner
                continue
            if self._is_known(heir, known) and self._is_known(found.customer, known):
                found.others[key] = (keys[key], heir)
            elif self._is_part(heir, found.customer, known):
                found.merge(event, heir, found.customer, weak)
            else:
                found.merge(event, found.customer, heir, weak)
                found.customer = heir
        if earlier and (heir := heirs[earlier]) != found.customer:
            is_known_too = self._is_known(heir, known)
            if not is_known_too or self._rules.aliases:
                found.merge(event, heir, found.customer, None if is_known_too else weak)
            elif heir in known:
                key = identity_key(ALIAS, earlier)
                found.others[key] = (ALIAS, heir)
        return found

    def _is_known(self, customer: str, known: Mapping[str, Customer]) -> bool:
        """Whether somebody is known as a person, by what is stored of them."""
        found = known.get(customer)
        identifiers = found.identifiers if found else ()
        return is_known(customer, identifiers, self._rules.anonymous)

    def _is_part(self, one: str, other: str, known: Mapping[str, Customer]) -> bool:
        """Whether the one becomes part of the other: who is not known of who is.

        Of two who are nobody in particular the one of the larger id does: an order that
        everybody goes by, so that no two are merged into each other.
        """
        if self._is_known(one, known) != self._is_known(other, known):
            return self._is_known(other, known)
        return one > other

    def _told(self, event: Event, customer: str, found: _Found) -> Iterator[Event]:
        """Keep the conflicts, and tell of those that are new."""
        at = to_ms(event.received_at)
        for key, (kind, holder) in found.others.items():
            conflict = Conflict(key, kind, holder, customer, at)
            if not self._rows.contest(conflict):
                continue
            _log.warning("an identifier of kind %r is of two who are known", kind)
            yield Event(
                id=derived("conflict", key, customer, event.source, event.id),
                name=IDENTITY_CONFLICT,
                customer=customer,
                occurred_at=event.received_at,
                received_at=event.received_at,
                properties={"kind": kind, "customer": holder},
                source="journeykit",
                test=event.test,
            )


class _Found:
    """What came of looking at who has the identifiers of an event.

    Attributes:
        customer: Whom it is about.
        merges: Who becomes part of whom.
        others: Identifiers of somebody else who is known: key to kind and whose.
        stale: Identifiers of a tombstone that leads to the customer: key to its id.
        awaited: Tombstones that do, and of whom nothing has come to the customer yet.
    """

    __slots__ = ("_known", "awaited", "customer", "merges", "others", "stale")

    def __init__(self, customer: str, known: Mapping[str, Customer]) -> None:
        self.customer = customer
        self.merges: list[Merge] = []
        self.others: dict[str, tuple[str, str]] = {}
        self.stale: dict[str, str] = {}
        self.awaited: list[str] = []
        self._known = known

    def has_room(
        self,
        keys: Mapping[str, str],
        free: Sequence[str],
        named: Mapping[str, str],
    ) -> bool:
        """Whether the document holds what nobody has yet.

        What it doesn't hold is given to nobody: nobody could take it away again with the
        customer.
        """
        found = self._known.get(self.customer)
        if found is None:
            return True
        known = {*found.identifiers}
        new = [f"{keys[key]}:{named[keys[key]]}" for key in free]
        new = [each for each in new if each not in known]
        return len(fitting(found.identifiers, new)) == len(new)

    def merge(
        self, event: Event, loser: str, into: str, weak: tuple[str, ...] | None
    ) -> None:
        """Note that one becomes part of another one."""
        if any(merge.customer == loser for merge in self.merges):
            return
        self.merges.append(
            Merge(
                id=derived("merge", loser, into, event.source, event.id),
                customer=loser,
                into=into,
                received_at=event.received_at,
                unless_known=weak,
            )
        )

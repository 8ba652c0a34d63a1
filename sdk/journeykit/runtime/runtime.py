"""The runtime: what comes in is decided and stored, batch by batch.

A batch is grouped by customer. All documents are loaded at once, each customer's stimuli
are handled in their order, and everything is committed at once: documents, wake-ups,
commands, decisions, and how far the reader has read. Whoever was changed by somebody
else in between is loaded and decided again. Nothing is acknowledged before that.

There are two clocks. By the wall clock (`now` is given), a batch happens now: waits that
were due fire at their own instants, messages are released by the clock. By the event
clock (`now` is None), each stimulus happens when it was received, and all that is due
before that has happened before, each at its own instant. Then nothing depends on how the
stream was cut into batches, and a replay decides what the simulator decides.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, Self

import msgspec
from msgspec.structs import astuple, replace

from journeykit.channels import Report
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import AbsorbCustomer, Command
from journeykit.engine.customer import Customer, created
from journeykit.engine.ids import identity_key, log_id
from journeykit.engine.limits import SEEN_MS
from journeykit.engine.react import Reaction, react
from journeykit.engine.records import lines_of
from journeykit.engine.redaction import redacted
from journeykit.engine.stimuli import (
    Absorb,
    Merge,
    Returned,
    Stimulus,
    WakeUp,
    encoded,
    kind_of,
    readdressed,
)
from journeykit.engine.trace import TraceEntry
from journeykit.engine.unheard import Unheard
from journeykit.engine.words import words_of
from journeykit.errors import (
    DamagedDocument,
    DefinitionError,
    InputError,
    StaleCatalog,
    StoreBusy,
    StoreError,
)
from journeykit.happened import Reacted
from journeykit.model.events import MAX_LINE, PLACEMENT_REQUESTED, Event, checked
from journeykit.model.identity import DEFAULT as ANYBODY, IdentityRules
from journeykit.observers import Observers
from journeykit.ports import (
    NOTHING,
    Along,
    Change,
    Conflicts,
    CustomerStore,
    DeadLetter,
    Deliveries,
    Handovers,
    Identities,
    Inbox,
    References,
)
from journeykit.runtime.catalogs import CatalogSource
from journeykit.runtime.failures import places
from journeykit.runtime.identities import NOBODY as NAMES_NOBODY, Resolver, way_of
from journeykit.runtime.reports import NOBODY, event_of, meant, says_no

_log = logging.getLogger("journeykit.runtime")

BATCH = 1000
"""Customers or stimuli in one commit: beyond it, a batch only takes longer to be done."""

_SWEEP = 10 * BATCH  # wake-ups that are looked up at once
_POISON_MS = 5 * 60_000  # a wake-up that fails rests so long before the next attempt
_LONGEST_POISON_MS = 24 * 60 * 60_000
_UNREADABLE = -1  # in place of the due instant, if the document can't be read
_EARLY_MS = 30_000  # from a provider's answer until what came of it is written down
_RACES = 20  # lost in a row, and the store is called busy


_AT_ONCE = 5  # races lost until it pays to wait, where an attempt is a millisecond
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


def back_off(
    lost: int,
    *,
    at_once: int = _AT_ONCE,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> None:
    """Wait before another attempt, longer each time: up to 20 ms, and up to 0.5 s.

    Anything from 0 to a limit that doubles, so that those who lost together do not come
    back together.

    Args:
        lost: How many races were lost in a row.
        at_once: After so many of them nobody waits yet.
        sleep: Waits, seconds.
        draw: Returns a number from 0 to 1.
    """
    if (doubled := lost - at_once - 1) >= 0:
        sleep(draw() * min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**doubled))


class Asked(msgspec.Struct, frozen=True):
    """What was decided for a place that has asked what to show.

    Attributes:
        id: The id of the event by which it asked.
        customer: Whom it asked about.
        commands: What is to be done, the content for the place among it.
        trace: The decisions.
    """

    id: str
    customer: str
    commands: tuple[Command, ...]
    trace: tuple[TraceEntry, ...]


class Ingested(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        reactions: How many stimuli were handled.
        changed: How many customers were changed.
        commands: How many commands came of it.
        dead: How many stimuli could not be handled.
        asked: What places get that have asked what to show.
    """

    reactions: int = 0
    changed: int = 0
    commands: int = 0
    dead: int = 0
    asked: tuple[Asked, ...] = ()

    def plus(self, other: Self) -> Self:
        """Both together."""
        return type(self)(
            *[a + b for a, b in zip(*map(astuple, (self, other)), strict=True)]
        )


class Kept(
    CustomerStore,
    Deliveries,
    References,
    Identities,
    Conflicts,
    Handovers,
    Protocol,
):
    """What the runtime needs of a store."""


class Runtime:
    """Decides and stores. One thread calls it; others may call the same store."""

    def __init__(
        self,
        store: Kept,
        catalog: CatalogSource,
        *,
        inbox: Inbox | None = None,
        observers: Observers | None = None,
        loggable: Iterable[str] = (),
        salt: Callable[[], str] = lambda: secrets.token_hex(8),
        back_off: Callable[[int], None] = back_off,
        identity: IdentityRules = ANYBODY,
    ) -> None:
        """Join the parts.

        Args:
            store: Where everything is kept.
            catalog: Returns the newest catalog; asked for each batch, and for a fresh one
                when a customer has seen a newer one.
            inbox: What `drain` empties; None where a queue hands stimuli over itself.
            observers: Plugins that look at reactions.
            loggable: Fields whose values the decision log may hold: `event.total`.
            salt: Draws what a new customer's name in the logs is made with.
            back_off: Waits after so many lost races in a row, before the next attempt.
            identity: Which identifiers say whom an event is about.
        """
        self._store = store
        self._resolver = Resolver(identity, store, self._readable)
        self._catalog = catalog
        self._inbox = inbox
        self._observers = observers if observers and observers.want_reactions else None
        self._loggable = frozenset(loggable)
        self._explain = bool(self._loggable)
        self._unheard: tuple[Catalog, Unheard] | None = None
        self._salt = salt
        self._back_off = back_off
        self._poisoned: dict[tuple[int, str], tuple[int, int]] = {}

    # --- the verbs -------------------------------------------------------------------

    def ingest(
        self,
        stimuli: Sequence[Stimulus],
        *,
        now: int | None,
        along: Along = NOTHING,
        door: str = "inbox",
    ) -> Ingested:
        """Decide about stimuli, and store what was decided.

        What can't be handled becomes a dead letter; the others are not concerned.

        Args:
            stimuli: In their order.
            now: The wall clock, milliseconds; None: the event clock.
            along: What is to be stored with it.
            door: Where they came in, for the dead letters.

        Raises:
            StoreError: Nothing was stored; the same batch may be tried again.
            DefinitionError: There is no catalog that could be run.
        """
        concerns = self._resolver.concerns
        for stimulus in stimuli:
            if isinstance(stimulus, Merge) or (
                isinstance(stimulus, Event) and concerns(stimulus)
            ):
                return self._looked_up(stimuli, now=now, along=along, door=door)
        return self._ingest(stimuli, now=now, along=along, door=door)

    def refuse(self, event: Event) -> None:
        """Refuse an event that would be a dead letter, whatever is known of the customer.

        For whoever waits for the answer: what they ask in vain, nobody need try again.

        Raises:
            InputError: It is about nobody, or not what the schemas say.
            DefinitionError: There is no catalog that could be run.
        """
        if self._resolver.is_about_nobody(event):
            raise InputError(NAMES_NOBODY)
        if wrong := self._catalog().shapes.wrong(event.name, event.properties):
            raise InputError(f"properties: not what the schema says: {wrong}")

    def _ingest(
        self,
        stimuli: Sequence[Stimulus],
        *,
        now: int | None,
        along: Along,
        door: str,
    ) -> Ingested:
        """The same where each says whom it is about."""
        groups: dict[str, list[Stimulus]] = {}
        ignored = self._ignored(stimuli, now)
        skipped = self._skipped(stimuli, ignored, now) if ignored else ignored
        for stimulus in stimuli:
            if skipped and id(stimulus) in skipped:
                continue
            customer = stimulus.customer
            group = groups.get(customer)
            if group is None:
                groups[customer] = [stimulus]
            else:
                group.append(stimulus)
        done = self._batch(
            groups, now=now, along=along, door=door, order=stimuli, ignored=ignored
        )
        return replace(done, reactions=done.reactions + len(ignored))

    def _ignored(self, stimuli: Sequence[Stimulus], now: int | None) -> set[int]:
        """Events, by `id()`, that mean nothing to anybody; see `engine.unheard`.

        That is said of an event alone, whatever else is in the batch: else what is told of
        it would depend on how the stream is cut.
        """
        # Who wants to be told why nothing happened wants to hear of each; and who could
        # not be read may be mended.
        if self._explain or self._poisoned:
            return set()
        catalog = self._catalog()
        if self._unheard is None or self._unheard[0] is not catalog:
            self._unheard = catalog, Unheard(catalog)
        holds = self._unheard[1].holds
        return {
            id(one) for one in stimuli if type(one) is Event and holds(one, now=now)
        }

    def _skipped(
        self, stimuli: Sequence[Stimulus], ignored: set[int], now: int | None
    ) -> set[int]:
        """Those of them for which no document need be read.

        By the event clock, who is due before such an event, or may be for what else is in
        the batch, is looked at all the same: time passes for them.
        """
        if now is not None:
            return ignored
        found = [one for one in stimuli if id(one) in ignored and type(one) is Event]
        last = max(event.received_at for event in found)
        due = self._store.due(to_ms(last), BATCH)
        if len(due) == BATCH:
            return set()
        looked_at = {key[1] for key in due}
        looked_at |= {one.customer for one in stimuli if id(one) not in ignored}
        return {id(event) for event in found if event.customer not in looked_at}

    def _looked_up(
        self,
        stimuli: Sequence[Stimulus],
        *,
        now: int | None,
        along: Along,
        door: str,
    ) -> Ingested:
        """Look up whom events are about, and merge who turns out to be one person.

        What came before a merge is stored before it, so that it doesn't depend on how a
        stream is cut into batches. History is stored at once with how far it was read, or
        it might be learned twice; nobody moves by it, so the order means nothing.
        """
        at_once = any(type(one) is Event and one.history for one in stimuli)
        before: list[Stimulus] = []
        dead: list[DeadLetter] = []
        done = Ingested()

        def merge(merges: Sequence[Merge]) -> None:
            nonlocal before, done
            if before and not at_once:
                one = self._ingest(before, now=now, along=NOTHING, door=door)
                done, before = done.plus(one), []
            for each in merges:
                one = self._ingest([each], now=now, along=NOTHING, door=door)
                done = done.plus(one)

        resolver = self._resolver
        owners = resolver.owners(
            [one for one in stimuli if type(one) is Event and resolver.concerns(one)]
        )
        for stimulus in stimuli:
            if isinstance(stimulus, Merge):
                merge([stimulus])
                continue
            if type(stimulus) is not Event or not resolver.concerns(stimulus):
                before.append(stimulus)
                continue
            if self._is_refused(stimulus, now) and (
                whom := resolver.holder_of(stimulus, owners)
            ):
                before.append(replace(stimulus, customer=whom, identifiers={}))
                continue
            try:
                if why := self._is_refused(stimulus, now):
                    raise InputError(why)
                other = resolver.earlier_id(stimulus)
                if other and any(one.customer == other for one in before):
                    merge(())  # or nobody would know them yet
                found = resolver.resolve(stimulus, owners)
                for _ in range(_RACES):
                    if not found.merges:
                        break
                    merge(found.merges)
                    found = resolver.resolve(stimulus, owners)
                else:
                    raise StoreBusy("who is one person changes all the time; try again")
                if found.awaited:
                    merge(())
                    done = done.plus(self._taken_in(found.awaited, now))
            except InputError as error:
                kind, body = encoded(stimulus)
                at = to_ms(stimulus.received_at) if now is None else now
                dead.append(DeadLetter(at, door, error.message, "", kind, body))
                continue
            before += [*found.conflicts, found.event]
        if dead:
            along = replace(along, dead=(*along.dead, *dead))
            done = done.plus(Ingested(dead=len(dead)))
        return done.plus(self._ingest(before, now=now, along=along, door=door))

    def _is_refused(self, event: Event, now: int | None) -> str:
        """Why an event would be a dead letter whoever the customer is; empty: it isn't.

        An identifier of such an event is given to nobody.
        """
        if wrong := self._catalog().shapes.wrong(event.name, event.properties):
            return f"not what the schema says: {wrong}"
        if now is None or event.history or now - to_ms(event.received_at) < SEEN_MS:
            return ""
        return words_of(TraceEntry("refused", 0, reason="replay_too_old"))

    def wake(self, ids: Sequence[str], *, now: int) -> Ingested:
        """Wake customers: what is due by now happens. Who has nothing due stays asleep."""
        return self._batch(
            {id: [WakeUp(id)] for id in ids}, now=now, along=NOTHING, door="timer"
        )

    def tick(self, now: int, *, virtual: bool = False, most: int | None = None) -> int:
        """Wake everybody who is due; return how many wake-ups that took.

        Args:
            now: The clock, milliseconds.
            virtual: Whether each due instant happens at its own time, as if somebody
                had woken the customer right then.
            most: Stop after so many, so that others get their turn.
        """
        count = 0
        while most is None or count < most:
            rested = self._rested(now)
            sweep = _SWEEP if most is None else min(_SWEEP, most - count)
            due = self._store.due(now, sweep + len(rested))
            ids = [
                key[1]
                for key in due
                if key not in rested and (_UNREADABLE, key[1]) not in rested
            ]
            if not ids:
                return count
            # Cut first: who is due longest comes first, and nobody starves. Neighbors
            # in the store together: a batch then touches fewer of its pages.
            ids = sorted(ids[:sweep])
            for start in range(0, len(ids), BATCH):
                self._batch(
                    {id: [WakeUp(id)] for id in ids[start : start + BATCH]},
                    now=now,
                    along=NOTHING,
                    door="timer",
                    at_own_instants=virtual,
                )
            count += len(ids)
        return count

    def feedback(
        self,
        reports: Sequence[Report],
        *,
        now: int,
        channel: str = "",
        settles_late: bool = False,
        archive: Callable[[Sequence[Event]], None] | None = None,
    ) -> Ingested:
        """Take what providers say about messages; about an unknown one nothing is done.

        A report that keeps no bounds of an event becomes a dead letter, and so does a no
        from somebody who was never written to.

        Args:
            reports: What they say.
            now: The wall clock, milliseconds.
            channel: Whose provider says it. Without it only reports are understood that
                name our own delivery id.
            settles_late: Whether a provider may have a message that the store doesn't know
                by our own id yet.
            archive: Keeps what they say as events, before anything is stored.

        Raises:
            StoreError: The same reports may be tried again: nothing was stored, or one of
                them is about a message so new that it isn't known yet, or not under the
                name that its provider gave it.
        """
        events: list[Event] = []
        dead: list[DeadLetter] = []
        unknown = early = 0
        for report, whom in meant(
            reports, self._store, channel=channel, normalized=self._spelling(channel)
        ):
            if not whom and says_no(report):
                dead.append(_letter(report, NOBODY, "", now))
            elif not whom:
                unknown += 1
                age = now - to_ms(report.occurred_at)
                names_one = report.provider_id or (settles_late and report.delivery_id)
                early += bool(channel and names_one and age < _EARLY_MS)
            for one in whom:
                event = event_of(report, one, channel=channel, received_at=now)
                try:
                    events.append(checked(event))
                except InputError as error:
                    dead.append(_letter(report, error.message, one.customer, now))
        if unknown:
            _log.warning("%d reports are about messages not known here", unknown)
        done = Ingested()
        if events and archive is not None:
            archive(events)
        if events or dead:
            done = self.ingest(
                events, now=now, along=Along(dead=tuple(dead)), door="feedback"
            )
        if early:
            raise StoreBusy(
                "a provider was faster than the store: it speaks of a message that it has "
                "only just been given; the same report may come again"
            )
        return done

    def _spelling(self, channel: str) -> Callable[[str], str]:
        """Return how a channel's addresses are spelled where they are kept."""

        def normalized(address: str) -> str:
            try:
                return self._catalog().guards.rules_of(channel).normalize(address)
            except (StoreError, DefinitionError):
                raise
            except Exception:  # noqa: BLE001 - whatever a plugin makes of nonsense
                return address

        return normalized

    def drain(self, now: int | None) -> int:
        """Handle what stands in the inbox; return how much that was."""
        count = 0
        while self._inbox and (pending := self._inbox.pending(BATCH)):
            self.ingest(
                [stimulus for _, stimulus in pending],
                now=now,
                along=Along(handled=tuple(number for number, _ in pending)),
            )
            count += len(pending)
        return count

    # --- one batch -------------------------------------------------------------------

    def _batch(
        self,
        groups: Mapping[str, list[Stimulus]],
        *,
        now: int | None,
        along: Along,
        door: str,
        at_own_instants: bool = False,
        order: Sequence[Stimulus] = (),
        ignored: Collection[int] = (),
    ) -> Ingested:
        """Load, react, commit; again with whoever was changed by somebody else."""
        pending = groups
        done: list[_Turn] = []
        for lost in range(_RACES):
            if lost:
                self._back_off(lost)
            clock = _Clock(now, at_own_instants, ignored)
            turns, pending = self._decide(pending, clock, door, order)
            changes = [turn.change for turn in turns if turn.change is not None]
            refused = self._store.commit(changes, along=_with(along, [*done, *turns]))
            done += [turn for turn in turns if turn.id not in refused]
            if not refused:
                self._let_go(done)
                return self._committed(done).plus(self._absorbed(done, now))
            pending = {id: pending[id] for id in refused}
        raise StoreBusy("others change the same customers all the time; try again")

    def _absorbed(self, turns: Sequence[_Turn], now: int | None) -> Ingested:
        """Hand over at once what survivors take in; the inbox has it in any case."""
        groups: dict[str, list[Stimulus]] = {}
        for turn in turns:
            for command in turn.absorbs:
                groups.setdefault(command.customer, []).append(Absorb.of(command))
        if not groups:
            return Ingested()
        try:
            return self._batch(groups, now=now, along=NOTHING, door="merge")
        except StoreError as error:
            _log.warning("who was merged is taken in later: %s", error)
            return Ingested()

    def _taken_in(self, tombstones: Sequence[str], now: int | None) -> Ingested:
        """Hand over what merged customers have left, before their survivors go on."""
        groups: dict[str, list[Stimulus]] = {}
        for absorb in self._store.handovers(tombstones):
            groups.setdefault(absorb.customer, []).append(absorb)
        if not groups:
            return Ingested()
        return self._batch(groups, now=now, along=NOTHING, door="merge")

    def _let_go(self, turns: Sequence[_Turn]) -> None:
        """Give up what is nobody's any more, now that all is stored.

        That is what a tombstone has left, once its time is over; and identifiers for which
        a survivor has no room, since nobody could take them away again with the customer.
        """
        if spent := [turn.id for turn in turns if turn.is_spent]:
            self._store.forget_handovers(spent)
        for turn in turns:
            for holder, identifiers in turn.homeless:
                keys = [identity_key(*each.split(":", 1)) for each in identifiers]
                try:
                    for one in (holder, turn.id):
                        self._store.disown(keys, one)
                except StoreError as error:
                    _log.warning("identifiers lead to whom they don't name: %s", error)

    def _with_survivors(
        self,
        groups: Mapping[str, list[Stimulus]],
        known: Mapping[str, Customer],
        unreadable: Mapping[str, str],
        order: Sequence[Stimulus],
    ) -> tuple[Mapping[str, list[Stimulus]], Mapping[str, Customer], Mapping[str, str]]:
        """Turn from tombstones to those who are alive, in the order of receipt.

        What tombstones have left comes first, if it has not arrived yet: nothing is
        decided without it. A timer finds nothing there, and stays.
        """
        moved: dict[str, list[Stimulus]] = {name: [] for name in groups}
        joined: set[str] = set()
        awaited: dict[str, None] = {}
        places = {id(one): place for place, one in enumerate(order)}
        for name, stimuli in groups.items():
            found = known.get(name)
            if found is None or not found.merged_into:
                moved[name] += stimuli
                continue
            heir, missing = way_of(name, self._readable, known)
            if not all(isinstance(stimulus, Absorb | Merge) for stimulus in stimuli):
                awaited |= dict.fromkeys(missing)
            for stimulus in stimuli:
                if heir == name or isinstance(stimulus, WakeUp | Merge):
                    moved[name].append(stimulus)
                else:
                    own = readdressed(stimulus, heir)
                    places[id(own)] = places.get(id(stimulus), 0)
                    moved.setdefault(heir, []).append(own)
                    joined.add(heir)
        for name in joined:  # of two of one instant, the one that stands first
            moved[name].sort(key=lambda one: (_received(one), places.get(id(one), 0)))
        first: dict[str, list[Stimulus]] = {}
        for absorb in self._store.handovers(list(awaited)) if awaited else ():
            heir, _ = way_of(absorb.merged, self._readable, known)
            first.setdefault(heir, []).append(readdressed(absorb, heir))
        moved |= {name: [*left, *moved.get(name, ())] for name, left in first.items()}
        moved = {name: stimuli for name, stimuli in moved.items() if stimuli}
        new = [name for name in moved if name not in known and name not in unreadable]
        if new:
            more, lost = self._loaded(new)
            known, unreadable = {**known, **more}, {**unreadable, **lost}
        return moved, known, unreadable

    def _decide(
        self,
        groups: Mapping[str, list[Stimulus]],
        clock: _Clock,
        door: str,
        order: Sequence[Stimulus],
    ) -> tuple[list[_Turn], Mapping[str, list[Stimulus]]]:
        """React; return also by whom it was decided, which may be survivors of others."""
        known, unreadable = self._loaded(list(groups))
        if any(customer.merged_into for customer in known.values()):
            groups, known, unreadable = self._with_survivors(
                groups, known, unreadable, order
            )
        catalog = self._catalog()
        turns = []
        for id, stimuli in groups.items():
            turn = _Turn(self, id, known.get(id), door)
            if id in unreadable:
                turn.give_up(stimuli, unreadable[id], clock)
                turns.append(turn)
                continue
            try:
                turn.take(stimuli, catalog, clock)
            except StaleCatalog:  # published a moment ago
                catalog = self._catalog(fresh=True)
                turn = _Turn(self, id, known.get(id), door)
                turn.take(stimuli, catalog, clock)
            turns.append(turn)
        return turns, groups

    def _readable(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are and that can be read."""
        return self._loaded(ids)[0]

    def _loaded(
        self, ids: Sequence[str]
    ) -> tuple[Mapping[str, Customer], Mapping[str, str]]:
        """Return the documents, and why those that can't be read can't.

        Raises:
            StoreError: The store fails; or a later release has written one: nothing is
                lost then, and this process is to be started again.
        """
        known: dict[str, Customer] = {}
        try:
            known.update(self._store.load(ids))
        except DamagedDocument:
            pass  # one by one then: the others are not concerned
        else:
            if self._poisoned:
                for id in ids:  # who was mended needs no rest
                    self._poisoned.pop((_UNREADABLE, id), None)
            return known, {}
        unreadable: dict[str, str] = {}
        for id in ids:
            try:
                known.update(self._store.load([id]))
            except DamagedDocument as error:
                unreadable[id] = str(error)
                _log.error("what came for a customer is a dead letter now: %s", error)
        return known, unreadable

    def _committed(self, turns: Sequence[_Turn]) -> Ingested:
        """Let rest who can't be read, tell the observers, and count."""
        for turn in turns:
            if turn.given_up is not None:
                self._rest_longer((_UNREADABLE, turn.id), turn.given_up)
        if self._observers is not None:
            for turn in turns:
                for reacted in turn.reacted:
                    self._observers.after_reaction(reacted)
        changes = [turn.change for turn in turns if turn.change is not None]
        return Ingested(
            reactions=sum([turn.reactions for turn in turns]),
            changed=len(changes),
            commands=sum([len(change.commands) for change in changes]),
            dead=sum([len(turn.dead) for turn in turns]),
            asked=tuple([asked for turn in turns for asked in turn.asked]),
        )

    def _rest(self, customer: Customer, due: int, now: int) -> None:
        """Let a wake-up that did nothing rest, longer each time.

        Only `tick` wakes somebody again after that. Where wake-ups come by a queue, the
        next thing that happens to the customer does.
        """
        name = log_id(customer.id, customer.salt)
        _log.error(
            "customer %s is due and does not move: `tick` leaves it alone for a while, "
            "and a queue until something happens to it",
            name,
        )
        self._rest_longer((due, customer.id), now)

    def _rest_longer(self, key: tuple[int, str], now: int) -> None:
        _, rest = self._poisoned.get(key, (0, _POISON_MS // 2))
        rest = min(2 * rest, _LONGEST_POISON_MS)
        self._poisoned[key] = (now + rest, rest)

    def _rested(self, now: int) -> set[tuple[int, str]]:
        """Return which wake-ups rest; those that did long ago are forgotten."""
        long_ago = now - _LONGEST_POISON_MS
        self._poisoned = {
            key: rest for key, rest in self._poisoned.items() if rest[0] > long_ago
        }
        return {key for key, rest in self._poisoned.items() if rest[0] > now}


def _letter(report: Report, reason: str, customer: str, now: int) -> DeadLetter:
    kind, body = _written(report)
    return DeadLetter(
        at=now,
        door="feedback",
        reason=reason,
        customer=customer,
        kind=kind,
        body=body[:MAX_LINE],
    )


def _written(report: Report) -> tuple[str, bytes]:
    """A report as a dead letter keeps it: its kind, and JSON if it can be."""
    try:
        return "report", msgspec.json.encode(report, enc_hook=repr)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return "", repr(report).encode(errors="backslashreplace")


def _received(stimulus: Stimulus) -> int:
    return 0 if isinstance(stimulus, WakeUp) else to_ms(stimulus.received_at)


class _Clock:
    """What time it is for a batch.

    Attributes:
        now: The wall clock, milliseconds; None: the event clock.
        at: The same as a datetime.
        own_instants: Whether a wake-up lets each due instant happen at its own time.
        ignored: Events, by `id()`, that do nothing but let time pass.
    """

    __slots__ = ("at", "ignored", "now", "own_instants")

    def __init__(
        self, now: int | None, own_instants: bool, ignored: Collection[int]
    ) -> None:
        self.now = now
        self.ignored = ignored
        self.at = None if now is None else to_datetime(now)
        self.own_instants = own_instants


def _with(along: Along, turns: Sequence[_Turn]) -> Along:
    """What is stored with the batch: also what could not be handled or changed nothing."""
    dead = [letter for turn in turns for letter in turn.dead]
    lines = [turn.lines for turn in turns if turn.change is None and turn.lines]
    if not dead and not lines:
        return along
    return replace(
        along, dead=(*along.dead, *dead), lines=along.lines + b"".join(lines)
    )


class _Turn:
    """One customer's stimuli of a batch, in their order, and what came of them.

    Attributes:
        id: The customer's.
        reactions: How many there were.
        change: What is to be stored; None: nothing.
        lines: The decisions.
        dead: What could not be handled.
        given_up: When a wake-up found a document that can't be read; None: it didn't.
        reacted: For the observers.
        absorbs: What survivors are to take in, if the customer was merged.
        asked: What places get that have asked what to show.
        is_spent: Whether a wake-up found a tombstone, whose past is elsewhere by now.
        homeless: Identifiers for which there is no room, with whose they were.
    """

    __slots__ = (
        "_before",
        "_commands",
        "_customer",
        "_door",
        "_lines",
        "_log_id",
        "_runtime",
        "absorbs",
        "asked",
        "change",
        "dead",
        "given_up",
        "homeless",
        "id",
        "is_spent",
        "lines",
        "reacted",
        "reactions",
    )

    def __init__(
        self, runtime: Runtime, id: str, before: Customer | None, door: str
    ) -> None:
        self._runtime = runtime
        self._before = self._customer = before
        self._door = door
        self._log_id = ""
        self._commands: tuple[Command, ...] = ()
        self.id = id
        self.reactions = 0
        self.change: Change | None = None
        self.lines = b""
        self._lines: list[bytes] = []
        self.dead: list[DeadLetter] = []
        self.given_up: int | None = None
        self.reacted: list[Reacted] = []
        self.absorbs: list[AbsorbCustomer] = []
        self.asked: tuple[Asked, ...] = ()
        self.is_spent = False
        self.homeless: list[tuple[str, list[str]]] = []

    def take(
        self, stimuli: Sequence[Stimulus], catalog: Catalog, clock: _Clock
    ) -> None:
        """React to each; by the event clock, to what is due before it as well."""
        at = clock.at
        for stimulus in stimuli:
            if isinstance(stimulus, WakeUp):
                self._wake(stimulus, catalog, clock)
            elif at is None:
                received_at = stimulus.received_at
                customer = self._customer
                if customer is not None and customer.next_due is not None:
                    self._pass_time(to_ms(received_at), catalog)
                if id(stimulus) not in clock.ignored:
                    self._react(stimulus, catalog, received_at)
            else:
                self._react(stimulus, catalog, at)
        self.lines = b"".join(self._lines)
        customer = self._customer
        if customer is not None and customer is not self._before:
            self.change = Change(self._before, customer, self._commands, self.lines)

    def give_up(self, stimuli: Sequence[Stimulus], reason: str, clock: _Clock) -> None:
        """Bury all, since the customer can't be read; a wake-up once, then it rests."""
        for stimulus in stimuli:
            if isinstance(stimulus, WakeUp):
                at = clock.at or to_datetime(0)  # the document had the event clock
                self.given_up = to_ms(at)
                if (_UNREADABLE, self.id) in self._runtime._poisoned:
                    continue
            else:
                at = clock.at or stimulus.received_at
            self._bury(stimulus, reason, at)

    def _wake(self, stimulus: WakeUp, catalog: Catalog, clock: _Clock) -> None:
        """Let happen what is due; who is due and does not move, rests."""
        customer = self._customer
        if customer is None:
            return  # a nudge for somebody who is not here any more
        if customer.merged_into:
            self.is_spent = True
            return
        now = customer.next_due or customer.clock if clock.now is None else clock.now
        if clock.own_instants:
            self._pass_time(now + 1, catalog)
        else:
            self._react(stimulus, catalog, to_datetime(now))
        due = customer.next_due
        if self._customer is customer and due is not None and due <= now:
            self._runtime._rest(customer, due, now)

    def _pass_time(self, until: int, catalog: Catalog) -> None:
        """Let what is due before an instant happen, each at its own."""
        customer = self._customer
        while (
            customer is not None
            and customer.next_due is not None
            and customer.next_due < until
        ):
            self._react(WakeUp(customer.id), catalog, to_datetime(customer.next_due))
            if self._customer is customer:
                return  # it failed; its letter says why
            customer = self._customer

    def _react(self, stimulus: Stimulus, catalog: Catalog, now: datetime) -> None:
        """React, and bury what can't be handled."""
        runtime, customer = self._runtime, self._customer
        if catalog.shapes and isinstance(stimulus, Event):
            wrong = catalog.shapes.wrong(stimulus.name, stimulus.properties)
            if wrong:
                self._bury(stimulus, f"not what the schema says: {wrong}", now)
                return
        if customer is None:
            born = to_ms(now if isinstance(stimulus, WakeUp) else stimulus.received_at)
            customer = created(stimulus.customer, born, salt=runtime._salt())
        try:
            reaction = react(
                customer, stimulus, catalog=catalog, now=now, explain=runtime._explain
            )
        except StaleCatalog:
            raise
        except Exception as error:  # noqa: BLE001 - one must not stop the others
            # Without the message, which may quote what the customer brought.
            _log.error(
                "a reaction failed; its stimulus is a dead letter now: %s",
                places(error),
            )
            self._bury(stimulus, f"{type(error).__name__}: {error}", now)
            return
        self.reactions += 1
        if reaction.refused:
            why = words_of(TraceEntry("refused", 0, reason=reaction.refused))
            self._bury(stimulus, why, now)
        changed = reaction.customer is not customer
        if changed:
            self._customer = reaction.customer
            if reaction.commands:
                self._commands += reaction.commands
                if reaction.customer.merged_into:
                    self.absorbs += [
                        it for it in reaction.commands if isinstance(it, AbsorbCustomer)
                    ]
            if isinstance(stimulus, Absorb):
                known = {*reaction.customer.identifiers}
                theirs = stimulus.snapshot.get("identifiers", ())
                if left := [each for each in theirs if each not in known]:
                    self.homeless.append((stimulus.merged, left))
        if isinstance(stimulus, Event) and stimulus.name == PLACEMENT_REQUESTED:
            asked = Asked(stimulus.id, customer.id, reaction.commands, reaction.trace)
            self.asked += (asked,)
        if reaction.trace:
            self._log(reaction, stimulus, now, catalog.valued, changed=changed)

    def _log(
        self,
        reaction: Reaction,
        stimulus: Stimulus,
        now: datetime,
        valued: frozenset[str],
        *,
        changed: bool,
    ) -> None:
        """Write the decisions as the log may have them; `valued` is what goals are worth.

        Who gives a goal a value wants to see it in a report, so it may be logged.
        """
        runtime, customer = self._runtime, reaction.customer
        loggable = runtime._loggable | valued if valued else runtime._loggable
        trace = tuple([redacted(entry, loggable) for entry in reaction.trace])
        name = self._log_id
        if not name:
            name = self._log_id = log_id(customer.id, customer.salt)
        self._lines.append(
            lines_of(
                trace,
                customer=name,
                revision=customer.revision,
                now=to_ms(now),
                event=_id_of(stimulus),
                source=stimulus.source if isinstance(stimulus, Event) else None,
                changed=changed,
            )
        )
        if runtime._observers is not None:
            self.reacted.append(
                Reacted(
                    log_id=name,
                    revision=customer.revision,
                    stimulus=_name_of(stimulus),
                    trace=trace,
                    commands=len(reaction.commands),
                    now=now,
                )
            )

    def _bury(self, stimulus: Stimulus, reason: str, now: datetime) -> None:
        kind, body = encoded(stimulus)
        self.dead.append(
            DeadLetter(to_ms(now), self._door, reason, stimulus.customer, kind, body)
        )


def _id_of(stimulus: Stimulus) -> str:
    """What tells a stimulus from others of its customer, for the log."""
    if isinstance(stimulus, Returned):
        return stimulus.message.delivery_id
    return "" if isinstance(stimulus, WakeUp) else stimulus.id


def _name_of(stimulus: Stimulus) -> str:
    """What a stimulus is called."""
    if isinstance(stimulus, Event):
        return stimulus.name
    return kind_of(stimulus)

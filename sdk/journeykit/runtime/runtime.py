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
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec.structs import replace

from journeykit.channels import Report
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import Command
from journeykit.engine.customer import Customer, created
from journeykit.engine.ids import log_id
from journeykit.engine.react import Reaction, react
from journeykit.engine.records import lines_of
from journeykit.engine.redaction import redacted
from journeykit.engine.stimuli import (
    Enroll,
    Remove,
    Stimulus,
    WakeUp,
    encoded,
    kind_of,
)
from journeykit.engine.trace import TraceEntry
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
from journeykit.model.events import MAX_LINE, Event, checked
from journeykit.observers import Observers
from journeykit.ports import (
    NOTHING,
    Along,
    Change,
    CustomerStore,
    DeadLetter,
    Deliveries,
    Inbox,
    References,
)
from journeykit.runtime.catalogs import CatalogSource
from journeykit.runtime.failures import places
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


class Ingested(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        reactions: How many stimuli were handled.
        changed: How many customers were changed.
        commands: How many commands came of it.
        dead: How many stimuli could not be handled.
    """

    reactions: int = 0
    changed: int = 0
    commands: int = 0
    dead: int = 0


class Kept(CustomerStore, Deliveries, References, Protocol):
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
        """
        self._store = store
        self._catalog = catalog
        self._inbox = inbox
        self._observers = observers if observers and observers.want_reactions else None
        self._loggable = frozenset(loggable)
        self._explain = bool(self._loggable)
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
        groups: dict[str, list[Stimulus]] = {}
        for stimulus in stimuli:
            customer = stimulus.customer
            group = groups.get(customer)
            if group is None:
                groups[customer] = [stimulus]
            else:
                group.append(stimulus)
        return self._batch(groups, now=now, along=along, door=door)

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
    ) -> Ingested:
        """Load, react, commit; again with whoever was changed by somebody else."""
        pending = groups
        done: list[_Turn] = []
        for lost in range(_RACES):
            if lost:
                self._back_off(lost)
            clock = _Clock(now, at_own_instants)
            turns = self._decide(pending, clock, door)
            changes = [turn.change for turn in turns if turn.change is not None]
            refused = self._store.commit(changes, along=_with(along, [*done, *turns]))
            if not refused:
                return self._committed([*done, *turns])
            done += [turn for turn in turns if turn.id not in refused]
            pending = {id: groups[id] for id in refused}
        raise StoreBusy("others change the same customers all the time; try again")

    def _decide(
        self, groups: Mapping[str, list[Stimulus]], clock: _Clock, door: str
    ) -> list[_Turn]:
        known, unreadable = self._loaded(list(groups))
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
        return turns

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


class _Clock:
    """What time it is for a batch.

    Attributes:
        now: The wall clock, milliseconds; None: the event clock.
        at: The same as a datetime.
        own_instants: Whether a wake-up lets each due instant happen at its own time.
    """

    __slots__ = ("at", "now", "own_instants")

    def __init__(self, now: int | None, own_instants: bool) -> None:
        self.now = now
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
    """

    __slots__ = (
        "_before",
        "_commands",
        "_customer",
        "_door",
        "_lines",
        "_log_id",
        "_runtime",
        "change",
        "dead",
        "given_up",
        "id",
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
    if isinstance(stimulus, Event | Enroll | Remove):
        return stimulus.id
    return "" if isinstance(stimulus, WakeUp) else stimulus.message.delivery_id


def _name_of(stimulus: Stimulus) -> str:
    """What a stimulus is called."""
    if isinstance(stimulus, Event):
        return stimulus.name
    return kind_of(stimulus)

"""The dispatcher: committed commands go to channels and actions, and come back settled.

A command is claimed under a lease before anybody outside sees it, and settled when it is
known what came of it. If the process dies in between, the lease runs out, and the command
is *uncertain*: a provider that honors the delivery id is asked again with the same one;
otherwise the channel's own choice holds, to `resend` it or to `hold` it.

What can't go now is put off: for its slot of the pace, until a provider is up again, for
the next attempt. What can't go within a quarter of an hour, or before quiet hours begin,
returns to the customer, where it passes the guards again.

A message is composed right before it is handed over, at each attempt anew: from the
templates that are live then, by the clock of its decision. One that can't be composed
fails by itself; the others of its batch go.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from journeykit.channels import (
    Action,
    ActionCall,
    CallFailed,
    CallOutcome,
    Channel,
    Completed,
    Message,
    NoticeBoard,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)
from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import (
    AbsorbCustomer,
    CallAction,
    Command,
    PublishEvent,
    SendMessage,
)
from journeykit.engine.ids import address_key, provider_key
from journeykit.engine.stimuli import Absorb, Returned, ReturnReason, Stimulus
from journeykit.errors import (
    ContentError,
    DefinitionError,
    InputError,
    PluginError,
    StoreError,
)
from journeykit.happened import Delivered
from journeykit.model.events import (
    CALL_COMPLETED,
    CALL_FAILED,
    MESSAGE_BOUNCED,
    MESSAGE_FAILED,
    MESSAGE_SENT,
    MESSAGE_UNCERTAIN,
    MESSAGE_UNSUBSCRIBED,
    Event,
)
from journeykit.observers import Observers
from journeykit.ports import (
    SAME_ADDRESS,
    UNCOUNTED,
    Catalogs,
    Claims,
    Deliveries,
    Outbox,
    Reference,
    Settled,
    Slots,
    Task,
)
from journeykit.runtime.answers import outcomes_in, receipts_in
from journeykit.runtime.breaker import ChannelBreaker, trips
from journeykit.runtime.catalogs import set_state
from journeykit.runtime.composing import Compose
from journeykit.runtime.failures import places
from journeykit.runtime.quotas import taken
from journeykit.runtime.retries import ATTEMPTS, HORIZON_MS, MINUTE_MS, backoff

_log = logging.getLogger("journeykit.dispatcher")

LEASE_MS = 10 * MINUTE_MS
"""How long a claimed command is nobody else's. A channel's `send` must be done within
half of it."""

_HAND_OVER_S = LEASE_MS / 2000  # then nothing more is handed over under this lease
_CLAIMED = 1000  # commands at once
_HALTED = ("paused", "stopped")  # states of a journey that sends nothing
CONTENT = "content"
"""Why a message failed that could not be composed."""

_DETAIL = 400  # characters of the words for that
_SAY_S = 60  # between two log lines about the same that messages wait for
_MOST_SAID = 100
_SETTLE = 100  # outcomes written at once, where a second message does no harm
_SETTLE_S = 5  # and no later than then: a death makes few of them come again

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")
A = TypeVar("A")
C = TypeVar("C", SendMessage, CallAction)


class Outgoing(Outbox, Deliveries, Slots, Claims, Catalogs, NoticeBoard, Protocol):
    """What the dispatcher needs of a store."""


Publish = Callable[[Sequence[PublishEvent]], None]
"""Hands events to the outside; raising means that none of them was."""


class Dispatcher:
    """Hands over what was decided. One of them a process; the store keeps them apart."""

    def __init__(
        self,
        store: Outgoing,
        catalog: Callable[[], Catalog],
        *,
        channels: Mapping[str, Channel],
        actions: Mapping[str, Action] | None = None,
        publish: Publish | None = None,
        observers: Observers | None = None,
        workers: int = 1,
        compose: Compose | None = None,
        seeds: Mapping[str, Collection[str]] | None = None,
        dry_run: bool = False,
    ) -> None:
        """Join the parts.

        Args:
            store: Where commands wait; channels leave in-app messages there, too.
            catalog: Returns the newest catalog.
            channels: Who carries each channel that journeys name.
            actions: Who does what Call steps name.
            publish: Takes events that journeys publish.
            observers: Plugins that look at deliveries.
            workers: How many batches of one channel go at the same time.
            compose: Makes of a message what its provider gets; None: nobody has
                templates, and channels get a template's name and the variables.
            seeds: Addresses that test traffic really goes to, by channel.
            dry_run: Whether nothing goes out: mocks carry and do everything, and what
                journeys publish is published to nobody.
        """
        self._store = store
        self._catalog = catalog
        self._channels = channels
        for channel in channels.values():
            channel.board = store
        self._actions = dict(actions or {})
        for action in self._actions.values():
            action.claims = store
        self._publish = None if dry_run else publish
        self._compose = compose
        self._seeds = {
            name: {channels[name].normalize(address) for address in addresses}
            for name, addresses in (seeds or {}).items()
            if name in channels
        }
        self._dry_run = dry_run
        self._observers = observers if observers and observers.want_deliveries else None
        self._workers = workers
        self._most = _most_at_once(channels.values(), workers)
        self._breakers: defaultdict[str, ChannelBreaker] = defaultdict(ChannelBreaker)
        self._waits_said: dict[str, float] = {}

    def deliver(
        self,
        now: int,
        *,
        virtual: bool = False,
        limit: int | None = None,
        seconds: float = _HAND_OVER_S,
    ) -> int:
        """Hand over what is due; return how many commands that was.

        Args:
            now: The clock, milliseconds.
            virtual: Whether it is the event clock, which jumps from batch to batch: by
                it nothing that was released in time comes too late.
            limit: The most commands to claim at once; if a channel is not idempotent,
                no more than are handed over at once if not given: what is claimed when
                the process dies is uncertain.
            seconds: For how long to hand over, at most half of the lease; what was
                claimed by then and not handed over waits.

        Raises:
            StoreError: What was not handed over waits as before. Of the rest it may be
                unknown what came of it: that lapses with its lease, and is asked then.
        """
        most = self._most if limit is None else limit
        until = time.monotonic() + min(seconds, _HAND_OVER_S)
        tasks = self._store.take(now, most, lease_until=now + LEASE_MS)
        if not tasks:
            return 0
        claimed = _Round(self, tasks, now, virtual=virtual, until=until)
        try:
            claimed.run(self._catalog())
        except BaseException:
            claimed.give_back()
            raise
        return len(tasks)

    def _is_mocked(self, message: SendMessage) -> bool:
        """Whether the mock of its channel carries a message."""
        if self._dry_run or not message.test:
            return self._dry_run
        seeds = self._seeds.get(message.channel, ())
        carrier = self._channels.get(message.channel)
        return not carrier or carrier.normalize(message.address) not in seeds

    def _say_waits(self, command: SendMessage, why: str) -> None:
        """Log why messages wait; each reason once a minute, as it is that of many."""
        now = time.monotonic()
        if now - self._waits_said.get(why, -math.inf) < _SAY_S:
            return
        if len(self._waits_said) >= _MOST_SAID:
            self._waits_said.clear()
        self._waits_said[why] = now
        _log.error("message %s waits: %s", command.delivery_id, why)

    @property
    def open_breakers(self) -> Sequence[str]:
        """The channels that are not asked at present."""
        return sorted(name for name, one in self._breakers.items() if one.is_open)


def _most_at_once(channels: Iterable[Channel], workers: int) -> int:
    """How many commands to claim at once."""
    careful = [c.capabilities for c in channels if not c.capabilities.idempotent]
    return min([_CLAIMED, *(workers * able.batch_size for able in careful)])


class _Lane(NamedTuple):
    """Where messages or calls queue for one carrier."""

    name: str
    mocked: bool


class _Unfit(NamedTuple):
    """A message that nobody is asked about.

    Attributes:
        reason: Why it can't be sent; empty: it can't be sent now.
        detail: The same in words.
    """

    reason: str = ""
    detail: str = ""


class _Order(NamedTuple, Generic[C, A]):
    """What is to be asked.

    Attributes:
        asked: The commands that somebody outside is asked about.
        ask: Asks, and always returns an answer for each of them.
        known: What is known of the others without asking.
    """

    asked: Sequence[tuple[Task, C]]
    ask: Callable[[], Mapping[str, A]]
    known: Mapping[str, A] = {}


class _Handed(NamedTuple, Generic[A]):
    """What came of handing a batch over.

    Attributes:
        answers: One for each that was handed over, by its id.
        halted: The journeys that were halted by then: theirs was not handed over.
    """

    answers: Mapping[str, A]
    halted: Collection[str]


class _Round:
    """What was claimed at once, on its way."""

    _catalog: Catalog

    def __init__(
        self,
        dispatcher: Dispatcher,
        tasks: Sequence[Task],
        now: int,
        *,
        virtual: bool,
        until: float,
    ) -> None:
        self._own = dispatcher
        self._virtual = virtual
        self._store = dispatcher._store
        self._now = now
        self._until = until  # by the monotonic clock, seconds
        self._settled_at = time.monotonic()
        self._settled: list[Settled] = []
        self._reports: list[Stimulus] = []
        self._references: list[Reference] = []
        self._told: list[Delivered] = []
        self._places: list[SendMessage] = []  # to give back, as those went to nobody
        # Whoever lapsed may have been asked about: that counts, or it never ended.
        self._tasks = {
            task.id: replace(task, attempts=task.attempts + task.lapsed)
            for task in tasks
        }
        self._asked: set[int] = set()  # others may know of these by now
        self._is_over = False
        self._lock = threading.Lock()
        self._failed: set[str] = set()

    def run(self, catalog: Catalog) -> None:
        """Send all of it, and settle."""
        self._catalog = catalog
        messages: dict[_Lane, list[tuple[Task, SendMessage]]] = {}
        calls: dict[_Lane, list[tuple[Task, CallAction]]] = {}
        events: list[tuple[Task, PublishEvent]] = []
        for task in tuple(self._tasks.values()):
            match task.command:
                case SendMessage() as message:
                    lane = _Lane(message.channel, self._own._is_mocked(message))
                    messages.setdefault(lane, []).append((task, message))
                case CallAction() as call:
                    lane = _Lane(call.action, call.test or self._own._dry_run)
                    calls.setdefault(lane, []).append((task, call))
                case PublishEvent() as event:
                    events.append((task, event))
                case AbsorbCustomer() as absorb:  # nobody outside is asked
                    self._reports.append(Absorb.of(absorb))
                    self._settled.append(
                        Settled(task.id, "sent", self._now, task.attempts + 1)
                    )
        for lane, sends in messages.items():
            self._send(lane, sends)
        for lane, waiting in calls.items():
            self._call(lane, waiting)
        if events:
            self._published(events)
        self._settle()
        self._break_journeys()

    def give_back(self) -> None:
        """Let go of what nobody was asked about, so that it isn't taken for uncertain."""
        with self._lock:
            self._is_over = True
        known = {one.id for one in self._settled}
        back = [
            Settled(id, "again", self._now, task.attempts, reserved=task.reserved)
            for id, task in self._tasks.items()
            if id not in self._asked and id not in known
        ]
        # Apart, since what is known may be what can't be stored.
        with suppress(Exception):  # then it lapses
            self._settle()
        self._settled, self._reports, self._references, self._told = back, [], [], []
        with suppress(Exception):
            self._settle()

    def _halted(self, journeys: Iterable[str], states: Collection[str]) -> set[str]:
        """Which of these journeys are in one of these states by now.

        An operator who pauses a journey doesn't wait for what was claimed before. Asked
        by several threads at once.
        """
        state_of = self._own._catalog().state_of
        return {journey for journey in {*journeys} if state_of(journey) in states}

    def _asks(self, batch: Sequence[tuple[Task, object]]) -> bool:
        """Note that a batch is handed over now; False: it may not be any more."""
        with self._lock:
            if not self._is_over:
                self._asked.update([task.id for task, _ in batch])
            return not self._is_over

    # --- messages --------------------------------------------------------------------

    def _send(self, lane: _Lane, sends: Sequence[tuple[Task, SendMessage]]) -> None:
        """Hand over the messages of one channel, as far as they may go now."""
        channel = self._own._channels.get(lane.name)
        if channel is not None and lane.mocked:
            channel = channel.mock()
        ready = [
            (task, message)
            for task, message in sends
            if self._may_go(task, message, channel)
        ]
        if channel is None or not ready:
            return
        breaker = self._own._breakers[lane.name]
        reopens = None if lane.mocked else breaker.opens_at(self._now)
        if reopens is not None:
            for task, message in ready:
                self._put_off(task, message, reopens, "breaker")
            return
        if not lane.mocked:
            ready = self._paced(lane.name, channel.capabilities.rate, ready)
        size = channel.capabilities.batch_size
        if breaker.is_open:  # a probe: one batch finds out for all
            for task, message in ready[size:]:
                self._put_off(task, message, self._now + MINUTE_MS, "breaker")
            ready = ready[:size]
        if not lane.mocked and channel.capabilities.daily_quota is not None:
            ready = self._within(lane.name, channel.capabilities.daily_quota, ready)
        careful = not channel.capabilities.idempotent
        probes = breaker.is_open
        for batch, handed in self._handed(
            _cut(ready, size),
            lambda going: self._composed(channel, going),
            halted_by=_HALTED,
            is_closed=lambda: breaker.is_open and not probes,
        ):
            if handed is None:
                self._not_asked(batch, breaker)
                continue
            asked: list[tuple[Task, SendMessage]] = []
            receipts: dict[str, Receipt] = {}
            for task, message in batch:
                if message.journey in handed.halted and not message.placement:
                    self._return(task, message, self._now, "paused")
                    continue
                answer = handed.answers[message.delivery_id]
                if isinstance(answer, _Unfit):
                    self._not_sent(task, message, answer)
                else:
                    asked.append((task, message))
                    receipts[message.delivery_id] = answer
            outages = self._received(channel, asked, receipts, mocked=lane.mocked)
            if asked and not lane.mocked:
                was_open = breaker.is_open
                breaker.answered(
                    outages=outages, answers=len(asked) - outages, now=self._now
                )
                if breaker.is_open and not was_open:
                    _log.warning("channel %r is down, and rests for a while", lane.name)
                elif was_open and not breaker.is_open:
                    _log.info("channel %r answers again", lane.name)
            if careful or self._is_much():
                self._settle()

    def _may_go(
        self, task: Task, message: SendMessage, channel: Channel | None
    ) -> bool:
        """Whether a message may be handed over; if not, it is settled here."""
        if task.lapsed and channel is not None:
            able = channel.capabilities
            holds = not able.idempotent and able.on_uncertain == "hold"
            if holds or task.attempts + message.attempts >= ATTEMPTS:
                self._end(task, "uncertain", "lapsed", attempts=task.attempts)
                return False
        if message.placement and channel is not None:
            return True  # it was shown when it was asked for: this is for the record
        if self._catalog.state_of(message.journey) in _HALTED:
            self._return(task, message, self._now, "paused")
            return False
        if self._is_late(message, self._now):
            self._return(task, message, self._now, "late")
            return False
        if channel is None:
            _log.error("nobody carries channel %r any more", message.channel)
            until = self._now + backoff(message.delivery_id, 4)
            self._put_off(task, message, until, "no_channel")
            return False
        return True

    def _composed(
        self, channel: Channel, batch: Sequence[tuple[Task, SendMessage]]
    ) -> _Order[SendMessage, Receipt | _Unfit]:
        """Compose a batch, and see who of those that share an address gets it."""
        going: list[tuple[Task, SendMessage]] = []
        messages: list[Message] = []
        unfit: dict[str, Receipt | _Unfit] = {}
        # Half of what is left, so that what is ready by then goes under this lease.
        until = (time.monotonic() + self._until) / 2
        for task, command in batch:
            if time.monotonic() > until:
                unfit[command.delivery_id] = _Unfit()
                continue
            try:
                message = self._one_composed(channel, command)
                refused = "" if self._has_place(command) else SAME_ADDRESS
            except ContentError as error:
                _log.error(
                    "message %s of step %r in journey %r can't be sent: %s",
                    *(command.delivery_id, command.step, command.journey, error),
                )
                unfit[command.delivery_id] = _Unfit(CONTENT, str(error)[:_DETAIL])
            except (StoreError, InputError, DefinitionError, PluginError) as error:
                # Such as templates that can't be read, or a secret that isn't set: the
                # message is not to blame.
                self._own._say_waits(command, str(error))
                unfit[command.delivery_id] = _Unfit()
            except Exception as error:  # noqa: BLE001 - of a plugin: an engine or a channel
                _log.error("a message can't be composed: %s", places(error))
                unfit[command.delivery_id] = _Unfit(CONTENT, type(error).__name__)
            else:
                if refused:
                    unfit[command.delivery_id] = _Unfit(refused)
                else:
                    going.append((task, command))
                    messages.append(message)
        return _Order(going, lambda: _receipts(channel, messages), unfit)

    def _one_composed(self, channel: Channel, command: SendMessage) -> Message:
        message, compose = message_of(command), self._own._compose
        return message if compose is None else compose(channel, message)

    def _has_place(self, command: SendMessage) -> bool:
        """Whether nobody else of its address has got this message, where that counts."""
        if not command.once:
            return True
        key = self._place_of(command)
        return self._store.claim(key, command.customer, 1, at=self._now) > 0

    def _place_of(self, command: SendMessage) -> str:
        """The key of the one place that an address has in a step."""
        address = self._address_key(command)
        # Whoever tries a journey takes nobody's place.
        scope = "once-test" if command.test else "once"
        return f"{scope}/{command.journey}/{command.step}/{address}"

    def _free(self, command: SendMessage) -> None:
        """Give the place of a message back that reached nobody, for the others there.

        Not one that the customer has of an earlier message, which may have arrived.
        """
        try:
            self._store.release(
                self._place_of(command), command.customer, since=command.at
            )
        except Exception as error:  # noqa: BLE001 - it is settled; then they keep it
            _log.warning("a place can't be given back: %s", type(error).__name__)

    def _not_sent(self, task: Task, message: SendMessage, unfit: _Unfit) -> None:
        """Settle a message that nobody was asked about."""
        if unfit.reason:
            self._end(
                task,
                "failed",
                unfit.reason,
                detail=unfit.detail,
                attempts=task.attempts,
            )
        else:  # its slot of the pace is due now, and stays its own
            until = self._now + MINUTE_MS
            self._put_off(task, message, until, "retry", reserved=True)

    def _received(
        self,
        channel: Channel,
        batch: Sequence[tuple[Task, SendMessage]],
        receipts: Mapping[str, Receipt],
        *,
        mocked: bool,
    ) -> int:
        """Settle a batch by its receipts; return how many of them tell of an outage."""
        outages = 0
        for task, message in batch:
            receipt = receipts[message.delivery_id]
            attempts = task.attempts + message.attempts + 1
            match receipt:
                case Sent(provider_id=provider_id):
                    if not mocked:
                        self._refer(channel, message, provider_id)
                    self._end(task, "sent", provider_id=provider_id)
                case RetryAfter(seconds=seconds):
                    outages += 1
                    asked = round(seconds * 1000)
                    # The first time the provider knows best, if it says; then we do.
                    own = backoff(message.delivery_id, attempts)
                    own = 0 if attempts == 1 and asked else own
                    self._again(task, message, self._now + max(asked, own), attempts)
                case Rejected(reason=reason, says=says):
                    self._end(task, "failed", reason, says=says)
                case _:
                    outages += 1
                    sure = channel.capabilities.idempotent
                    if sure or channel.capabilities.on_uncertain == "resend":
                        until = self._now + backoff(message.delivery_id, attempts)
                        self._again(task, message, until, attempts)
                    else:
                        if not mocked:  # it may have arrived, and be answered
                            self._refer(channel, message, "")
                        self._end(task, "uncertain", receipt.reason)
        return outages

    def _refer(self, channel: Channel, message: SendMessage, provider_id: str) -> None:
        """Keep what callbacks will name instead of the delivery."""
        keys = []
        by = channel.capabilities.reports_by
        if "provider_id" in by and provider_id:
            keys.append(provider_key(message.channel, provider_id))
        if "address" in by:
            keys.append(self._address_key(message))
        self._references += [
            Reference(key, message.customer, message.delivery_id, self._now)
            for key in keys
        ]

    def _not_asked(
        self, batch: Sequence[tuple[Task, SendMessage]], breaker: ChannelBreaker
    ) -> None:
        """Put off what was claimed and never handed over."""
        until = self._now + (MINUTE_MS if breaker.is_open else 0)
        for task, message in batch:
            # Its slot of the pace is due now: whoever goes at once keeps it.
            reserved = task.reserved or not breaker.is_open
            self._put_off(task, message, until, "breaker", reserved=reserved)

    def _again(
        self, task: Task, message: SendMessage, until: int, attempts: int
    ) -> None:
        """Try again, if that has not been done often enough."""
        if attempts >= ATTEMPTS:
            self._end(task, "failed", "gave_up")
        else:
            self._put_off(
                task, message, until, "retry", attempts=attempts - message.attempts
            )

    def _put_off(
        self,
        task: Task,
        message: SendMessage,
        until: int,
        why: ReturnReason,
        *,
        attempts: int | None = None,
        reserved: bool = False,
    ) -> None:
        """Let a message wait here or, if that takes too long, at its customer."""
        so_far = task.attempts if attempts is None else attempts
        if self._is_late(message, until) or until - self._now > HORIZON_MS:
            self._return(task, message, until, why, attempts=so_far + message.attempts)
        else:
            self._settled.append(
                Settled(task.id, "again", until, so_far, why, reserved=reserved)
            )
            self._tell(task, "again", why, so_far)

    def _is_late(self, message: SendMessage, at: int) -> bool:
        """Whether a message may not be handed over then without being asked about."""
        if message.not_after is None or self._virtual:
            return False
        return message.not_after <= at

    def _return(
        self,
        task: Task,
        message: SendMessage,
        until: int,
        why: ReturnReason,
        *,
        attempts: int | None = None,
    ) -> None:
        """Give a message back to its customer, where it passes the guards again."""
        so_far = task.attempts + message.attempts if attempts is None else attempts
        self._reports.append(
            Returned(
                message=replace(message, attempts=so_far),
                until=until,
                reason=why,
                received_at=to_datetime(self._now),
            )
        )
        self._settled.append(Settled(task.id, "returned", self._now, so_far, why))
        self._tell(task, "returned", why, so_far)

    # --- pace ------------------------------------------------------------------------

    def _paced(
        self,
        channel: str,
        provider_rate: float | None,
        ready: Sequence[tuple[Task, SendMessage]],
    ) -> list[tuple[Task, SendMessage]]:
        """Give each message its slots, of journey and channel; return who goes now."""
        intervals: dict[str, int] = {}
        if provider_rate is not None:
            intervals[f"provider:{channel}"] = math.ceil(1e6 / provider_rate)
        if (rate := self._catalog.pace.get(channel)) is not None:
            intervals[f"channel:{channel}"] = rate.interval_us
        for journey in sorted({message.journey for _, message in ready}):
            plan = self._catalog.live.get(journey)
            if plan is not None and plan.pace is not None:
                intervals[f"journey:{journey}"] = plan.pace.interval_us
        if not intervals:
            return list(ready)
        # Whoever has asked was answered at once, and has used no slot.
        going = [pair for pair in ready if pair[0].reserved or pair[1].placement]
        asking = [pair for pair in ready if not (pair[0].reserved or pair[1].placement)]
        slots: dict[int, int | None] = {task.id: self._now for task, _ in asking}
        for lane, interval in intervals.items():
            kind, _, name = lane.partition(":")
            own = [
                task.id
                for task, message in asking
                if slots[task.id] is not None
                and (kind != "journey" or message.journey == name)
            ]
            for id, slot in zip(
                own, self._slots(lane, interval, len(own)), strict=True
            ):
                known = slots[id]
                late = slot is None or known is None
                slots[id] = None if late else max(slot or 0, known or 0)
        for task, message in asking:
            slot = slots[task.id]
            if slot is None:
                self._return(task, message, self._now + HORIZON_MS, "pace")
            elif slot <= self._now:
                going.append((task, message))
            else:
                self._put_off(task, message, slot, "pace", reserved=True)
        return going

    def _within(
        self, channel: str, quota: int, ready: Sequence[tuple[Task, SendMessage]]
    ) -> list[tuple[Task, SendMessage]]:
        """Return those of a channel for whom there is a place in its daily quota."""
        if not ready:
            return []
        places = taken(self._store, channel, quota, len(ready), now=self._now)
        for n, (task, message) in enumerate(ready[places.going :]):
            # It keeps its slots of other lanes, and asks this one again.
            until = places.next_at + n * places.every_ms
            self._put_off(task, message, until, "pace", reserved=True)
        return [*ready[: places.going]]

    def _slots(self, lane: str, interval: int, wanted: int) -> list[int | None]:
        """Reserve as many slots as there are within the horizon, in order.

        What is due within one second goes at once: to hand over message by message
        would only make more work of the same rate.
        """
        burst = max(1, 1_000_000 // interval)
        now = self._now * 1000
        first = self._store.reserve(
            lane, 0, interval_us=interval, burst=burst, now_us=now
        )
        left = now + HORIZON_MS * 1000 - first
        there = burst if first <= now else 0
        count = min(wanted, max(0, left // interval + 1) + there)
        if count:
            first = self._store.reserve(
                lane, count, interval_us=interval, burst=burst, now_us=now
            )
        slots: list[int | None] = [
            max(now, first + n * interval) // 1000 for n in range(count)
        ]
        return slots + [None] * (wanted - count)

    # --- calls -----------------------------------------------------------------------

    def _call(self, lane: _Lane, waiting: Sequence[tuple[Task, CallAction]]) -> None:
        """Run one action for everybody who called it."""
        ready = []
        for task, call in waiting:
            if call.expires_at <= self._now:
                self._end(task, "failed", "expired")
            else:
                ready.append((task, call))
        action = self._own._actions.get(lane.name)
        mock = action.mock() if action and lane.mocked else action
        if action is None or mock is None:
            for task, call in ready:
                self._call_failed(task, call, "no_mock" if action else "no_action")
            return
        if not lane.mocked and action.rate is not None:
            ready = self._calls_paced(action.name, action.rate, ready)
        # What a run of a paused journey has begun goes on: a pause is about messages.
        for batch, handed in self._handed(
            _cut(ready, action.batch_size),
            lambda going: _Order(going, lambda: _outcomes(mock, going)),
            halted_by=("stopped",),
        ):
            if handed is None:  # its slot of the pace is still its own
                self._settled += [
                    Settled(task.id, "again", self._now, task.attempts, reserved=True)
                    for task, _ in batch
                ]
            else:
                self._ran(batch, handed)
            if self._is_much():
                self._settle()

    def _calls_paced(
        self, action: str, rate: float, ready: Sequence[tuple[Task, CallAction]]
    ) -> list[tuple[Task, CallAction]]:
        """Give each call its slot; return who goes now."""
        going = [(task, call) for task, call in ready if task.reserved]
        asking = [(task, call) for task, call in ready if not task.reserved]
        slots = self._slots(f"action:{action}", math.ceil(1e6 / rate), len(asking))
        for (task, call), slot in zip(asking, slots, strict=True):
            until = self._now + HORIZON_MS if slot is None else slot
            if until <= self._now:
                going.append((task, call))
            elif until >= call.expires_at:
                self._call_failed(task, call, "expired")
            else:
                self._settled.append(
                    Settled(
                        task.id,
                        "again",
                        until,
                        task.attempts,
                        "pace",
                        reserved=slot is not None,
                    )
                )
        return going

    # --- handing over ----------------------------------------------------------------

    def _handed(
        self,
        batches: Sequence[Sequence[tuple[Task, C]]],
        prepare: Callable[[Sequence[tuple[Task, C]]], _Order[C, A]],
        *,
        halted_by: Collection[str],
        is_closed: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[Sequence[tuple[Task, C]], _Handed[A] | None]]:
        """Hand batches over, and yield each with what came of it; None: it was not.

        Args:
            batches: Commands of one channel or action.
            prepare: Says what is to be asked of whoever is outside.
            halted_by: States in which a journey's commands don't go.
            is_closed: Whether nobody is to be asked any more.
        """

        def one(batch: Sequence[tuple[Task, C]]) -> _Handed[A] | None:
            if is_closed() or time.monotonic() > self._until:
                return None  # or the lease would not last until it answers
            try:
                halted = self._halted(
                    (one.journey for _, one in batch if not _is_shown(one)), halted_by
                )
            except Exception as error:  # noqa: BLE001 - the next round tells of it
                _log.warning("the catalog can't be read: %s", type(error).__name__)
                return None
            going = [
                (task, one)
                for task, one in batch
                if one.journey not in halted or _is_shown(one)
            ]
            if not going:
                return _Handed({}, halted)
            order = prepare(going)
            if time.monotonic() > self._until or not self._asks(order.asked):
                return None
            answers = order.ask() if order.asked else {}
            return _Handed({**order.known, **answers}, halted)

        yield from self._at_once(one, batches)

    def _at_once(
        self, work: Callable[[B], R], batches: Sequence[B]
    ) -> Iterator[tuple[B, R]]:
        """Do the same for batches, several at the same time; yield each with its result."""
        workers = min(self._own._workers, len(batches))
        pool = ThreadPoolExecutor(workers) if workers > 1 else nullcontext()
        with pool as executor:
            results = executor.map(work, batches) if executor else map(work, batches)
            yield from zip(batches, results, strict=True)

    def _ran(
        self,
        batch: Sequence[tuple[Task, CallAction]],
        handed: _Handed[CallOutcome],
    ) -> None:
        """Settle the calls of a batch by their outcomes."""
        for task, call in batch:
            if call.journey in handed.halted:
                self._call_failed(task, call, "stopped")
                continue
            match outcome := handed.answers[call.call_id]:
                case Completed(result=result):
                    self._end(task, "sent")
                    self._report(
                        call,
                        CALL_COMPLETED,
                        {"call_id": call.call_id, "result": dict(result)},
                    )
                case CallFailed(reason=reason):
                    self._call_failed(task, call, reason)
                case _:
                    asked_ms = round(outcome.seconds * 1000)
                    self._call_again(task, call, task.attempts + 1, asked_ms)

    def _call_again(
        self, task: Task, call: CallAction, attempts: int, asked_ms: int
    ) -> None:
        until = self._now + max(asked_ms, backoff(call.call_id, attempts))
        if attempts > call.retries:
            self._call_failed(task, call, "gave_up")
        elif until >= call.expires_at:
            self._call_failed(task, call, "expired")
        else:
            self._settled.append(Settled(task.id, "again", until, attempts, "retry"))
            self._tell(task, "again", "retry", attempts)

    def _call_failed(self, task: Task, call: CallAction, reason: str) -> None:
        self._end(task, "failed", reason)
        self._report(call, CALL_FAILED, {"call_id": call.call_id, "reason": reason})

    # --- published events ------------------------------------------------------------

    def _published(self, events: Sequence[tuple[Task, PublishEvent]]) -> None:
        """Hand events to the outside; all of them again if that fails."""
        publish = self._own._publish
        self._asks(events)
        try:
            if publish is not None:
                publish([event for _, event in events])
        except Exception as error:  # noqa: BLE001 - out of reach, like a channel
            _log.warning("events can't be published: %s", type(error).__name__)
            for task, event in events:
                attempts = task.attempts + 1
                if attempts >= ATTEMPTS:
                    self._end(task, "failed", "gave_up")
                else:
                    until = self._now + backoff(event.id, attempts)
                    self._settled.append(
                        Settled(task.id, "again", until, attempts, "retry")
                    )
            return
        for task, _ in events:
            self._end(task, "sent")

    # --- what came of it -------------------------------------------------------------

    def _end(
        self,
        task: Task,
        outcome: Literal["sent", "failed", "uncertain"],
        reason: str = "",
        *,
        detail: str = "",
        says: Literal["", "hard_bounce", "unsubscribed"] = "",
        provider_id: str = "",
        attempts: int | None = None,
    ) -> None:
        """Settle for good, and report it to the customer if that can mean anything.

        Args:
            task: What is settled.
            outcome: What came of it.
            reason: Why it was not sent, as journeys may ask for it.
            detail: The same in words, for people.
            says: What a refusal says of the recipient: `Rejected.says`.
            provider_id: The provider's own id.
            attempts: How often it was handed over; None: once more than before.
        """
        command = task.command
        attempts = task.attempts + 1 if attempts is None else attempts
        why = f"{reason}: {detail}" if detail else reason
        self._settled.append(
            Settled(
                task.id,
                outcome,
                self._now,
                attempts,
                why,
                provider_id,
                address=self._address_key(command),
            )
        )
        self._tell(task, outcome, reason, attempts)
        counts = outcome == "failed" and reason not in UNCOUNTED
        if counts and isinstance(command, SendMessage | CallAction):
            self._failed.add(command.journey)
        if not isinstance(command, SendMessage):
            return
        if outcome == "failed" and command.once and reason != SAME_ADDRESS:
            self._places.append(command)
        bounced = says == "hard_bounce"
        name = {
            "sent": MESSAGE_SENT,
            "failed": MESSAGE_BOUNCED if bounced else MESSAGE_FAILED,
            "uncertain": MESSAGE_UNCERTAIN,
        }[outcome]
        # A failure is always told: the caps get the message back.
        catalog = self._catalog
        is_heard = name in catalog.hears or name in catalog.traits.hears
        if outcome == "failed" or is_heard:
            properties: dict[str, object] = {
                "delivery_id": command.delivery_id,
                "channel": command.channel,
                "template": command.template,
            }
            bounce = "hard" if bounced else ""
            said = {"reason": reason, "detail": detail, "bounce": bounce}
            properties |= {key: text for key, text in said.items() if text}
            self._report(command, name, properties)
        if says == "unsubscribed":
            # Of no delivery: it is no word of this message, which another channel may
            # follow. Of no topic and for no purpose: the channel is closed to all of it.
            self._report(
                command,
                MESSAGE_UNSUBSCRIBED,
                {
                    "channel": command.channel,
                    "purpose": "",
                    "reason": reason,
                    "source": "provider",
                },
            )

    def _address_key(self, command: Command) -> str:
        """What a report about a message is about; empty: of a call, or not known."""
        if isinstance(command, SendMessage):
            carrier = self._own._channels.get(command.channel)
            if carrier is not None:
                address = carrier.normalize(command.address)
                return address_key(command.channel, address)
        return ""

    def _report(
        self,
        command: SendMessage | CallAction,
        name: str,
        properties: dict[str, object],
    ) -> None:
        """Put an event about a command into the inbox, with the settlement."""
        id = (
            command.delivery_id if isinstance(command, SendMessage) else command.call_id
        )
        at = to_datetime(self._now)
        self._reports.append(
            Event(
                id=f"{id}:{name}",
                name=name,
                customer=command.customer,
                occurred_at=at,
                received_at=at,
                properties={
                    **properties,
                    "journey": command.journey,
                    "step": command.step,
                    "enrollment": command.enrollment,
                },
                source="dispatcher",
                test=command.test,
            )
        )

    def _tell(self, task: Task, outcome: str, reason: str, attempts: int) -> None:
        """Have the observers told, once it is stored."""
        if self._own._observers is None:
            return
        match task.command:
            case SendMessage() as c:
                carrier = self._own._channels.get(c.channel)
                provider = (carrier and (carrier.provider or carrier.name)) or ""
                named = (
                    "message",
                    c.delivery_id,
                    c.channel,
                    provider,
                    c.journey,
                    c.step,
                )
            case CallAction() as c:
                named = ("call", c.call_id, c.action, c.action, c.journey, c.step)
            case PublishEvent() as c:
                named = ("event", c.id, c.name, "", "", "")
            case AbsorbCustomer():
                return
        kind, id, channel, provider, journey, step = named
        self._told.append(
            Delivered(
                delivery_id=id,
                kind=kind,
                channel=channel,
                provider=provider,
                journey=journey,
                step=step,
                outcome=outcome,
                reason=reason,
                attempts=attempts,
                at=to_datetime(self._now),
                test=task.command.test,
            )
        )

    def _is_much(self) -> bool:
        """Whether as much is known as a death of the process may make unknown."""
        late = time.monotonic() - self._settled_at > _SETTLE_S
        return late or len(self._settled) >= _SETTLE

    def _settle(self) -> None:
        """Write down what is known so far."""
        self._settled_at = time.monotonic()
        if self._settled:
            self._store.settle(
                self._settled, reports=self._reports, references=self._references
            )
            for one in self._settled:
                self._tasks.pop(one.id, None)
            told, places = self._told, self._places
            self._places = []
            self._settled, self._reports, self._references, self._told = [], [], [], []
            for command in places:
                self._free(command)
            if self._own._observers is not None:
                for delivered in told:
                    self._own._observers.after_delivery(delivered)

    def _break_journeys(self) -> None:
        """Pause each journey of which too many messages have failed."""
        rule = self._catalog.breaker
        if rule is None or not self._failed:
            return
        tallies = self._store.tallies()
        for journey in sorted(self._failed):
            succeeded, failed = tallies.get(journey, (0, 0))
            if self._catalog.state_of(journey) == "live" and trips(
                succeeded, failed, share=rule.share, at_least=rule.at_least
            ):
                self._pause(journey, succeeded, failed)

    def _pause(self, journey: str, succeeded: int, failed: int) -> None:
        """Pause a journey; whoever publishes in between is not undone."""
        reason = f"breaker: {failed} of {succeeded + failed} deliveries failed"
        document = set_state(
            self._store, journey, "paused", now=self._now, reason=reason
        )
        if document.reasons.get(journey) == reason:
            _log.error("journey %r is paused by its %s", journey, reason)


def _is_shown(command: SendMessage | CallAction) -> bool:
    """Whether an app or a page has it already, as it was asked for."""
    return isinstance(command, SendMessage) and bool(command.placement)


def message_of(command: SendMessage) -> Message:
    """The command as a channel gets it."""
    return Message(
        delivery_id=command.delivery_id,
        customer=command.customer,
        channel=command.channel,
        address=command.address,
        template=command.template,
        variables=command.variables,
        at=to_datetime(command.at),
        journey=command.journey,
        step=command.step,
        purpose=command.purpose,
        topic=command.topic or None,
        test=command.test,
        locale=command.locale,
        zone=command.zone,
        placement=command.placement,
        ask=command.ask,
        survey=command.survey,
        asks=command.asks,
    )


def action_call_of(command: CallAction) -> ActionCall:
    """The command as an action gets it."""
    return ActionCall(
        call_id=command.call_id,
        customer=command.customer,
        arguments=command.arguments,
        at=to_datetime(command.at),
        journey=command.journey,
        step=command.step,
        test=command.test,
    )


def _receipts(
    channel: Channel, messages: Sequence[Message]
) -> Mapping[str, Receipt | _Unfit]:
    """Ask a channel; a receipt for each message, whatever it does."""
    asked = [message.delivery_id for message in messages]
    try:
        return {**receipts_in(channel.send(messages), asked)}
    except Exception as error:  # noqa: BLE001 - the channel's word for: out of reach
        if _is_missing_secret(error):
            _log.error("channel %r can't send: %s", channel.name, error)
            return {id: RetryAfter(id, 0) for id in asked}
        _log.warning(
            "channel %r is out of reach: %s", channel.name, type(error).__name__
        )
        return {**receipts_in((), asked)}


def _is_missing_secret(error: Exception) -> bool:
    """Whether the environment lacks a secret: the operator's, and nothing has gone out.

    The words are ours, and name the variable.
    """
    return isinstance(error, InputError) and error.place.startswith("environment: ")


def _outcomes(
    action: Action, batch: Sequence[tuple[Task, CallAction]]
) -> Mapping[str, CallOutcome]:
    """Run an action; an outcome for each call, whatever it does."""
    asked = [call.call_id for _, call in batch]
    try:
        answer = action.run([action_call_of(call) for _, call in batch])
        return outcomes_in(answer, asked)
    except Exception as error:  # noqa: BLE001 - the action's word for: not now
        _log.warning("action %r failed: %s", action.name, type(error).__name__)
        return outcomes_in((), asked)


def _cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]

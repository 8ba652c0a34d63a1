"""Journeys against a virtual clock, which jumps to whatever is due next.

All there is to it is a heap of due instants: the engine is pure, so a year of waiting is
a year of nothing to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import chain
from typing import Any

import msgspec

from journeykit.carriers import rules_of
from journeykit.engine.calendar import add, isoformat, to_datetime, to_ms
from journeykit.engine.catalog import Catalog, Planned, State
from journeykit.engine.commands import (
    AbsorbCustomer,
    CallAction,
    Command,
    SendMessage,
)
from journeykit.engine.customer import Customer, created, size_of
from journeykit.engine.draft import UTC
from journeykit.engine.guards import ChannelRules, PluginGuard
from journeykit.engine.ids import answer_id
from journeykit.engine.limits import PROFILE_BYTES, PROFILE_KEYS
from journeykit.engine.plan import JourneyPlan
from journeykit.engine.react import Reaction, react
from journeykit.engine.steps import Send
from journeykit.engine.stimuli import (
    Absorb,
    Enroll,
    Launch,
    Merge,
    Stimulus,
    WakeUp,
    readdressed,
)
from journeykit.engine.values import Document
from journeykit.errors import IllegalTransition, InputError
from journeykit.model.durations import Duration
from journeykit.model.events import (
    PLACEMENT_REQUESTED,
    PROFILE_UPDATED,
    SURVEY_ANSWERED,
    Event,
    checked,
    checked_call,
    instant,
)
from journeykit.model.identity import DEFAULT as ANYBODY, IdentityRules
from journeykit.model.policies import Policies
from journeykit.model.surveys import allowed, said_in
from journeykit.runtime.identities import NOBODY, Resolver, survivor_of
from journeykit.testing.assertions import Assertions
from journeykit.testing.calls import Calls, answer_to, claimed
from journeykit.testing.channels import Channels, carrier
from journeykit.testing.fates import Fates, checked_fates, reports_on
from journeykit.testing.memory import MemoryStore
from journeykit.testing.record import Record, Traced

Profiles = Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]]
Journeys = Planned | Document | Iterable[Planned | Document]

_SOURCE = "simulator"
_CALLS_AT_ONCE = 1000  # of one customer: a journey has no end of them, or a mistake
_PROGRESS_EVERY = 1000  # events: some tens of milliseconds
_MERGES = 20  # of one event: each identifier may be somebody's
NOBODY_MEANT = "nobody"
"""Why an event was not accepted that names no customer, nor anybody else."""

_A_YEAR = Duration(months=12)


class Simulator(Assertions):
    """Journeys, customers and a clock that only moves when it is told to.

    Whoever moves the clock makes everything happen that is due on the way, each at its
    own instant. An event at exactly a due instant is handled before what is due.
    """

    def __init__(
        self,
        journeys: Journeys,
        *,
        start: datetime | str,
        policies: Planned | Document | None = None,
        profiles: Profiles = (),
        channels: Channels | None = None,
        calls: Calls | None = None,
        fates: Fates | None = None,
        guards: Mapping[str, PluginGuard] | None = None,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        states: Mapping[str, State] | None = None,
        audience: Document | None = None,
        identity: IdentityRules | None = None,
        explain: bool = True,
        keep: bool = True,
        on_trace: Callable[[Traced], None] | None = None,
        on_command: Callable[[Command], None] | None = None,
    ) -> None:
        """Set the clock, and let the customers be known that have a profile.

        Args:
            journeys: One or several; of several versions of one, the newest is entered.
            start: What time it is: an aware datetime, or its text with an offset.
            policies: Caps, quiet hours, consent; none of them if not given.
            profiles: Customers: attributes by id, or attributes with an `id` among them.
            channels: Installed channels, which know their addresses; if not given,
                every channel is addressed by the customer's id.
            calls: What actions come to, at once: `{"voucher": {"code": "A1"}}`, or a
                function of the arguments and the customer's id. `CallFailed` fails the
                call; None lets its time run out; a run that calls any other action ends
                as `undetermined`.
            fates: What becomes of messages, by channel: `{"push": "bounced", "email":
                ["delivered", "opened after 3h"]}`, `Fate`s, or a function of the
                message. None, or a channel that isn't there: nobody hears of them.
            guards: The guards of plugins, set up, by name; none of them if not given.
            facts: What channels say about templates, for their own rules, by channel.
            states: Journeys that are not simply live.
            audience: Traits, segments and stages: `audience_plan(…)`, or what a
                workspace has as `audience`. Who has a profile is judged by them at the
                start, so nobody enters a segment by being known.
            identity: Which identifiers say whom an event is about; as without
                `[identity]` if not given.
            explain: Whether the trace holds the values that conditions saw.
            keep: Whether to keep trace and commands. The replay of a year counts them
                and hands them to `on_trace` and `on_command`.
            on_trace: Called with each decision.
            on_command: Called with each command.

        Raises:
            InputError: The start has no offset, or a profile is none.
            UnknownChannel: A journey names a channel that is not among the channels.
        """
        super().__init__(
            to_ms(instant(start, place="start")),
            Record(keep=keep, on_trace=on_trace, on_command=on_command),
        )
        self._plans = _listed(journeys)
        self._policies = Policies() if policies is None else policies
        self._states = dict(states or {})
        self._rules: Mapping[str, ChannelRules] = {}
        self._guards = guards
        self._facts = facts
        self._audience = audience
        self._catalog = self._compiled(1)
        if channels is not None:
            self._rules = _rules(self._catalog, channels)
            self._catalog = self._compiled(1)
        self._explain = explain
        self._calls: Calls = calls or {}
        self._fates = checked_fates(fates or {})
        self._reports: list[tuple[int, int, Event]] = []
        self._reported = 0
        self._customers = dict(_known(profiles, self._now))
        self._dues: list[tuple[int, str]] = []
        self._happened: Counter[str] = Counter()
        self._holders: dict[str, str] = {}
        self._launches = 0
        rules = ANYBODY if identity is None else identity
        self._resolver = Resolver(rules, MemoryStore(), self._found)
        self._visit_all()

    def _compiled(self, revision: int) -> Catalog:
        return Catalog.compile(
            self._plans,
            policies=self._policies,
            channels=self._rules,
            states=self._states,
            revision=revision,
            guards=self._guards,
            facts=self._facts,
            audience=self._audience,
        )

    # --- what there is ---------------------------------------------------------------

    @property
    def next_due(self) -> datetime | None:
        """When something will happen by itself; None: never."""
        self._forget_stale()
        firsts = [heap[0][0] for heap in (self._dues, self._reports) if heap]
        return to_datetime(min(firsts)) if firsts else None

    # --- what happens ----------------------------------------------------------------

    def event(
        self,
        name: str,
        customer: str,
        properties: Mapping[str, Any] | None = None,
        /,
        *,
        at: datetime | str | None = None,
        id: str | None = None,
        identifiers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Let an event happen: `sim.event("order.placed", "ada", amount=40)`.

        Args:
            name: What happens.
            customer: To whom; an unknown customer is known from now on. It may be empty
                if there are identifiers.
            properties: What it carries; for names that can't be keywords.
            at: When; now if not given. The clock moves there first.
            id: Its id; a new one if not given. The same again is a duplicate.
            identifiers: By which other names the customer is known: value by kind.
            **more: What else it carries.

        Raises:
            InputError: It is no event that a door would take, or in the past; or its
                identifiers are nobody's.
        """
        when = self._moved_to(at)
        self.feed(
            Event(
                id=id or self._next_id(customer),
                name=name,
                customer=customer,
                properties={**(properties or {}), **more},
                occurred_at=when,
                received_at=when,
                source=_SOURCE,
                identifiers=dict(identifiers or {}),
            )
        )

    def identify(
        self,
        customer: str,
        attributes: Mapping[str, Any] | None = None,
        /,
        *,
        at: datetime | str | None = None,
        identifiers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Write to a profile: `sim.identify("ada", plan="pro")`; None removes.

        With `identifiers={"anonymous": "a-17"}` the customer has these from now on, and
        who was known by one of them alone becomes part of the customer.
        """
        known = {**(attributes or {}), **more}
        self.event(PROFILE_UPDATED, customer, known, at=at, identifiers=identifiers)

    def ask(
        self,
        placement: str,
        customer: str,
        properties: Mapping[str, Any] | None = None,
        /,
        *,
        at: datetime | str | None = None,
        id: str | None = None,
        **more: Any,
    ) -> SendMessage | None:
        """Ask what a place shows: `sim.ask("home-banner", "ada")`; None: nothing.

        Args:
            placement: The place.
            customer: Whom it asks about.
            properties: What it says of itself; for names that can't be keywords.
            at: When; now if not given. The clock moves there first.
            id: The ask's id; a new one if not given. The same again is a duplicate.
            **more: What else it says of itself.

        Raises:
            InputError: It is no ask that a door would take, or in the past.
        """
        when = self._moved_to(at)
        asked = checked(
            Event(
                id=id or self._next_id(customer),
                name=PLACEMENT_REQUESTED,
                customer=customer,
                properties={**(properties or {}), **more, "placement": placement},
                occurred_at=when,
                received_at=when,
                source=_SOURCE,
            )
        )
        self._record.hear(asked)
        commands = self._react(customer, asked, when).commands
        answers = (one for one in commands if isinstance(one, SendMessage) and one.ask)
        return next(answers, None)

    def answer(
        self,
        customer: str,
        score: int | None = None,
        *,
        text: str = "",
        survey: str | None = None,
        at: datetime | str | None = None,
    ) -> None:
        """Let a customer answer the last survey: `sim.answer("ada", 9, text="great")`.

        It is the event that the answer page would make of it.

        Args:
            customer: Who.
            score: On the survey's scale; None for one that asks for words.
            text: In words.
            survey: The survey's name; the last one that was sent if not given.
            at: When; now if not given. The clock moves there first.

        Raises:
            InputError: They were not asked, or the page would not take this.
        """
        when = self._moved_to(at)
        message = next(
            (
                sent
                for sent in reversed(self._record.commands)
                if isinstance(sent, SendMessage)
                and sent.customer == customer
                and sent.survey
                and survey in (None, sent.survey)
            ),
            None,
        )
        if message is None:
            which = "" if survey is None else f" {survey!r}"
            raise InputError(f"{customer!r:.80} was asked no survey{which}")
        said = said_in(message.asks, "" if score is None else str(score), text)
        if said is None:
            raise InputError(
                f"{score!r:.80} with {len(text)} characters of text is no answer to "
                f"{message.asks}: {allowed(message.asks)}"
            )
        properties = {
            "survey": message.survey,
            "kind": message.asks,
            **said.properties(message.asks),
            "channel": message.channel,
            "delivery_id": message.delivery_id,
        }
        self.event(
            SURVEY_ANSWERED,
            customer,
            properties,
            at=when,
            id=answer_id(message.delivery_id),
        )

    def merge(
        self, customer: str, into: str, *, at: datetime | str | None = None
    ) -> None:
        """Make a customer part of another one, as an operator may, whoever they are."""
        merge = Merge(
            id=self._next_id(customer),
            customer=customer,
            into=into,
            received_at=self._moved_to(at),
        )
        self._react(customer, merge)

    def enroll(
        self,
        journey: str,
        customer: str,
        entry: Mapping[str, Any] | None = None,
        /,
        *,
        at: datetime | str | None = None,
        id: str | None = None,
        **more: Any,
    ) -> None:
        """Enroll by the name of a journey that has an `api()` trigger.

        Args:
            journey: The journey's id.
            customer: Whom.
            entry: What the run is to know; for names that can't be keywords.
            at: When; now if not given. The clock moves there first.
            id: The call's id; a new one if not given. The same again is a duplicate.
            **more: What else the run is to know.

        Raises:
            InputError: It is no call that a door would take, or in the past.
            ValueError: There is no such journey, or it has no `api()` trigger.
        """
        call = checked_call(
            Enroll(
                id=id or self._next_id(customer),
                journey=journey,
                customer=customer,
                received_at=self._moved_to(at),
                entry={**(entry or {}), **more},
            )
        )
        if not self._plan(journey).api_entries:
            raise ValueError(f"journey {journey!r} takes no calls; add trigger=api()")
        self._record.hear(call)
        self._react(customer, call)

    def feed(self, event: Event) -> None:
        """Let an event arrive that was made elsewhere, when it occurred.

        If that is in the past it arrives now: the order is that of arrival.

        Raises:
            InputError: It is no event that a door would take.
        """
        if self._arrive(checked(event)) == NOBODY_MEANT:
            raise InputError(NOBODY, place="identifiers")

    def run(
        self,
        events: Iterable[Event],
        *,
        until: datetime | str | None = None,
        on_refused: Callable[[Event, str], None] | None = None,
        on_progress: Callable[[int, datetime], None] | None = None,
    ) -> int:
        """Replay events in their order; return how many there were.

        Each is received when it occurred, or with the one before it if that is later.

        Args:
            events: From the doors, or checked like there; they need not fit in memory.
            until: When to stop: an event that occurred later is passed over, and what
                is due by then happens. If not given, it stops with the last event, and
                what is due then is still to come.
            on_refused: Called with each event that the engine does not accept, and the
                reason as one word, before the next event is asked for.
            on_progress: Called every thousand events with how many there were so far
                and what time it is.

        Raises:
            InputError: The end is in the past.
        """
        count = 0
        end = None if until is None else to_datetime(self._ahead(until))
        for event in events if end is None else occurred_by(events, end):
            refused = self._arrive(event)
            if refused and on_refused is not None:
                on_refused(event, refused)
            count += 1
            if on_progress is not None and count % _PROGRESS_EVERY == 0:
                on_progress(count, self.now)
        if end is not None:
            self.advance_to(end)
        if on_progress is not None:
            on_progress(count, self.now)
        return count

    # --- time passes -----------------------------------------------------------------

    def advance(self, duration: Duration | str) -> None:
        """Let time pass: `sim.advance(days(2))`; days are those of UTC."""
        self._fire(add(self._now, Duration.parse(duration), UTC), inclusive=True)

    def advance_to(self, at: datetime | str) -> None:
        """Let time pass until an instant; what is due then happens as well.

        Raises:
            InputError: It is in the past.
        """
        self._fire(self._ahead(at), inclusive=True)

    def play_out(self, *, within: Duration | str = _A_YEAR) -> None:
        """Let time pass until nobody waits for it any more, a year at most."""
        horizon = add(self._now, Duration.parse(within), UTC)
        while (due := self.next_due) is not None and to_ms(due) <= horizon:
            self._fire(to_ms(due), inclusive=True)

    # --- what operators do -----------------------------------------------------------

    def pause(self, journey: str) -> None:
        """Pause a journey: nobody enters or moves on, goals and exit rules act."""
        self._set(journey, "paused")

    def resume(self, journey: str) -> None:
        """Let a paused or stopped journey live; who was parked goes on at once."""
        self._set(journey, "live")
        self._visit(journey)

    def launch(self, journey: str) -> int:
        """Let enter a journey who is by now in what it is about, each once.

        Returns:
            How many have entered.

        Raises:
            ValueError: There is no such journey.
        """
        self._plan(journey)
        self._launches += 1
        before = self._entries(journey)
        for customer in tuple(self._customers.values()):
            if customer.merged_into:
                continue
            launch = Launch(
                id=f"launch-{self._launches}",
                journey=journey,
                customer=customer.id,
                received_at=self.now,
            )
            self._react(customer.id, launch)
        return self._entries(journey) - before

    def _entries(self, journey: str) -> int:
        """How often anybody has entered a journey."""
        pasts = (one.past.get(journey) for one in self._customers.values())
        return sum(past.count for past in pasts if past is not None)

    def stop(self, journey: str) -> None:
        """Stop a journey: all its runs end at once, nobody enters."""
        self._set(journey, "stopped")
        self._visit(journey)

    def _set(self, journey: str, state: State) -> None:
        self._plan(journey)
        self._states[journey] = state
        self._catalog = self._compiled(self._catalog.revision + 1)

    def _plan(self, journey: str) -> JourneyPlan:
        plan = self._catalog.live.get(journey)
        if plan is None:
            known = ", ".join(repr(id) for id in sorted(self._catalog.live))
            raise ValueError(f"there is no journey {journey!r}; there are {known}")
        return plan

    def _visit_all(self) -> None:
        """Wake everybody, as a publish does that brings something to wait for."""
        if self._catalog.schedules or self._catalog.audience.version:
            for customer in tuple(self._customers.values()):
                self._react(customer.id, WakeUp(customer.id))

    def _visit(self, journey: str) -> None:
        """Wake everybody in a journey, who then obeys the catalog."""
        for customer in tuple(self._customers.values()):
            if any(run.journey == journey for run in customer.active):
                self._react(customer.id, WakeUp(customer.id))

    # --- the clock -------------------------------------------------------------------

    def _moved_to(self, at: datetime | str | None) -> datetime:
        """Move the clock to where something happens, and say when that is."""
        if at is not None:
            self._fire(self._ahead(at), inclusive=False)
        return self.now

    def _ahead(self, at: datetime | str) -> int:
        wanted = to_ms(instant(at, place="at"))
        if wanted < self._now:
            raise InputError(
                f"it is {isoformat(self._now)} already, and {isoformat(wanted)} has "
                "passed; let things happen in their order",
                place="at",
            )
        return wanted

    def _arrive(self, event: Event) -> str:
        """Handle an event when it occurred, or now; say why if it was refused."""
        occurred_at = to_ms(event.occurred_at)
        if occurred_at >= self._now:
            if self._reports or (self._dues and self._dues[0][0] < occurred_at):
                self._fire(occurred_at, inclusive=False)
            self._now = occurred_at
            received_at = event.occurred_at
        else:
            received_at = self.now
        if event.received_at is not received_at and event.received_at != received_at:
            event = msgspec.structs.replace(event, received_at=received_at)
        if self._resolver.concerns(event):
            try:
                event = self._resolved(event)
            except InputError:
                return NOBODY_MEANT
        self._record.hear(event)
        return self._react(event.customer, event, received_at).refused

    def _resolved(self, event: Event) -> Event:
        """Say whom an event is about, and merge who turns out to be one person."""
        found = self._resolver.resolve(event)
        for _ in range(_MERGES):
            if not found.merges:
                break
            for merge in found.merges:
                self._react(merge.customer, merge)
            found = self._resolver.resolve(event)
        for conflict in found.conflicts:
            self._react(conflict.customer, conflict)
        return found.event

    def _found(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        return {id: self._customers[id] for id in ids if id in self._customers}

    def _fire(self, until: int, *, inclusive: bool) -> None:
        """Move the clock, and let everything happen that is due on the way."""
        dues = self._dues
        last = until if inclusive else until - 1
        while True:
            if self._reports and self._report(last):
                continue
            if not dues or dues[0][0] > last:
                break
            due, id = heappop(dues)
            if self._customers[id].next_due != due:
                continue  # it was due then, and something came in between
            self._now = due
            before = self._customers[id]
            after = self._react(id, WakeUp(id)).customer
            if after is before:
                raise IllegalTransition(
                    f"customer {id!r} was due at {isoformat(due)} and nothing happened"
                )
            if after.next_due == due:  # its budget is spent; the rest follows at once
                heappush(dues, (due, id))
        self._now = until

    def _report(self, last: int) -> bool:
        """Let come in what is reported next; False: it is something else's turn."""
        at, _, event = self._reports[0]
        if at > last or (self._dues and self._dues[0][0] < at):
            return False
        heappop(self._reports)
        self._now = max(at, self._now)
        self._record.hear(event)
        self._react(event.customer, event)
        return True

    def _react(
        self, id: str, stimulus: Stimulus, now: datetime | None = None
    ) -> Reaction:
        reaction = self._decide(id, stimulus, now)
        if reaction.commands:
            self._answer(reaction.commands)
        return reaction

    def _answer(self, commands: Sequence[Command]) -> None:
        """Let what comes of commands come in, and what that leads to."""
        decided = list(commands)
        called = 0
        for command in decided:  # it grows on the way
            if isinstance(command, SendMessage):
                decided += self._told(command)
            if isinstance(command, AbsorbCustomer):
                absorb = Absorb.of(command)
                decided += self._decide(absorb.customer, absorb).commands
            if not isinstance(command, CallAction):
                continue
            called += 1
            if called > _CALLS_AT_ONCE:
                raise ValueError(
                    f"journey {command.journey!r} calls {command.action!r} again and "
                    "again at one instant, as a simulation takes no time for it; it "
                    "needs a Wait, or an action that comes to None"
                )
            if command.enrollment:
                event = answer_to(command, self._calls, at=self.now, source=_SOURCE)
            else:  # of a journey that takes one customer of a value only
                event = claimed(command, self._holders, at=self.now, source=_SOURCE)
            if event is not None:
                decided += self._decide(command.customer, event).commands

    def _told(self, message: SendMessage) -> Iterator[Command]:
        """What is reported on a message: at once, or when its time has come."""
        if not self._fates:
            return
        for at, event in reports_on(message, self._fates, now=self._now):
            if at > self._now:
                self._reported += 1
                heappush(self._reports, (at, self._reported, event))
            else:
                self._record.hear(event)
                yield from self._decide(message.customer, event).commands

    def _decide(
        self, id: str, stimulus: Stimulus, now: datetime | None = None
    ) -> Reaction:
        before = self._customers.get(id)
        if before and before.merged_into and not isinstance(stimulus, WakeUp | Merge):
            id = survivor_of(id, self._found, {})
            before, stimulus = self._customers.get(id), readdressed(stimulus, id)
        reaction = react(
            before,
            stimulus,
            catalog=self._catalog,
            now=to_datetime(self._now) if now is None else now,
            explain=self._explain,
        )
        after = reaction.customer
        known = 0 if before is None else before.revision
        self._record.decide(
            reaction,
            self._now,
            event=getattr(stimulus, "id", ""),
            source=stimulus.source if isinstance(stimulus, Event) else None,
            changed=after.revision > known,
        )
        if after is not before:
            self._customers[id] = after
            due = after.next_due
            if due is not None and (before is None or due != before.next_due):
                heappush(self._dues, (due, id))
        return reaction

    def _next_id(self, customer: str) -> str:
        """An id that doesn't depend on what happens to others."""
        self._happened[customer] += 1
        return f"{customer}-{self._happened[customer]}"

    def _forget_stale(self) -> None:
        """Take from the top of the heap what is not due any more."""
        dues = self._dues
        while dues and self._customers[dues[0][1]].next_due != dues[0][0]:
            heappop(dues)


def occurred_by(events: Iterable[Event], until: datetime) -> Iterator[Event]:
    """Yield the events that occurred by an instant, and pass over the others."""
    return (event for event in events if event.occurred_at <= until)


def simulate(
    journeys: Journeys,
    events: Iterable[Event],
    *,
    start: datetime | str | None = None,
    until: datetime | str | None = None,
    policies: Planned | Document | None = None,
    profiles: Profiles = (),
    channels: Channels | None = None,
    calls: Calls | None = None,
    fates: Fates | None = None,
    guards: Mapping[str, PluginGuard] | None = None,
    audience: Document | None = None,
    identity: IdentityRules | None = None,
    explain: bool = True,
) -> Simulator:
    """Run events through journeys and return what happened; print it for a timeline.

    Args:
        journeys: One or several.
        events: What happens, in order.
        start: When day 1 is; that of the first event if not given.
        until: When to stop: an event that occurred later is passed over; when nobody
            waits any more if not given, a year after the last event at most.
        policies: Caps, quiet hours, consent; none of them if not given.
        profiles: Customers: attributes by id, or attributes with an `id` among them.
        channels: Installed channels, which know their addresses.
        calls: What actions come to, as for a `Simulator`.
        fates: What becomes of messages, as for a `Simulator`.
        guards: The guards of plugins, set up, by name; none of them if not given.
        audience: Traits, segments and stages, as for a `Simulator`.
        identity: Which identifiers say whom an event is about.
        explain: Whether the trace holds the values that conditions saw.

    Raises:
        InputError: There is neither an event nor a start.
    """
    if until is not None:
        until = instant(until, place="until")
        events = occurred_by(events, until)
    events = iter(events)
    first = next(events, None)
    if start is None:
        if first is None:
            raise InputError("nothing happens, so say when it begins", place="start")
        start = first.occurred_at
    simulator = Simulator(
        journeys,
        start=start,
        policies=policies,
        profiles=profiles,
        channels=channels,
        calls=calls,
        fates=fates,
        guards=guards,
        audience=audience,
        identity=identity,
        explain=explain,
    )
    if first is not None:
        simulator.run(chain([first], events), until=until)
    elif until is not None:
        simulator.advance_to(until)
    if until is None:
        simulator.play_out()
    return simulator


def _listed(journeys: Journeys) -> list[Document]:
    """The plan documents of one journey or of several."""
    if isinstance(journeys, Mapping) or not isinstance(journeys, Iterable):
        journeys = [journeys]
    return [item if isinstance(item, Mapping) else item.to_plan() for item in journeys]


def _rules(catalog: Catalog, channels: Channels) -> dict[str, ChannelRules]:
    """The pure parts of the channels that the journeys name."""
    names = {
        name
        for plan in catalog.plans.values()
        for step in plan.steps.values()
        if isinstance(step, Send)
        for name in step.channels
    }
    carriers = {name: carrier(channels, name) for name in sorted(names)}
    return {name: rules_of(channel) for name, channel in carriers.items()}


def _known(profiles: Profiles, start: int) -> Iterator[tuple[str, Customer]]:
    """Customers of whom nothing is known but their profile.

    Raises:
        InputError: A profile has no id, or is too large for a document.
    """
    if isinstance(profiles, Mapping):
        profiles = [{**attributes, "id": id} for id, attributes in profiles.items()]
    at = to_datetime(start)
    for n, attributes in enumerate(profiles, 1):
        id = attributes.get("id")
        if not isinstance(id, str):
            raise InputError(f"the id must be text, not {id!r}", place=f"profile {n}")
        place = f"profile {id!r:.80}" if id else f"profile {n}"
        known = {
            name: value
            for name, value in attributes.items()
            if name != "id" and value is not None
        }
        # A profile comes through the same door as what changes one.
        checked(
            Event(
                id="profile",
                name=PROFILE_UPDATED,
                customer=id,
                properties=known,
                occurred_at=at,
                received_at=at,
            ),
            place,
        )
        if len(known) > PROFILE_KEYS or size_of(known) > PROFILE_BYTES:
            raise InputError(
                f"a profile holds {PROFILE_KEYS} attributes and {PROFILE_BYTES} bytes",
                place=place,
            )
        yield id, created(id, start, known)

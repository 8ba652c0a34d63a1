"""The decision engine: customer + stimulus + now → customer′ + commands + trace.

Theory of operation
===================

**One function.** Everything that decides is in `react` and what it calls. It reads no
clock, draws no random number and does no IO; what it needs comes in, what it decides
comes out. Simulator, back-test, local runtime and cloud handlers are its callers.

**One customer.** The document of one customer is read, changed in a draft, and returned
as another document. Journeys meet only here, so caps and priorities across journeys are
exact.

**Two instants.** `at` is the instant on the customer's path, by which triggers, waits,
goals and re-entry are judged. `now` is the wall clock, by which messages are released.
The customer's clock never runs back: a stimulus happens at `max(received_at, clock)`,
and a wake-up moves the clock no further than the last wait that it ended, unless it
finds a journey stopped or resumed. Only what was held over for want of budget (200
steps, 32 messages a reaction) happens at an `at` before the clock: at its own due
instant.

**One reaction** goes through these, in this order:

1. *Obey the catalog.* Nothing moves the runs of a stopped journey any more; they end
   when the clock has come to `at`. What a pause has parked goes on then.
2. *Due waits.* What is due before `at` happens first, instant by instant, each at its
   own. An event at exactly a due instant is handled before it: a purchase in the last
   second counts. A wake-up includes what is due now.
3. *Profile, consent, addresses.* What the event says about the customer.
4. *Goals*, of running enrollments and of those that have ended.
5. *Exit rules.*
6. *Waiting steps* that listen.
7. *Triggers*, by priority. Who was removed from a journey is not entered by them.
8. *Rounds*, until nobody moves:
   a. each enrollment that can move runs until it waits, ends, or stands before a Send;
   b. the standing Sends pass the guards by (priority, entry, id), each seeing what the
      one before left in the ledger; held messages that are due stand among them, before
      the Send of their own run;
   c. those that may go on return to a.
9. *The queue.* Events that Emit steps let happen go through 3 to 8, one by one; likewise
   who a Start lets enter another journey, and whom an Exit takes out of one.

**What comes back.** A message is released when its command is in a reaction. If it can't
go in time, it comes back as a stimulus: it doesn't count for the caps any more, and the
document holds it until it may be asked about again. That is a due instant like those of
waits: at one instant the waits end first, and who moves because of that may end the run
and its held messages with it. `journeykit.engine.held` has the rest.

How one enrollment moves, stands, stops and ends is in `journeykit.engine.runs`; what each
kind of step does, in `journeykit.engine.steps`; what refuses a message, in
`journeykit.engine.guards`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from journeykit.engine import (
    bounds,
    enter,
    facts,
    held as held_messages,
    history,
    launching,
    learning,
    merging,
    placements,
    schedules,
    sequences,
    surveys,
    telling,
    uniqueness,
)
from journeykit.engine.audience import Change, is_stale, silently, told
from journeykit.engine.calendar import LATEST, add, to_datetime, to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import Command
from journeykit.engine.conditions import Predicate, Scope, ValueOf
from journeykit.engine.customer import (
    Customer,
    Enrollment,
    Finished,
    Held,
    Watch,
    created,
    upgraded,
)
from journeykit.engine.draft import (
    Draft,
    Ending,
    Happening,
    Queued,
    Starting,
    Stir,
    cut,
    explained,
)
from journeykit.engine.ids import seen_hash
from journeykit.engine.limits import FUTURE_MS, SEEN_MS
from journeykit.engine.moves import Go, Leave
from journeykit.engine.plan import GoalRule, JourneyPlan
from journeykit.engine.runs import PlannedRun, Runs, situation_of
from journeykit.engine.sequences import Role, Way
from journeykit.engine.steps import Survey
from journeykit.engine.stimuli import (
    Absorb,
    Enroll,
    Launch,
    Merge,
    Recomputed,
    Remove,
    Returned,
    Stimulus,
    WakeUp,
)
from journeykit.engine.trace import TraceEntry
from journeykit.engine.views import Views
from journeykit.errors import StaleCatalog
from journeykit.model.events import (
    CALL,
    CALL_RESULTS,
    MESSAGE,
    MESSAGE_REPLIED,
    PLACEMENT_REQUESTED,
    SURVEY_ANSWERED,
    Event,
)

# Sources that no event can have: the doors refuse \x00.
_ENROLL = "\x00enroll"
_REMOVE = "\x00remove"
_LAUNCH = "\x00launch"
_RETURNED = "\x00returned"
_MERGE = "\x00merge"
_ABSORB = "\x00absorb"

_OF_ONE_RUN = (MESSAGE, CALL)  # what these report may name its enrollment

STOPPED = Leave("stopped")
REMOVED = Leave("removed")
RESTARTED = Leave("restarted")
MERGED = Leave("merged")
GOAL_REACHED = Leave("goal_reached")
LEFT_SEGMENT = Leave("left_segment")


class Reaction(msgspec.Struct, frozen=True):
    """What one stimulus did.

    Attributes:
        customer: The customer afterwards; the very same object if nothing changed.
        commands: What the shell is to do.
        trace: What was decided, in order.
        refused: Why the stimulus was not accepted and belongs to the dead letters; empty
            if it was. What was due before it may have happened all the same.
    """

    customer: Customer
    commands: tuple[Command, ...]
    trace: tuple[TraceEntry, ...]
    refused: str = ""


def react(
    customer: Customer | None,
    stimulus: Stimulus,
    *,
    catalog: Catalog,
    now: datetime,
    explain: bool = False,
) -> Reaction:
    """Decide what one stimulus means for one customer.

    Args:
        customer: Their document; None if nothing is known of them yet.
        stimulus: An event, a call, a wake-up, or a message that came back.
        catalog: The journeys and policies that are live.
        now: The wall clock, aware. Messages are released by it.
        explain: Whether the trace holds the values that conditions saw and what would
            have had to differ, and also the triggers whose conditions failed.

    Returns:
        The customer afterwards, the commands and the trace. Equal inputs give equal
        reactions, and the customer that came in is unchanged.

    Raises:
        StaleCatalog: The customer has seen a newer catalog; load that and react again.
    """
    if customer is not None and customer.merged_into and isinstance(stimulus, WakeUp):
        return Reaction(customer, (), ())  # nothing is left that could be due
    clock = to_ms(now)
    # Of whom nothing was ever stored, though somebody may have kept what came back.
    is_new = customer is None or not (customer.revision or isinstance(stimulus, WakeUp))
    if customer is None:
        customer = _created(stimulus, clock)
    if catalog.revision < customer.catalog:
        raise StaleCatalog(
            f"the customer has seen catalog revision {customer.catalog}, this one is "
            f"{catalog.revision}; load the newer one and react again"
        )
    draft = Draft(customer, now=clock, explain=explain)
    draft.scope = views = Views(draft, catalog)
    reaction = _Reaction(draft, catalog, is_new=is_new)
    if draft.merged_into and not isinstance(stimulus, Merge):
        merging.revived(draft)
    match stimulus:
        case Event():
            reaction.event(stimulus)
        case Enroll():
            reaction.enroll(stimulus)
        case WakeUp():
            reaction.wake_up()
        case Remove():
            reaction.remove(stimulus)
        case Launch():
            reaction.launch(stimulus)
        case Returned():
            reaction.returned(stimulus)
        case Merge():
            reaction.merge(stimulus)
        case Absorb():
            reaction.absorb(stimulus)
        case Recomputed():
            reaction.recomputed(stimulus)
        case _:
            assert_never(stimulus)
    done = reaction.finished()
    # What holds each other is freed late, and at once only if one of them lets go.
    views.close()
    del reaction.runs
    return done


def _created(stimulus: Stimulus, now: int) -> Customer:
    """A customer is created by the first stimulus that names them."""
    born = now if isinstance(stimulus, WakeUp) else to_ms(stimulus.received_at)
    return created(stimulus.customer, born)


class _Reaction:
    """One reaction at work: the draft, the catalog, and the runs touched so far."""

    def __init__(self, draft: Draft, catalog: Catalog, *, is_new: bool) -> None:
        self.draft = draft
        self.catalog = catalog
        self.runs = Runs(draft, catalog, self._judge if catalog.judges else None)
        self.refused = ""
        self.is_new = is_new
        self.gates = False  # whether somebody may run on who has left a segment
        # Who is being judged anew: the nodes that are not judged yet, by place.
        self.unjudged: set[int] | None = None
        self.keys: dict[JourneyPlan, str | None] = {}
        self.profile = draft.profile  # as journeys have been told of it
        # As schedules have seen them.
        self.scheduled = draft.profile, draft.segments, draft.traits

    # --- the stimuli ---------------------------------------------------------------

    def event(self, event: Event) -> None:
        """An event from outside."""
        if event.history:
            self._recall(event)
            return
        draft = self.draft
        received_at = to_ms(event.received_at)
        hash = seen_hash(event.source, event.id)
        if not self._accepts(hash, received_at, test=event.test):
            return
        occurred_at, age = event.occurred_at, 0
        if occurred_at is not event.received_at:
            age = received_at - to_ms(occurred_at)
        if age < -FUTURE_MS:
            detail = {"occurred_at": received_at - age, "to": received_at}
            draft.note("clamped", detail=detail)
            occurred_at = event.received_at
        happening = Happening(
            event.id,
            event.name,
            event.properties,
            occurred_at,
            test=event.test,
            source=event.source,
        )
        earlier, draft.changed = draft.changed, False
        if event.identifiers:
            merging.linked(draft, event.identifiers)
        if draft.surveys and surveys.is_again(draft, happening):
            draft.note("ignored", reason="answered", detail={"event": event.name})
            self._settle([])
            draft.changed = draft.changed or earlier
            return
        too_late = self._is_too_late(received_at - age, received_at)
        accepted = self._learn(happening)
        if not accepted:
            self._refuse("profile_too_large")
        if too_late:
            draft.note("ignored", reason="too_late", detail={"event": event.name})
            # The word of the customer holds, however late it came; and who they are
            # since it came, they are today.
            moving = self.runs.confirmations()
            if "segment" in draft.roots or self.gates:
                moving += self._look()
            self._settle(moving)
        elif facts.is_automated(happening):
            draft.note("ignored", reason="automated", detail={"event": event.name})
            self._settle([])
        elif accepted:
            self._settle(self._heard(happening))
        if accepted and draft.changed:  # by this event, not by what was due before it
            draft.seen = bounds.remembered(draft, hash, received_at)
        draft.changed = draft.changed or earlier

    def _recall(self, event: Event) -> None:
        """An event of the past, which teaches and moves nobody: see `engine.history`."""
        draft, catalog = self.draft, self.catalog
        at = draft.at = max(to_ms(event.received_at), draft.clock)
        draft.now = max(draft.now, at)
        self._pass_time(at, inclusive=False)
        draft.begin(at)
        draft.test = event.test
        occurred_at = min(event.occurred_at, to_datetime(at))
        happening = Happening(
            event.id, event.name, event.properties, occurred_at, test=event.test
        )
        if event.identifiers:
            merging.linked(draft, event.identifiers)
        if history.is_outdated(draft, happening):
            draft.note("ignored", reason="stale_consent")
            return
        draft.at = history.since(draft, happening)
        if not facts.learned(draft, happening, catalog.guards):
            self._refuse("profile_too_large")
        draft.at = at
        if happening.name in catalog.traits.hears and not happening.test:
            self._compute(happening)
        if catalog.judges:
            self._judge(silent=True, imported=True)
        if draft.profile_changed:
            self._out_by_now()

    def _out_by_now(self) -> None:
        """End the runs that what was learned of the past takes out; nobody moves on."""
        roots = {*self.draft.roots, "profile"}
        if self.gates:
            self._gated()
        for enrollment, plan in self._looking(roots):
            self._exit_rules(self.runs.of(enrollment, plan), Stir(looks=True))

    def enroll(self, call: Enroll) -> None:
        """A call that enrolls."""
        draft = self.draft
        received_at = to_ms(call.received_at)
        hash = seen_hash(_ENROLL, call.id)
        if not self._accepts(hash, received_at, test=call.test):
            return
        if self.catalog.judges:
            self._judge()
        moving = self._called(call.id, call.journey, call.entry, called=True)
        if moving is not None:
            self._settle(moving)
            draft.seen = bounds.remembered(draft, hash, received_at)
        elif draft.queue:
            self._settle([])

    def wake_up(self) -> None:
        """Something may be due, up to and including now."""
        draft = self.draft
        self._pass_time(draft.now, inclusive=True)
        if draft.before.catalog < draft.catalog and (draft.active or draft.held):
            # Whoever decides by an older catalog at this moment, say to park, must find
            # the document changed: nobody would come again to undo it.
            draft.changed = True

    def remove(self, call: Remove) -> None:
        """A call that takes the customer out of a journey, and keeps them out."""
        draft = self.draft
        received_at = to_ms(call.received_at)
        hash = seen_hash(_REMOVE, call.id)
        if not self._accepts(hash, received_at):
            return
        plan = self.catalog.live.get(call.journey)
        if plan is None:
            detail = {"journey": cut(call.journey)}
            draft.note("ignored", reason="no_such_journey", detail=detail)
            return
        draft.trace.append(TraceEntry("removed", draft.at, plan.id, plan.version))
        draft.writable_past(plan.id).removed = True
        self._end_all(plan.id, REMOVED)
        draft.seen = bounds.remembered(draft, hash, received_at)

    def launch(self, call: Launch) -> None:
        """A journey is launched for who is by now in what it is about."""
        draft = self.draft
        received_at = to_ms(call.received_at)
        hash = seen_hash(_LAUNCH, call.id)
        if not self._accepts(hash, received_at):
            return
        plan = self.catalog.live.get(call.journey)
        if plan is None:
            detail = {"journey": cut(call.journey)}
            draft.note("ignored", reason="no_such_journey", detail=detail)
            return
        fields = launching.meets(draft, plan)
        if fields is not None and uniqueness.is_asked_for(draft, plan):
            enter.not_entered(draft, plan, "already_in", {"rule": "unique"})
        elif fields is not None and uniqueness.has_entered(draft, plan):
            enter.not_entered(draft, plan, "launched_before")
        elif fields is not None:
            self._settle(self._entered(plan, fields))
            draft.seen = bounds.remembered(draft, hash, received_at)
        draft.scope.event = None

    def returned(self, returned: Returned) -> None:
        """A message that was released and could not go in time."""
        draft, message = self.draft, returned.message
        received_at = to_ms(returned.received_at)
        id = message.delivery_id
        if any(held.message.delivery_id == id for held in draft.held):
            draft.at, draft.test = max(received_at, draft.clock), message.test
            draft.note("ignored", reason="duplicate")
            return
        which = f"{id} {received_at} {returned.until} {message.attempts}"
        hash = seen_hash(_RETURNED, which)
        # However late: a message that goes twice has one delivery id.
        test = message.test
        if not self._accepts(hash, received_at, however_late=True, test=test):
            return
        stopped = self.catalog.state_of(message.journey) == "stopped"
        held_messages.came_back(
            draft, returned, self.catalog.guards, at=draft.at, stopped=stopped
        )
        if draft.changed:
            draft.seen = bounds.remembered(draft, hash, received_at)
        falls_back = self.runs.without(message)
        if falls_back is not None:
            self._settle([falls_back])

    def merge(self, call: Merge) -> None:
        """A call that makes the customer part of another one."""
        draft = self.draft
        received_at = to_ms(call.received_at)
        if draft.merged_into or call.into == draft.customer:
            draft.at = max(received_at, draft.clock)
            draft.note("ignored", reason="duplicate")
            return
        hash = seen_hash(_MERGE, call.id)
        if not self._accepts(hash, received_at, however_late=True):
            return
        if merging.refuses(draft, call):
            draft.note("identity", reason="conflict")
            return
        if draft.queue:
            self._settle([])  # who was stopped meanwhile has left word of it
        merging.buried(draft, call)

    def recomputed(self, told: Recomputed) -> None:
        """Traits that were computed again; nobody enters a segment because of that."""
        draft = self.draft
        draft.begin(draft.clock)
        differs = learning.replaced(draft, told.traits, told.names)
        # Who was judged by other definitions is judged by these ones at the next occasion,
        # as of when they were published.
        is_judged = draft.audience == self.catalog.audience.version
        if differs and self.catalog.judges and is_judged:
            self._judge(silent=True)
            if draft.profile_changed:
                self._settle(self._look())

    def absorb(self, call: Absorb) -> None:
        """What was known of somebody who was merged into the customer."""
        draft = self.draft
        theirs = upgraded(call.snapshot)
        if self.catalog.revision < theirs.catalog:
            raise StaleCatalog(
                f"who was merged has seen catalog revision {theirs.catalog}, this one "
                f"is {self.catalog.revision}; load the newer one and react again"
            )
        received_at = max(to_ms(call.received_at), theirs.clock)
        hash = seen_hash(_ABSORB, call.id)
        if merging.mark_of(theirs) in draft.absorbed:
            return  # the inbox brings it once more, after what was done at once
        if not self._accepts(hash, received_at, however_late=True):
            return
        stage = draft.stage
        leaving = merging.absorbed(draft, theirs, self.catalog, log_id=call.log_id)
        for enrollment in leaving:
            # To end it takes no more than the name: any version will do.
            plan = self.catalog.plan_of(enrollment)
            plan = plan or self.catalog.live.get(enrollment.journey)
            if plan is None:
                merging.dropped(draft, enrollment)
                continue
            run = self.runs.of(enrollment, plan)
            run.enrollment.watches = []  # the one that goes on watches as well
            self.runs.leave(run, MERGED)
        if self.catalog.judges:
            self._unite(theirs, stage)
        draft.seen = bounds.remembered(draft, hash, received_at)
        moving = self._look() if draft.profile_changed else []
        if draft.consent_changed:
            moving += self.runs.confirmations()
        self._settle(moving)

    def _is_too_late(self, occurred_at: int, received_at: int) -> bool:
        """Whether an event is so old that it moves no journey."""
        catalog = self.catalog
        if received_at - occurred_at < catalog.certainly_young_ms:
            return False
        return add(occurred_at, catalog.max_age, self.draft.zone) <= received_at

    def _refuse(self, why: str, detail: dict[str, Any] | None = None) -> None:
        self.refused = why
        self.draft.note("refused", reason=why, detail=detail)

    def _accepts(
        self,
        hash: int,
        received_at: int,
        *,
        however_late: bool = False,
        test: bool = False,
    ) -> bool:
        """Bring the customer to a stimulus, unless it came before or far too late."""
        draft = self.draft
        draft.test = test
        at = draft.at = max(received_at, draft.clock)
        now = max(draft.now, at)
        # By a replay's own clock nothing is old; but the customer has come further.
        if now - received_at >= SEEN_MS and not however_late:
            self._refuse("replay_too_old", {"received_at": received_at})
            return False
        known = draft.seen.get(hash)
        if known is not None and known + SEEN_MS > draft.now:
            draft.note("ignored", reason="duplicate")
            return False
        draft.now = (
            now  # clocks differ: it can't be earlier than when this was received
        )
        self._pass_time(at, inclusive=False)
        draft.begin(at)
        draft.test = test
        return True

    # --- time ----------------------------------------------------------------------

    def _pass_time(self, until: int, *, inclusive: bool) -> None:
        """Let happen what is due by then; then obey what the catalog says of states.

        A document obeys when it is looked at: correctness needs no job that visits all.
        """
        draft, catalog = self.draft, self.catalog
        draft.catalog = catalog.revision
        is_other = draft.before.catalog != catalog.revision
        if is_other:
            schedules.kept(draft, catalog, until=until)
        if draft.audience != catalog.audience.version and not self.is_new:
            self._judge_anew(until)
            if is_other:  # of segments that the customer was not in as far as was known
                schedules.kept(draft, catalog, until=until)
        self._fire(until, inclusive=inclusive)
        if not catalog.any_states and not is_other:
            return  # nothing is stopped or paused, and nothing was
        if not (draft.active or draft.held):
            return  # nor has anybody anything that could be
        at = max(until, draft.clock)
        self._stop(at)
        self._resume(at)

    def _stop(self, at: int) -> None:
        """End the runs of stopped journeys, which time does not move any more."""
        draft, catalog = self.draft, self.catalog
        if not catalog.any_states:
            return
        present = {run.journey for run in draft.active}
        present |= {held.message.journey for held in draft.held}
        for journey in sorted(present):
            if catalog.state_of(journey) == "stopped":
                draft.begin(at)
                self._end_all(journey, STOPPED)

    def _called(
        self, id: str, journey: str, entry: dict[str, Any], *, called: bool = False
    ) -> list[PlannedRun] | None:
        """Enter by a call or a Start; None if the journey takes none, or none like it."""
        draft = self.draft
        plan = self.catalog.live.get(journey)
        if plan is None or not plan.api_entries:
            detail = {"journey": cut(journey)}
            draft.note("ignored", reason="no_api_trigger", detail=detail)
            return None
        fields = Happening(id, "enroll", entry).fields(draft.at)
        draft.scope.entry = fields
        if any(where is None or where(draft.scope) for where in plan.api_entries):
            moving = self._entered(plan, fields, called=called)
            draft.scope.event = None
            return moving
        detail = self._failed(plan.api_entries[0])
        enter.not_entered(draft, plan, "condition", detail)
        return None

    def _end_all(self, journey: str, leave: Leave) -> None:
        """End all runs of a journey, and what is held of those that have completed."""
        draft, catalog = self.draft, self.catalog
        for enrollment in tuple(draft.active):
            # To end it takes no more than the name: any version will do.
            plan = catalog.plan_of(enrollment) or catalog.live.get(journey)
            if enrollment.journey == journey and plan is not None:
                self.runs.leave(self.runs.of(enrollment, plan), leave)
        held_messages.dropped(draft, lambda held: held.message.journey == journey)

    def _resume(self, at: int) -> None:
        """Let go on what a pause has parked; expiry counts from when it was parked."""
        draft, catalog = self.draft, self.catalog
        resumed = []
        for enrollment in tuple(draft.active):
            if enrollment.arriving and enrollment.due is None:
                plan = catalog.plan_of(enrollment)
                if plan is not None and catalog.state_of(plan.id) != "paused":
                    run = self.runs.of(enrollment, plan)
                    run.generation = run.enrollment.generation
                    run.since_wait, run.enrollment.sprint = run.enrollment.sprint, 0
                    run.move = Go(enrollment.step)
                    resumed.append(run)
        held = [
            held
            for held in draft.held
            if held.due is None and catalog.state_of(held.message.journey) != "paused"
        ]
        if resumed or held:
            draft.begin(at)
            self._settle(resumed, held)

    def _fire(self, until: int, *, inclusive: bool) -> None:
        """Let everything that is due by then happen, instant by instant."""
        draft, due_of = self.draft, self.catalog.due_of
        known: int | None = None
        if draft.before.catalog == draft.catalog:
            known = draft.before.next_due
            if known is None or known > until:
                return
            if draft.changed:  # since then
                known = None
        while draft.steps_left > 0 and draft.sends_left > 0:
            due = self._next_due() if known is None else known
            known = None
            if due > until or (due == until and not inclusive):
                return
            # What was held over for want of budget happens at its own instant too, so
            # that the path does not depend on when somebody looked.
            draft.begin(due)
            if draft.own_due == due:  # before the waits, like an event at that instant
                draft.steps_left -= 1
                self._settle(self._turned(due))
                self._reschedule()
                continue
            woken = [
                self.runs.wake(e, due) for e in tuple(draft.active) if due_of(e) == due
            ]
            held = self._held_until(due) if draft.held else ()
            self._settle([run for run in woken if run is not None], held)
            self._reschedule()

    def _next_due(self) -> int:
        """When something happens by itself; LATEST: never."""
        draft = self.draft
        own = draft.own_due
        if not (draft.active or draft.held):
            return own
        return min(self.catalog.next_due(draft.active, draft.held), own)

    def _reschedule(self) -> None:
        """See to the schedules at the instant at which what they depend on has changed.

        At that instant and no later one: who comes into a segment while a late reaction
        catches up has occurrences behind that instant which are due before its end.
        """
        draft = self.draft
        if not self.catalog.schedules:
            return
        before, self.scheduled = (
            self.scheduled,
            (draft.profile, draft.segments, draft.traits),
        )
        if any(a is not b for a, b in zip(before, self.scheduled, strict=True)):
            schedules.kept(draft, self.catalog)

    def _turned(self, due: int) -> list[PlannedRun]:
        """What time alone changes of the customer: segments, the stage, triggers.

        Whatever was due then is not due any more afterwards.
        """
        draft = self.draft
        draft.changed, draft.test = True, False
        moving: list[PlannedRun] = []
        if draft.flips_at == due:
            draft.flips_at = None
            self._judge(timed=True)
            if draft.profile_changed:
                moving = self._look()
        moving += self._absent(due) if self.catalog.ways else []
        moving += self._scheduled(due) if self.catalog.schedules else []
        for journey, test in uniqueness.lapsed(draft, due):
            draft.test = test
            self._not_claimed(journey, "claim_failed")
        draft.progress = {
            name: replace(one, due=None) if one.due == due else one
            for name, one in draft.progress.items()
        }
        return moving

    def _scheduled(self, due: int) -> list[PlannedRun]:
        """The journeys that a schedule starts now, by priority; each once."""
        draft, scope = self.draft, self.draft.scope
        draft.test = False
        moving: list[PlannedRun] = []
        entered: set[str] = set()
        for (plan, rule), fields in schedules.reached(draft, self.catalog, due):
            scope.event = scope.entry = scope.step = None
            if plan.id in entered:
                continue
            if rule.where is None or rule.where(scope):
                entered.add(plan.id)
                moving += self._entered(plan, fields)
            elif draft.explain:
                enter.not_entered(
                    draft, plan, "condition", self._failed(rule.where), "unmatched"
                )
        scope.event = None
        return moving

    def _held_until(self, due: int) -> list[Held]:
        """The held messages that are due; those of paused journeys park."""
        draft, catalog = self.draft, self.catalog
        found: list[Held] = []
        for held in draft.held:
            if catalog.due_of_held(held) == due:
                if catalog.state_of(held.message.journey) == "paused":
                    held_messages.parked(draft, held)
                else:
                    found.append(held)
        return found

    # --- one event -----------------------------------------------------------------

    def _learn(self, happening: Happening) -> bool:
        """What the event says about the customer; False if it is too much."""
        draft, catalog = self.draft, self.catalog
        draft.generation, draft.test = happening.generation, happening.test
        if not facts.learned(draft, happening, catalog.guards):
            return False
        is_reply = draft.surveys and happening.name == MESSAGE_REPLIED
        if is_reply and not facts.is_automated(happening):
            surveys.replied(draft, happening)
        if draft.profile is not self.profile:
            self._tell_changes()
        if happening.name in catalog.traits.hears and not happening.test:
            self._compute(happening)
        if catalog.judges:
            self._judge()
        return True

    def _compute(self, happening: Happening) -> None:
        """Let the traits learn from an event, at its own place in time."""
        learning.feed(self.catalog.traits, self.draft, happening)

    # --- who the customer is -------------------------------------------------------

    def _tell_changes(self) -> None:
        """Let journeys hear of the attributes that have changed, where they listen."""
        before, self.profile = self.profile, self.draft.profile
        if self.catalog.watched != telling.NOBODY:
            telling.profile_changed(self.draft, before, self.catalog.watched)

    def _judge(
        self, *, timed: bool = False, silent: bool = False, imported: bool = False
    ) -> None:
        """Find out which segments and stage the customer is in, after what has changed.

        What is new is noted, and told to journeys that hear of it; silently it is neither.
        """
        draft, audience = self.draft, self.catalog.audience
        left = self.unjudged
        anew = draft.audience != audience.version and left is None
        if not (anew or timed or is_stale(draft)):
            return
        draft.roots |= audience.changed(draft)
        changes = audience.judge(
            draft, everything=anew, timed=timed, without=left or ()
        )
        if anew:
            self._is_judged(changes)
        self._now_is(changes)
        if silent:
            silently(draft, changes, cause="imported" if imported else "")
        else:
            told(draft, changes, self.catalog.hears)

    def _is_judged(self, changes: Sequence[Change]) -> None:
        """Note by which definitions the customer was judged."""
        draft, catalog = self.draft, self.catalog
        draft.audience = catalog.audience.version
        draft.changed = draft.changed or bool(changes) or not self.is_new
        self.gates = self.gates or catalog.any_gates

    def _now_is(self, changes: Sequence[Change]) -> None:
        """See whether anybody has something to look at since the customer was judged."""
        draft, catalog = self.draft, self.catalog
        if changes:
            draft.roots |= {"segment", "trait"}
            self.gates = self.gates or catalog.any_gates
        if self.gates or not draft.roots.isdisjoint(catalog.asks):
            draft.profile_changed = True

    def _judge_anew(self, until: int) -> None:
        """Judge who was judged by other definitions, each as of when it was published.

        What time has changed by then of those that are what they were, is told: nothing
        of what has happened is lost because somebody published before it was looked at.
        """
        draft, audience = self.draft, self.catalog.audience
        # Who was never judged has all of it before them.
        known = draft.before.catalog if draft.audience else -1
        published = audience.differing(known)
        left = {*published}
        for published_at in sorted({*published.values()} or {audience.at}):
            at = max(draft.clock, min(published_at, until))
            self.unjudged = left
            self._fire(at, inclusive=False)
            while draft.flips_at is not None and draft.flips_at < at:  # out of budget
                draft.begin(draft.flips_at)
                self._settle(self._turned(draft.flips_at))
            draft.begin(at)
            places = {place for place, at in published.items() if at == published_at}
            self.unjudged = left = left - places
            draft.roots |= audience.changed(draft)
            changes = audience.judge(draft, also=places, without=left)
            if not left:
                changes += audience.gone(draft)
                self.unjudged = None
                self._is_judged(changes)
            self._now_is(changes)
            if changes or not left:
                silently(draft, changes)
            if draft.profile_changed:
                self._settle(self._look())

    def _unite(self, theirs: Customer, stage: str) -> None:
        """Judge who has taken in somebody, by what is known of both.

        Who was in a segment as the other one was so already, and likewise in a `stage`,
        which is the customer's own before that. And what was published since the other
        one was judged has nobody entering or leaving.
        """
        draft, audience = self.draft, self.catalog.audience
        draft.roots |= audience.changed(draft)
        changes = audience.judge(draft, everything=True, timed=True)
        merging.since_both(draft, theirs)
        new = set[str]()
        if theirs.audience != audience.version:
            known = theirs.catalog if theirs.audience else -1
            new = audience.named(audience.differing(known))
        self._is_judged(changes)
        self._now_is(changes)
        loud: list[Change] = []
        quiet: list[Change] = []
        as_they: list[Change] = []
        is_told = any(change.kind == "stage" for change in changes)
        if draft.stage and not stage and not is_told:
            as_they.append(Change("stage", draft.stage))
        for change in changes:
            is_segment = change.kind == "segment"
            if is_segment and change.entered and change.name in theirs.segments:
                as_they.append(change)
                continue
            node = change.name if is_segment else ""
            (quiet if node in new else loud).append(change)
        if as_they:
            silently(draft, as_they, cause="merged")
        if quiet:
            silently(draft, quiet)
        told(draft, loud, self.catalog.hears)

    def _gated(self) -> None:
        """End the runs that are kept only in a segment which the customer is not in."""
        draft, catalog = self.draft, self.catalog
        self.gates = False
        memberships = draft.scope.segment or {}
        for enrollment in tuple(draft.active):
            plan = catalog.plan_of(enrollment)
            if plan is None or not plan.gate or enrollment.held_out:
                continue
            # Of a segment that there is no more nobody knows who would be in it.
            if memberships.get(plan.gate) is False:
                run = self.runs.of(enrollment, plan)
                self.runs.leave(run, LEFT_SEGMENT, {"segment": plan.gate})

    def _heard(self, happening: Happening) -> list[PlannedRun]:
        """Goals, exit rules, waiting steps, triggers: who moves because of this event."""
        draft, name = self.draft, happening.name
        draft.generation = happening.generation
        draft.test = happening.test
        moving: list[PlannedRun] = []
        if name in self.catalog.hears:
            event = draft.scope.event = happening.fields(draft.at)
            self.keys.clear()
            if name == PLACEMENT_REQUESTED:
                placements.begin(draft, happening)
            moving = self._stirred(name, happening)
            if draft.consent_changed:
                moving += self.runs.confirmations()
            draft.scope.step = None
            if not (draft.placement and draft.answered):
                moving += self._triggered(happening, event)
            placements.end(draft)
            if name in CALL_RESULTS and draft.progress:
                moving += self._claimed(name, event)
            if name in CALL_RESULTS and "call_id" in event and not moving:
                self._unless_taken(event)
        else:
            if draft.profile_changed:
                moving = self._look()
            if draft.consent_changed:
                moving += self.runs.confirmations()
        draft.scope.event = None
        return moving

    def _claimed(self, name: str, event: dict[str, Any]) -> list[PlannedRun]:
        """Enter a journey that takes one customer of a value only, if it is this one."""
        draft = self.draft
        answer = uniqueness.answered(draft, name, event)
        if answer is None:
            return []
        granted, journey, why = answer
        plan = self.catalog.live.get(journey)
        if granted is None or plan is None:
            self._not_claimed(journey, why)
            return []
        draft.test = granted.test
        before = draft.past.get(journey)
        moving = self._entered(
            plan, granted.fields, called=granted.called, claimed=True
        )
        if draft.past.get(journey) is not before and not granted.test:
            uniqueness.note_value(draft, journey, granted.value)
        return moving

    def _not_claimed(self, journey: str, unclaimed: str) -> None:
        plan = self.catalog.live.get(journey)
        if plan is not None:
            enter.not_entered(self.draft, plan, unclaimed)

    def _unless_taken(self, event: dict[str, Any]) -> None:
        """Say that nobody waits for the result of a call; that is no error."""
        if not self.draft.changed:
            detail = {"call_id": cut(event["call_id"])}
            self.draft.note("ignored", reason="late_result", detail=detail)

    def _stirred(
        self, name: str | None, happening: Happening | None
    ) -> list[PlannedRun]:
        """Goals, then exit rules, then waits: of those that hear, and those that look.

        Args:
            name: The event's name; None: only the profile has changed.
            happening: The event.
        """
        draft = self.draft
        if not (draft.active or self.catalog.any_windows or self.gates):
            if draft.profile_changed:
                draft.profile_changed, draft.roots = False, set()
            return []  # nobody runs, and no goal is watched
        stirs: dict[str, tuple[PlannedRun, Stir]] = {}
        if happening is not None:
            for enrollment, plan in self._hearing(happening):
                stirs[enrollment.id] = self.runs.of(enrollment, plan), Stir(name)
        looks, draft.profile_changed = draft.profile_changed, False
        if looks:
            roots, draft.roots = draft.roots, set()
            if draft.profile is not draft.before.profile:
                roots.add("profile")
            for enrollment, plan in self._looking(roots):
                heard = name if enrollment.id in stirs else None
                run = self.runs.of(enrollment, plan)
                stirs[enrollment.id] = run, Stir(heard, looks=True)
        if self.catalog.any_windows:
            self._finished_goals(happening, looks=looks)
        for run, stir in stirs.values():
            self._goals(run, stir)
        if self.gates:
            self._gated()
        for run, stir in stirs.values():
            self._exit_rules(run, stir)
        asks = name is not None and draft.placement
        for run, stir in self._in_turn(stirs) if asks else stirs.values():
            self._waits(run, stir)
            if asks and self._answers([] if run.move is None else [run]):
                break
        return [run for run, _ in stirs.values() if run.move is not None]

    def _in_turn(
        self, stirs: dict[str, tuple[PlannedRun, Stir]]
    ) -> list[tuple[PlannedRun, Stir]]:
        """Who is asked first, by precedence."""
        return sorted(
            stirs.values(),
            key=lambda one: (
                -one[0].plan.priority,
                one[0].enrollment.entered_at,
                one[0].enrollment.id,
            ),
        )

    def _answers(self, moving: list[PlannedRun]) -> bool:
        """Let who moves because of an ask go on; whether it has its answer then."""
        if moving:
            draft, scope = self.draft, self.draft.scope
            event, scope.event = scope.event, None
            self.runs.rounds(moving, self._look)
            moving.clear()
            scope.event, scope.step = event, None
            draft.generation = 0
        return self.draft.answered

    def _look(self) -> list[PlannedRun]:
        """Let goals, exit rules and waits look at a customer whom a step has changed."""
        if self.draft.profile is not self.profile:
            self._tell_changes()
        if self.catalog.judges:
            self._judge()
        return self._stirred(None, None)

    def _looking(self, roots: set[str]) -> Iterator[tuple[Enrollment, JourneyPlan]]:
        """The running enrollments that ask for what has changed, without an event."""
        for enrollment in tuple(self.draft.active):
            plan = self.catalog.plan_of(enrollment)
            if (
                plan is not None
                and plan.asks_profile
                and not plan.asks.isdisjoint(roots)
            ):
                yield enrollment, plan

    def _hearing(
        self, happening: Happening
    ) -> Iterator[tuple[Enrollment, JourneyPlan]]:
        """The running enrollments that an event concerns."""
        is_answer = happening.name == SURVEY_ANSWERED
        for enrollment in tuple(self.draft.active):
            plan = self.catalog.plan_of(enrollment)
            if plan is not None and (
                self._concerns(happening, plan, enrollment.id, enrollment.key)
                or (is_answer and _is_answered(enrollment, plan, happening))
            ):
                yield enrollment, plan

    def _concerns(
        self, happening: Happening, plan: JourneyPlan, id: str, key: str
    ) -> bool:
        """Whether an event is about a run: by its name, and by the run or key it names."""
        if happening.name not in plan.hears:
            return False
        properties = happening.properties
        if happening.name.startswith(_OF_ONE_RUN) and "enrollment" in properties:
            return bool(properties["enrollment"] == id)
        if plan.key is None:
            return True
        if plan not in self.keys:  # asked once an event, for however many runs
            self.keys[plan] = enter.key_of(self.draft, plan)
        own = self.keys[plan]
        return plan.every_run if own is None else own == key

    def _waits(self, run: PlannedRun, stir: Stir) -> None:
        """End a wait that listens for this event, or looks at the profile."""
        enrollment = run.enrollment
        if run.ended or run.move is not None or enrollment.held_out:
            return
        if stir.event is not None:
            self._latch(run, stir.event)
        # What is to go over another channel need not if the first has done its work.
        if situation_of(enrollment) != "waiting" and not enrollment.tried:
            return
        step = run.plan.steps.get(enrollment.step)
        run.move = Leave("step_deleted") if step is None else step.stirred(run, stir)
        if run.move is not None:
            run.generation = self.draft.generation
            self.runs.waited(run)

    def _latch(self, run: PlannedRun, event: str) -> None:
        """Note the first event since a step, for the WaitFor that asks for it later."""
        enrollment = run.enrollment
        for latch in run.plan.latches.get(event, ()):
            is_open = enrollment.latches.get(latch.waiting) == -1
            if is_open and run.matches(latch.where):
                enrollment.latches = {**enrollment.latches, latch.waiting: latch.path}
                self.draft.changed = True

    def _goals(self, run: PlannedRun, stir: Stir) -> None:
        """Reach the goals that are met, each once; then leave if one of them says so."""
        if run.ended:
            return
        plan, enrollment = run.plan, run.enrollment
        reached = [
            goal
            for watch in enrollment.watches
            if (goal := self._goal(watch, plan, stir))
            and self._asked(run, "goal", goal.when.where)
        ]
        if not reached:
            return
        ids = [goal.id for goal in reached]
        enrollment.watches = [w for w in enrollment.watches if w.goal not in ids]
        enrollment.reached = [*enrollment.reached, *ids]
        self.draft.changed = True
        for goal in reached:
            run.note("goal", reason=goal.id, detail=_worth(goal, run.scope))
        if enrollment.held_out:
            if not enrollment.watches:
                self.runs.leave(run, Leave("watched"))
        elif any(goal.exits for goal in reached):
            self.runs.leave(run, GOAL_REACHED)

    def _goal(self, watch: Watch, plan: JourneyPlan, stir: Stir) -> GoalRule | None:
        """The goal that a watch is for, if its window is open and this could be it."""
        goal = plan.goals.get(watch.goal)
        if goal is None or not stir.meets(goal.when.event):
            return None
        is_open = watch.until is None or watch.until > self.draft.at
        return goal if is_open else None

    def _finished_goals(self, happening: Happening | None, *, looks: bool) -> None:
        """Goals of runs that have ended, while their window is open."""
        draft = self.draft
        watched = [item for item in draft.past.items() if item[1].finished]
        for journey, past in watched:
            for finished in past.finished:
                plan = self.catalog.plans.get((journey, finished.version))
                if plan is None:
                    continue
                hears = happening is not None and self._concerns(
                    happening, plan, finished.id, finished.key
                )
                own = Stir(happening.name if happening and hears else None, looks)
                draft.scope.entry, draft.scope.step = finished.entry, None
                reached = [
                    goal
                    for watch in finished.watches
                    if (goal := self._goal(watch, plan, own))
                    and (goal.when.where is None or goal.when.where(draft.scope))
                ]
                if reached:
                    self._finished_reached(journey, finished, reached)

    def _finished_reached(
        self, journey: str, finished: Finished, reached: list[GoalRule]
    ) -> None:
        draft = self.draft
        for goal in reached:
            draft.trace.append(
                TraceEntry(
                    "goal",
                    draft.at,
                    journey,
                    finished.version,
                    finished.id,
                    reason=goal.id,
                    detail={**_worth(goal, draft.scope), "after_end": True},
                    test=finished.test,
                )
            )
        enter.close_watches(draft, journey, finished, [goal.id for goal in reached])

    def _exit_rules(self, run: PlannedRun, stir: Stir) -> None:
        """End a run whose exit rule is met, wherever it is."""
        if run.ended or run.enrollment.held_out:
            return
        for rule in run.plan.exits:
            event, where = rule.when.event, rule.when.where
            if stir.meets(event) and self._asked(run, "exit_rule", where):
                detail = run.explained(where) if where else {"event": event}
                self.runs.leave(run, Leave(rule.reason), detail)
                return

    def _triggered(
        self, happening: Happening, event: dict[str, Any]
    ) -> list[PlannedRun]:
        """The journeys that this event starts, by priority."""
        draft, name = self.draft, happening.name
        explains = draft.explain or draft.placement
        triggers, tree = self.catalog.entries, None
        entries = (
            triggers.all(name)
            if explains
            else triggers.candidates(name, event, happening.source)
        )
        moving: list[PlannedRun] = []
        entered: set[str] = set()
        way: Way | None = None
        roles: list[Role] = []
        for entry in entries:
            if way is not None and way is not entry.way:
                moving += self._counted(way, roles, event, entered)
                way, roles = None, []
            plan, where = entry.plan, entry.when.where
            draft.scope.entry = None
            if entry.role is not None:  # one of several events that a trigger asks for
                if where is None or where(draft.scope):
                    way, roles = entry.way, [*roles, entry.role]
                continue
            if plan.id in entered or (draft.placement and draft.answered):
                continue
            if entry.pattern is not None:
                tree = tree or happening.tree(draft.at)
                if not entry.pattern.matches(tree):
                    if explains:
                        why = entry.pattern.shortfall(tree)
                        enter.not_entered(draft, plan, "pattern", why, "unmatched")
                    continue
            if where is None or where(draft.scope):
                entered.add(plan.id)
                moving += self._entered(plan, event)
                if draft.placement:
                    self._answers(moving)
            elif explains and (draft.explain or placements.is_meant(draft, where.text)):
                enter.not_entered(
                    draft, plan, "condition", self._failed(where), "unmatched"
                )
        if way is not None:
            moving += self._counted(way, roles, event, entered)
        return moving

    def _counted(
        self, way: Way, roles: list[Role], event: dict[str, Any], entered: set[str]
    ) -> list[PlannedRun]:
        """Let a sequence take an event, which may start a run."""
        draft, plan = self.draft, self.catalog.live[way.plan.id]
        key = enter.key_of(draft, plan)
        is_whole = way.heard(draft, roles, key, every_row=plan.every_run)
        if not is_whole or plan.id in entered:
            return []
        entered.add(plan.id)
        return self._entered(plan, event)

    def _absent(self, due: int) -> list[PlannedRun]:
        """The journeys that start now because something did not happen, by priority."""
        draft, ways = self.draft, self.catalog.ways
        ended = [
            ways[name]
            for name, one in draft.progress.items()
            if one.due == due and name in ways
        ]
        moving: list[PlannedRun] = []
        for way in sorted(ended, key=lambda way: (-way.plan.priority, way.name)):
            for completed in way.turned(draft, due):
                draft.test = completed.test
                plan = self.catalog.live[way.plan.id]
                moving += self._entered(plan, completed.fields)
        draft.scope.event = None
        return moving

    def _entered(
        self,
        plan: JourneyPlan,
        fields: dict[str, Any],
        *,
        called: bool = False,
        claimed: bool = False,
    ) -> list[PlannedRun]:
        """Enter if state, dates, re-entry and bounds allow it."""
        draft = self.draft
        state = self.catalog.state_of(plan.id)
        admission = enter.admitted(draft, plan, state, fields, called=called)
        if admission is None:
            return []
        if plan.unique is not None and not (claimed or uniqueness.holds(draft, plan)):
            uniqueness.ask(draft, plan, admission, fields, called=called)
            return []
        for other in admission.restarts:
            self.runs.leave(self.runs.of(other, plan), RESTARTED)
        enrollment = enter.enrolled(draft, plan, admission, self.catalog.guards)
        run = self.runs.enter(enrollment, plan)
        return [] if run.move is None else [run]

    def _asked(self, run: PlannedRun, what: str, where: Predicate | None) -> bool:
        """Whether a condition holds for a run; if not, and it is to be explained, why."""
        if run.matches(where):
            return True
        if self.draft.explain and where is not None:
            run.note("unmatched", reason=what, detail=run.explained(where))
        return False

    def _failed(self, where: Predicate | None) -> dict[str, Any]:
        if where is None:
            return {}
        return explained(where, self.draft.scope, explain=self.draft.explain)

    # --- the rounds ----------------------------------------------------------------

    def _settle(self, moving: list[PlannedRun], held: Sequence[Held] = ()) -> None:
        """Rounds until nobody moves; then the events that were let happen, in order."""
        draft = self.draft
        while True:
            self.runs.rounds(moving, self._look, held)
            held = ()
            if not draft.queue:
                return
            moving = self._served(draft.queue.pop(0))

    def _served(self, item: Queued) -> list[PlannedRun]:
        """What steps have left for when the rounds are done; who moves because of it."""
        draft = self.draft
        match item:
            case Happening(inner=True):
                return self._heard(item)
            case Happening():
                self._remember("", item.id)
                if self._learn(item):
                    return self._heard(item)
                draft.note("ignored", reason="profile_too_large")
            case Starting():
                self._remember(_ENROLL, item.id)
                draft.generation, draft.test = item.generation, item.test
                draft.scope.event = draft.scope.step = None
                return self._called(item.id, item.journey, item.entry) or []
            case Ending():
                self._ended(item)
            case _:
                assert_never(item)
        return []

    def _remember(self, source: str, id: str) -> None:
        """Keep what was caused here from counting once more if it comes from outside."""
        draft = self.draft
        known_at = max(draft.at, draft.now)
        draft.seen = bounds.remembered(draft, seen_hash(source, id), known_at)

    def _ended(self, item: Ending) -> None:
        """End runs because a step of another one says so, held-out ones aside."""
        draft, catalog = self.draft, self.catalog
        leave, detail = Leave(item.reason), {"by": item.by}
        for enrollment in tuple(draft.active):
            plan = catalog.plan_of(enrollment) or catalog.live.get(item.journey)
            if (
                enrollment.journey == item.journey
                and enrollment.id != item.by
                and item.key in (None, enrollment.key)
                and not enrollment.held_out
                and plan is not None
            ):
                self.runs.leave(self.runs.of(enrollment, plan), leave, detail)

    def _keep(self) -> None:
        """See to what is left over at the end of a reaction."""
        draft = self.draft
        if draft.queue:
            self._settle([])  # whoever ended without a move has left word of it
        self._reschedule()
        if draft.progress and draft.catalog != draft.before.catalog:
            sequences.kept(draft, self.catalog.ways)

    def finished(self) -> Reaction:
        """The customer afterwards; the one that came in if nothing changed."""
        draft = self.draft
        if not draft.merged_into:  # a tombstone waits for nothing
            self._keep()
        commands, trace = tuple(draft.commands), draft.trace
        if not draft.changed:
            return Reaction(draft.before, commands, tuple(trace), self.refused)
        bounds.kept(draft, self.catalog)
        due = self._next_due()
        before = draft.before
        customer = Customer(
            before.id,
            before.created_at,
            before.schema,
            before.revision + 1,
            draft.clock,
            draft.catalog,
            draft.profile,
            draft.addresses,
            draft.consents,
            draft.active,
            draft.past,
            draft.forgotten,
            draft.ledger,
            draft.counters,
            draft.seen,
            None if due >= LATEST else due,
            draft.held,
            before.salt,
            draft.traits,
            draft.scores,
            draft.segments,
            draft.lists,
            draft.stage,
            draft.staged_at,
            draft.audience,
            draft.flips_at,
            draft.progress,
            draft.identifiers,
            draft.merged_into,
            draft.absorbed,
        )
        if draft.surveys:  # by itself: a call with more than 30 arguments is slow
            customer.surveys = draft.surveys
        kept = bounds.trace(trace, explained=draft.explain)
        return Reaction(customer, commands, kept, self.refused)


def _is_answered(
    enrollment: Enrollment, plan: JourneyPlan, happening: Happening
) -> bool:
    """Whether an answer is to what a run has asked, whatever its journey's key."""
    step = plan.steps.get(enrollment.step)
    return isinstance(step, Survey) and step.answers(enrollment, happening.properties)


def _worth(goal: GoalRule, scope: Scope) -> dict[str, Any]:
    """The value of a goal, if it has one that is a number."""
    value = goal.value
    if isinstance(value, ValueOf):
        worth = facts.number(value, scope)
        if worth is None:
            return {"value_missing": True}
        return {"value": worth, "of": value.text}
    return {} if value is None else {"value": value}

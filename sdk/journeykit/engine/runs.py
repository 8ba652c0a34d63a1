"""The runs of one reaction: how an enrollment moves, stands, stops and ends.

An enrollment is in one of these situations; `WOKEN` says what a due instant does:

=========== ========================================================
`waiting`   at a step, until its due instant or something happens; at a
            Send that is until the next channel has its turn
`standing`  before a Send that was deferred; it passes the guards again
`arriving`  before a step, out of budget; it arrives there
`parked`    the same without a due instant, in a paused journey
`held_out`  nowhere; it watches its goals until the last window closes
`unconfirmed` before the first step, until a consent is confirmed; its due
            instant is when nobody waits for that any more
=========== ========================================================

An ended enrollment leaves `active`; nothing reaches it again but a goal's watch. If it
ends early, the messages that came back to it end with it: `journeykit.engine.held`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, assert_never

import msgspec

from journeykit.engine import confirming, enter, held as held_messages
from journeykit.engine.calendar import LATEST
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import SendMessage
from journeykit.engine.customer import Enrollment, Held
from journeykit.engine.draft import Draft, Run
from journeykit.engine.moves import Go, Leave, Move, Stand, Stay
from journeykit.engine.plan import JourneyPlan
from journeykit.engine.release import try_release
from journeykit.engine.steps import Send
from journeykit.engine.telling import journey_finished
from journeykit.errors import IllegalTransition
from journeykit.model.events import JOURNEY_FINISHED
from journeykit.model.rules import STEPS_PER_SPRINT

Situation = Literal[
    "waiting", "standing", "arriving", "parked", "held_out", "unconfirmed"
]

# A parked enrollment has no due instant; that one reaches it would be a fault of ours.
WOKEN: dict[Situation, Literal["wake", "arrive", "close", "lapse"]] = {
    "waiting": "wake",
    "standing": "wake",
    "arriving": "arrive",
    "held_out": "close",
    "unconfirmed": "lapse",
}

NOT_CONFIRMED = Leave("not_confirmed")


def situation_of(enrollment: Enrollment) -> Situation:
    """The situation of a running enrollment."""
    if enrollment.held_out:
        return "held_out"
    if enrollment.unconfirmed:
        return "unconfirmed"
    if enrollment.arriving:
        return "arriving" if enrollment.due is not None else "parked"
    return "standing" if enrollment.standing else "waiting"


class PlannedRun(Run):
    """A run that knows its whole plan, not just the facts that steps may ask for."""

    __slots__ = ()
    plan: JourneyPlan


class Runs:
    """The runs that a reaction has touched, and the rounds that they move in."""

    def __init__(
        self,
        draft: Draft,
        catalog: Catalog,
        judge: Callable[[], None] | None = None,
    ) -> None:
        """Start with none touched; `judge` is called when a step changed the profile."""
        self._draft = draft
        self._catalog = catalog
        self._judge = judge
        self._runs: dict[str, PlannedRun] = {}

    def of(self, enrollment: Enrollment, plan: JourneyPlan) -> PlannedRun:
        """The run of an enrollment, on a copy that may be written into."""
        run = self._runs.get(enrollment.id)
        if run is None:
            active = self._draft.active
            copy = msgspec.structs.replace(enrollment)
            active[_place(active, enrollment)] = copy
            run = self._runs[enrollment.id] = PlannedRun(self._draft, copy, plan)
        return run

    def enter(self, enrollment: Enrollment, plan: JourneyPlan) -> PlannedRun:
        """Start the run of a new enrollment."""
        draft = self._draft
        run = self._runs[enrollment.id] = PlannedRun(draft, enrollment, plan)
        draft.active.append(enrollment)
        draft.changed = True
        detail = draft.written(enrollment.entry) if enrollment.entry else None
        run.note("held_out" if enrollment.held_out else "entered", detail=detail)
        if enrollment.unconfirmed:
            run.note("parked", reason="unconfirmed", detail={"until": enrollment.due})
        elif not enrollment.held_out:
            run.move = Go(plan.first)
        elif not enrollment.watches:
            self.leave(run, Leave("watched"))
        return run

    # --- waking --------------------------------------------------------------------

    def wake(self, enrollment: Enrollment, due: int) -> PlannedRun | None:
        """What the due instant of an enrollment means for it; None: it has ended."""
        plan = self._catalog.plans[enrollment.journey, enrollment.version]
        run = self.of(enrollment, plan)
        self._draft.changed = True
        if plan.ejects_at is not None and due >= plan.ejects_at:
            self.leave(run, Leave("journey_ended"))
            return None
        situation = situation_of(enrollment)
        how = WOKEN.get(situation)
        if how is None:
            raise IllegalTransition(f"a {situation} enrollment has no due instant")
        if how == "close":
            self.leave(run, Leave("watched"))
            return None
        if how == "lapse":
            self._lapse(run)
            return None
        if situation == "waiting":
            self.waited(run)
        run.enrollment.due = None
        # Time begins a new chain of events, but not for what was only held up.
        run.generation, run.enrollment.generation = enrollment.generation, 0
        run.since_wait, run.enrollment.sprint = enrollment.sprint, 0
        step = plan.steps.get(enrollment.step)
        if step is None:
            run.move = Leave("step_deleted")
        else:
            run.move = Go(step.id) if how == "arrive" else step.wake(run)
        return run

    def _lapse(self, run: PlannedRun) -> None:
        """Stop waiting for a confirmation, unless it was asked for anew meanwhile."""
        guards = self._catalog.guards
        until = confirming.lapses_at(self._draft, run.plan, guards)
        if until > self._draft.at:
            run.enrollment.due = until
        else:
            self.leave(run, NOT_CONFIRMED)

    def confirmations(self) -> list[PlannedRun]:
        """Who waited for a confirmation that has come; whom it never will leaves."""
        draft, guards = self._draft, self._catalog.guards
        draft.consent_changed = False
        begun: list[PlannedRun] = []
        for enrollment in tuple(draft.active):
            plan = self._catalog.plan_of(enrollment)
            if not enrollment.unconfirmed or plan is None:
                continue
            found = confirming.outlook(draft, plan, guards)
            if found == "pending":
                continue
            run = self.of(enrollment, plan)
            if found == "closed":
                self.leave(run, NOT_CONFIRMED)
                continue
            run.note("went_on", reason="confirmed")
            run.enrollment.unconfirmed = False
            run.enrollment.due = None
            run.generation = draft.generation
            run.move = Go(plan.first)
            begun.append(run)
        return begun

    def waited(self, run: PlannedRun) -> None:
        """Note that a wait is over: against loops, and for catching up."""
        run.since_wait = 0
        if run.released:
            run.waited += self._draft.at - run.enrollment.arrived_at

    # --- the rounds ----------------------------------------------------------------

    def rounds(
        self,
        moving: list[PlannedRun],
        look: Callable[[], list[PlannedRun]],
        held: Sequence[Held] = (),
    ) -> None:
        """Move everybody, then release by precedence, until nobody can move.

        Args:
            moving: Who has somewhere to go.
            look: Asked when an Update has changed the profile, before anything is
                released: who moves, or ends, because of that.
            held: Messages that came back and are due, which stand with the others.
        """
        draft, guards = self._draft, self._catalog.guards
        standing: list[PlannedRun | Held] = [*held]
        while moving or standing:
            draft.changed = True
            standing += [run for run in moving if not run.ended and self._sprint(run)]
            moving = look() if draft.profile_changed else []
            if moving:
                continue
            if standing:
                standing = [item for item in standing if self._is_there(item)]
            if len(standing) > 1:
                standing.sort(key=self._precedence)
            for item in standing:
                if isinstance(item, Held):
                    self._ask_again(item)
                    falls_back = self.without(item.message)
                    moving += [] if falls_back is None else [falls_back]
                elif try_release(item, _send_of(item), guards):
                    moving.append(item)
            standing = []

    def _is_there(self, item: PlannedRun | Held) -> bool:
        """Whether it still stands: its run may have ended since."""
        if isinstance(item, Held):
            return any(held is item for held in self._draft.held)
        return not item.ended

    def _precedence(self, item: PlannedRun | Held) -> tuple[int, int, str, int]:
        """Who stands first before the guards; of one run, what was decided first."""
        if not isinstance(item, Held):
            run = item.enrollment
            return -item.plan.priority, run.entered_at, run.id, LATEST
        message = item.message
        plan = self._catalog.plans.get((message.journey, message.version))
        running = self._running(message.enrollment)
        entered_at = message.at if running is None else running.entered_at
        priority = 0 if plan is None else plan.priority
        return -priority, entered_at, message.enrollment, message.at

    def _running(self, id: str) -> Enrollment | None:
        return next((run for run in self._draft.active if run.id == id), None)

    def _ask_again(self, held: Held) -> None:
        """Ask the guards about a held message; its run may be over, and so its plan."""
        message, catalog = held.message, self._catalog
        plan = catalog.plans.get((message.journey, message.version))
        if not held_messages.asked_again(self._draft, held, plan, catalog.guards):
            return
        running = self._running(message.enrollment)
        if running is not None and plan is not None:
            # Two messages with a wait between them don't go at once; see `try_release`.
            run = self.of(running, plan)
            run.released = True
            run.waited = max(0, running.arrived_at - message.at)

    def without(self, message: SendMessage) -> PlannedRun | None:
        """The run that falls back since a message of its is given up; None: none does."""
        draft, running = self._draft, self._running(message.enrollment)
        plan = None if running is None else self._catalog.plan_of(running)
        if running is None or plan is None:
            return None
        step = plan.steps.get(running.step)
        id = message.delivery_id
        if not isinstance(step, Send) or not step.awaits(running, id):
            return None
        released = [c for c in draft.commands if isinstance(c, SendMessage)]
        on_the_way = [*(held.message for held in draft.held), *released]
        if any(one.delivery_id == id for one in on_the_way):
            return None
        run = self.of(running, plan)
        run.move = step.fall_back(run, "not_sent")
        run.generation = draft.generation
        self.waited(run)
        return run

    def _sprint(self, run: PlannedRun) -> bool:
        """Move until it waits or ends; True if it stands before a Send."""
        draft, enrollment, plan = self._draft, run.enrollment, run.plan
        catalog = self._catalog
        draft.generation, draft.test = run.generation, enrollment.test
        paused = catalog.any_states and catalog.state_of(plan.id) == "paused"
        while True:
            move, run.move = run.move, None
            match move:
                case Go(to=to):
                    if to is None:
                        self._end(run, "completed", "", None)
                        return False
                    if paused or draft.steps_left <= 0:
                        self._stop_before(run, to, due=None if paused else draft.at)
                        return False
                    if run.since_wait >= STEPS_PER_SPRINT:
                        self.leave(run, Leave("step_limit", failed=True))
                        return False
                    run.since_wait += 1
                    draft.steps_left -= 1
                    run.move = self._arrive(run, to)
                    if draft.profile_changed and self._judge is not None:
                        self._judge()  # the next step may ask who the customer is
                case Stay(due=due, zone=zone):
                    enrollment.due = due
                    until = {} if due is None else {"until": due}
                    run.note("waiting", detail={**until, **zone} if zone else until)
                    return False
                case Stand():
                    if paused:
                        self._stop_before(run, enrollment.step, due=None)
                        return False
                    enrollment.standing = True
                    return True
                case Leave():
                    self.leave(run, move)
                    return False
                case None:
                    raise IllegalTransition("a run that moves must know where to")
                case _:
                    assert_never(move)

    def _arrive(self, run: PlannedRun, to: str) -> Move:
        """Come to a step; what was held up before it is late since it should have."""
        enrollment, plan = run.enrollment, run.plan
        held_up = enrollment.arriving and enrollment.step == to
        again = held_up and enrollment.standing
        if not held_up:
            enrollment.arrived_at = self._draft.at
        enrollment.step = to
        enrollment.arriving = enrollment.standing = False
        enrollment.due = None
        if enrollment.rounds:  # a Repeat that it has left, by whatever way, begins anew
            around = plan.around.get(to, ())
            known = enrollment.rounds.items()
            enrollment.rounds = {id: count for id, count in known if id in around}
        step = plan.steps.get(to)
        if step is None:
            return Leave("step_deleted")
        if not again:
            enrollment.visit += 1
            for waiting in plan.armed_at.get(to, ()):
                enrollment.latches = {**enrollment.latches, waiting: -1}
        return step.arrive(run)

    def _stop_before(self, run: PlannedRun, step: str, *, due: int | None) -> None:
        """Keep a run from arriving: its journey is paused, or the budget is spent."""
        enrollment = run.enrollment
        there = enrollment.step == step
        if not (there and (enrollment.standing or enrollment.arriving)):
            enrollment.arrived_at = self._draft.at
        enrollment.step = step
        enrollment.arriving = True
        enrollment.generation = run.generation
        enrollment.sprint = run.since_wait
        enrollment.due = due
        if due is None:
            run.note("parked", reason="paused")

    # --- the end -------------------------------------------------------------------

    def leave(
        self, run: PlannedRun, leave: Leave, detail: dict[str, Any] | None = None
    ) -> None:
        """End a run early."""
        self._end(run, "failed" if leave.failed else "exited", leave.reason, detail)

    def _end(
        self, run: PlannedRun, kind: str, reason: str, detail: dict[str, Any] | None
    ) -> None:
        """End a run, exactly once."""
        if run.ended:
            raise IllegalTransition(f"enrollment {run.enrollment.id} has ended already")
        draft = self._draft
        run.ended = True
        run.move = None
        del draft.active[_place(draft.active, run.enrollment)]
        draft.changed = True
        if run.enrollment.held_out:  # it stays held out, for ever
            enter.left(draft, run.enrollment, "held_out")
            return
        run.note(kind, reason=reason, detail=detail)
        enter.left(draft, run.enrollment, f"{kind}:{reason}" if reason else kind)
        if JOURNEY_FINISHED in self._catalog.hears:
            journey_finished(draft, run.enrollment, kind, reason)
        if draft.held and kind != "completed":
            own = run.enrollment.id
            held_messages.dropped(draft, lambda held: held.message.enrollment == own)


def _place(active: list[Enrollment], enrollment: Enrollment) -> int:
    """Where an enrollment stands; by identity, which costs less than comparing."""
    for place, item in enumerate(active):
        if item is enrollment:
            return place
    raise IllegalTransition(f"enrollment {enrollment.id} is not running")


def _send_of(run: PlannedRun) -> Send:
    """The Send that a run stands before."""
    step = run.plan.steps[run.enrollment.step]
    if not isinstance(step, Send):
        raise IllegalTransition(f"step {step.id!r} is no Send and can't be released")
    return step

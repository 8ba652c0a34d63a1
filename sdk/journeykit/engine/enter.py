"""Entry and exit: who may enter a journey, and what is kept of those who left."""

from __future__ import annotations

from typing import Any

import msgspec

from journeykit.engine import confirming
from journeykit.engine.calendar import add, isoformat, to_ms
from journeykit.engine.conditions import Missing
from journeykit.engine.customer import Enrollment, Finished, Visits, Watch, size_of
from journeykit.engine.draft import Draft
from journeykit.engine.guards import Guards
from journeykit.engine.ids import bucket, enrollment_id
from journeykit.engine.limits import (
    ACTIVE_RUNS,
    EARLY,
    ENTRY_BYTES,
)
from journeykit.engine.plan import GoalRule, JourneyPlan
from journeykit.engine.trace import TraceEntry
from journeykit.engine.values import run_key

_EARLY = ("exited", "failed")


class Admission(msgspec.Struct, frozen=True, gc=False):
    """What an entry may start with.

    Attributes:
        key: What keeps runs apart, as text; empty without a key.
        entry: The fields of the entry event that are kept.
        restarts: The running enrollments that the new one replaces.
    """

    key: str
    entry: dict[str, Any]
    restarts: tuple[Enrollment, ...]


def not_entered(
    draft: Draft,
    plan: JourneyPlan,
    reason: str,
    detail: dict[str, Any] | None = None,
    kind: str = "not_entered",
) -> None:
    """Record why a trigger started nothing."""
    draft.trace.append(
        TraceEntry(
            kind,
            draft.at,
            plan.id,
            plan.version,
            reason=reason,
            detail=detail or {},
            test=draft.test,
        )
    )


def key_of(draft: Draft, plan: JourneyPlan) -> str | None:
    """The event's key for a journey, as text; None if it has none."""
    if plan.key is None:
        return ""
    try:
        return run_key(plan.key(draft.scope))
    except Missing:
        return None


def admitted(
    draft: Draft,
    plan: JourneyPlan,
    state: str,
    fields: dict[str, Any],
    *,
    called: bool = False,
) -> Admission | None:
    """Whether the customer may enter now; if not, the trace says why.

    A call enters even who was removed.
    """
    if state != "live":
        not_entered(draft, plan, state)
        return None
    if plan.starts_at is not None and draft.at < plan.starts_at:
        not_entered(draft, plan, "not_started")
        return None
    if plan.ends_at is not None and draft.at >= plan.ends_at:
        not_entered(draft, plan, "journey_ended")
        return None
    if not called and (past := draft.past.get(plan.id)) is not None and past.removed:
        not_entered(draft, plan, "removed")
        return None
    if plan.gate and (draft.scope.segment or {}).get(plan.gate) is False:
        not_entered(draft, plan, "not_in_segment", {"segment": plan.gate})
        return None
    draft.scope.event, draft.scope.entry = fields, fields
    key = "" if plan.key is None else key_of(draft, plan)
    if key is None:
        not_entered(draft, plan, "key_missing")
        return None
    running: tuple[Enrollment, ...] = ()
    if plan.reentry.mode in ("after_exit", "restart"):
        running = tuple(
            [e for e in draft.active if e.journey == plan.id and e.key == key]
        )
    refusal = _reentry_refusal(draft, plan, key, running)
    if refusal is not None:
        not_entered(draft, plan, *refusal)
        return None
    for rule in plan.exits:
        where = rule.when.where
        if rule.when.event is None and where is not None and where(draft.scope):
            not_entered(draft, plan, "exit_rule", {"rule": where.text})
            return None
    restarts = running if plan.reentry.mode == "restart" else ()
    kept = plan.entry_fields
    entry = {name: fields[name] for name in kept if name in fields} if kept else {}
    if "$time" in entry:  # the document holds JSON values
        entry["$time"] = isoformat(to_ms(entry["$time"]))
    if entry and size_of(entry) > ENTRY_BYTES:
        not_entered(draft, plan, "entry_too_large", {"limit": ENTRY_BYTES})
        return None
    if not restarts and _is_full(draft):
        not_entered(draft, plan, "too_many_enrollments", {"active": len(draft.active)})
        return None
    return Admission(key, entry, restarts)


def _reentry_refusal(
    draft: Draft, plan: JourneyPlan, key: str, running: tuple[Enrollment, ...]
) -> tuple[str, dict[str, Any]] | None:
    rule = plan.reentry
    if rule.is_open:
        return None
    visits = _visits(draft, plan, key)
    if rule.mode == "never" and visits.count:
        return "entered_before", {"rule": "never", "last_in": visits.last_in}
    if rule.mode == "after_exit" and running:
        return "already_in", {"rule": "after_exit", "since": running[0].entered_at}
    if rule.cooldown is None and rule.max_entries is None:
        return None
    zone, _ = draft.zone_of(plan)
    if rule.cooldown is not None and visits.last_out is not None:
        until = add(visits.last_out, rule.cooldown, zone)
        if until > draft.at:
            return "cooldown", {"rule": rule.cooldown.short, "until": until}
    if rule.max_entries is not None:
        count = visits.count
        if rule.per is not None:
            # `recent` is kept since the author asked for a span; the last entry always is.
            known = visits.recent or [visits.last_in] * min(1, visits.count)
            count = sum(add(at, rule.per, zone) > draft.at for at in known)
        if count >= rule.max_entries:
            return "max_entries", {
                "rule": rule.max_entries,
                "values": {"entries": count},
            }
    return None


def _visits(draft: Draft, plan: JourneyPlan, key: str) -> Visits:
    past = draft.past.get(plan.id)
    if past is None:
        return Visits()
    return past if plan.key is None else past.keys.get(key, Visits())


def _is_full(draft: Draft) -> bool:
    if len(draft.active) >= ACTIVE_RUNS:
        return True
    # Eight runs without results can't fill the space, whatever they know of their entry.
    if len(draft.active) <= 8 and not any(run.results for run in draft.active):
        return False
    return not draft.has_room(ENTRY_BYTES)


def enrolled(
    draft: Draft, plan: JourneyPlan, admission: Admission, guards: Guards
) -> Enrollment:
    """Count the entry, and make its enrollment.

    Whether it is held out is decided here, and whether it waits for a confirmation.
    """
    past = draft.writable_past(plan.id)
    past.removed = False
    most = 0 if plan.reentry.per is None else plan.reentry.max_entries or 0
    _count_in(past, draft.at, keep=most if plan.key is None else 0)
    if plan.key is not None:
        _count_in(draft.writable_visits(past, admission.key), draft.at, keep=most)
    n = draft.forgotten + past.count
    held_out = plan.holdout > 0 and bucket(plan.salt, draft.customer) < plan.holdout
    watches = _watches(draft, plan) if plan.goals else []
    due = _last_end(watches) if held_out else None
    waits = not held_out and confirming.is_to_wait(draft, plan, guards)
    if waits:
        due = max(draft.at, confirming.lapses_at(draft, plan, guards))
    return Enrollment(
        enrollment_id(plan.id, draft.customer, draft.before.created_at, n),
        plan.id,
        plan.version,
        n,
        draft.at,
        held_out=held_out,
        key=admission.key,
        entry=admission.entry,
        due=due,
        watches=watches,
        test=draft.test,
        unconfirmed=waits,
    )


def _watches(draft: Draft, plan: JourneyPlan) -> list[Watch]:
    """The goals to watch, each to the end of its window, which is found now and kept."""
    zone, _ = draft.zone_of(plan)
    return [
        Watch(goal.id, add(draft.at, goal.within, zone) if goal.within else None)
        for goal in plan.goals.values()
        if not _holds_already(draft, goal)
    ]


def _last_end(watches: list[Watch]) -> int | None:
    """When the last window closes; None if one of them never does."""
    ends = [watch.until for watch in watches if watch.until is not None]
    return max(ends) if ends and len(ends) == len(watches) else None


def _holds_already(draft: Draft, goal: GoalRule) -> bool:
    """Whether a condition was met before the run began, which then is no merit of it."""
    where = goal.when.where
    return goal.when.event is None and where is not None and where(draft.scope)


def _count_in(visits: Visits, at: int, *, keep: int) -> None:
    visits.count += 1
    visits.last_in = at
    if keep:
        visits.recent = [*visits.recent, at][-keep:]


def left(draft: Draft, enrollment: Enrollment, outcome: str) -> None:
    """Keep of an ended run what re-entry and its open goals need."""
    past = draft.writable_past(enrollment.journey)
    past.last_out = draft.at
    if enrollment.key:
        draft.writable_visits(past, enrollment.key).last_out = draft.at
    past.outcome = outcome
    if outcome.startswith(_EARLY):
        past.early = [*past.early, enrollment.n][-EARLY:]
    if not enrollment.watches:
        return
    watches = [
        w for w in enrollment.watches if w.until is not None and w.until > draft.at
    ]
    if watches:
        finished = Finished(
            enrollment.id,
            enrollment.version,
            enrollment.key,
            enrollment.entry,
            watches,
            enrollment.reached,
            enrollment.test,
        )
        past.finished = [*past.finished, finished]


def close_watches(
    draft: Draft, journey: str, finished: Finished, goals: list[str]
) -> None:
    """Count goals of an ended run, each once."""
    past = draft.writable_past(journey)
    watches = [watch for watch in finished.watches if watch.goal not in goals]
    rest = [item for item in past.finished if item.id != finished.id]
    if watches:
        reached = [*finished.reached, *goals]
        rest.append(msgspec.structs.replace(finished, watches=watches, reached=reached))
    past.finished = rest
    draft.changed = True

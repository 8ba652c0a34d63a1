"""Journeys that only one customer of a value may enter: `unique=profile.email`.

Whether somebody else of the same value is in is nothing that one customer's document knows.
So an entry asks first: it is a command, a call of the action `claim` with one place for the
value, and it happens when the answer comes back, in a second as a rule. Until then there is
no run, and nothing counts as an entry. Who is refused may try again, by another trigger or
a later launch, with another value perhaps.

A place is for good, and its holder is the customer: who has it enters again as the
journey's re-entry says, and does not ask again. What is claimed is a hash of the value, so a claim tells nobody
whose address it is. Text counts without the spaces around it, large or small.

In the document this is `Progress`, under names that no trigger has:

    journey/unique           [hash of the value that the customer entered with last]
    journey/unique/CALL      [call's id, hash of the value, key, what `entry` is, called, test],
                             due when nobody expects the answer any more
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from journeykit.engine import enter
from journeykit.engine.calendar import add, isoformat, to_ms
from journeykit.engine.commands import CallAction
from journeykit.engine.conditions import Missing
from journeykit.engine.customer import Progress, size_of
from journeykit.engine.draft import UTC, Draft
from journeykit.engine.ids import derived
from journeykit.engine.limits import ENTRY_BYTES
from journeykit.engine.plan import JourneyPlan
from journeykit.engine.values import run_key
from journeykit.model.durations import Duration
from journeykit.model.events import CALL_COMPLETED

ACTION = "claim"
"""The built-in action that is called."""

_EXPIRES = Duration(ms=60 * 60_000)  # an outage of the calls' queue is seen to by then
_RETRIES = 8
_PENDING = 8  # of one customer: with their entries, as much as eight runs take
_CALLED = "call_id"
_TEST = 5  # where a pending claim says that test traffic asks


class Granted(NamedTuple):
    """An entry that may happen now.

    Attributes:
        journey: The journey's id.
        fields: What the entry knows of what triggered it.
        called: Whether it was a call.
        test: Whether it is test traffic.
        value: The hash of the value.
    """

    journey: str
    fields: dict[str, Any]
    called: bool
    test: bool
    value: str


def ask(
    draft: Draft,
    plan: JourneyPlan,
    admission: enter.Admission,
    fields: dict[str, Any],
    *,
    called: bool,
) -> None:
    """Ask for the place of the customer's value; or say why that can't be done."""
    value = _value(draft, plan)
    if value is None:
        enter.not_entered(draft, plan, "unique_missing")
        return
    pending = _pending(draft, plan.id)
    waits = any(one.state[2] == admission.key for one in pending.values())
    if waits and plan.reentry.mode != "always":
        enter.not_entered(draft, plan, "already_in", {"rule": "unique"})
        return
    known = _kept(plan, fields)
    if size_of(known) > ENTRY_BYTES:
        enter.not_entered(draft, plan, "entry_too_large", {"limit": ENTRY_BYTES})
        return
    asked = sum("/unique/" in name for name in draft.progress)
    if asked >= _PENDING:
        enter.not_entered(draft, plan, "too_many_enrollments", {"active": asked})
        return
    born = str(draft.before.created_at)
    what = f"{draft.before.revision} {len(draft.commands)}"
    call = derived("unique", plan.id, draft.customer, born, what)
    due = add(max(draft.at, draft.now), _EXPIRES, UTC)
    state = [call, value, admission.key, known, called, draft.test]
    draft.progress = {
        **draft.progress,
        f"{plan.id}/unique/{call}": Progress(due, state),
    }
    draft.changed = True
    draft.commands.append(
        CallAction(
            call_id=call,
            customer=draft.customer,
            action=ACTION,
            arguments={"key": value, "holder": draft.customer, "limit": 1},
            at=draft.at,
            journey=plan.id,
            version=plan.version,
            step="",
            enrollment="",
            retries=_RETRIES,
            expires_at=due,
            test=draft.test,
        )
    )
    enter.not_entered(draft, plan, "", {_CALLED: call}, kind="claiming")


def _value(draft: Draft, plan: JourneyPlan) -> str | None:
    """A hash of the value that has to be unique; None: there is none."""
    if plan.unique is None:
        return None
    try:
        found = plan.unique(draft.scope)
    except Missing:
        return None
    text = run_key(found.strip().casefold() if isinstance(found, str) else found)
    return None if text is None else derived("unique", plan.id, text)


def _pending(draft: Draft, journey: str) -> dict[str, Progress]:
    own = f"{journey}/unique/"
    return {name: one for name, one in draft.progress.items() if name.startswith(own)}


def _kept(plan: JourneyPlan, fields: dict[str, Any]) -> dict[str, Any]:
    """What an entry has to know when it happens, as JSON values."""
    names = {*plan.entry_fields, "$id", "$name", "$time"}
    if plan.key is not None:
        names |= {str(path[1]) for path in plan.key.paths if path[1:]}
    kept = {name: fields[name] for name in sorted(names) if name in fields}
    if "$time" in kept:
        kept["$time"] = isoformat(to_ms(kept["$time"]))
    return kept


def answered(
    draft: Draft, name: str, event: dict[str, Any]
) -> tuple[Granted | None, str, str] | None:
    """Take the answer to a claim: what may enter, the journey, and why nothing may.

    None: the event is not about a claim of this customer's.
    """
    call = event.get(_CALLED)
    found = next(
        (
            (place, one)
            for place, one in draft.progress.items()
            if "/unique/" in place and one.state and one.state[0] == call
        ),
        None,
    )
    if found is None:
        return None
    place, progress = found
    _, value, _, kept, called, test = progress.state
    journey = place.partition("/")[0]
    _forget(draft, place)
    result = event.get("result")
    if name != CALL_COMPLETED or not isinstance(result, dict):
        return None, journey, "claim_failed"
    if result.get("granted") is not True:
        return None, journey, "not_unique"
    fields = dict(kept)
    if "$time" in fields:
        fields["$time"] = datetime.fromisoformat(fields["$time"])
    return Granted(journey, fields, called, test, value), journey, ""


def lapsed(draft: Draft, due: int) -> list[tuple[str, bool]]:
    """The journeys whose claims nobody has answered in time; they are asked no more.

    Each with whether it was test traffic that asked.
    """
    late = [
        (name, bool(one.state[_TEST]))
        for name, one in draft.progress.items()
        if one.due == due and "/unique/" in name
    ]
    for name, _ in late:
        _forget(draft, name)
    return [(name.partition("/")[0], test) for name, test in late]


def _forget(draft: Draft, name: str) -> None:
    draft.progress = {other: p for other, p in draft.progress.items() if other != name}
    draft.changed = True


def note_value(draft: Draft, journey: str, value: str) -> None:
    """Keep with which value the customer has entered."""
    draft.progress = {**draft.progress, f"{journey}/unique": Progress(None, [value])}


def holds(draft: Draft, plan: JourneyPlan) -> bool:
    """Whether the place of the customer's value is theirs already, as far as is known.

    It is what they entered with last, or who was merged into them.
    """
    known = draft.progress.get(f"{plan.id}/unique")
    return known is not None and known.state == [_value(draft, plan)]


def is_asked_for(draft: Draft, plan: JourneyPlan) -> bool:
    """Whether an entry of the customer's waits for the place of the value they have now."""
    if plan.unique is None:
        return False
    value = _value(draft, plan)
    pending = _pending(draft, plan.id).values()
    return any(one.state[1] == value for one in pending)


def has_entered(draft: Draft, plan: JourneyPlan) -> bool:
    """Whether the customer has been in a journey; in a unique one, with this value.

    Who was taken out of it is not let in for another reason.
    """
    past = draft.past.get(plan.id)
    if past is None or not past.count or past.removed:
        return False
    known = draft.progress.get(f"{plan.id}/unique")
    if plan.unique is None or known is None:
        return True
    value = _value(draft, plan)
    return value is None or known.state == [value]

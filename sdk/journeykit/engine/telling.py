"""What the engine lets journeys hear of the customer's own changes.

A changed attribute and a run that has ended are events like any other to triggers, goals,
exit rules and waits. They are made only where somebody listens: `Catalog` knows who.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from journeykit.engine.conditions import Predicate
from journeykit.engine.customer import Enrollment
from journeykit.engine.draft import Draft
from journeykit.engine.plan import JourneyPlan
from journeykit.model import cel
from journeykit.model.events import JOURNEY_FINISHED, PROFILE_CHANGED

NOBODY: frozenset[str] = frozenset()


def watched(plans: Iterable[JourneyPlan]) -> frozenset[str] | None:
    """The attributes whose changes somebody listens to; None: those of all."""
    found: set[str] = set()
    for plan in plans:
        for where in plan.listening(PROFILE_CHANGED):
            fields = set() if where is None else set(_fields(where))
            if not fields:
                return None
            found |= fields
    return frozenset(found)


def _fields(where: Predicate) -> Iterable[str]:
    """The attributes that a condition on a change is about; none: it may be any."""
    return _wanted(cel.parse(where.text))


def _wanted(expr: cel.Expr) -> set[str]:
    match expr:
        case cel.Compare(
            "==", cel.Path("event", ("field",)), cel.Literal(str() as name)
        ):
            return {name}
        case cel.And(operands):  # one of them is enough to know it
            return next(filter(None, map(_wanted, operands)), set())
        case cel.Or(operands):
            each = [_wanted(operand) for operand in operands]
            return set().union(*each) if all(each) else set()
        case _:
            return set()


def profile_changed(
    draft: Draft, before: Mapping[str, Any], fields: frozenset[str] | None
) -> None:
    """Tell of each watched attribute that is not what it was."""
    after = draft.profile
    names = sorted(before.keys() | after.keys()) if fields is None else sorted(fields)
    for name in names:
        was, is_now = before.get(name), after.get(name)
        # To Python 1 and True are equal, to a condition they are not.
        if was == is_now and type(was) is type(is_now):
            continue
        change: dict[str, Any] = {"field": name}
        if was is not None:
            change["from"] = was
        if is_now is not None:
            change["to"] = is_now
        draft.tell(PROFILE_CHANGED, change)


def journey_finished(
    draft: Draft, enrollment: Enrollment, outcome: str, reason: str
) -> None:
    """Tell of a run that has ended."""
    ended = {
        "journey": enrollment.journey,
        "outcome": outcome,
        "reason": reason,
        "key": enrollment.key,
    }
    draft.tell(JOURNEY_FINISHED, ended, test=enrollment.test)

"""Whom a publish concerns who has no stimulus of their own.

Whoever is in a journey that was stopped or let go on, is visited for that journey. When
segments are other ones now, or there are schedules that there were not, it is everybody:
they are woken once, so that each document has its memberships and its due instants.
"""

from __future__ import annotations

from journeykit.engine.catalog import Catalog
from journeykit.engine.launching import concerns_somebody
from journeykit.errors import DefinitionError
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import compiled

EVERYBODY = ""
"""In place of a journey's id: a visit concerns everybody there is."""

LAUNCH = "launch"
"""The reason of a visit that enrolls who is by now in what a journey is about."""


def everybody_is(before: CatalogDocument | None, after: CatalogDocument) -> bool:
    """Whether all customers are to be woken because of a publish or a change of state."""
    if before is None:
        return False  # nobody was decided about yet
    try:
        known, new = (compiled(one, channels={}) for one in (before, after))
    except (
        DefinitionError
    ):  # an older release wrote one of them: once too often does no harm
        return True
    changed = known.audience.version != new.audience.version
    return changed or not _schedules(new) <= _schedules(known)


def has_schedules(catalog: CatalogDocument, journey: str) -> bool:
    """Whether schedules start a published journey."""
    return any(
        trigger.get("type") == "schedule"
        for plan in catalog.journeys
        if plan["id"] == journey
        for trigger in plan["trigger"]
    )


def launched_in(catalog: Catalog, journey: str) -> bool:
    """Whether a launch of a journey can enroll anybody.

    Raises:
        DefinitionError: There is no such journey, or it is not live.
    """
    plan = catalog.live.get(journey)
    if plan is None or (state := catalog.state_of(journey)) != "live":
        why = "isn't in the workspace" if plan is None else f"is {state}"
        raise DefinitionError(
            f"journey {journey!r} {why}, so it can be launched for nobody"
        )
    return concerns_somebody(plan)


def _schedules(catalog: Catalog) -> set[tuple[str, str, str | None]]:
    """What tells the schedules that people are woken by."""
    return {
        (name, one.rule.text, one.rule.segment)
        for name, one in catalog.schedules.items()
    }

"""What operators may make of a published journey: pause it, let it go on, stop it."""

from __future__ import annotations

from typing import NamedTuple

from journeykit.engine.catalog import State
from journeykit.errors import DefinitionError
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import NOTHING_PUBLISHED, Operated, set_state


class Changed(NamedTuple):
    """What became of a journey's state.

    Attributes:
        catalog: The catalog that is live now.
        before: The state until now.
    """

    catalog: CatalogDocument
    before: str


def changed_state(
    store: Operated, journey: str, state: State, *, now: int, reason: str
) -> Changed:
    """Put a published journey into another state; whoever is in it is not visited yet.

    Raises:
        DefinitionError: There is no such journey, or it is in no state for that.
        StaleCatalog: Others publish all the time.
    """
    catalog = store.current()
    if catalog is None:
        raise DefinitionError(NOTHING_PUBLISHED)
    before = catalog.states.get(journey, "live")
    _check(journey, before, state)
    return Changed(set_state(store, journey, state, now=now, reason=reason), before)


def _check(journey: str, before: str, state: State) -> None:
    if before == "stopped" and state == "paused":
        raise DefinitionError(
            f"journey {journey!r} is stopped: nobody is in it, and nobody enters"
        )
    if before == "draft" and state != "stopped":
        raise DefinitionError(
            f"journey {journey!r} is a draft: nobody enters it yet; take it out of "
            "[states] in journeykit.toml, and publish"
        )

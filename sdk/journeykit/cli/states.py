"""How a journey's state is changed: what `pause`, `resume` and `stop` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import click

from journeykit.cli.operating import in_workspace, published
from journeykit.engine.catalog import State
from journeykit.errors import DefinitionError
from journeykit.local.embedded import wall_clock
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.plain_text import printable
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import NOTHING_PUBLISHED, set_state

Command = TypeVar("Command", bound=Callable[..., Any])


def of_a_journey(command: Command) -> Command:
    """Give a command what pause, resume and stop take."""
    reason = click.option(
        "--reason", metavar="TEXT", default="", help="Why, for whoever looks at it."
    )
    return click.argument("journey")(in_workspace(reason(command)))


class Changed(NamedTuple):
    """What became of a journey's state.

    Attributes:
        catalog: The catalog that is live now.
        before: The state until now.
    """

    catalog: CatalogDocument
    before: str


def changed(store: SQLiteStore, journey: str, state: State, *, reason: str) -> Changed:
    """Put a published journey into another state.

    Raises:
        InputError: There is no such journey.
        DefinitionError: It is in no state for that.
    """
    catalog = store.current()
    if catalog is None:
        raise DefinitionError(NOTHING_PUBLISHED)
    published(catalog, journey)
    before = catalog.states.get(journey, "live")
    _check(journey, before, state)
    catalog = set_state(store, journey, state, now=wall_clock(), reason=reason)
    return Changed(catalog, before)


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


def told(journey: str, done: Changed, what: str) -> Iterator[str]:
    """Yield what became of the state, and why it was as it is already if it was."""
    revision = f"catalog revision {done.catalog.revision}"
    state = done.catalog.states.get(journey, "live")
    name = printable(journey)
    if done.before == state:
        why = printable(done.catalog.reasons.get(journey, ""))
        yield f"{name} is {what} already ({revision}){f': {why}' if why else ''}"
    else:
        yield f"{name} is {what} now ({revision})"

"""How a journey's state is changed: what `pause`, `resume` and `stop` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from journeykit.cli.operating import in_workspace, published
from journeykit.cli.stack import on_a_stack
from journeykit.engine.catalog import State
from journeykit.local.embedded import wall_clock
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.plain_text import printable
from journeykit.runtime.states import changed_state

if TYPE_CHECKING:
    from journeykit.aws.stack import Stack

Command = TypeVar("Command", bound=Callable[..., Any])


def of_a_journey(command: Command) -> Command:
    """Give a command what pause, resume and stop take."""
    reason = click.option(
        "--reason", metavar="TEXT", default="", help="Why, for whoever looks at it."
    )
    return click.argument("journey")(in_workspace(on_a_stack(reason(command))))


class Changed(NamedTuple):
    """What became of a journey's state.

    Attributes:
        revision: The catalog's that is live now.
        before: The state until now.
        state: The state now.
        reason: Why.
    """

    revision: int
    before: str
    state: str
    reason: str


def changed(store: SQLiteStore, journey: str, state: State, *, reason: str) -> Changed:
    """Put a published journey into another state.

    Raises:
        InputError: There is no such journey.
        DefinitionError: It is in no state for that.
    """
    current = store.current()
    if current is not None:
        published(current, journey)
    done = changed_state(store, journey, state, now=wall_clock(), reason=reason)
    return Changed(
        done.catalog.revision,
        done.before,
        done.catalog.states.get(journey, "live"),
        done.catalog.reasons.get(journey, ""),
    )


def changed_in(stack: Stack, journey: str, state: State, *, reason: str) -> Changed:
    """Put a journey of a stack into another state; whom it concerns is visited there.

    Raises:
        StoreError: The stack refuses, or can't be asked; the message says why.
        InputError: There is no such stack.
    """
    asked = {"journey": journey, "state": state, "reason": reason}
    said = stack.ask({"state": asked})["state"]
    return Changed(*[said[field] for field in Changed._fields])


def told(journey: str, done: Changed, what: str) -> Iterator[str]:
    """Yield what became of the state, and why it was as it is already if it was."""
    revision = f"catalog revision {done.revision}"
    name = printable(journey)
    if done.before == done.state:
        why = printable(done.reason)
        yield f"{name} is {what} already ({revision}){f': {why}' if why else ''}"
    else:
        yield f"{name} is {what} now ({revision})"

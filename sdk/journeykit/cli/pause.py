"""`journeykit pause`: nobody enters a journey or moves on in it."""

from __future__ import annotations

from pathlib import Path

import click

from journeykit.cli.operating import storing
from journeykit.cli.stack import stack_named
from journeykit.cli.states import changed, changed_in, of_a_journey, told
from journeykit.cli.terminal import wrapped


@click.command("pause")
@of_a_journey
def command(
    *,
    journey: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    reason: str,
) -> None:
    """Pause JOURNEY: nobody enters it or moves on, and nothing of it is sent.

    Goals and exit rules still act. A running `serve` obeys with its next batch.
    """
    if where := stack_named(stack, function, data):
        done = changed_in(where, journey, "paused", reason=reason)
    else:
        with storing(workspace, data) as store:
            done = changed(store, journey, "paused", reason=reason)
    for line in told(journey, done, "paused"):
        click.echo(line)
    if done.before == "live":
        text = (
            "nobody enters it, and whoever is in it stays at their step: "
            f"journeykit resume {journey} lets them go on"
        )
        for line in wrapped(text):
            click.echo(line)

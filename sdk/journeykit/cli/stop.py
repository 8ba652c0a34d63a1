"""`journeykit stop`: everybody leaves a journey, and nobody enters it."""

from __future__ import annotations

from pathlib import Path

import click

from journeykit.cli.operating import (
    catch_up,
    confirmed,
    customers,
    looking,
    operating,
    published,
    storing,
    visited,
)
from journeykit.cli.stack import stack_named
from journeykit.cli.states import changed, changed_in, of_a_journey, told
from journeykit.cli.terminal import wrapped
from journeykit.errors import InvalidJourney


@click.command("stop")
@of_a_journey
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(
    *,
    journey: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    reason: str,
    yes: bool,
) -> None:
    """Stop JOURNEY: everybody who is in it leaves, and nobody enters it any more.

    To hold it up for a while, pause it instead.
    """
    if where := stack_named(stack, function, data):
        confirmed(f"All runs of {journey} end for good. Stop it?", yes=yes)
        done = changed_in(where, journey, "stopped", reason=reason)
        for line in told(journey, done, "stopped"):
            click.echo(line)
        click.echo("whoever is in it is being visited: their runs end")
        return
    if not yes:
        with looking(workspace, data) as look:
            published(look.catalog, journey)
            count = sum(
                run.journey == journey
                for customer in customers(look.store)
                for run in customer.active
            )
        runs = "1 run ends" if count == 1 else f"{count:,} runs end"
        confirmed(f"{runs} for good if {journey} is stopped. Stop it?", yes=yes)
    with storing(workspace, data) as store:
        done = changed(store, journey, "stopped", reason=reason)
    for line in told(journey, done, "stopped"):
        click.echo(line)
    try:
        with operating(workspace, data) as embedded:
            catch_up(embedded, journey)
            count = visited(embedded, "stop", journey)
    except InvalidJourney:
        text = (
            "nobody was visited: runs end with the next event of their customers, or "
            "when the same command finds a workspace that can be read"
        )
        for line in wrapped(text):
            click.echo(line, err=True)
        raise
    click.echo(f"{count:,} visited: their runs have ended")

"""`journeykit resume`: a journey that was paused or stopped is live again."""

from __future__ import annotations

from pathlib import Path

import click

from journeykit.cli.operating import catch_up, operating, still_to_go, visited
from journeykit.cli.stack import stack_named
from journeykit.cli.states import changed, changed_in, of_a_journey, told
from journeykit.cli.terminal import wrapped
from journeykit.runtime.concerned import EVERYBODY, has_schedules


@click.command("resume")
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
    """Let JOURNEY, which was paused, go on, and with it everybody who waits in it.

    What should have been sent long ago has expired: it is not sent any more. A journey
    that was stopped takes new entries; who has left it doesn't come back.
    """
    if where := stack_named(stack, function, data):
        done = changed_in(where, journey, "live", reason=reason)
        for line in told(journey, done, "live"):
            click.echo(line)
        click.echo("whoever is in it is being visited: what was held up goes on")
        return
    with operating(workspace, data) as embedded:
        catch_up(embedded, journey)
        done = changed(embedded.store, journey, "live", reason=reason)
        for line in told(journey, done, "live"):
            click.echo(line)
        whom = journey
        document = embedded.store.current()
        if done.before == "stopped" and document and has_schedules(document, journey):
            whom = EVERYBODY  # its schedules begin anew
        count = visited(embedded, "resume", whom)
        click.echo(f"{count:,} visited: what was held up goes on")
        lines = [*still_to_go(embedded.store)]
        if state := embedded.workspace.states.get(journey):
            lines.append(
                f"journeykit.toml says that {journey} is {state}: so it will be again "
                "with the next publish"
            )
    for line in lines:
        click.echo("\n".join(wrapped(line)))

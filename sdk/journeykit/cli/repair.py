"""`journeykit repair`: pass on again what a stack's relay may have lost."""

from __future__ import annotations

from typing import Any

import click

from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.terminal import Progress, wrapped
from journeykit.errors import StoreError

_COUNTED = ("customers", "commands", "timers", "lagging", "unreadable")


@click.command("repair")
@on_a_stack
@click.option("--look", is_flag=True, help="Only count, and pass nothing on.")
@click.option(
    "--everything",
    is_flag=True,
    help="Pass on commands of any age that are still kept, not only of 25 hours.",
)
@click.option("--from", "cursor", default="", metavar="CURSOR", help="Go on there.")
def command(
    *, stack: str | None, function: str, look: bool, everything: bool, cursor: str
) -> None:
    """Send the commands of all customers once more, and set their timers again.

    For a stack in AWS whose stream or queues have lost something. What was done
    already is not done twice. It reads all customers, a run of some minutes after
    another.
    """
    where = stack_named(stack, function, None)
    if where is None:
        raise click.UsageError("say which stack is meant: --stack NAME")
    counts = dict.fromkeys(_COUNTED, 0)
    progress = Progress()
    done = False
    while not done:
        asked = {"cursor": cursor, "everything": everything, "looking": look}
        found = where.ask({"repair": asked})
        for name in _COUNTED:
            counts[name] += found[name]
        progress(counts["customers"])
        done, moved = found["done"], found["cursor"] not in ("", cursor)
        cursor = found["cursor"] or cursor
        if found["failed"] or not (done or moved):
            progress.done()
            raise StoreError(
                "some of it can't be passed on now, the log of the function says why; "
                f"go on later with --from {cursor!r}"
            )
    progress.done()
    for line in _told(counts, look=look):
        click.echo(line)


def _told(counts: dict[str, Any], *, look: bool) -> list[str]:
    what = "would be passed on" if look else "were passed on again"
    found = (
        f"{counts['customers']:,} customers; {counts['commands']:,} commands and "
        f"{counts['timers']:,} wake-ups {what}"
    )
    lines = [found]
    if counts["lagging"]:
        lines.append(f"{counts['lagging']:,} should have been woken minutes ago")
    if counts["unreadable"]:
        lines.append(f"{counts['unreadable']:,} can't be read, and were passed over")
    return [part for line in lines for part in wrapped(line)]

"""`journeykit measure attribution`: which messages came before what people did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from journeykit.cli.figures import (
    about_logs,
    amount,
    meaning,
    percent,
    print_json,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import counted, faint, row, wrapped
from journeykit.insight.attribution import (
    TOUCHES,
    WITHIN,
    Attribution,
    Credited,
    Touch,
    attribution,
)
from journeykit.insight.map.words import people_in_words
from journeykit.insight.points import point
from journeykit.model.plain_text import printable

_ROWS = 20


@click.command("attribution")
@over_logs
@click.option(
    "--of",
    "conversion",
    metavar="POINT",
    required=True,
    help="What people did: a goal, cart@goal or cart@goal:order; an event, order.placed.",
)
@click.option(
    "--value", metavar="FIELD", help="What the event is worth, such as event.amount."
)
@click.option(
    "--within",
    metavar="TIME",
    default=WITHIN.short,
    show_default=True,
    help="How long before it a message counts.",
)
@click.option(
    "--touch",
    type=click.Choice(TOUCHES),
    default="delivered",
    show_default=True,
    help="What of a message counts.",
)
@click.option("--own", is_flag=True, help="Only messages of the goal's own run.")
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    conversion: str,
    value: str | None,
    within: str,
    touch: str,
    own: bool,
    as_json: bool,
) -> None:
    """Say which messages came before what people did, and share the credit.

    By three rules side by side: all to the last message, all to the first, and the same
    part to each. None of them says that a message caused anything: that says lift.
    """
    wanted = point(conversion)
    with warehouse(workspace, choice) as sight:
        found = attribution(
            sight.house,
            wanted,
            value=value,
            within=within,
            touch=cast(Touch, touch),
            own=own,
        )
        if as_json:
            print_json(found, sight.house)
            return
        for line in [*_lines(found), *about_logs(sight.house)]:
            click.echo(line)


def _lines(found: Attribution) -> Iterator[str]:
    yield rule(f"attribution · {found.conversion} · within {found.within}")
    times = "once," if found.conversions == 1 else f"{found.conversions:,} times"
    yield from row("happened", f"{times} to {people_in_words(found.people)}")
    share = found.credited
    if share.share is not None:
        alone = found.conversions - share.count
        yield from row(
            "credited",
            f"{share.count:,}, {percent(share.share)}; {alone:,} with no message before",
        )
    has_worth = found.worth_unknown < found.conversions
    if has_worth:
        yield from row(
            "worth",
            f"{amount(found.worth)}, of which {amount(found.uncredited_worth)} with no "
            "message before",
        )
    if found.credits:
        yield ""
        yield f"  {'credit to':<21}{'last':>19}{'first':>19}{'linear':>19}"
    for credit in found.credits[:_ROWS]:
        rules = (credit.last, credit.first, credit.linear)
        name = printable(f"{credit.journey}/{credit.step}")
        yield from wrapped(name, first="  ", indent="  ")
        medium = printable(credit.channel or "any channel")
        yield f"    {faint(f'{medium:<17}')}" + "".join(map(_credited, rules))
        if has_worth:
            of = f"{credit.touches:,} messages"
            worths = "".join(f"{amount(one.worth):>19}" for one in rules)
            yield f"    {faint(f'{of:<17}')}{worths}"
    if len(found.credits) > _ROWS:
        yield faint(
            f"  and {counted(len(found.credits) - _ROWS, 'step')} more; --json has all"
        )
    for note in found.notes:
        yield from wrapped(note, first="! ", indent="  ")
    yield from meaning(found.definition)


def _credited(one: Credited) -> str:
    return f"{one.conversions:>10,.1f} {percent(one.share):>8}"

"""`journeykit measure retention`: how many come back, by when they came first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import click

from journeykit.cli.figures import about_logs, meaning, print_json
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import width, wrapped
from journeykit.errors import InputError
from journeykit.insight.retention import MOST, Per, Retention, retention
from journeykit.insight.warehouse import Warehouse
from journeykit.model.conditions import Condition
from journeykit.model.triggers import EventTrigger
from journeykit.model.zones import zone as zone_of
from journeykit.workspace.reading import meant

_HEAD = 19  # columns for a cohort's beginning and people
_CELL = 5  # columns for a share


@click.command("retention")
@over_logs
@click.option(
    "--first",
    metavar="EVENT",
    help="The event that makes somebody one of a cohort, the first of which counts; the "
    "one that most people have, if not given.",
)
@click.option("--where", metavar="CONDITION", help="Only such events, in CEL.")
@click.option(
    "--back",
    metavar="EVENT",
    help="The event that they come back with; the same one if not given.",
)
@click.option(
    "--per",
    type=click.Choice(["week", "month"]),
    default="month",
    show_default=True,
    help="How long a cohort is, and how long a time to come back.",
)
@click.option(
    "--zone",
    "zone_name",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Whose calendar it goes by.",
)
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(1, 600),
    default=MOST,
    show_default=True,
    help="Show so many cohorts, the latest.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    first: str | None,
    where: str | None,
    back: str | None,
    per: str,
    zone_name: str,
    most: int,
    as_json: bool,
) -> None:
    """Say how many come back, by the week or month in which they came first."""
    zone = zone_of(zone_name)
    condition = None if where is None else Condition.parse(where)
    with warehouse(workspace, choice) as sight:
        house = sight.house
        name = _known(house, first) if first else _commonest(house)
        found = retention(
            house,
            [EventTrigger(name, where=condition)],
            back=[EventTrigger(_known(house, back))] if back else (),
            per=cast(Per, per),
            zone=zone,
            most=most,
        )
        if as_json:
            print_json(found, house)
            return
        for line in [*_lines(found), *about_logs(house)]:
            click.echo(line)


def _known(house: Warehouse, name: str) -> str:
    """The name of an event that there is."""
    if not house.row("select count(*) from events where name = ?", [name])[0]:
        known = [name for (name,) in house.rows("select distinct name from events")]
        way_out = meant(name, known) if known else "there is no event archive"
        raise InputError(f"there is no event {name!r} in the logs; {way_out}")
    return name


def _commonest(house: Warehouse) -> str:
    """The event that most people have, but for what becomes of messages."""
    found = house.rows(
        """
        select name from events where not test and not starts_with(name, 'message.')
        group by name order by count(distinct person) desc, name limit 1
        """
    )
    if not found:
        raise InputError(
            "there is no event archive in these logs, so nobody is known to come back"
        )
    return str(found[0][0])


def _lines(found: Retention) -> Iterator[str]:
    yield rule(f"retention · {found.first} → {found.back}, by the {found.per}")
    if not found.cohorts:
        yield "nobody had this event"
        return
    longest = max(len(cohort.cells) for cohort in found.cohorts)
    shown = min(longest, (width() - _HEAD) // _CELL)
    head = "".join(f"{after:>{_CELL}}" for after in range(shown))
    yield f"{found.per:<12}{'people':>7}{head}"
    for cohort in found.cohorts:
        cells = [(cell.share, "" if cell.is_complete else "·") for cell in cohort.cells]
        mark = "*" if cohort.may_be_older else " "
        yield (
            f"{cohort.starts_at.astimezone(zone_of(found.zone)):%Y-%m-%d}{mark} "
            f"{cohort.people:>7,}{_cells(cells[:shown])}"
        )
    people = max(average.people for average in found.averages) if found.averages else 0
    averages = [(average.share, "") for average in found.averages]
    yield f"{'all':<12}{people:>7,}{_cells(averages[:shown])}"
    if longest > shown:
        what = f"the {longest - shown} latest {found.per}s are not shown"
        yield from wrapped(f"{what}: widen the terminal, or --json")
    if found.left_out:
        yield from wrapped(f"{found.left_out:,} older cohorts are not shown: --most")
    yield from meaning("in percent; · not whole yet")
    if any(cohort.may_be_older for cohort in found.cohorts):
        yield from meaning("* the log begins here: some of them may have come before")
    yield from meaning(found.definition)


def _cells(cells: Sequence[tuple[float, str]]) -> str:
    return "".join(f"{f'{100 * share:.0f}{mark}':>{_CELL}}" for share, mark in cells)

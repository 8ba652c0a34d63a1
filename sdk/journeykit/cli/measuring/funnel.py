"""`journeykit measure funnel`: how many get from one step or event to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import click

from journeykit.cli.figures import (
    NONE,
    about_logs,
    bar,
    between,
    meaning,
    percent,
    plain,
    print_json,
    took,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import wrapped
from journeykit.errors import InputError
from journeykit.insight.funnels import (
    MOST,
    WITHIN,
    Funnel,
    FunnelLevel,
    PersonaFunnel,
    Unit,
    funnel,
    funnels_by_persona,
)
from journeykit.insight.points import point
from journeykit.model.plain_text import printable

_BAR = 24


@click.command("funnel")
@over_logs
@click.option(
    "--step",
    "-s",
    "steps",
    metavar="POINT",
    multiple=True,
    required=True,
    help="What is to happen next: welcome/send-1, welcome@entered, order.placed, "
    f"'order.placed where event.amount > 40'. Give 2 to {MOST}, in their order.",
)
@click.option(
    "--within",
    metavar="TIME",
    default=WITHIN.short,
    show_default=True,
    help="How long it may take from the first to any other.",
)
@click.option(
    "--count",
    "unit",
    type=click.Choice(["people", "runs"]),
    default="people",
    show_default=True,
    help="Count people, or the runs of the first step's journey.",
)
@click.option(
    "--by",
    type=click.Choice(["persona"]),
    help="Count the people of each persona by themselves, too.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    steps: tuple[str, ...],
    within: str,
    unit: str,
    by: str | None,
    as_json: bool,
) -> None:
    """Say how many get from one step or event to the next."""
    points = [point(one) for one in steps]  # before the logs, which take time
    with warehouse(workspace, choice) as sight:
        personas = sight.workspace.personas
        if by and not personas:
            raise InputError(
                "the workspace has no personas; personas.py names them, each with its "
                "segment",
                place=str(workspace),
            )
        counted = cast(Unit, unit)
        found = funnel(sight.house, points, within=within, unit=counted)
        parts = funnels_by_persona(
            sight.house, points, personas if by else (), within=within, unit=counted
        )
        if as_json:
            document = plain(found)
            print_json(
                {**document, "personas": plain(parts)} if by else document, sight.house
            )
            return
        for line in [*_lines(found, parts), *about_logs(sight.house)]:
            click.echo(line)


def _lines(found: Funnel, parts: Sequence[PersonaFunnel]) -> Iterator[str]:
    yield rule(f"funnel · {found.unit} · within {found.within}")
    for number, level in enumerate(found.levels, 1):
        if number > 1:
            yield from _between(level)
        yield from wrapped(f"{number}. {printable(level.point)}", indent="   ")
        share = level.of_all.share
        yield (
            f"   {bar(share or 0.0, _BAR)}  {level.reached:>9,}  {percent(share):>7}"
        )
    whole = found.conversion
    yield ""
    if whole.share is not None:
        yield from wrapped(
            f"{percent(whole.share)} of {whole.of:,} get to the end "
            f"({between(whole.interval)})"
        )
    yield from _of_personas(parts)
    for note in found.notes:
        yield from wrapped(note, first="! ", indent="  ")
    yield from meaning(found.definition)
    if parts:
        yield from meaning(
            "People of a persona are those who are in its segment at the end of the log: "
            "what they did may be why they are. Somebody may be of several, or of none."
        )


def _of_personas(parts: Sequence[PersonaFunnel]) -> Iterator[str]:
    """A block for each persona: its points by their numbers, as they stand above."""
    for part in parts:
        yield ""
        yield from wrapped(f"{part.name} (segment {part.segment})", indent="  ")
        for number, level in enumerate(part.funnel.levels, 1):
            share = level.of_all.share
            yield (
                f"{number:>2} {bar(share or 0.0, _BAR)}  {level.reached:>9,}  "
                f"{percent(share):>7}"
            )


def _between(level: FunnelLevel) -> Iterator[str]:
    told = [f"{percent(level.of_before.share)} go on"]
    if level.median_ms is not None:
        told.append(f"half of them within {took(level.median_ms)}")
    lost = f"{level.dropped:,} do not" if level.dropped else ""
    if level.still_open:
        lost += f", {level.still_open:,} of them still may"
    if level.of_before.of == 0:
        told, lost = [NONE], ""
    yield from wrapped(
        "; ".join([", ".join(told), *([lost] if lost else [])]),
        first="   ↓ ",
        indent="     ",
    )

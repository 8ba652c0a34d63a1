"""`journeykit measure objectives`: hold the objectives against their targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from journeykit.cli.figures import (
    about_logs,
    amount,
    between,
    meaning,
    print_json,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import row
from journeykit.errors import InputError
from journeykit.insight.objectives import (
    ObjectiveFigures,
    Objectives,
    objectives,
)
from journeykit.workspace.reading import meant

_LEVELS = "▁▂▃▄▅▆▇█"


@click.command("objectives")
@over_logs
@click.option("--only", metavar="ID", help="Only this objective.")
@click.option(
    "--strict", is_flag=True, help="Exit with 1 if one is missed, or has no figure."
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    only: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Hold the objectives against their targets."""
    with warehouse(workspace, choice) as sight:
        declared = sight.workspace.objectives
        if only is not None:
            known = [one.id for one in declared]
            if only not in known:
                way_out = meant(only, known) or "none is declared"
                raise InputError(f"there is no objective {only!r}; {way_out}")
            declared = [one for one in declared if one.id == only]
        found = objectives(sight.house, declared, sight.workspace.journeys)
        if as_json:
            print_json(found, sight.house)
        else:
            for line in [*_lines(found), *about_logs(sight.house)]:
                click.echo(line)
    if strict and any(one.status in ("missed", "unknown") for one in found.objectives):
        click.get_current_context().exit(1)


def _lines(found: Objectives) -> Iterator[str]:
    if not found.objectives:
        yield "there are no objectives; declare some in objectives.py or .yaml"
        return
    for one in found.objectives:
        yield from _objective(one)
        yield ""
    yield from meaning(found.definition)


def _objective(one: ObjectiveFigures) -> Iterator[str]:
    yield rule(f"{one.id} · {one.status.replace('_', ' ')}")
    yield from row("kpi", one.kpi)
    aim = "at least" if one.aim == "at_least" else "at most"
    yield from row("target", f"{aim} {_shown(one.target, one.unit)} by {one.by}")
    if one.value is None:
        yield from row("figure", f"none: {one.problem}")
    else:
        around = between(one.interval, scale=1, unit=_unit(one.unit))
        doubt = "" if one.is_certain else ", which the target lies in"
        interval = f" ({around}{doubt})" if around else ""
        on = f", on {one.at:%Y-%m-%d}" if one.at else ""
        yield from row("figure", f"{_shown(one.value, one.unit)}{interval}{on}")
        if one.expected is not None and one.share_of_target is not None:
            yield from row(
                "pace",
                f"{100 * one.share_of_target:.1f} % of the target; an even pace would "
                f"have come to {_shown(one.expected, one.unit)}",
            )
        told = [each for each in one.history if each.value is not None]
        values = [each.value for each in told if each.value is not None]
        if len(values) > 1:
            ends = f"{_shown(values[0], one.unit)} to {_shown(values[-1], one.unit)}"
            since = f"{told[0].at:%Y-%m-%d}"
            yield from row("so far", f"{sparkline(values)} {ends}, since {since}")
    yield from row("journeys", ", ".join(one.journeys))
    yield from meaning(one.definition)


def sparkline(values: list[float]) -> str:
    """Values as blocks, the lowest and highest of them at its ends."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round((value - low) / span * top)] for value in values)


def _unit(unit: str) -> str:
    return " %" if unit == "percent" else ""


def _shown(value: float, unit: str) -> str:
    if unit == "percent":
        return f"{value:,.1f} %"
    if unit == "score":
        return f"{value:,.1f}"
    return amount(value)

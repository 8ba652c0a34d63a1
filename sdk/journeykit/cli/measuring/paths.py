"""`journeykit measure paths`: the ways that runs or people took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from journeykit.cli.figures import (
    about_logs,
    bar,
    meaning,
    percent,
    print_json,
    took,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import counted, faint, wrapped
from journeykit.errors import InputError
from journeykit.insight.paths import (
    DEPTH,
    MOST_NAMES,
    MOST_VARIANTS,
    Paths,
    paths_of_events,
    paths_of_journey,
)
from journeykit.model.plain_text import printable

_EDGES = 15
_NAME = 24


@click.command("paths")
@over_logs
@click.option(
    "--journey",
    metavar="ID",
    help="Follow the runs of this journey; if not given, people from event to event.",
)
@click.option(
    "--event",
    "names",
    metavar="NAME",
    multiple=True,
    help=f"Only these events, {MOST_NAMES} at most.",
)
@click.option(
    "--start", metavar="NAME", help="Begin at a person's first event of this name."
)
@click.option(
    "--gap", metavar="TIME", help="Begin a new way after a silence as long as this."
)
@click.option(
    "--repeats", is_flag=True, help="Count an event behind its like as a step."
)
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(1, 50),
    default=DEPTH,
    show_default=True,
    help="Show so many positions of a way.",
)
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(0, 1000),
    default=MOST_VARIANTS,
    show_default=True,
    help="Show so many ways.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    journey: str | None,
    names: tuple[str, ...],
    start: str | None,
    gap: str | None,
    repeats: bool,
    depth: int,
    most: int,
    as_json: bool,
) -> None:
    """Show the ways that runs took through a journey, or people through events."""
    if journey is not None and (names or start or gap or repeats):
        raise click.UsageError(
            "--event, --start, --gap and --repeats are of ways through events; "
            "leave --journey out"
        )
    with warehouse(workspace, choice, journey=journey) as sight:
        if journey is not None:
            found = paths_of_journey(sight.house, journey, depth=depth, variants=most)
        else:
            found = paths_of_events(
                sight.house,
                names=names,
                start=start,
                gap=gap,
                repeats=repeats,
                depth=depth,
                variants=most,
            )
            if not found.cases and not as_json:
                raise InputError(
                    "there are no such events in the archive; is there an archive, and "
                    "are they called so?"
                )
        if as_json:
            print_json(found, sight.house)
            return
        for line in [*_lines(found), *about_logs(sight.house)]:
            click.echo(line)


def _lines(found: Paths) -> Iterator[str]:
    names = {node.key: printable(node.name) for node in found.nodes}
    subject = found.subject or "events"
    yield rule(f"paths · {subject} · {found.cases:,} {_unit(found)}")
    shown = len(found.variants)
    more = f", the {shown:,} most frequent" if shown < found.variant_count else ""
    yield f"{counted(found.variant_count, 'different way')}{more}{':' * bool(shown)}"
    for variant in found.variants:
        yield (
            f"  {bar(variant.share)}  {variant.count:>9,}  {percent(variant.share):>7}"
            f"  {faint(took(variant.median_ms))}"
        )
        ways = [names[key] for key in variant.steps]
        end = f"({names[variant.end]})" if variant.end else "…"
        yield from wrapped(" → ".join([*ways, end]), first="    ", indent="    ")
    yield ""
    yield f"  {'what':<{_NAME}}  {'follows':<{_NAME}}  {'times':>9}  {'share':>7}  after"
    for edge in found.edges[:_EDGES]:
        source, target = _cell(names, edge.target), _cell(names, edge.source)
        yield (
            f"  {source}  {target}  {edge.count:>9,}  "
            f"{percent(edge.of_source.share):>7}  {took(edge.median_ms)}"
        )
    if len(found.edges) > _EDGES:
        yield faint(f"  and {len(found.edges) - _EDGES:,} rarer; --json has all")
    yield from meaning(
        "Shares of ways: of all; of what follows: of all that went on from there or "
        "ended there. Times are medians."
    )
    yield from meaning(found.definition)


def _unit(found: Paths) -> str:
    if found.cases != 1:
        return found.unit
    return {"runs": "run", "people": "person", "visits": "visit"}[found.unit]


def _cell(names: Mapping[str, str], key: str) -> str:
    name = names[key]
    cut = f"{name[: _NAME - 1]}…" if len(name) > _NAME else name
    return f"{cut:<{_NAME}}"

"""`journeykit report`: all figures of a workspace in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import click

from journeykit.cli.figures import print_json
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.replay import writing
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, faint, rows, wrapped
from journeykit.insight.report.findings import PARTS, Findings, Missing, findings
from journeykit.insight.report.summary import (
    Conclusion,
    Tile,
    conclusions,
    tiles_of,
)
from journeykit.insight.report.write import RECORDED, report
from journeykit.model.plain_text import printable


@dataclass(frozen=True, slots=True)
class Told:
    """The head of a report.

    Attributes:
        name: The workspace's.
        figures: What matters most.
        conclusions: What is to be looked at.
        missing: Parts of which there is nothing to tell, and why.
    """

    name: str
    figures: Sequence[Tile]
    conclusions: Sequence[Conclusion]
    missing: Mapping[str, str]


@click.command("report")
@over_logs
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The file that is written.",
)
@click.option("--title", metavar="TEXT", default="", help="Its heading; else the name.")
@click.option(
    "--dir",
    "direction",
    type=click.Choice(["ltr", "rtl"]),
    default="ltr",
    show_default=True,
    help="From where people read.",
)
@click.option(
    "--returns",
    metavar="EVENT",
    default="",
    help="The event that people come back with; else of those that start a journey the "
    "most frequent one.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    out: Path,
    title: str,
    direction: str,
    returns: str,
    as_json: bool,
) -> None:
    """Write one HTML file that tells everything there is to tell of a workspace.

    It holds all it needs, so it can be mailed; and no customer's id or address, so it
    may be.
    """
    with warehouse(workspace, choice) as sight:
        progress = Progress("parts", total=PARTS)
        found = findings(
            sight.house, sight.workspace, returns=returns, progress=progress
        )
        progress.done()
        written(found, out, title=title, rtl=direction == "rtl")
        if as_json:
            print_json(as_told(found), sight.house)
    if not as_json:
        for line in told(found):
            click.echo(line)
    click.echo(f"wrote {printable(str(out))}", err=True)


def written(found: Findings, out: Path, *, title: str = "", rtl: bool = False) -> None:
    """Write the file."""
    text = report(found, made_at=datetime.now(UTC), title=title, rtl=rtl)
    with writing(out.parent):
        out.write_text(text, encoding="utf-8")


def as_told(found: Findings) -> Told:
    """The head of the report as values."""
    return Told(
        found.name,
        [*tiles_of(found)],
        [*conclusions(found)],
        {
            field.name: part.why
            for field in fields(found)
            if isinstance(part := getattr(found, field.name), Missing)
        },
    )


def told(found: Findings) -> Iterator[str]:
    """Yield the head of the report as a terminal shows it."""
    yield rule(found.name)
    yield from rows([(tile.name, tile.figure) for tile in tiles_of(found)])
    for one in conclusions(found):
        mark = {"good": "✓", "bad": "✗", "": "→"}[one.state]
        yield from wrapped(one.text, first=f"  {mark} ", indent="    ")
    notices = [*([RECORDED] if found.replayed else []), *found.problems]
    for notice in notices:
        yield from map(faint, wrapped(notice, first="  ", indent="  "))

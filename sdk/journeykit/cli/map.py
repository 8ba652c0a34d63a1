"""`journeykit map`: a journey, or the whole customer journey, drawn with its counts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from journeykit.cli.figures import plain
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.map_lines import journey_lines, stage_lines
from journeykit.cli.operating import database
from journeykit.cli.replay import writing
from journeykit.errors import InputError
from journeykit.http.wording import RIGHT_TO_LEFT
from journeykit.insight.coverage import coverage
from journeykit.insight.flow import JourneyFlow, flow
from journeykit.insight.map.graph import Graph
from journeykit.insight.map.mermaid import journey_mermaid, stage_mermaid
from journeykit.insight.map.page import journey_section, page, period, stage_section
from journeykit.insight.map.stage_svg import stage_svg
from journeykit.insight.map.svg import journey_svg
from journeykit.insight.stages import persona_of, stage_map
from journeykit.insight.warehouse import Warehouse, import_duckdb
from journeykit.model.journey import Journey
from journeykit.model.plain_text import printable
from journeykit.workspace import Workspace
from journeykit.workspace.reading import SETTINGS

_BY_ENDING: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".md": "mermaid",
    ".json": "json",
    ".txt": "text",
}
_RECORDED = "These are recorded events: nothing that a message said could change what people did."


@dataclass(frozen=True, slots=True)
class _View:
    """What is to be shown, of what.

    Attributes:
        workspace: The definitions.
        house: The logs; None: nothing is counted.
        persona: Whose counts; empty: everybody's.
        rtl: Whether it is read from right to left.
        note: Why nothing is counted, if nobody asked for that.
    """

    workspace: Workspace
    house: Warehouse | None
    persona: str
    rtl: bool
    note: str = ""

    @property
    def segment(self) -> str:
        """The segment of the people who count; empty: everybody."""
        return persona_of(self.workspace, self.persona).segment if self.persona else ""

    @property
    def doubts(self) -> list[str]:
        """What is to be known before any count is believed."""
        if self.house is None:
            return [self.note] if self.note else []
        return [*([_RECORDED] if self.house.replayed else []), *self.house.problems]

    def flow(self, journey: Journey) -> JourneyFlow | None:
        """The counts of a journey."""
        if self.house is None:
            return None
        return flow(self.house, journey, segment=self.segment)


@click.command("map")
@click.argument("journey", required=False)
@over_logs
@click.option(
    "--persona", metavar="ID", default="", help="Count only people of this one."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "html", "svg", "mermaid", "json"]),
    help="What to write; as the file's ending says if not given, else text.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; else it is printed.",
)
@click.option(
    "--no-counts", is_flag=True, help="Show what is defined, and read no logs."
)
@click.option(
    "--dir",
    "direction",
    type=click.Choice(["auto", "ltr", "rtl"]),
    default="auto",
    show_default=True,
    help="From where people read; auto: as the workspace's locale says.",
)
def command(
    *,
    journey: str | None,
    workspace: Path,
    choice: LogChoice,
    persona: str,
    format_: str | None,
    as_json: bool,
    out: Path | None,
    no_counts: bool,
    direction: str,
) -> None:
    """Draw JOURNEY, or the whole customer journey by stages, with what happened.

    Counts are those of the logs. A workspace's folder may stand in the place of JOURNEY.
    """
    if journey is not None and (folder := Path(journey) / SETTINGS).is_file():
        # The other way round, as other commands have it, is meant as well.
        other = None if workspace == Path() else str(workspace)
        journey, workspace = other, folder.parent
    kind = "json" if as_json else format_
    if kind is None:
        kind = _BY_ENDING.get(out.suffix.lower(), "text") if out is not None else "text"
    with _viewing(workspace, choice, journey, no_counts, persona, direction) as view:
        if journey is not None:
            text = _OF_A_JOURNEY[kind](view, view.workspace.journey(journey))
        else:
            text = _OF_ALL[kind](view)
    if view.note and kind not in ("text", "html"):  # these two say it themselves
        click.echo(view.note, err=True)
    if out is not None and out.suffix.lower() == ".md" and kind == "mermaid":
        text = f"```mermaid\n{text}```\n"
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    with writing(out.parent):
        out.write_text(text, encoding="utf-8")
    click.echo(f"wrote {printable(str(out))}", err=True)


@contextlib.contextmanager
def _viewing(
    path: Path,
    choice: LogChoice,
    journey: str | None,
    no_counts: bool,
    persona: str,
    direction: str,
) -> Iterator[_View]:
    """Read the definitions and, where they are wanted and there, the logs."""
    note = ""
    is_elsewhere = choice.stack is not None or choice.logs is not None
    if not no_counts and not is_elsewhere and choice.data is None:
        loaded = Workspace.load(path)  # says what is no workspace before what is no log
        if not database(path, None).is_file():
            note = "There are no logs yet, so nothing is counted."
        else:
            note = _without_duckdb()
    with contextlib.ExitStack() as stack:
        house: Warehouse | None = None
        if no_counts or note:
            loaded = Workspace.load(path)
        else:
            sight = stack.enter_context(warehouse(path, choice, journey=journey))
            loaded, house = sight.workspace, sight.house
        rtl = direction == "rtl" or (direction == "auto" and _is_rtl(loaded))
        view = _View(loaded, house, persona, rtl, note)
        _ = view.segment  # a persona that isn't there is said before anything is made
        yield view


def _without_duckdb() -> str:
    """Why nothing is counted where DuckDB isn't installed; empty: it is.

    The definitions can be drawn all the same. Who names logs wants them counted, and is
    told by an error.
    """
    try:
        import_duckdb()
    except InputError as error:
        return f"Nothing is counted: {error}."
    return ""


def _is_rtl(workspace: Workspace) -> bool:
    locale = workspace.content.get("locale", "")
    return locale.replace("_", "-").split("-")[0].lower() in RIGHT_TO_LEFT


# --- one journey ------------------------------------------------------------------------


def _journey_text(view: _View, journey: Journey) -> str:
    return "\n".join(journey_lines(journey, view.flow(journey), view.doubts)) + "\n"


def _journey_page(view: _View, journey: Journey) -> str:
    title = journey.name or journey.id
    section = journey_section(journey, view.flow(journey), rtl=view.rtl, heading=0)
    return _page(view, [(f"j-{journey.id}", title, section)], title)


def _journey_picture(view: _View, journey: Journey) -> str:
    return journey_svg(journey, view.flow(journey), rtl=view.rtl) + "\n"


def _journey_mermaid(view: _View, journey: Journey) -> str:
    return journey_mermaid(journey, view.flow(journey))


def _journey_json(view: _View, journey: Journey) -> str:
    graph, found = Graph.of(journey), view.flow(journey)
    document = {
        "journey": journey.id,
        "name": journey.name,
        "places": [
            {
                "id": _id(place.id),
                "kind": place.kind,
                "about": place.about,
                "touchpoint": place.touchpoint,
            }
            for place in graph.places.values()
        ],
        "ways": [
            {"from": _id(edge.source), "to": _id(edge.target), "label": edge.label}
            for edge in graph.edges
        ],
        "flow": None if found is None else plain(found),
    }
    return _json(view, document)


def _id(place: str) -> str:
    """A place's name in JSON: `(start)` and its like can be no step's id."""
    return f"({place[1:]})" if place.startswith("\x00") else place


# --- all of it --------------------------------------------------------------------------


def _all_text(view: _View) -> str:
    found = stage_map(view.workspace, view.house, persona=view.persona)
    lacks = coverage(view.workspace, found)
    return "\n".join(stage_lines(found, lacks, view.doubts)) + "\n"


def _all_page(view: _View) -> str:
    found = stage_map(view.workspace, view.house, persona=view.persona)
    lacks = coverage(view.workspace, found)
    sections = [
        ("stages", "The customer journey", stage_section(found, lacks, rtl=view.rtl))
    ]
    for journey in view.workspace.journeys:
        section = journey_section(journey, view.flow(journey), rtl=view.rtl)
        sections.append((f"j-{journey.id}", journey.name or journey.id, section))
    return _page(view, sections, view.workspace.name)


def _all_picture(view: _View) -> str:
    found = stage_map(view.workspace, view.house, persona=view.persona)
    return stage_svg(found, rtl=view.rtl) + "\n"


def _all_mermaid(view: _View) -> str:
    found = stage_map(view.workspace, view.house, persona=view.persona)
    return stage_mermaid(found, rtl=view.rtl)


def _all_json(view: _View) -> str:
    found = stage_map(view.workspace, view.house, persona=view.persona)
    lacks = coverage(view.workspace, found)
    return _json(view, {**plain(found), "coverage": plain(lacks)})


# --- parts ------------------------------------------------------------------------------


def _page(view: _View, sections: list[tuple[str, str, str]], title: str) -> str:
    house = view.house
    subtitle = "What is defined."
    doubts = view.doubts
    if house is not None:
        subtitle = period(house.span)
    elif doubts:  # nothing is counted, so there is no count to be doubted
        subtitle, doubts = " ".join([subtitle, *doubts]), []
    if house is not None and house.test_runs:
        subtitle = f"{subtitle} · {house.test_runs:,} runs of test traffic left out"
    return page(sections, title=title, subtitle=subtitle, doubts=doubts, rtl=view.rtl)


def _json(view: _View, document: Mapping[str, Any]) -> str:
    house = view.house
    about = None
    if house is not None:
        about = {
            "is_replay": house.replayed,
            "test_runs": house.test_runs,
            "problems": list(house.problems),
        }
    return json.dumps({**document, "logs": about}, indent=2, ensure_ascii=False) + "\n"


_OF_A_JOURNEY: Mapping[str, Callable[[_View, Journey], str]] = {
    "text": _journey_text,
    "html": _journey_page,
    "svg": _journey_picture,
    "mermaid": _journey_mermaid,
    "json": _journey_json,
}
_OF_ALL: Mapping[str, Callable[[_View], str]] = {
    "text": _all_text,
    "html": _all_page,
    "svg": _all_picture,
    "mermaid": _all_mermaid,
    "json": _all_json,
}

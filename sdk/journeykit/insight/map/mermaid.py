"""Maps as Mermaid, which GitHub and GitLab draw in pull requests and Markdown.

Only what `flowchart` knows: https://mermaid.js.org/syntax/flowchart.html . Texts stand in
quotes with the letters that mean something to Mermaid or to HTML as entity codes, which
its documentation has for that; names of places are ours (`p1`), so no id can be taken for
a word of Mermaid's, such as `end`.
"""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.insight.charts.text import shortened
from journeykit.insight.flow import JourneyFlow
from journeykit.insight.map.cards import step_lines, taken_of
from journeykit.insight.map.graph import END, HELD_OUT, START, Graph, Place
from journeykit.insight.map.stage_svg import counts_of_met, people_of
from journeykit.insight.map.words import KINDS, share_in_words
from journeykit.insight.stages import StageMap
from journeykit.model.journey import Journey

_ROOM = 420.0  # about 60 letters
_SHAPES = {
    "start": ("([", "])"),
    "end": ("([", "])"),
    "held_out": ("([", "])"),
    "exit": ("([", "])"),
    "branch": ("{{", "}}"),
    "split": ("{{", "}}"),
    "repeat": ("{{", "}}"),
    "wait": ("(", ")"),
    "wait_for": ("(", ")"),
    "collect": ("(", ")"),
}


def journey_mermaid(
    journey: Journey, flow: JourneyFlow | None = None, *, rtl: bool = False
) -> str:
    """One journey as a flowchart, from top to bottom.

    Args:
        journey: What to draw.
        flow: Its counts; None: only what is defined.
        rtl: Without effect on a chart that runs down; kept so that all maps take it.
    """
    return "\n".join(_journey(journey, flow)) + "\n"


def _journey(journey: Journey, flow: JourneyFlow | None) -> Iterator[str]:
    graph = Graph.of(journey)
    names = {id: f"p{number}" for number, id in enumerate(graph.places)}
    yield "flowchart TD"
    yield f"  accTitle: {_plain(f'Map of the journey {journey.name or journey.id}')}"
    for id, place in graph.places.items():
        begin, end = _SHAPES.get(place.kind, ("[", "]"))
        text = "<br/>".join(_place(place, flow))
        yield f'  {names[id]}{begin}"{text}"{end}'
    for edge in graph.edges:
        said = [quoted(edge.label)] if edge.label else []
        if flow is not None:
            count, share = taken_of(edge.source, edge.target, flow)
            part = f" · {share_in_words(share)}" if share is not None else ""
            said.append(quoted(f"{count:,}{part}"))
        label = f'|"{"<br/>".join(said)}"|' if said else ""
        yield f"  {names[edge.source]} -->{label} {names[edge.target]}"


def _place(place: Place, flow: JourneyFlow | None) -> Iterator[str]:
    kind = KINDS.get(place.kind, place.kind)
    is_step = place.id not in (START, END, HELD_OUT)
    yield quoted(f"{kind}: {place.id}" if is_step else kind)
    if place.about and place.about != place.id:
        yield quoted(place.about)
    if flow is None:
        return
    if place.id == START:
        yield quoted(f"{flow.entered:,} entered")
    elif place.id == END:
        yield quoted(f"{flow.completed:,} completed")
    elif place.id == HELD_OUT:
        yield quoted(f"{flow.held_out:,} held out")
    else:
        step = flow.step(place.id)
        yield quoted(f"{step.arrived:,} arrived")
        for line in step_lines(place, step):
            yield quoted(line.text)


def stage_mermaid(map: StageMap, *, rtl: bool = False) -> str:
    """The whole customer journey as a flowchart, a frame for each stage.

    Args:
        map: What to draw.
        rtl: Whether the first stage stands at the right.
    """
    return "\n".join(_stages(map, rtl)) + "\n"


def _stages(map: StageMap, rtl: bool) -> Iterator[str]:
    yield f"flowchart {'RL' if rtl else 'LR'}"
    yield f"  accTitle: {_plain(f'Map of the customer journey: {map.title}')}"
    frames = {column.id: f"s{number}" for number, column in enumerate(map.columns)}
    for number, column in enumerate(map.columns):
        people = people_of(column, map)
        title = f"{column.name}: {people}" if people else column.name
        yield f'  subgraph s{number}["{quoted(title)}"]'
        yield "    direction TB"
        for place, journey in enumerate(column.journeys):
            said = [quoted(f"Journey: {journey.name}")]
            if journey.entered is not None:
                said.append(quoted(f"{journey.entered:,} entered"))
            yield f'    s{number}j{place}(["{"<br/>".join(said)}"])'
        for place, met in enumerate(column.touchpoints):
            said = [quoted(f"{met.id} ({met.channel})")]
            if counts := counts_of_met(met):
                said.append(quoted(counts))
            said += [quoted(f"! {note}") for note in met.friction]
            yield f'    s{number}t{place}["{"<br/>".join(said)}"]'
        if not column.journeys and not column.touchpoints:
            yield f'    s{number}e["nothing here yet"]'
        yield "  end"
    moves = [m for m in map.moves if m.source in frames and m.target in frames]
    for move in moves:
        yield f'  {frames[move.source]} -->|"{move.count:,}"| {frames[move.target]}'
    if not moves:  # so that they stand in their order
        for before, after in zip(map.columns, map.columns[1:], strict=False):
            yield f"  {frames[before.id]} --- {frames[after.id]}"


def quoted(text: str) -> str:
    """Text for between Mermaid's quotes, in one line: nothing in it means anything."""
    text = shortened(" ".join(text.split()), size=12, room=_ROOM)
    return "".join(
        letter
        if letter.isalnum() or letter in " .,:;-_/·…?!%+=()“”→"
        else f"#{ord(letter)};"
        for letter in text
        if letter.isprintable()
    )


def _plain(text: str) -> str:
    """Text for a title, which is no quoted text: letters, digits and spaces alone."""
    kept = "".join(
        letter if letter.isalnum() or letter in "-_." else " " for letter in text
    )
    return " ".join(kept.split())

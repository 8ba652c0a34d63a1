"""Maps as a terminal shows them: a journey as a tree, the stages one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from journeykit.cli.figures import meaning
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, rows, strong, width, wrapped
from journeykit.insight.coverage import Coverage
from journeykit.insight.flow import JourneyFlow
from journeykit.insight.map.cards import step_lines, taken_of
from journeykit.insight.map.graph import Graph
from journeykit.insight.map.stage_svg import (
    NOTES,
    counts_of_met,
    kind_of_met,
    people_of,
)
from journeykit.insight.map.words import (
    KINDS,
    counts_in_words,
    kind_of,
    people_in_words,
    share_in_words,
    triggers_in_words,
    way_labels,
)
from journeykit.insight.stages import NO_STAGE, Met, StageMap
from journeykit.model.journey import Journey
from journeykit.model.plain_text import printable
from journeykit.model.steps import Goto, Repeat, Step, StepSequence

_DEEPEST = 8  # beyond it steps move no further to the right
_NUMBERS = 10  # columns for counts


def journey_lines(
    journey: Journey, flow: JourneyFlow | None, doubts: Sequence[str] = ()
) -> Iterator[str]:
    """Tell a journey as a tree, with its counts."""
    yield rule(journey.name or journey.id)
    named = [
        ("journey", journey.id),
        ("starts by", triggers_in_words(journey)),
        ("stage", journey.stage or ""),
    ]
    if flow is not None:
        named += [
            ("entered", f"{flow.entered:,}"),
            ("held out", f"{flow.held_out:,}" if flow.held_out else ""),
            ("waiting", f"{flow.waiting:,}"),
            ("completed", f"{flow.completed:,}"),
            ("exited", _with_reasons(flow.exited)),
            ("failed", _with_reasons(flow.failed) if flow.failed else ""),
            ("sent", f"{flow.sent:,}"),
            ("not sent", _with_reasons(flow.suppressed) if flow.suppressed else ""),
            ("not entered", _with_reasons(flow.refused) if flow.refused else ""),
        ]
        named += [(f"goal {goal.goal}", f"{goal.reached:,}") for goal in flow.goals]
    yield from rows(named)
    yield ""
    tree = _Tree(Graph.of(journey), flow)
    yield from tree.steps(journey.steps, 0)
    if flow is not None:
        others = [step for step in flow.steps if not step.known]
        for step in others:
            yield from wrapped(
                f"{step.step}: {step.arrived:,} arrived; not in this version",
                first="  ",
                indent="    ",
            )
        yield ""
        yield from meaning(flow.definition)
        doubts = [*doubts, *flow.doubts]
    yield from _told(doubts)


def _with_reasons(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return f"{total:,} ({counts_in_words(counts)})" if total else "0"


class _Tree:
    """A journey's steps, indented by the ways that lead to them."""

    def __init__(self, graph: Graph, flow: JourneyFlow | None) -> None:
        self.graph = graph
        self.flow = flow

    def steps(self, steps: StepSequence, depth: int) -> Iterator[str]:
        for step in steps:
            yield from self.step(step, depth)  # type: ignore[arg-type]

    def step(self, step: Step, depth: int) -> Iterator[str]:
        indent = "  " * (min(depth, _DEEPEST) + 1)
        id = step.id or ""
        if isinstance(step, Goto):
            yield from wrapped(f"→ goes on at {step.to}", first=indent, indent=indent)
            return
        place = self.graph.places[id]
        kind = KINDS.get(kind_of(step), step.type)
        about = f" · {place.about}" if place.about and place.about != id else ""
        yield self._line(indent, kind, id, about)
        if self.flow is not None:
            for line in step_lines(place, self.flow.step(id)):
                yield from map(
                    faint, wrapped(line.text, first=f"{indent}  ", indent=f"{indent}  ")
                )
        yield from self.ways(step, depth)

    def _line(self, indent: str, kind: str, id: str, about: str) -> str:
        number = ""
        if self.flow is not None:
            number = f"{self.flow.step(id).arrived:,}"
        room = width() - _NUMBERS - 1
        head = f"{indent}{kind} "
        name, rest = printable(id), printable(about)
        text = f"{head}{name}{rest}"
        if len(text) > room:
            cut = max(0, room - len(head) - len(name) - 1)
            rest = f"{rest[:cut]}…" if cut > 3 else ""
        gap = " " * max(1, room - len(head) - len(name) - len(rest))
        told = f"{head}{strong(name)}{faint(rest) if rest else ''}"
        return f"{told}{gap}{number:>{_NUMBERS}}" if number else told

    def ways(self, step: Step, depth: int) -> Iterator[str]:
        indent = "  " * (min(depth, _DEEPEST) + 2)
        if isinstance(step, Repeat):
            yield from self.steps(step.steps, depth + 1)
            return
        for label, way in zip(way_labels(step), step.ways, strict=False):
            said = label or "otherwise"
            yield from wrapped(
                f"{said}{self.taken(step.id or '', way, label)}",
                first=f"{indent}├ ",
                indent=f"{indent}│ ",
            )
            yield from self.steps(way, depth + 2)

    def taken(self, id: str, way: StepSequence, label: str) -> str:
        """How many went a way; nothing where the log can't tell two ways apart."""
        if self.flow is None:
            return ""
        first = way[0].id if way and not isinstance(way[0], Goto) else None
        for edge in self.graph.on(id):
            if edge.target == first or (first is None and edge.label == label):
                if edge.label != label:
                    return ""
                count, share = taken_of(edge.source, edge.target, self.flow)
                part = f" · {share_in_words(share)}" if share is not None else ""
                return f": {count:,}{part}"
        return ""


def stage_lines(
    map: StageMap, coverage: Coverage, doubts: Sequence[str] = ()
) -> Iterator[str]:
    """Tell the whole customer journey, stage by stage."""
    yield rule(map.title)
    if map.persona is not None:
        yield from rows(
            [
                ("persona", map.persona.name),
                ("who", " ".join(map.persona.story)),
                ("motivation", " ".join(map.persona.motivation)),
                ("questions", " ".join(map.persona.questions)),
                ("friction", " ".join(map.persona.friction)),
            ]
        )
    for column in map.columns:
        yield ""
        people = people_of(column, map)
        yield strong(printable(column.name)) + (f"  {people}" if people else "")
        named = [("", line) for line in column.description]
        for journey in column.journeys:
            counts = ""
            if journey.entered is not None:
                counts = f": {journey.entered:,} entered, {journey.waiting:,} under way"
            if journey.reached is not None:
                counts += f", {journey.reached:,} reached a goal"
            named.append(("journey", f"{journey.name}{counts}"))
        named += [("meets at", _met(met)) for met in column.touchpoints]
        for what, title in NOTES:
            named += [(title.lower(), note) for note in column.notes(what)]
        if not column.journeys and not column.touchpoints:
            named.append(("", "nothing here yet"))
        yield from rows(_once(named))
    if map.moves:
        yield ""
        yield strong("Moves between stages")
        names = {column.id: column.name for column in map.columns} | {NO_STAGE: "none"}
        for move in map.moves:
            source = names.get(move.source, move.source)
            target = names.get(move.target, move.target)
            yield f"  {move.count:>9,}  {printable(source)} → {printable(target)}"
    if map.personas:
        yield ""
        yield strong("Personas")
        for row in map.personas:
            stages = ", ".join(
                f"{map.column(id).name} {count:,}" for id, count in row.stages.items()
            )
            count = "" if row.people is None else people_in_words(row.people)
            yield from wrapped(
                f"{row.name}: {'; '.join(filter(None, [count, stages]))}".rstrip(": "),
                first="  ",
                indent="    ",
            )
    yield ""
    yield strong("What the map lacks")
    for gap in coverage.gaps:
        concerned = f" ({people_in_words(gap.people)})" if gap.people else ""
        yield from wrapped(f"{gap.says}{concerned}", first="  ! ", indent="    ")
    if not coverage.gaps:
        yield "  nothing"
    yield ""
    yield from meaning(map.definition)
    yield from _told([*doubts, *map.doubts])


def _met(met: Met) -> str:
    counts = counts_of_met(met)
    return f"{met.id} ({met.channel}, {kind_of_met(met)})" + (
        f": {counts}" if counts else ""
    )


def _once(named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each name where it comes first; below it the lines stand without."""
    found: list[tuple[str, str]] = []
    before = ""
    for name, text in named:
        found.append(("" if name == before else name, text))
        before = name
    return found


def _told(doubts: Sequence[str]) -> Iterator[str]:
    for doubt in doubts:
        yield from wrapped(doubt, first="! ", indent="  ")

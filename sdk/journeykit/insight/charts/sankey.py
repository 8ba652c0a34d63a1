"""How many went from where to where, as bands between columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.canvas import LINE, SIZE, Canvas, color
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.numbers import NOTHING, percent, whole
from journeykit.insight.charts.text import in_lines, width_of

_SWEEPS = 8  # more never changed the order of what was tried


@dataclass(frozen=True, slots=True)
class Node:
    """A place that people came to.

    Attributes:
        id: Unique.
        name: What is shown.
        column: From 0.
    """

    id: str
    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How many went from a node to one of a later column."""

    source: str
    target: str
    count: float


@dataclass(frozen=True, slots=True)
class Sankey:
    """Nodes in columns, and the flows between them.

    Attributes:
        title: What it is.
        nodes: The nodes.
        flows: The flows; those between unknown nodes or backwards aren't drawn, and
            stand in the table.
        noun: What is counted.
    """

    title: str
    nodes: Sequence[Node]
    flows: Sequence[Flow]
    noun: str

    def svg(self, width: float, *, name: str, rtl: bool = False) -> str:
        """Draw it; as wide as its columns need, if that is more."""
        columns = max((node.column for node in self.nodes), default=0) + 1
        width = max(width, columns * _COLUMN)
        drawn = self._drawn()
        size = _sizes(self.nodes, drawn)
        order = _ordered(self.nodes, drawn, size)
        last = self._last_names(columns - 1, size, width / (columns + 1))
        step = (width - _NODE - last) / max(1, columns - 1)
        named = {
            node.id: self._lines(node, size, step, columns, width)
            for node in self.nodes
            if node.column in order and size[node.id] > 0
        }
        deep = max(map(len, named.values()), default=1)
        gap = LINE * deep + 6  # each node has its name above it
        rows = max(map(len, order.values()), default=1)
        height = min(560.0, max(160.0, rows * 46.0)) + rows * gap
        most = max((sum(size[n.id] for n in ns) for ns in order.values()), default=0.0)
        per_one = (height - rows * gap) / most if most else 0.0
        canvas = Canvas(width, height + 6, name=name, rtl=rtl)
        corners: dict[str, tuple[float, float]] = {}
        for column, nodes in order.items():
            y = gap - 4
            for node in nodes:
                corners[node.id] = (column * step, y)
                y += max(size[node.id] * per_one, 1.5) + gap
        self._flows(canvas, drawn, corners, per_one, order)
        self._nodes(canvas, corners, size, per_one, named)
        return canvas.svg(title=self.title, description=self.described())

    def _flows(
        self,
        canvas: Canvas,
        drawn: Sequence[Flow],
        corners: Mapping[str, tuple[float, float]],
        per_one: float,
        order: Mapping[int, Sequence[Node]],
    ) -> None:
        names = {node.id: node.name for node in self.nodes}
        place = {n.id: p for nodes in order.values() for p, n in enumerate(nodes)}
        left: defaultdict[str, float] = defaultdict(float)
        came: defaultdict[str, float] = defaultdict(float)
        by_source = sorted(drawn, key=lambda f: (place[f.source], place[f.target]))
        starts: dict[tuple[str, str], float] = {}
        for flow in by_source:
            starts[flow.source, flow.target] = left[flow.source]
            left[flow.source] += flow.count * per_one
        for flow in sorted(drawn, key=lambda f: (place[f.target], place[f.source])):
            (x1, y1), (x2, y2) = corners[flow.source], corners[flow.target]
            canvas.ribbon(
                (x1 + _NODE, y1 + starts[flow.source, flow.target]),
                (x2, y2 + came[flow.target]),
                max(flow.count * per_one, 0.6),
                fill=color("series-1"),
                opacity=0.28,
                tip=f"{names[flow.source]} → {names[flow.target]}: {whole(flow.count)}",
            )
            came[flow.target] += flow.count * per_one

    def _nodes(
        self,
        canvas: Canvas,
        corners: Mapping[str, tuple[float, float]],
        size: Mapping[str, float],
        per_one: float,
        named: Mapping[str, Sequence[str]],
    ) -> None:
        for node in self.nodes:
            if node.id not in corners:
                continue
            x, y = corners[node.id]
            tall = max(size[node.id] * per_one, 1.5)
            said = f"{node.name} · {whole(size[node.id])}"
            canvas.rect(x, y, _NODE, tall, fill=color("ink"), tip=said)
            lines = named[node.id]
            for number, line in enumerate(lines):
                below = len(lines) - 1 - number
                canvas.words(x, y - 5 - below * (LINE - 2), line, size=SIZE - 1)

    def _lines(
        self,
        node: Node,
        size: Mapping[str, float],
        step: float,
        columns: int,
        width: float,
    ) -> list[str]:
        """A node's name and count; in more lines, the count last, if that is too long."""
        is_last = node.column == columns - 1
        room = width - node.column * step if is_last else step - 6
        count = whole(size[node.id])
        if width_of(f"{node.name} · {count}", size=SIZE - 1) <= room:
            return [f"{node.name} · {count}"]
        return [*in_lines(node.name, size=SIZE - 1, room=room, most=2), count]

    def _last_names(self, last: int, size: Mapping[str, float], most: float) -> float:
        """How much room the names of the last column take beside their bars."""
        longest = max(
            (
                width_of(f"{node.name} · {whole(size[node.id])}", size=SIZE - 1)
                for node in self.nodes
                if node.column == last
            ),
            default=0.0,
        )
        return max(0.0, min(longest, most) - _NODE)

    def _drawn(self) -> list[Flow]:
        column = {node.id: node.column for node in self.nodes}
        merged: defaultdict[tuple[str, str], float] = defaultdict(float)
        for flow in self.flows:
            if (
                flow.source in column
                and flow.target in column
                and column[flow.source] < column[flow.target]
                and flow.count > 0
            ):
                merged[flow.source, flow.target] += flow.count
        return [Flow(source, target, n) for (source, target), n in merged.items()]

    def described(self) -> str:
        """The largest flows, in words."""
        if not self.flows:
            return "There is nothing to show."
        names = {node.id: node.name for node in self.nodes}
        largest = sorted(self.flows, key=lambda f: -f.count)[:_TOLD]
        told = "; ".join(
            f"{names.get(f.source, f.source)} to {names.get(f.target, f.target)}: "
            f"{whole(f.count)} {self.noun}"
            for f in largest
        )
        return f"The largest flows. {told}."

    def table(self) -> Table:
        """All flows, the largest first."""
        names = {node.id: node.name for node in self.nodes}
        total: defaultdict[str, float] = defaultdict(float)
        for flow in self.flows:
            total[flow.source] += flow.count
        return Table(
            ["from", "to", self.noun, "of those who left"],
            [
                [
                    names.get(flow.source, flow.source),
                    names.get(flow.target, flow.target),
                    whole(flow.count),
                    percent(flow.count / total[flow.source])
                    if total[flow.source]
                    else NOTHING,
                ]
                for flow in sorted(self.flows, key=lambda f: -f.count)
            ],
        )


_COLUMN = 128.0  # from one column to the next, at least: room for names
_NODE = 12.0  # how wide the bar of a node is
_TOLD = 6


def _sizes(nodes: Sequence[Node], flows: Sequence[Flow]) -> dict[str, float]:
    """How many were at each node: the larger of those who came and those who left."""
    came: defaultdict[str, float] = defaultdict(float)
    left: defaultdict[str, float] = defaultdict(float)
    for flow in flows:
        came[flow.target] += flow.count
        left[flow.source] += flow.count
    return {node.id: max(came[node.id], left[node.id]) for node in nodes}


def _ordered(
    nodes: Sequence[Node], flows: Sequence[Flow], size: Mapping[str, float]
) -> dict[int, list[Node]]:
    """Columns, ordered so that few bands cross: by the barycenters of their neighbors.

    Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System
    Structures", IEEE Trans. SMC 11(2) 1981, https://doi.org/10.1109/TSMC.1981.4308636,
    with neighbors weighted by their flow.
    """
    columns: defaultdict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        if size[node.id] > 0:
            columns[node.column].append(node)
    order = {column: columns[column] for column in sorted(columns)}
    for found in order.values():
        found.sort(key=lambda node: (-size[node.id], node.id))
    near: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for flow in flows:
        near[flow.source].append((flow.target, flow.count))
        near[flow.target].append((flow.source, flow.count))
    for sweep in range(_SWEEPS):
        place = {
            node.id: (position + 0.5) / len(found)
            for found in order.values()
            for position, node in enumerate(found)
        }
        forth = sorted(order) if sweep % 2 == 0 else sorted(order, reverse=True)
        for column in forth:
            found = order[column]
            center = {
                node.id: sum(place[other] * n for other, n in near[node.id])
                / sum(n for _, n in near[node.id])
                for node in found
            }
            found.sort(key=lambda node: (center[node.id], -size[node.id], node.id))
            place |= {
                node.id: (position + 0.5) / len(found)
                for position, node in enumerate(found)
            }
    return order

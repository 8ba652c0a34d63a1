"""Places in layers, ways between them: where a map draws what.

The layered method of Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11(2), 1981,
doi:10.1109/TSMC.1981.4308636), for maps of some hundred places:

1. Ways that lead back are set aside (depth first, in document order), so no circle is left.
2. A place lies one layer below the lowest of those that lead to it (longest path).
3. A way over several layers goes through a point in each of them; so does a label, which
   has a layer of its own and room like a place.
4. Layers are put in order by the mean position of neighbors (barycenters), down and up, and
   the order with the fewest crossings is kept.
5. Positions are as near to the mean of the neighbors as the gaps allow: for a layer that is
   isotonic regression (Barlow et al., Statistical Inference under Order Restrictions, 1972,
   pool adjacent violators), which is exact.
6. Ways that lead back go round on the far side, each in a lane of its own.

All of it is deterministic: the same journey is drawn the same way every time.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_SWEEPS = 12  # of ordering; more find nothing on journeys of 200 steps
_PASSES = 8  # of placing
_GAP = 26.0  # between neighbors in a layer
_THIN_GAP = 16.0  # where one of them is only a way
_RANK_GAP = 22.0  # between layers
_LANE = 16.0  # between ways that lead back
_MARGIN = 16.0


class Size(NamedTuple):
    """How large something is, in pixels."""

    width: float
    height: float


class Spot(NamedTuple):
    """Where something lies: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The middle, across."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


class Link(NamedTuple):
    """A way that is to be laid out.

    Attributes:
        source: From which place.
        target: To which.
        label: How large its label is; None: it has none.
    """

    source: str
    target: str
    label: Size | None = None


class Route(NamedTuple):
    """How a way is drawn.

    Attributes:
        points: Where it goes through, from the source to the target.
        label: Where its label lies; None: it has none.
        back: Whether it leads back.
    """

    points: tuple[tuple[float, float], ...]
    label: Spot | None
    back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies.

    Attributes:
        width: Of the whole.
        height: Of the whole.
        spots: Place to where it lies.
        routes: How each way goes, in the order in which they were given.
    """

    width: float
    height: float
    spots: Mapping[str, Spot]
    routes: tuple[Route, ...]

    def mirrored(self) -> Layout:
        """The same from right to left."""
        return Layout(
            self.width,
            self.height,
            {id: self._turned(spot) for id, spot in self.spots.items()},
            tuple(
                Route(
                    tuple((self.width - x, y) for x, y in route.points),
                    None if route.label is None else self._turned(route.label),
                    route.back,
                )
                for route in self.routes
            ),
        )

    def _turned(self, spot: Spot) -> Spot:
        return spot._replace(x=self.width - spot.x - spot.width)


@dataclass(slots=True)
class _Dot:
    """Something in a layer: a place, a label, or a point of a way."""

    width: float = 0.0
    height: float = 0.0
    thin: bool = True
    layer: int = 0
    order: int = 0
    x: float = 0.0  # the middle
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)


def lay_out(places: Mapping[str, Size], links: Sequence[Link]) -> Layout:
    """Lay places and ways out, from top to bottom.

    Args:
        places: Place to its size, in document order.
        links: The ways; both ends must be places.
    """
    return _Drawing(places, links).layout()


class _Drawing:
    def __init__(self, places: Mapping[str, Size], links: Sequence[Link]) -> None:
        self.places = places
        self.links = links
        self.numbers = {id: n for n, id in enumerate(places)}
        self.dots = [
            _Dot(size.width, size.height, thin=False) for size in places.values()
        ]
        self.back = self.leading_back()
        self.chains: dict[int, list[int]] = {}  # way → dots from source to target

    def layout(self) -> Layout:
        self.set_layers()
        self.set_chains()
        layers = self.in_layers()
        self.put_in_order(layers)
        self.place(layers)
        return self.drawn(layers)

    # --- layers --------------------------------------------------------------------

    def leading_back(self) -> frozenset[int]:
        """The ways that close a circle, found depth first without recursion."""
        on: defaultdict[str, list[int]] = defaultdict(list)
        for n, link in enumerate(self.links):
            on[link.source].append(n)
        found: set[int] = set()
        state: dict[str, int] = {}  # 1: on the path, 2: done
        for start in self.places:
            if start in state:
                continue
            stack: list[tuple[str, Iterator[int]]] = [(start, iter(on[start]))]
            state[start] = 1
            while stack:
                place, ways = stack[-1]
                for n in ways:
                    target = self.links[n].target
                    if state.get(target) == 1:
                        found.add(n)
                    elif target not in state:
                        state[target] = 1
                        stack.append((target, iter(on[target])))
                        break
                else:
                    state[place] = 2
                    stack.pop()
        return frozenset(found)

    @property
    def ahead(self) -> Iterator[tuple[int, Link]]:
        return ((n, link) for n, link in enumerate(self.links) if n not in self.back)

    def set_layers(self) -> None:
        """Each place below all that lead to it; labels take the odd layers."""
        on: defaultdict[str, list[str]] = defaultdict(list)
        waiting = dict.fromkeys(self.places, 0)
        for _, link in self.ahead:
            on[link.source].append(link.target)
            waiting[link.target] += 1
        ready = [place for place, count in waiting.items() if not count]
        while ready:
            place = ready.pop(0)
            here = self.dots[self.numbers[place]].layer
            for target in on[place]:
                dot = self.dots[self.numbers[target]]
                dot.layer = max(dot.layer, here + 2)
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)

    def set_chains(self) -> None:
        """A dot for each way in each layer that it crosses, its label in the first."""
        for n, link in self.ahead:
            source, target = self.numbers[link.source], self.numbers[link.target]
            chain = [source]
            for layer in range(self.dots[source].layer + 1, self.dots[target].layer):
                dot = _Dot(layer=layer)
                if layer == self.dots[source].layer + 1 and link.label is not None:
                    dot.width, dot.height = link.label
                    dot.thin = False
                self.dots.append(dot)
                chain.append(len(self.dots) - 1)
            chain.append(target)
            self.chains[n] = chain
            for above, below in itertools.pairwise(chain):
                self.dots[above].down.append(below)
                self.dots[below].up.append(above)

    def in_layers(self) -> list[list[int]]:
        """The dots of each layer, in the order in which a walk from the start meets them."""
        count = max((dot.layer for dot in self.dots), default=-1) + 1
        layers: list[list[int]] = [[] for _ in range(count)]
        seen: set[int] = set()
        for start in range(len(self.places)):
            stack = [start] if start not in seen and not self.dots[start].up else []
            while stack:
                dot = stack.pop()
                if dot in seen:
                    continue
                seen.add(dot)
                layers[self.dots[dot].layer].append(dot)
                stack.extend(reversed(self.dots[dot].down))
        return layers

    # --- order ---------------------------------------------------------------------

    def put_in_order(self, layers: list[list[int]]) -> None:
        """Order the dots of each layer so that few ways cross."""
        self.number(layers)
        best = [list(layer) for layer in layers]
        fewest = self.crossings(layers)
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            downward = sweep % 2 == 0
            for layer in layers if downward else reversed(layers):
                means = {dot: self.mean_order(dot, downward) for dot in layer}
                layer.sort(key=means.__getitem__)
                self.number([layer])
            crossed = self.crossings(layers)
            if crossed < fewest:
                best, fewest = [list(layer) for layer in layers], crossed
        layers[:] = best
        self.number(layers)

    def number(self, layers: Sequence[Sequence[int]]) -> None:
        for layer in layers:
            for order, dot in enumerate(layer):
                self.dots[dot].order = order

    def mean_order(self, dot: int, downward: bool) -> float:
        beside = self.dots[dot].up if downward else self.dots[dot].down
        if not beside:
            return float(self.dots[dot].order)
        return sum(self.dots[other].order for other in beside) / len(beside)

    def crossings(self, layers: Sequence[Sequence[int]]) -> int:
        """How many pairs of ways cross between neighboring layers.

        Inversions of the lower ends when the ways are sorted by their upper ends, counted
        with a Fenwick tree (Barth, Jünger and Mutzel, 2004, doi:10.7155/jgaa.00088).
        """
        total = 0
        for layer, below in itertools.pairwise(layers):
            ends = [
                self.dots[lower].order
                for dot in layer
                for lower in sorted(
                    self.dots[dot].down, key=lambda each: self.dots[each].order
                )
            ]
            tree = [0] * (len(below) + 1)
            for seen, end in enumerate(ends):
                at, not_right = end + 1, 0
                while at:
                    not_right += tree[at]
                    at -= at & -at
                total += seen - not_right
                at = end + 1
                while at < len(tree):
                    tree[at] += 1
                    at += at & -at
        return total

    # --- positions -----------------------------------------------------------------

    def place(self, layers: Sequence[Sequence[int]]) -> None:
        """Find the middle of each dot, across."""
        for layer in layers:
            x = 0.0
            for before, dot in zip([None, *layer], layer, strict=False):
                if before is not None:
                    x += self.apart(before, dot)
                self.dots[dot].x = x
        for turn in range(_PASSES):
            downward = turn % 2 == 0
            for layer in layers if downward else reversed(layers):
                self.align(layer, downward)
        # Then by both sides, so that what joins stands below the middle of it all, and at
        # last what follows one thing alone straight below it.
        for turn in range(_PASSES):
            for layer in layers if turn % 2 else reversed(layers):
                self.align(layer, None)
        for layer in layers:
            self.straighten(layer)

    def apart(self, left: int, right: int) -> float:
        """The least distance of the middles of two neighbors."""
        one, two = self.dots[left], self.dots[right]
        gap = _THIN_GAP if one.thin or two.thin else _GAP
        return (one.width + two.width) / 2 + gap

    def align(self, layer: Sequence[int], downward: bool | None) -> None:
        """Move the dots of a layer towards their neighbors, as far as the gaps allow."""
        wanted: list[float] = []
        weights: list[float] = []
        for dot in layer:
            here = self.dots[dot]
            if downward is None:
                beside = [*here.up, *here.down]
            else:
                beside = here.up if downward else here.down
            xs = [self.dots[other].x for other in beside]
            wanted.append(sum(xs) / len(xs) if xs else here.x)
            # A way that runs straight is easier to follow than one that bends.
            weights.append(4.0 if here.thin else 1.0 if beside else 0.1)
        self.move(layer, wanted, weights)

    def straighten(self, layer: Sequence[int]) -> None:
        """Put each dot straight below the one above it, if neither has another."""
        wanted: list[float] = []
        weights: list[float] = []
        for dot in layer:
            here = self.dots[dot]
            alone = len(here.up) == 1 and len(self.dots[here.up[0]].down) == 1
            wanted.append(self.dots[here.up[0]].x if alone else here.x)
            weights.append(1.0 if alone else 50.0)
        self.move(layer, wanted, weights)

    def move(
        self, layer: Sequence[int], wanted: Sequence[float], weights: Sequence[float]
    ) -> None:
        """Move the dots of a layer to where they want to be, as far as the gaps allow."""
        offsets = [0.0]
        for left, right in itertools.pairwise(layer):
            offsets.append(offsets[-1] + self.apart(left, right))
        free = [x - offset for x, offset in zip(wanted, offsets, strict=False)]
        moved = zip(layer, _isotonic(free, weights), offsets, strict=False)
        for dot, x, offset in moved:
            self.dots[dot].x = x + offset

    # --- drawing -------------------------------------------------------------------

    def drawn(self, layers: Sequence[Sequence[int]]) -> Layout:
        left = min((dot.x - dot.width / 2 for dot in self.dots), default=0.0) - _MARGIN
        for dot in self.dots:
            dot.x -= left
        right = max((dot.x + dot.width / 2 for dot in self.dots), default=0.0)
        tops, y = [], _MARGIN
        heights = [
            max((self.dots[dot].height for dot in layer), default=0.0)
            for layer in layers
        ]
        rooms = self.rooms(len(layers))
        for layer, height in enumerate(heights):
            y += rooms[layer]
            tops.append(y)
            y += height + _RANK_GAP
        height = y - _RANK_GAP + _MARGIN + rooms[len(layers)]
        spots = {
            id: Spot(dot.x - dot.width / 2, tops[dot.layer], dot.width, dot.height)
            for id, dot in zip(self.places, self.dots, strict=False)
        }
        routes: dict[int, Route] = {
            n: self.route(n, link, tops, heights) for n, link in self.ahead
        }
        routes |= self.routes_back(spots, tops, heights, right)
        width = right + _MARGIN
        for route in routes.values():
            width = max(
                width,
                *(x + _MARGIN for x, _ in route.points),
                *(
                    (route.label.x + route.label.width + _MARGIN,)
                    if route.label
                    else ()
                ),
            )
        return Layout(width, height, spots, tuple(routes[n] for n in sorted(routes)))

    def rooms(self, count: int) -> list[float]:
        """What each layer needs above it, and the last below it, for ways that lead back."""
        rooms = [0.0] * (count + 1)
        for n in self.back:
            link = self.links[n]
            rooms[self.dots[self.numbers[link.source]].layer + 1] += _LANE
            rooms[self.dots[self.numbers[link.target]].layer] += _LANE
        return rooms

    def route(
        self, n: int, link: Link, tops: Sequence[float], heights: Sequence[float]
    ) -> Route:
        """Through the dots of a way."""
        chain = [self.dots[dot] for dot in self.chains[n]]
        source, *between, target = chain
        points = [(source.x, tops[source.layer] + source.height)]
        for dot in between:
            top = tops[dot.layer]
            points += [(dot.x, top), (dot.x, top + heights[dot.layer])]
        points.append((target.x, tops[target.layer]))
        label = None
        if link.label is not None and between:
            dot = between[0]
            label = Spot(
                dot.x - dot.width / 2,
                tops[dot.layer] + (heights[dot.layer] - dot.height) / 2,
                dot.width,
                dot.height,
            )
        return Route(_without_doubles(points), label, back=False)

    def routes_back(
        self,
        spots: Mapping[str, Spot],
        tops: Sequence[float],
        heights: Sequence[float],
        right: float,
    ) -> dict[int, Route]:
        """Round the far side: below the source, up a lane, and from above to the target."""
        routes: dict[int, Route] = {}
        used: defaultdict[tuple[str, int], int] = defaultdict(int)
        lane = right + _GAP
        order = sorted(self.back, key=lambda n: (self.span(n), n))
        for n in order:
            link = self.links[n]
            source, target = spots[link.source], spots[link.target]
            below = self.dots[self.numbers[link.source]].layer
            above = self.dots[self.numbers[link.target]].layer
            used["out", below] += 1
            used["in", above] += 1
            out = tops[below] + heights[below] + _LANE * used["out", below] / 2 + 4
            into = tops[above] - _LANE * used["in", above] / 2 - 4
            label = None
            if link.label is not None:
                label = Spot(
                    lane + 6,
                    (out + into) / 2 - link.label.height / 2,
                    link.label.width,
                    link.label.height,
                )
            aside = min(source.width, target.width) / 4
            routes[n] = Route(
                (
                    (source.middle + aside, source.bottom),
                    (source.middle + aside, out),
                    (lane, out),
                    (lane, into),
                    (target.middle + aside, into),
                    (target.middle + aside, target.y),
                ),
                label,
                back=True,
            )
            lane += _LANE + (link.label.width + 6 if link.label is not None else 0.0)
        return routes

    def span(self, n: int) -> int:
        """How many layers a way leads back over: the shortest has the inmost lane."""
        link = self.links[n]
        source, target = self.numbers[link.source], self.numbers[link.target]
        return self.dots[source].layer - self.dots[target].layer


def _isotonic(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest numbers, by weighted squares, that never fall: pool adjacent violators."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for x, weight in zip(wanted, weights, strict=True):
        mean, total, count = x, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, their, size = blocks.pop()
            mean = (before * their + mean * total) / (their + total)
            total, count = their + total, size + count
        blocks.append((mean, total, count))
    return [mean for mean, _, count in blocks for _ in range(count)]


def _without_doubles(
    points: Sequence[tuple[float, float]],
) -> tuple[tuple[float, float], ...]:
    """The points, each once where two lie upon each other."""
    kept = [points[0]]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) > 0.01:
            kept.append(point)
    return tuple(kept)

"""Where things lie: nothing upon another, everything below what leads to it."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given, strategies as st

from journeykit.insight.map.layout import Layout, Link, Size, Spot, _isotonic, lay_out

SIZES = st.builds(Size, st.floats(10, 300), st.floats(10, 200))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Size], list[Link]]:
    """Any graph, circles and places that nothing leads to among them."""
    count = draw(st.integers(1, 14))
    places = {f"p{n}": draw(SIZES) for n in range(count)}
    ends = st.tuples(st.sampled_from(sorted(places)), st.sampled_from(sorted(places)))
    pairs = draw(st.lists(ends, max_size=24, unique=True))
    labels = st.none() | st.builds(Size, st.floats(10, 180), st.floats(10, 60))
    return places, [Link(a, b, draw(labels)) for a, b in pairs]


def apart(one: Spot, two: Spot) -> bool:
    return (
        one.x + one.width <= two.x + 0.01
        or two.x + two.width <= one.x + 0.01
        or one.bottom <= two.y + 0.01
        or two.bottom <= one.y + 0.01
    )


@given(graphs())
def test_nothing_lies_upon_another(graph: tuple[dict[str, Size], list[Link]]) -> None:
    laid = lay_out(*graph)

    labels = [route.label for route in laid.routes if route.label and not route.back]
    for one, two in combinations([*laid.spots.values(), *labels], 2):
        assert apart(one, two)


@given(graphs())
def test_all_is_inside_and_as_large_as_it_was(
    graph: tuple[dict[str, Size], list[Link]],
) -> None:
    places, links = graph

    laid = lay_out(places, links)

    for id, spot in laid.spots.items():
        assert (spot.width, spot.height) == places[id]
        assert spot.x >= 0
        assert spot.y >= 0
        assert spot.x + spot.width <= laid.width
        assert spot.bottom <= laid.height
    for route in laid.routes:
        for x, y in route.points:
            assert 0 <= x <= laid.width
            assert 0 <= y <= laid.height


@given(graphs())
def test_each_way_leads_from_its_source_to_its_target(
    graph: tuple[dict[str, Size], list[Link]],
) -> None:
    places, links = graph

    laid = lay_out(places, links)

    assert len(laid.routes) == len(links)
    for link, route in zip(links, laid.routes, strict=True):
        source, target = laid.spots[link.source], laid.spots[link.target]
        assert route.points[0][1] == pytest.approx(source.bottom)
        assert source.x <= route.points[0][0] <= source.x + source.width
        assert route.points[-1][1] == pytest.approx(target.y)
        assert target.x <= route.points[-1][0] <= target.x + target.width
        assert (route.label is None) == (link.label is None)
        if not route.back:
            assert target.y > source.y


@given(graphs())
def test_no_way_runs_through_a_place(
    graph: tuple[dict[str, Size], list[Link]],
) -> None:
    places, links = graph
    laid = lay_out(places, links)

    for link, route in zip(links, laid.routes, strict=True):
        for (x1, y1), (x2, y2) in zip(route.points, route.points[1:], strict=False):
            if abs(x1 - x2) > 0.01:
                continue  # it bends between two layers, where no place is
            for id, spot in laid.spots.items():
                if id in (link.source, link.target):
                    continue
                across = spot.x + 0.01 < x1 < spot.x + spot.width - 0.01
                top, bottom = sorted((y1, y2))
                assert not (
                    across and top < spot.bottom - 0.01 and bottom > spot.y + 0.01
                )


@given(graphs())
def test_what_leads_back_closes_circles_and_no_more(
    graph: tuple[dict[str, Size], list[Link]],
) -> None:
    places, links = graph
    laid = lay_out(places, links)

    left = {place: set[str]() for place in places}
    for link, route in zip(links, laid.routes, strict=True):
        if not route.back:
            left[link.target].add(link.source)
    while ready := [place for place, before in left.items() if not before]:
        for place in ready:
            del left[place]
        for before in left.values():
            before.difference_update(ready)
    assert not left  # without those there is an order, so no circle


@given(graphs())
def test_it_is_drawn_the_same_way_every_time(
    graph: tuple[dict[str, Size], list[Link]],
) -> None:
    assert lay_out(*graph) == lay_out(*graph)


@given(graphs())
def test_mirrored_twice_it_is_itself(graph: tuple[dict[str, Size], list[Link]]) -> None:
    laid = lay_out(*graph)

    back = laid.mirrored().mirrored()

    for id, spot in laid.spots.items():
        assert back.spots[id] == pytest.approx(spot)


def test_ways_that_need_not_cross_do_not() -> None:
    box = Size(50, 20)
    places = dict.fromkeys(["top", "a", "b", "c", "x", "y", "z"], box)
    links = [Link("top", one) for one in "abc"]
    links += [Link("a", "z"), Link("b", "y"), Link("c", "x")]

    laid = lay_out(places, links)

    order = sorted("abc", key=lambda each: laid.spots[each].x)
    below = sorted("xyz", key=lambda each: laid.spots[each].x)
    assert [dict(zip("abc", "zyx", strict=True))[each] for each in order] == below


def test_a_chain_is_straight() -> None:
    places = {
        name: Size(width, 20)
        for name, width in zip("abcd", (90, 40, 70, 10), strict=True)
    }
    links = [Link("a", "b", Size(33, 10)), Link("b", "c"), Link("c", "d")]

    laid = lay_out(places, links)

    assert len({round(spot.middle, 6) for spot in laid.spots.values()}) == 1


def test_an_empty_map_is_empty() -> None:
    laid = lay_out({}, [])

    assert isinstance(laid, Layout)
    assert not laid.spots


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 3)), min_size=1, max_size=5)
)
def test_the_nearest_rising_numbers_are_the_nearest(
    pairs: list[tuple[int, int]],
) -> None:
    wanted = [float(x) for x, _ in pairs]
    weights = [float(weight) for _, weight in pairs]

    found = _isotonic(wanted, weights)

    def cost(numbers: tuple[float, ...] | list[float]) -> float:
        return sum(
            w * (x - y) ** 2 for x, y, w in zip(wanted, numbers, weights, strict=True)
        )

    assert found == sorted(found)
    tried = (
        each
        for each in product(range(-4, 5), repeat=len(pairs))
        if list(each) == sorted(each)
    )
    assert cost(found) <= min(map(cost, tried)) + 1e-9

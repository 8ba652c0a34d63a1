"""Groups of customers that nobody has named yet, by k-means, and the rule of each.

Needs scikit-learn: `pip install 'journeykit[discover]'`. Nothing here is imported by
anything but the command that asks for it.

Each customer is a point: their numeric traits, and how many days ago instants were. What
has no negative value is taken as log(1 + x), since counts and amounts are skewed, and
every feature is scaled to mean 0 and deviation 1. A missing value is the median. There
are as many groups as give the best mean silhouette (P. J. Rousseeuw, 1987,
https://doi.org/10.1016/0377-0427(87)90125-7). The seed is fixed, there is one thread, and
points stand in the order of their customers' ids, so the same customers give the same
groups.

K-means says who is near whom, which no condition can ask. So a decision tree of few
levels learns to tell each group from all others, and its paths are the condition; how
well it does is counted among all customers, with the engine's own predicates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans  # type: ignore[import-untyped]
from sklearn.metrics import f1_score, silhouette_score  # type: ignore[import-untyped]
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from journeykit.errors import DefinitionError
from journeykit.model import cel
from journeykit.model.conditions import Condition
from journeykit.runtime.likeness import DAYS_SINCE

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

FEWEST = 20
"""Customers with fewer are no data for this."""

MOST_GROUPS = 8

_SILHOUETTES = 2_000  # points; it takes the square of it
_STARTS = 10
_DEPTH = 3
_ENOUGH = 0.01  # a deeper tree must be that much better
_HALF = 0.5


class Features:
    """Makes points of what is known of customers.

    Attributes:
        names: The features, as facts are called.
    """

    def __init__(
        self, names: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Learn scales from a sample.

        Args:
            names: The features; those that half of the sample lacks, or that are the same
                for all, are left out.
            rows: The sample.

        Raises:
            DefinitionError: Nothing is left by which people differ.
        """
        raw = _matrix(names, rows)
        known = ~np.isnan(raw)
        kept = [
            place
            for place in range(len(names))
            if known[:, place].mean() >= _HALF
            and np.nanmax(raw[:, place]) > np.nanmin(raw[:, place])
        ]
        if not kept:
            raise DefinitionError(
                "there is no number by which these customers differ; declare traits, such "
                "as a Count or a Sum, and publish them"
            )
        self.names = [names[place] for place in kept]
        raw = raw[:, kept]
        self._medians: Matrix = np.nanmedian(raw, axis=0)
        self._skewed = np.nanmin(raw, axis=0) >= 0
        self._mean: Matrix = np.zeros(len(kept))
        self._deviation: Matrix = np.ones(len(kept))
        points = self.points(self.filled(rows))
        self._mean = points.mean(axis=0)
        deviation = points.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)

    def filled(self, rows: Sequence[Mapping[str, object]]) -> Matrix:
        """The values of customers, with medians where something is missing."""
        raw = _matrix(self.names, rows)
        return np.where(np.isnan(raw), self._medians, raw)

    def points(self, filled: Matrix) -> Matrix:
        """The points of customers."""
        shifted = np.log1p(np.maximum(filled, 0))
        return (np.where(self._skewed, shifted, filled) - self._mean) / self._deviation


def _matrix(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Matrix:
    values = [[_number(row.get(name)) for name in names] for row in rows]
    return np.asarray(values, dtype=np.float64).reshape(len(rows), len(names))


def _number(value: object) -> float:
    return value if isinstance(value, float) else math.nan


class Clusters(NamedTuple):
    """What was found.

    Attributes:
        features: Makes points.
        centers: The middle of each group, the largest group first.
        silhouette: How well the groups are apart: 1 is best, below 0 is none at all.
        tried: Number of groups to the silhouette of each that was tried.
        rules: The condition of each group; None: no short one tells it apart.
    """

    features: Features
    centers: Matrix
    silhouette: float
    tried: Mapping[int, float]
    rules: Sequence[Condition | None]

    def labels(self, rows: Sequence[Mapping[str, object]]) -> list[int]:
        """The group of each customer: the one whose middle is nearest."""
        return [int(n) for n in _nearest(self._points(rows), self.centers)]

    def _points(self, rows: Sequence[Mapping[str, object]]) -> Matrix:
        return self.features.points(self.features.filled(rows))


def clusters_of(
    names: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    *,
    groups: int | None,
    seed: int,
) -> Clusters:
    """Find groups.

    Args:
        names: The features that may be looked at.
        rows: What is known of customers, in an order that stays.
        groups: How many there are to be; None: as many as are best apart.
        seed: Where k-means begins.

    Raises:
        DefinitionError: There are too few people, or they don't differ.
    """
    if len(rows) < FEWEST:
        raise DefinitionError(
            f"{len(rows):,} customers are too few to find groups among; it takes {FEWEST}"
        )
    features = Features(names, rows)
    filled = features.filled(rows)
    points = features.points(filled)
    different = len(np.unique(points, axis=0))
    most = min(MOST_GROUPS, different - 1, len(rows) // 5)
    wanted = range(2, most + 1) if groups is None else range(groups, groups + 1)
    if groups is not None and groups > most:
        raise DefinitionError(
            f"{groups} groups of {len(rows):,} customers are too many; ask for at most {most}"
        )
    if not wanted:
        raise DefinitionError("these customers are too much alike to be told apart")
    step = -(-len(points) // _SILHOUETTES)
    found: dict[int, tuple[float, Matrix]] = {}
    with threadpool_limits(limits=1):
        for count in wanted:
            fitted = KMeans(count, n_init=_STARTS, random_state=seed).fit(points)
            middle: Matrix = fitted.cluster_centers_
            some = points[::step]
            near = _nearest(some, middle)
            apart = (
                float(silhouette_score(some, near))
                if len(set(near.tolist())) > 1
                else -1.0
            )
            found[count] = apart, middle
        best = max(found, key=lambda count: (found[count][0], -count))
        apart, centers = found[best]
        sizes = np.bincount(_nearest(points, centers), minlength=best)
        centers = centers[np.lexsort((np.arange(best), -sizes))]
        labels = _nearest(points, centers)
        rules = [_rule(features.names, filled, labels == n, seed) for n in range(best)]
    tried = {count: silhouette for count, (silhouette, _) in found.items()}
    return Clusters(features, centers, apart, tried, rules)


def _nearest(points: Matrix, centers: Matrix) -> Labels:
    distances = ((points[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
    nearest: Labels = np.argmin(distances, axis=1)
    return nearest


# The rule of a group


def _rule(
    names: Sequence[str], filled: Matrix, inside: Any, seed: int
) -> Condition | None:
    """The condition that tells a group from all others best, and is short."""
    best: tuple[float, Any] = (0.0, None)
    least = max(2, len(filled) // 100)
    for depth in range(1, _DEPTH + 1):
        for weight in (None, "balanced"):
            tree = DecisionTreeClassifier(
                max_depth=depth,
                min_samples_leaf=least,
                class_weight=weight,
                random_state=seed,
            ).fit(filled, inside)
            good = float(f1_score(inside, tree.predict(filled)))
            if good > best[0] + _ENOUGH:
                best = good, tree
    if best[1] is None:
        return None
    paths = _paths(best[1].tree_, 0, {})
    whole = [np.all(filled[:, n] == np.round(filled[:, n])) for n in range(len(names))]
    parts = [
        cel.conjunction(
            *(
                test
                for place, bounds in path.items()
                for test in _tests(names[place], bounds, is_whole=bool(whole[place]))
            )
        )
        for path in paths
        if path
    ]
    if not parts:
        return None
    return Condition.parse(cel.unparse(cel.disjunction(*parts)))


_Bounds = tuple[float, float]
_Path = dict[int, _Bounds]


def _paths(tree: Any, node: int, path: _Path) -> list[_Path]:
    """The ways to the leaves of those who are in, each as bounds by feature."""
    if _is_all(tree, node):
        return [path]
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left < 0:
        return []
    place, cut = int(tree.feature[node]), float(tree.threshold[node])
    low, high = path.get(place, (-math.inf, math.inf))
    return [
        *_paths(tree, left, {**path, place: (low, min(high, cut))}),
        *_paths(tree, right, {**path, place: (max(low, cut), high)}),
    ]


def _is_all(tree: Any, node: int) -> bool:
    """Whether every leaf below says that they are in."""
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left < 0:
        out, in_ = tree.value[node][0] if tree.value.shape[2] == 2 else (1, 0)
        return bool(in_ > out)
    return _is_all(tree, left) and _is_all(tree, right)


def _tests(name: str, bounds: _Bounds, *, is_whole: bool) -> list[cel.Expr]:
    """What a feature must be: above one number, and not above another."""
    low, high = bounds
    path = path_of(name)
    if name.startswith(DAYS_SINCE):
        tests: list[cel.Expr] = []
        if low > -math.inf:
            tests.append(_time_test("olderThan", path, low))
        if high < math.inf:
            tests.append(_time_test("withinLast", path, high))
        return tests
    return [
        cel.Compare(sign, path, cel.Literal(_rounded(bound, is_whole=is_whole)))
        for sign, bound in ((">", low), ("<=", high))
        if math.isfinite(bound)
    ]


def _time_test(name: str, path: cel.Path, days: float) -> cel.Expr:
    hours = max(1, math.ceil(days * 24))
    return cel.Call(name, (path, cel.Literal(f"PT{hours}H")))


def path_of(name: str) -> cel.Path:
    """The reference of a fact: `days since trait.last_order` is `trait.last_order`."""
    root, _, rest = name.removeprefix(DAYS_SINCE).partition(".")
    return cel.Path(root, tuple(rest.split(".")) if root == "trait" else (rest,))


def _rounded(bound: float, *, is_whole: bool) -> float:
    """A bound that people can read; between two whole numbers it is the lower one."""
    if is_whole:
        return math.floor(bound)
    digits = 3 - math.floor(math.log10(abs(bound))) if bound else 0
    return round(bound, max(0, digits))

"""Puts what asks for each other into an order in which it can be answered."""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet

from journeykit.errors import DefinitionError


class Circle(DefinitionError):
    """Things ask for each other in a circle, so nobody can say which comes first.

    Attributes:
        names: The circle, the first one once more at its end.
    """

    def __init__(self, names: list[str]) -> None:
        """Name the circle."""
        super().__init__(f"{' → '.join(names)} ask for each other in a circle")
        self.names = names


def in_order(reads: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Put each name behind those that it reads; beyond that they stay as they come.

    Args:
        reads: Name to the names that it reads; those that are no keys don't matter.

    Raises:
        Circle: Some of them read each other.
    """
    placed: dict[str, None] = {}
    for start in reads:
        path: list[str] = []
        open_names = [start]
        while open_names:
            name = open_names[-1]
            if name in placed:
                open_names.pop()
                continue
            if not path or path[-1] != name:
                path.append(name)
            unplaced = [
                read
                for read in sorted(reads[name] & reads.keys())
                if read not in placed
            ]
            if not unplaced:
                placed[name] = None
                path.pop()
                open_names.pop()
                continue
            if unplaced[0] in path:
                raise Circle([*path[path.index(unplaced[0]) :], unplaced[0]])
            open_names.append(unplaced[0])
    return list(placed)

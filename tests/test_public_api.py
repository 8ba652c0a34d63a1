"""The public API is `journeykit.__all__`, and every name in it keeps a promise."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

import journeykit
from journeykit import errors


def error_classes(module: ModuleType) -> list[type[Exception]]:
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]


def drawn_tree(docstring: str) -> list[tuple[str, str | None]]:
    """Read (name, parent's name) off the drawing, from top to bottom."""
    path: list[str] = []
    pairs: list[tuple[str, str | None]] = []
    for line in docstring.splitlines():
        if match := re.match(r" {4}((?:[│├└─ ]{4})*)([A-Z]\w+)", line):
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            pairs.append((match[2], path[depth - 1] if depth else None))
    return pairs


def test_the_public_names_are_sorted_and_said_once() -> None:
    assert journeykit.__all__ == sorted(set(journeykit.__all__))


def test_the_module_shows_its_public_names() -> None:
    assert set(journeykit.__all__) <= set(dir(journeykit))


@pytest.mark.parametrize("name", journeykit.__all__)
def test_every_public_name_imports_and_says_what_it_is(name: str) -> None:
    value = getattr(journeykit, name)

    doc = inspect.getdoc(value) or ""

    assert doc.strip()
    assert not doc.startswith(f"{name}("), "a dataclass wrote this docstring itself"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        journeykit.no_such_name  # noqa: B018


def test_the_drawing_of_the_error_tree_is_the_error_tree() -> None:
    pairs = [(cls.__name__, cls.__bases__[0].__name__) for cls in error_classes(errors)]

    drawn = drawn_tree(errors.__doc__ or "")

    root, *others = drawn
    assert root == ("JourneyKitError", None)
    assert sorted([("JourneyKitError", "Exception"), *others]) == sorted(pairs)


def test_every_error_can_be_caught_by_a_public_name() -> None:
    names = {cls.__name__ for cls in error_classes(errors)}

    assert names <= set(journeykit.__all__)

"""The test kit is public API, like `journeykit` itself."""

from __future__ import annotations

import inspect

import pytest

import journeykit.testing


def test_the_public_names_are_sorted_and_said_once() -> None:
    assert journeykit.testing.__all__ == sorted(set(journeykit.testing.__all__))
    assert set(journeykit.testing.__all__) <= set(dir(journeykit.testing))


@pytest.mark.parametrize("name", journeykit.testing.__all__)
def test_every_public_name_imports_and_says_what_it_is(name: str) -> None:
    doc = inspect.getdoc(getattr(journeykit.testing, name)) or ""

    assert doc.strip()
    assert not doc.startswith(f"{name}("), "a dataclass wrote this docstring itself"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        journeykit.testing.no_such_name  # noqa: B018

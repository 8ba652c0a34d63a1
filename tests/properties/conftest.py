"""`pytest -m slow` searches the same properties four times as deep."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.properties import worlds

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Decide before the test modules are imported, since their settings are drawn then."""
    if config.option.markexpr == "slow":
        worlds.DEPTH = 4


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property is a slow test as well, if slow tests are asked for."""
    if worlds.DEPTH > 1:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker("slow")

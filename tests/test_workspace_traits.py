"""Traits as a workspace has them: read, checked, compiled, published."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeykit import Count, InvalidJourney, Sum, event
from journeykit.aws.bus import names_of
from journeykit.engine.traits import TRAITS_BYTES
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

PYTHON = """
from journeykit import Count, Sum, event

orders = Count("orders", "order.placed")
more = [Sum("spent", "order.placed", event.total)]
"""
YAML = """
- {type: count, name: orders, of: order.placed}
- {type: sum, name: spent, of: [order.placed], value: event.total}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace without anything in it."""
    (tmp_path / "journeykit.toml").write_text("")
    (tmp_path / "journeys").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"), [("traits.py", PYTHON), ("traits.yaml", YAML)]
)
def test_traits_are_read_from_python_and_yaml(
    folder: Path, name: str, text: str
) -> None:
    (folder / name).write_text(text)

    loaded = Workspace.load(folder)

    assert loaded.traits == (
        Count("orders", "order.placed"),
        Sum("spent", "order.placed", event.total),
    )


def test_a_wrong_trait_in_yaml_is_named_with_its_line(folder: Path) -> None:
    (folder / "traits.yaml").write_text("- {type: count, name: orders}\n")

    with pytest.raises(InvalidJourney, match=r"traits\.yaml:1:3: 0: count needs 'of'"):
        Workspace.load(folder)


def test_the_catalog_computes_them_and_the_bus_lets_their_events_in(
    folder: Path,
) -> None:
    (folder / "traits.py").write_text(PYTHON)

    catalog = Workspace.load(folder).catalog(_registry())

    assert sorted(catalog.traits.rules) == ["orders", "spent"]
    assert "order.placed" in names_of(catalog)
    assert "order.placed" not in catalog.hears  # no journey does


def test_traits_that_do_not_fit_into_a_document_are_refused(folder: Path) -> None:
    (folder / "traits.py").write_text(
        "from journeykit import MostFrequent, event\n"
        'one = MostFrequent("one", "seen", event.x, exact=128)\n'
        'two = MostFrequent("two", "seen", event.x, exact=256)\n'
    )

    (found,) = [i for i in Workspace.load(folder).check() if i.level == "error"]

    assert f"{TRAITS_BYTES:,} bytes" in found.message
    assert "two 24," in found.message
    assert found.source is not None
    assert found.source.line == 3


def test_fields_of_events_are_checked_against_the_schemas(folder: Path) -> None:
    (folder / "traits.py").write_text(PYTHON)
    (folder / "schemas.py").write_text(
        "from pydantic import BaseModel\n"
        "class Placed(BaseModel):\n"
        "    amount: float\n"
        'events = {"order.placed": Placed}\n'
    )

    (found,) = [i for i in Workspace.load(folder).check() if i.level == "error"]

    assert "trait 'spent': event.total: 'Placed' has no field 'total'" in found.message


def _registry() -> Registry:
    return Registry.from_plugins(plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"}))

"""A workspace on its database, as an operator meets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Stimulus
from journeykit.local.embedded import Embedded
from journeykit.model.events import instant
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

SETTINGS = 'channels = {email = "console"}\n'

CART = """\
from journeykit import Goal, Journey, Send, Wait, api, hours, on

cart = Journey(
    "cart",
    trigger=[on("cart.updated"), api()],
    goal=Goal(on("order.placed")),
    reentry="always",
    purpose="transactional",
    zone="America/New_York",
    steps=[Wait(hours(1)), Send("email", "reminder", variables={"code": "X"})],
)
"""

NEWS = """\
from journeykit import Journey, Send, on

news = Journey("news", trigger=on("subscribed"), steps=[Send("email", "hello")])
"""


class Shop:
    """A workspace, what happens in it, and the command line.

    Attributes:
        folder: The workspace.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("journeykit.toml", SETTINGS)
        self.write("journeys/cart.py", CART)
        self.write("journeys/news.py", NEWS)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def __call__(self, *arguments: str, input: str = "") -> Result:
        """Run a command; the last argument is the workspace, unless one is named."""
        return CliRunner().invoke(group, [*arguments, str(self.folder)], input=input)

    def embedded(self) -> Embedded:
        registry = Registry.from_plugins(plugin_manager())
        return Embedded.open(Workspace.load(self.folder), registry)

    def happen(self, *stimuli: Stimulus, until: datetime | str | None = None) -> None:
        """Let something happen, and time go on until an instant."""
        with self.embedded() as embedded:
            embedded.runtime.ingest(stimuli, now=None)
            if until is not None:
                at = instant(until) if isinstance(until, str) else until
                embedded.runtime.tick(to_ms(at), virtual=True)

    def customers(self, *ids: str) -> Sequence[Customer]:
        with self.embedded() as embedded:
            found = embedded.store.load(ids)
        return [found[id] for id in ids]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A workspace of which nothing is published yet."""
    return Shop(tmp_path / "shop")


@pytest.fixture
def published(shop: Shop) -> Shop:
    """The same, published."""
    assert shop("publish").exit_code == 0
    return shop

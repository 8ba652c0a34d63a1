"""`[watch]` in journeykit.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from journeykit import InvalidJourney
from journeykit.errors import InputError
from journeykit.model.watching import FIGURES, Contact, WatchRule, watching_of
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of

JOURNEY = """
from journeykit import Journey, Send, on

cart = Journey(
    id="cart", trigger=on("cart.updated"), steps=[Send("email", "left")]
)
"""


def test_without_a_word_everything_is_looked_at_and_nobody_told() -> None:
    settings = watching_of({})

    assert settings.rule == WatchRule(figures=FIGURES)
    assert settings.contacts == frozenset()
    assert settings.at_minute is None


def test_a_journey_has_what_it_does_not_say_from_all() -> None:
    settings = watching_of(
        {
            "sensitivity": "low",
            "tell": ["email:ops@example.com", "slack:#ops"],
            "at": "06:30",
            "journeys": {"cart": {"pause": ["failures"], "sensitivity": "high"}},
        }
    )

    cart, other = settings.of("cart"), settings.of("welcome")
    assert (cart.sensitivity, other.sensitivity) == ("high", "low")
    assert cart.tell == other.tell
    assert cart.tell == (Contact("email", "ops@example.com"), Contact("slack", "#ops"))
    assert (cart.pause, other.pause) == (("failures",), ())
    assert settings.at_minute == 390


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({"sensitiv": "low"}, "watch.sensitiv"),
        ({"sensitivity": "very"}, "watch.sensitivity"),
        ({"tell": "email:a"}, "watch.tell"),
        ({"tell": ["ops@example.com"]}, "watch.tell"),
        ({"tell": ["Email:a"]}, "watch.tell"),
        ({"tell": ["email:a"] * 51}, "watch.tell"),
        ({"figures": ["entry"]}, "watch.figures"),
        ({"figures": [["entries"]]}, "watch.figures"),
        ({"pause": ["silence"]}, "watch.pause"),
        ({"figures": ["entries"], "pause": ["failures"]}, "watch.pause"),
        (
            {"pause": ["failures"], "journeys": {"cart": {"figures": ["entries"]}}},
            "watch.journeys.cart.figures",
        ),
        ({"at": "6:00"}, "watch.at"),
        ({"at": "24:00"}, "watch.at"),
        ({"journeys": ["cart"]}, "watch.journeys"),
        ({"journeys": {"A b": {}}}, "watch.journeys.A b"),
        ({"journeys": {"cart": 3}}, "watch.journeys.cart"),
        ({"journeys": {"cart": {"at": "06:00"}}}, "watch.journeys.cart.at"),
    ],
)
def test_what_it_cannot_say_is_refused_with_its_place(
    table: dict[str, Any], place: str
) -> None:
    with pytest.raises(InputError) as refused:
        watching_of(table)

    assert refused.value.place == place


def workspace(folder: Path, settings: str) -> Workspace:
    (folder / "journeys").mkdir()
    (folder / "journeys" / "cart.py").write_text(JOURNEY, "utf-8")
    (folder / "journeykit.toml").write_text(settings, "utf-8")
    return Workspace.load(folder)


REGISTRY = Registry.from_plugins(plugin_manager())


def test_a_bundle_takes_it_along(tmp_path: Path) -> None:
    loaded = workspace(
        tmp_path,
        'channels = {email = "file", ops = "console"}\n[watch]\ntell = ["ops:me"]\n',
    )

    manifest = manifest_of(loaded, REGISTRY)
    manifest.write(tmp_path / "manifest.json")

    assert type(manifest).read(tmp_path / "manifest.json").watch == loaded.watch
    assert manifest.channels["ops"] == "console"


def test_a_wrong_word_is_said_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidJourney, match=r"journeykit\.toml:2: watch\.at: is a"):
        workspace(tmp_path, '[watch]\nat = "noon"\n')


def test_a_channel_that_nobody_carries_is_an_error_of_check(tmp_path: Path) -> None:
    loaded = workspace(
        tmp_path,
        'channels = {email = "file"}\n[watch]\ntell = ["pigeon:ops"]\n',
    )

    errors = [one.message for one in loaded.check(REGISTRY) if one.level == "error"]

    assert len(errors) == 1
    assert errors[0].startswith("watch.tell: no installed plugin provides channel")


def test_a_rule_for_no_journey_is_an_error_of_check(tmp_path: Path) -> None:
    loaded = workspace(
        tmp_path,
        'channels = {email = "file"}\n[watch.journeys.card]\npause = ["failures"]\n',
    )

    [error] = [one for one in loaded.check(REGISTRY) if one.level == "error"]

    assert error.message == (
        "watch.journeys.card: there is no journey 'card'; did you mean 'cart'?"
    )

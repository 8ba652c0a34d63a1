"""`journeykit score`: models of plugins are asked about the customers of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cli.conftest import Shop

from journeykit.cli import operating
from journeykit.hookspecs import hookimpl
from journeykit.plugins import PluginManager, plugin_manager
from journeykit.scoring import Features, Score
from journeykit.testing import make_event

NOON = "2026-06-01T12:00:00Z"


class Visits(Score):
    """Says how much of a profile is known."""

    name = "known"

    def score(self, features: Features) -> float | str | None:
        return float(len(features.profile)) or None


class Fails(Score):
    name = "fails"

    def score(self, features: Features) -> float:
        raise ValueError("secret")


class Plugin:
    @hookimpl
    def journeykit_scores(self) -> Iterator[Score]:
        yield Visits()
        yield Fails()


@pytest.fixture
def scored(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A workspace that names a score, and two customers of whom one is known."""

    def manager() -> PluginManager:
        found = plugin_manager()
        found.register(Plugin(), "models")
        return found

    monkeypatch.setattr(operating, "plugin_manager", manager)
    settings = (shop.folder / "journeykit.toml").read_text()
    assert shop("publish").exit_code == 0
    shop.happen(
        make_event("profile.updated", "ada", at=NOON, plan="pro", city="Ulm"),
        make_event("cart.updated", "bob", at=NOON),
    )
    shop.write("journeykit.toml", f'{settings}\n[scores]\nrun = ["known"]\n')
    return shop


def test_everybody_is_scored_and_what_changed_is_counted(scored: Shop) -> None:
    first = scored("score")
    again = scored("score")

    assert first.output == "2 customers scored; 1 score was new or had changed\n"
    assert again.output == "2 customers scored; 0 scores were new or had changed\n"


def test_one_customer_is_looked_at_and_nothing_is_reported(scored: Shop) -> None:
    looked = scored("score", "--customer", "ada")

    assert looked.output == "known: 2 (not known yet)\n"
    scored("score")
    assert scored("score", "--customer", "ada").output == "known: 2 (known: 2)\n"
    assert scored("score", "--customer", "bob").output == (
        "known: nothing (not known yet)\n"
    )


def test_a_model_that_fails_is_named(scored: Shop) -> None:
    settings = (scored.folder / "journeykit.toml").read_text()
    scored.write("journeykit.toml", settings.replace('"known"', '"known", "fails"'))

    done = scored("score")

    assert done.exit_code == 0
    assert "fails failed for 2" in done.output
    assert "secret" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--score", "knwon"], "did you mean 'known'"),
        (["--customer", "nobody"], "nobody knows a customer 'nobody'"),
    ],
    ids=["unknown score", "unknown customer"],
)
def test_what_nobody_knows_is_said(
    scored: Shop, arguments: list[str], said: str
) -> None:
    done = scored("score", *arguments)

    assert done.exit_code == 1
    assert said in done.output


def test_without_scores_it_is_said_what_to_write(
    scored: Shop,
) -> None:
    text = (scored.folder / "journeykit.toml").read_text().partition("[scores]")[0]
    scored.write("journeykit.toml", text)

    done = scored("score")

    assert done.exit_code == 1
    assert 'write [scores] with run = ["…"]' in done.output


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('run = "known"', "scores.run: is a list of names"),
        ('run = ["nobody"]', "scores.run: there is no score 'nobody'"),
        ("often = 1", "scores.often: is not a key"),
        ('every = "1 month"', "scores.every"),
        ('every = "1s"', "is not from 1m to 366d"),
    ],
    ids=["no list", "unknown", "no key", "month", "second"],
)
def test_what_is_wrong_with_the_table_is_said_with_its_line(
    scored: Shop, table: str, said: str
) -> None:
    text = (scored.folder / "journeykit.toml").read_text().partition("[scores]")[0]
    scored.write("journeykit.toml", f"{text}[scores]\n{table}\n")

    done: Any = scored("score")

    assert done.exit_code == 1
    assert said in done.output
    assert "journeykit.toml:" in done.output

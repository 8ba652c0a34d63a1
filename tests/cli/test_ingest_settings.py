"""`[ingest]` in journeykit.toml: schemas that are enforced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.conftest import SETTINGS, Shop

SCHEMAS = """
from pydantic import BaseModel

class Cart(BaseModel):
    total: float

class Profile(BaseModel):
    email: str
    plan: str

events = {"cart.updated": Cart}
profile = Profile
"""


@pytest.fixture
def strict(shop: Shop) -> Shop:
    shop.write("journeykit.toml", SETTINGS + '[ingest]\nschemas = "enforce"\n')
    shop.write("schemas.py", SCHEMAS)
    return shop


def run(shop: Shop, *events: tuple[str, dict[str, Any]]) -> str:
    lines = [
        json.dumps(
            {
                "id": f"{place}",
                "name": name,
                "customer": f"c{place}",
                "occurred_at": "2026-06-01T12:00:00Z",
                "properties": properties,
            }
        )
        for place, (name, properties) in enumerate(events)
    ]
    shop.write("events.jsonl", "\n".join(lines) + "\n")
    result = shop("run", "--events", str(shop.folder / "events.jsonl"))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_event_that_is_not_as_declared_is_a_dead_letter(strict: Shop) -> None:
    told = run(
        strict,
        ("cart.updated", {"total": "much"}),
        ("cart.updated", {"total": 7, "more": 1}),
        ("profile.updated", {"plan": 3}),
        ("review.posted", {"stars": 3}),
        ("page.viewed", {"anything": "goes"}),
    )

    assert "3 could not be handled" in told
    letters = strict("dead-letters", "list").output
    assert "not what the schema says: total: needs a number" in letters
    assert "plan: needs text, is a number" in letters
    assert "rating: is missing" in letters
    with strict.embedded() as embedded:
        assert list(embedded.store.load(["c0", "c1"])) == ["c1"]


def test_an_event_that_a_schema_cannot_be_asked_about_takes_nobody_with_it(
    strict: Shop,
) -> None:
    field = "pydantic.Field(multiple_of=0.01, json_schema_extra={'minimum': '5'})"
    schemas = SCHEMAS.replace("float", f"float = {field}")
    strict.write("schemas.py", f"import pydantic\n{schemas}")

    told = run(
        strict,
        ("cart.updated", {"total": 1e308}),
        ("profile.updated", {"plan": "pro"}),
    )

    assert "1 could not be handled" in told
    letter = strict("dead-letters", "show", "1").output
    assert "what the schema says: it can't be checked (TypeError)" in letter
    with strict.embedded() as embedded:
        assert list(embedded.store.load(["c0", "c1"])) == ["c1"]


def test_what_is_dead_is_handled_when_the_schema_has_changed(strict: Shop) -> None:
    run(strict, ("cart.updated", {"total": "much"}))
    strict.write("schemas.py", SCHEMAS.replace("total: float", "total: str"))

    assert "schemas" in strict("publish").output
    redriven = strict("dead-letters", "redrive", "--all")

    assert redriven.exit_code == 0, redriven.output
    with strict.embedded() as embedded:
        assert embedded.runtime.drain(None) == 1
        assert list(embedded.store.load(["c0"])) == ["c0"]


def test_without_being_enforced_schemas_hold_nothing_back(shop: Shop) -> None:
    shop.write("schemas.py", SCHEMAS)

    assert "could not be handled" not in run(shop, ("cart.updated", {"total": "much"}))


def test_the_schemas_are_part_of_what_is_published(strict: Shop) -> None:
    strict("publish")

    with strict.embedded() as embedded:
        document = embedded.store.current()
        assert document is not None
        assert set(document.schemas) == {
            "cart.updated",
            "profile.updated",
            "review.posted",
            "survey.answered",
            "ticket.opened",
            "ticket.closed",
        }
        assert not embedded.differs()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('schemas = "strict"', 'is "ignore" or "enforce"'),
        ("schema = true", "ingest.schema: is not a key"),
        ("sources = [1]", "is a list of names"),
    ],
)
def test_what_ingest_cannot_be_is_said(shop: Shop, text: str, said: str) -> None:
    shop.write("journeykit.toml", f"{SETTINGS}[ingest]\n{text}\n")

    result = shop("check")

    assert result.exit_code == 1
    assert said in result.output

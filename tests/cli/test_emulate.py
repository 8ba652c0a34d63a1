"""`journeykit emulate`: a file of events through the cloud path, which is not there."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result
from tests.cli.conftest import Shop

from journeykit.cli import group


def emulate(shop: Shop, lines: Sequence[dict[str, object]], *more: str) -> Result:
    path = shop.folder / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    command = ["emulate", str(shop.folder), "--events", str(path), *more]
    return CliRunner().invoke(group, command)


def updated(id: str, customer: str, at: str) -> dict[str, object]:
    return {"id": id, "name": "cart.updated", "customer": customer, "occurred_at": at}


def test_it_tells_what_became_of_everybody_and_what_aws_was_asked(shop: Shop) -> None:
    lines = [
        updated("1", "ada", "2026-06-01T12:00:00Z"),
        updated("2", "ben", "2026-06-01T13:30:00Z"),
        updated("3", "cyd", "2026-06-03T12:00:00Z"),
    ]

    result = emulate(shop, lines, "--until", "2026-06-01T14:00:00Z")

    assert result.exit_code == 0, result.output
    assert "until 2026-06-01 14:00 UTC" in result.output
    assert "cart           2         0        1          1" in result.output
    assert "1  email  reminder" in result.output
    assert "2  eventbridge  PutEvents" in result.output
    assert "in all" in result.output


def test_what_could_not_be_handled_is_told(shop: Shop) -> None:
    too_much = {"n": "x" * 20_000}
    lines = [
        {**updated("1", "ada", "2026-06-01T12:00:00Z")},
        {
            **updated("2", "ada", "2026-06-01T12:00:00Z"),
            "name": "profile.updated",
            "properties": too_much,
        },
    ]

    result = emulate(shop, lines)

    assert result.exit_code == 0, result.output
    assert "1 dead in journeykit-dead-letters: " in result.output


def test_a_file_without_events_is_refused(shop: Shop) -> None:
    result = emulate(shop, [])

    assert result.exit_code == 1
    assert "there is no event in it" in result.output


def test_it_says_what_to_install(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith("journeykit.testing.aws")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "moto", None)

    result = emulate(shop, [updated("1", "ada", "2026-06-01T12:00:00Z")])

    assert result.exit_code == 1
    assert "pip install 'journeykit[emulate]'" in result.output


def test_a_file_of_which_no_line_can_be_read_says_why(shop: Shop) -> None:
    result = emulate(shop, [{"id": "1"}, {"id": "2"}])

    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "its 2 lines can't be read; the first: " in said
    assert "events.jsonl:1: " in said


def test_a_wrong_provider_is_named_with_its_place(shop: Shop) -> None:
    shop.write("journeykit.toml", '[channels]\nemail = "nobody"\n')

    result = emulate(shop, [updated("1", "ada", "2026-06-01T12:00:00Z")])

    assert result.exit_code == 1
    assert "journeykit.toml:2: channels.email: no installed plugin" in result.output


def test_customers_may_be_known_beforehand(shop: Shop) -> None:
    shop.write("journeys/cart.py", PREFERS)
    known = shop.folder / "profiles.jsonl"
    known.write_text('{"id": "ada", "prefers": "sms"}\n', "utf-8")
    lines = [
        updated("1", "ada", "2026-06-01T12:00:00Z"),
        updated("2", "ben", "2026-06-01T13:00:00Z"),
    ]

    result = emulate(shop, lines, "--profiles", str(known))

    assert result.exit_code == 0, result.output
    assert "1  email  as-preferred" in result.output
    assert "1  email  as-ever" in result.output


PREFERS = """\
from journeykit import Branch, Journey, Send, When, on, profile

cart = Journey(
    "cart",
    trigger=on("cart.updated"),
    purpose="transactional",
    zone="America/New_York",
    steps=[
        Branch(
            [When(profile.prefers == "sms", [Send("email", "as-preferred")])],
            otherwise=[Send("email", "as-ever")],
        )
    ],
)
"""

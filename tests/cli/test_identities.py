"""`journeykit identities`: who is who, and that two are one person."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group
from journeykit.engine.calendar import to_datetime
from journeykit.engine.ids import identity_key
from journeykit.local.embedded import Embedded
from journeykit.model.events import PROFILE_UPDATED, Event
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

NOW = 1_780_000_000_000


def run(*words: str) -> Result:
    return CliRunner().invoke(group, ["identities", *words])


def said(id: str, customer: str, **identifiers: str) -> Event:
    at = to_datetime(NOW)
    return Event(
        id=id,
        name=PROFILE_UPDATED,
        customer=customer,
        occurred_at=at,
        received_at=at,
        properties={"seen": id},
        identifiers=identifiers,
    )


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A workspace in which Ada and Bob were named by one mailbox."""
    (tmp_path / "journeykit.toml").write_text(
        'name = "Shop"\n[identity]\nkinds = ["email", "anonymous"]\n'
    )
    workspace = Workspace.load(tmp_path)
    registry = Registry.from_plugins(plugin_manager())
    with Embedded.open(workspace, registry) as embedded:
        embedded.publish(now=NOW)
        events = [
            said("1", "ada", email="Us@Example.com", anonymous="a-1"),
            said("2", "bob", email="us@example.com"),
        ]
        embedded.runtime.ingest(events, now=NOW)
    return str(tmp_path)


def test_it_says_whose_an_identifier_is(shop: str) -> None:
    assert run("who", "email:US@example.com", shop).output == "ada\n"


def test_an_identifier_of_nobody_is_an_error(shop: str) -> None:
    result = run("who", "email:no@example.com", shop)

    assert result.exit_code == 1
    assert "nobody has 'email:no@example.com'" in result.output


@pytest.mark.parametrize("text", ["ada", ":x", "email:"])
def test_what_is_no_identifier_is_an_error(shop: str, text: str) -> None:
    result = run("who", text, shop)

    assert result.exit_code == 1
    assert "write a kind and a value" in result.output


def test_conflicts_are_listed_until_they_are_settled(shop: str) -> None:
    key = identity_key("email", "us@example.com")

    listed = run("conflicts", shop).output
    settled = run("settle", key, "bob", shop)

    assert [word for word in ("email", "ada", "bob", key) if word not in listed] == []
    assert "us@example.com" not in listed.lower()
    assert settled.exit_code == 0
    assert run("conflicts", shop).output == "no identifier is of two who are known\n"


def test_two_are_merged_when_somebody_says_so(shop: str) -> None:
    result = run("merge", "bob", "ada", shop, "--yes")

    assert result.output == "bob is part of ada, who is in 0 runs\n"
    told = CliRunner().invoke(group, ["customer", "bob", shop]).output
    assert "is part of ada" in told
    assert "took in" in CliRunner().invoke(group, ["customer", "ada", shop]).output


def test_nothing_is_merged_without_a_yes(shop: str) -> None:
    result = CliRunner().invoke(
        group, ["identities", "merge", "bob", "ada", shop], input="n\n"
    )

    assert result.exit_code != 0
    assert (
        "is part of" not in CliRunner().invoke(group, ["customer", "bob", shop]).output
    )


@pytest.mark.parametrize(
    ("customer", "into", "why"),
    [
        ("ada", "ada", "part of themselves"),
        ("zoe", "ada", "there is no customer 'zoe'"),
        ("ada", "zoe", "there is no customer 'zoe'"),
    ],
)
def test_a_merge_that_can_t_be_is_refused(
    shop: str, customer: str, into: str, why: str
) -> None:
    result = run("merge", customer, into, shop, "--yes")

    assert result.exit_code == 1
    assert why in result.output


def test_who_was_merged_is_not_merged_again(shop: str) -> None:
    run("merge", "bob", "ada", shop, "--yes")

    result = run("merge", "bob", "ada", shop, "--yes")

    assert "'bob' was merged into 'ada' already" in result.output


def test_a_conflict_that_there_is_not_cannot_be_settled(shop: str) -> None:
    key = identity_key("email", "us@example.com")

    unknown = run("settle", "nope", "zoe", shop)
    holder = run("settle", key, "ada", shop)

    assert [unknown.exit_code, holder.exit_code] == [1, 1]
    assert "isn't on the list by the key 'nope'" in " ".join(unknown.output.split())
    assert "journeykit identities conflicts" in " ".join(holder.output.split())
    assert key in run("conflicts", shop).output

"""`journeykit inbox-token`: what an app shows at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from journeykit.cli import group
from journeykit.credentials import Secret
from journeykit.links import Links

SECRET = "s3cret-of-the-shop-" + "x" * 32
SETTINGS = """\
name = "shop"

[links]
url = "https://post.example.com"
secret = "$SHOP_LINKS"
"""


def workspace(folder: Path, settings: str) -> Path:
    (folder / "journeykit.toml").write_text(settings, "utf-8")
    return folder


def test_the_token_is_for_the_customer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_LINKS", SECRET)
    folder = workspace(tmp_path, SETTINGS)

    result = CliRunner().invoke(group, ["inbox-token", "ada", str(folder)])

    links = Links("https://post.example.com", Secret(SECRET), workspace="shop")
    link = links.read(result.output.strip(), kind="inbox", now=datetime.now(UTC))
    assert link.customer == "ada"


@pytest.mark.parametrize(
    ("settings", "why"),
    [("", "there are no links"), (SETTINGS, "environment: SHOP_LINKS: is not set")],
)
def test_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, why: str
) -> None:
    monkeypatch.delenv("SHOP_LINKS", raising=False)

    result = CliRunner().invoke(
        group, ["inbox-token", "ada", str(workspace(tmp_path, settings))]
    )

    assert result.exit_code == 1
    assert why in result.output

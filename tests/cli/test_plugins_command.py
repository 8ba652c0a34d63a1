import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from journeykit.cli.plugins import command
from journeykit.plugins import BUILT_IN

DATA = Path(__file__).parents[1] / "plugins" / "data"


@pytest.fixture(autouse=True)
def _only_shout_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DATA / "shout")
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "shout")


def test_plugins_are_listed_in_columns() -> None:
    lines = CliRunner().invoke(command).stdout.splitlines()

    header, *_, shout = lines
    assert header.split() == ["name", "version", "distribution", "hooks", "contributes"]
    assert shout.split() == [
        *["shout", "1.2", "journeykit-shout"],
        *["actions,", "after_delivery,", "after_reaction,", "channels,", "cli,"],
        *["guards,", "scores,", "sources,", "template_engines"],
        *["channel", "shout", "via", "shout,", "action", "cheer,"],
        *["guard", "whisper,", "template", "engine", "upper,", "command", "hello,"],
        *["score", "loudness,", "source", "shouts"],
    ]


def test_the_columns_stand_below_each_other() -> None:
    header, *rows = CliRunner().invoke(command).stdout.splitlines()

    start = header.index("distribution")
    assert [row[start:].split()[0] for row in rows] == [
        *["journeykit"] * len(BUILT_IN),
        "journeykit-shout",
    ]
    assert all(row[start - 1] == " " for row in rows)


def test_plugins_are_listed_as_json() -> None:
    result = CliRunner().invoke(command, ["--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout)[-1] == {
        "name": "shout",
        "value": "journeykit_shout",
        "version": "1.2",
        "distribution": "journeykit-shout",
        "hooks": [
            "journeykit_actions",
            "journeykit_after_delivery",
            "journeykit_after_reaction",
            "journeykit_channels",
            "journeykit_cli",
            "journeykit_guards",
            "journeykit_scores",
            "journeykit_sources",
            "journeykit_template_engines",
        ],
        "contributes": [
            "channel shout via shout",
            "action cheer",
            "guard whisper",
            "template engine upper",
            "command hello",
            "score loudness",
            "source shouts",
        ],
    }

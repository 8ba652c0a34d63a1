"""`journeykit init` writes a workspace that is right, and runs at once."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group
from journeykit.local.embedded import DATA
from journeykit.model.events import decode_event
from journeykit.testing import Simulator
from journeykit.workspace import Workspace


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")


def journeykit(*args: str) -> Result:
    return CliRunner().invoke(group, args)


def files(folder: str) -> set[str]:
    root = Path(folder)
    return {
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    }


def test_the_commands_to_try_can_be_copied_whatever_the_folder_is_called() -> None:
    done = journeykit("init", "wörk späce")

    assert "  journeykit check 'wörk späce'\n" in done.stdout
    assert "--events 'wörk späce/events.jsonl'" in done.stdout
    assert "  pytest 'wörk späce'\n" in done.stdout


def test_a_workspace_has_everything_that_an_author_starts_with() -> None:
    done = journeykit("init", "shop")

    assert done.exit_code == 0, done.output
    assert files("shop") == {
        ".gitignore",
        "README.md",
        "events.jsonl",
        "journeykit.toml",
        "journeys/abandoned_cart.py",
        "journeys/welcome.yaml",
        "objectives.yaml",
        "policies.yaml",
        "profiles.jsonl",
        "templates/cart-last-call.txt",
        "templates/cart-nudge.txt",
        "templates/cart-reminder.txt",
        "templates/first-steps.txt",
        "templates/welcome.txt",
        "tests/test_abandoned_cart.py",
        "touchpoints.yaml",
    }
    assert "journeykit check shop" in done.output
    assert "decide what `consent` in shop/policies.yaml says" in done.output


def test_it_is_right_as_it_stands() -> None:
    journeykit("init", "shop")

    done = journeykit("check", "shop", "--strict")

    assert done.exit_code == 0
    assert done.stdout == "no issues; 2 journeys\n"


def test_its_templates_are_those_that_its_journeys_send() -> None:
    journeykit("init", "shop")

    shop = Workspace.load("shop")

    sent = {
        s.template for j in shop.journeys for s in j.walk() if hasattr(s, "template")
    }
    assert sent == shop.templates


def test_its_events_tell_three_stories() -> None:
    journeykit("init", "shop")
    shop = Workspace.load("shop")
    lines = Path("shop/events.jsonl").read_bytes().splitlines()
    events = [decode_event(line) for line in lines]

    simulator = Simulator(
        shop.journeys, start=events[0].occurred_at, policies=shop.policies
    )
    simulator.run(events)
    simulator.play_out()

    simulator.assert_sent("ada", "cart-reminder")
    simulator.assert_exited("ben", reason="goal_reached")
    simulator.assert_sent("cleo", "first-steps")


def test_its_test_passes() -> None:
    journeykit("init", "shop")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "shop"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["shop", 'a "b" é'])
def test_it_is_named_like_its_folder(name: str) -> None:
    journeykit("init", name)

    settings = tomllib.loads(Path(name, "journeykit.toml").read_text("utf-8"))
    assert settings["name"] == name
    assert Path(name, "README.md").read_text("utf-8").startswith(f"# {name}\n")


def test_an_empty_one_has_only_what_is_needed() -> None:
    done = journeykit("init", "shop", "--empty")

    assert done.exit_code == 0
    assert files("shop") == {".gitignore", "journeykit.toml", "policies.yaml"}
    assert Path("shop/journeys").is_dir()
    assert journeykit("check", "shop").exit_code == 0


@pytest.mark.parametrize("options", [(), ("--empty",)])
def test_what_runs_there_stays_out_of_version_control(options: tuple[str, ...]) -> None:
    journeykit("init", "shop", *options)

    assert f"{DATA}/" in Path("shop/.gitignore").read_text("utf-8").splitlines()


def test_nothing_is_ever_overwritten() -> None:
    Path("shop").mkdir()
    Path("shop/mine.txt").write_text("mine")

    done = journeykit("init", "shop")

    assert done.exit_code == 1
    assert "shop: is not empty; name a new folder" in done.stderr
    assert files("shop") == {"mine.txt"}


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name() -> None:
    Path("file").write_text("")

    done = journeykit("init", "file/shop")

    assert done.exit_code == 1
    assert "can't be written" in done.stderr

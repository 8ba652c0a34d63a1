"""`journeykit init` writes a workspace that is right, and runs at once."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from journeykit.builtin.jinja import JinjaEngine
from journeykit.channels import Message
from journeykit.cli import group
from journeykit.content.composer import Composer
from journeykit.credentials import Secret
from journeykit.links import Links
from journeykit.local.embedded import DATA
from journeykit.media.email import email_of
from journeykit.media.push import push_of
from journeykit.media.sms import sms_of
from journeykit.model.formats import decode_event
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
        "templates/_footer.html",
        "templates/_layout.email.html",
        "templates/brand.toml",
        "templates/cart-last-call.email.html",
        "templates/cart-last-call.push.json",
        "templates/cart-nudge.sms.txt",
        "templates/cart-reminder.email.html",
        "templates/first-steps.email.html",
        "templates/welcome.email.html",
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


@pytest.mark.parametrize("options", [(), ("--empty",)], ids=["whole", "empty"])
def test_its_settings_say_how_people_can_unsubscribe(options: tuple[str, ...]) -> None:
    journeykit("init", "shop", *options)
    settings = Path("shop/journeykit.toml")
    text = settings.read_text("utf-8")

    _, block = text.split("# [links]\n")
    settings.write_text(
        text
        + "\n[links]\n"
        + "\n".join(re.findall("^# (.+ = .+)$", block, re.MULTILINE)),
        "utf-8",
    )

    assert Workspace.load("shop").links.url == "https://post.example.com"


def test_a_preview_has_no_warning_once_those_lines_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JOURNEYKIT_LINK_SECRET", "x" * 40)
    journeykit("init", "shop")
    warned = journeykit("preview", "welcome", "--workspace", "shop", "--out", "before")
    settings = Path("shop/journeykit.toml")
    text = settings.read_text("utf-8")
    for line in ("[links]", "url = ", "secret = "):
        text = text.replace(f"# {line}", line)
    settings.write_text(text, "utf-8")

    done = journeykit("preview", "welcome", "--workspace", "shop", "--out", "after")

    assert "no way to unsubscribe" in warned.output
    assert done.exit_code == 0, done.output
    assert "no way to unsubscribe" not in done.output


def test_its_templates_are_those_that_its_journeys_send() -> None:
    journeykit("init", "shop")

    shop = Workspace.load("shop")

    sent = {
        s.template for j in shop.journeys for s in j.walk() if hasattr(s, "template")
    }
    assert sent == shop.templates


@pytest.mark.parametrize(
    "links",
    [None, Links("https://l.example.com", Secret("x" * 40))],
    ids=["without-links", "with-links"],
)
def test_its_templates_make_messages(links: Links | None) -> None:
    journeykit("init", "shop")
    shop = Workspace.load("shop")
    composer = Composer(shop.all_templates, {"jinja": JinjaEngine()}, links)
    made: dict[str, Any] = {}

    for name, variants in shop.all_templates().templates().items():
        for medium in {variant.medium for variant in variants}:
            message = Message(
                delivery_id="d" * 32,
                customer="ada",
                channel=medium,
                address="ada@example.com",
                template=name,
                variables={"name": "Ada", "total": 120},
                at=datetime(2026, 3, 2, 9, tzinfo=UTC),
                journey="welcome",
                step="send",
                purpose="marketing",
            )
            content = composer.compose(message, medium)
            medium_of = {"email": email_of, "sms": sms_of, "push": push_of}[medium]
            made[f"{name}.{medium}"] = medium_of(replace(message, content=content))

    assert made["cart-reminder.email"].subject == "Your cart is still here"
    assert "€120.00" in made["cart-reminder.email"].html
    assert ("Unsubscribe" in made["welcome.email"].html) is (links is not None)
    assert made["cart-nudge.sms"].segments == 1
    assert made["cart-last-call.push"].title == "Last call for your cart"
    warned = [name for name, each in made.items() if each.warnings]
    assert links is None or warned == []


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

"""`journeykit build`: says what it found, what it built, and what comes next."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from journeykit.aws.bundle import Bundle
from journeykit.aws.installing import Target
from journeykit.aws.templates import templates_folder
from journeykit.cli import build as module, group
from journeykit.manifest import Manifest
from journeykit.testing import RecordingChannel


class Builder:
    """Takes down what it is asked to build."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *given: Any, **named: Any) -> Bundle:
        self.asked.append((given, named))
        sizes = {"botocore": 5_000_000, "journeykit": 2_000_000, "six": 40_000}
        size = 7_040_000
        more = 60_000_000 if named["objectives"] else 0
        notes = ["the sky is blue"]
        return Bundle(
            *(given[2], given[1], sizes, size, 3_000_000, notes),
            watch_size=size + more,
            watch_zipped=3_000_000 + more // 3,
        )


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    """What builds, replaced: the bundle itself has tests of its own."""
    builder = Builder()
    monkeypatch.setattr(module, "build", builder)
    return builder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "journeykit.toml").write_text('name = "Shop"\n', "utf-8")
    return folder


def built(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["build", *map(str, arguments)])


def test_a_workspace_is_built_and_its_size_told(builder: Builder, shop: Path) -> None:
    result = built(shop, "--out", shop / "out")

    assert result.exit_code == 0, result.output
    *sizes, last = result.stdout.splitlines()
    assert sizes == [
        "   4.8 MB  botocore",
        "   1.9 MB  journeykit",
        "   0.0 MB  1 smaller ones",
        "   6.7 MB  in total; 2.9 MB zipped",
    ]
    out = shop / "out"
    assert last == (
        f"{out} is ready; next: journeykit deploy --stack NAME --build {out}"
    )
    assert "note: the sky is blue" in result.stderr
    [(given, named)] = builder.asked
    assert (given[0], given[2]) == (shop, shop / "out")
    assert isinstance(given[1], Manifest)
    assert given[1].workspace == "Shop"
    assert named == {
        "target": Target("arm64", "3.13"),
        "requirements": None,
        "from_environment": False,
        "services": (),
        "include": (),
        "objectives": b"",
    }


def test_it_is_built_as_one_asks(builder: Builder, shop: Path) -> None:
    requirements = shop / "more.txt"
    requirements.touch()

    result = built(
        *(shop, "--requirements", requirements, "--architecture", "x86_64"),
        *("--python-version", "3.14", "--service", "polly", "--include", "seeds"),
        "--from-environment",
    )

    assert result.exit_code == 0, result.output
    [(_, named)] = builder.asked
    assert named == {
        "target": Target("x86_64", "3.14"),
        "requirements": requirements,
        "from_environment": True,
        "services": ("polly",),
        "include": (Path("seeds"),),
        "objectives": b"",
    }


def test_objectives_go_along_and_what_they_cost_is_told(
    builder: Builder, shop: Path
) -> None:
    (shop / "objectives.py").write_text(
        "from datetime import date\n"
        "from journeykit import Objective, Occurrences\n"
        "o = Objective('orders', 'all orders', 9, date(2027, 1, 31),"
        " measure=Occurrences('order.placed'))\n",
        "utf-8",
    )

    result = built(shop)

    [(_, named)] = builder.asked
    [objective] = json.loads(named["objectives"])["objectives"]
    assert (objective["id"], objective["by"]) == ("orders", "2027-01-31")
    assert (
        "  57.2 MB  more for the watch alone, which looks at objectives; 21.9 MB zipped"
        in result.stdout.splitlines()
    )


def test_an_error_of_the_workspace_keeps_it_from_being_built(
    builder: Builder, shop: Path
) -> None:
    (shop / "journeykit.toml").write_text('[channels]\nemail = "nobody"\n', "utf-8")

    result = built(shop)

    assert result.exit_code == 1
    assert "nothing was built, because of" in result.stderr
    assert "channels.email: no installed plugin provides" in result.stderr
    assert builder.asked == []


def test_a_warning_is_said_and_nothing_more(builder: Builder, shop: Path) -> None:
    result = built(shop)

    assert result.exit_code == 0
    assert "there is no folder journeys/" in result.stderr
    assert len(builder.asked) == 1


def test_channels_that_are_not_deployed_by_default_are_named(
    builder: Builder, shop: Path
) -> None:
    (shop / "journeykit.toml").write_text(
        '[channels]\nemail = "console"\nsms = "console"\npush = "console"\n', "utf-8"
    )

    result = built(shop)

    said = " ".join(result.stderr.split())
    assert (
        "deploy with --parameter PushConcurrency=2 --parameter SmsConcurrency=2" in said
    )
    assert "EmailConcurrency" not in said


def test_a_python_that_the_functions_do_not_have_is_refused(
    builder: Builder, shop: Path
) -> None:
    result = built(shop, "--python-version", "3.11")

    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "its functions have Python 3.13, and not 3.11" in said
    assert builder.asked == []


def test_templates_of_the_workspace_that_are_not_whole_are_said_to_be_so(
    builder: Builder, shop: Path
) -> None:
    (shop / "infra").mkdir()
    template = (templates_folder() / "template.yaml").read_bytes()
    (shop / "infra" / "template.yaml").write_bytes(template)

    result = built(shop)

    said = " ".join(result.stderr.split())
    for part in ("channel.yaml", "observe.yaml", "samconfig.toml"):
        assert f"{shop / 'infra'} has no {part}, which a deployment needs" in said


@pytest.mark.parametrize(
    ("name", "provider", "via", "said"),
    [
        ("email", "ses", "", "--parameter EmailProvider=ses"),
        ("sms", "sms-aws", "", "--parameter SmsProvider=sms-aws"),
        ("whatsapp", "whatsapp", "aws", "--parameter WhatsappProvider=whatsapp-aws"),
        ("whatsapp", "whatsapp", "meta", ""),
        ("email", "smtp", "", ""),
        ("webhook", "webhook", "", ""),
    ],
    ids=["ses", "sms-aws", "whatsapp-aws", "whatsapp-meta", "smtp", "webhook"],
)
def test_a_service_of_awss_is_said_with_its_parameter(
    name: str, provider: str, via: str, said: str
) -> None:
    channel = RecordingChannel(name)
    channel.provider = provider
    channel.settings = SimpleNamespace(via=via, sender="+15551234567")

    notes = " ".join(module._noted(templates_folder(), {name: channel}))

    assert ("service of AWS's" in notes) == bool(said)
    assert said in notes


@pytest.mark.parametrize("sender", [None, "+15551234567"])
def test_a_stack_lets_aws_choose_no_sender_and_says_so(sender: str | None) -> None:
    channel = RecordingChannel("sms")
    channel.provider = "sms-aws"
    channel.settings = SimpleNamespace(sender=sender)

    notes = " ".join(module._noted(templates_folder(), {"sms": channel}))

    assert ("say who, as `sender`" in notes) == (sender is None)


@pytest.mark.parametrize(
    "name", ["inapp", "instagram", "messenger", "push", "slack", "whatsapp"]
)
def test_each_channel_of_our_plugins_is_deployed_by_a_parameter(name: str) -> None:
    notes = " ".join(module._noted(templates_folder(), {name: RecordingChannel(name)}))

    assert f"deploy with --parameter {name.title()}Concurrency=2" in notes

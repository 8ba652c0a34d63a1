"""`journeykit deploy`: prints the command lines, and runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.aws.templates import templates_folder
from journeykit.cli import group

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
exit "${STATUS:-0}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was built; nothing is installed."""
    built = tmp_path / "build"
    built.mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        (built / name).write_bytes((templates_folder() / name).read_bytes())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return built


def installed(folder: Path, *names: str) -> None:
    """Install programs that take down how they are called."""
    for name in names:
        path = folder.parent / "bin" / name
        path.write_text(PROGRAM.replace('$(basename "$0")', name), encoding="utf-8")
        path.chmod(0o755)


def calls(folder: Path) -> list[str]:
    path = folder.parent / "calls"
    return path.read_text("utf-8").splitlines() if path.exists() else []


def deployed(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        group, ["deploy", "--build", str(folder), "--stack", "shop", *arguments]
    )


pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="the programs are shell scripts"
)


def test_sam_deploys_with_the_settings_of_the_environment(folder: Path) -> None:
    installed(folder, "sam", "aws")

    result = deployed(folder, "--env", "prod", "--parameter", "SmsConcurrency=5")

    assert result.exit_code == 0, result.output
    [call] = calls(folder)
    assert call == (
        f"sam deploy --template-file {folder}/template.yaml --config-file "
        f"{folder}/samconfig.toml --config-env prod --stack-name shop "
        "--parameter-overrides Environment=prod "
        "SmsConcurrency=5"
    )
    assert call.partition(" ")[2] in result.stderr
    assert result.stdout == "next: journeykit publish --stack shop\n"


@pytest.mark.parametrize("programs", [["aws"], ["aws", "sam"]], ids=" ".join)
def test_aws_deploys_by_way_of_a_bucket(folder: Path, programs: list[str]) -> None:
    installed(folder, *programs)

    result = deployed(folder, "--bucket", "code")

    assert result.exit_code == 0, result.output
    package, deploy = calls(folder)
    packaged = f"{folder}/packaged.yaml"
    assert package == (
        f"aws cloudformation package --template-file {folder}/template.yaml "
        f"--s3-bucket code --s3-prefix shop --output-template-file {packaged}"
    )
    assert deploy.startswith(
        f"aws cloudformation deploy --template-file {packaged} --s3-bucket code "
        "--s3-prefix shop --stack-name shop --capabilities CAPABILITY_IAM "
        "CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset --parameter-overrides "
        "Environment=dev "
    )


def test_a_dry_run_only_prints_what_would_be_run(folder: Path) -> None:
    installed(folder, "sam")

    result = deployed(folder, "--dry-run")

    assert "sam deploy --template-file" in result.stderr
    assert calls(folder) == []


def test_a_failed_deployment_is_said_and_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(folder, "aws")
    monkeypatch.setenv("STATUS", "4")

    result = deployed(folder, "--bucket", "code")

    assert result.exit_code == 1
    assert "this failed with status 4, see above: " in result.stderr
    assert len(calls(folder)) == 1
    assert "next:" not in result.stdout


def test_something_must_be_installed_to_deploy_with(folder: Path) -> None:
    result = deployed(folder)

    assert result.exit_code == 1
    assert "neither `sam` nor `aws` is installed" in result.stderr


def test_aws_needs_a_bucket(folder: Path) -> None:
    installed(folder, "aws")

    result = deployed(folder)

    assert result.exit_code == 1
    assert "`aws` needs a bucket for the code: --bucket NAME" in result.stderr


def test_what_was_not_built_is_not_deployed(folder: Path) -> None:
    (folder / "template.yaml").unlink()

    result = deployed(folder)

    assert result.exit_code == 1
    assert "build first: journeykit build" in result.stderr


@pytest.mark.parametrize(
    "name", ["Shop", "1shop", "shop_x", "s" * 26, ""], ids=range(5)
)
def test_a_stack_has_a_name_of_which_others_can_be_made(
    folder: Path, name: str
) -> None:
    result = deployed(folder, "--stack", name)

    assert result.exit_code == 1
    assert "is no name: small letters, digits and -" in result.stderr


def test_settings_that_cannot_be_read_are_refused(folder: Path) -> None:
    installed(folder, "sam")
    (folder / "samconfig.toml").write_text("[prod]\n", "utf-8")

    result = deployed(folder)

    assert result.exit_code == 1
    assert "samconfig.toml: can't be read" in result.stderr


def test_settings_that_are_not_there_are_missed(folder: Path) -> None:
    installed(folder, "sam")
    (folder / "samconfig.toml").unlink()

    result = deployed(folder)

    assert result.exit_code == 1
    assert "samconfig.toml: can't be read: No such file" in result.stderr


def test_a_bucket_is_nothing_for_sam(folder: Path) -> None:
    installed(folder, "sam")

    result = deployed(folder, "--bucket", "code")

    assert result.exit_code == 1
    assert "`aws` isn't installed, which --bucket is for" in result.stderr


def test_a_dry_run_needs_nothing_to_deploy_with(folder: Path) -> None:
    result = deployed(folder, "--dry-run")

    assert result.exit_code == 0, result.output
    assert "sam deploy --template-file" in result.stderr


def test_a_dry_run_with_a_bucket_is_one_of_aws(folder: Path) -> None:
    result = deployed(folder, "--dry-run", "--bucket", "code")

    assert "aws cloudformation deploy" in result.stderr


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("SmsConcurrency", "write NAME=VALUE"),
        ("=2", "write NAME=VALUE"),
        ("SmsConcurency=2", "did you mean SmsConcurrency?"),
        ("Foo=1", "template.yaml has no parameter Foo; it has Environment, "),
        ("Globals=1", "template.yaml has no parameter Globals"),
        ("SmsConcurrency=1", "write 0 (not deployed), or 2 and more"),
        ("IngestConcurrency=1", "write 2 and more"),
    ],
)
def test_a_parameter_that_the_template_does_not_take_is_refused(
    folder: Path, parameter: str, reason: str
) -> None:
    installed(folder, "sam")

    result = deployed(folder, "--parameter", parameter)

    assert result.exit_code == 1
    assert reason in " ".join(result.stderr.split())
    assert calls(folder) == []


def test_aws_is_given_the_tags_of_the_settings(folder: Path) -> None:
    installed(folder, "aws")

    deployed(folder, "--bucket", "code")

    assert calls(folder)[1].endswith("--tags application=journeykit environment=dev")

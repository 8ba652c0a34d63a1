"""`journeykit deploy`: what was built becomes a stack, by `sam` or by `aws`."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from journeykit.aws.installing import run_plainly
from journeykit.aws.templates import TEMPLATE
from journeykit.cli.stack import check_name
from journeykit.errors import InputError


@click.command("deploy")
@click.option("--stack", required=True, metavar="NAME", help="The stack's name.")
@click.option(
    "--build",
    "built",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build"),
    show_default=True,
    help="What `journeykit build` wrote.",
)
@click.option(
    "--env",
    "environment",
    type=click.Choice(["dev", "prod"]),
    default="dev",
    show_default=True,
    help="Whose settings in samconfig.toml hold.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the template: SmsConcurrency=5.",
)
@click.option(
    "--bucket",
    metavar="NAME",
    help="Deploy with `aws`, the code by way of this bucket.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be run.")
def command(
    *,
    stack: str,
    built: Path,
    environment: str,
    parameters: tuple[str, ...],
    bucket: str | None,
    dry_run: bool,
) -> None:
    """Make or update a stack in the AWS account whose credentials are there.

    It runs `sam deploy` if sam is installed, else `aws cloudformation`, and prints the
    command lines, so that you can run them yourself. What is published stays as it is.
    """
    check_name(stack)
    if not (built / TEMPLATE).is_file():
        raise InputError(
            "has no template.yaml; build first: journeykit build", place=str(built)
        )
    _check(parameters, (built / TEMPLATE).read_text("utf-8"))
    for line in _command_lines(
        stack, built, environment, parameters, bucket, dry_run=dry_run
    ):
        click.echo(shlex.join(line), err=True)
        if not dry_run:
            run_plainly(line)
    click.echo(f"next: journeykit publish --stack {stack}")


def _command_lines(
    stack: str,
    built: Path,
    environment: str,
    parameters: Sequence[str],
    bucket: str | None,
    *,
    dry_run: bool,
) -> Iterator[Sequence[str]]:
    """What is to be run, one after the other.

    Raises:
        InputError: There is nothing to run it with, which a dry run doesn't mind.
    """
    settings = _settings(built, environment)
    overrides = [*settings["parameter_overrides"], *parameters]
    sam, aws = shutil.which("sam"), shutil.which("aws")
    if dry_run:  # it may be run elsewhere
        sam, aws = sam or "sam", aws or "aws"
    if sam is not None and bucket is None:
        yield [
            *(sam, "deploy", "--template-file", str(built / TEMPLATE)),
            *("--config-file", str((built / "samconfig.toml").resolve())),
            *("--config-env", environment, "--stack-name", stack),
            *("--parameter-overrides", *overrides),
        ]
        return
    if aws is None:
        raise InputError(
            "neither `sam` nor `aws` is installed; install the AWS SAM CLI: "
            "https://docs.aws.amazon.com/serverless-application-model/"
            if sam is None
            else "`aws` isn't installed, which --bucket is for; leave it out: `sam` makes one"
        )
    if bucket is None:
        raise InputError(
            "`sam` isn't installed, and `aws` needs a bucket for the code: --bucket NAME"
        )
    packaged = str(built / "packaged.yaml")
    yield [
        *(aws, "cloudformation", "package", "--template-file", str(built / TEMPLATE)),
        *("--s3-bucket", bucket, "--s3-prefix", stack),
        *("--output-template-file", packaged),
    ]
    yield [
        *(aws, "cloudformation", "deploy", "--template-file", packaged),
        *("--s3-bucket", bucket, "--s3-prefix", stack, "--stack-name", stack),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        "--no-fail-on-empty-changeset",
        *("--parameter-overrides", *overrides),
        *(("--tags", *settings["tags"]) if settings.get("tags") else ()),
    ]


def _check(parameters: Sequence[str], template: str) -> None:
    """Look at parameters before AWS does, which may take minutes to refuse them.

    Raises:
        InputError: One can't be right.
    """
    # Not read as YAML, for which nothing is installed here: the section has one parameter
    # a line, indented by two.
    section = template.partition("\nParameters:\n")[2]
    section = re.split(r"^(?=\S)", section, maxsplit=1, flags=re.MULTILINE)[0]
    known = re.findall(r"^  (\w+):", section, flags=re.MULTILINE)
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        place = f"--parameter {parameter}"
        if not equals or not name:
            raise InputError("write NAME=VALUE: SmsConcurrency=2", place=place)
        if known and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
            )
            raise InputError(
                f"template.yaml has no parameter {name}; {hint}", place=place
            )
        if name.endswith("Concurrency") and value == "1":
            off = "" if name == "IngestConcurrency" else "0 (not deployed), or "
            raise InputError(f"write {off}2 and more", place=place)


def _settings(built: Path, environment: str) -> dict[str, Any]:
    """What samconfig.toml has for an environment.

    `aws` doesn't read that file, and `sam` takes its parameters or those of the command
    line, but not both.

    Raises:
        InputError: It is not as sam would have it.
    """
    path = built / "samconfig.toml"
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        found: dict[str, Any] = document[environment]["deploy"]["parameters"]
        found = {**found, "parameter_overrides": [*found["parameter_overrides"]]}
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", place=str(path)) from error
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InputError(f"can't be read: {error}", place=str(path)) from error
    return found

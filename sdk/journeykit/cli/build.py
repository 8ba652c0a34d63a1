"""`journeykit build`: what the functions run, ready to be deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click

from journeykit.aws.bundle import build, report
from journeykit.aws.installing import Architecture, Target
from journeykit.aws.templates import TEMPLATE, concurrency_of, templates_folder
from journeykit.channels import Channel
from journeykit.cli.check import reported
from journeykit.cli.terminal import wrapped
from journeykit.errors import InputError, InvalidJourney, Problem
from journeykit.insight.declared import declared, encoded
from journeykit.model.plain_text import printable
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of


@click.command("build")
@click.argument("workspace", default=".", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build"),
    show_default=True,
    help="The folder that it is written into.",
)
@click.option(
    "--requirements",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What else is to be in it; requirements.txt of WORKSPACE if not given.",
)
@click.option(
    "--architecture",
    type=click.Choice(get_args(Architecture)),
    default="arm64",
    show_default=True,
    help="Of the functions.",
)
@click.option(
    "--python-version",
    default="3.13",
    show_default=True,
    metavar="X.Y",
    help="Of the functions; the templates say 3.13.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="An AWS service that a plugin calls, as botocore calls it.",
)
@click.option(
    "--include",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="What else of WORKSPACE is to go along.",
)
@click.option(
    "--from-environment",
    is_flag=True,
    help="Copy what is installed here and ask no package index; to try it.",
)
def command(
    *,
    workspace: Path,
    out: Path,
    requirements: Path | None,
    architecture: Architecture,
    python_version: str,
    services: tuple[str, ...],
    include: tuple[Path, ...],
    from_environment: bool,
) -> None:
    """Build what the functions of a stack run, and put the templates beside it.

    WORKSPACE is checked first, and an error keeps everything as it is. Its journeys are
    not in the bundle: `journeykit publish` makes them live.
    """
    loaded = Workspace.load(workspace)
    registry = Registry.from_plugins(plugin_manager())
    issues = loaded.check(registry)
    errors = [issue for issue in issues if issue.level == "error"]
    if errors:
        problems = [Problem(issue.message, *(issue.source or ())) for issue in errors]
        raise InvalidJourney(
            f"{workspace}: nothing was built, because of", issues=problems
        )
    for line in reported([issue for issue in issues if issue.level == "warning"]):
        click.echo(line, err=True)
    templates = templates_folder(workspace)
    if not from_environment:  # which is for trying, whatever runs here
        _check_runtime(templates, python_version)
    watched = declared(loaded.objectives, loaded.journeys, loaded.watch)
    bundle = build(
        workspace,
        manifest_of(loaded, registry),
        out,
        target=Target(architecture, python_version),
        requirements=requirements,
        from_environment=from_environment,
        services=services,
        include=include,
        objectives=encoded(watched) if watched is not None else b"",
    )
    for line in report(bundle):
        click.echo(line)
    channels = loaded.channels(registry)
    for note in [*bundle.notes, *_noted(templates, channels)]:
        click.echo("\n".join(wrapped(f"note: {printable(note)}")), err=True)
    place = printable(str(bundle.folder))
    click.echo(
        f"{place} is ready; next: journeykit deploy --stack NAME --build {place}"
    )


def _check_runtime(templates: Path, version: str) -> None:
    """Look whether the functions have the Python that the bundle is built for.

    Raises:
        InputError: They don't: what is compiled in it could not even be imported.
    """
    for path in sorted(templates.glob("*.yaml")):
        text = path.read_text("utf-8")
        for runtime in re.findall(r"^ +Runtime: python([\d.]+)", text, re.MULTILINE):
            if runtime != version:
                raise InputError(
                    f"its functions have Python {runtime}, and not {version}; leave out "
                    "--python-version, or change Runtime in a copy of the templates, in "
                    "infra/ of the workspace",
                    place=str(path),
                )


def _noted(templates: Path, channels: Mapping[str, Channel]) -> Iterator[str]:
    """What is missing in the templates, or is not deployed unless one says so."""
    text = (templates / TEMPLATE).read_text("utf-8")
    parts = {*re.findall(r"^ +TemplateURL: ([\w.-]+)", text, re.MULTILINE)}
    for part in sorted({*parts, "samconfig.toml"}):
        if not (templates / part).is_file():
            yield (
                f"{templates} has no {part}, which a deployment needs; "
                f"copy it from {templates_folder()}"
            )
    off = [
        concurrency_of(name)
        for name in sorted(channels)
        if re.search(
            rf"^  {concurrency_of(name)}: .*\bDefault: 0\b", text, re.MULTILINE
        )
    ]
    if off:
        yield (
            "not all channels of the workspace are deployed by default; deploy with "
            + " ".join(f"--parameter {name}=2" for name in off)
        )
    for name, channel in sorted(channels.items()):
        parameter = concurrency_of(name).replace("Concurrency", "Provider")
        offered = re.search(
            rf"^  {parameter}: .*AllowedValues: \[([^\]]*)\]", text, re.MULTILINE
        )
        for provider in re.findall(r"[\w-]+", offered[1] if offered else ""):
            if provider in _services(channel):
                yield (
                    f"channel {name!r} is carried by a service of AWS's, which its "
                    f"function may call if deployed with --parameter {parameter}={provider}"
                )

        if _services(channel) == ["sms-aws"] and not channel.settings.sender:
            yield (
                f"channel {name!r} leaves it to AWS who sends, which its function may "
                "not do: say who, as `sender` under [settings.sms-aws] in journeykit.toml"
            )


def _services(channel: Channel) -> Sequence[str]:
    """What a channel's provider is called, where it may be a service of AWS's."""
    who = channel.provider or channel.name
    via = getattr(channel.settings, "via", "")
    return [f"{who}-{via}"] if via else [who]

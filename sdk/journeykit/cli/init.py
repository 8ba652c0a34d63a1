"""`journeykit init`: a workspace that runs at once, or a package with a plugin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import click

from journeykit.cli.plugin_package import Kind, package_files, package_name
from journeykit.errors import InputError
from journeykit.model.plain_text import printable

STARTER = Path(__file__).parent / "starter"
# What even an empty workspace needs.
_EMPTY = (".gitignore", "journeykit.toml", "policies.yaml")
_NAMED = ("journeykit.toml", "README.md")  # where the workspace's name stands


@click.command("init")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), required=False
)
@click.option("--empty", is_flag=True, help="Without journeys and sample events.")
@click.option("--plugin", metavar="NAME", help="A plugin's package instead.")
@click.option(
    "--kind",
    type=click.Choice(get_args(Kind)),
    help="What the plugin adds; a channel if not given.",
)
def command(
    *, folder: Path | None, empty: bool, plugin: str | None, kind: Kind | None
) -> None:
    """Write a workspace into FOLDER, which must be new or empty.

    It has two journeys, the rules for them, a few events to try them on, and a test.

    With --plugin it is the package of a plugin instead, with its tests; without a FOLDER
    it goes to `journeykit-NAME`.
    """
    if plugin is not None:
        if empty:
            raise click.UsageError("--empty is for workspaces, not for --plugin")
        _write_plugin(folder, package_name(plugin), kind or "channel")
        return
    if kind is not None:
        raise click.UsageError("--kind says what --plugin NAME adds; give that as well")
    if folder is None:
        raise click.UsageError("Missing argument 'FOLDER'.")
    _write_workspace(folder, empty=empty)


def _write_workspace(folder: Path, *, empty: bool) -> None:
    name = folder.resolve().name
    _write(folder, {path: _text(path, name) for path in _files(empty=empty)})
    (folder / "journeys").mkdir(exist_ok=True)
    click.echo(f"{printable(str(folder))} is a workspace now. Try it:\n")
    click.echo(f"  journeykit check {_quoted(folder)}")
    if not empty:
        events = f"--events {_quoted(folder / 'events.jsonl')}"
        profiles = f"--profiles {_quoted(folder / 'profiles.jsonl')}"
        click.echo(
            f"  journeykit simulate {_quoted(folder)} {events} \\\n    {profiles}"
        )
        click.echo(f"  pytest {_quoted(folder)}")
    policies = printable(str(folder / "policies.yaml"))
    click.echo(f"\nThen decide what `consent` in {policies} says.")


def _write_plugin(folder: Path | None, name: str, kind: Kind) -> None:
    folder = folder or Path(f"journeykit-{name}")
    _write(folder, package_files(name, kind))
    click.echo(f"{printable(str(folder))} is the package of a plugin now. Try it:\n")
    click.echo(f"  cd {_quoted(folder)}")
    click.echo("  pytest")
    click.echo("  pip install -e .")
    click.echo("  journeykit plugins")
    click.echo("\nThen do what its README.md says.")


def _write(folder: Path, files: Mapping[Path, str]) -> None:
    """Write files into a folder that is new or empty.

    Raises:
        InputError: It is neither, or can't be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            "is not empty; name a new folder, so that nothing is overwritten",
            place=str(folder),
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        place = str(error.filename or folder)
        raise InputError(f"can't be written: {error.strerror}", place=place) from error


def _quoted(path: Path) -> str:
    """The path as a shell takes it for one word."""
    return shlex.quote(printable(str(path)))


def _files(*, empty: bool) -> Iterator[Path]:
    for path in sorted(STARTER.rglob("*")):
        inside = path.relative_to(STARTER)
        wanted = inside.as_posix() in _EMPTY if empty else path.suffix != ".pyc"
        if path.is_file() and wanted:
            yield inside


def _text(path: Path, name: str) -> str:
    text = (STARTER / path).read_text("utf-8")
    if path.name not in _NAMED:
        return text
    quoted = json.dumps(name, ensure_ascii=False)  # a TOML text as well
    return text.replace('"starter"', quoted).replace("# starter", f"# {name}")

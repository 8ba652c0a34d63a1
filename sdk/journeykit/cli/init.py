"""`journeykit init`: a workspace that runs at once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from journeykit.errors import InputError
from journeykit.model.plain_text import printable

STARTER = Path(__file__).parent / "starter"
_EMPTY = ("journeykit.toml", "policies.yaml")  # what even an empty workspace needs
_NAMED = ("journeykit.toml", "README.md")  # where the workspace's name stands


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--empty", is_flag=True, help="Without journeys and sample events.")
def command(*, folder: Path, empty: bool) -> None:
    """Write a workspace into FOLDER, which must be new or empty.

    It has two journeys, the rules for them, a few events to try them on, and a test.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            "is not empty; name a new folder, so that nothing is overwritten",
            place=str(folder),
        )
    try:
        for path in _files(empty=empty):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_text(path, folder.resolve().name), encoding="utf-8")
        (folder / "journeys").mkdir(exist_ok=True)
    except OSError as error:
        place = str(error.filename or folder)
        raise InputError(f"can't be written: {error.strerror}", place=place) from error
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

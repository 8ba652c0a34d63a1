"""`journeykit plugins`: what is installed, from where, and what it brings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from journeykit.plugins import Registry, plugin_manager

HEADER = ("name", "version", "distribution", "hooks", "contributes")


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead.")
def command(*, as_json: bool) -> None:
    """List the plugins that are loaded, and what each contributes."""
    plugins = Registry.from_plugins(plugin_manager()).plugins
    if as_json:
        click.echo(json.dumps([asdict(info) for info in plugins], indent=2))
        return
    rows = [
        (
            info.name,
            info.version or "-",
            info.distribution or "-",
            # All hooks begin alike, and a line is short.
            ", ".join(hook.removeprefix("journeykit_") for hook in info.hooks) or "-",
            ", ".join(info.contributes) or "-",
        )
        for info in plugins
    ]
    for line in _table([HEADER, *rows]):
        click.echo(line)


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield the rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()

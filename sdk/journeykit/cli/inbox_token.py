"""`journeykit inbox-token`: let an app read one customer's inbox, to try it out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from journeykit.errors import InputError
from journeykit.workspace import Workspace


@click.command("inbox-token")
@click.argument("customer")
@click.argument("workspace", default=".", type=click.Path(path_type=Path))
def command(*, customer: str, workspace: Path) -> None:
    """Print a token with which an app reads the in-app inbox of CUSTOMER for a day.

    It is for trying things out. In production your own server makes them, by
    `Links.inbox`, for whoever is signed in there.
    """
    loaded = Workspace.load(workspace)
    links = loaded.links.links(loaded.name)
    if links is None:
        raise InputError(
            "there are no links; journeykit.toml needs [links] with url and secret",
            place=str(workspace),
        )
    click.echo(links.inbox(customer, now=datetime.now(UTC)))

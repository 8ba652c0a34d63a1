"""`journeykit remove`: people leave a journey because somebody says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from journeykit.cli.people import about_people, called, named, split


@click.command("remove")
@about_people
def command(
    *,
    journey: str,
    customer: Sequence[str],
    file: str | None,
    data: Path | None,
) -> None:
    """Take one CUSTOMER, or those whom a file names, out of JOURNEY for good.

    Their runs end, and no trigger enters them again; `enroll` does.
    """
    one, workspace = split(customer, file)
    called(
        "remove",
        journey,
        named(one, file, {}),
        ("removed", "ignored", "refused"),
        workspace=workspace,
        data=data,
        refuse=lambda embedded: None,
    )

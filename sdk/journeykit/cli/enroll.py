"""`journeykit enroll`: people enter a journey because somebody says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from journeykit.cli.people import about_people, called, named, split
from journeykit.errors import DefinitionError
from journeykit.local.embedded import Embedded

OUTCOMES = ("entered", "held_out", "not_entered", "claiming", "ignored", "refused")


def read_entry(
    context: click.Context, option: click.Parameter, text: str | None
) -> dict[str, Any]:
    """Read an option that is a JSON object; a callback for click."""
    try:
        entry = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"is no JSON ({error})", context, option) from error
    if not isinstance(entry, dict):
        raise click.BadParameter('is no object, {"code": "X1"}', context, option)
    return entry


@click.command("enroll")
@about_people
@click.option(
    "--entry",
    metavar="JSON",
    callback=read_entry,
    help="What the run is to know, as entry: an object.",
)
def command(
    *,
    journey: str,
    customer: Sequence[str],
    file: str | None,
    data: Path | None,
    entry: dict[str, Any],
) -> None:
    """Enroll one CUSTOMER, or those whom a file names, in JOURNEY.

    The journey needs an api() trigger; its condition, its re-entry rules and its holdout
    hold as for everybody.
    """
    one, workspace = split(customer, file)

    def refuse(embedded: Embedded) -> None:
        catalog = embedded.catalog()
        if (state := catalog.state_of(journey)) != "live":
            way_out = (
                f"journeykit resume {journey}"
                if state in ("paused", "stopped")
                else "publish a workspace in which it is live"
            )
            raise DefinitionError(
                f"journey {journey!r} is {state}, so nobody would enter; {way_out}"
            )
        if not catalog.live[journey].api_entries:
            raise DefinitionError(
                f"journey {journey!r} takes nobody who is called: add api() to its "
                "trigger, trigger=[on(…), api()], and publish"
            )

    called(
        "enroll",
        journey,
        named(one, file, entry),
        OUTCOMES,
        workspace=workspace,
        data=data,
        refuse=refuse,
    )

"""`journeykit schema`: the JSON Schema of what goes in and comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from journeykit.engine.records import TRACE_SCHEMA
from journeykit.errors import InputError
from journeykit.model.documents import json_schema
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective, Touchpoint
from journeykit.model.native import NativeLine
from journeykit.model.policies import Policies
from journeykit.model.segments import Persona, Segment, Stage
from journeykit.model.traits import AnyTrait


def _event() -> dict[str, Any]:
    """Describe a line of events in our own spelling."""
    _, parts = msgspec.json.schema_components([NativeLine])
    schema = parts[NativeLine.__name__]
    for name in ("occurred_at", "received_at"):
        schema["properties"][name]["description"] = "RFC 3339, with an offset."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:journeykit:schema:event",
        **schema,
        "title": "Event",
    }


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "journey": lambda: json_schema(Journey),
    "policies": lambda: json_schema(Policies),
    "touchpoint": lambda: json_schema(Touchpoint),
    "objective": lambda: json_schema(Objective),
    "trait": lambda: json_schema(AnyTrait, name="trait"),
    "segment": lambda: json_schema(Segment),
    "stage": lambda: json_schema(Stage),
    "persona": lambda: json_schema(Persona),
    "event": _event,
    "trace": lambda: TRACE_SCHEMA,
}


@click.command("schema")
@click.argument("what", default="journey", type=click.Choice(list(SCHEMAS)))
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it here instead of printing it.",
)
def command(*, what: str, out: Path | None) -> None:
    """Print the JSON Schema of a journey, or of something else; draft 2020-12.

    Editors complete and check YAML files with it.
    """
    text = json.dumps(SCHEMAS[what](), indent=2, ensure_ascii=False)
    if out is None:
        click.echo(text)
        return
    try:
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"can't be written: {error.strerror}", place=str(out)
        ) from error
    click.echo(f"wrote {out}", err=True)

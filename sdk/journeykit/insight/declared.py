"""The objectives of a workspace as a file, for a function that has no workspace.

`journeykit build` writes it beside the manifest, with the goals that figures may be about:
they say in which time they count, and what they are worth. Of journeys nothing else is in
it, so that a step that changes makes no other bundle.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from journeykit.errors import DefinitionError, InputError
from journeykit.model.definition import document_of
from journeykit.model.documents import from_json
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective
from journeykit.model.measures import Conversion, Revenue
from journeykit.model.watching import WatchSettings

# What a journey can't be without, and no figure asks for.
_REST = {"trigger": [{"type": "event", "name": "any"}], "steps": []}


class Declared(NamedTuple):
    """What a watch of objectives goes by.

    Attributes:
        objectives: Those that have a measure.
        journeys: The journeys whose goals they may be about.
    """

    objectives: Sequence[Objective]
    journeys: Sequence[Journey]


def declared(
    objectives: Sequence[Objective],
    journeys: Sequence[Journey],
    settings: WatchSettings,
) -> Declared | None:
    """Return what a watch is to look at; None: at no objective."""
    measured = [one for one in objectives if one.measure is not None]
    if not measured or "objectives" not in settings.of("").figures:
        return None
    about = {
        one.measure.journey
        for one in measured
        if isinstance(one.measure, Conversion | Revenue)
    }
    concerned = [
        one for one in journeys if one.goals and (one.id in about or None in about)
    ]
    return Declared(measured, concerned)


def encoded(found: Declared) -> bytes:
    """Write it, the same bytes for the same objectives and goals."""
    document = {
        "objectives": document_of(found.objectives),
        "journeys": [
            {"id": one.id, "goal": document_of(one.goals)} for one in found.journeys
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def read_declared(path: Path) -> Declared | None:
    """Read it; None: there is no such file, so nothing is to be looked at.

    Raises:
        InputError: It is damaged, or of another release.
    """
    try:
        document = json.loads(path.read_bytes())
        return Declared(
            [
                from_json(json.dumps(one), Objective, file=path.name)
                for one in document["objectives"]
            ],
            [
                from_json(json.dumps({**one, **_REST}), file=path.name)
                for one in document["journeys"]
            ],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, DefinitionError) as error:
        raise InputError(
            f"can't be read ({error}); build the bundle again", place=str(path)
        ) from error

"""What may come in, and from where: `[ingest]` in journeykit.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from journeykit.errors import DefinitionError, InputError
from journeykit.model.check import Schemas
from journeykit.model.events import PROFILE_UPDATED
from journeykit.model.feedback import FEEDBACK
from journeykit.model.rules import is_id
from journeykit.model.shapes import MAX_SCHEMAS, Shapes, partial

_KEYS = ("schemas", "sources")
_SCHEMAS = ("ignore", "enforce")


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What an operator says about what comes in.

    Attributes:
        enforces: Whether events that are not what `schemas.py` says become dead letters.
        sources: The sources that have a door, by name.
    """

    enforces: bool = False
    sources: tuple[str, ...] = ()


def ingest_of(table: Mapping[str, object]) -> IngestSettings:
    """Read `[ingest]`.

    Raises:
        InputError: It says what it can't; the place is the key.
    """
    for key in table:
        if key not in _KEYS:
            raise InputError(
                "is not a key; `schemas` says whether they are enforced, `sources` "
                "names who may post here",
                place=f"ingest.{key}",
            )
    schemas = table.get("schemas", "ignore")
    if schemas not in _SCHEMAS:
        raise InputError(
            f'is "ignore" or "enforce", not {schemas!r:.40}', place="ingest.schemas"
        )
    names = table.get("sources", [])
    if not isinstance(names, list) or not all(map(is_id, names)):
        raise InputError('is a list of names: ["shopify"]', place="ingest.sources")
    return IngestSettings(schemas == "enforce", tuple(dict.fromkeys(names)))


def enforced(settings: IngestSettings, schemas: Schemas) -> dict[str, Any]:
    """Return the schemas that events are checked by: JSON Schema by name.

    A profile's schema is that of `profile.updated`, of which anything may be left out.

    Raises:
        DefinitionError: They can't be published.
    """
    if not settings.enforces:
        return {}
    found: dict[str, Any] = {name: dict(shape) for name, shape in FEEDBACK.items()}
    if schemas.profile is not None:
        found[PROFILE_UPDATED] = partial(schemas.profile.model_json_schema())
    for name, model in schemas.events.items():
        found[name] = model.model_json_schema()
    size = len(msgspec.json.encode(found))
    if size > MAX_SCHEMAS:
        raise DefinitionError(
            f"schemas.py: all of them may have {MAX_SCHEMAS} bytes as JSON Schema, these "
            f"have {size}; leave some to be ignored"
        )
    Shapes(found)
    return found

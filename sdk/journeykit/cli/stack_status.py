"""How a stack stands, in words; who is where is counted in its decision log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from journeykit.cli.story import rule
from journeykit.cli.terminal import row, wrapped
from journeykit.model.plain_text import printable


def told_of_stack(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of what the publish function says of its stack."""
    catalog = document["catalog"]
    since = f"{catalog['published_at'][:10]} {catalog['published_at'][11:16]} UTC"
    note = f": {printable(catalog['note'])}" if catalog["note"] else ""
    yield from wrapped(f"catalog revision {catalog['revision']}, since {since}{note}")
    if document["relay"]:
        yield f"the relay is {document['relay']}: customers keep their commands"
    for journey in document["journeys"]:
        yield ""
        yield rule(f"{journey['journey']} · v{journey['version']}")
        why = f": {printable(journey['reason'])}" if journey["reason"] else ""
        yield from row("state", f"{journey['state']}{why}")
        sent, failed = (journey["deliveries"][name] for name in ("sent", "failed"))
        if sent or failed:
            yield from row(
                "messages",
                f"{sent:,} handed over and {failed:,} failed since the last publish or "
                "resume",
            )
    yield ""
    yield rule("queues")
    for name, level in document["queues"].items():
        yield from row(name, _standing(level))


def _standing(level: Mapping[str, int]) -> str:
    """What stands in a queue."""
    parts = [
        f"{level[name]:,} {name.replace('_', ' ')}"
        for name in ("waiting", "in_flight", "delayed")
        if level[name]
    ]
    return ", ".join(parts) or "nothing"

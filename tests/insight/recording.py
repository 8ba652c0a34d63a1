"""Logs for tests: what a simulation decides and hears, as a runtime would log it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from journeykit import Event
from journeykit.engine.ids import log_id
from journeykit.engine.records import line_of
from journeykit.engine.redaction import redacted
from journeykit.engine.trace import TraceEntry
from journeykit.insight.sources import Logs, files
from journeykit.local.embedded import archive_lines
from journeykit.testing import Simulator, simulate
from journeykit.testing.simulator import Journeys


def written(
    folder: Path,
    simulator: Simulator,
    *,
    loggable: Iterable[str] = (),
    replayed: bool = False,
    parts: int = 1,
) -> Logs:
    """Write what a simulation decided and heard, in so many files each."""
    allowed = frozenset(loggable)
    people = {traced.customer for traced in simulator.trace}
    names = {log_id(customer, ""): log_id(customer, "salt") for customer in people}
    lines = [
        line_of(
            _renamed(redacted(traced.entry, allowed), names),
            customer=log_id(traced.customer, "salt"),
            revision=traced.revision,
            n=traced.n,
            now=traced.now_ms,
            event=traced.event,
            source=traced.source,
        )
        for traced in simulator.trace
    ]
    heard = [event for _, event in simulator._record.heard if isinstance(event, Event)]
    folder.mkdir(parents=True, exist_ok=True)
    return Logs(
        files(_split(folder, "decisions", lines, parts)),
        files(_split(folder, "events", [archive_lines([one]) for one in heard], parts)),
        replayed=replayed,
    )


def _renamed(entry: TraceEntry, names: Mapping[str, str]) -> TraceEntry:
    """A decision that names whom it took in as these logs name them."""
    name = entry.detail.get("log_id")
    if name is None:
        return entry
    return replace(entry, detail={**entry.detail, "log_id": names[name]})


def record(
    folder: Path,
    journeys: Journeys,
    events: Iterable[Event],
    *,
    loggable: Iterable[str] = (),
    replayed: bool = False,
    parts: int = 1,
    **options: Any,
) -> Logs:
    """Simulate, and write the logs of it.

    Args:
        folder: Where to.
        journeys: As for `simulate`.
        events: What happens.
        loggable: Fields whose values may be logged.
        replayed: Whether the events are said to be recorded ones.
        parts: In how many files each log lies.
        options: More for `simulate`: `fates`, `audience`, `until`, `profiles`, …
    """
    simulator = simulate(journeys, events, explain=False, **options)
    return written(folder, simulator, loggable=loggable, replayed=replayed, parts=parts)


def _split(
    folder: Path, name: str, lines: Sequence[bytes], parts: int
) -> Sequence[Path]:
    size = -(-len(lines) // parts) or 1
    paths = []
    for number in range(parts):
        path = folder / f"{name}-{number:06}.jsonl"
        path.write_bytes(b"".join(lines[number * size : (number + 1) * size]))
        paths.append(path)
    return paths

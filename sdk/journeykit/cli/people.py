"""Whom a call is about, and what came of it: what `enroll` and `remove` share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from journeykit.cli.lines import numbered_lines
from journeykit.cli.operating import (
    operating,
    published,
    still_to_go,
    visited,
    with_data,
)
from journeykit.cli.terminal import row, wrapped
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import words_of
from journeykit.errors import DefinitionError, InputError
from journeykit.happened import Reacted
from journeykit.local.embedded import Embedded
from journeykit.observers import AFTER_REACTION, Observer
from journeykit.runtime.catalogs import NOTHING_PUBLISHED
from journeykit.runtime.visits import Person, people

Command = TypeVar("Command", bound=Callable[..., Any])


def about_people(command: Command) -> Command:
    """Give a command what enroll and remove take."""
    file = click.option(
        "--file",
        "file",
        metavar="FILE",
        help="Many: a customer's id a line, or an object of it; - is the standard input.",
    )
    who = click.argument(
        "customer", nargs=-1, metavar="(CUSTOMER | --file FILE) [WORKSPACE]"
    )
    return click.argument("journey")(who(file(with_data(command))))


def split(words: Sequence[str], file: str | None) -> tuple[str | None, Path]:
    """Tell the customer, if there is one, from the workspace.

    Raises:
        click.UsageError: There are too many words, or too few.
    """
    customer, rest = (None, words) if file is not None else (words[:1], words[1:])
    if customer == () or len(rest) > 1:
        raise click.UsageError("name one customer, or give --file; then the workspace")
    return (customer[0] if customer else None), Path(rest[0] if rest else ".")


def named(
    customer: str | None, file: str | None, entry: Mapping[str, Any]
) -> Sequence[Person]:
    """Say whom a call is about.

    Args:
        customer: The one, if it is one.
        file: The file that names them, else.
        entry: What every run is to know, if a line doesn't say otherwise.

    Raises:
        InputError: Nobody is named, or not as it must be.
    """
    if customer is not None:
        return people(msgspec.json.encode(Person(customer, dict(entry))))
    lines: list[bytes] = []
    for number, line in numbered_lines(str(file)):
        lines += [b""] * (number - 1 - len(lines))
        lines.append(line)
    place = "<stdin>" if file == "-" else str(file)
    found = people(b"\n".join(lines), place=place)
    if not found:
        raise InputError("names nobody", place=place)
    return [Person(one.customer, {**entry, **one.entry}) for one in found]


class Outcomes:
    """Counts what came of calls, by what the decisions about them say.

    Attributes:
        counts: Kind and reason of a decision to the number of calls.
    """

    def __init__(self, journey: str, kinds: Collection[str]) -> None:
        """Count decisions of these kinds about a journey, one a call."""
        self._journey = journey
        self._kinds = kinds
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def observer(self) -> Observer[Reacted]:
        """What is told of reactions."""
        return Observer("journeykit", AFTER_REACTION, self._reacted)

    def _reacted(self, reacted: Reacted) -> None:
        if reacted.stimulus not in ("enroll", "remove", "launch"):
            return
        for entry in reacted.trace:
            if entry.kind in self._kinds and entry.journey in ("", self._journey):
                self.counts[entry.kind, entry.reason] += 1
                return

    def in_words(self) -> Iterator[str]:
        """The counts, a line each."""
        for (kind, reason), count in self.counts.most_common():
            words = words_of(TraceEntry(kind, 0, reason=reason))
            yield from row(f"{count:,}", words)


def called(
    reason: str,
    journey: str,
    who: Sequence[Person],
    kinds: Collection[str],
    *,
    workspace: Path,
    data: Path | None,
    refuse: Callable[[Embedded], None],
) -> None:
    """Enroll or remove people, and print what came of it.

    Raises:
        InputError: There is no such journey.
        DefinitionError: It can't be done to it.
    """
    outcomes = Outcomes(journey, kinds)
    with operating(workspace, data, observers=[outcomes.observer]) as embedded:
        catalog = embedded.store.current()
        if catalog is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        published(catalog, journey)
        refuse(embedded)
        lines = b"\n".join(map(msgspec.json.encode, who))
        count = visited(embedded, reason, journey, people=lines)
        waiting = [*still_to_go(embedded.store)]
    click.echo(f"{count:,} called to {reason}:")
    for line in outcomes.in_words():
        click.echo(line)
    for line in waiting:
        click.echo("\n".join(wrapped(line)))

"""`journeykit export CUSTOMER`: everything that is known of a person, as one document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from journeykit.cli.operating import customer_of, in_workspace, looking
from journeykit.cli.stack import of_people, with_archive
from journeykit.cli.terminal import wrapped
from journeykit.errors import InputError
from journeykit.local.decisions import decision_blocks
from journeykit.local.logs import log_lines
from journeykit.runtime.privacy import decided_about, is_about, person, told


@click.command("export")
@click.argument("customer")
@in_workspace
@with_archive
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Where to write it, readable for its owner alone; the standard output if not "
    "given.",
)
def command(
    *,
    customer: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    no_archive: bool,
    out: Path | None,
) -> None:
    """Write all that is kept about CUSTOMER, as one JSON document.

    Documents, identifiers, messages and what became of them, events, decisions, dead
    letters. Of somebody who was merged it tells of all of their documents.
    With --stack it reads three tables whole, and all records.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if stack is not None:
        parts = _of_stack(stack, customer, data=data, archive=not no_archive, now=now)
    else:
        parts = _here(workspace, data, customer, archive=not no_archive, now=now)
    text = json.dumps(parts, ensure_ascii=False, indent=2) + "\n"
    if out is None or str(out) == "-":
        click.echo(text, nl=False)
        return
    out.touch(mode=0o600)
    if out.is_file():
        out.chmod(0o600)  # it may have been there, readable for more
    out.write_text(text, "utf-8")
    for line in _summary(parts, out):
        click.echo(line)


def _here(
    workspace: Path, data: Path | None, customer: str, *, archive: bool, now: str
) -> dict[str, object]:
    with looking(workspace, data) as look:
        customer_of(look, customer)  # or says which is spelled alike
        one = person(look.store, customer)
        if one is None:  # forgotten between the two looks
            raise InputError(f"there is no customer {customer!r}")
        blocks = decision_blocks(look.log, look.store)
        lines = (line for block in blocks for line in block.splitlines())
        decisions = lines if archive else iter(())
        events = log_lines(look.log.with_name("events.jsonl")) if archive else iter(())
        return dict(told(look.store, one, events=events, decisions=decisions, at=now))


def _of_stack(
    stack: str, customer: str, *, data: Path | None, archive: bool, now: str
) -> dict[str, object]:
    known = of_people(stack, data)
    one = person(known.store, customer)
    if one is None:
        raise InputError(f"there is no customer {customer!r} in the stack {stack!r}")
    events: Iterator[bytes] = iter(())
    decisions: Iterator[bytes] = iter(())
    if archive:
        events = known.records.lines("events/", is_about([one]))
        decisions = known.records.lines("decisions/", decided_about([one]))
    return dict(told(known.store, one, events=events, decisions=decisions, at=now))


def _summary(parts: dict[str, object], out: Path) -> Iterator[str]:
    counts = [
        f"{len(part):,} {name.replace('_', ' ')}"
        for name, part in parts.items()
        if isinstance(part, list) and part
    ]
    yield from wrapped(f"{out}: {', '.join(counts)}")

"""`journeykit score`: ask models about customers, and let journeys know what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from journeykit.cli.operating import in_workspace, operating
from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.terminal import Progress, wrapped
from journeykit.errors import InputError
from journeykit.local.embedded import Embedded, wall_clock
from journeykit.runtime.scoring import Scored
from journeykit.workspace.reading import meant


@click.command("score")
@in_workspace
@on_a_stack
@click.option(
    "--score",
    "names",
    metavar="NAME",
    multiple=True,
    help="Only this one; may be said more than once.",
)
@click.option(
    "--customer",
    metavar="ID",
    help="Say what the models say of one customer, and report nothing.",
)
def command(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    names: Sequence[str],
    customer: str | None,
) -> None:
    """Ask the models that [scores] of WORKSPACE names about all customers.

    What they say is reported as score.updated where it has changed; conditions see it as
    trait.NAME. Journeys go on meanwhile, and nobody waits for a model.
    """
    if where := stack_named(stack, function, data):
        if customer is not None:
            raise click.UsageError("--customer is looked at on this machine only")
        begun = where.ask({"score": {"names": [*names]}})["scores"]
        click.echo(f"asking {_listed(begun)} about all customers, page by page")
        return
    with operating(workspace, data) as embedded:
        known = embedded.scoring.names
        if not known:
            raise InputError(
                'names no score; write [scores] with run = ["…"]',
                place=str(workspace / "journeykit.toml"),
            )
        for name in names:
            if name not in known:
                raise InputError(
                    f"{name!r} is not among the scores; {meant(name, known)}"
                )
        if customer is not None:
            _told(embedded, customer, names)
            return
        done = _all(embedded, names)
    for line in _summary(done):
        click.echo(line)


def _all(embedded: Embedded, names: Sequence[str]) -> Scored:
    progress = Progress("customers")
    done = Scored()
    try:
        pages = embedded.scoring.pages(embedded.store, now=wall_clock(), names=names)
        for done in pages:
            progress(done.customers)
    finally:
        progress.done()
    return done


def _told(embedded: Embedded, id: str, names: Sequence[str]) -> None:
    """Say what the models say of one customer, beside what they said last."""
    found = embedded.store.load([id]).get(id)
    if found is None:
        raise InputError(f"nobody knows a customer {id!r}")
    [said], failed = embedded.scoring.said([found], now=wall_clock(), names=names)
    for name in sorted({*said, *failed}):
        if name in failed:
            click.echo(f"{name}: fails; the log says where")
            continue
        known = found.scores.get(name)
        before = "not known yet" if known is None else f"known: {_value(known.value)}"
        click.echo(f"{name}: {_value(said[name])} ({before})")


def _value(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "nothing" if value is None else str(value)


def _summary(done: Scored) -> list[str]:
    people = "1 customer" if done.customers == 1 else f"{done.customers:,} customers"
    what = "1 score was" if done.reported == 1 else f"{done.reported:,} scores were"
    lines = [f"{people} scored; {what} new or had changed"]
    lines += _failures(done.failed)
    return [part for line in lines for part in wrapped(line)]


def _failures(failed: Mapping[str, int]) -> list[str]:
    return [
        f"{name} failed for {count:,}, who keep what was said before; the log says where"
        for name, count in sorted(failed.items())
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "no model"

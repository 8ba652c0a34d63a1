"""`journeykit measure`: goals, objectives, funnels and what else journeys come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import NoReturn, cast

import click

# Part → what it tells. Said here, so that `--help` need not load the modules.
PARTS: Mapping[str, str] = {
    "attribution": "Say which messages came before what people did.",
    "funnel": "Say how many get from one step or event to the next.",
    "goals": "Say who reached the goals, how soon, and what it was worth.",
    "messages": "Say what became of messages, by channel and template.",
    "objectives": "Hold the objectives against their targets.",
    "paths": "Show the ways that people took.",
    "retention": "Say how many come back, by when they came first.",
    "surveys": "Say how surveys score, and what reviews and tickets say.",
}


class _Parts(MutableMapping[str, click.Command]):
    """The parts by name, each imported when it is looked up."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in PARTS:
            raise KeyError(name)
        module = import_module(f"journeykit.cli.measuring.{name}")
        return cast(click.Command, module.command)

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)

    def __setitem__(self, name: str, command: click.Command) -> NoReturn:
        raise TypeError("the parts of `measure` are the modules in cli/measuring")

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError("the parts of `measure` are the modules in cli/measuring")


class _Group(click.Group):
    """Lists its parts without loading them."""

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Say what each part tells."""
        with formatter.section("Commands"):
            formatter.write_dl([*PARTS.items()])


@click.group("measure", cls=_Group, commands=_Parts(), invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Say what journeys come to: goals, objectives, funnels, messages, surveys.

    Without a subcommand it is `goals` of the workspace that you are in.
    """
    if context.invoked_subcommand is None:
        part = _Parts()["goals"]
        context.invoke(part, **part.make_context("goals", [], parent=context).params)

"""Everybody whom a command counts: on this machine, or in a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from journeykit.cli.operating import looking
from journeykit.cli.stack import stack_named
from journeykit.ports import CatalogDocument, Scan

Command = TypeVar("Command", bound=Callable[..., Any])


class Crowd(NamedTuple):
    """The customers, and what is published.

    Attributes:
        scan: All customers.
        catalog: The newest published catalog.
    """

    scan: Scan
    catalog: CatalogDocument


def in_a_stack(command: Command) -> Command:
    """Give a command that counts customers the option to count those of a stack."""
    return click.option(
        "--stack",
        metavar="NAME",
        help="Those of this stack in AWS, read with your own credentials.",
    )(command)


@contextmanager
def crowd(workspace: Path, data: Path | None, stack: str | None) -> Iterator[Crowd]:
    """Open the customers, to look at all of them.

    Raises:
        click.UsageError: It is to be about this machine, and about a stack.
        InputError: There is no such stack; or the folder is no workspace.
        DefinitionError: Nothing is published.
        StoreError: There is no database, or it can't be opened; AWS can't be asked.
    """
    where = stack_named(stack, "", data)
    if where is None:
        with looking(workspace, data) as look:
            yield Crowd(look.store, look.catalog)
        return
    from journeykit.aws.crowd import crowd_of

    yield Crowd(*crowd_of(where))

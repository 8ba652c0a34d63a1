"""Options that many commands have; none of what these commands need is loaded for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def with_json(command: Command) -> Command:
    """Give a command the option to print one JSON document."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document instead."
    )(command)

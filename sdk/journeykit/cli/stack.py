"""The options by which a command is about a stack in AWS, and not about this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from journeykit.errors import InputError

if TYPE_CHECKING:
    from journeykit.aws.privacy import OfStack
    from journeykit.aws.stack import Stack

# Names of functions are made of it, of 64 characters, and those of channels are up to 30.
_STACK = re.compile(r"[a-z][a-z0-9-]{0,24}")

Command = TypeVar("Command", bound=Callable[..., Any])


def on_a_stack(command: Command) -> Command:
    """Give a command the options that name a stack."""
    stack = click.option(
        "--stack",
        metavar="NAME",
        default=None,
        help="Do it in AWS, where this stack is deployed, and not on this machine.",
    )
    function = click.option(
        "--function",
        metavar="NAME",
        default="",
        help="The stack's publish function, if nobody may look it up by --stack.",
    )
    return stack(function(command))


def with_archive(command: Command) -> Command:
    """Give a command the options of what is kept of people, in a stack too."""
    stack = click.option(
        "--stack",
        metavar="NAME",
        help="Of this stack in AWS, with your own credentials.",
    )
    archive = click.option(
        "--no-archive",
        is_flag=True,
        help="Leave out the event archive, which may be large.",
    )
    return stack(archive(command))


def of_people(stack: str, data: Path | None) -> OfStack:
    """Reach what a stack keeps of people.

    Raises:
        click.UsageError: It is to be about this machine, too.
        InputError: There is no such stack, or what talks to AWS is not installed.
    """
    if (where := stack_named(stack, "", data)) is None:
        raise click.UsageError("say which stack is meant: --stack NAME")
    from journeykit.aws.privacy import of_stack

    return of_stack(where, stack)


def check_name(stack: str) -> None:
    """Look at the name of a stack, as `deploy` makes them.

    Raises:
        InputError: It is none.
    """
    if not _STACK.fullmatch(stack):
        raise InputError(
            f"{stack!r} is no name: small letters, digits and -, a letter first, 25 at most"
        )


def stack_named(stack: str | None, function: str, data: Path | None) -> Stack | None:
    """Return the stack that a command is about; None: it is about this machine.

    Raises:
        click.UsageError: It is about both.
        InputError: That is no name of a stack, or what talks to AWS is not installed.
    """
    if stack is not None:
        check_name(stack)
    elif not function:
        return None
    if data is not None:
        raise click.UsageError("--data is on this machine, and --stack is not")
    try:
        # Imported here: nobody else waits for botocore.
        from journeykit.aws.stack import Stack
    except ImportError as error:
        raise InputError(
            "what talks to AWS is not installed: pip install 'journeykit[aws]'"
        ) from error
    return Stack(stack or "", function=function)

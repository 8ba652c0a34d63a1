"""Every hook that a plugin may implement, with a whole plugin in each docstring.

A plugin is a module that an entry point of the group `journeykit` names. It takes
the hooks it wants and leaves the others; a hook never loses an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from journeykit.channels import Channel

if TYPE_CHECKING:  # a runtime that has no command line need not load click
    import click

PROJECT = "journeykit"
"""pluggy's project name, the entry points' group and the hooks' prefix."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def journeykit_channels() -> Iterable[Channel]:
    """Yield the channels that this plugin carries; called once, at the start.

    ```python
    from collections.abc import Iterable, Sequence

    from journeykit.channels import Channel, Message, Receipt, Sent
    from journeykit.hookspecs import hookimpl


    class Shout(Channel):
        name = "shout"

        def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            print(*(f"{m.address}: {m.template.upper()}!" for m in messages))
            return [Sent(m.delivery_id) for m in messages]


    @hookimpl
    def journeykit_channels() -> Iterable[Channel]:
        yield Shout()
    ```
    """
    yield from ()


@hookspec
def journeykit_cli() -> Iterable[click.Command]:
    """Yield commands for the `journeykit` command line; called once, at the start.

    ```python
    from collections.abc import Iterable

    import click

    from journeykit.hookspecs import hookimpl


    @click.command()
    @click.argument("name", default="world")
    def hello(name: str) -> None:
        \"\"\"Greet somebody.\"\"\"
        click.echo(f"Hello {name}")


    @hookimpl
    def journeykit_cli() -> Iterable[click.Command]:
        yield hello
    ```
    """
    yield from ()

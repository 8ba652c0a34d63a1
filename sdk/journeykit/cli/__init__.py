"""The command line: one module per command, each loaded when it is asked for."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import cast

import click

from journeykit.errors import JourneyKitError, PluginConflict, PluginError
from journeykit.model.plain_text import printable

# Command → what it does. Said here, so that `--help` need not load the modules.
COMMANDS: Mapping[str, str] = {
    "build": "Build what the functions of a stack run.",
    "causes": "Say what goes with leaving a journey.",
    "check": "Say what is wrong with a workspace.",
    "customer": "Show everything that is known of a customer.",
    "dead-letters": "Look at what could not be handled, and try it again.",
    "demo": "Run four journeys over a year of real shopping.",
    "deploy": "Make or update the stack in AWS.",
    "emulate": "Send events through the whole path in AWS, on this machine.",
    "enroll": "Enroll one customer, or many, in a journey.",
    "erase": "Forget a customer, or many, for good.",
    "export": "Write down all that is kept about a customer.",
    "import": "Let the past be known, out of a file, without a message.",
    "identities": "Say who is who, and that two are one person.",
    "inbox-token": "Let an app read the inbox of one customer.",
    "init": "Write a workspace that runs at once.",
    "keys": "Say who may write to the HTTP door of a stack.",
    "lift": "Say what journeys change, against the people they hold out.",
    "map": "Draw a journey, or all of them by stage, with counts.",
    "measure": "Measure goals, objectives, retention, funnels and messages.",
    "pause": "Let nobody enter a journey or move on in it.",
    "personas": "Say who the customers are, and find groups without a name.",
    "plugins": "List the plugins, and what each contributes.",
    "preview": "Show messages as mailboxes and phones do.",
    "publish": "Make a workspace's journeys and policies the live ones.",
    "remove": "Take one customer, or many, out of a journey.",
    "repair": "Send again what a stack may have lost.",
    "report": "Write all figures of a workspace into one HTML file.",
    "resume": "Let a journey that was paused go on.",
    "retain": "Let go what has been kept for long enough.",
    "run": "Handle events from a file, durably.",
    "schema": "Print a JSON Schema.",
    "score": "Ask models about customers.",
    "segments": "Say how large segments are, who is in them, and who would be.",
    "serve": "Take events over HTTP, let time pass, send.",
    "simulate": "Replay events through the journeys of a workspace.",
    "status": "Say where everybody is, and what waits or failed.",
    "stop": "End all runs of a journey, and let nobody enter.",
    "suppressions": "Import, export and change the addresses that nothing goes to.",
    "traits": "List what is computed of events, and compute it again.",
    "watch": "Say what is unusual about a day, and tell whom it concerns.",
    "why": "Tell why a customer did or did not get a message.",
}

_INTERRUPTED = 130  # 128 + SIGINT, as shells say it


class _Commands(click.Group):
    """Loads a command when it runs, and says an error of ours in one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, those of plugins among them."""
        return sorted({*COMMANDS, *_of_plugins()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import our own commands; ask the plugins for any other."""
        if cmd_name in COMMANDS:
            module = import_module(f"journeykit.cli.{cmd_name.replace('-', '_')}")
            return cast(click.Command, module.command)
        return _of_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not name.startswith("-"):
            close = get_close_matches(name, self.list_commands(ctx), 1)
            way_out = f"did you mean {close[0]!r}?" if close else "see --help"
            ctx.fail(f"no such command: {name!r}; {way_out}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands; a plugin that fails must not take the help away."""
        rows = dict(COMMANDS)
        problem = ""
        try:
            for name, command in _of_plugins().items():
                rows[name] = command.get_short_help_str()
        except PluginError as error:
            problem = str(error)
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))
        if problem:
            with formatter.section("Plugins"):
                formatter.write_text(problem)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except JourneyKitError as error:
            if ctx.params["debug"]:
                raise
            ctx.exit(_failed(str(error)))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="journeykit", message="journeykit %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(*, debug: bool) -> None:
    """Write, check, try and run customer journeys."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 well, 1 an error, 2 wrong usage, 130 Ctrl-C."""
    if sys.stdout is None:
        sys.exit(_failed("standard output is closed; redirect it to a file"))
    try:
        status = group.main(args, prog_name="journeykit", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        click.echo(_printable(text.getvalue().rstrip("\n")), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # Whoever reads us, such as `head`, has seen enough. Python would complain once
        # more when it flushes on exit.
        _flushed()
        sys.exit(1)
    except OSError as error:  # such as a full disk
        if "--debug" in (sys.argv if args is None else args):
            raise
        _flushed()
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(_failed(f"{place}{error.strerror or error}"))


def _flushed() -> None:
    """Write what is still to be written or, where that fails, give it somewhere to go."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(message: str) -> int:
    """Say on standard error what went wrong, and return the exit status for it."""
    click.echo(_printable(f"Error: {message}"), err=True)
    return 1


def _printable(text: str) -> str:
    """The text with its lines, but without what commands a terminal."""
    # No `map` here: in this package that is the module of a command.
    return "\n".join(printable(line) for line in text.split("\n"))


def _of_plugins() -> Mapping[str, click.Command]:
    """The commands that plugins contribute.

    Raises:
        PluginError: One of them can't be loaded, or is named like one of ours.
    """
    # Imported here: looking for plugins takes as long as all the rest of `--help`.
    from journeykit.plugins import Registry, plugin_manager, without

    registry = Registry.from_plugins(plugin_manager())
    for name in sorted(COMMANDS.keys() & registry.commands.keys()):
        culprit = next(
            info for info in registry.plugins if f"command {name}" in info.contributes
        )
        raise PluginConflict(
            f"plugin {culprit.name!r} ({culprit.distribution} {culprit.version}) "
            f"contributes the command {name!r}, which journeykit has itself; rename it "
            f"there, or leave the plugin out: {without(culprit.name)}"
        )
    return registry.commands

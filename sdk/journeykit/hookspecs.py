"""Every hook that a plugin may implement, with a whole plugin in each docstring.

A plugin is a module that an entry point of the group `journeykit` names. It takes
the hooks it wants and leaves the others; a hook never loses an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from journeykit.channels import Action, Channel
from journeykit.content.engine import TemplateEngine
from journeykit.happened import Delivered, Reacted

if TYPE_CHECKING:  # whoever has no command line and no guards loads neither
    import click

    from journeykit.guarding import Guard
    from journeykit.scoring import Score
    from journeykit.sources import Source

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
def journeykit_actions() -> Iterable[Action]:
    """Yield the actions that `Call` steps may name; called once, at the start.

    ```python
    from collections.abc import Iterable, Sequence

    from journeykit.channels import Action, ActionCall, CallOutcome, Completed
    from journeykit.hookspecs import hookimpl


    class Greet(Action):
        name = "greet"

        def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
            return [Completed(c.call_id, {"text": f"Hello {c.customer}"}) for c in calls]


    @hookimpl
    def journeykit_actions() -> Iterable[Action]:
        yield Greet()
    ```
    """
    yield from ()


@hookspec
def journeykit_guards() -> Iterable[Guard]:
    """Yield rules about which messages may go; called once, at the start.

    They are asked in the order of their names, after consent, address and the channel's
    own rule, and before caps and quiet hours. Those are asked that `guards` in `journeykit.toml` names.

    ```python
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from journeykit.guarding import Asked, Guard, Refused
    from journeykit.hookspecs import hookimpl


    class NoSundays(Guard):
        name = "no-sundays"

        def ask(self, asked: Asked) -> Refused | None:
            local = asked.now.astimezone(ZoneInfo(asked.zone))
            return Refused("no Sundays") if local.weekday() == 6 else None


    @hookimpl
    def journeykit_guards() -> Iterable[Guard]:
        yield NoSundays()
    ```
    """
    yield from ()


@hookspec
def journeykit_template_engines() -> Iterable[TemplateEngine]:
    """Yield what renders templates; called once, at the start.

    ```python
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from string import Template

    from journeykit.content.engine import LIMITS, Limits, Load, TemplateEngine
    from journeykit.hookspecs import hookimpl


    class Dollars(TemplateEngine):
        name = "dollars"

        def variables(self, source: str, *, load: Load) -> frozenset[str]:
            return frozenset(Template(source).get_identifiers())

        def render(
            self,
            source: str,
            variables: Mapping[str, object],
            *,
            load: Load,
            escape: bool,
            at: datetime,
            limits: Limits = LIMITS,
        ) -> str:
            return Template(source).substitute(variables)


    @hookimpl
    def journeykit_template_engines() -> Iterable[TemplateEngine]:
        yield Dollars()
    ```
    """
    yield from ()


@hookspec
def journeykit_sources() -> Iterable[Source]:
    """Yield what turns something outside into events; called once, at the start.

    Those have a door, `POST /v1/sources/NAME`, that `sources` under `[ingest]` in
    `journeykit.toml` names.

    ```python
    import hmac
    from collections.abc import Iterable

    import msgspec

    from journeykit import Event
    from journeykit.channels import Callback
    from journeykit.errors import ForgedCallback
    from journeykit.hookspecs import hookimpl
    from journeykit.sources import Source


    class Till(Source):
        name = "till"

        def events(self, callback: Callback) -> Iterable[Event]:
            given = callback.headers.get("x-till", "").encode()
            if not hmac.compare_digest(given, b"secret"):
                raise ForgedCallback("the header is not ours", place="x-till")
            for sale in msgspec.json.decode(callback.body):
                yield Event(
                    id=sale["receipt"],
                    name="order.placed",
                    customer=sale["card"],
                    occurred_at=callback.received_at,
                    received_at=callback.received_at,
                    properties={"amount": sale["amount"]},
                )


    @hookimpl
    def journeykit_sources() -> Iterable[Source]:
        yield Till()
    ```
    """
    yield from ()


@hookspec
def journeykit_scores() -> Iterable[Score]:
    """Yield models that say something of customers; called once, at the start.

    `journeykit score` asks those that `[scores]` in `journeykit.toml` names, and never while a
    journey decides. Conditions see what they said last as `trait.NAME`.

    ```python
    from collections.abc import Iterable

    from journeykit.hookspecs import hookimpl
    from journeykit.scoring import Features, Score


    class Silence(Score):
        name = "silence"

        def score(self, features: Features) -> float | None:
            age = features.age("last_order")
            return None if age is None else min(1.0, age.days / 90)


    @hookimpl
    def journeykit_scores() -> Iterable[Score]:
        yield Silence()
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


@hookspec
def journeykit_after_reaction(reacted: Reacted) -> None:
    """Look at what was decided about one customer; called when it is committed.

    What it raises is logged, and nothing else comes of it. It is called on the path of
    every event, so it must be quick, and from whichever thread is at work.

    ```python
    from journeykit.happened import Reacted
    from journeykit.hookspecs import hookimpl


    @hookimpl
    def journeykit_after_reaction(reacted: Reacted) -> None:
        for entry in reacted.trace:
            if entry.kind == "failed":
                print(f"a run of {entry.journey} failed: {entry.reason}")
    ```
    """


@hookspec
def journeykit_after_delivery(delivered: Delivered) -> None:
    """Look at what became of one message or call; called when it is written down.

    What it raises is logged, and nothing else comes of it.

    ```python
    from journeykit.happened import Delivered
    from journeykit.hookspecs import hookimpl


    @hookimpl
    def journeykit_after_delivery(delivered: Delivered) -> None:
        if delivered.outcome == "failed":
            print(f"{delivered.channel} failed: {delivered.reason}")
    ```
    """

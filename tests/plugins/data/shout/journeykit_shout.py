"""A plugin that implements every hook."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import click

from journeykit.channels import (
    Action,
    ActionCall,
    Callback,
    CallOutcome,
    Channel,
    Completed,
    Message,
    Receipt,
    Sent,
)
from journeykit.content.engine import LIMITS, Limits, Load, TemplateEngine
from journeykit.guarding import Asked, Guard, Refused
from journeykit.happened import Delivered, Reacted
from journeykit.hookspecs import hookimpl
from journeykit.model.events import Event
from journeykit.scoring import Features, Score
from journeykit.sources import Source


class Shout(Channel):
    name = "shout"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Cheer(Action):
    name = "cheer"

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id) for call in calls]


class Whisper(Guard):
    name = "whisper"

    def ask(self, asked: Asked) -> Refused | None:
        return None


class Upper(TemplateEngine):
    name = "upper"

    def variables(self, source: str, *, load: Load) -> frozenset[str]:
        return frozenset()

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
        return source.upper()


class Loudness(Score):
    name = "loudness"

    def score(self, features: Features) -> float:
        return float(len(features.profile))


class Shouts(Source):
    name = "shouts"

    def events(self, callback: Callback) -> Iterable[Event]:
        yield from ()


@click.command()
def hello() -> None:
    click.echo("HELLO")


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield Shout()


@hookimpl
def journeykit_actions() -> Iterable[Action]:
    yield Cheer()


@hookimpl
def journeykit_guards() -> Iterable[Guard]:
    yield Whisper()


@hookimpl
def journeykit_scores() -> Iterable[Score]:
    yield Loudness()


@hookimpl
def journeykit_sources() -> Iterable[Source]:
    yield Shouts()


@hookimpl
def journeykit_template_engines() -> Iterable[TemplateEngine]:
    yield Upper()


@hookimpl
def journeykit_cli() -> Iterable[click.Command]:
    yield hello


@hookimpl
def journeykit_after_reaction(reacted: Reacted) -> None: ...


@hookimpl
def journeykit_after_delivery(delivered: Delivered) -> None: ...

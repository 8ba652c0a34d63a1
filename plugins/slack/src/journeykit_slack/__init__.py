"""Slack: messages of a bot's, to people of a workspace and to channels."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl
from journeykit_slack.channel import SlackChannel

__all__ = ["SlackChannel"]


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    """Yield Slack."""
    yield SlackChannel()

"""A plugin that is named like one that is built in."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl


@hookimpl
def journeykit_channels() -> Iterable[Channel]:
    yield from ()

"""A plugin that implements a hook of a name that does not exist."""

from collections.abc import Iterable

from journeykit.channels import Channel
from journeykit.hookspecs import hookimpl


@hookimpl
def journeykit_chanels() -> Iterable[Channel]:
    yield from ()

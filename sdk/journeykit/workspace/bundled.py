"""What a workspace's bundle is to hold, found out once, when it is built."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from journeykit.carriers import set_up
from journeykit.channels import ANY, Channel
from journeykit.errors import DefinitionError, InputError
from journeykit.hookspecs import PROJECT
from journeykit.manifest import Manifest, PluginEntry
from journeykit.plugins import Registry
from journeykit.workspace import Workspace

# The command line doesn't go along.
_HOOKS = {
    "journeykit_actions",
    "journeykit_after_delivery",
    "journeykit_after_reaction",
    "journeykit_channels",
    "journeykit_guards",
    "journeykit_scores",
    "journeykit_sources",
    "journeykit_template_engines",
}
_ONLY_SERVED = "metrics"  # for Prometheus, which can't ask a function for numbers


def manifest_of(workspace: Workspace, registry: Registry) -> Manifest:
    """Say which plugins are loaded, who carries what, and how all of it is set up.

    Publishing a journey is no deployment: it may name a channel that no journey names
    today. So every channel goes along that can be carried, and every action that can be
    run, as far as they are set up.

    Raises:
        InvalidJourney: Somebody is missing, or set up wrongly.
    """
    carriers = {**dict(_others(workspace, registry)), **workspace.channels(registry)}
    actions = workspace.actions(registry)
    guards = workspace.guards(registry)
    scores = workspace.scores(registry)
    sources = workspace.sources(registry)
    known = {name: who.provider or who.name for name, who in sorted(carriers.items())}
    return Manifest(
        workspace=workspace.name,
        release=_release(registry),
        plugins=tuple(
            PluginEntry(
                name=info.name,
                value=info.value,
                distribution=info.distribution,
                version=info.version,
                hooks=tuple(info.hooks),
            )
            for info in registry.plugins
            if not _HOOKS.isdisjoint(info.hooks) and info.name != _ONLY_SERVED
        ),
        channels=known,
        actions=tuple(sorted(actions)),
        settings={
            name: settings
            for name, settings in sorted(workspace.settings.items())
            if name in {*known.values(), *actions, *guards, *scores, *sources}
        },
        loggable=tuple(sorted(workspace.loggable)),
        identity=workspace.identity,
        watch=workspace.watch,
        guards=tuple(sorted(guards)),
        scores=tuple(sorted(scores)),
        sources=tuple(sorted(sources)),
        links=workspace.links,
        seeds={name: tuple(known) for name, known in sorted(workspace.seeds.items())},
    )


def _release(registry: Registry) -> str:
    """The release of journeykit: of what is built in, which is always loaded."""
    return next(
        (info.version for info in registry.plugins if info.distribution == PROJECT), ""
    )


def _others(workspace: Workspace, registry: Registry) -> Iterator[tuple[str, Channel]]:
    """What can be carried, whether or not a journey names it today."""
    for name in sorted(
        {who if name == ANY else name for name, who in registry.channels}
    ):
        with contextlib.suppress(DefinitionError, InputError):
            channel = registry.channel(name)
            who = channel.provider or channel.name
            set_up(channel, who, workspace.settings, folder=workspace.path)
            yield name, channel

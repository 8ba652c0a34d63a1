"""Who carries the channels, does the actions and guards, set up as the operator says.

A workspace finds out by itself; a function reads it from its bundle's manifest.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from journeykit.channels import Action, Channel
from journeykit.engine.guards import ChannelRules
from journeykit.errors import InputError, UnknownAction, UnknownChannel
from journeykit.guarding import Guard
from journeykit.manifest import Manifest
from journeykit.plugins import Registry

if TYPE_CHECKING:  # who scores nobody needs none
    from journeykit.scoring import Score
    from journeykit.sources import Source

PluginPart = TypeVar("PluginPart", Channel, Action)


def set_up(
    item: PluginPart,
    name: str,
    settings: Mapping[str, Mapping[str, object]],
    *,
    folder: Path,
) -> PluginPart:
    """Return a channel or an action, with what is set for this name.

    Args:
        item: As the plugin contributes it.
        name: The provider's name, or the action's.
        settings: What is set, by such names.
        folder: Where relative paths in it begin.

    Raises:
        InputError: The settings are not what it allows.
        PluginLoadError: There is no class where it says that its settings are.
    """
    own = item.configured(settings.get(name, {}))
    if item.Settings is not None:  # else it is the installed one itself
        own.settings = _placed_at(folder, own.settings)
    return own


def rules_of(channel: Channel) -> ChannelRules:
    """Return what deciding needs of a channel: how it finds an address, and its rule.

    Settings play no part in that.
    """
    # To ask a rule takes more time than all guards; most channels have none of their own.
    inherited = getattr(channel.rule, "__func__", None) is Channel.rule
    own = None if inherited else channel.rule
    return ChannelRules(channel.address, channel.normalize, own)


def rules_from(manifest: Manifest, registry: Registry) -> dict[str, ChannelRules]:
    """Return what deciding needs of each channel of a bundle; no settings are read."""
    return {name: rules_of(channel) for name, channel in _carried(manifest, registry)}


def guards_from(manifest: Manifest, registry: Registry) -> dict[str, Guard]:
    """Return the guards of a bundle, set up.

    Raises:
        InputError: One isn't loaded, so that nobody would be kept back; or its settings
            are not what it allows.
    """
    guards: dict[str, Guard] = {}
    for name in manifest.guards:
        if name not in registry.guards:
            raise InputError(
                f"guard {name!r} is not loaded, and without it nothing is decided; "
                "build the bundle again",
                place="manifest: guards",
            )
        settings = manifest.settings.get(name, {})
        guards[name] = registry.guards[name].configured(settings)
    return guards


def scores_from(manifest: Manifest, registry: Registry) -> dict[str, Score]:
    """Return the models of a bundle, set up; one that isn't loaded is left out.

    Raises:
        InputError: The settings of one are not what it allows.
    """
    return {
        name: registry.scores[name].configured(manifest.settings.get(name, {}))
        for name in manifest.scores
        if name in registry.scores
    }


def sources_from(manifest: Manifest, registry: Registry) -> dict[str, Source]:
    """Return the sources of a bundle, set up.

    Raises:
        InputError: One isn't loaded, or its settings are not what it allows; the place is
            among the settings, so that whoever posts tries again.
    """
    found: dict[str, Source] = {}
    for name in manifest.sources:
        if name not in registry.sources:
            raise InputError(
                "is no source that is loaded; build the bundle again",
                place=f"settings: {name}",
            )
        found[name] = registry.sources[name].configured(manifest.settings.get(name, {}))
    return found


def channels_from(
    manifest: Manifest, registry: Registry, *, folder: Path
) -> dict[str, Channel]:
    """Return who carries each channel of a bundle, set up.

    A carrier that isn't loaded is left out: the catalog says who needs it.

    Raises:
        InputError: The settings of one are not what it allows.
    """
    return {
        name: set_up(
            channel, channel.provider or channel.name, manifest.settings, folder=folder
        )
        for name, channel in _carried(manifest, registry)
    }


def actions_from(
    manifest: Manifest, registry: Registry, *, folder: Path
) -> dict[str, Action]:
    """Return each action of a bundle, set up; one that isn't loaded is left out.

    Raises:
        InputError: The settings of one are not what it allows.
    """
    found: dict[str, Action] = {}
    for name in manifest.actions:
        with contextlib.suppress(UnknownAction):
            # A copy, as the runtime gives an action more than settings.
            own = copy(registry.action(name))
            found[name] = set_up(own, name, manifest.settings, folder=folder)
    return found


def _carried(manifest: Manifest, registry: Registry) -> Iterator[tuple[str, Channel]]:
    for name, provider in manifest.channels.items():
        with contextlib.suppress(UnknownChannel):
            yield name, registry.channel(name, provider)


def _placed_at(folder: Path, settings: Any) -> Any:
    """The settings, with their relative paths beginning at the folder."""
    if isinstance(settings, msgspec.Struct):
        own = {name: getattr(settings, name) for name in settings.__struct_fields__}
        moved = {name: folder / p for name, p in own.items() if isinstance(p, Path)}
        return msgspec.structs.replace(settings, **moved)
    # Of pydantic only if it is loaded: settings that are its model have loaded it.
    pydantic = sys.modules.get("pydantic")
    is_model = pydantic is not None and isinstance(settings, pydantic.BaseModel)
    if is_model:
        names = list(type(settings).model_fields)
    else:
        names = [part.name for part in fields(settings) if part.init]
    values = {name: getattr(settings, name) for name in names}
    paths = {name: folder / p for name, p in values.items() if isinstance(p, Path)}
    if is_model:
        return settings.model_copy(update=paths)
    return replace(settings, **paths)

"""What a bundle holds, written down when it is built.

A function doesn't look for plugins: going through the metadata of everything that is
installed takes 20 to 30 ms at each cold start. `journeykit build` looks once, and writes
`manifest.json` beside the code; what it finds is resolved and checked already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from journeykit.errors import InputError
from journeykit.links import LinkSettings
from journeykit.model.identity import IdentityRules
from journeykit.model.watching import WatchSettings

SCHEMA = 1
"""The number of the manifest's form; one more with each that older releases misread."""

NAME = "manifest.json"
"""What the file in a bundle is called."""

OBJECTIVES = "objectives.json"
"""The file beside it that says which objectives a watch looks at; none: there are none."""


class PluginEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin of the bundle.

    Attributes:
        name: Its entry point's name.
        value: What is imported: `module` or `module:attribute`.
        distribution: The distribution that it came with; empty if with none.
        version: The distribution's version.
        hooks: The hooks that it implements.
    """

    name: str
    value: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds, and how it is set up.

    Attributes:
        workspace: The workspace's name.
        release: The release of journeykit in the bundle.
        plugins: In the order in which they are loaded, the built-in ones among them.
        channels: Who carries each channel that can be carried: providers, by channel.
        actions: The actions that can be run.
        settings: What is set for a provider or an action, by its name.
        loggable: Fields whose values the decision log may hold.
        links: The links in messages, and the pages behind them.
        seeds: Addresses that test traffic really goes to, by channel.
        guards: The guards of plugins that are asked, by name.
        scores: The models that are asked about customers, by name.
        sources: The sources that have a door, by name.
        identity: Which identifiers say whom an event is about.
        watch: What is looked after every day, and whom to tell.
        schema: The number of this form.
    """

    workspace: str
    release: str = ""
    plugins: tuple[PluginEntry, ...] = ()
    channels: Mapping[str, str] = {}
    actions: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = {}
    loggable: tuple[str, ...] = ()
    links: LinkSettings = LinkSettings()
    seeds: Mapping[str, tuple[str, ...]] = {}
    guards: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    identity: IdentityRules = IdentityRules()
    watch: WatchSettings = WatchSettings()
    schema: int = SCHEMA

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the manifest of a bundle.

        Raises:
            InputError: It isn't there, is damaged, or a later release wrote it.
        """
        try:
            manifest = msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except OSError as error:
            raise InputError(
                f"can't be read: {error.strerror}; `journeykit build` writes it",
                place=str(path),
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"is no manifest ({error}); build the bundle again", place=str(path)
            ) from error
        if manifest.schema > SCHEMA:
            raise InputError(
                f"a later release ({manifest.release}) wrote it; build the bundle "
                "again, with the release that it holds",
                place=str(path),
            )
        return manifest

    def write(self, path: str | Path) -> None:
        """Write it, the same bytes for the same manifest.

        Raises:
            OSError: It can't be written.
        """
        text = msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=2)
        Path(path).write_bytes(text + b"\n")

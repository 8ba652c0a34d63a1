"""Finds the plugins, and collects once what they contribute.

Installed plugins are the entry points of the group `journeykit`. What is built in
is loaded by the same code and uses the same hooks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import pluggy

from journeykit import hookspecs
from journeykit.channels import ANY, Action, Channel
from journeykit.content.engine import TemplateEngine
from journeykit.errors import (
    DefinitionError,
    PluginConflict,
    PluginLoadError,
    UnknownAction,
    UnknownChannel,
)
from journeykit.hookspecs import PROJECT
from journeykit.observers import AFTER_DELIVERY, AFTER_REACTION, Observer, Observers

if TYPE_CHECKING:  # a runtime that has no command line need not load click
    import click

    # Nor msgspec, if all it does is look.
    from journeykit.guarding import Guard
    from journeykit.manifest import Manifest
    from journeykit.scoring import Score
    from journeykit.sources import Source

# Named, not imported: built-ins stand above this module and are found, like others.
BUILT_IN = tuple(
    EntryPoint(name, f"journeykit.builtin.{place}", PROJECT)
    for name, place in {
        "claim": "claim",
        "console": "console",
        "file": "file",
        "jinja": "jinja",
        "metrics": "metrics:Metrics",
    }.items()
)


class Distribution(Protocol):
    """Where a plugin came from."""

    @property
    def name(self) -> str:
        """The distribution's name."""

    @property
    def version(self) -> str:
        """Its version."""


class _Written(NamedTuple):
    """A distribution as a manifest names it."""

    name: str
    version: str


class PluginManager(pluggy.PluginManager):
    """pluggy's manager, which also knows each plugin's distribution."""

    def __init__(self) -> None:
        """Know the hooks and no plugin yet."""
        super().__init__(PROJECT)
        self.add_hookspecs(hookspecs)
        self._distributions: dict[str, Distribution | None] = {}
        self._values: dict[str, str] = {}
        self._traced = False

    def trace_calls(self) -> None:
        """Print each hook call from now on to standard error."""
        self._traced = True
        self.add_hookcall_monitoring(_print_call, lambda *_: None)

    def load(self, entry_point: EntryPoint, dist: Distribution | None) -> None:
        """Import what an entry point names, and register it under its name.

        A class is made an object first, one for each manager: a plugin that keeps
        something keeps it there.

        Raises:
            PluginConflict: Another plugin has that name.
            PluginLoadError: It can't be imported, or does not match the hooks.
        """
        name = entry_point.name
        culprit = _describe(name, dist)
        if self.has_plugin(name):
            raise PluginConflict(
                f"two plugins are named {name!r}: {self.describe(name)} and {culprit}; "
                "uninstall one"
            )
        try:
            plugin = entry_point.load()
            if isinstance(plugin, type):
                plugin = plugin()
            self.register(plugin, name)
        except Exception as err:  # whatever a stranger's module may raise
            raise PluginLoadError(
                f"plugin {culprit} can't be loaded: {_cause(err)}; "
                f"repair or uninstall it, or leave it out: {without(name)}"
            ) from err
        self._distributions[name] = dist
        self._values[name] = entry_point.value
        if not self.get_hookcallers(plugin):
            raise PluginLoadError(
                f"plugin {culprit} implements no hook: mark its functions with "
                f"@hookimpl; hooks: {', '.join(self.hook_names())}; "
                f"or leave it out: {without(name)}"
            )

    def describe(self, name: str) -> str:
        """Return a plugin's name with its distribution and version, for messages."""
        return _describe(name, self.distribution(name))

    def distribution(self, name: str) -> Distribution | None:
        """Return a plugin's distribution; None if it was registered by hand."""
        return self._distributions.get(name)

    def value(self, name: str) -> str:
        """Return what a plugin's entry point imports; empty if it has none."""
        return self._values.get(name, "")

    def hook_names(self) -> Sequence[str]:
        """Return the names of the hooks that there are, sorted."""
        return sorted(n for n, hook in vars(self.hook).items() if hook.has_spec())

    def check_pending(self) -> None:
        """Refuse a hook that does not exist, and name the one that was meant.

        Raises:
            PluginLoadError: A plugin implements an unknown hook.
        """
        try:
            super().check_pending()
        except pluggy.PluginValidationError as err:
            plugin = self.get_name(err.plugin) or ""
            callers = self.get_hookcallers(err.plugin) or ()
            wrong = next(hook.name for hook in callers if not hook.has_spec())
            close = get_close_matches(wrong, self.hook_names(), n=1)
            way_out = (
                f"did you mean {close[0]!r}?"
                if close
                else f"hooks: {', '.join(self.hook_names())}"
            )
            raise PluginLoadError(
                f"plugin {self.describe(plugin)} implements the unknown hook "
                f"{wrong!r}; {way_out} Or leave it out: {without(plugin)}"
            ) from err

    def contributions(self, hook: str) -> Iterator[tuple[str, object]]:
        """Yield what each plugin contributes to a hook, with the plugin's name.

        Raises:
            PluginLoadError: A plugin's hook fails.
        """
        plugins = self.list_name_plugin()
        for name, plugin in plugins:
            # One at a time, since pluggy's answer does not say whose it is.
            others = [other for _, other in plugins if other is not plugin]
            call = self.subset_hook_caller(hook, remove_plugins=others)
            try:
                found = [item for items in call() for item in items]
            except Exception as err:  # whatever a stranger's hook may raise
                raise PluginLoadError(
                    f"plugin {self.describe(name)} failed in {hook}: {_cause(err)}; "
                    f"repair it, or leave it out: {without(name)}"
                ) from err
            for item in found:
                yield name, item

    def observers(self, hook: str) -> Iterator[Observer[Any]]:
        """Yield each implementation of an observer hook by itself, last one first.

        That is pluggy's order, but pluggy would stop at the first one that raises.

        Raises:
            PluginLoadError: A plugin wraps the hook.
        """
        caller = getattr(self.hook, hook)
        for impl in reversed(caller.get_hookimpls()):
            name = self.describe(impl.plugin_name)
            if impl.wrapper or impl.hookwrapper:
                raise PluginLoadError(
                    f"plugin {name} wraps {hook}, around which there is nothing; mark "
                    f"its function with a plain @hookimpl, or leave it out: "
                    f"{without(impl.plugin_name)}"
                )
            yield Observer(name, hook, self._told(impl, hook, *caller.spec.argnames))

    def _told(
        self, impl: pluggy.HookImpl, hook: str, argument: str
    ) -> Callable[[object], object]:
        """What calls an implementation, with the argument if it takes that."""

        def told(what: object) -> object:
            if self._traced:
                _print_call(hook, [impl], {argument: what})
            return impl.function(*[what][: len(impl.argnames)])

        return told


def without(name: str) -> str:
    """What to set, so that all plugins are loaded but the one of this name."""
    others = {entry_point.name for entry_point in entry_points(group=PROJECT)} - {name}
    return f"JOURNEYKIT_PLUGINS={','.join(sorted(others)) or 'none'}"


def plugin_manager(*, environ: Mapping[str, str] = os.environ) -> PluginManager:
    """Load what is built in, then what is installed, in the order of names.

    Args:
        environ: `JOURNEYKIT_PLUGINS` names the installed plugins to load, with commas
            in between, or is `none`; `JOURNEYKIT_TRACE_HOOKS=1` prints hook calls.

    Raises:
        PluginError: A plugin can't be loaded, or two have one name.
    """
    manager = PluginManager()
    if environ.get("JOURNEYKIT_TRACE_HOOKS") == "1":
        manager.trace_calls()
    own = _own_distribution()
    for entry_point in BUILT_IN:
        manager.load(entry_point, own)
    installed = sorted(entry_points(group=PROJECT), key=lambda e: (e.name, e.value))
    for entry_point in _wanted(environ.get("JOURNEYKIT_PLUGINS", ""), installed):
        manager.load(entry_point, entry_point.dist)
    manager.check_pending()
    return manager


def plugin_manager_from(
    manifest: Manifest,
    *,
    hooks: Collection[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> PluginManager:
    """Load what a bundle's manifest names; nothing looks for what is installed.

    Args:
        manifest: What `journeykit build` found, in the order of loading.
        hooks: What the caller will ask for: a plugin that implements none of them stays
            unloaded. None: all are loaded.
        environ: As for `plugin_manager`.

    Raises:
        PluginError: A plugin can't be loaded, or two have one name.
    """
    manager = PluginManager()
    if environ.get("JOURNEYKIT_TRACE_HOOKS") == "1":
        manager.trace_calls()
    built_in = {entry_point.name for entry_point in BUILT_IN}
    others = [
        EntryPoint(plugin.name, plugin.value, PROJECT)
        for plugin in manifest.plugins
        if plugin.name not in built_in
    ]
    wanted = {e.name for e in _wanted(environ.get("JOURNEYKIT_PLUGINS", ""), others)}
    for plugin in manifest.plugins:
        asked_for = hooks is None or not set(hooks).isdisjoint(plugin.hooks)
        if asked_for and plugin.name in built_in | wanted:
            origin = _Written(plugin.distribution, plugin.version)
            manager.load(
                EntryPoint(plugin.name, plugin.value, PROJECT),
                origin if origin.name else None,
            )
    manager.check_pending()
    return manager


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What is known of one loaded plugin.

    Attributes:
        name: Its entry point's name.
        value: What the entry point imports; empty if it has none.
        distribution: The distribution that it came with; empty if with none.
        version: The distribution's version.
        hooks: The hooks that it implements.
        contributes: What came of them, such as `channel email via ses`; observers
            contribute nothing.
    """

    name: str
    value: str
    distribution: str
    version: str
    hooks: Sequence[str]
    contributes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Registry:
    """What all plugins contribute, collected once.

    Attributes:
        channels: By the channel's name and the provider's.
        actions: By name.
        guards: By name.
        engines: What renders templates, by name.
        commands: For the command line, by name.
        observers: Whoever wants to know what happened.
        plugins: What is loaded: the built-in ones, then the others by name.
        scores: Models that say something of customers, by name.
        sources: What turns something outside into events, by name.
    """

    channels: Mapping[tuple[str, str], Channel]
    actions: Mapping[str, Action]
    guards: Mapping[str, Guard]
    engines: Mapping[str, TemplateEngine]
    commands: Mapping[str, click.Command]
    observers: Observers
    plugins: Sequence[PluginInfo]
    scores: Mapping[str, Score] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def from_plugins(cls, manager: PluginManager) -> Registry:
        """Call each hook once and refuse what can't stand side by side.

        Raises:
            PluginConflict: Two plugins contribute something of one name.
            PluginLoadError: A hook fails, or yields what it must not.
        """
        channels = _collect(manager, "journeykit_channels", _read_channel)
        actions = _collect(manager, "journeykit_actions", _read_action)
        guards = _collect(manager, "journeykit_guards", _read_guard)
        engines = _collect(manager, "journeykit_template_engines", _read_engine)
        commands = _collect(manager, "journeykit_cli", _read_command)
        scores = _collect(manager, "journeykit_scores", _read_score)
        sources = _collect(manager, "journeykit_sources", _read_source)
        labels = [
            (found.plugin, found.label)
            for kind in (channels, actions, guards, engines, commands, scores, sources)
            for found in kind.values()
        ]
        return cls(
            channels=_values(channels),
            actions=_values(actions),
            guards=_values(guards),
            engines=_values(engines),
            commands=_values(commands),
            scores=_values(scores),
            sources=_values(sources),
            observers=Observers(
                reactions=[*manager.observers(AFTER_REACTION)],
                deliveries=[*manager.observers(AFTER_DELIVERY)],
            ),
            plugins=tuple(
                PluginInfo(
                    name=name,
                    value=manager.value(name),
                    distribution=dist.name if dist else "",
                    version=dist.version if dist else "",
                    hooks=tuple(
                        sorted(h.name for h in manager.get_hookcallers(plugin) or ())
                    ),
                    contributes=tuple(label for by, label in labels if by == name),
                )
                for name, plugin in manager.list_name_plugin()
                for dist in [manager.distribution(name)]
            ),
        )

    @classmethod
    def from_manifest(
        cls,
        manifest: Manifest,
        *,
        hooks: Collection[str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Registry:
        """Collect what the plugins of a bundle contribute, without looking for them.

        Args:
            manifest: What `journeykit build` found.
            hooks: What will be asked for; see `plugin_manager_from`.
            environ: As for `plugin_manager`.

        Raises:
            PluginError: A plugin can't be loaded, or two can't stand side by side.
        """
        return cls.from_plugins(
            plugin_manager_from(manifest, hooks=hooks, environ=environ)
        )

    def channel(self, name: str, provider: str | None = None) -> Channel:
        """Return who carries a channel.

        A channel that carries any is meant only where its provider is named, either
        as `provider` or as the channel itself (`console`); otherwise every misspelt
        channel would find a carrier.

        Raises:
            UnknownChannel: No installed plugin provides it.
            DefinitionError: Several providers do, and none is named.
        """
        if provider is not None:
            for key in ((name, provider), (ANY, provider)):
                if key in self.channels:
                    return self.channels[key]
            able = sorted({who for on, who in self.channels if on in (name, ANY)})
            close = get_close_matches(provider, able, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise UnknownChannel(
                f"no installed plugin provides channel {name!r} by provider "
                f"{provider!r}; installed: {_quoted(able)}.{meant}"
            )
        providers = [who for carried, who in self.channels if carried == name]
        if len(providers) > 1:
            raise DefinitionError(
                f"channel {name!r} has several providers; say which one carries it: "
                f"{_quoted(providers)}"
            )
        key = (name, providers[0]) if providers else (ANY, name)
        if key not in self.channels:
            raise UnknownChannel(
                f"no installed plugin provides channel {name!r}; "
                f"installed: {self._installed()}"
            )
        return self.channels[key]

    def action(self, name: str) -> Action:
        """Return what does what a `Call` step asks for.

        Raises:
            UnknownAction: No installed plugin provides it.
        """
        if name not in self.actions:
            raise UnknownAction(
                f"action {name!r} is not provided by any installed plugin; "
                f"installed: {_quoted(self.actions) or 'none'}"
            )
        return self.actions[name]

    def _installed(self) -> str:
        return _quoted(who if name == ANY else name for name, who in self.channels)


Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Contribution(Generic[Value]):
    """One thing that a plugin contributes, and how to call it in a message."""

    plugin: str
    label: str
    value: Value


def _collect(
    manager: PluginManager,
    hook: str,
    read: Callable[[object], tuple[Key, str, Value]],
) -> dict[Key, _Contribution[Value]]:
    found: dict[Key, _Contribution[Value]] = {}
    for plugin, item in manager.contributions(hook):
        try:
            key, label, value = read(item)
        except TypeError as err:
            raise PluginLoadError(
                f"plugin {manager.describe(plugin)} yields {item!r} from {hook}: {err}"
            ) from err
        if key in found:
            raise PluginConflict(
                f"two plugins contribute {label}: "
                f"{manager.describe(found[key].plugin)} and "
                f"{manager.describe(plugin)}; uninstall one, "
                f"or leave it out: {without(plugin)}"
            )
        found[key] = _Contribution(plugin, label, value)
    return found


def _values(found: Mapping[Key, _Contribution[Value]]) -> Mapping[Key, Value]:
    return MappingProxyType({key: item.value for key, item in found.items()})


def _read_channel(item: object) -> tuple[tuple[str, str], str, Channel]:
    if not isinstance(item, Channel):
        raise TypeError("yield an instance of a subclass of Channel")
    if not getattr(item, "name", ""):
        raise TypeError("give it a `name`, the channel that journeys name")
    provider = item.provider or item.name
    return (item.name, provider), f"channel {item.name} via {provider}", item


def _read_action(item: object) -> tuple[str, str, Action]:
    if not isinstance(item, Action):
        raise TypeError("yield an instance of a subclass of Action")
    if not getattr(item, "name", ""):
        raise TypeError("give it a `name`, by which journeys call it")
    return item.name, f"action {item.name}", item


def _read_guard(item: object) -> tuple[str, str, Guard]:
    from journeykit.guarding import Guard  # whoever yields a guard has loaded it

    if not isinstance(item, Guard):
        raise TypeError("yield an instance of a subclass of Guard")
    if not getattr(item, "name", ""):
        raise TypeError("give it a `name`, for the trace and the settings")
    return item.name, f"guard {item.name}", item


def _read_score(item: object) -> tuple[str, str, Score]:
    from journeykit.engine.scoring import is_score_name
    from journeykit.scoring import Score  # whoever yields a score has loaded it

    if not isinstance(item, Score):
        raise TypeError("yield an instance of a subclass of Score")
    name = getattr(item, "name", "")
    if not is_score_name(name):
        raise TypeError(
            "give it a `name` of lower-case letters, digits and '_', for trait.NAME; "
            "'…_at' is the instant of another"
        )
    return name, f"score {name}", item


def _read_source(item: object) -> tuple[str, str, Source]:
    from journeykit.model.rules import is_id
    from journeykit.sources import Source  # whoever yields a source has loaded it

    if not isinstance(item, Source):
        raise TypeError("yield an instance of a subclass of Source")
    if not is_id(name := getattr(item, "name", "")):
        raise TypeError("give it a `name` of letters, digits and '-', for its path")
    return name, f"source {name}", item


def _read_engine(item: object) -> tuple[str, str, TemplateEngine]:
    if not isinstance(item, TemplateEngine):
        raise TypeError("yield an instance of a subclass of TemplateEngine")
    if not getattr(item, "name", ""):
        raise TypeError("give it a `name`, for front matter and the settings")
    return item.name, f"template engine {item.name}", item


def _read_command(item: object) -> tuple[str, str, click.Command]:
    from click import Command  # whoever yields a command has loaded click already

    if not isinstance(item, Command) or not item.name:
        raise TypeError("yield a click command that has a name")
    return item.name, f"command {item.name}", item


def _own_distribution() -> Distribution | None:
    try:
        return distribution(PROJECT)
    except PackageNotFoundError:  # run from a bundle that was stripped of metadata
        return None


def _wanted(choice: str, installed: Sequence[EntryPoint]) -> Sequence[EntryPoint]:
    """Return the installed entry points that `JOURNEYKIT_PLUGINS` chooses."""
    if choice.strip() == "none":
        return ()
    names = {name.strip() for name in choice.split(",")} - {""}
    missing = names - {entry_point.name for entry_point in installed}
    if missing:
        raise PluginLoadError(
            f"JOURNEYKIT_PLUGINS names {_quoted(missing)}, which is not installed; "
            f"installed: {_quoted(e.name for e in installed) or 'none'}"
        )
    return [e for e in installed if not names or e.name in names]


def _describe(name: str, dist: Distribution | None) -> str:
    return f"{name!r} ({f'{dist.name} {dist.version}' if dist else 'no distribution'})"


def _cause(err: Exception) -> str:
    return f"{type(err).__name__}: {' '.join(str(err).split())}"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(set(names)))


def _print_call(
    hook: str, impls: Sequence[pluggy.HookImpl], arguments: Mapping[str, object]
) -> None:
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    for impl in impls:
        sys.stderr.write(f"{impl.plugin_name}: {hook}({given})\n")

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import click
import pytest

from journeykit import hookspecs
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
from journeykit.errors import (
    DefinitionError,
    PluginConflict,
    PluginLoadError,
    UnknownAction,
    UnknownChannel,
)
from journeykit.guarding import Asked, Guard, Refused
from journeykit.hookspecs import hookimpl
from journeykit.model.events import Event
from journeykit.plugins import PluginManager, Registry, plugin_manager, without
from journeykit.sources import Source

DATA = Path(__file__).parent / "plugins" / "data"
DOCS = Path(__file__).parents[1] / "docs" / "plugins.md"
CONTRIBUTIONS = [
    "journeykit_actions",
    "journeykit_channels",
    "journeykit_cli",
    "journeykit_guards",
    "journeykit_scores",
    "journeykit_sources",
    "journeykit_template_engines",
]
OBSERVERS = ["journeykit_after_delivery", "journeykit_after_reaction"]
HOOKS = sorted([*CONTRIBUTIONS, *OBSERVERS])
BUILT_IN = ["claim", "console", "file", "jinja", "metrics"]

Install = Callable[..., PluginManager]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put distributions of tests/plugins/data on the path, and load just these."""

    def load(*folders: str, names: str = "") -> PluginManager:
        for folder in folders:
            monkeypatch.syspath_prepend(DATA / folder)
        wanted = names or ",".join(folders) or "none"
        return plugin_manager(environ={"JOURNEYKIT_PLUGINS": wanted})

    return load


class Carrier(Channel):
    def __init__(self, name: str, provider: str = "") -> None:
        self.name = name
        self.provider = provider

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Channels:
    """A plugin that yields what it is given."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_channels(self) -> Iterable[object]:
        yield from self.items


class Do(Action):
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id) for call in calls]


class Actions:
    """The same for actions."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_actions(self) -> Iterable[object]:
        yield from self.items


class Guards:
    """The same for guards."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_guards(self) -> Iterable[object]:
        yield from self.items


class Sources:
    """The same for sources."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_sources(self) -> Iterable[object]:
        yield from self.items


class Engines:
    """The same for template engines."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_template_engines(self) -> Iterable[object]:
        yield from self.items


class Commands:
    """The same for commands."""

    def __init__(self, *items: object) -> None:
        self.items = items

    @hookimpl
    def journeykit_cli(self) -> Iterable[object]:
        yield from self.items


def registry(**plugins: object) -> Registry:
    manager = PluginManager()
    for name, plugin in plugins.items():
        manager.register(plugin, name)
    return Registry.from_plugins(manager)


def carriers(*channels: tuple[str, str]) -> Registry:
    return registry(many=Channels(*(Carrier(*channel) for channel in channels)))


def test_what_is_built_in_comes_through_the_public_hooks(install: Install) -> None:
    found = Registry.from_plugins(install())

    assert [plugin.name for plugin in found.plugins] == BUILT_IN
    assert sorted(found.channels) == [("*", "console"), ("*", "file")]
    assert list(found.actions) == ["claim"]
    assert all(plugin.distribution == "journeykit" for plugin in found.plugins)
    assert {hook for plugin in found.plugins for hook in plugin.hooks} == {*HOOKS} - {
        "journeykit_cli",
        "journeykit_guards",
        "journeykit_scores",
        "journeykit_sources",
    }


def test_an_installed_plugin_is_found_by_its_entry_point(install: Install) -> None:
    found = Registry.from_plugins(install("shout"))

    info = found.plugins[-1]
    assert (info.name, info.distribution, info.version) == (
        "shout",
        "journeykit-shout",
        "1.2",
    )
    assert info.contributes == (
        "channel shout via shout",
        "action cheer",
        "guard whisper",
        "template engine upper",
        "command hello",
        "score loudness",
        "source shouts",
    )
    assert found.channel("shout").name == "shout"
    assert found.action("cheer").name == "cheer"
    assert list(found.commands) == ["hello"]


def test_one_plugin_can_implement_every_hook(install: Install) -> None:
    manager = install("shout")

    assert manager.hook_names() == HOOKS
    assert Registry.from_plugins(manager).plugins[-1].hooks == tuple(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_in_a_hooks_docstring_is_a_whole_plugin(hook: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    plugin = ModuleType("example")

    exec(example, plugin.__dict__)

    [info] = registry(example=plugin).plugins
    assert info.hooks == (hook,)
    assert len(info.contributes) == (hook in CONTRIBUTIONS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_docs_show_the_exact_signature_of_a_hook(hook: str) -> None:
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")

    assert f"\n### `{hook}{signature}`\n" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", CONTRIBUTIONS)
def test_a_hook_specification_contributes_nothing_itself(hook: str) -> None:
    assert list(getattr(hookspecs, hook)()) == []


def test_installed_plugins_load_in_the_order_of_their_names(install: Install) -> None:
    manager = install("shout", "loud")

    names = [name for name, _ in manager.list_name_plugin()]

    assert names == [*BUILT_IN, "loud", "shout"]


def test_a_plugin_that_cannot_be_imported_is_named_with_its_distribution(
    install: Install,
) -> None:
    with pytest.raises(PluginLoadError) as caught:
        install("broken")

    assert "plugin 'broken' (journeykit-broken 2.0)" in str(caught.value)
    assert "a_dependency_that_nobody_installed" in str(caught.value)
    assert "JOURNEYKIT_PLUGINS" in str(caught.value)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_broken_plugin_can_be_left_out(install: Install) -> None:
    manager = install("broken", "shout", names="shout")

    assert manager.has_plugin("shout")
    assert not manager.has_plugin("broken")


def test_leaving_out_all_plugins_leaves_what_is_built_in(install: Install) -> None:
    manager = install("shout", names="none")

    assert [name for name, _ in manager.list_name_plugin()] == BUILT_IN


def test_without_a_choice_every_installed_plugin_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DATA / "shout")

    assert plugin_manager(environ={}).has_plugin("shout")


def test_choosing_a_plugin_that_is_not_installed_fails(install: Install) -> None:
    with pytest.raises(
        PluginLoadError, match=r"names 'shuot', .* installed: .*'shout'"
    ):
        install("shout", names="shuot")


def test_a_misspelt_hook_fails_at_the_start_with_the_name_that_was_meant(
    install: Install,
) -> None:
    with pytest.raises(PluginLoadError) as caught:
        install("misspelt")

    assert str(caught.value) == (
        "plugin 'misspelt' (journeykit-misspelt 0.1) implements the unknown hook "
        "'journeykit_chanels'; did you mean 'journeykit_channels'? "
        f"Or leave it out: {without('misspelt')}"
    )


def test_a_hook_unlike_any_other_is_answered_with_the_list_of_hooks() -> None:
    class Strange:
        @hookimpl
        def xyz(self) -> None: ...

    manager = PluginManager()
    manager.register(Strange(), "strange")

    with pytest.raises(PluginLoadError, match="hooks: journeykit_actions, journeykit"):
        manager.check_pending()


def test_a_hook_with_an_unknown_argument_does_not_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = ModuleType("nosy_plugin")

    @hookimpl
    def journeykit_channels(customer: object) -> Iterable[Channel]:
        yield from ()

    plugin.journeykit_channels = journeykit_channels  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nosy_plugin", plugin)

    with pytest.raises(PluginLoadError, match=r"'nosy' .*'customer'"):
        PluginManager().load(EntryPoint("nosy", "nosy_plugin", "journeykit"), None)


def test_a_plugin_without_any_hook_does_not_load() -> None:
    with pytest.raises(PluginLoadError, match=r"'json' .* implements no hook: .*@hook"):
        PluginManager().load(EntryPoint("json", "json", "journeykit"), None)


def test_two_plugins_of_one_name_are_refused_naming_both_distributions(
    install: Install,
) -> None:
    with pytest.raises(PluginConflict) as caught:
        install("namesake", names="console")

    assert "'console' (journeykit " in str(caught.value)
    assert "'console' (acme-console 3.1)" in str(caught.value)


def test_two_channels_of_one_name_and_provider_are_refused_naming_both_distributions(
    install: Install,
) -> None:
    manager = install("shout", "loud")

    with pytest.raises(PluginConflict) as caught:
        Registry.from_plugins(manager)

    assert "channel shout via shout" in str(caught.value)
    assert "'loud' (journeykit-loud 0.3)" in str(caught.value)
    assert "'shout' (journeykit-shout 1.2)" in str(caught.value)


def test_two_commands_of_one_name_are_refused(install: Install) -> None:
    manager = install("shout")
    manager.register(Commands(click.Command("hello")), "polite")

    with pytest.raises(PluginConflict) as caught:
        Registry.from_plugins(manager)

    assert "command hello" in str(caught.value)
    assert "'shout' (journeykit-shout 1.2)" in str(caught.value)
    assert "'polite' (no distribution)" in str(caught.value)


def test_two_actions_of_one_name_are_refused_naming_both_distributions(
    install: Install,
) -> None:
    manager = install("shout")
    manager.register(Actions(Do("cheer")), "fans")

    with pytest.raises(PluginConflict) as caught:
        Registry.from_plugins(manager)

    assert "action cheer" in str(caught.value)
    assert "'shout' (journeykit-shout 1.2)" in str(caught.value)
    assert "'fans' (no distribution)" in str(caught.value)


def test_a_channel_and_an_action_may_have_one_name() -> None:
    found = registry(both=Channels(Carrier("crm")), other=Actions(Do("crm")))

    assert found.channel("crm").name == found.action("crm").name == "crm"


def test_a_hook_that_raises_is_a_load_error_from_the_cause() -> None:
    class Failing:
        @hookimpl
        def journeykit_channels(self) -> Iterable[Channel]:
            yield Carrier("fine")
            raise OSError("no network")

    with pytest.raises(PluginLoadError, match=r"'failing'.*no network") as caught:
        registry(failing=Failing())

    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("item", [Carrier, "email", None, Carrier("")])
def test_what_is_no_channel_is_refused_with_the_way_out(item: object) -> None:
    with pytest.raises(PluginLoadError, match=r"'wrong' .* (yield an inst|give it a)"):
        registry(wrong=Channels(item))


@pytest.mark.parametrize("item", [Do, "claim", None, Do("")])
def test_what_is_no_action_is_refused_with_the_way_out(item: object) -> None:
    with pytest.raises(PluginLoadError, match=r"'wrong' .* (yield an inst|give it a)"):
        registry(wrong=Actions(item))


class Watch(Guard):
    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, asked: Asked) -> Refused | None:
        return None


class Nameless(Guard):
    def ask(self, asked: Asked) -> Refused | None:
        return None


@pytest.mark.parametrize(
    "item", [Watch, "sunset", None, Watch(""), Nameless()], ids=range(5)
)
def test_what_is_no_guard_is_refused_with_the_way_out(item: object) -> None:
    with pytest.raises(PluginLoadError, match=r"'wrong' .* (yield an inst|give it a)"):
        registry(wrong=Guards(item))


@pytest.mark.parametrize("item", [Watch("x"), "jinja", None], ids=range(3))
def test_what_is_no_template_engine_is_refused_with_the_way_out(item: object) -> None:
    with pytest.raises(PluginLoadError, match=r"'wrong' .* yield an instance"):
        registry(wrong=Engines(item))


def test_two_guards_of_one_name_are_a_conflict() -> None:
    with pytest.raises(PluginConflict, match="guard sunset"):
        registry(one=Guards(Watch("sunset")), two=Guards(Watch("sunset")))


def test_guards_are_in_the_registry_by_name() -> None:
    found = registry(some=Guards(Watch("b"), Watch("a")))

    assert sorted(found.guards) == ["a", "b"]


@pytest.mark.parametrize("item", [click.Command, click.Command(None), print])
def test_what_is_no_command_is_refused_with_the_way_out(item: object) -> None:
    with pytest.raises(PluginLoadError, match=r"'wrong' .* yield a click command"):
        registry(wrong=Commands(item))


def test_a_channel_is_found_by_its_name() -> None:
    found = carriers(("email", "ses"), ("sms", "sns"))

    assert found.channel("email").provider == "ses"


def test_a_channel_of_two_providers_needs_one_to_be_named() -> None:
    found = carriers(("email", "ses"), ("email", "postmark"))

    assert found.channel("email", "postmark").provider == "postmark"
    with pytest.raises(DefinitionError, match=r"'email' .*: 'postmark', 'ses'"):
        found.channel("email")


def test_a_provider_of_any_channel_carries_what_names_it_as_provider() -> None:
    found = carriers(("*", "console"), ("email", "ses"))

    assert found.channel("email", "console").provider == "console"
    assert found.channel("fax", "console").provider == "console"


def test_a_provider_of_any_channel_is_a_channel_by_its_own_name() -> None:
    found = carriers(("*", "console"))

    assert found.channel("console").provider == "console"


def test_a_provider_of_this_channel_goes_before_one_of_any() -> None:
    found = carriers(("*", "acme"), ("email", "acme"))

    assert found.channel("email", "acme").name == "email"


def test_an_unknown_channel_is_answered_with_what_is_installed() -> None:
    found = carriers(("*", "console"), ("email", "ses"))

    with pytest.raises(UnknownChannel) as caught:
        found.channel("sms")

    assert str(caught.value) == (
        "no installed plugin provides channel 'sms'; installed: 'console', 'email'"
    )


def test_an_unknown_provider_is_answered_with_what_is_installed() -> None:
    found = carriers(("*", "console"), ("email", "ses"))

    with pytest.raises(UnknownChannel, match=r"'email' by .* 'sns'; installed: 'con"):
        found.channel("email", "sns")


def test_a_misspelt_provider_is_answered_with_those_of_the_channel() -> None:
    found = carriers(("*", "console"), ("email", "smtp"), ("email", "ses"), ("x", "y"))

    with pytest.raises(UnknownChannel) as caught:
        found.channel("email", "sess")

    assert str(caught.value).endswith(
        "installed: 'console', 'ses', 'smtp'. Did you mean 'ses'?"
    )


def test_an_unknown_action_is_answered_with_what_is_installed() -> None:
    found = registry(some=Actions(Do("voucher"), Do("claim")))

    with pytest.raises(UnknownAction) as caught:
        found.action("vuocher")

    assert str(caught.value) == (
        "action 'vuocher' is not provided by any installed plugin; "
        "installed: 'claim', 'voucher'"
    )


def test_where_no_action_is_installed_an_unknown_one_says_so() -> None:
    with pytest.raises(UnknownAction, match="installed: none"):
        carriers(("email", "ses")).action("claim")


def test_a_registry_cannot_be_changed() -> None:
    found = carriers(("email", "ses"))

    with pytest.raises(TypeError):
        found.channels["sms", "sns"] = Carrier("sms", "sns")  # type: ignore[index]
    with pytest.raises(TypeError):
        found.actions["claim"] = Do("claim")  # type: ignore[index]


def test_hook_calls_are_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"JOURNEYKIT_PLUGINS": "none", "JOURNEYKIT_TRACE_HOOKS": "1"}

    Registry.from_plugins(plugin_manager(environ=environ))

    assert capsys.readouterr().err == (
        "console: journeykit_channels()\nfile: journeykit_channels()\n"
        "claim: journeykit_actions()\n"
        "jinja: journeykit_template_engines()\n"
    )


class Counting:
    """A plugin that keeps something: how often it was told."""

    def __init__(self) -> None:
        self.told = 0

    @hookimpl
    def journeykit_after_reaction(self) -> None:
        self.told += 1


def test_an_entry_point_that_names_a_class_is_an_object_of_each_manager(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("counting_plugin")
    module.Counting = Counting  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "counting_plugin", module)
    entry_point = EntryPoint("counting", "counting_plugin:Counting", "journeykit")
    one, other = PluginManager(), PluginManager()

    one.load(entry_point, None)
    other.load(entry_point, None)

    assert isinstance(one.get_plugin("counting"), Counting)
    assert one.get_plugin("counting") is not other.get_plugin("counting")


def test_loading_what_is_built_in_loads_neither_pydantic_nor_click() -> None:
    program = (
        "import sys; from journeykit.plugins import Registry, plugin_manager; "
        "Registry.from_plugins(plugin_manager()); "
        "print({'click', 'jinja2', 'pydantic'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"JOURNEYKIT_PLUGINS": "none"},
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout == "set()\n"


class Posted(Source):
    def __init__(self, name: object) -> None:
        self.name = name  # type: ignore[assignment]

    def events(self, callback: Callback) -> Iterable[Event]:
        yield from ()


def test_sources_are_found_by_name() -> None:
    found = registry(one=Sources(Posted("till")), two=Sources(Posted("help-desk")))

    assert sorted(found.sources) == ["help-desk", "till"]
    assert found.plugins[0].contributes == ("source till",)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("till", "yield an instance of a subclass of Source"),
        (Posted(""), "give it a `name`"),
        (Posted("a/b"), "give it a `name`"),
        (Posted(7), "give it a `name`"),
    ],
    ids=["text", "empty", "path", "number"],
)
def test_what_is_no_source_is_refused(item: object, said: str) -> None:
    with pytest.raises(PluginLoadError, match=said):
        registry(one=Sources(item))


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(PluginConflict, match="two plugins contribute source till"):
        registry(one=Sources(Posted("till")), two=Sources(Posted("till")))

"""Guards from the plugin to the decision: settings, the workspace, a bundle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from pydantic import BaseModel

from journeykit import InputError, InvalidJourney
from journeykit.carriers import guards_from, rules_from, rules_of
from journeykit.channels import Channel, Message, Receipt, Sent
from journeykit.engine.asked import Contact
from journeykit.errors import Source
from journeykit.guarding import Asked, Guard, Refused
from journeykit.hookspecs import hookimpl
from journeykit.local.embedded import Embedded
from journeykit.manifest import Manifest
from journeykit.plugins import PluginManager, Registry, plugin_manager
from journeykit.testing import GuardContract, RecordingChannel, make_asked
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of


class Most(msgspec.Struct, frozen=True):
    letters: Annotated[int, msgspec.Meta(ge=1)] = 3
    folder: Path = Path()


class Short(Guard):
    """Refuses names of templates that are too long."""

    name = "short"
    Settings: ClassVar[type[Any] | None] = Most

    def ask(self, asked: Asked) -> Refused | None:
        most: int = self.settings.letters
        long = len(asked.template) > most
        return Refused("too long", {"most": most}) if long else None


class Quiet(Channel):
    """A channel with a rule of its own."""

    name = "quiet"

    def rule(self, asked: Asked) -> Refused | None:
        return Refused("hush")

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Plugin:
    def __init__(self, *guards: Guard) -> None:
        self.guards = guards

    @hookimpl
    def journeykit_guards(self) -> Iterable[Guard]:
        yield from self.guards

    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        yield Quiet()


def registry(*guards: Guard) -> Registry:
    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Plugin(*guards), "own")
    return Registry.from_plugins(manager)


def workspace(folder: Path, settings: str = "", channel: str = "console") -> Workspace:
    (folder / "journeys").mkdir(exist_ok=True)
    (folder / "journeykit.toml").write_text(settings, "utf-8")
    (folder / "journeys" / "j.py").write_text(
        "from journeykit import Journey, Send, on\n"
        f"j = Journey('j', trigger=on('x'), steps=[Send('{channel}', 'hello')])\n",
        "utf-8",
    )
    return Workspace.load(folder)


# --- settings -----------------------------------------------------------------------


def test_a_struct_holds_settings_with_their_defaults() -> None:
    assert Short().configured({}).settings == Most(3)
    assert Short().configured({"letters": 5}).settings == Most(5)


def test_to_set_one_up_changes_no_other() -> None:
    installed = Short()

    installed.configured({"letters": 5})

    assert installed.settings is None


@pytest.mark.parametrize(
    ("settings", "place", "said"),
    [
        ({"letters": "5"}, "short.letters", "Expected `int`, got `str`"),
        ({"letters": 0}, "short.letters", "Expected `int` >= 1"),
        ({"leters": 5}, "short.leters", "no such setting; there are folder, letters"),
    ],
    ids=["type", "bound", "name"],
)
def test_what_a_struct_does_not_allow_is_refused_with_its_place(
    settings: dict[str, object], place: str, said: str
) -> None:
    with pytest.raises(InputError) as failure:
        Short().configured(settings)

    assert failure.value.place == place
    assert said in failure.value.message


def test_settings_may_be_a_model_or_a_dataclass_too() -> None:
    class Model(BaseModel):
        letters: int

    @dataclass
    class Plain:
        letters: int

    for kind in (Model, Plain):

        class Own(Short):
            Settings = kind

        assert Own().configured({"letters": 4}).settings.letters == 4
        with pytest.raises(InputError, match=r"short\.letters"):
            Own().configured({"letters": "four"})


def test_a_channel_with_a_struct_finds_its_paths_at_the_workspace(
    tmp_path: Path,
) -> None:
    class Noted(RecordingChannel):
        Settings = Most

    manager = PluginManager()

    class Own:
        @hookimpl
        def journeykit_channels(self) -> Iterable[Channel]:
            yield Noted("console")

    manager.register(Own(), "own")
    shop = workspace(tmp_path, '[settings.recording]\nfolder = "out"\n')

    channels = shop.channels(Registry.from_plugins(manager))

    assert channels["console"].settings.folder == tmp_path / "out"


# --- the workspace ------------------------------------------------------------------


NAMED = 'guards = ["short"]\n'


def test_guards_are_set_up_as_the_workspace_says(tmp_path: Path) -> None:
    shop = workspace(tmp_path, NAMED + "[settings.short]\nletters = 7\n")

    guards = shop.guards(registry(Short()))

    assert guards["short"].settings == Most(7)


def test_one_that_nobody_names_is_not_asked(tmp_path: Path) -> None:
    shop = workspace(tmp_path)

    assert shop.guards(registry(Short())) == {}
    assert manifest_of(shop, registry(Short())).guards == ()


def test_a_name_that_no_guard_has_is_an_error_with_its_line(tmp_path: Path) -> None:
    shop = workspace(tmp_path, 'name = "x"\nguards = ["shrot"]\n')

    (issue,) = [i for i in shop.check(registry(Short())) if i.level == "error"]

    assert issue.message == "guards: there is no guard 'shrot'; did you mean 'short'?"
    assert issue.source == Source(str(tmp_path / "journeykit.toml"), 2)


def test_one_that_is_set_up_wrongly_is_an_error_with_its_line(tmp_path: Path) -> None:
    shop = workspace(tmp_path, NAMED + "\n[settings.short]\nletters = 0\n")

    (issue,) = [i for i in shop.check(registry(Short())) if i.level == "error"]

    assert issue.message.startswith("settings.short.letters: Expected `int` >= 1")
    assert issue.source == Source(str(tmp_path / "journeykit.toml"), 4)
    with pytest.raises(InvalidJourney, match=r"settings\.short\.letters"):
        shop.guards(registry(Short()))
    with pytest.raises(InvalidJourney, match=r"settings\.short\.letters"):
        shop.catalog(registry(Short()))


def test_settings_of_a_guard_that_is_not_there_are_an_error(tmp_path: Path) -> None:
    shop = workspace(tmp_path, "[settings.shrot]\nletters = 1\n")

    (issue,) = [i for i in shop.check(registry(Short())) if i.level == "error"]

    assert (
        "no such provider, action, guard or score; did you mean 'short'?"
        in issue.message
    )


def test_its_catalog_asks_guards_and_channels(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, NAMED, channel="quiet").catalog(registry(Short()))

    guards = catalog.guards

    assert [name for name, _ in guards._own] == ["short"]
    assert guards.rules_of("quiet").rule is not None


def test_what_runs_on_one_machine_asks_them_too(tmp_path: Path) -> None:
    shop = workspace(tmp_path, NAMED)

    with Embedded.open(shop, registry(Short()), relays=False) as embedded:
        embedded.publish(now=0, note="")

        assert [name for name, _ in embedded.catalog().guards._own] == ["short"]


# --- a bundle -----------------------------------------------------------------------


def test_a_bundle_holds_guards_and_what_is_set_for_them(tmp_path: Path) -> None:
    shop = workspace(tmp_path, NAMED + "[settings.short]\nletters = 7\n")

    manifest = manifest_of(shop, registry(Short()))

    (own,) = [plugin for plugin in manifest.plugins if plugin.name == "own"]
    assert "journeykit_guards" in own.hooks
    assert manifest.settings == {"short": {"letters": 7}}
    assert guards_from(manifest, registry(Short()))["short"].settings == Most(7)


def test_one_that_is_set_up_wrongly_makes_no_bundle(tmp_path: Path) -> None:
    shop = workspace(tmp_path, NAMED + "[settings.short]\nletters = 0\n")

    with pytest.raises(InvalidJourney, match=r"settings\.short\.letters"):
        manifest_of(shop, registry(Short()))


def test_nothing_is_decided_without_a_guard_of_the_bundle() -> None:
    manifest = Manifest(workspace="x", guards=("short",))

    with pytest.raises(InputError, match="guard 'short' is not loaded"):
        guards_from(manifest, registry())


def test_to_set_one_up_loads_no_pydantic() -> None:
    program = """
import sys
import msgspec
from journeykit.carriers import guards_from
from journeykit.guarding import Guard
from journeykit.manifest import Manifest
from journeykit.plugins import Registry, plugin_manager

class Own(Guard):
    name = "own"
    class Settings(msgspec.Struct):
        days: int

    def ask(self, asked):
        return None

registry = Registry.from_plugins(plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"}))
object.__setattr__(registry, "guards", {"own": Own()})
manifest = Manifest(workspace="x", guards=("own",), settings={"own": {"days": 3}})
assert guards_from(manifest, registry)["own"].settings.days == 3
print({"pydantic", "click", "jinja2"} & {*sys.modules})
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert done.stdout == "set()\n", done.stderr


def test_only_a_rule_that_somebody_wrote_is_asked(tmp_path: Path) -> None:
    manifest = Manifest(
        workspace="x", channels={"email": "console", "quiet": "quiet", "fax": "none"}
    )

    rules = rules_from(manifest, registry())

    assert sorted(rules) == ["email", "quiet"]
    assert rules["email"].rule is None
    assert rules["quiet"].rule is not None
    assert rules_of(RecordingChannel()).rule is None


def test_a_rule_that_an_object_brought_along_is_asked_too() -> None:
    channel = RecordingChannel("email")
    channel.rule = lambda asked: Refused("no")  # type: ignore[method-assign]

    rule = rules_of(channel).rule

    assert rule is not None
    assert rule(make_asked()) == Refused("no")


# --- the contract -------------------------------------------------------------------


class TestShort(GuardContract):
    refused: ClassVar = (make_asked(template="hello"),)
    allowed: ClassVar = (make_asked(template="hi"),)
    bad_settings: ClassVar = ({"letters": 0}, {"letter": 1})

    def guard(self) -> Guard:
        return Short().configured({})


class Moody(Short):
    """Answers differently each time."""

    asked = 0

    def ask(self, asked: Asked) -> Refused | None:
        self.asked += 1
        return Refused("odd") if self.asked % 2 else None


class Talkative(Short):
    """Says whom it refuses."""

    def ask(self, asked: Asked) -> Refused | None:
        return Refused(f"not to {asked.address}")


class Trusting(Short):
    """Takes for granted what need not be there."""

    def ask(self, asked: Asked) -> Refused | None:
        return Refused("vip") if asked.profile["vip"] else None


class Vague(Short):
    """Answers with what is no answer."""

    def ask(self, asked: Asked) -> Any:
        return False


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Moody, "test_equal_questions_get_equal_answers"),
        (Talkative, "test_what_it_saw_names_nobody"),
        (Trusting, "test_it_bears_a_customer_of_whom_little_is_known"),
        (Vague, "test_it_lets_go_what_it_has_nothing_against"),
        (Vague, "test_it_refuses_what_it_is_there_for"),
    ],
    ids=["moody", "talkative", "trusting", "vague no", "vague yes"],
)
def test_a_guard_that_breaks_a_promise_fails_the_contract(
    kind: type[Guard], promise: str
) -> None:
    class Contract(GuardContract):
        refused: ClassVar = (make_asked(profile={"vip": True}),)
        allowed: ClassVar = (make_asked(profile={"vip": False}),)

        def guard(self) -> Guard:
            return kind().configured({})

    contract = Contract()

    with pytest.raises(AssertionError):
        getattr(contract, promise)(contract.guard())


def test_a_contract_without_examples_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="give `refused`"):
        GuardContract().test_there_are_examples_of_both_answers()


def test_a_question_has_good_defaults() -> None:
    asked = make_asked(purpose="transactional", profile={"a": 1})

    assert (asked.purpose, asked.contact, dict(asked.profile)) == (
        "transactional",
        Contact(),
        {"a": 1},
    )
    with pytest.raises(TypeError):
        make_asked(color="red")

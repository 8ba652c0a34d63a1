"""A workspace is read whole, and everything that is wrong with it is said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from journeykit import InputError, InvalidJourney, Send
from journeykit.channels import (
    Action,
    ActionCall,
    CallOutcome,
    Channel,
    Completed,
    Message,
    Receipt,
    Sent,
)
from journeykit.errors import Source
from journeykit.hookspecs import hookimpl
from journeykit.links import LinkSettings
from journeykit.model.definition import source_of
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

CART = """
from journeykit import Journey, Send, on

cart = Journey("cart", trigger=on("cart.updated"), steps=[Send("email", "reminder")])
"""
WELCOME = """
id: welcome
trigger: {name: customer.registered}
zone: Asia/Tokyo
steps:
  - {type: send, channel: email, template: hello}
"""
RULES = "consent: [{default: allow}]"
FILES = {
    "journeykit.toml": "",
    "journeys/cart.py": CART,
    "journeys/welcome.yaml": WELCOME,
    "policies.yaml": RULES,
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(files: Mapping[str, str], folder: str = "shop") -> str:
    for name, text in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def problems(files: Mapping[str, str]) -> Sequence[str]:
    with pytest.raises(InvalidJourney) as caught:
        Workspace.load(write(FILES | files))
    return [str(issue) for issue in caught.value.issues]


class Mail(Channel):
    name = "email"
    provider = "post"
    address_attribute = "email"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


def registry(*channels: Channel) -> Registry:
    class Plugin:
        @staticmethod
        @hookimpl
        def journeykit_channels() -> Sequence[Channel]:
            return channels

    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Plugin, "post")
    return Registry.from_plugins(manager)


# What is read


def test_journeys_come_from_python_yaml_and_json_in_the_order_of_their_files() -> None:
    shop = Workspace.load(
        write(
            FILES
            | {
                "journeys/again.json": '{"id": "again", "trigger": {"name": "x"}, "steps": []}',
                "journeys/_draft.py": "this is no Python",
            }
        )
    )

    assert [journey.id for journey in shop.journeys] == ["again", "cart", "welcome"]
    assert shop.journey("cart").steps[0] == Send(
        "email", "reminder", id="send-email-reminder"
    )
    assert shop.path == Path("shop")
    assert shop.name == "shop"


def test_a_definition_names_its_file_as_the_author_would() -> None:
    shop = Workspace.load(write(FILES))

    places = {journey.id: source_of(journey.steps[0]) for journey in shop.journeys}
    assert places == {
        "cart": Source("shop/journeys/cart.py", 4),
        "welcome": Source("shop/journeys/welcome.yaml", 6),
    }


def test_several_journeys_of_a_file_and_in_its_lists_are_found_once() -> None:
    text = f"{CART}\nagain = cart\nmore = [Journey('b', trigger=on('x'), steps=[]), cart]\n"

    shop = Workspace.load(write(FILES | {"journeys/cart.py": text}))

    assert [journey.id for journey in shop.journeys] == ["cart", "b", "welcome"]


def test_what_journeys_share_is_read_from_python_or_yaml() -> None:
    point = "{id: store, stage: retention, channel: store}"
    shop = Workspace.load(
        write(
            FILES
            | {
                "touchpoints.yaml": f"- {point}\n",
                "objectives.py": "from datetime import date\nfrom journeykit import Objective\n"
                "all = [Objective('a', 'kpi', 1, date(2026, 1, 1))]\n",
                "templates/mail/hello.txt": "Hello",
                "templates/bye.html": "Bye",
            }
        )
    )

    assert shop.policies.consent[0].default == "allow"
    assert [touchpoint.id for touchpoint in shop.touchpoints] == ["store"]
    assert [objective.id for objective in shop.objectives] == ["a"]
    assert shop.templates == {"mail/hello", "bye"}


def test_an_empty_workspace_is_one() -> None:
    shop = Workspace.load(write({"journeykit.toml": ""}))

    assert shop.journeys == ()
    assert shop.policies.consent == ()


def test_rules_that_are_missing_are_missed_in_the_file_where_they_would_be() -> None:
    shop = Workspace.load(write({"journeykit.toml": "", "journeys/_later.py": ""}))

    [hint] = shop.check()

    assert hint.source == Source("shop/policies.yaml", 1)


def test_settings_say_name_zone_and_states() -> None:
    settings = 'name = "Shop"\nzone = "Europe/Berlin"\n[states]\ncart = "paused"\n'

    shop = Workspace.load(write(FILES | {"journeykit.toml": settings}))

    assert shop.name == "Shop"
    assert [journey.zone for journey in shop.journeys] == [
        "Europe/Berlin",
        "Asia/Tokyo",
    ]
    assert shop.states == {"cart": "paused"}


def test_settings_say_how_messages_are_made_and_who_tries_them() -> None:
    settings = """
[content]
engine = "liquid"
locale = "de"

[links]
url = "https://post.example.com"
secret = "$LINK_SECRET"
track = true

[seeds]
email = ["me@example.com"]
"""

    shop = Workspace.load(write(FILES | {"journeykit.toml": settings}))

    assert (shop.all_templates().engine, shop.all_templates().locale) == (
        "liquid",
        "de",
    )
    assert shop.links == LinkSettings(
        url="https://post.example.com", secret="$LINK_SECRET", track=True
    )
    assert shop.seeds == {"email": ["me@example.com"]}


def test_seeds_of_a_channel_that_nobody_carries_are_an_error() -> None:
    settings = '[channels]\nemail = "console"\n[seeds]\nemial = ["me@example.com"]\n'
    shop = Workspace.load(write(FILES | {"journeykit.toml": settings}))

    [found] = [
        one
        for one in shop.check(Registry.from_plugins(plugin_manager()))
        if one.message.startswith("seeds")
    ]

    assert found.level == "error"
    assert "seeds.emial: nobody carries channel 'emial'" in found.message
    assert found.source == Source("shop/journeykit.toml", 4)


def test_two_workspaces_may_have_files_of_one_name() -> None:
    other = CART.replace('"cart"', '"other"')

    first = Workspace.load(write(FILES))
    second = Workspace.load(write(FILES | {"journeys/cart.py": other}, "second"))

    assert first.journeys[0].id == "cart"
    assert second.journeys[0].id == "other"


def test_an_unknown_journey_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no journey 'kart'; did you mean 'cart'"):
        Workspace.load(write(FILES)).journey("kart")


# What is wrong


def test_a_folder_without_settings_is_no_workspace() -> None:
    with pytest.raises(
        InputError, match=r"shop: is no folder, .* `journeykit init shop`"
    ):
        Workspace.load("shop")
    Path("shop").mkdir()
    with pytest.raises(InputError, match=r"shop: has no journeykit\.toml"):
        Workspace.load("shop")


def test_the_problems_of_all_files_come_at_once() -> None:
    found = problems(
        {
            "journeykit.toml": "nmae = 1",
            "journeys/cart.py": "x = 1\nraise RuntimeError('no')",
            "journeys/welcome.yaml": "id: a\nsteps: []",
            "policies.yaml": "caps: [{limt: 3}]",
        }
    )

    assert found == [
        "shop/journeykit.toml:1: 'nmae' is not a key; did you mean 'name'?",
        "shop/journeys/cart.py:2: RuntimeError: no",
        "shop/journeys/welcome.yaml:1:1: journey needs 'trigger'",
        (
            "shop/policies.yaml:1:9: caps.0.limt: 'limt' is not a field of cap; "
            "did you mean 'limit'?"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def f(:", "cart.py:1: invalid syntax: def f(:"),
        ("import nothing_such", "cart.py:1: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "cart.py:1: SystemExit: 3"),
        ("def f():\n    1 / 0\n\nf()", "cart.py:2: ZeroDivisionError"),
        ("from journeykit import Wait\nWait('x')", "cart.py:2: Wait.due"),
        ("x = 1", "cart.py: there is no Journey at the top level"),
        ("\0", "cart.py: "),
    ],
)
def test_a_python_file_that_fails_is_named_with_its_line(
    text: str, problem: str
) -> None:
    [found] = problems({"journeys/cart.py": text})

    assert found.startswith(f"shop/journeys/{problem}"), found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = ", "journeykit.toml:1: not TOML: Invalid value"),
        ("name = 5", "journeykit.toml:1: name: is text, not 5"),
        ('zone = "Mars"', "journeykit.toml:1: zone: unknown time zone 'Mars'"),
        ("states = 5", "journeykit.toml:1: states: is a table; write [states]"),
        (
            '[states]\ncart = "off"',
            "journeykit.toml:2: states.cart: 'off' is no state; there is",
        ),
        (
            '[states]\nkart = "live"',
            "journeykit.toml:2: states: there is no journey 'kart'; did",
        ),
        ("[channels]\nemail = 5", "journeykit.toml:2: channels.email: is text, not 5"),
        ("[settings]\nfile = 5", "journeykit.toml:2: settings.file: is a table; write"),
        ('name = "a"\nchannels.email = 4', "journeykit.toml:2: channels.email: is"),
        ('[channels]\nx = "y"\n\n[stats]', "journeykit.toml:4: 'stats' is not a key"),
        (
            '[content]\nengin = "jinja"',
            "journeykit.toml:2: content.engin: is not a key; did you mean 'engine'?",
        ),
        (
            '[content]\nlocale = "german!"',
            "journeykit.toml:2: content.locale: 'german!' is no locale",
        ),
        ("[content]\nengine = 5", "journeykit.toml:2: content.engine: is text, not 5"),
        (
            '[links]\nurl = "https://x.example"',
            "journeykit.toml:1: links.secret: is missing",
        ),
        (
            '[links]\nsecret = "$S"\nurl = "https://x.example"\ntrak = true',
            "journeykit.toml:4: links.trak: there is no such key; did you mean 'track'?",
        ),
        ("links = 5", "journeykit.toml:1: links: is a table; write [links]"),
        (
            '[seeds]\nemail = "me@example.com"',
            "journeykit.toml:2: seeds.email: is a list of addresses",
        ),
        (
            '[seeds]\nemail = ["me@example.com", ""]',
            "journeykit.toml:2: seeds.email: is a list of addresses",
        ),
    ],
)
def test_settings_are_strict(text: str, problem: str) -> None:
    [found] = problems({"journeykit.toml": text})

    assert found.startswith(f"shop/{problem}"), found


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"journeys/notes.txt": ""},
            "shop/journeys/notes.txt: is neither .py nor .yaml",
        ),
        (
            {"policies.py": ""},
            "shop: there are policies.py and policies.yaml; keep one",
        ),
        (
            {"touchpoints.yaml": "id: x"},
            "shop/touchpoints.yaml:1:1: must be a list, not a mapping",
        ),
        (
            {"touchpoints.yaml": "- {id: x, stage: y, channel: z}"},
            "shop/touchpoints.yaml:1:18: 0.stage: must be 'awareness'",
        ),
        (
            {"schemas.py": "events = 5"},
            "shop/schemas.py: `events` holds a pydantic model",
        ),
        (
            {"schemas.py": "profile = 5"},
            "shop/schemas.py: `profile` is a pydantic model",
        ),
    ],
)
def test_other_files_are_as_strict(files: dict[str, str], problem: str) -> None:
    found = problems(files)

    assert found[0].startswith(problem), found


def test_two_policies_in_one_file_are_one_too_many() -> None:
    text = "from journeykit import Policies\na = Policies()\nb = Policies()\n"
    Path("shop").mkdir()
    files = {**FILES, "policies.py": text}
    del files["policies.yaml"]

    with pytest.raises(InvalidJourney, match="there are 2 Policies at the top level"):
        Workspace.load(write(files))


# Channels


def test_check_knows_the_channels_of_plugins_and_of_the_settings() -> None:
    plain = Workspace.load(write(FILES))
    console = Workspace.load(
        write(FILES | {"journeykit.toml": '[channels]\nemail = "console"'}, "second")
    )

    [issue, _] = plain.check(registry())
    assert issue.message.startswith("nobody carries channel 'email'; ")
    assert issue.source == Source("shop/journeys/cart.py", 4)
    assert not plain.check(registry(Mail()))
    assert not console.check(registry())
    assert not plain.check()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (
            '[channels]\nemail = "nobody"',
            2,
            "channels.email: no installed plugin provides",
        ),
        (
            "[settings.nobody]\nx = 1",
            1,
            "settings.nobody: there is no such provider, action, guard or score",
        ),
        (
            '[channels]\nemail = "file"\n[settings.file]\npfad = "x"',
            4,
            "settings.file.pfad: ",
        ),
    ],
)
def test_check_finds_providers_that_are_missing_or_set_up_wrongly(
    text: str, line: int, problem: str
) -> None:
    shop = Workspace.load(write(FILES | {"journeykit.toml": text}))

    issues = [issue for issue in shop.check(registry(Mail())) if issue.level == "error"]

    assert issues[0].message.startswith(problem)
    assert issues[0].source == Source("shop/journeykit.toml", line)


def test_settings_that_are_not_utf_8_say_so() -> None:
    Path(write(FILES), "journeykit.toml").write_bytes(b'name = "\xe4"')

    with pytest.raises(InvalidJourney, match="not UTF-8 at byte 8; save it as UTF-8"):
        Workspace.load("shop")


def test_two_journeys_of_one_id_are_refused_with_both_places() -> None:
    again = "from journeykit import Journey, on\n"
    again += "again = Journey('cart', trigger=on('x'), steps=[])\n"

    [found] = problems({"journeys/later.py": again})

    assert found.startswith("shop/journeys/later.py:2: two journeys have the id 'cart'")
    assert "first at shop/journeys/cart.py:" in found


def test_steps_of_one_id_are_each_named_with_their_line() -> None:
    python = "from journeykit import Exit, Journey, on\n\n"
    python += "a = Journey('a', trigger=on('x'), steps=[\n"
    python += "    Exit(id='x'),\n    Exit(id='x'),\n])\n"
    text = "id: b\ntrigger: {name: x}\nsteps:\n"
    text += "  - {type: exit, id: y}\n  - {type: exit, id: y}\n"

    found = problems({"journeys/a.py": python, "journeys/b.yaml": text})

    assert found == [
        "shop/journeys/a.py:4: step id 'x' is used twice; rename one",
        "shop/journeys/a.py:5: step id 'x' is used twice; rename one",
        "shop/journeys/b.yaml:4:22: steps.0.id: step id 'y' is used twice; rename one",
        "shop/journeys/b.yaml:5:22: steps.1.id: step id 'y' is used twice; rename one",
    ]


def test_what_a_file_prints_does_not_stand_in_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Workspace.load(write(FILES | {"touchpoints.py": "print('here')"}))

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "here\n")


def test_a_workspace_without_a_folder_of_journeys_is_warned_of() -> None:
    shop = Workspace.load(write({"journeykit.toml": ""}))

    [warning] = [issue for issue in shop.check() if issue.level == "warning"]

    assert "there is no folder journeys/" in warning.message


def test_journeys_that_are_no_folder_are_refused() -> None:
    with pytest.raises(InvalidJourney, match="shop/journeys: can't be read: Not a dir"):
        Workspace.load(write({"journeykit.toml": "", "journeys": ""}))


def test_a_channel_that_nobody_carries_is_said_where_it_is_sent_by() -> None:
    plain = Workspace.load(write(FILES))

    with pytest.raises(InvalidJourney) as caught:
        plain.channels(registry())

    assert str(caught.value).startswith("shop/journeys/cart.py:4: nobody carries")
    assert str(caught.value).endswith('[channels]: email = "console"')


def test_two_providers_of_a_channel_want_a_choice() -> None:
    other = Mail()
    other.provider = "other"
    plain = Workspace.load(write(FILES))
    chosen = Workspace.load(
        write(FILES | {"journeykit.toml": '[channels]\nemail = "post"'}, "second")
    )

    assert 'write email = "…"' in plain.check(registry(Mail(), other))[0].message
    assert chosen.channels(registry(Mail(), other))["email"].provider == "post"


def test_the_catalog_addresses_people_as_the_plugin_says() -> None:
    shop = Workspace.load(
        write(FILES | {"journeykit.toml": '[states]\ncart = "paused"'})
    )

    catalog = shop.catalog(registry(Mail()), revision=7)

    rules = catalog.guards.rules_of("email")
    assert rules.address({"email": "a@b.c"}, "ada") == "a@b.c"
    assert rules.address({}, "ada") is None
    assert catalog.revision == 7
    assert catalog.state_of("cart") == "paused"


def test_no_catalog_is_made_while_a_channel_is_missing() -> None:
    with pytest.raises(InvalidJourney, match="nobody carries channel 'email'"):
        Workspace.load(write(FILES)).catalog(registry())


def test_declared_schemas_are_checked() -> None:
    schemas = (
        "from pydantic import BaseModel\n"
        "class Cart(BaseModel):\n    total: float\n"
        "events = {'cart.updated': Cart}\n"
    )
    cart = CART.replace("import Journey", "import event, Journey").replace(
        'on("cart.updated")', 'on("cart.updated", where=event.totl > 1)'
    )
    shop = Workspace.load(
        write(FILES | {"schemas.py": schemas, "journeys/cart.py": cart})
    )

    [issue] = shop.check(registry(Mail()))

    assert "'Cart' has no field 'totl'; did you mean 'total'?" in issue.message


def test_a_path_in_the_settings_is_relative_to_the_workspace() -> None:
    settings = '[channels]\nemail = "file"\n[settings.file]\npath = "sent.jsonl"'
    shop = Workspace.load(write(FILES | {"journeykit.toml": settings}))
    usual = Workspace.load(
        write(FILES | {"journeykit.toml": '[channels]\nemail = "file"'}, "usual")
    )
    installed = registry()

    assert shop.channels(installed)["email"].settings.path == Path("shop/sent.jsonl")
    assert usual.channels(installed)["email"].settings.path == Path(
        "usual/messages.jsonl"
    )
    # The installed channel is everybody's and stays as it was.
    assert installed.channel("email", "file").settings.path == Path("messages.jsonl")


def test_an_absolute_path_in_the_settings_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    settings = f"[channels]\nemail = \"file\"\n[settings.file]\npath = '{path}'"

    shop = Workspace.load(write(FILES | {"journeykit.toml": settings}))

    assert shop.channels(registry())["email"].settings.path == path


def test_a_template_without_a_file_is_hinted_at_where_there_are_templates() -> None:
    templates = {
        "templates/remainder.txt": "You left something",
        "templates/hello.txt": "",
    }
    shop = Workspace.load(write(FILES | templates))
    elsewhere = Workspace.load(write(FILES, "elsewhere"))

    [issue] = shop.check(registry(Mail()))

    assert issue.level == "hint"
    assert issue.message == (
        "there is no file of template 'reminder' in templates/; "
        "did you mean 'remainder'?"
    )
    assert issue.source == Source("shop/journeys/cart.py", 4)
    assert not elsewhere.check(registry(Mail()))


class ModelSettings(BaseModel):
    path: Path = Path("key.pem")
    region: str = "eu"


@dataclass(frozen=True, slots=True)
class SlottedSettings:
    path: Path = Path("key.pem")
    region: str = "eu"


@pytest.mark.parametrize("settings", [ModelSettings, SlottedSettings])
def test_paths_are_relative_to_the_workspace_in_whatever_settings_are_made_of(
    settings: type[ModelSettings | SlottedSettings],
) -> None:
    class Keyed(Mail):
        Settings = settings

    shop = Workspace.load(write(FILES))

    own = shop.channels(registry(Keyed()))["email"].settings

    assert own == settings(path=Path("shop/key.pem"))


# Actions


class Greet(Action):
    name = "greet"

    @dataclass
    class Settings:
        __pydantic_config__: ClassVar = {"extra": "forbid"}

        word: str
        card: Path = Path("card.txt")

    settings: Settings

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id) for call in calls]


class Plain(Action):
    name = "plain"

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [Completed(call.call_id) for call in calls]


CALLS = """
from journeykit import Call, Journey, on

greet = Journey("greet", trigger=on("customer.registered"), steps=[Call("greet")])
"""


def acting(*actions: Action) -> Registry:
    class Plugin:
        @staticmethod
        @hookimpl
        def journeykit_actions() -> Sequence[Action]:
            return actions

    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Plugin, "acting")
    return Registry.from_plugins(manager)


def calling(settings: str, folder: str = "shop") -> Workspace:
    files = {"journeykit.toml": settings, "journeys/greet.py": CALLS}
    return Workspace.load(write({"policies.yaml": RULES, **files}, folder))


def test_an_action_is_set_up_by_its_name() -> None:
    shop = calling('[settings.greet]\nword = "Hello"')

    actions = shop.actions(acting(Greet()))

    assert actions["greet"].settings == Greet.Settings("Hello", Path("shop/card.txt"))
    assert not shop.check(acting(Greet()))


def test_what_the_runtime_sets_in_an_action_stays_with_one_workspace() -> None:
    registry = acting(Plain(), Greet())

    mine = calling('[settings.greet]\nword = "Hello"').actions(registry)

    assert mine["plain"] is not registry.action("plain")


def test_an_action_that_no_journey_calls_is_there_if_it_is_set_up() -> None:
    shop = Workspace.load(write(FILES))

    actions = shop.actions(acting(Plain(), Greet()))

    assert sorted(actions) == ["claim", "plain"]
    assert not [i for i in shop.check(acting(Greet())) if "greet" in i.message]


@pytest.mark.parametrize(
    ("settings", "line", "problem"),
    [
        ("", 1, "settings.greet.word: Field required"),
        (
            "[settings.greet]\nwrod = 'Hello'",
            2,
            "settings.greet.wrod: Unexpected keyword argument; did you mean 'word'?",
        ),
        (
            "[settings.greet]\nword = 'Hello'\nx = 1",
            3,
            "settings.greet.x: Unexpected keyword argument",
        ),
    ],
)
def test_an_action_that_is_set_up_wrongly_is_found_before_it_is_called(
    settings: str, line: int, problem: str
) -> None:
    shop = calling(settings)

    [issue] = shop.check(acting(Greet()))

    assert issue.message == problem
    assert issue.source == Source("shop/journeykit.toml", line)
    with pytest.raises(InvalidJourney, match=problem):
        shop.actions(acting(Greet()))


def test_an_action_that_nobody_provides_is_said_where_it_is_called() -> None:
    shop = calling("")

    with pytest.raises(InvalidJourney) as caught:
        shop.actions(acting(Plain()))

    assert str(caught.value).startswith(
        "shop/journeys/greet.py:4: nobody provides action 'greet'; "
    )
    [issue] = shop.check(acting(Plain()))
    assert "calls action 'greet' but no installed plugin provides it" in issue.message
    assert not shop.check()

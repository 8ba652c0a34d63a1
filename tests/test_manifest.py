"""A bundle's manifest: what is written when it is built is what a function works with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from journeykit.carriers import actions_from, channels_from, rules_from, scores_from
from journeykit.errors import InputError, PluginConflict, PluginLoadError
from journeykit.hookspecs import hookimpl
from journeykit.manifest import SCHEMA, Manifest, PluginEntry
from journeykit.plugins import Registry, plugin_manager, plugin_manager_from
from journeykit.scoring import Features, Score
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of
from journeykit.workspace.scores import ScoreSettings

DATA = Path(__file__).parent / "plugins" / "data"
SETTINGS = """
name = "Shop"
loggable = ["event.total"]

[channels]
email = "file"
note = "console"

[settings.file]
path = "out/messages.jsonl"
"""
JOURNEY = """
from journeykit import Call, Journey, Send, on

journey = Journey(
    id="greet", trigger=on("signed.up"), steps=[Call("cheer"), Send("email", "hello")]
)
"""

Install = Callable[..., Registry]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put distributions of tests/plugins/data on the path, and load just these."""

    def load(*folders: str) -> Registry:
        for folder in folders:
            monkeypatch.syspath_prepend(DATA / folder)
        wanted = ",".join(folders) or "none"
        return Registry.from_plugins(
            plugin_manager(environ={"JOURNEYKIT_PLUGINS": wanted})
        )

    return load


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    folder = tmp_path / "shop"
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeykit.toml").write_text(SETTINGS, "utf-8")
    (folder / "journeys" / "greet.py").write_text(JOURNEY, "utf-8")
    return Workspace.load(folder)


def test_a_manifest_names_all_that_can_be_carried_and_done(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))

    assert manifest.workspace == "Shop"
    assert manifest.loggable == ("event.total",)
    # Also what no journey names today: publishing one that does is no deployment.
    assert manifest.channels == {
        "console": "console",
        "email": "file",
        "file": "file",
        "note": "console",
        "shout": "shout",
    }
    assert manifest.actions == ("cheer", "claim")
    assert manifest.settings == {"file": {"path": "out/messages.jsonl"}}


def test_a_manifest_names_plugins_with_what_is_imported(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))

    found = {plugin.name: plugin for plugin in manifest.plugins}
    # Nobody can ask a function for the numbers of `metrics`.
    assert list(found) == ["claim", "console", "file", "jinja", "shout"]
    assert found["claim"].value == "journeykit.builtin.claim"
    assert found["claim"].distribution == "journeykit"
    assert manifest.release == found["claim"].version
    assert found["shout"] == PluginEntry(
        name="shout",
        value="journeykit_shout",
        distribution="journeykit-shout",
        version="1.2",
        hooks=(
            "journeykit_actions",
            "journeykit_after_delivery",
            "journeykit_after_reaction",
            "journeykit_channels",
            "journeykit_cli",
            "journeykit_guards",
            "journeykit_scores",
            "journeykit_sources",
            "journeykit_template_engines",
        ),
    )


def test_a_manifest_that_was_written_reads_the_same(
    shop: Workspace, install: Install, tmp_path: Path
) -> None:
    manifest = manifest_of(shop, install("shout"))

    manifest.write(tmp_path / "manifest.json")
    manifest.write(tmp_path / "again.json")

    assert Manifest.read(tmp_path / "manifest.json") == manifest
    first = (tmp_path / "manifest.json").read_bytes()
    assert (tmp_path / "again.json").read_bytes() == first
    assert first.endswith(b"}\n")


def test_a_manifest_gives_the_registry_that_looking_gives(
    shop: Workspace, install: Install
) -> None:
    looked = install("shout")

    read = Registry.from_manifest(manifest_of(shop, looked), environ={})

    assert read.channels.keys() == looked.channels.keys()
    assert read.actions.keys() == looked.actions.keys()
    assert [p for p in looked.plugins if p.name != "metrics"] == list(read.plugins)
    assert read.observers.want_reactions
    assert read.observers.want_deliveries


def test_a_function_loads_only_plugins_that_it_asks_for(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))

    acting = plugin_manager_from(manifest, hooks={"journeykit_actions"}, environ={})

    names = [name for name, _ in acting.list_name_plugin()]
    assert names == ["claim", "shout"]


def test_an_operator_may_leave_a_plugin_of_a_bundle_out(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))

    registry = Registry.from_manifest(manifest, environ={"JOURNEYKIT_PLUGINS": "none"})

    assert "shout" not in rules_from(manifest, registry)
    assert "shout" not in channels_from(manifest, registry, folder=Path())
    assert sorted(actions_from(manifest, registry, folder=Path())) == ["claim"]


def test_a_plugin_that_a_bundle_does_not_have_is_refused(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))

    with pytest.raises(PluginLoadError, match="names 'shuot', which is not installed"):
        Registry.from_manifest(manifest, environ={"JOURNEYKIT_PLUGINS": "shuot"})


def test_a_plugin_that_fails_is_named_with_its_distribution() -> None:
    broken = PluginEntry(
        name="gone", value="nowhere", distribution="journeykit-gone", version="1.0"
    )
    manifest = Manifest(workspace="shop", plugins=(broken,))

    with pytest.raises(PluginLoadError) as caught:
        Registry.from_manifest(manifest, environ={})

    assert str(caught.value).startswith(
        "plugin 'gone' (journeykit-gone 1.0) can't be loaded: ModuleNotFoundError"
    )


def test_two_plugins_of_one_name_are_refused(install: Install, shop: Workspace) -> None:
    (shout,) = (
        p for p in manifest_of(shop, install("shout")).plugins if p.name == "shout"
    )
    manifest = Manifest(workspace="shop", plugins=(shout, shout))

    with pytest.raises(PluginConflict, match="two plugins are named 'shout'"):
        Registry.from_manifest(manifest, environ={})


def test_relative_paths_begin_at_the_bundle(shop: Workspace, install: Install) -> None:
    manifest = manifest_of(shop, install("shout"))
    registry = Registry.from_manifest(manifest, environ={})

    channels = channels_from(manifest, registry, folder=Path("/var/task"))

    assert channels["email"].settings.path == Path("/var/task/out/messages.jsonl")
    assert sorted(channels) == sorted(manifest.channels)


def test_rules_find_addresses_as_the_channels_do(
    shop: Workspace, install: Install
) -> None:
    manifest = manifest_of(shop, install("shout"))
    registry = Registry.from_manifest(manifest, environ={})

    rules = rules_from(manifest, registry)

    assert sorted(rules) == sorted(manifest.channels)
    assert rules["shout"].address({}, "ada") == "ada"


def test_settings_that_are_wrong_in_the_bundle_are_refused(
    shop: Workspace, install: Install
) -> None:
    manifest = msgspec.structs.replace(
        manifest_of(shop, install("shout")), settings={"file": {"pth": "x"}}
    )
    registry = Registry.from_manifest(manifest, environ={})

    with pytest.raises(InputError, match=r"file\.pth"):
        channels_from(manifest, registry, folder=Path())


def test_a_manifest_that_is_not_there_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`journeykit build` writes it"):
        Manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"workspace": 1}', b"\xff"], ids=range(4)
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(text)

    with pytest.raises(InputError, match=r"is no manifest .*; build the bundle again"):
        Manifest.read(path)


def test_a_manifest_of_a_later_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    Manifest(workspace="shop", release="9.0", schema=SCHEMA + 1).write(path)

    with pytest.raises(InputError, match=r"a later release \(9.0\) wrote it"):
        Manifest.read(path)


def test_what_decides_needs_neither_pydantic_nor_click(
    shop: Workspace, install: Install, tmp_path: Path
) -> None:
    manifest = manifest_of(shop, install("shout"))
    own = tuple(p for p in manifest.plugins if p.name != "shout")  # it imports click
    msgspec.structs.replace(manifest, plugins=own).write(tmp_path / "manifest.json")
    code = """
import sys
from journeykit.carriers import rules_from
from journeykit.hookspecs import hookimpl
from journeykit.manifest import Manifest
from journeykit.plugins import Registry

manifest = Manifest.read(sys.argv[1])
registry = Registry.from_manifest(
    manifest, hooks={"journeykit_channels", "journeykit_after_reaction"}, environ={}
)
assert rules_from(manifest, registry)
print({"pydantic", "click", "boto3", "journeykit.workspace"} & {*sys.modules})
"""

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "manifest.json")],
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.stdout == "set()\n", done.stderr


def test_the_scores_that_the_workspace_names_go_along(tmp_path: Path) -> None:
    class Churn(Score):
        name = "churn"

        def score(self, features: Features) -> float:
            return 0.5

    class Models:
        @hookimpl
        def journeykit_scores(self) -> Iterator[Score]:
            yield Churn()

    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Models(), "models")
    registry = Registry.from_plugins(manager)
    named = ScoreSettings(run=("churn",))
    workspace = Workspace(path=tmp_path, name="shop", scored_by=named)

    manifest = manifest_of(workspace, registry)

    assert manifest.scores == ("churn",)
    assert [*scores_from(manifest, registry)] == ["churn"]
    assert "models" in [plugin.name for plugin in manifest.plugins]

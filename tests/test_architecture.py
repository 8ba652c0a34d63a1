"""The house plan holds: who imports whom, what loads when, what the core may call."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from journeykit.hookspecs import PROJECT

ROOT = Path(__file__).parents[1]
PLUGINS = {path.name for path in ROOT.glob("plugins/*/src/journeykit_*")}
PUBLIC_TO_PLUGINS = {
    f"journeykit.{name}"
    for name in (
        *("__init__", "amazon", "channels", "content", "credentials", "errors"),
        *("guarding", "happened", "hookspecs", "links", "media", "meta", "network"),
        *("scoring", "sns", "sources", "testing", "transport"),
    )
}


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, cwd=ROOT, check=False
    )


def modules_loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = run(sys.executable, "-I", "-c", code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_import_contract_holds() -> None:
    # In a process of its own: import-linter disables every logger of the one it runs in.
    linter = Path(sys.executable).with_name("lint-imports")

    done = run(str(linter), "--no-cache")

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_is_public_to_plugins_or_is_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linter = project["tool"]["importlinter"]
    [contract] = [c for c in linter["contracts"] if c["type"] == "protected"]

    found = {
        f"journeykit.{path.stem}"
        for path in (ROOT / "sdk" / "journeykit").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert found - {*contract["protected_modules"]} == PUBLIC_TO_PLUGINS
    assert {*linter["root_packages"]} == {
        "journeykit",
        "journeykit_handlers",
        *PLUGINS,
    }


@pytest.mark.parametrize(
    "module",
    [
        "boto3",
        "h11",
        "http.client",
        "httpx",
        "jinja2",
        "liquid",
        "pydantic",
        "requests",
        "ruamel.yaml",
        "urllib.request",
        "urllib3",
    ],
)
def test_importing_journeykit_loads_nothing_heavy(module: str) -> None:
    loaded = modules_loaded_by("import journeykit")

    assert "journeykit" in loaded
    assert module not in loaded


DECIDING = """
import sys
from datetime import UTC, datetime
from journeykit.carriers import rules_of
from journeykit.guarding import Asked, Contact
from journeykit.plugins import Registry, plugin_manager

registry = Registry.from_plugins(plugin_manager())
now = datetime(2026, 3, 2, 9, tzinfo=UTC)
for address in ("+4917012345678", "Ada@example.com"):
    for channel in registry.channels.values():
        profile = {name: address for name in ("email", "phone", channel.address_attribute)}
        rules = rules_of(channel)
        rules.address(profile, "c1")
        rules.normalize(address)
        asked = Asked(
            "c1", now, now, "UTC", "welcome", "send", channel.name, address, "welcome", "",
            "marketing", profile, Contact(), channel.facts({"welcome": {"text": "Hello"}}),
        )
        channel.rule(asked)
        for guard in registry.guards.values():
            guard.configured({}).ask(asked)
print(*(plugin.name for plugin in registry.plugins), "-", *sys.modules)
"""


@pytest.mark.parametrize(
    "plugin", sorted(found.name for found in entry_points(group=PROJECT))
)
def test_deciding_loads_nothing_heavy_of_a_plugin(plugin: str) -> None:
    # The functions that only decide load every plugin, at each cold start.
    done = subprocess.run(
        [sys.executable, "-I", "-c", DECIDING],
        env={**os.environ, "JOURNEYKIT_PLUGINS": plugin},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    plugins, _, loaded = done.stdout.partition(" - ")
    assert plugin in plugins.split()
    heavy = {
        *("boto3", "botocore", "cryptography", "css_inline", "jinja2", "jwt", "liquid"),
        *("phonenumbers", "pydantic", "pydantic_core", "urllib3"),
    }
    assert not heavy & {*loaded.split()}


def test_importing_the_engine_loads_no_pydantic() -> None:
    loaded = modules_loaded_by("import journeykit.engine.react")

    assert "journeykit.engine.react" in loaded
    assert not {"pydantic", "pydantic_core"} & loaded


def test_the_packages_of_the_core_import_nothing_by_themselves() -> None:
    before = modules_loaded_by("import journeykit")

    loaded = modules_loaded_by("import journeykit.engine, journeykit.model") - before

    assert loaded == {"journeykit.engine", "journeykit.model"}


@pytest.mark.parametrize("package", ["engine", "model"])
@pytest.mark.parametrize(
    "call",
    ["datetime.datetime.now(datetime.UTC)", "datetime.date.today()", "uuid.uuid4()"],
)
def test_the_linter_refuses_clock_and_randomness_in_the_core(
    package: str, call: str
) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    module = f"import datetime\nimport uuid\n\n{call}\n"

    done = run(
        *(str(ruff), "check", "--no-cache", "--select", "TID251"),
        *("--stdin-filename", f"sdk/journeykit/{package}/anything.py", "-"),
        stdin=module,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "TID251" in done.stdout


@pytest.mark.parametrize("package", ["engine", "model"])
def test_the_core_keeps_the_rules_of_the_whole_tree(package: str) -> None:
    ruff = Path(sys.executable).with_name("ruff")

    done = run(
        *(str(ruff), "check", "--no-cache"),
        *("--stdin-filename", f"sdk/journeykit/{package}/anything.py", "-"),
        stdin="from .. import errors\n",
    )

    assert "TID252" in done.stdout  # relative import
    assert "D100" in done.stdout  # no docstring

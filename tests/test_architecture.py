"""The house plan holds: who imports whom, what loads when, what the core may call."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = {path.name for path in ROOT.glob("plugins/*/src/journeykit_*")}
PUBLIC_TO_PLUGINS = {
    f"journeykit.{name}"
    for name in (
        *("__init__", "channels", "credentials", "errors", "happened", "hookspecs"),
        *("network", "testing", "transport"),
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

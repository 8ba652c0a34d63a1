"""What is installed is what is locked, and what is shipped is what is meant."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
EDITABLE = {".", "handlers", *(f"plugins/{plugin.name}" for plugin in PLUGINS)}


@pytest.fixture(scope="module")
def lock() -> dict[str, Any]:
    return tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and sdist without a network."""
    return built(ROOT, tmp_path_factory.mktemp("dist"))


def built(project: Path, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        capture_output=True,
        text=True,
        cwd=project,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pip_installs_exactly_what_uv_locked(lock: dict[str, Any]) -> None:
    exported = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([^ \n]+)", exported, re.MULTILINE)
    locked = {
        (package["name"], package["version"])
        for package in lock["package"]
        if "editable" not in package["source"]
    }

    assert set(pins) == locked, "run `make lock`"
    editable = re.findall(r"^-e (?:\./)?(.+)$", exported, re.MULTILINE)
    assert set(editable) == EDITABLE


def test_the_lock_names_the_public_index_and_nothing_else(lock: dict[str, Any]) -> None:
    for package in lock["package"]:
        source = package["source"]
        assert source == {"registry": "https://pypi.org/simple"} or (
            source.keys() == {"editable"} and source["editable"] in EDITABLE
        )

        for file in [*package.get("wheels", ()), package.get("sdist")]:
            if file is not None:
                assert file["url"].startswith(
                    "https://files.pythonhosted.org/packages/"
                )
                assert file["hash"].startswith("sha256:")


def test_the_exported_requirements_name_no_index_and_no_path() -> None:
    exported = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")

    assert "://" not in exported
    assert " @ " not in exported
    assert "--" not in exported


def test_the_lock_was_made_for_these_dependencies(lock: dict[str, Any]) -> None:
    (package,) = (p for p in lock["package"] if p["name"] == "journeykit")
    locked = {
        f"{requirement['name']}{requirement['specifier']}"
        for requirement in package["metadata"]["requires-dist"]
        if "marker" not in requirement
    }

    declared = {d.replace(".yaml", "-yaml") for d in PROJECT["dependencies"]}

    assert declared == locked, "run `make lock`"


def test_the_wheel_holds_the_package_and_no_linter_settings(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    metadata = f"journeykit-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"journeykit", metadata}
    assert "journeykit/py.typed" in names
    assert f"{metadata}/licenses/LICENSE" in names
    assert not [name for name in names if name.endswith("ruff.toml")]


def test_the_wheel_holds_the_templates_where_they_are_looked_for(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    templates = {path.name for path in (ROOT / "infra").glob("*.yaml")}

    with zipfile.ZipFile(wheel) as archive:
        folder = "journeykit/aws/infra/"
        names = {name for name in archive.namelist() if name.startswith(folder)}

    assert names == {f"{folder}{name}" for name in (*templates, "samconfig.toml")}
    assert (ROOT / "sdk" / folder).parent.is_dir()  # beside aws/templates.py


def test_the_source_distribution_holds_nothing_but_the_sdk_and_the_templates(
    dist: Path,
) -> None:
    (sdist,) = dist.glob("*.tar.gz")

    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}

    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "infra",  # the wheel that is built of it holds the templates, too
        "sdk",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "PKG-INFO",
        ".gitignore",
    }


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_the_wheel_of_a_plugin_holds_its_module_and_is_found(
    plugin: Path, tmp_path: Path
) -> None:
    declared = tomllib.loads((plugin / "pyproject.toml").read_text("utf-8"))["project"]
    module = declared["name"].replace("-", "_")

    (wheel,) = built(plugin, tmp_path).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = f"{module}-{declared['version']}.dist-info"
        found = archive.read(f"{metadata}/entry_points.txt").decode()

    assert {name.split("/")[0] for name in names} == {module, metadata}
    assert f"{module}/py.typed" in names
    assert found.startswith("[journeykit]\n")
    assert importlib.metadata.version(declared["name"]) == declared["version"]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_everything_a_plugin_imports_is_declared(plugin: Path) -> None:
    declared = tomllib.loads((plugin / "pyproject.toml").read_text("utf-8"))["project"]
    names = {normalized(re.split(r"[^\w.-]", d)[0]) for d in declared["dependencies"]}
    own = declared["name"].replace("-", "_")

    owners = importlib.metadata.packages_distributions()
    imported = {
        normalized(owners.get(top, [top])[0])
        for path in (plugin / "src").rglob("*.py")
        for top in imports(path) - sys.stdlib_module_names - {own}
    }

    assert "journeykit" in imported
    assert imported <= names


def test_everything_the_package_imports_is_declared() -> None:
    extras = chain.from_iterable(PROJECT["optional-dependencies"].values())
    names = [re.split(r"[^\w.-]", d)[0] for d in [*PROJECT["dependencies"], *extras]]
    # boto3 pins botocore, pydantic pydantic-core; pytest is needed only where it loads our
    # plugin. The types of AWS's clients are for mypy alone.
    others = ["botocore", "pydantic-core", "pytest"]
    declared = {normalized(name) for name in [*names, *others]}

    owners = importlib.metadata.packages_distributions()
    imported = {
        normalized(owners[top][0])
        for path in (ROOT / "sdk").rglob("*.py")
        for top in imports(path) - sys.stdlib_module_names - {"journeykit"}
        if not top.startswith("mypy_boto3_")
    }

    assert "pluggy" in imported
    assert imported <= declared


def normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imports(path: Path) -> set[str]:
    """Return the top-level names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.slow  # it asks a package index
def test_the_wheel_alone_runs_in_an_empty_environment(
    dist: Path, tmp_path: Path
) -> None:
    (wheel,) = dist.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"

    for command in (
        f"{programs}/python -m pip install --quiet {wheel}",
        f"{programs}/journeykit init shop",
        f"cd shop && {programs}/journeykit check",
    ):
        done = subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

"""`journeykit init --plugin` writes a package that installs and passes its tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group

KINDS = ["channel", "action"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")


def journeykit(*args: str) -> Result:
    return CliRunner().invoke(group, ["init", *args])


def run(program: str, *args: str, folder: str, **environ: str) -> str:
    """Run a program as a user would; return what it prints, which must be a success."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *args],
        cwd=folder,
        env=ours | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: str) -> set[str]:
    root = Path(folder)
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_a_package_into_a_folder_of_its_name(kind: str) -> None:
    done = journeykit("--plugin", "sms-gate", "--kind", kind)

    assert done.exit_code == 0, done.output
    assert files("journeykit-sms-gate") == {
        "README.md",
        "pyproject.toml",
        "src/journeykit_sms_gate/__init__.py",
        "src/journeykit_sms_gate/py.typed",
        "tests/test_sms_gate.py",
    }
    assert "  cd journeykit-sms-gate\n" in done.output


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass_as_they_stand(kind: str) -> None:
    journeykit("--plugin", "sms-gate", "--kind", kind)

    said = run(
        *("python", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
        folder="journeykit-sms-gate",
    )

    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_once_installed_it_is_found(kind: str) -> None:
    journeykit("--plugin", "sms-gate", "--kind", kind)
    site = str(Path("site").resolve())

    run(
        *("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-index", "--no-build-isolation", "--target", site, "."),
        folder="journeykit-sms-gate",
    )

    environ = {"PYTHONPATH": site, "JOURNEYKIT_PLUGINS": "sms-gate"}
    said = run("journeykit", "plugins", folder=".", **environ)
    [line] = [line for line in said.splitlines() if line.startswith("sms-gate ")]
    assert line.split()[:3] == ["sms-gate", "0.1.0", "journeykit-sms-gate"]
    assert f"{kind} sms-gate" in line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "sms-gate", "a-provider-of-a-very-long-name"])
def test_its_style_is_right_however_long_its_name_is(kind: str, name: str) -> None:
    journeykit("shop", "--plugin", name, "--kind", kind)

    said = run(
        *("ruff", "check", "--isolated", "--no-cache"),
        *("--extend-select", "B,I,RUF,SIM,UP"),
        folder="shop",
    )

    assert said == "All checks passed!\n"


@pytest.mark.slow  # mypy reads all of pydantic
@pytest.mark.parametrize("kind", KINDS)
def test_its_types_are_right(kind: str) -> None:
    journeykit("--plugin", "sms-gate", "--kind", kind)

    said = run(
        *("mypy", "--strict", "--config-file=", "--cache-dir=cache"),
        *("src", "tests"),
        folder="journeykit-sms-gate",
        MYPYPATH="src",
    )

    assert "Success" in said


def test_without_a_kind_it_is_a_channel() -> None:
    journeykit("--plugin", "gate")

    assert "GateChannel" in Path("journeykit-gate/tests/test_gate.py").read_text()


@pytest.mark.parametrize("name", ["Sms_Gate", "SMS..GATE", "journeykit-sms-gate"])
def test_a_name_is_normalized_as_packages_are(name: str) -> None:
    journeykit("--plugin", name)

    text = Path("journeykit-sms-gate/pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    assert project["name"] == "journeykit-sms-gate"
    assert project["entry-points"] == {
        "journeykit": {"sms-gate": "journeykit_sms_gate"}
    }


@pytest.mark.parametrize(
    "name", ["", "-", "3cx", "sms gate", "sms/gate", "../gate", "größe", "gate\n", "g-"]
)
def test_a_name_that_no_package_can_have_is_refused(name: str) -> None:
    done = journeykit("shop", "--plugin", name)

    assert done.exit_code == 1
    assert "can't name a package; use letters, digits" in done.stderr
    assert not Path("shop").exists()


def test_a_name_that_is_too_long_is_refused() -> None:
    assert "has more than 50 characters" in journeykit("--plugin", "x" * 51).stderr


@pytest.mark.parametrize("name", ["claim", "Console"])
def test_a_name_that_is_taken_by_what_is_built_in_is_refused(name: str) -> None:
    done = journeykit("--plugin", name)

    assert done.exit_code == 1
    assert "is built in already; choose another name" in done.stderr


def test_nothing_is_ever_overwritten() -> None:
    Path("journeykit-gate").mkdir()
    Path("journeykit-gate/mine.txt").write_text("mine")

    done = journeykit("--plugin", "gate")

    assert done.exit_code == 1
    assert "journeykit-gate: is not empty; name a new folder" in done.stderr
    assert files("journeykit-gate") == {"mine.txt"}


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ([], "Missing argument 'FOLDER'"),
        (["shop", "--kind", "action"], "--kind says what --plugin NAME adds"),
        (["--plugin", "gate", "--empty"], "--empty is for workspaces"),
        (["--plugin", "gate", "--kind", "cli"], "'cli' is not one of"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    args: list[str], problem: str
) -> None:
    done = journeykit(*args)

    assert done.exit_code == 2
    assert problem in done.stderr
    assert files(".") == set()

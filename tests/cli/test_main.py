"""The frame of the command line: how commands are found, and how errors are said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from journeykit.cli import COMMANDS, group, main
from journeykit.errors import InputError

DATA = Path(__file__).parents[1] / "plugins" / "data"


def status_of(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(args)
    return int(caught.value.code or 0)


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    command = click.Command("plugins", callback=fail)
    monkeypatch.setattr("journeykit.cli.plugins.command", command)


def test_the_help_lists_every_command_with_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("--help") == 0

    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert all(what in listed[name] for name, what in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_of_its_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(name, "--help") == 0

    assert capsys.readouterr().out.startswith(f"Usage: journeykit {name} ")


def test_the_help_loads_no_command() -> None:
    code = (
        "import sys\nfrom journeykit.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JOURNEYKIT_PLUGINS": "none"},
    ).stdout.split()

    assert "journeykit.cli" in loaded
    assert not {"pydantic", "msgspec", "ruamel.yaml", "journeykit.cli.check"} & set(
        loaded
    )


def test_the_version_is_that_of_the_distribution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("--version") == 0

    assert capsys.readouterr().out.startswith("journeykit 0.")


def test_a_misspelt_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("chek") == 2

    assert "no such command: 'chek'; did you mean 'check'?" in capsys.readouterr().err


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("check", "--nothing") == 2
    assert "No such option" in capsys.readouterr().err


def test_an_error_of_ours_is_one_message_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, InputError("no id", place="events.jsonl:3"))

    assert status_of("plugins") == 1

    assert capsys.readouterr().err == "Error: events.jsonl:3: no id\n"


def test_debug_shows_where_an_error_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, InputError("no id"))

    with pytest.raises(InputError):
        main(["--debug", "plugins"])


def test_a_fault_of_the_program_is_not_dressed_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        main(["plugins"])


def test_ctrl_c_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())

    assert status_of("plugins") == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    code = f"{sys.executable} -c 'from journeykit.cli import main; main()' schema"

    done = subprocess.run(
        ["sh", "-c", f"{code} | head -n 1"], capture_output=True, text=True, check=False
    )

    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (">/dev/full", "Error: No space left on device\n"),
        (">&-", "Error: standard output is closed; redirect it to a file\n"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_one_message(
    target: str, problem: str
) -> None:
    code = f"{sys.executable} -c 'from journeykit.cli import main; main()' schema"

    done = subprocess.run(
        ["sh", "-c", f"{code} {target}"], capture_output=True, text=True, check=False
    )

    assert done.stderr == problem
    assert done.returncode == 1


def test_a_path_on_the_command_line_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("check", "--\x1b[31m") == 2
    assert status_of("check", "\x1b[31m") == 1

    assert "\x1b" not in capsys.readouterr().err


def test_the_command_of_a_plugin_stands_beside_our_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DATA / "shout")
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "shout")

    listed = CliRunner().invoke(group, ["--help"]).stdout
    said = CliRunner().invoke(group, ["hello"])

    assert "\n  hello" in listed
    assert said.exit_code == 0


def test_a_plugin_that_fails_does_not_take_the_help_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DATA / "broken")
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "broken")

    done = CliRunner().invoke(group, ["--help"])

    assert done.exit_code == 0
    assert "simulate" in done.stdout
    assert "plugin 'broken'" in done.stdout


def test_a_plugin_command_named_like_ours_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "takes_check.py").write_text(
        "import click\nfrom journeykit.hookspecs import hookimpl\n"
        "@click.command('check')\ndef check(): ...\n"
        "@hookimpl\ndef journeykit_cli():\n    yield check\n"
    )
    info = tmp_path / "journeykit_taker-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: journeykit-taker\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[journeykit]\ntaker = takes_check\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "taker")

    done = CliRunner().invoke(group, ["nothing"])

    assert done.exit_code == 1
    assert (
        "plugin 'taker' (journeykit-taker 1.0) contributes the command 'check'"
        in done.stderr
    )


def test_what_an_error_cites_can_not_command_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, InputError("no \x1b[2J\nand no \x9b31m"))

    assert status_of("plugins") == 1

    assert capsys.readouterr().err == "Error: no \\x1b[2J\nand no \\x9b31m\n"

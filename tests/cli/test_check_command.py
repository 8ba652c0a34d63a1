"""`journeykit check` says what is wrong, by file and line, and exits accordingly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group

GOOD = "id: good\ntrigger: {name: x}\nsteps: []\n"
UNKNOWN = """
id: unknown
trigger: {name: x}
steps:
  - {type: send, channel: emial, template: hello}
"""
ENDLESS = """
id: endless
trigger: {name: x}
steps:
  - type: wait_for
    paths: [{when: {name: y}}]
"""


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    monkeypatch.setenv("COLUMNS", "80")
    Path("journeys").mkdir()
    Path("journeykit.toml").write_text('[channels]\nemail = "console"\n')
    Path("policies.yaml").write_text("consent: [{default: allow}]\n")


def check(*args: str, **journeys: str) -> Result:
    for name, text in journeys.items():
        Path(f"journeys/{name}.yaml").write_text(text)
    return CliRunner().invoke(group, ["check", *args])


def test_a_right_workspace_is_said_to_be_right() -> None:
    done = check(good=GOOD)

    assert done.stdout == "no issues; 1 journey\n"
    assert done.exit_code == 0


def test_errors_come_first_then_warnings_then_hints() -> None:
    Path("policies.yaml").unlink()

    done = check("--json", endless=ENDLESS, unknown=UNKNOWN)

    levels = [json.loads(line)["level"] for line in done.stdout.splitlines()]
    assert levels == ["error", "warning", "hint"]


def test_hints_that_say_the_same_are_said_once() -> None:
    Path("templates").mkdir()
    Path("templates/welcome.txt").write_text("")
    send = "  - {type: send, channel: email, template: goodbye, id: s%d}\n"
    steps = "".join(send % n for n in range(100))

    done = check(many=f"id: many\ntrigger: {{name: x}}\nsteps:\n{steps}")

    assert done.stdout.count("there is no file of template") == 1
    assert "(100 times)" in done.stdout
    assert done.stdout.endswith("\n100 hints; 1 journey\n")


def test_steps_of_one_id_are_each_reported_at_their_line() -> None:
    Path("journeys/a.py").write_text(
        "from journeykit import Exit, Journey, on\n"
        "a = Journey('a', trigger=on('x'), steps=[\n"
        "    Exit(id='x'),\n    Exit(id='x'),\n])\n"
    )

    done = check("--json")

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(issue["file"], issue["line"]) for issue in found] == [
        ("journeys/a.py", 3),
        ("journeys/a.py", 4),
    ]
    assert found[0]["message"] == "step id 'x' is used twice; rename one"


def test_what_a_journey_file_prints_does_not_break_the_json() -> None:
    Path("journeys/a.py").write_text(
        "from journeykit import Journey, on\nprint('hello')\n"
        "a = Journey('a', trigger=on('x'), steps=[])\n"
    )

    done = check("--json")

    assert done.stdout == ""
    assert "hello\n" in done.stderr


def test_journeys_that_cannot_be_read_are_one_message() -> None:
    Path("journeys").rmdir()
    Path("journeys").symlink_to("journeys")  # a loop, which even root can't read

    done = check()

    assert done.exit_code == 1
    assert "journeys\n" in done.stdout + done.stderr
    assert "can't be read" in done.stdout + done.stderr


def test_issues_stand_under_their_file_with_line_and_owner() -> None:
    done = check(good=GOOD, unknown=UNKNOWN, endless=ENDLESS)

    assert done.stdout == (
        "journeys/unknown.yaml\n"
        "    5  error    unknown/send-emial-hello: nobody carries channel 'emial'; did\n"
        "                you mean 'email'?\n"
        "\n"
        "journeys/endless.yaml\n"
        "    5  warning  endless/wait-for-y: waits for ever for what may never happen;\n"
        "                give it a timeout\n"
        "\n"
        "1 error, 1 warning; 3 journeys\n"
    )
    assert done.exit_code == 1


def test_a_warning_is_only_an_error_if_told_so() -> None:
    assert check(endless=ENDLESS).exit_code == 0
    assert check("--strict", endless=ENDLESS).exit_code == 1


def test_files_that_cannot_be_read_are_reported_in_the_same_way() -> None:
    done = check(
        good="id: a\ntrigger: {name: x}\nsteps:\n  - {type: nap}\n", bad="a: ["
    )

    assert "journeys/bad.yaml\n    1  error    not YAML: " in done.stdout
    assert (
        "journeys/good.yaml\n    4  error    steps.0: 'nap' is no type" in done.stdout
    )
    assert "2 errors; it can't be read whole" in done.stdout
    assert done.exit_code == 1


def test_a_caret_stays_under_its_place() -> None:
    done = check(
        a="id: a\ntrigger: {name: x, where: evnt.total > 5}\nsteps: []\n",
    )

    lines = done.stdout.splitlines()
    [caret] = [n for n, line in enumerate(lines) if line.strip() == "^"]
    assert lines[caret].index("^") == lines[caret - 1].index("evnt.total > 5")


def test_json_has_one_issue_a_line_for_programs() -> None:
    done = check("--json", unknown=UNKNOWN)

    [line] = done.stdout.splitlines()
    assert json.loads(line) == {
        "level": "error",
        "message": "nobody carries channel 'emial'; did you mean 'email'?",
        "journey": "unknown",
        "step": "send-emial-hello",
        "file": "journeys/unknown.yaml",
        "line": 5,
    }
    assert done.stderr == "1 error; 1 journey\n"
    assert done.exit_code == 1


def test_a_folder_that_is_no_workspace_says_how_to_make_one() -> None:
    done = check("elsewhere")

    assert done.exit_code == 1
    assert "`journeykit init elsewhere` makes one" in done.stderr

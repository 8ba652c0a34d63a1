"""What is written runs: README, docs and docstrings are part of the test suite.

In Markdown and in docstrings, in this order, in one namespace and one empty working
folder per document:

- a ```` ```python ```` fence is executed, as a doctest if it starts with `>>>`;
- a fence of any language with a title (```` ```yaml title="journeys/a.yaml" ````) is
  written to that file, so that the commands that follow can use it;
- a ```` ```console ```` fence is run command by command, and what it shows of a command's
  output must be what the command prints, `...` standing for anything. A command of which
  no output is shown must only succeed; one that shall fail is followed by `$ echo $?`;
- `<!-- skip: next "reason" -->` leaves out the fence that follows, and needs the reason.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Document, Example, Region, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

# Deadlines measure the machine and not the code. Under CI hypothesis has a profile of its
# own, which also draws the same examples every time.
hypothesis.settings.register_profile("journeykit", deadline=None, print_blob=True)
if "CI" not in os.environ:
    hypothesis.settings.load_profile("journeykit")


def pytest_configure(config: pytest.Config) -> None:
    """Let no file that is saved while the tests run turn them red.

    Hypothesis warns of `st.recursive(…, extend)` whose `extend` ignores its argument, and
    reads that in the source file when the first test draws. The lines are those of the
    import then: in a file that has grown since, it judges other lines.
    """
    config.addinivalue_line(
        "filterwarnings",
        "ignore:extend=:hypothesis.errors.HypothesisDeprecationWarning",
    )


RUNNABLE = {"journeykit", "pytest", "python", "cat", "cd", "echo", "head", "ls", "wc"}
COMMAND = re.compile(
    r"^\$ ((?:.*\\\n)*.*)\n?((?:(?!\$ ).*\n|(?!\$ ).+\Z)*)", re.MULTILINE
)


def run_console(example: Example) -> str | None:
    """Run each `$ command`, and compare what it prints with what is shown."""
    printed, status = "", 0
    if not (commands := COMMAND.findall(example.parsed)):
        return "there is no `$ command` in this fence"
    for command, shown in commands:
        program, *arguments = shlex.split(command)
        if program not in RUNNABLE:
            return f"{program!r} is not run here: use another fence, or skip this one"
        if command == "echo $?":
            printed, status = f"{status}\n", 0
        elif status:
            break
        elif program == "cd":
            os.chdir(*arguments)
            printed = ""
        else:
            printed, status = run(command)
        if shown.strip() and not same_output(shown, printed):
            return f"$ {command}\n--- shown:\n{shown}\n--- printed:\n{printed}"
    if status:
        return f"exit status {status} without `$ echo $?` after:\n{printed}"
    return None


def same_output(shown: str, printed: str) -> bool:
    """Compare, with `...` standing for anything."""
    return doctest.OutputChecker().check_output(
        f"{shown.rstrip()}\n", f"{printed.rstrip()}\n", doctest.ELLIPSIS
    )


def run(command: str) -> tuple[str, int]:
    """Return what a reader's terminal would show, 80 columns wide, and the exit status."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        # Those of plugins/ are installed where they are developed, and not at a reader's.
        "JOURNEYKIT_PLUGINS": os.environ.get("JOURNEYKIT_PLUGINS", "none"),
    }
    done = subprocess.run(
        command,
        shell=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return done.stdout, done.returncode


def parse_titled_fences(document: Document) -> Iterator[Region]:
    """Find the fences that are files."""
    info = re.compile(r'\w+ title="(?P<path>[^"]+)"$\n', re.MULTILINE)
    for region in RawFencedCodeBlockLexer(info)(document):
        region.parsed, region.evaluator = region.lexemes["source"], write_file
        yield region


def write_file(example: Example) -> None:
    """Write a titled fence to the file of that name."""
    path = Path(example.region.lexemes["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


class ReasonedSkipParser(SkipParser):
    """A skip without a reason is an error."""

    def __call__(self, document: Document) -> Iterator[Region]:
        for region in super().__call__(document):
            action, reason = region.parsed
            if action != "end" and not reason:
                raise ValueError(f"{document.path}: a skip needs a reason in quotes")
            yield region


def enter_workspace(namespace: dict[str, Any]) -> None:
    """Give each document an empty folder of its own to work in."""
    namespace["_workspace"] = stack = contextlib.ExitStack()
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    stack.enter_context(contextlib.chdir(folder))


def leave_workspace(namespace: dict[str, Any]) -> None:
    """Return to where the tests were started."""
    namespace["_workspace"].close()


rules: dict[str, Any] = {
    "parsers": [
        PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS),
        CodeBlockParser("console", run_console),
        parse_titled_fences,
        ReasonedSkipParser(),
    ],
    "setup": enter_workspace,
    "teardown": leave_workspace,
}
pages = Sybil(
    patterns=["README.md", "docs/*.md", "docs/*/*.md", "plugins/*/README.md"], **rules
)
docstrings = Sybil(path="sdk", pattern="*.py", **rules)
pytest_collect_file = (pages + docstrings).pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell each document from top to bottom, though pytest-randomly has shuffled."""
    examples = [item for item in items if isinstance(item, SybilItem)]
    examples.sort(key=lambda item: (item.path, item.example.start))
    items[:] = examples + [item for item in items if not isinstance(item, SybilItem)]

"""`journeykit check`: what is wrong with a workspace, before anybody enters it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click

from journeykit.cli.terminal import strong, wrapped
from journeykit.errors import InvalidJourney, Problem, Source
from journeykit.model.issues import LEVELS, Issue, by_weight
from journeykit.model.plain_text import printable
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace


@click.command("check")
@click.argument("workspace", default=".", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one issue a line.")
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning, too.")
def command(*, workspace: Path, as_json: bool, strict: bool) -> None:
    """Say what is wrong with WORKSPACE, and exit with 1 if there is an error.

    Errors can't work, warnings are probably not meant, hints could be said better.
    """
    registry = Registry.from_plugins(plugin_manager())
    try:
        loaded = Workspace.load(workspace)
    except InvalidJourney as error:
        issues, what = [_issue(each) for each in error.issues], "it can't be read whole"
        issues.sort(key=by_weight)
    else:
        issues, what = loaded.check(registry), _counted(len(loaded.journeys), "journey")
    for line in map(_json, issues) if as_json else reported(issues):
        click.echo(line)
    counts = Counter(issue.level for issue in issues)
    found = (
        ", ".join(_counted(counts[l], l) for l in LEVELS if counts[l]) or "no issues"
    )
    click.echo(f"{found}; {what}", err=as_json)
    if counts["error"] or (strict and counts["warning"]):
        raise SystemExit(1)


def _issue(problem: Problem) -> Issue:
    """What was found while reading, as what is found in a journey."""
    source = Source(problem.file, problem.line or 1) if problem.file else None
    return Issue("error", problem.message, source)


def _json(issue: Issue) -> str:
    file, line = issue.source or (None, None)
    fields = {**issue._asdict(), "file": file, "line": line}
    del fields["source"]
    return json.dumps(fields, ensure_ascii=False)


def reported(issues: Sequence[Issue]) -> Iterator[str]:
    """Yield errors, warnings, hints, each by file, as lines that fit the terminal."""
    alike = Counter(map(_kind, issues))
    for (_, file), group in groupby(issues, key=lambda issue: by_weight(issue)[:2]):
        yield strong(printable(file) or "elsewhere")
        for issue in group:
            # Of hints that say the same, one is said, and how many there are.
            count = alike.pop(_kind(issue), 0)
            if not count and issue.level == "hint":
                continue
            line = f"{issue.source.line if issue.source else '':>5}"
            owner = "/".join(filter(None, [issue.journey, issue.step]))
            head = f"{line}  {issue.level:<7}  "
            first, *carets = issue.message.split("\n")
            text = f"{owner}: {first}" if owner else first
            if issue.level == "hint" and count > 1:
                text += f" ({count} times)"
            yield from wrapped(text, first=head, indent=" " * len(head))
            yield from (f"{' ' * len(head)}{printable(caret)}" for caret in carets)
        yield ""


def _kind(issue: Issue) -> tuple[str, str]:
    """What hints of one file must share to be said once."""
    return (issue.source.file if issue.source else "", issue.message)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

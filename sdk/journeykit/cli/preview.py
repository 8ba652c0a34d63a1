"""`journeykit preview`: what each device shows of a workspace's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click

from journeykit.cli.devices import facts
from journeykit.cli.preview_page import anchor, page
from journeykit.cli.replay import read_instant, writing
from journeykit.cli.terminal import faint, strong, wrapped
from journeykit.content.locales import tag
from journeykit.media.email import Email
from journeykit.model.plain_text import printable
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit.workspace.previews import Preview, Previews, read_variables
from journeykit.workspace.reading import SETTINGS

_FILE = click.Path(path_type=Path, dir_okay=False)


def _read_locales(
    context: click.Context, option: click.Parameter, given: Sequence[str]
) -> list[str]:
    """Read locales in any spelling; a callback for click."""
    found = [tag(each) for each in given]
    if not all(found):
        raise click.BadParameter(
            "write a language, such as de or de-CH", context, option
        )
    return found


@click.command("preview")
@click.argument("templates", nargs=-1)
@click.option(
    "--workspace",
    default=".",
    type=click.Path(path_type=Path),
    help="The workspace; else the folder you are in.",
)
@click.option(
    "--locale",
    "locales",
    multiple=True,
    metavar="TAG",
    callback=_read_locales,
    help="Somebody's locale, de or de-CH; may be repeated. Else all there are.",
)
@click.option(
    "--variables",
    metavar="FILE",
    type=_FILE,
    help="A JSON object of variables, which go before those of examples.",
)
@click.option(
    "--customer-profile",
    metavar="FILE",
    type=_FILE,
    help="A JSON object of a customer's attributes, for the variables of steps.",
)
@click.option(
    "--at",
    metavar="INSTANT",
    callback=read_instant,
    help="What time it is for the templates, 2026-06-30T12:00:00Z; else now.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="preview",
    show_default=True,
    help="Where the page is written.",
)
@click.option("--images", is_flag=True, help="Let the page load pictures by https.")
def command(
    *,
    templates: tuple[str, ...],
    workspace: Path,
    locales: list[str],
    variables: Path | None,
    customer_profile: Path | None,
    at: datetime | None,
    out: Path,
    images: bool,
) -> None:
    """Write a page that shows TEMPLATES as mailboxes and phones do; else all.

    Variables are taken from templates/examples/NAME.json; what it doesn't give is made
    up. The first of TEMPLATES may be the workspace's folder instead of --workspace.
    Exits with 1 if one of the messages could not be sent.
    """
    if templates and (Path(templates[0]) / SETTINGS).is_file():
        # As the other commands have it: `journeykit preview shop`.
        workspace, templates = Path(templates[0]), templates[1:]
    loaded = Workspace.load(workspace)
    now = at or datetime.now(UTC).replace(microsecond=0)
    previews = Previews(
        loaded,
        Registry.from_plugins(plugin_manager()),
        now,
        given=read_variables(variables) if variables else {},
        profile=read_variables(customer_profile) if customer_profile else {},
    )
    shown = list(previews.of(list(dict.fromkeys(templates)), locales=locales))
    if not shown:
        click.echo(
            "there are no templates in templates/ that say what they are for, such as "
            "welcome.email.html",
            err=True,
        )
        raise SystemExit(1)
    for line in _told(shown):
        click.echo(line)
    with writing(out):
        index = out / "index.html"
        text = page(
            shown, name=loaded.name, made_at=f"{now:%Y-%m-%d %H:%M %Z}", images=images
        )
        index.write_text(text, encoding="utf-8")
        for path, content in _files(shown):
            (out / path).write_text(content, encoding="utf-8")
    problems = sum(bool(each.problem) for each in shown)
    click.echo(f"wrote {printable(str(index))}", err=True)
    if problems:
        raise SystemExit(1)


def _told(previews: Sequence[Preview]) -> Iterator[str]:
    """Yield the same in words, by template."""
    for template, group in groupby(previews, key=lambda shown: shown.template):
        yield strong(printable(template))
        for shown in group:
            head = f"  {shown.medium:<9}{shown.locale or '-':<7} "
            indent = " " * len(head)
            if shown.body is None:
                text = f"can't be sent: {shown.problem}"
                yield from wrapped(text, first=head, indent=indent)
                continue
            yield from wrapped(_in_words(shown), first=head, indent=indent)
            for warning in shown.warnings:
                yield from wrapped(
                    f"warning: {warning}", first=indent, indent=f"{indent}  "
                )
            if shown.made_up:
                made = f"made up: {', '.join(shown.made_up)}"
                yield from map(faint, wrapped(made, first=indent, indent=f"{indent}  "))
        yield ""


def _in_words(shown: Preview) -> str:
    """One line about a message: what matters about its medium."""
    assert shown.body is not None  # noqa: S101 - whoever asks has looked
    numbers = dict(facts(shown.body))
    if isinstance(shown.body, Email):
        size = numbers.get("HTML") or numbers["Text part"]
        return f"{shown.body.subject} ({size})"
    return "; ".join(f"{name}: {value}" for name, value in numbers.items())


def _files(previews: Sequence[Preview]) -> Iterator[tuple[str, str]]:
    """Yield what is sent, by file: a mail's HTML and text, the payload of WhatsApp."""
    for shown in previews:
        if isinstance(shown.body, Email):
            if shown.body.html:
                yield f"{anchor(shown)}.html", shown.body.html
            yield f"{anchor(shown)}.txt", f"{shown.body.text}\n"
        elif (payload := getattr(shown.body, "payload", None)) is not None:
            text = json.dumps(payload, ensure_ascii=False, indent=2)
            yield f"{anchor(shown)}.json", f"{text}\n"

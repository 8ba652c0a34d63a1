"""`journeykit dead-letters`: what could not be handled, and what to do about it."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from journeykit.cli.operating import (
    confirmed,
    in_workspace,
    looking,
    storing,
    with_data,
)
from journeykit.cli.terminal import row, width, wrapped
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.engine.limits import SEEN_MS
from journeykit.engine.stimuli import Stimulus, WakeUp, decoded
from journeykit.engine.words import instant_in_words
from journeykit.errors import InputError
from journeykit.local.embedded import wall_clock
from journeykit.model.plain_text import printable
from journeykit.ports import DeadLetter, DeadLetters

_PAGE = 500
_SHOWN = 50


@click.group("dead-letters")
def command() -> None:
    """Look at what could not be handled, and try it again or drop it.

    An event that the engine refuses, a line that is no event, a message that can't be
    read: each is kept with the reason, and holds up nothing else.
    """


@command.command("list")
@in_workspace
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    metavar="N",
    help="List so many of them, the latest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one letter a line.")
def list_(*, workspace: Path, data: Path | None, limit: int, as_json: bool) -> None:
    """List the latest dead letters of WORKSPACE, and count them by reason."""
    with looking(workspace, data) as look:
        latest: deque[DeadLetter] = deque(maxlen=limit)
        reasons: Counter[str] = Counter()
        for letter in _all(look.store):
            reasons[letter.reason] += 1
            latest.append(letter)
    if as_json:
        for letter in latest:
            click.echo(json.dumps(_document(letter), ensure_ascii=False))
        return
    for line in _listed(latest, reasons):
        click.echo(line)


def _listed(latest: Collection[DeadLetter], reasons: Counter[str]) -> Iterator[str]:
    """A line each, as much of it as fits, and how many there are of a kind."""
    count = reasons.total()
    if not count:
        yield "there are no dead letters"
    for letter in latest:
        head = f"{letter.id:>6}  {_instant(letter.at)}  {letter.door:<6}  "
        about = " of ".join(
            filter(None, [letter.kind or "unreadable", letter.customer])
        )
        text, room = printable(f"{about}: {letter.reason}"), width() - len(head)
        yield f"{head}{text if len(text) <= room else f'{text[: room - 1]}…'}"
    if count > len(latest):
        yield f"{count - len(latest):,} earlier ones; --limit {count} lists all"
    if len(reasons) > 1:
        yield ""
        for reason, number in reasons.most_common(10):
            yield from row(f"{number:,}", reason)


@command.command("show")
@click.argument("id", type=click.IntRange(min=1))
@in_workspace
def show(*, id: int, workspace: Path, data: Path | None) -> None:
    """Print the dead letter ID: why it is one, and what came in."""
    with looking(workspace, data) as look:
        letter = _letter(look.store, id)
    for line in _shown(letter):
        click.echo(line)


def _shown(letter: DeadLetter) -> Iterator[str]:
    yield from row("came in", f"{_instant(letter.at)} by {letter.door}")
    yield from row("reason", letter.reason)
    yield from row("customer", letter.customer)
    yield from row("kind", letter.kind or "unreadable")
    yield ""
    body = _body(letter)
    text = (
        body
        if isinstance(body, str)
        else json.dumps(body, ensure_ascii=False, indent=2)
    )
    yield from map(printable, text.split("\n"))


@command.command("redrive")
@click.argument("id", nargs=-1, metavar="(ID… | --all) [WORKSPACE]")
@click.option("--all", "all_", is_flag=True, help="All that can be tried again.")
@with_data
def redrive(*, id: Sequence[str], all_: bool, data: Path | None) -> None:
    """Try dead letters again: they go where stimuli wait to be handled.

    `serve` and `run` handle them next. What can't be read, and what was to be handed over
    rather than decided, can't be tried again.
    """
    ids, workspace = _ids(id, all=all_)
    with storing(workspace, data) as store:
        letters = [_letter(store, id) for id in ids] if ids else [*_all(store)]
        good: list[tuple[DeadLetter, Stimulus]] = []
        for letter in letters:
            stimulus = _stimulus(letter)
            if isinstance(stimulus, str):
                for line in wrapped(f"{letter.id} stays: {stimulus}"):
                    click.echo(line, err=True)
            else:
                good.append((letter, stimulus))
        for start in range(0, len(good), _PAGE):
            page = good[start : start + _PAGE]
            store.revive([old.id for old, _ in page], into=[new for _, new in page])
    for line in _redriven([stimulus for _, stimulus in good]):
        click.echo(line)
    if len(good) < len(letters) and not all_:
        raise SystemExit(1)


def _redriven(stimuli: Sequence[Stimulus]) -> Iterator[str]:
    yield (
        f"{len(stimuli):,} to be tried again"
        f"{'; `journeykit serve` or `journeykit run` does it next' if stimuli else ''}"
    )
    now = wall_clock()
    old = sum(
        not isinstance(one, WakeUp) and now - to_ms(one.received_at) >= SEEN_MS
        for one in stimuli
    )
    if old:
        yield from wrapped(
            f"{old:,} came in more than 48 hours ago: by the wall clock of `serve` they "
            "will be refused (replay_too_old), because nobody knows any more if they "
            "were handled before; there is no way yet to force it"
        )


@command.command("drop")
@click.argument("id", nargs=-1, metavar="(ID… | --all) [WORKSPACE]")
@click.option("--all", "all_", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_data
def drop(*, id: Sequence[str], all_: bool, yes: bool, data: Path | None) -> None:
    """Remove dead letters for good."""
    ids, workspace = _ids(id, all=all_)
    with storing(workspace, data) as store:
        ids = [_letter(store, id).id for id in ids] or [one.id for one in _all(store)]
        if ids:
            what = f"{len(ids):,} dead letter{'s' * (len(ids) != 1)}"
            confirmed(f"Remove {what} for good?", yes=yes)
        for start in range(0, len(ids), _PAGE):
            store.revive(ids[start : start + _PAGE], into=())
    click.echo(f"{len(ids):,} removed")


def _ids(words: Sequence[str], *, all: bool) -> tuple[list[int], Path]:
    """Tell numbers from the workspace behind them.

    Raises:
        click.UsageError: There are none, or what should be one is none.
    """
    numbers = [word for word in words if word.isdecimal()]
    rest = words[len(numbers) :]
    if list(words[: len(numbers)]) != numbers or len(rest) > 1:
        raise click.UsageError("name numbers of dead letters; then the workspace")
    if bool(numbers) == all:
        raise click.UsageError("name numbers of dead letters, or say --all")
    return [*dict.fromkeys(map(int, numbers))], Path(rest[0] if rest else ".")


def _all(letters: DeadLetters) -> Iterator[DeadLetter]:
    last = 0
    while page := letters.dead(last, _PAGE):
        yield from page
        last = page[-1].id


def _letter(letters: DeadLetters, id: int) -> DeadLetter:
    for letter in letters.dead(id - 1, 1):
        if letter.id == id:
            return letter
    raise InputError(f"there is no dead letter {id}; journeykit dead-letters list")


def _stimulus(letter: DeadLetter) -> Stimulus | str:
    """What a letter holds, or why it can't be tried again."""
    if not letter.kind:
        return "it could not be read; mend it and bring it again"
    try:
        return decoded(letter.kind, letter.body)
    except ValueError as error:
        return f"{error}"


def _document(letter: DeadLetter) -> dict[str, Any]:
    """A letter as JSON values."""
    return {
        "id": letter.id,
        "at": isoformat(letter.at),
        "door": letter.door,
        "reason": letter.reason,
        "customer": letter.customer,
        "kind": letter.kind,
        "body": _body(letter),
    }


def _body(letter: DeadLetter) -> Any:
    """What came in, as JSON values if it can be read, else as text."""
    if letter.kind:
        try:
            return msgspec.to_builtins(
                msgspec.msgpack.decode(letter.body), enc_hook=_text
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return letter.body.decode("utf-8", "backslashreplace")


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _instant(instant: int) -> str:
    return instant_in_words(instant) if instant else "unknown"

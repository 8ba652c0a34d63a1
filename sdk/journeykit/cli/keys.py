"""`journeykit keys`: who may write to the HTTP door of a stack, and what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from journeykit.cli.stack import check_name
from journeykit.cli.terminal import width
from journeykit.engine.calendar import isoformat
from journeykit.errors import DefinitionError, InputError
from journeykit.http.keys import SCOPES, digest_of
from journeykit.model.durations import Duration

if TYPE_CHECKING:
    from journeykit.aws.api_keys import ApiKey, ApiKeys

_OUTPUT = "StateTable"  # of the template
_ID = (
    12  # digits of a hash that name a key; what is told of it tells nothing of the key
)
_DAY_MS = 24 * 60 * 60 * 1000

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@click.group("keys")
def command() -> None:
    """Say who may write to the HTTP door of a stack, and what.

    A key is random, shown once, and kept as its hash. It has scopes, which say what it is
    for, and it ends.
    """


def of_a_stack(command: CommandT) -> CommandT:
    """Let a command be told where the keys are."""
    stack = click.option("--stack", metavar="NAME", help="The stack that they are for.")
    table = click.option("--table", metavar="NAME", help="Its state table, if known.")
    return stack(table(command))


class _Time(click.ParamType[int]):
    """A time like `90d`, in milliseconds; `never` is 0."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        if value == "never":
            return 0
        try:
            read = Duration.parse(value)
        except DefinitionError as error:
            self.fail(error.message, param, ctx)
        milliseconds = read.days * _DAY_MS + read.ms
        if read.months or milliseconds <= 0:
            self.fail(f"{value!r} is no number of days; write 90d", param, ctx)
        return milliseconds


@command.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it is for; may be said more than once.",
)
@click.option(
    "--expires",
    type=_Time(),
    default="90d",
    show_default=True,
    metavar="TIME",
    help="How long it is good; never: for ever.",
)
@of_a_stack
def add(
    *,
    name: str,
    scopes: Sequence[str],
    expires: int,
    stack: str | None,
    table: str | None,
) -> None:
    """Make a key for NAME, and print it. Nobody can print it again.

    NAME stands in the log: who writes, such as shop or crm. Two keys may have one name.
    """
    keys = _keys(stack, table)
    from journeykit.aws.api_keys import ApiKey
    from journeykit.aws.keys import checked_name, new_key

    now = _now()
    key = new_key()
    kept = ApiKey(
        digest=digest_of(key).hex(),
        name=checked_name(name),
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created_at=now,
        expires_at=now + expires if expires else 0,
    )
    keys.add(kept)
    click.echo(f"{_id(kept)}: {_told(kept)}", err=True)
    click.echo(key)


@command.command("list")
@of_a_stack
def list_(*, stack: str | None, table: str | None) -> None:
    """List the keys, also those that ended in the last seven days."""
    for line in _listed(_keys(stack, table).all(), _now()):
        click.echo(line)


def _listed(keys: Sequence[ApiKey], now: int) -> Iterator[str]:
    if not keys:
        yield "there are no keys; journeykit keys add NAME --scope track"
    longest = max((len(key.name) for key in keys), default=0)
    for key in keys:
        line = f"{_id(key)}  {key.name:<{longest}}  {_told(key)}"
        yield (line if key.is_good(now) else f"{line}, ended")[: width()]


@command.command("revoke")
@click.argument("id")
@click.option(
    "--in",
    "delay",
    type=_Time(),
    default="never",
    metavar="TIME",
    help="Let it end then, and not at once.",
)
@of_a_stack
def revoke(*, id: str, delay: int, stack: str | None, table: str | None) -> None:
    """Let the key ID end: the first digits of its hash, as `list` has them.

    The door remembers keys for a minute, so it may let this one in for as long.
    """
    keys = _keys(stack, table)
    found = [key for key in keys.all() if len(id) >= 4 and key.digest.startswith(id)]
    if len(found) != 1:
        count = f"{len(found)} keys are" if found else "no key is"
        raise InputError(f"{count} called {id!r}; journeykit keys list")
    [key] = found
    if delay:
        end = _now() + delay
        keys.end(key.digest, at=end)
        click.echo(f"{_id(key)} of {key.name} ends {_date(end)}")
    else:
        keys.revoke(key.digest)
        click.echo(f"{_id(key)} of {key.name} is revoked")


def _keys(stack: str | None, table: str | None) -> ApiKeys:
    """The keys of a stack.

    Raises:
        click.UsageError: Nobody said which.
        InputError: There is no such stack, or what AWS needs isn't installed.
    """
    if bool(stack) == bool(table):
        raise click.UsageError("name the stack: --stack NAME, or its table: --table")
    try:
        from journeykit.aws.api_keys import ApiKeys
        from journeykit.aws.clients import client
        from journeykit.aws.failures import translated
        from journeykit.aws.stack import Stack
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise InputError('this needs AWS: pip install "journeykit[aws]"') from error
    if stack:
        check_name(stack)
    with translated("the state table"):
        return ApiKeys(client("dynamodb"), table or Stack(stack or "").output(_OUTPUT))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _id(key: ApiKey) -> str:
    return key.digest[:_ID]


def _told(key: ApiKey) -> str:
    end = f"until {_date(key.expires_at)}" if key.expires_at else "for ever"
    return f"{' '.join(key.scopes)}, {end}"


def _date(at: int) -> str:
    return isoformat(at)[:10]

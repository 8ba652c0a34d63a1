"""Puts the application together, once a process. Only here the environment is read."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics

from journeykit.aws.clients import client
from journeykit.aws.cloud import Cloud
from journeykit.aws.settings import Settings
from journeykit.observers import Observer, Observers
from journeykit_handlers.telemetry import Measures, Printed, Telemetry

if TYPE_CHECKING:
    from journeykit.insight.alarms import Alarm
    from journeykit.insight.parts import FilesPart
    from journeykit.insight.watching import Objectives, Watching
    from journeykit.model.watching import Contact
    from journeykit_handlers.parameters import Secrets

Handler = TypeVar("Handler", bound=Callable[..., Any])

# Of both logs, as lines: tables of 24 million decisions, 6.3 GB, took 344 s of CPU, and the
# function has one core for 15 minutes (benchmarks/README.md, "insight.py size").
_MOST_LINES = 6 * 1024**3
_NO_DUCKDB = (
    "the objectives are left out: their figures are made with DuckDB, which is not in the "
    "bundle; build it where journeykit[insight] is installed"
)

measures = Measures()
logger = Logger(stream=cast(TextIO, Printed()))
metrics = Metrics(provider=measures)


@cache
def app() -> Cloud:
    """The application, with the resources that the environment names."""
    telemetry = Telemetry(logger, measures)
    _log_like_ours("journeykit")
    name = "journeykit_handlers"
    return Cloud(
        Settings.from_environment(os.environ),
        telemetry=telemetry,
        observers=Observers(
            [Observer(name, "reacted", telemetry.reacted)],
            [Observer(name, "delivered", telemetry.delivered)],
        ),
    )


def refresh_secrets() -> None:
    """Read the secrets that channels and actions need, if they are too old by now."""
    if path := os.environ.get("JOURNEYKIT_SECRETS_PATH"):
        _secrets(path).refresh()


def watch(event: dict[str, Any], *, time_left: Callable[[], int]) -> dict[str, Any]:
    """Look at the day before, and at the days that nobody has looked at yet.

    Args:
        event: `at`: another day to look at, such as `2026-11-30`; `dry_run`.
        time_left: Milliseconds until the function is ended.

    Raises:
        InputError: `at` is no day, or one that is not over yet.
        StoreError: Somebody was not told, or not all was counted; the same again goes on.
    """
    from journeykit.errors import StoreBusy
    from journeykit.insight.watching import MISSED_DAYS

    watching = _watching()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    dry_run = bool(event.get("dry_run"))
    if event.get("at"):
        days = [_day_over(event["at"], yesterday)]
    else:
        days = [*watching.missed(yesterday)] or [yesterday]
    failures: list[str] = []
    found: dict[str, Any] = {}
    for day in days:
        done = watching.run(
            day,
            dry_run=dry_run,
            may_act=yesterday - day < timedelta(days=MISSED_DAYS),
            may_pause=day == yesterday,
            time_left=lambda: time_left() / 1000,
        )
        findings = [one.key for one in done.looked.findings]
        logger.info("watched", day=str(day), findings=findings, paused=done.paused)
        for problem in done.looked.problems:
            logger.warning(problem, day=str(day))
        if not dry_run:  # it would raise alarms
            measures.count("Findings", len(findings))
            measures.count("JourneysPaused", len(done.paused))
        found[str(day)] = {
            "findings": findings,
            "paused": list(done.paused),
            "problems": list(done.looked.problems),
            "read": done.read,
        }
        failures += done.failures
    if failures:
        raise StoreBusy("; ".join(failures))
    return found


@cache
def _watching() -> Watching:
    from journeykit.insight.alarms import hand_over, message_of
    from journeykit.insight.parts import stored_part
    from journeykit.insight.watching import Watching

    cloud = app()

    def parts(first: date, last: date) -> Iterator[FilesPart]:
        logs = cloud.stored_logs
        since, until = _midnight(first), _midnight(last + timedelta(days=1))
        for one in logs.decisions(since=since, until=until):
            fetch = partial(logs.fetched, one)
            yield stored_part(one.name, one.keys, one.size, fetch)

    def tell(contact: Contact, alarm: Alarm) -> str:
        channel = cloud.channels.get(contact.channel)
        if channel is None:
            return f"nobody carries channel {contact.channel!r}"
        return hand_over(channel, message_of(alarm, contact, medium=channel.medium))

    def everybody(alarm: Alarm) -> str:
        cloud.alarm_topic.tell(alarm.subject, "\n".join(alarm.lines()))
        return ""

    return Watching(
        cloud.manifest.workspace,
        cloud.manifest.watch,
        parts,
        cloud.watch_shelf,
        cloud.states,
        tell,
        cloud.pause,
        _objectives(cloud),
        everybody=everybody,
    )


def _objectives(cloud: Cloud) -> Objectives:
    """Who says where the objectives are: they are read with DuckDB, if it is there."""
    from journeykit.insight.watching import Standing, nothing_to_reach

    if not cloud.objectives_file.is_file():
        return nothing_to_reach
    if find_spec("duckdb") is None:
        return lambda day, **_: Standing(left_out=[_NO_DUCKDB])

    from journeykit.insight.declared import read_declared
    from journeykit.insight.parts import stored_partitions
    from journeykit.insight.readings import Bounds, Readings
    from journeykit.insight.sources import Logs

    declared = read_declared(cloud.objectives_file)
    if declared is None:
        return nothing_to_reach

    @contextmanager
    def logs(since: int | None, until: int) -> Iterator[Logs]:
        stored = cloud.stored_logs
        decisions = stored.decisions(since=since, until=until)
        events = stored.events(since=since, until=until)
        yield Logs(
            stored_partitions(decisions, stored.fetched),
            stored_partitions(events, stored.fetched),
        )

    return Readings(declared, cloud.watch_shelf, logs, bounds=Bounds(_MOST_LINES))


def _day_over(at: object, yesterday: date) -> date:
    """Read which day to look at. One to come would count as looked at until then."""
    from journeykit.errors import InputError

    try:
        day = date.fromisoformat(str(at))
    except ValueError:
        raise InputError("is no day such as 2026-11-30", place="at") from None
    if day > yesterday:
        raise InputError(f"{day} is not over yet", place="at")
    return day


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000


@cache
def _secrets(path: str) -> Secrets:
    from journeykit_handlers.parameters import Secrets

    return Secrets(os.environ, path, client=client)


def _log_like_ours(name: str) -> None:
    """Have the loggers of a package write the same lines of JSON, with the same keys."""
    package = logging.getLogger(name)
    package.addHandler(logger.registered_handler)
    package.setLevel(logger.log_level)
    # Lambda's own handler would write each line once more.
    package.propagate = "LAMBDA_TASK_ROOT" not in os.environ


class Tracing(Protocol):
    """What handlers use of Powertools' Tracer."""

    def capture_lambda_handler(self, handler: Handler) -> Handler:
        """Trace a handler."""
        ...


class _Untraced:
    """Stands for the tracer where tracing is off: loading it takes a while."""

    def capture_lambda_handler(self, handler: Handler) -> Handler:
        """Leave it as it is."""
        return handler


def _tracer() -> Tracing:
    if os.environ.get("JOURNEYKIT_TRACING") != "true":
        return _Untraced()
    from aws_lambda_powertools import Tracer

    return cast(Tracing, Tracer())


tracer = _tracer()

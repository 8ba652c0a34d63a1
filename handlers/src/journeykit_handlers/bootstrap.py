"""Puts the application together, once a process. Only here the environment is read."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics

from journeykit.aws.clients import client
from journeykit.aws.cloud import Cloud
from journeykit.aws.settings import Settings
from journeykit.observers import Observer, Observers
from journeykit_handlers.telemetry import Measures, Printed, Telemetry

if TYPE_CHECKING:
    from journeykit_handlers.parameters import Secrets

Handler = TypeVar("Handler", bound=Callable[..., Any])

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

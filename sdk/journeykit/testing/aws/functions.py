"""Lambda functions in this process: the real handlers, each with its own environment.

A function's process is a copy of the handlers' modules. It is made when the function is
first called, and again after it has died; whatever it keeps (clients, a compiled catalog)
is kept as long as Lambda would keep it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

from journeykit.testing.aws.account import Account
from journeykit.testing.aws.template import ACCOUNT, PARTITION

PACKAGE = "journeykit_handlers"


class Killed(BaseException):
    """Raised anywhere in a function, it is as if the process had been killed there.

    Nothing of ours catches it. The function's next invocation is a cold start.
    """


class FunctionError(Exception):
    """An invocation failed: it raised, or its process is gone."""


class Settings(NamedTuple):
    """What the template says of a function.

    Attributes:
        name: Its name.
        handler: `module.attribute`.
        environment: Its variables.
        timeout_s: How long an invocation may take.
        memory_mb: How much memory it has.
    """

    name: str
    handler: str
    environment: Mapping[str, str]
    timeout_s: int = 3
    memory_mb: int = 128


class Context:
    """What Lambda hands a function beside the event."""

    def __init__(self, settings: Settings, region: str, request_id: str) -> None:
        """Tell of one invocation."""
        self.function_name = settings.name
        self.function_version = "$LATEST"
        self.invoked_function_arn = (
            f"arn:{PARTITION}:lambda:{region}:{ACCOUNT}:function:{settings.name}"
        )
        self.memory_limit_in_mb = str(settings.memory_mb)
        self.aws_request_id = request_id
        self.log_group_name = f"/aws/lambda/{settings.name}"
        self.log_stream_name = "emulated"
        self._timeout_ms = settings.timeout_s * 1000

    def get_remaining_time_in_millis(self) -> int:
        """All of it: the clock stands still during an invocation."""
        return self._timeout_ms


class Function:
    """One function."""

    def __init__(
        self,
        settings: Settings,
        account: Account,
        *,
        printed: Callable[[str, str], None],
        salt: Callable[[], str] | None,
    ) -> None:
        """Load nothing yet.

        Args:
            settings: What the template says.
            account: Where it runs.
            printed: Called with the function's name and each line that it prints.
            salt: Draws what new customers are named by in the logs.
        """
        self.settings = settings
        self._account = account
        self._output = _Output(partial(printed, settings.name))
        self._salt = salt
        self._modules: dict[str, ModuleType] = {}
        self._handler: Callable[[Any, Context], Any] | None = None
        self._count = 0

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """Invoke it once, with an event as AWS would hand it over.

        Raises:
            FunctionError: It failed.
        """
        self._count += 1
        context = Context(
            self.settings, self._account.region, f"{self.settings.name}-{self._count}"
        )
        with self._process():
            try:
                if self._handler is None:
                    self._handler = self._loaded()
                # As JSON, so that nothing is shared with whoever called.
                answer = self._handler(json.loads(json.dumps(event)), context)
                return json.loads(json.dumps(answer))
            except Killed as error:
                self._handler = None
                raise FunctionError(f"{self.settings.name} was killed") from error
            except Exception as error:
                name = type(error).__name__
                raise FunctionError(f"{self.settings.name}: {name}: {error}") from error

    def forget(self) -> None:
        """End its process: the next invocation is a cold start."""
        self._handler = None

    def _loaded(self) -> Callable[[Any, Context], Any]:
        """Start a process: import the handlers anew."""
        for name in _own_modules():
            del sys.modules[name]
        bootstrap: Any = import_module(f"{PACKAGE}.bootstrap")
        bootstrap.Cloud = partial(
            bootstrap.Cloud, salt=self._salt, sleep=_no_time, steady=time.time
        )
        module, _, attribute = self.settings.handler.rpartition(".")
        found: Callable[[Any, Context], Any] = getattr(import_module(module), attribute)
        return found

    @contextmanager
    def _process(self) -> Iterator[None]:
        """Be in the function's process until the end of the block."""
        others = _own_modules()
        _replace(others, self._modules)
        count = len(sys.modules)
        settings = self.settings
        environment = {
            **settings.environment,
            "AWS_LAMBDA_FUNCTION_NAME": settings.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": "/var/task",
        }
        try:
            with (
                self._account.used_by(settings.name),
                mock.patch.dict(os.environ, environment),
                mock.patch.object(sys, "stdout", self._output),
                mock.patch("time.sleep", _no_time),  # botocore's, between two attempts
            ):
                yield
        finally:
            if len(sys.modules) != count:  # else it would be looked for in vain
                self._modules = _own_modules()
            _replace(self._modules, others)


def _own_modules() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name == PACKAGE or name.startswith(f"{PACKAGE}.")
    }


def _no_time(seconds: float) -> None:
    """Wait in place of `sleep`: the clock stands still during an invocation."""


def _replace(modules: Mapping[str, ModuleType], by: Mapping[str, ModuleType]) -> None:
    for name in modules:
        sys.modules.pop(name, None)
    sys.modules.update(by)


class _Output(io.TextIOBase):
    """Standard output of a function: whole lines go where its log goes."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)


@contextmanager
def loggers_restored() -> Iterator[None]:
    """Let functions find no logger set up, and take back what they do to logging."""
    before = [(it, _taken_down(it), it.level, it.propagate) for it in _loggers()]
    filters = [(it, list(it.filters)) for it in logging.getLogger().handlers]
    try:
        yield
    finally:
        for logger in _loggers():
            _taken_down(logger)
        for logger, (handlers, marks), level, propagate in before:
            logger.handlers[:], logger.level, logger.propagate = (
                handlers,
                level,
                propagate,
            )
            vars(logger).update(marks)
        for handler, known in filters:
            handler.filters = known


def _loggers() -> list[logging.Logger]:
    """All loggers that functions may set up: ours, and those that Powertools marks."""
    found = logging.Logger.manager.loggerDict.values()
    return [
        logger
        for logger in found
        if isinstance(logger, logging.Logger)
        and (logger.name == "journeykit" or not _MARKS.isdisjoint(vars(logger)))
    ]


def _taken_down(
    logger: logging.Logger,
) -> tuple[list[logging.Handler], dict[str, object]]:
    """Take a logger's handlers and marks away, and return them."""
    handlers, logger.handlers[:] = list(logger.handlers), []
    # Powertools never sets up a second time what it has marked.
    marks = {name: vars(logger).pop(name) for name in _MARKS & vars(logger).keys()}
    return handlers, marks


_MARKS = {
    "init",
    "powertools_buffer_cache",
    "powertools_buffer_config",
    "powertools_handler",
}

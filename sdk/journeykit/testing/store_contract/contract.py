"""How a contract gets the store that it tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from journeykit.engine.commands import Command
from journeykit.engine.stimuli import Stimulus

T = TypeVar("T")


class Contract:
    """A store to hold against its promises, and what tests do with it beside its port.

    Whoever keeps one port alone says how the steps go that its contract asks for; for a
    whole store `StoreContract` says it.

    Attributes:
        threads: How many call at the same time where a test is about that; 1: one after
            the other, for a double that is not made for threads.
    """

    threads: ClassVar[int] = 10

    def make(self, folder: Path) -> Any:
        """Return an empty store; it may keep its files in the folder."""
        raise NotImplementedError

    def close(self, store: Any) -> None:
        """Let go of a store."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Any]:
        """An empty store."""
        store = self.make(tmp_path)
        yield store
        self.close(store)

    def decide(self, store: Any, *commands: Command) -> None:
        """Let commands of Ada's be decided, so that the outbox has them."""
        raise NotImplementedError

    def inbox(self, store: Any) -> Sequence[Stimulus]:
        """Return what the store has put into its inbox so far, oldest first."""
        raise NotImplementedError

    def together(self, function: Callable[[int], T], times: int) -> list[T]:
        """Call a function so many times at once, each with its number."""
        if self.threads == 1:
            return [function(n) for n in range(times)]
        with ThreadPoolExecutor(min(self.threads, times)) as threads:
            return list(threads.map(function, range(times)))

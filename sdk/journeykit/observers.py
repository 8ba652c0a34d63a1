"""Tells plugins what happened, in a way that none of them can break a run."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from journeykit.happened import Delivered, Reacted

AFTER_REACTION = "journeykit_after_reaction"
AFTER_DELIVERY = "journeykit_after_delivery"

_log = logging.getLogger("journeykit.plugins")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observer(Generic[T]):
    """One plugin's implementation of an observer hook.

    Attributes:
        plugin: The plugin's name with its distribution, for the log.
        hook: The hook's name.
        told: What to call.
    """

    plugin: str
    hook: str
    told: Callable[[T], object]


class Observers:
    """All implementations of the observer hooks; they may be told from any thread.

    Attributes:
        want_reactions: Whether anybody implements `journeykit_after_reaction`. Ask before
            making the value: there is one for each event.
        want_deliveries: The same for `journeykit_after_delivery`.
    """

    def __init__(
        self,
        reactions: Sequence[Observer[Reacted]] = (),
        deliveries: Sequence[Observer[Delivered]] = (),
    ) -> None:
        """Know whom to tell of what."""
        self._reactions = tuple(reactions)
        self._deliveries = tuple(deliveries)
        self.want_reactions = bool(reactions)
        self.want_deliveries = bool(deliveries)
        self._failed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def without(self, plugin: str) -> Observers:
        """The same but for one plugin, whose entry point has this name."""
        start = f"{plugin!r} "
        return Observers(
            [one for one in self._reactions if not one.plugin.startswith(start)],
            [one for one in self._deliveries if not one.plugin.startswith(start)],
        )

    def also(self, others: Observers) -> Observers:
        """All of these and all of the others."""
        return Observers(
            [*self._reactions, *others._reactions],
            [*self._deliveries, *others._deliveries],
        )

    def after_reaction(self, reacted: Reacted) -> None:
        """Tell of one committed reaction."""
        self._tell(self._reactions, reacted)

    def after_delivery(self, delivered: Delivered) -> None:
        """Tell what became of one message or call."""
        self._tell(self._deliveries, delivered)

    def _tell(self, observers: Sequence[Observer[T]], what: T) -> None:
        for observer in observers:
            try:
                observer.told(what)
            except Exception as error:  # noqa: BLE001 - whatever a stranger may raise
                self._log_once(observer, error)

    def _log_once(self, observer: Observer[T], error: Exception) -> None:
        """Log the first failure only: what fails once tends to fail on every event."""
        failed = (observer.plugin, observer.hook)
        with self._lock:
            if failed in self._failed:
                return
            self._failed.add(failed)
        # Where and of what type, not in what words: those may quote what is personal.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "plugin %s failed in %s: %s at %s:%s; it is still told, but further "
            "failures are not logged",
            *(observer.plugin, observer.hook, type(error).__name__),
            *(place.filename, place.lineno),
        )

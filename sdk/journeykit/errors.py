"""Everything that journeykit raises on purpose.

    JourneyKitError
    ├── DefinitionError            the author's mistake; found by `journeykit check`
    │   ├── InvalidCondition       a condition that does not parse, or is used wrongly
    │   ├── UnknownStep
    │   ├── UnknownAction
    │   ├── UnknownChannel
    │   └── InvalidJourney         several issues of one journey at once
    ├── PluginError                names plugin and distribution
    │   ├── PluginConflict
    │   └── PluginLoadError
    ├── InputError                 what came in at a door: names the field and the place
    │   └── ForgedCallback         a callback that isn't from whom it says it is
    ├── ContentError               what a template came to can't be sent; the words say why
    ├── IllegalTransition          a status and a stimulus that can't meet; nothing changed
    ├── StaleCatalog               a newer catalog is there; load that one
    ├── StaleCustomer              optimistic lock lost; always retryable
    └── StoreError                 nothing was stored; the message says why
        ├── StoreBusy              another process holds the lock; retryable
        ├── StoreFull              there is no space left; retryable when there is
        ├── NewerStore             a later release wrote it; deploy that one here too
        └── DamagedDocument        one customer's; nobody else is concerned

Not sending a message is never an exception: it is a `Suppression` in the trace.
This module imports nothing of journeykit, so everything may import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Source(NamedTuple):
    """The place of a definition in its author's own file."""

    file: str
    line: int

    def __str__(self) -> str:
        """Print as editors and terminals make clickable: `file:line`."""
        return f"{self.file}:{self.line}"


class JourneyKitError(Exception):
    """The root: catch it to catch everything that journeykit raises on purpose."""


class DefinitionError(JourneyKitError, ValueError):
    """The author's mistake in a journey, a policy or another definition.

    Also a ValueError, so that a validator that meets one reports the field as well.

    Attributes:
        message: What is wrong and the way out, without the place.
        source: File and line in the author's own code, where known.
    """

    def __init__(self, message: str, *, source: Source | None = None) -> None:
        """Keep message and place apart, and print them together."""
        super().__init__(f"{source}: {message}" if source else message)
        self.message = message
        self.source = source


class InvalidCondition(DefinitionError):
    """A condition that does not parse, or a Python operator used where it can't work."""


class UnknownStep(DefinitionError):
    """A step id that no step of the journey has."""


class UnknownAction(DefinitionError):
    """An action that no installed plugin provides."""


class UnknownChannel(DefinitionError):
    """A channel that no installed plugin provides."""


class Problem(NamedTuple):
    """One of several things that are wrong.

    Attributes:
        message: What is wrong and the way out, without the place.
        file: The author's file; empty if it is no file's, or not known.
        line: The line, counted from 1; 0 if not known.
        column: The column, counted from 1; 0 if not known.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Print it in one line, the place first: `cart.yaml:12:5: …`."""
        numbers = [number for number in (self.line, self.column) if number]
        if self.file:
            place = ":".join(map(str, [self.file, *numbers]))
        else:
            words = zip(("line", "column"), numbers, strict=False)
            place = ", ".join(f"{word} {number}" for word, number in words)
        return f"{place}: {self.message}" if place else self.message


class InvalidJourney(DefinitionError):
    """Several problems of one journey, or of a workspace.

    Attributes:
        issues: The problems, each with its place.
    """

    def __init__(self, message: str, *, issues: Sequence[Problem]) -> None:
        """Print the message, if there is one, then one problem a line."""
        lines = [message, *map(str, issues)]
        super().__init__("\n  ".join(filter(None, lines)))
        self.issues = tuple(issues)


class PluginError(JourneyKitError):
    """A plugin's mistake; the message names plugin and distribution."""


class PluginConflict(PluginError):
    """Two plugins contribute something of the same name."""


class PluginLoadError(PluginError):
    """A plugin could not be imported, or does not match the hooks."""


class InputError(JourneyKitError):
    """What came in at a door is not what the door takes.

    Attributes:
        message: What is wrong and the way out, without the place.
        place: File and line, or field, of the input; empty if unknown.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        """Keep message and place apart, and print them together."""
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place


class ForgedCallback(InputError):
    """A callback that isn't signed by the provider, or was signed too long ago."""


class ContentError(JourneyKitError):
    """What a template came to can't be sent: something is missing, or it is too long.

    The message has nothing of what was to be sent, so that it may stand in logs.

    Attributes:
        message: What is wrong and the way out, without the place.
        source: File and line of the template, where known. A template engine, which is
            given no files, leaves the file empty, or says which layout or partial it is.
    """

    def __init__(self, message: str, *, source: Source | None = None) -> None:
        """Keep message and place apart, and print them together."""
        place = ""
        if source is not None:
            place = f"{source}: " if source.file else f"line {source.line}: "
        super().__init__(f"{place}{message}")
        self.message = message
        self.source = source


class IllegalTransition(JourneyKitError):
    """An enrollment's status and what was asked of it can't meet; nothing changed."""


class StaleCatalog(JourneyKitError):
    """The customer has seen a newer catalog; load that one and react again."""


class StaleCustomer(JourneyKitError):
    """Somebody else committed this customer first; load again and react again."""


class StoreError(JourneyKitError):
    """The store could not do what it was asked, and nothing of it was stored."""


class StoreBusy(StoreError):
    """Another process holds the store's lock for too long; the same again may work."""


class StoreFull(StoreError):
    """There is no space left; the same again works when there is."""


class NewerStore(StoreError):
    """A later release wrote it, and this one can't read it."""


class DamagedDocument(StoreError):
    """One customer's document can't be read by anybody; the others can."""

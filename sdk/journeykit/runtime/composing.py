"""From a decided message to what its provider gets: template, then medium.

Templates are those that were published with the live catalog. They are looked up when the
first message needs them, and kept: four sets, since whoever publishes back and forth goes
between two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from journeykit.channels import Channel, Message
from journeykit.errors import StoreError
from journeykit.ports import CatalogDocument, Contents

if TYPE_CHECKING:  # loaded by whoever composes, and by nobody else
    from journeykit.content.composer import Composer
    from journeykit.content.templates import Library

_KEPT = 4  # libraries

Compose = Callable[[Channel, Message], Message]
"""Returns a message with what its channel's provider gets, ready to be handed over.

It raises ContentError if that can't be, and StoreError or InputError if it can't be now.
"""


class PublishedTemplates:
    """The templates of the live catalog. Any thread may ask."""

    def __init__(
        self, document: Callable[[], CatalogDocument | None], contents: Contents
    ) -> None:
        """Look nothing up yet.

        Args:
            document: Returns the live catalog, as it was published.
            contents: Where templates are kept.
        """
        self._document = document
        self._contents = contents
        self._known: dict[str, Library] = {}
        self._lock = threading.Lock()

    def __call__(self) -> Library:
        """Return the templates; without any, if none were published.

        Raises:
            StoreError: They can't be read now, or are gone.
        """
        document = self._document()
        id = document.content if document is not None else ""
        known = self._known.get(id)
        if known is not None:
            return known
        with self._lock:  # one of several threads looks it up for all of them
            if id not in self._known:
                library = self._looked_up(id)
                while len(self._known) >= _KEPT:
                    self._known.pop(next(iter(self._known)), None)
                self._known[id] = library
            return self._known[id]

    def _looked_up(self, id: str) -> Library:
        from journeykit.content.templates import Library

        if not id:
            return Library({})
        content = self._contents.content(id)
        if content is None:
            raise StoreError(
                f"the published templates ({id[:12]}) are gone from the store; publish "
                "the workspace again"
            )
        return Library.from_bytes(content)


def composing(composer: Composer) -> Compose:
    """Return what composes messages with these templates."""

    def compose(channel: Channel, message: Message) -> Message:
        if not channel.medium:
            return message
        content = composer.compose(message, channel.medium)
        return channel.render(replace(message, content=content))

    return compose

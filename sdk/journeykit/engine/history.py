"""What happened before anybody listened: it teaches, and moves nobody.

An import brings events with `history`. They feed traits, write to the profile and note
consents and the state of addresses, as the same events do when they come in at a door. They
enter nobody into a journey, end no wait and reach no goal, and whoever is in a segment
afterwards has not *entered* it. Runs end only that are kept in a segment which the customer
is not in, or whose exit rule looks and is met: else the next message would go to who should
be out. How late they come does not matter, and they are not
remembered as seen: whoever imports knows how far they have read.

A word about messages counts from when it was said, and undoes none that was said later.
"""

from __future__ import annotations

from journeykit.engine.calendar import to_ms
from journeykit.engine.draft import Draft, Happening
from journeykit.model.events import (
    CONSENT_CHANGED,
    CONSENT_CONFIRMED,
    CONSENT_REQUESTED,
    MESSAGE_REPLIED,
    MESSAGE_UNSUBSCRIBED,
)

_WORDS = frozenset(
    {
        CONSENT_CHANGED,
        CONSENT_CONFIRMED,
        CONSENT_REQUESTED,
        MESSAGE_REPLIED,
        MESSAGE_UNSUBSCRIBED,
    }
)


def since(draft: Draft, happening: Happening) -> int:
    """Return from when what an event says counts, milliseconds.

    That is `draft.at`, but for words about messages: those say when they were said.
    """
    if happening.name not in _WORDS or happening.occurred_at is None:
        return draft.at
    return min(to_ms(happening.occurred_at), draft.at)


def is_outdated(draft: Draft, happening: Happening) -> bool:
    """Whether the customer has said something else about the same since then.

    What can't be read in a word means all, so any later word about the channel or the
    topic that it names is enough.
    """
    if happening.name not in _WORDS or happening.occurred_at is None:
        return False
    said_at = to_ms(happening.occurred_at)
    properties = happening.properties
    channel, topic = properties.get("channel") or "", properties.get("topic") or ""
    return any(
        word.at > said_at and (word.channel, word.topic) == (channel, topic)
        for word in draft.consents
    )

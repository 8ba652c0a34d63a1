"""The guard `sunset`: who has not opened, clicked or answered for long gets no marketing.

Mailbox providers judge a sender by how many of those who get its mail want it, and turn
addresses that nobody uses any more into traps. Whoever keeps writing to them ends in the
spam folders of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from journeykit.guarding import Asked, Guard, Refused
from journeykit.hookspecs import hookimpl

_MILLISECONDS = 1e11  # numbers from here on are milliseconds, smaller ones are seconds


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set.

    Attributes:
        days: After how many times 24 hours of silence it is enough.
        channels: Where silence counts, each channel by itself.
        except_topics: Topics that go all the same, such as that of a win-back journey.
        attributes: Instants of the profile that are signs of life too: `last_order_at`.
    """

    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 180
    channels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("email",)
    except_topics: tuple[str, ...] = ()
    attributes: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()


class Sunset(Guard):
    """Refuses marketing to an address at which nobody has stirred for long."""

    name = "sunset"
    Settings = Settings
    settings = Settings()

    def ask(self, asked: Asked) -> Refused | None:
        """Return a refusal if the latest sign of life is too long ago."""
        settings: Settings = self.settings
        if (
            asked.purpose != "marketing"
            or asked.channel not in settings.channels
            or (asked.topic and asked.topic in settings.except_topics)
        ):
            return None
        silence = asked.now - max(_signs(asked, settings.attributes))
        if silence < timedelta(days=settings.days):
            return None
        values = {"silent_days": silence.days, "days": settings.days}
        return Refused("no sign of life", values)


def _signs(asked: Asked, attributes: Iterable[str]) -> Iterator[datetime]:
    """When the customer has shown a sign of life; that we know them is the first."""
    yield asked.created_at
    contact = asked.contact
    yield from (at for at in (contact.engaged_at, contact.replied_at) if at is not None)
    for name in attributes:
        at = _instant(asked.profile.get(name), asked.zone)
        if at is not None and at <= asked.now:  # an appointment is no sign of life
            yield at


def _instant(value: object, zone: str) -> datetime | None:
    """An instant that a profile holds: ISO 8601, or a number since the epoch."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # no instant, so no sign
    return None


@hookimpl
def journeykit_guards() -> Iterable[Guard]:
    """Yield the guard."""
    yield Sunset()

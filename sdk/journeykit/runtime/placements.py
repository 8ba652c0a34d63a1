"""Answers a place in an app or on a page that asks what to show: decided, stored, composed.

The decision is stored before anybody is answered, like every other. Its content is composed
here and now, and left with the channel that carries it, so that whatever the app says of it
next is about something that is there. The command goes its way all the same: the dispatcher
hands it over once more, which changes nothing where a channel is idempotent, and settles it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from journeykit.channels import Channel, Message, Notice, Rejected
from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import SendMessage
from journeykit.engine.trace import TraceEntry
from journeykit.errors import ContentError, JourneyKitError
from journeykit.model.events import Event
from journeykit.runtime.composing import Compose
from journeykit.runtime.dispatcher import CONTENT, message_of
from journeykit.runtime.failures import places
from journeykit.runtime.runtime import Asked, Runtime

_log = logging.getLogger("journeykit.placements")

UNAVAILABLE = "unavailable"
"""Why there is no content: templates or the channel can't be used now."""

NOBODY = "no_journey"
"""Why there is no content: no live journey answers for the place."""

_AGAINST = frozenset(
    {"ignored", "not_entered", "unmatched", "held_out", "parked", "suppressed"}
    | {"deferred", "failed"}
)
"""The kinds of decisions that say why somebody didn't answer."""

_MOST = 50  # reasons of an answer
_KEPT = 200  # notices of an inbox among which the answer to an earlier ask is


class Against(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one journey has not answered.

    Attributes:
        reason: As one word: a decision's reason, or its kind where it has none.
        journey: Whose reason it is; empty: nobody's in particular.
        step: The step at which it was decided, if at one.
    """

    reason: str
    journey: str = ""
    step: str = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a place is to show.

    Attributes:
        id: The id of the ask.
        customer: Whom it is for.
        placement: The place.
        content: JSON values, what a notice of an inbox has as its `body`; None: nothing.
        notice: The id of the notice, by which an app says what became of it; empty where
            there is no content.
        journey: Whose content it is; empty also where an ask is answered once more.
        step: Its step.
        at: When it was decided; None where there is no content.
        expires_at: From when on it is not to be shown any more; None: whenever.
        again: Whether it was decided for the same ask before.
        reasons: Why others have not answered, in the order in which they were asked.
    """

    id: str
    customer: str
    placement: str
    content: Mapping[str, object] | None = None
    notice: str = ""
    journey: str = ""
    step: str = ""
    at: datetime | None = None
    expires_at: datetime | None = None
    again: bool = False
    reasons: tuple[Against, ...] = ()


class Board(Protocol):
    """What is known of the inboxes."""

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first."""
        ...


class Placements:
    """Answers asks. Any thread may ask; each decides by itself, against the same store."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        channels: Mapping[str, Channel],
        compose: Compose,
        board: Board,
        seeds: Mapping[str, Collection[str]] | None = None,
        dry_run: bool = False,
    ) -> None:
        """Join the parts.

        Args:
            runtime: Decides and stores.
            channels: Who carries each channel, set up, with their boards.
            compose: Makes of a message what its channel shows.
            board: Keeps the notices, by which an ask that comes twice is answered twice.
            seeds: Addresses that test traffic really goes to, by channel.
            dry_run: Whether nothing is left anywhere.
        """
        self._runtime = runtime
        self._channels = channels
        self._compose = compose
        self._board = board
        self._seeds = seeds or {}
        self._dry_run = dry_run

    def refuse(self, event: Event) -> None:
        """Refuse an ask that can't be answered, before anybody writes it down.

        Raises:
            InputError: It is about nobody, or not what the schemas say.
            DefinitionError: There is no catalog that could be run.
        """
        self._runtime.refuse(event)

    def decide(self, event: Event, *, now: int) -> Shown:
        """Decide what a place shows, and store it.

        Args:
            event: The ask, `placement.requested`.
            now: The wall clock, milliseconds.

        Raises:
            StoreError: Nothing was stored; the same ask may come again.
            DefinitionError: There is no catalog that could be run.
            RuntimeError: It can't be handled by a mistake of ours; it is a dead letter.
        """
        ingested = self._runtime.ingest([event], now=now, door="decide")
        asked = next((one for one in ingested.asked if one.id == event.id), None)
        if asked is None:
            raise RuntimeError("an ask can't be handled; the dead letters say why")
        placement = str(event.properties.get("placement", ""))
        shown = Shown(
            id=event.id,
            customer=asked.customer,
            placement=placement,
            reasons=_reasons(asked.trace),
        )
        command = _answer(asked)
        if command is not None:
            return self._composed(shown, command)
        if any(one.reason == "duplicate" for one in asked.trace):
            return self._again(shown)
        if not shown.reasons:
            return _without(shown, NOBODY)
        return shown

    def _composed(self, shown: Shown, command: SendMessage) -> Shown:
        """Compose the content and leave it with its channel; say why if that can't be."""
        channel = self._channels.get(command.channel)
        if channel is None:
            return _without(shown, UNAVAILABLE, command)
        if self._is_mocked(command, channel):
            channel = channel.mock()
        try:
            message = self._compose(channel, message_of(command))
            body, ttl = _body_of(message)
        except ContentError as error:  # the dispatcher finds the same, and settles it
            _log.error(
                "message %s of step %r in journey %r can't be shown: %s",
                *(command.delivery_id, command.step, command.journey, error),
            )
            return _without(shown, CONTENT, command)
        except JourneyKitError as error:
            _log.error("message %s can't be shown: %s", command.delivery_id, error)
            return _without(shown, UNAVAILABLE, command)
        except Exception as error:  # noqa: BLE001 - of a plugin: an engine or a channel
            _log.error("a message can't be composed: %s", places(error))
            return _without(shown, CONTENT, command)
        if not self._left(channel, message):
            return _without(shown, CONTENT, command)
        at = to_datetime(command.at)
        return msgspec.structs.replace(
            shown,
            content=body,
            notice=command.delivery_id,
            journey=command.journey,
            step=command.step,
            at=at,
            expires_at=None if ttl is None else at + timedelta(seconds=ttl),
        )

    def _is_mocked(self, command: SendMessage, channel: Channel) -> bool:
        if self._dry_run or not command.test:
            return self._dry_run
        seeds = {channel.normalize(one) for one in self._seeds.get(command.channel, ())}
        return channel.normalize(command.address) not in seeds

    def _left(self, channel: Channel, message: Message) -> bool:
        """Leave the content with its channel; False: that refuses it for good.

        One that isn't idempotent gets it once, of the dispatcher. So does one that can't be
        reached now: what is decided can be shown all the same.
        """
        if not channel.capabilities.idempotent:
            return True
        try:
            receipts = channel.send([message])
        except Exception as error:  # noqa: BLE001 - an outage; the dispatcher comes again
            _log.warning("a notice can't be left now: %s", type(error).__name__)
            return True
        return not any(isinstance(receipt, Rejected) for receipt in receipts)

    def _again(self, shown: Shown) -> Shown:
        """Answer an ask that was answered before, as far as that is still known.

        Why there was nothing isn't: it is asked about once.
        """
        for notice in self._board.notices(shown.customer, limit=_KEPT):
            if notice.body.get("ask") == shown.id:
                return msgspec.structs.replace(
                    shown,
                    content=notice.body,
                    notice=notice.id,
                    at=notice.at,
                    expires_at=notice.expires_at,
                    again=True,
                    reasons=(),
                )
        return msgspec.structs.replace(shown, again=True)


def _answer(asked: Asked) -> SendMessage | None:
    """The message that answers an ask, and none that went to the inbox beside it."""
    for command in asked.commands:
        if isinstance(command, SendMessage) and command.ask == asked.id:
            return command
    return None


def _reasons(trace: Sequence[TraceEntry]) -> tuple[Against, ...]:
    found = [
        Against(entry.reason or entry.kind, entry.journey, entry.step)
        for entry in trace
        if entry.kind in _AGAINST
    ]
    return tuple(found[:_MOST])


def _without(shown: Shown, reason: str, command: SendMessage | None = None) -> Shown:
    """The same with one reason more."""
    against = (
        Against(reason)
        if command is None
        else Against(reason, command.journey, command.step)
    )
    return msgspec.structs.replace(shown, reasons=(*shown.reasons, against))


def _body_of(message: Message) -> tuple[Mapping[str, object], int | None]:
    """What an app gets of a message, and for how many seconds it may show it.

    A channel without templates, such as `console`, has the template's name and variables.
    """
    if message.content is None:
        plain = {"template": message.template, "variables": dict(message.variables)}
        return {**plain, "placement": message.placement, "ask": message.ask}, None
    from journeykit.media.inapp import InApp, inapp_of

    body = message.body if isinstance(message.body, InApp) else inapp_of(message)
    return body.to_json(), body.ttl

"""The channel: what is left in the inbox, and until when it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import timedelta

from journeykit.channels import (
    Capabilities,
    Channel,
    Message,
    Notice,
    Receipt,
    Rejected,
    Sent,
)
from journeykit.errors import ContentError
from journeykit.media.inapp import InApp, inapp_of


class InAppChannel(Channel):
    """Leaves messages in the customer's inbox, which the store keeps.

    What a person does with them, reading or putting them away, comes in at the inbox's own
    address, and not as a callback.
    """

    name = "inapp"
    medium = "inapp"
    # The store takes one of an id only once. So many at a time are few requests, and still
    # well below what a store takes in one.
    capabilities = Capabilities(batch_size=25, idempotent=True)

    def render(self, message: Message) -> Message:
        """Return the message with what the app will show as its body."""
        return replace(message, body=inapp_of(message))

    def mock(self) -> Channel:
        """Return one that checks everything, and has an inbox that keeps nothing."""
        mock = copy(self)
        mock.provider = f"{self.provider or self.name} (mock)"
        mock.board = _Nowhere()
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Leave the messages in the inboxes.

        Raises:
            RuntimeError: Nobody said where inboxes are kept.
            StoreError: They can't be reached; which have these messages nobody knows, and
                it does no harm to leave them there again.
        """
        if self.board is None:
            raise RuntimeError("the in-app channel has no `board` to leave messages on")
        receipts: list[Receipt] = []
        notices = []
        for message in messages:
            try:
                notices.append(notice_of(message))
                receipts.append(Sent(message.delivery_id, message.delivery_id))
            except ContentError as err:
                receipts.append(Rejected(message.delivery_id, str(err)))
        if notices:
            self.board.post(notices)
        return receipts


def notice_of(message: Message) -> Notice:
    """Return what stands in an inbox for a message.

    Raises:
        ContentError: Its template came to nothing that can be shown.
    """
    body = message.body if isinstance(message.body, InApp) else inapp_of(message)
    expires = None if body.ttl is None else message.at + timedelta(seconds=body.ttl)
    return Notice(
        id=message.delivery_id,
        customer=message.customer,
        at=message.at,
        body=body.to_json(),
        expires_at=expires,
    )


class _Nowhere:
    """An inbox that keeps nothing."""

    def post(self, notices: Sequence[Notice]) -> None:
        pass

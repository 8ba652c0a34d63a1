"""What the forms of the pages say when they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from journeykit.http.messages import Request
from journeykit.http.preferences import Choice

_MOST_FIELDS = 200


class Form:
    """A form that was sent; one that says nothing if it is no form of ours.

    Attributes:
        pressed: The button; empty: none of ours.
        source: Whether a person pressed a button of the page, or their mailbox did.
    """

    def __init__(self, request: Request) -> None:
        """Read it."""
        self._fields = _fields(request.body)
        self.pressed = self.text("do")
        self.source = "unsubscribe_page" if "do" in self else "one_click"

    def __contains__(self, name: str) -> bool:
        """Whether it has a field of this name, be it empty."""
        return name in self._fields

    def text(self, name: str) -> str:
        """What stands in a field; empty if it isn't there."""
        return self._fields.get(name, [""])[0]

    def choices(self, name: str) -> frozenset[Choice]:
        """Channels and topics that it names; whether there are such is looked up later."""
        found = (
            one.partition(":")
            for text in self._fields.get(name, [])
            for one in text.split()
        )
        return frozenset((channel, topic) for channel, _, topic in found)


def _fields(body: bytes) -> Mapping[str, list[str]]:
    """The fields by name.

    A mailbox provider may also send `multipart/form-data` (RFC 8058 §3.2). There is one
    thing that it can say, so it isn't taken apart.
    """
    if b"List-Unsubscribe" in body[:2_000]:
        return {"List-Unsubscribe": ["One-Click"]}
    try:
        return parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,  # that nothing was ticked is said, too
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:  # no text, or too many fields
        return {}

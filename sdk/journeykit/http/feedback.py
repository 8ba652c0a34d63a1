"""What providers post back, and what they ask first: who may be heard, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from journeykit.channels import Callback
from journeykit.errors import InputError
from journeykit.http.messages import Answer, Refused, Request, in_json

FEEDBACK = "/v1/feedback/"
"""What the paths of callbacks begin with; the channel's name follows."""

ROUTE = f"{FEEDBACK}<channel>"

MAX_CALLBACK = 256 * 1024
"""Bytes of a provider's callback."""

OF_AWS = "x-amz-"
"""What only AWS says. No door lets such a header in, so a channel may believe it."""

# Of a proxy or a browser: they say nothing that a provider has said, and whose they are.
_DROPPED = ("cookie", "forwarded", "via", "x-forwarded-", OF_AWS, "x-amzn-")

_FORM = "application/x-www-form-urlencoded"
_LONGEST_ANSWER = 4 * 1024  # bytes of what a provider wants to be told


_OWN_PLACES = ("environment", "settings")


def is_ours(error: InputError) -> bool:
    """Whether what is missing is ours to put: a secret, a setting of the channel.

    What a provider says is to come again then, until it is there: it may be a STOP.
    """
    return error.place.startswith(_OWN_PLACES)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a callback that a channel is to see."""
    return {
        name: value for name, value in headers.items() if not name.startswith(_DROPPED)
    }


def callback_in(request: Request, *, received_at: datetime, url: str = "") -> Callback:
    """Return a request as a channel is to see it.

    Args:
        request: The request.
        received_at: When it came.
        url: What was called, with its query; empty: what the request says.
    """
    return Callback(
        body=request.body,
        headers=kept(request.headers),
        received_at=received_at,
        method=request.method,
        url=url or request.url,
    )


def greeted(ask: Callable[[Callback], str | None], callback: Callback) -> Answer | None:
    """Return the answer to a provider that asks whether an address is ours.

    Args:
        ask: `Channel.handshake`.
        callback: What came.

    Returns:
        What the channel wants it to be told; None: it is no such question.
    """
    text = ask(callback)
    if text is None:
        return None
    return Answer(
        status=200,
        body=text.encode("utf-8", "replace")[:_LONGEST_ANSWER],
        # Plain, so that no browser takes for a page what somebody else made up.
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )


def thanked(request: Request, *, count: int) -> Answer:
    """Return the answer to a callback that was taken.

    Who posts a form takes a body for what to write back to the customer, and complains of
    JSON (Twilio, error 12300: https://www.twilio.com/docs/api/errors/12300), so there is
    none. All others are told 200, since some insist on just that (Meta's Graph API).

    Args:
        request: The callback.
        count: How many reports it was; for the log, too.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM:
        return Answer(status=204, body=b"", headers={}, count=count)
    return replace(in_json(200, {"accepted": count, "rejected": []}), count=count)


def strange() -> Refused:
    """Return the refusal of a question that no provider of ours has asked."""
    return Refused(403, "this isn't what the channel's provider asks")

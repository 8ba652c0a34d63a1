"""The doors of sources: `POST /v1/sources/NAME`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from journeykit.channels import Callback
from journeykit.errors import ForgedCallback, InputError
from journeykit.http.feedback import callback_in, greeted, is_ours
from journeykit.http.messages import Answer, Refused, Request
from journeykit.model.events import Event
from journeykit.sources import Source

LOG = logging.getLogger("journeykit.http")

MAX_EVENTS = 1_000
"""Events that one request may be."""


def asked(
    find: Callable[[], Source], request: Request, *, received_at: datetime, url: str
) -> Answer | list[Event]:
    """Ask a source what a request says.

    Args:
        find: Returns the source whose door it came to, set up.
        request: The request.
        received_at: The door's stamp.
        url: What was called, as its caller knows it.

    Returns:
        What to answer, if it was a question; else its events, which nobody has checked.

    Raises:
        Refused: It is forged (401), can't be read (400), or not yet (503).
    """
    callback = callback_in(request, received_at=received_at, url=url)
    with _refusing(request):
        source = find()
        if answer := greeted(source.handshake, callback):
            return answer
        if request.method != "POST":
            raise Refused(403, "this isn't what the source asks; it takes a POST")
        return _read(source, callback)


def _read(source: Source, callback: Callback) -> list[Event]:
    found: list[Event] = []
    for event in source.events(callback):
        if len(found) == MAX_EVENTS:
            raise InputError(f"a request may be {MAX_EVENTS} events, this one is more")
        found.append(
            replace(
                event,
                received_at=callback.received_at,
                source=event.source or source.name,
                history=False,
            )
        )
    return found


@contextmanager
def _refusing(request: Request) -> Iterator[None]:
    """Say what is wrong with a request; the log has no more of it than the place."""
    try:
        yield
    except ForgedCallback as error:
        LOG.warning("id=%s forged: %s", request.id, error.place)
        raise Refused(401, "not signed by whom it should be") from error
    except InputError as error:
        if is_ours(error):  # not set up: nobody else's fault
            LOG.error("id=%s %s", request.id, error)
            raise Refused(503, "it can't be verified now", Retry_After="60") from error
        LOG.warning("id=%s unreadable: %s", request.id, error.place)
        raise Refused(400, "not what the source reads") from error

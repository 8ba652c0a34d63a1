"""Lines for the event archive that do not come by the bus: what providers say.

The bus hands every event on to the archive's Firehose stream. What the feedback function
reads out of callbacks is decided on there and is never on the bus, where journeys would
hear it twice; so it goes to the stream directly, as the envelope that the bus would have
made of it. A callback that comes again writes its events again: like every line of the
archive they are known by their source and id.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from journeykit.aws.bus import detail_of
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.model.envelopes import HTTP
from journeykit.model.events import Event

_encode_lines = msgspec.json.Encoder().encode_lines


def envelope_lines(events: Sequence[Event]) -> bytes:
    """Write events as the archive has what came in at our own HTTP door.

    Args:
        events: They are stamped: `received_at` and `source` are ours.

    Returns:
        Lines of JSON, each with its end.
    """
    return _encode_lines(
        [
            {
                "version": "0",
                "id": event.id,
                "detail-type": event.name,
                "source": HTTP,
                "time": isoformat(to_ms(event.received_at)),
                "resources": [],
                "detail": detail_of(event),
            }
            for event in events
        ]
    )

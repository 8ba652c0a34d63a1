"""What the decision log says about one customer, with what was noted of their messages."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from journeykit.cli.operating import Look
from journeykit.engine.customer import Customer
from journeykit.engine.ids import log_id
from journeykit.engine.trace import TraceEntry
from journeykit.local.decisions import decision_blocks, decisions_about
from journeykit.model.plain_text import printable

LOST = "undelivered"
"""The kind of what is decided about a message that did not arrive."""


def decided_about(
    look: Look, customer: Customer, *, kind: str | None = None
) -> Sequence[TraceEntry]:
    """Return the decisions about a customer, in order.

    The log has one word for why a message did not arrive; the deliveries have the rest,
    as long as they are kept.

    Args:
        look: Where to look.
        customer: About whom.
        kind: Only those of this kind.
    """
    name = log_id(customer.id, customer.salt)
    entries = [
        entry
        for entry in decisions_about(decision_blocks(look.log, look.store), name)
        if kind in (None, entry.kind)
    ]
    ids = [_delivery(entry) for entry in entries if entry.kind == LOST]
    known = look.store.find([id for id in ids if id]) if ids else {}
    noted = {id: delivery.reason for id, delivery in known.items()}
    return [_with_words(entry, noted.get(_delivery(entry), "")) for entry in entries]


def _delivery(entry: TraceEntry) -> str:
    return str(entry.detail.get("delivery_id", ""))


def _with_words(entry: TraceEntry, noted: str) -> TraceEntry:
    """A decision about a lost message with what was noted of it, if that says more."""
    words = printable(noted).removeprefix(f"{entry.reason}: ").removesuffix(".")
    if entry.kind != LOST or words in ("", entry.reason):
        return entry
    return replace(entry, detail={**entry.detail, "why": words})

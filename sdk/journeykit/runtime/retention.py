"""When what is known of somebody has been kept for long enough.

Somebody is heard of when an event of theirs teaches or moves something, when they say yes or
no to messages, and when they open, click or answer one. What we do ourselves doesn't count:
messages that were sent, runs that went on, scores, publishes. Who is in a journey, or has a
message that came back and waits, stays until that is over.
"""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.engine.customer import Customer
from journeykit.ports import Scan

_PAGE = 1000


def heard_at(customer: Customer) -> int:
    """When something was last heard of somebody, milliseconds, as far as is remembered.

    An event is remembered for as long as its repetition is ignored, and then until the
    next one comes; so the latest is always known.
    """
    scored = {one.at for one in customer.scores.values()}
    seen = (at for at in customer.seen.values() if at not in scored)
    said = (consent.at for consent in customer.consents)
    engaged = (
        at or 0
        for one in customer.addresses.values()
        for at in (one.engaged_at, one.replied_at)
    )
    return max(customer.created_at, *seen, *said, *engaged, 0)


def is_over(customer: Customer, *, before: int) -> bool:
    """Whether somebody is to be forgotten.

    Args:
        customer: Who. What is left of somebody who was merged goes with whom they are.
        before: Who was last heard of before, milliseconds, is.
    """
    if customer.active or customer.held or customer.merged_into:
        return False
    return heard_at(customer) < before


def over(store: Scan, *, before: int) -> Iterator[str]:
    """Yield who is to be forgotten, of everybody.

    Raises:
        StoreError: The store can't be read.
    """
    after = ""
    while page := store.scan(after, _PAGE):
        after = page[-1].id
        for customer in page:
            if is_over(customer, before=before):
                yield customer.id

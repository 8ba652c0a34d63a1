"""Where messages go to somebody, as far as it can be told from their document.

What a provider reports, and what can't be read of it, names an address and no customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from journeykit.engine.customer import Customer

# An address of email, or a number in E.164 with its plus. Shorter ones are not told from
# other words.
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{3,255}|\+[0-9][0-9 ()./-]{5,24}")
_DEEP = 8


def addresses_of(customer: Customer) -> frozenset[str]:
    """Return what looks like an address, in the profile and among the identifiers."""
    said = [each.partition(":")[2] for each in customer.identifiers]
    held = [one.message.address for one in customer.held]
    found = {*_texts(customer.profile, _DEEP), *said}
    return frozenset([*filter(_ADDRESS.fullmatch, found), *filter(None, held)])


def _texts(value: Any, left: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif left and isinstance(value, dict):
        for one in value.values():
            yield from _texts(one, left - 1)
    elif left and isinstance(value, list):
        for one in value:
            yield from _texts(one, left - 1)

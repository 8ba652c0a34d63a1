"""Values for variables that no example gives, so that a template can be seen at once.

A name says what is likely: `price` is a number, `first_name` a name. What can't be guessed
shows its own name in brackets, and so does whatever is asked of it: `[order.lines.0]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

# The last word of a name that decides, and what it stands for then.
_GUESSES: tuple[tuple[str, object], ...] = (
    (r"(first|given)_?name|firstname", "Alex"),
    (r"(last|family|sur)_?name|surname", "Martin"),
    (r"(full|customer|user)_?name|name", "Alex Martin"),
    (r"email", "alex@example.com"),
    (r"phone|mobile", "+15555550123"),
    (r"(image|picture|photo|logo)(_?url)?", "https://example.com/picture.jpg"),
    (r"url|link|href", "https://example.com/page"),
    (r"price|total|amount|sum|value|cost|balance|discount", 49.9),
    (r"count|quantity|qty|number|points|days|hours|minutes|age", 3),
    (r"percent|percentage|rate", 20),
    (r"currency", "EUR"),
    (r"date|day|at|on|until|expires|deadline|time", "2026-06-30T18:00:00Z"),
    (r"code|coupon|voucher", "SAVE-20"),
    (r"(is|has)_.*", True),
)


def placeholder(name: str) -> object:
    """Return a value for a variable of this name."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for pattern, value in _GUESSES:
        if re.fullmatch(rf"(?:.*_)?(?:{pattern})", words):
            return value
    return Placeholder(name)


class Placeholder(str):
    """Text with its name, and whatever else a template takes it for.

    It is a mapping that has every key, and a list of two, so that `order.lines` can be gone
    through where nobody has said what is in it.
    """

    __slots__ = ("_name",)

    _name: str

    def __new__(cls, name: str) -> Self:
        """Stand for a variable."""
        made = super().__new__(cls, f"[{name}]")
        made._name = name
        return made

    def __contains__(self, key: object) -> bool:
        """Say that every field is there."""
        return isinstance(key, str) and not key.startswith("_")

    def __getitem__(self, key: object) -> Any:
        """Stand for a field or an item of it."""
        guess = placeholder(key) if isinstance(key, str) else None
        if guess is None or isinstance(guess, Placeholder):
            return Placeholder(f"{self._name}.{key}")
        return guess

    def __iter__(self) -> Iterator[Any]:
        """Stand for a list."""
        return iter((self[0], self[1]))

    def __len__(self) -> int:
        """Say how long that list is."""
        return 2


# Engines look up fields in mappings only.
Mapping.register(Placeholder)

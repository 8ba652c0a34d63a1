"""A secret among the settings: read when it is needed, and shown nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from journeykit.errors import InputError

if TYPE_CHECKING:  # who has no settings need not load pydantic
    from pydantic_core import CoreSchema

_NEITHER = "write a text, or $NAME for the environment's NAME"


class Secret:
    """A text that no message and no log shows; `$NAME` is the environment's NAME.

        class Settings(BaseModel):
            key: Secret = Secret("$SHOUT_KEY")

    The environment is read when the text is needed, so that a workspace can be checked
    and simulated where the secret isn't known.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep the text, or the name of the variable that holds it.

        Raises:
            ValueError: There is neither: with an empty key anybody could sign.
        """
        if text in ("", "$"):
            raise ValueError(_NEITHER)
        self._text = text

    def reveal(self, *, environ: Mapping[str, str] = os.environ) -> str:
        """Return the text itself, for whoever it authenticates to.

        Raises:
            InputError: The environment doesn't have it.
        """
        if not self._text.startswith("$"):
            return self._text
        name = self._text[1:]
        if not environ.get(name):
            raise InputError("is not set, or empty", place=f"environment: {name}")
        return environ[name]

    def __repr__(self) -> str:
        """Show the variable's name, and a text not at all."""
        return f"Secret({self._text if self._text.startswith('$') else '***'!r})"

    def __eq__(self, other: object) -> bool:
        """Equal if written equally."""
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        """As `__eq__` has it."""
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """Let pydantic read it from a text, and not repeat the text in an error."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _read, serialization=core_schema.to_string_ser_schema()
        )


def _read(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError(_NEITHER)  # noqa: TRY004 - pydantic adds the place
    return Secret(value)

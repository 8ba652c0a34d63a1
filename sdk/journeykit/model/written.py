"""Values that definitions hold as text: durations, times of day, rates."""

from __future__ import annotations

from typing import Any, ClassVar

from journeykit.errors import DefinitionError


class Written:
    """A value that is read from its text, and written as it.

    The engine uses these values and must load without pydantic, so it is imported only
    where a definition is built.
    """

    __slots__ = ()

    KIND: ClassVar[str]
    """What pydantic calls an error of it."""

    @classmethod
    def parse(cls, text: Any) -> Any:
        """Read the text, or return such a value as it is.

        Raises:
            DefinitionError: It is not understood; the message says what to write.
        """
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Take the value or its text; write the text."""
        from pydantic_core import PydanticCustomError, core_schema

        def parsed(value: Any) -> Any:
            try:
                return cls.parse(value)
            except DefinitionError as err:
                raise PydanticCustomError(
                    cls.KIND, "{message}", {"message": err.message}
                ) from err

        return core_schema.no_info_plain_validator_function(
            parsed, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

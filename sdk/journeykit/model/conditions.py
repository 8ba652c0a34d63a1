"""Conditions and references as journey authors write them in Python.

A condition *is* its canonical CEL text. The operators here only print CEL, and what
they print goes through the one parser, so Python, YAML and JSON can't differ:

    event.total > 0                             event.total > 0
    (event.a == 1) & ~has(profile.phone)        event.a == 1 && !has(profile.phone)
    one_of(event.currency, ["EUR", "USD"])      event.currency in ["EUR", "USD"]

Python's `and`, `or`, `not`, `in` and chained comparisons can't be overloaded: they ask
for a truth value, which a condition does not have before there is a customer. All of
them raise, with the fix in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from journeykit.errors import DefinitionError, InvalidCondition
from journeykit.model import cel
from journeykit.model.durations import Duration

_WRITE_AND = (
    "a condition has no truth value while the journey is being written. Write & for "
    "`and`, | for `or`, ~ for `not`, with parentheses around each comparison; "
    "(0 < x) & (x < 5) for 0 < x < 5; one_of(x, […]) for `x in […]`"
)
_PARENTHESES = (
    "{text} stands next to & or |, which bind tighter than == and <. Put parentheses around "
    "each comparison: (event.a == 1) & (event.b == 2); a yes-or-no field is compared "
    "too: (event.gift == True)"
)
_ARITHMETIC = (
    "there is no arithmetic in conditions: compare {text} itself, or send the result as "
    "a field of the event"
)


def _canonical(expr: cel.Expr) -> str:
    """Print the canonical text, which may be longer than the text that was read."""
    text = cel.unparse(expr)
    if len(text) > cel.MAX_TEXT:
        raise InvalidCondition(
            f"{len(text):,} characters in canonical form: the limit is "
            f"{cel.MAX_TEXT:,}; split it into two steps: {text[:40]}…"
        )
    return text


def _refuses(message: str) -> Callable[..., NoReturn]:
    """Make an operator that raises, saying what to write instead."""

    def refuse(self: Condition | Expression, *others: object, **_: object) -> NoReturn:
        other = _shown(others[0]) if others else ""
        raise InvalidCondition(message.format(text=_shown(self), other=other))

    return refuse


class Condition:
    """A condition on an event, the entry event and the profile, as canonical CEL text.

    Made by comparing references (`event.total > 0`) or from text with
    `Condition.parse`; joined with `&`, `|` and `~`. Equal texts are equal conditions.

    Attributes:
        text: The canonical CEL text.
        expr: The text's syntax tree.
    """

    __slots__ = ("expr", "text")

    expr: cel.Expr
    text: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition from CEL text.

        Raises:
            InvalidCondition: With a caret under the place, and the fix.
        """
        expr = cel.parse(text)
        _refuse_values(expr)
        condition = object.__new__(cls)
        object.__setattr__(condition, "expr", expr)
        object.__setattr__(condition, "text", _canonical(expr))
        return condition

    def __init__(self) -> None:
        """Refuse: conditions come from comparing references, or from text."""
        raise InvalidCondition('write event.total > 0, or Condition.parse("…")')

    def __and__(self, other: Condition) -> Condition:
        """Hold where both hold."""
        return _condition(cel.conjunction(self.expr, _joinable(other)))

    def __or__(self, other: Condition) -> Condition:
        """Hold where at least one holds."""
        return _condition(cel.disjunction(self.expr, _joinable(other)))

    def __invert__(self) -> Condition:
        """Hold where this one is false; an error stays an error, so neither holds."""
        return _condition(cel.Not(self.expr))

    def __bool__(self) -> NoReturn:
        """Refuse `and`, `or`, `not`, `if`, `in` and chained comparisons."""
        raise InvalidCondition(f"{self.text}: {_WRITE_AND}")

    def __eq__(self, other: object) -> bool:
        """Tell whether two conditions have the same canonical text."""
        if not isinstance(other, Condition):
            return NotImplemented
        return self.text == other.text

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self.text)

    def __repr__(self) -> str:
        """Show the text, in the form that makes it again."""
        return f"Condition.parse({self.text!r})"

    def __str__(self) -> str:
        """Print the canonical CEL text."""
        return self.text

    def __reduce__(self) -> tuple[Callable[[str], Condition], tuple[str]]:
        """Copy and pickle by text."""
        return Condition.parse, (self.text,)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: a condition never changes."""
        raise AttributeError(f"a Condition is frozen; can't set {name!r}")

    if not TYPE_CHECKING:  # For mypy they do not exist, and it says so first.
        __rand__ = __ror__ = __xor__ = __rxor__ = _refuses(_PARENTHESES)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Take a condition or its text in pydantic models; serialize as the text."""
        return _text_schema(_read_condition, lambda condition: condition.text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """Describe it as a string."""
        return {
            "type": "string",
            "title": "Condition",
            "description": "A condition in the CEL subset: event.total > 0",
            "maxLength": cel.MAX_TEXT,
        }


class Expression:
    """A value computed from event, entry and profile, as canonical CEL text.

    Definitions keep a plain `Expression`: equal texts are equal, and it has a hash.
    Authors hold a `Reference` or `Computed` of it, whose `==` makes a `Condition`.
    `text_of` gives the text: names without underscores belong to the event's fields.
    """

    __slots__ = ("__expr__", "__text__")

    __expr__: cel.Expr
    __text__: str

    def __init__(self, text: str) -> None:
        """Read an expression from CEL text."""
        expr = cel.parse(text)
        object.__setattr__(self, "__expr__", expr)
        object.__setattr__(self, "__text__", _canonical(expr))

    def __eq__(self, other: object) -> bool:
        """Tell whether two expressions have the same canonical text."""
        if not isinstance(other, Expression):
            return NotImplemented
        return self.__text__ == other.__text__

    def __hash__(self) -> int:
        """Agree with equality; two references with equal texts hash alike too."""
        return hash(self.__text__)

    def __repr__(self) -> str:
        """Show the kind and the text."""
        return f"{type(self).__name__}({self.__text__!r})"

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        """Copy and pickle by text."""
        return type(self), (self.__text__,)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: an expression never changes."""
        raise InvalidCondition(
            f"{self.__text__} is only a reference, it can't be assigned to; a journey "
            "changes the profile with an Update step"
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Take an expression or its text in pydantic models; serialize as the text."""
        return _text_schema(_read_expression, text_of)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """Describe it as a string."""
        return {
            "type": "string",
            "title": "Expression",
            "description": "A value in the CEL subset: event.amount",
            "maxLength": cel.MAX_TEXT,
        }


# What may stand beside an operator: a plain value, or another expression.
Scalar: TypeAlias = bool | float | str | datetime | None
Operand: TypeAlias = Scalar | Expression | Sequence[Scalar]


class Computed(Expression):
    """An expression with operators: comparisons make conditions, the rest is refused.

    `size(x)` and `timestamp(x)` are computed; so is every `Reference`.
    """

    __slots__ = ()

    def __eq__(self, other: Operand) -> Condition:  # type: ignore[override]
        """Print CEL's `==`."""
        return _compare("==", self, other)

    def __ne__(self, other: Operand) -> Condition:  # type: ignore[override]
        """Print CEL's `!=`."""
        return _compare("!=", self, other)

    def __lt__(self, other: Operand) -> Condition:
        """Print CEL's `<`."""
        return _compare("<", self, other)

    def __le__(self, other: Operand) -> Condition:
        """Print CEL's `<=`."""
        return _compare("<=", self, other)

    def __gt__(self, other: Operand) -> Condition:
        """Print CEL's `>`."""
        return _compare(">", self, other)

    def __ge__(self, other: Operand) -> Condition:
        """Print CEL's `>=`."""
        return _compare(">=", self, other)

    # A class that defines `__eq__` loses the hash that it would inherit.
    __hash__ = Expression.__hash__

    def __bool__(self) -> NoReturn:
        """Refuse `and`, `or`, `not` and `if`."""
        text = self.__text__
        raise InvalidCondition(
            f"{text} has no truth value while the journey is being written. Compare it: "
            f"{text} == True, or has({text}); write & | ~ for `and`, `or`, `not`"
        )

    if not TYPE_CHECKING:  # For mypy they do not exist, and it says so first.
        __contains__ = _refuses(
            "Python's `in` can't make a condition: write one_of({other}, {text}) for "
            "an item of a list, contains({text}, …) for a part of a text"
        )
        __iter__ = _refuses(
            "{text} has no items while the journey is being written: write "
            "one_of(x, {text}) or size({text})"
        )
        __len__ = _refuses("{text} has no length yet: write size({text})")
        __call__ = _refuses(
            "{text} is a field, not a function. Write starts_with(x, y), "
            "ends_with(x, y), contains(x, y), has(x), size(x), one_of(x, […])"
        )
        __and__ = __or__ = __xor__ = _refuses(_PARENTHESES)
        __rand__ = __ror__ = __rxor__ = _refuses(_PARENTHESES)
        __invert__ = _refuses(
            "~ binds tighter than ==: write ~({text} == …), or {text} == False"
        )
        __add__ = __sub__ = __mul__ = __truediv__ = _refuses(_ARITHMETIC)
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = _refuses(_ARITHMETIC)
        __mod__ = __floordiv__ = __pow__ = __neg__ = _refuses(_ARITHMETIC)
        __rmod__ = __rfloordiv__ = __rpow__ = __abs__ = _refuses(_ARITHMETIC)


class Reference(Computed):
    """A field of the event, the entry event, the profile or a result: `event.total`.

    It has no public names of its own, so every field name works after the dot, and
    any text in brackets: `event["odd name"]`, `event.items[0]`.
    """

    __slots__ = ()

    def __getattr__(self, name: str, /) -> Reference:
        """Refer to the field of this name."""
        if name.startswith("__") and name.endswith("__"):
            # copy, pickle, inspect and pydantic probe for these; no field is meant.
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, key: str | int, /) -> Reference:
        """Refer to the field of this name, or the list's item at this position."""
        path = self.__expr__
        if isinstance(path, cel.Path):  # Always: a Reference is made from a path.
            if isinstance(key, str):
                return _reference(cel.Path(path.root, (*path.keys, _plain_text(key))))
            if type(key) is int and key >= 0 and path.keys:
                return _reference(cel.Path(path.root, (*path.keys, key)))
        raise InvalidCondition(
            f"{self.__text__}[{key!r}]: in brackets stands a text, or for a list its "
            f'position from 0: {self.__text__}["odd name"], event.items[0]'
        )


event = Reference("event")
"""The event being matched now."""

entry = Reference("entry")
"""The event that started the run."""

profile = Reference("profile")
"""What is known of the customer."""


trait = Reference("trait")
"""What is computed of the customer's events, the lifecycle stage, and scores."""

segment = Reference("segment")
"""Whether the customer is in a segment: `segment["big-spenders"] == True`."""

consent = Reference("consent")
"""Whether marketing is allowed: `consent.email`, `consent["email:news"]`."""


def step(id: str, /) -> Reference:
    """Refer to an earlier Call or Collect of this run: `step("call-voucher").result`."""
    if not isinstance(id, str):
        raise InvalidCondition(
            f"step() takes a step's id, such as 'call-voucher', not {_shown(id)}"
        )
    return _reference(cel.Path("step", (_plain_text(id),)))


def has(field: Reference) -> Condition:
    """Hold where the field is there, be it null.

    A key that is no name prints as CEL's `"odd name" in event`.
    """
    path = field.__expr__ if isinstance(field, Reference) else None
    if not isinstance(path, cel.Path) or not path.keys:
        raise InvalidCondition(
            f"has() takes a field, such as has(event.phone), not {_shown(field)}"
        )
    *above, last = path.keys
    if cel.is_name(last):
        return _condition(cel.Has(path))
    if isinstance(last, int):
        parent = str(cel.Path(path.root, tuple(above)))
        raise InvalidCondition(
            f"has() takes a field, not an item of a list: write size({parent}) > {last}"
        )
    return _condition(cel.In(cel.Literal(last), cel.Path(path.root, tuple(above))))


def one_of(item: Operand, items: Sequence[Operand] | Expression) -> Condition:
    """Hold where the list holds the item, or the map has the key: CEL's `in`."""
    if not isinstance(items, list | tuple | Expression):
        raise InvalidCondition(
            f"one_of() takes a list or a field, not {_shown(items)}: "
            "one_of(event.currency, ['EUR', 'USD'])"
        )
    return _condition(cel.In(_expr(item), _expr(items)))


def starts_with(text: Expression | str, start: Expression | str) -> Condition:
    """Hold where the text begins with this: CEL's `startsWith`."""
    return _method("startsWith", text, start)


def ends_with(text: Expression | str, end: Expression | str) -> Condition:
    """Hold where the text ends with this: CEL's `endsWith`."""
    return _method("endsWith", text, end)


def contains(text: Expression | str, part: Expression | str) -> Condition:
    """Hold where the text has this in it; for an item of a list there is `one_of`."""
    return _method("contains", text, part)


def size(of: Expression) -> Computed:
    """Count a text's characters, a list's items or a map's keys."""
    if not isinstance(of, Expression):
        raise InvalidCondition(f"size() takes a field, not {_shown(of)}")
    return _computed(cel.Call("size", (of.__expr__,)))


def timestamp(of: Expression | datetime | str) -> Computed:
    """Read RFC 3339 text, a field's or this one, as an instant."""
    if isinstance(of, datetime):
        return _computed(_expr(of))
    if not isinstance(of, Expression | str):
        raise InvalidCondition(
            f"timestamp() takes a field or RFC 3339 text, not {_shown(of)}"
        )
    return _computed(cel.Call("timestamp", (_expr(of),)))


def older_than(instant: Expression, length: Duration | str) -> Condition:
    """Hold from so long after the instant on: `older_than(trait.last_order, days(30))`.

    Days and months are those of the customer's calendar. With a length of 0 it holds once
    the instant has come.
    """
    return _time_test("olderThan", instant, length)


def within_last(instant: Expression, length: Duration | str) -> Condition:
    """Hold from the instant on, until so long after it, when it holds no more."""
    return _time_test("withinLast", instant, length)


def within_next(instant: Expression, length: Duration | str) -> Condition:
    """Hold from so long before the instant on, until it has come.

    `within_next(profile.contract_ends, days(14))`
    """
    return _time_test("withinNext", instant, length)


def _time_test(name: str, instant: object, length: Duration | str) -> Condition:
    if not isinstance(instant, Expression):
        raise InvalidCondition(
            f"a field is asked where it lies in time, such as "
            f"older_than(trait.last_order, days(30)), not {_shown(instant)}"
        )
    try:
        duration = Duration.parse(length)
    except DefinitionError as error:
        raise InvalidCondition(error.message) from error
    return _condition(cel.Call(name, (instant.__expr__, cel.Literal(str(duration)))))


def text_of(expression: Expression) -> str:
    """Give an expression's canonical CEL text."""
    return expression.__text__


def expr_of(expression: Expression) -> cel.Expr:
    """Give an expression's syntax tree."""
    return expression.__expr__


# --- Printing -----------------------------------------------------------------------


def _condition(expr: cel.Expr) -> Condition:
    return Condition.parse(cel.unparse(expr))


def _computed(expr: cel.Expr) -> Computed:
    return Computed(cel.unparse(expr))


def _reference(path: cel.Path) -> Reference:
    return Reference(cel.unparse(path))


def _compare(op: str, left: Expression, right: Operand) -> Condition:
    for side in (left, right):
        if isinstance(side, Expression) and side.__text__ in cel.ROOTS:
            root = side.__text__
            raise InvalidCondition(
                f"{root} as a whole can't be compared: name one of its fields, such as "
                f"{root}.total"
            )
    return _condition(cel.Compare(op, left.__expr__, _expr(right)))


def _method(name: str, target: Operand, arg: Operand) -> Condition:
    for side in (target, arg):
        if not isinstance(side, Expression | str):
            raise InvalidCondition(
                f"{name} takes a field and a text, not {_shown(side)}"
            )
    return _condition(cel.Call(name, (_expr(target), _expr(arg))))


def _joinable(other: object) -> cel.Expr:
    if isinstance(other, Condition):
        return other.expr
    raise InvalidCondition(_PARENTHESES.format(text=_shown(other)))


def _expr(value: Operand) -> cel.Expr:
    """Print a Python value as CEL, or say why it has no place in a condition."""
    match value:
        case Expression():
            return value.__expr__
        case None | bool():
            return cel.Literal(value)
        case str():
            return cel.Literal(_plain_text(value))
        case int():
            if not cel.INT_MIN <= value <= cel.INT_MAX:
                raise InvalidCondition(
                    f"{value} needs more than 64 bit: write a float, or compare as text"
                )
            return cel.Literal(int(value))
        case float():
            if value - value != 0:  # NaN, or either infinity
                raise InvalidCondition(
                    f"{value} can't be compared with anything in a useful way: "
                    "write a finite number"
                )
            return cel.Literal(float(value))
        case datetime():
            if value.utcoffset() is None:
                raise InvalidCondition(
                    f"{value!r} has no time zone, so it is no instant: write "
                    f"datetime(…, tzinfo=UTC)"
                )
            return cel.Call("timestamp", (cel.Literal(_instant_text(value)),))
        case list() | tuple():
            return cel.Items(tuple(_expr(item) for item in value))
        case _:
            raise InvalidCondition(_not_plain(value))


def _plain_text(text: str) -> str:
    """Give the text itself, of a `str` or of a member of an enumeration of them."""
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise InvalidCondition(f"{text!r} holds half a surrogate pair") from err
    return str.__str__(text)


def _instant_text(value: datetime) -> str:
    try:
        return cel.instant_text(value)
    except OverflowError as err:
        raise InvalidCondition(f"{value!r} is beyond the years 1 to 9999 UTC") from err


def _not_plain(value: object) -> str:
    shown = _shown(value)
    match value:
        case Condition():
            return (
                f"{shown} is a condition, not a value. Put parentheses around each "
                "comparison and join them with & or |"
            )
        case set() | frozenset():
            return f"{shown} has no order: write one_of(x, […]) with a list"
        case Enum():
            return f"{shown} is not text or a number: write its .value"
        case date():
            return f"{shown} is a day, not an instant: write a datetime with tzinfo"
        case _:
            return (
                f"{shown} is not a plain value. A field is compared with text, a number, "
                "True, False, None, an aware datetime, a list of these, or a field"
            )


def _shown(value: object) -> str:
    match value:
        case Condition():
            return value.text
        case Expression():
            return value.__text__
        case None | bool() | int() | float() | str() | date() | Enum():
            return repr(value)[:80]
        case _:
            return f"an object of type {type(value).__name__}"


def _refuse_values(expr: cel.Expr) -> None:
    """Refuse what can never be true or false where a condition stands."""
    match expr:
        case cel.And(operands) | cel.Or(operands):
            for operand in operands:
                _refuse_values(operand)
        case cel.Not(operand):
            _refuse_values(operand)
        case cel.Literal(bool()):
            pass
        case cel.Literal() | cel.Items() | cel.Call("size" | "timestamp"):
            raise InvalidCondition(f"{expr} is a value, not a condition: compare it")
        case cel.Path(root, ()):
            raise InvalidCondition(
                f"{root} is no condition: name one of its fields, such as {root}.total"
            )
        case _:
            pass


# --- pydantic -----------------------------------------------------------------------


def _text_schema(read: Callable[[object], object], text: Callable[[Any], str]) -> Any:
    from pydantic_core import core_schema

    return core_schema.no_info_plain_validator_function(
        read,
        serialization=core_schema.plain_serializer_function_ser_schema(
            text, return_schema=core_schema.str_schema()
        ),
    )


def _read_condition(value: object) -> Condition:
    if isinstance(value, Condition):
        return value
    if isinstance(value, Expression):
        text = value.__text__
        raise _custom_error(f"{text} is a value, not a condition: {text} == True")
    if not isinstance(value, str):
        raise _custom_error(
            'a condition is written event.total > 0, or as text "event.total > 0", '
            f"not as {_shown(value)}"
        )
    try:
        return Condition.parse(value)
    except InvalidCondition as err:
        raise _custom_error(err.message) from err


def _read_expression(value: object) -> Expression:
    if type(value) is Expression:
        return value
    if isinstance(value, Expression):
        # The plain form, whose `==` and hash a definition needs.
        return Expression(value.__text__)
    if not isinstance(value, str):
        raise _custom_error(
            'a value is written event.amount, or as text "event.amount", '
            f"not as {_shown(value)}"
        )
    try:
        return Expression(value)
    except InvalidCondition as err:
        raise _custom_error(err.message) from err


def _custom_error(message: str) -> Exception:
    """Make an error that pydantic completes with the place in the definition."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("condition", "{message}", {"message": message})

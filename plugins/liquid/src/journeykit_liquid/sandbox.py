"""python-liquid, within the limits of `journeykit.content.meter`.

Liquid reaches nothing but what it is given. What it lacks is a bound on what one expression
makes, on loops wherever they are, and on time; its own limits count nested loops by their
product. So each filter is weighed, each loop counted, and the clock is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import lru_cache, wraps
from io import StringIO
from types import TracebackType
from typing import Any, ClassVar, Final, TextIO

from liquid import (
    BoundTemplate,
    Environment,
    FalsyStrictUndefined,
    Markup,
    Mode,
    RenderContext,
    Undefined,
)
from liquid.ast import Node
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.builtin.tags.for_tag import ForLoop, ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TableRow, TablerowNode, TablerowTag
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    LiquidError,
    LiquidSyntaxError,
    TemplateNotFoundError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.loader import BaseLoader, TemplateSource

from journeykit.content import filters
from journeykit.content.engine import LIMITS, Limits, Load
from journeykit.content.meter import Meter
from journeykit.errors import ContentError, Source
from journeykit_liquid.names import names

MAX_SOURCE = 256 * 1024  # characters, as of a file
_KEPT = 256  # parsed templates
_MOST_UNIQUE = 1_000  # items; `uniq` compares each with each
_FORMATS: Final[Mapping[str, str]] = {  # strftime's letters, as CLDR writes them
    "a": "EEE",
    "A": "EEEE",
    "b": "MMM",
    "B": "MMMM",
    "d": "dd",
    "e": "d",
    "-d": "d",
    "h": "MMM",
    "H": "HH",
    "-H": "H",
    "I": "hh",
    "l": "h",
    "-I": "h",
    "m": "MM",
    "-m": "M",
    "M": "mm",
    "p": "a",
    "S": "ss",
    "y": "yy",
    "Y": "y",
    "F": "y-MM-dd",
    "D": "MM/dd/yy",
    "R": "HH:mm",
    "T": "HH:mm:ss",
}


class _Rendering:
    """One rendering: what it uses up, where it finds files, and what time it is."""

    __slots__ = ("at", "load", "meter", "names")

    def __init__(self, limits: Limits, load: Load, at: datetime | None) -> None:
        self.meter = Meter(limits)
        self.load = load
        self.at = at
        self.names: dict[str, str] = {}  # of partials, by their source


_RENDERING: ContextVar[_Rendering] = ContextVar("journeykit_liquid_rendering")


def _meter() -> Meter:
    return _RENDERING.get().meter


class _Loader(BaseLoader):
    """Hands out partials of the rendering that is going on."""

    def load(self, env: Any, name: str, **_: object) -> BoundTemplate:
        rendering = _RENDERING.get()
        rendering.meter.loop()
        try:
            source = rendering.load(name)
        except LookupError:
            raise TemplateNotFoundError(name) from None
        rendering.names.setdefault(source, name)
        template: BoundTemplate = env.parsed(source, name)
        return template

    def get_source(self, env: Any, template_name: str, **_: Any) -> TemplateSource:
        raise TemplateNotFoundError(template_name)  # `load` knows them all


class _Context(RenderContext):
    """A context that counts."""

    __slots__ = ()

    @contextmanager
    def loop(
        self, namespace: Mapping[str, object], forloop: ForLoop | TableRow
    ) -> Iterator[RenderContext]:
        forloop.it = _meter().looped(forloop.it)
        with super().loop(namespace, forloop) as context:
            yield context

    def assign(self, key: str, val: Any) -> None:
        if not isinstance(val, Undefined):
            _meter().weigh(val)
        super().assign(key, val)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        return _Buffer()


class _Buffer(StringIO):
    """What something is captured in."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0

    def write(self, text: str, /) -> int:
        self.length += len(text)
        _meter().fits(self.length)
        return super().write(text)


class _Result(StringIO):
    """What becomes of it all."""

    def write(self, text: str, /) -> int:
        _meter().written(text)
        return super().write(text)


class _Template(BoundTemplate):
    """A template that counts how often it is rendered, and how deep."""

    context_class = _Context

    def render_with_context(
        self, context: RenderContext, buffer: TextIO, *args: Any, **kwargs: Any
    ) -> None:
        _meter().enter()
        try:
            super().render_with_context(context, buffer, *args, **kwargs)
        finally:
            _meter().leave()


class _Weighed(Expression):
    """What a loop goes over, weighed before it begins."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def __str__(self) -> str:
        return str(self.inner)

    def evaluate(self, context: RenderContext) -> object:
        value = self.inner.evaluate(context)
        if not isinstance(value, Undefined):
            _weigh(value)
        return value

    def children(self) -> list[Expression]:
        return [self.inner]


class _ForNode(ForNode):
    __slots__ = ()

    def __init__(self, token: Any, expression: LoopExpression, **parts: Any) -> None:
        expression.iterable = _Weighed(expression.iterable)
        super().__init__(token, expression, **parts)


class _TablerowNode(TablerowNode):
    __slots__ = ()

    def __init__(self, token: Any, expression: LoopExpression, **parts: Any) -> None:
        expression.iterable = _Weighed(expression.iterable)
        super().__init__(token, expression, **parts)


class _For(ForTag):
    node_class: ClassVar[type[ForNode]] = _ForNode  # type: ignore[misc]


class _Tablerow(TablerowTag):
    node_class: ClassVar[type[TablerowNode]] = _TablerowNode  # type: ignore[misc]


class _Printing(OutputNode):
    """Prints what people can read, and nothing else."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        _meter().step()
        return super().render_to_output(context, buffer)


class _OutputNode(_Printing):
    __slots__ = ()

    def __init__(self, token: Any, expression: Expression) -> None:
        super().__init__(token, _Readable(expression))


class _EchoNode(_Printing, EchoNode):
    __slots__ = ()

    def __init__(self, token: Any, expression: Expression) -> None:
        super().__init__(token, _Readable(expression))


class _Readable(Expression):
    """A value that has a text."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def __str__(self) -> str:
        return str(self.inner)

    def evaluate(self, context: RenderContext) -> object:
        value = self.inner.evaluate(context)
        if isinstance(value, Undefined):
            return value
        if isinstance(value, Mapping):
            raise ContentError("it prints a mapping; name one of its keys")
        if isinstance(value, date):
            raise ContentError('it prints a moment; say how: `| date: "medium"`')
        if isinstance(value, list | tuple | range):
            _weigh(value)
            if not all(isinstance(each, str | int | float) for each in value):
                raise ContentError('it prints a list; say how: `| join: ", "`')
        return value

    def children(self) -> list[Expression]:
        return [self.inner]


class _Output(Output):
    node_class = _OutputNode


class _Echo(EchoTag):
    node_class = _EchoNode


class Sandbox(Environment):
    """An environment in which anybody's template may be rendered."""

    template_class = _Template

    def __init__(self, *, escape: bool) -> None:
        """Set it up."""
        super().__init__(
            autoescape=escape,
            loader=_Loader(),
            undefined=FalsyStrictUndefined,
            tolerance=Mode.STRICT,
        )
        self.parsed = lru_cache(maxsize=_KEPT)(self._parsed)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Add Liquid's own, counted, and journeykit's."""
        super().setup_tags_and_filters(extra=False)
        for tag in (_For, _Tablerow, _Output, _Echo):
            self.add_tag(tag)
        for name in ("escapejs",):  # not Liquid's, and of no use in a message
            del self.filters[name]
        self.filters |= _OWN_FILTERS
        for name, function in self.filters.items():
            self.filters[name] = _metered(name, function)

    def rendered(
        self,
        source: str,
        variables: Mapping[str, object],
        *,
        load: Load,
        at: datetime,
        limits: Limits = LIMITS,
    ) -> str:
        """Return what a template comes to.

        Raises:
            ContentError: It can't be rendered.
        """
        with _rendering(limits, load, at) as rendering, _told():
            given = {name: _taken(value) for name, value in variables.items()}
            template = self.parsed(source, "")
            context = _Context(template, globals=template.make_globals(given))
            result = _Result()
            rendering.names[source] = ""
            # Not the template's own, which would count it as a loop of one.
            BoundTemplate.render_with_context(template, context, result)
            return result.getvalue()

    def names(self, source: str, load: Load) -> tuple[frozenset[str], frozenset[str]]:
        """Return the variables that a template needs, and those that it may do without.

        Raises:
            ContentError: It is no template.
        """
        with _rendering(LIMITS, load, None) as rendering, _told():
            rendering.names[source] = ""
            return names(self.parsed(source, ""))

    def _parsed(self, source: str, name: str) -> BoundTemplate:
        if len(source) > MAX_SOURCE:
            raise ContentError(f"it has more than {MAX_SOURCE // 1024:,} KB")
        return self.from_string(source, name=name)


@contextmanager
def _rendering(limits: Limits, load: Load, at: datetime | None) -> Iterator[_Rendering]:
    rendering = _Rendering(limits, load, at)
    token = _RENDERING.set(rendering)
    try:
        yield rendering
    finally:
        _RENDERING.reset(token)


def _taken(value: object) -> object:
    """A variable as templates have it: text that is HTML already stays so."""
    if isinstance(value, str) and hasattr(value, "__html__"):
        return Markup(value)
    return value


def _weigh(value: Any) -> None:
    if isinstance(value, range):
        try:
            _meter().numbers(len(value))
        except OverflowError:
            raise ContentError("a range is too long") from None
    else:
        _meter().weigh(value)


# Filters


def _metered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that weighs what it is given and what it makes."""

    @wraps(function)
    def metered(value: Any, *args: Any, **kwargs: Any) -> Any:
        meter = _meter()
        meter.step()
        for each in (value, *args):
            if isinstance(each, list | tuple | range | Mapping) and not isinstance(
                each, Undefined
            ):
                _weigh(each)
        before = _BEFORE.get(name)
        if before is not None and not isinstance(value, Undefined):
            before(meter, value, *args)
        found = function(value, *args, **kwargs)
        if isinstance(found, Iterator):
            found = meter.listed(found)
        if not isinstance(found, Undefined):
            _weigh(found)
        return found

    return metered


def _before_replace(meter: Meter, value: Any, old: Any = "", new: Any = "") -> None:
    text, old, new = str(value), str(old), str(new)
    meter.fits(len(text) + text.count(old) * max(len(new) - len(old), 0))


def _before_join(meter: Meter, value: Any, between: Any = " ") -> None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        length = sum(len(each) if isinstance(each, str) else 32 for each in value)
        meter.fits(length + len(value) * len(str(between)))


def _before_uniq(meter: Meter, value: Any, *_: Any) -> None:
    if isinstance(value, Sequence) and len(value) > _MOST_UNIQUE:
        raise ContentError(f"`uniq` takes {_MOST_UNIQUE:,} items at most")


_BEFORE: Final[Mapping[str, Callable[..., None]]] = {
    "join": _before_join,
    "replace": _before_replace,
    "uniq": _before_uniq,
}


def _strip_html(value: Any) -> str:
    """Leave out tags, in one pass: python-liquid's takes the square of the length."""
    text, parts, end = str("" if value is None else value), [], 0
    while (start := text.find("<", end)) >= 0 and (stop := text.find(">", start)) >= 0:
        parts.append(text[end:start])
        end = stop + 1
    return "".join([*parts, text[end:]])


def _locale(context: RenderContext) -> str:
    found = context.resolve("locale", default="")
    return found if isinstance(found, str) else ""


def _zone() -> Any:
    at = _RENDERING.get().at
    return at.tzinfo if at is not None else None


@with_context
def _date(value: Any, style: Any = "medium", *, context: RenderContext) -> str:
    """Liquid's `date`, by the template's clock and in the language of the text."""
    if value in ("now", "today"):
        value = _RENDERING.get().at
    style = _pattern(style) if isinstance(style, str) and "%" in style else style
    return filters.date(value, style, locale=_locale(context), zone=_zone())


def _pattern(style: str) -> str:
    """A pattern of CLDR for one of strftime."""
    found, rest = "", style
    while rest:
        text, percent, rest = rest.partition("%")
        quoted = text.replace("'", "''")
        found += f"'{quoted}'" if text else ""
        if not percent:
            break
        width = 2 if rest.startswith("-") else 1
        letter, rest = rest[:width], rest[width:]
        if letter == "%":
            found += "'%'"
        elif letter in _FORMATS:
            found += _FORMATS[letter]
        else:
            raise ContentError(f"a date's format has `%{letter}`, which isn't known")
    return found


@with_context
def _time(value: Any, style: str = "short", *, context: RenderContext) -> str:
    return filters.time(value, style, locale=_locale(context), zone=_zone())


@with_context
def _number(value: Any, decimals: Any = None, *, context: RenderContext) -> str:
    return filters.number(value, decimals, locale=_locale(context))


@with_context
def _percent(value: Any, decimals: int = 0, *, context: RenderContext) -> str:
    return filters.percent(value, decimals, locale=_locale(context))


@with_context
def _currency(
    value: Any, code: str, decimals: Any = None, *, context: RenderContext
) -> str:
    return filters.currency(value, code, decimals, locale=_locale(context))


@with_context
def _plural(value: Any, *, context: RenderContext, **forms: str) -> str:
    return filters.plural(value, forms, locale=_locale(context))


def _later(value: Any, **units: int) -> datetime | date:
    return filters.later(value, units, zone=_zone())


@with_context
def _isolated(value: Any, *, context: RenderContext) -> str:
    if context.autoescape:
        return Markup("<bdi>{}</bdi>").format(filters.without_marks(str(value)))
    return filters.isolated(str(value))


_OWN_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "currency": _currency,
    "date": _date,
    "isolated": _isolated,
    "later": _later,
    "number": _number,
    "percent": _percent,
    "plural": _plural,
    "strip_html": _strip_html,
    "time": _time,
}


# Errors


@contextmanager
def _told() -> Iterator[None]:
    """Make whatever goes wrong a ContentError that quotes no value."""
    try:
        yield
    except ContentError as error:
        raise ContentError(error.message, source=_where(error)) from None
    except UndefinedError as error:
        path = _path(error)
        message = f"`{path}` is missing" if path else "a variable is missing"
        raise ContentError(message, source=_where(error)) from None
    except TemplateNotFoundError as error:
        message = f"there is no partial{_as_written(error)}"
        raise ContentError(message, source=_where(error)) from None
    except (BlockNestingError, ContextDepthError) as error:
        raise ContentError("it nests too deep", source=_where(error)) from None
    except (LiquidSyntaxError, UnknownFilterError) as error:
        # What these say is about the template's text.
        message = " ".join(str(error.message).split())
        raise ContentError(message, source=_where(error)) from None
    except RecursionError as error:
        raise ContentError("it nests too deep", source=_where(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever an expression comes to
        message = "a value is not what a filter or a tag takes"
        if isinstance(error.__cause__, RecursionError):  # of the parser
            message = "it nests too deep"
        raise ContentError(message, source=_where(error)) from None


def _as_written(error: LiquidError) -> str:
    """A partial's name if it stands in the template; it may as well be a value."""
    name = str(error.args[0]) if error.args else ""
    quoted = (f'"{name}"', f"'{name}'")
    stands = any(each in source for source in _RENDERING.get().names for each in quoted)
    return f" {name!r:.80}" if stands else " of the name that it works out"


def _path(error: LiquidError) -> str:
    """Return what the template calls the variable that is missing, as it stands there."""
    token = error.token
    if token is None or token.start_index < 0:
        return ""
    text = token.source[token.start_index : token.start_index + 80]
    end = next(
        (n for n, char in enumerate(text) if not (char.isalnum() or char in "_-.")),
        len(text),
    )
    return text[:end].strip(".-")


def _where(error: BaseException) -> Source:
    """Find the line of a template that an error comes from."""
    names = _RENDERING.get().names
    token = getattr(error, "token", None)
    trace: TracebackType | None = error.__traceback__
    found = token
    while trace is not None and token is None:
        node = trace.tb_frame.f_locals.get("self")
        if isinstance(node, Node) and node.token.start_index >= 0:
            found = node.token
        trace = trace.tb_next
    if found is None or found.start_index < 0:
        return Source("", 1)
    line = found.source.count("\n", 0, found.start_index) + 1
    return Source(names.get(found.source, ""), line)

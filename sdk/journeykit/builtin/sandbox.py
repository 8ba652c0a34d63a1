"""Jinja's sandbox, closed further: a template reaches nothing but what it was given.

Jinja's own sandbox keeps templates from Python's insides. It doesn't keep them from using
up a machine: one short expression can take all memory, and `range` alone goes to 100,000.
Here three things are different:

- **What there is, is listed.** Filters, tests, functions, attributes and methods that are
  not named here don't exist. Variables are JSON values, so nothing else is needed.
- **What is made, is weighed** (`journeykit.content.meter`): every list, every call's
  arguments, every result of a filter, an operator or a method, every captured block; what
  may be much larger than what it is made from is refused before it is made.
- **What runs, is counted**: the compiled template calls back in each loop's body, each
  macro, each include, and there and in each operation the clock is looked at.

The template's syntax tree is changed before it is compiled: that is where the calls are put
in which Jinja has no hook for.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import lru_cache, wraps
from types import CodeType, TracebackType
from typing import Any, Final

from jinja2 import nodes, runtime
from jinja2.environment import Template, TemplateModule
from jinja2.exceptions import (
    SecurityError,
    TemplateNotFound,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.filters import FILTERS, _GroupTuple, make_attrgetter
from jinja2.loaders import BaseLoader
from jinja2.runtime import (
    BlockReference,
    LoopContext,
    Macro,
    StrictUndefined,
    TemplateReference,
    Undefined,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Cycler, Joiner, Namespace, pass_context, pass_eval_context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from journeykit.content import filters
from journeykit.content.engine import LIMITS, Limits, Load
from journeykit.content.meter import Meter
from journeykit.errors import ContentError, Source

MAX_SOURCE = 256 * 1024  # characters, as of a file
MAX_NODES = 50_000  # of a syntax tree; compiling takes about 20 µs for each
_KEPT = 256  # compiled templates

_METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(
        [
            "capitalize",
            "casefold",
            "count",
            "endswith",
            "find",
            "isalnum",
            "isalpha",
            "isdigit",
            "islower",
            "isnumeric",
            "isspace",
            "istitle",
            "isupper",
            "lower",
            "lstrip",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
        ]
    ),
    Mapping: frozenset(["get", "items", "keys", "values"]),
    date: frozenset(["isoformat", "isoweekday", "weekday"]),
    LoopContext: frozenset(["changed", "cycle"]),
    Cycler: frozenset(["next", "reset"]),
}
_ATTRIBUTES: Final[Mapping[type, frozenset[str]]] = {
    datetime: frozenset(["day", "hour", "minute", "month", "second", "year"]),
    date: frozenset(["day", "month", "year"]),
    LoopContext: frozenset(
        [
            "depth",
            "depth0",
            "first",
            "index",
            "index0",
            "last",
            "length",
            "nextitem",
            "previtem",
            "revindex",
            "revindex0",
        ]
    ),
    Cycler: frozenset(["current"]),
    BlockReference: frozenset(["super"]),
    _GroupTuple: frozenset(["grouper", "list"]),
}
_FILTERS = [
    "abs",
    "batch",
    "capitalize",
    "center",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "forceescape",
    "groupby",
    "indent",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "wordwrap",
    "count",
]
_TESTS = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
]
_WIDE: Final[Mapping[str, int]] = {  # the largest whole number that a filter is given
    "batch": 1_000,
    "center": 1_000,
    "indent": 100,
    "round": 15,
    "slice": 1_000,
    "wordwrap": 1_000,
}
_LONGEST_WRAPPED = 16 * 1024  # characters; wrapping takes the square of a word's length
_LONGEST_END = 16  # characters between two lines
_FORMAT = re.compile(r"%(?:\((\w+)\)|)([-+ 0#]*)(\d{0,3})(?:\.(\d{1,2}))?([sdfgeExX%])")


class Missing(StrictUndefined):
    """A variable that was not given: it can be asked for, and be nothing else.

    Its message quotes names that stand in the template, and never a key that is a value.
    """

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        """What is missing is false, so that `{% if name %}` may ask."""
        return False

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"`{self._undefined_name}` is missing"


def _no_item() -> Missing:
    """A new one each time, as equal things compare without asking what they are."""
    return Missing("an item that it asks for is missing")


class _Method:
    """A method that templates may call."""

    __slots__ = ("function", "name", "of")

    def __init__(self, of: Any, name: str) -> None:
        self.of, self.name, self.function = of, name, getattr(of, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        meter = _meter()
        if self.name == "replace":
            _check_replace(self.of, *args)
        found = self.function(*args, **kwargs)
        if isinstance(self.of, Mapping) and self.name != "get":
            found = [*found]
        meter.weigh(found) if not isinstance(found, Undefined) else None
        return found


class _Rendering:
    """One rendering: what it uses up, where it finds files, and what time it is.

    Attributes:
        meter: Counts.
        load: Finds layouts and partials.
        at: The template's clock.
        templates: Those that were used so far. They are not kept any longer, as what a
            partial exports may depend on the locale of what it includes.
        sources: Their texts.
    """

    __slots__ = ("at", "load", "meter", "sources", "templates")

    def __init__(self, limits: Limits, load: Load, at: datetime | None) -> None:
        self.meter = Meter(limits)
        self.load = load
        self.at = at
        self.sources: list[str] = []
        self.templates: dict[str, Template] = {}


_RENDERING: ContextVar[_Rendering] = ContextVar("journeykit_rendering")


def _meter() -> Meter:
    return _RENDERING.get().meter


@contextmanager
def _rendering(limits: Limits, load: Load, at: datetime | None) -> Iterator[_Rendering]:
    rendering = _Rendering(limits, load, at)
    token = _RENDERING.set(rendering)
    try:
        yield rendering
    finally:
        _RENDERING.reset(token)


class _Loader(BaseLoader):
    """Hands out layouts and partials of the rendering that is going on."""

    has_source_access = False

    def load(self, environment: Any, name: str, globals: Any = None) -> Template:
        rendering = _RENDERING.get()
        rendering.meter.loop()
        if (known := rendering.templates.get(name)) is not None:
            return known
        try:
            source = rendering.load(name)
        except LookupError:
            raise TemplateNotFound(name) from None
        rendering.sources.append(source)
        template: Template = environment.template(source, name)
        rendering.templates[name] = template
        return template


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment in which anybody's template may be rendered.

    Attributes:
        intercepted_binops: All that there are.
    """

    intercepted_binops = frozenset(["//", "%", "+", "*", "-", "/", "**"])

    def __init__(self, *, escape: bool) -> None:
        """Set it up, with the filters, tests and functions that there are."""
        super().__init__(
            autoescape=escape,
            undefined=Missing,
            finalize=_printed,
            loader=_Loader(),
            cache_size=0,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            optimized=False,  # what is constant is worked out at run time, and counted
        )
        self.filters = {
            **{name: _metered(name, FILTERS[name]) for name in _FILTERS},
            **{name: _metered(name, own) for name, own in _OWN_FILTERS.items()},
        }
        self.tests = {name: TESTS[name] for name in _TESTS}
        self.globals = {
            "cycler": Cycler,
            "dict": dict,
            "joiner": Joiner,
            "namespace": Namespace,
            "range": _range,
        }
        self._callable = {id(each) for each in [*self.globals.values(), *_HOOKS]}
        self.tick, self.joined, self.built = _HOOKS
        self.compiled = lru_cache(maxsize=_KEPT)(self._compiled)

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
            ContentError: It can't be rendered; the place is the line, and the name of the
                layout or partial if it is in one.
        """
        with _rendering(limits, load, at) as rendering, _told():
            given = {name: _taken(value) for name, value in variables.items()}
            rendering.sources.append(source)
            template = self.template(source, "")
            context = template.new_context(given)
            chunks: list[str] = []
            for chunk in template.root_render_func(context):
                rendering.meter.written(chunk)
                chunks.append(chunk)
            return "".join(chunks)

    def tree(self, source: str, name: str = "") -> nodes.Template:
        """Return the syntax tree of a template, after a look for what there isn't.

        Raises:
            ContentError: It is no template.
        """
        with _told(name):
            if len(source) > MAX_SOURCE:
                raise ContentError(f"it has more than {MAX_SOURCE // 1024:,} KB")
            tree = self.parse(source, name)
            self._look_through(tree, name)
            return tree

    def template(self, source: str, name: str) -> Template:
        """Return a template that is compiled, now or some time ago."""
        code = self.compiled(source, name)
        return Template.from_code(self, code, dict(self.globals))

    def _compiled(self, source: str, name: str) -> CodeType:
        tree = _Counting().visit(self.tree(source, name))
        with _told(name):
            return self.compile(tree, name, filename=f"<template {name}>")

    def _look_through(self, tree: nodes.Template, name: str) -> None:
        """Refuse what is not there, which Jinja finds out when it comes to it."""
        count = 0
        for node in tree.find_all(nodes.Node):
            count += 1
            problem = ""
            if isinstance(node, nodes.Filter) and node.name not in self.filters:
                problem = f"there is no filter `{node.name}`"
                problem += _meant(node.name, self.filters)
            elif isinstance(node, nodes.Test) and node.name not in self.tests:
                problem = f"there is no test `{node.name}`"
                problem += _meant(node.name, self.tests)
            elif isinstance(node, nodes.EvalContextModifier):
                problem = (
                    "there is no `autoescape` here; mark what is HTML with `|safe`"
                )
            if problem:
                raise ContentError(problem, source=Source(name, node.lineno))
        if count > MAX_NODES:
            raise ContentError("it is too long for one template; split it up")

    # What the compiled template calls.

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Put together what a macro, a block or a `set` came to."""
        found = [*parts]
        meter = _meter()
        meter.fits(sum(map(len, found)))
        text = "".join(found)
        meter.weigh(text)
        return text

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return `obj.attribute`: a key of a mapping, or one of the few attributes."""
        _meter().step()
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return self._member(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return `obj[argument]`, and never an attribute of that name."""
        _meter().step()
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if isinstance(obj, Mapping | list | tuple | str | range):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                # It may be a value: somebody's town, say.
                return _no_item()
        found = self._member(obj, argument) if isinstance(argument, str) else None
        return _no_item() if found is None or isinstance(found, Missing) else found

    def _member(self, obj: Any, name: str) -> Any:
        for kind, names in _METHODS.items():
            if name in names and isinstance(obj, kind):
                return _Method(obj, name)
        for kind, names in _ATTRIBUTES.items():
            if name in names and isinstance(obj, kind):
                return getattr(obj, name)
        if isinstance(obj, Namespace):
            try:
                return obj._Namespace__attrs[name]
            except KeyError:
                return Missing(name=name)
        if isinstance(obj, TemplateModule) and not name.startswith("_"):
            return vars(obj).get(name, Missing(name=name))
        if isinstance(obj, TemplateReference):
            try:
                return obj[name]
            except KeyError:
                return Missing(name=name)
        return Missing(name=name)

    def call(
        self, context: runtime.Context, obj: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call what may be called."""
        meter = _meter()
        # What the compiled template passes on for functions that ask for the context.
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        if id(obj) in self._callable:
            if obj is _tick:
                meter.loop()
                return True
            meter.step()
            for value in (*args, *kwargs.values()):
                _defined(value)
            found = obj(*args, **kwargs)
            if not isinstance(found, Namespace | Cycler | Joiner):
                meter.weigh(found)
            return found
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        for value in (*args, *kwargs.values()):
            if isinstance(value, list | tuple | dict):
                meter.weigh(value)
        if isinstance(obj, _Method | Joiner):
            meter.step()
            return context.call(obj, *args, **kwargs)
        if isinstance(obj, Macro | BlockReference | LoopContext):
            meter.enter()
            try:
                return context.call(obj, *args, **kwargs)
            finally:
                meter.leave()
        raise ContentError("it calls what is no function")

    def call_binop(
        self, context: runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        """Calculate, within bounds."""
        meter = _meter()
        meter.step()
        _defined(left)
        _defined(right)
        if operator == "%" and isinstance(left, str):
            return _format(left, *(right if isinstance(right, tuple) else (right,)))
        if operator == "*":
            _check_repeat(meter, left, right)
            _check_repeat(meter, right, left)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            meter.fits(len(left) + len(right))
        elif operator == "+" and isinstance(left, list | tuple):
            meter.numbers(len(left) + len(right))
        found = self.binop_table[operator](left, right)
        meter.weigh(found)
        return found


class _Counting(NodeTransformer):
    """Puts calls into a syntax tree where Jinja has no hook."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        """Count each run of a loop's body, and of the condition in its head."""
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_hook("tick"), lineno=node.lineno))
        if node.test is not None:
            node.test = nodes.And(_hook("tick"), node.test, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:
        """Weigh what `~` puts together."""
        self.generic_visit(node)
        return _hook("joined", node.nodes, node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Expr:
        """Weigh what is made in brackets."""
        self.generic_visit(node)
        return _weighed(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        """Weigh what is made in parentheses; a target of a `for` or `set` is nothing."""
        self.generic_visit(node)
        return node if node.ctx != "load" else _weighed(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:
        """Weigh what is made in braces."""
        self.generic_visit(node)
        parts = [part for pair in node.items for part in (pair.key, pair.value)]
        return _weighed(node, parts)


def _weighed(node: nodes.Expr, parts: Iterable[nodes.Expr]) -> nodes.Expr:
    if all(isinstance(part, nodes.Const) for part in parts):
        return node
    return _hook("built", [node], node.lineno)


def _hook(
    name: str, arguments: list[nodes.Expr] | None = None, lineno: int | None = None
) -> nodes.Call:
    function = nodes.EnvironmentAttribute(name)
    call = nodes.Call(function, arguments or [], [], None, None)
    if lineno is not None:
        call.set_lineno(lineno)
    return call


def _tick() -> bool:
    """Stand for one run of a loop; `Sandbox.call` counts it."""
    return True


def _joined(*parts: Any) -> str:
    texts = [_text(part) for part in parts]
    _meter().fits(sum(map(len, texts)))
    # As in Jinja: with one part that is HTML, the others are escaped.
    if any(isinstance(text, Markup) for text in texts):
        return Markup("").join(texts)
    return "".join(texts)


def _built(value: Any) -> Any:
    for part in value.values() if isinstance(value, dict) else value:
        _defined(part)
    return value


_HOOKS = (_tick, _joined, _built)


def _range(*args: int) -> range:
    found = range(*args)
    try:
        length = len(found)
    except OverflowError:
        length = LIMITS.loops * 1_000
    _meter().numbers(length)
    return found


def _defined(value: Any) -> None:
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()


def _taken(value: object) -> object:
    """A variable as templates have it: text that is HTML already stays so."""
    if isinstance(value, str):
        safe = hasattr(value, "__html__")
        return Markup(value) if safe else value  # noqa: S704 - whoever made it says so
    if not isinstance(value, Mapping | list | tuple | datetime | date):
        return value
    _meter().weigh(value)
    return value


@pass_context  # not used, but without it Jinja would print constants by itself
def _printed(_: runtime.Context, value: Any) -> Any:
    """Return what may stand in a message; called for each expression in a text."""
    _meter().step()
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    """Return a value as text, if it has one that people can read."""
    if isinstance(value, str):
        return value
    _defined(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        _meter().weigh(value)
        return str(value)
    raise ContentError(_WORDS.get(type(value), "it prints what is no text"))


_WORDS: Final[Mapping[type, str]] = {
    type(None): 'it prints a value that is null; give it a default: `|default("…")`',
    datetime: "it prints a moment; say how: `|date` or `|time`",
    date: "it prints a day; say how: `|date`",
    list: 'it prints a list; say how: `|join(", ")`',
    tuple: 'it prints a list; say how: `|join(", ")`',
    dict: "it prints a mapping; name one of its keys",
}


def _check_repeat(meter: Meter, value: Any, times: Any) -> None:
    if not isinstance(times, int):
        return
    if isinstance(value, str):
        meter.fits(len(value) * max(times, 0))
    elif isinstance(value, list | tuple):
        meter.numbers(len(value) * max(times, 0))


def _check_power(left: Any, right: Any) -> None:
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and left.bit_length() * abs(right) > 4096:
        raise ContentError("a number is too large")


def _check_replace(text: str, old: Any = "", new: Any = "", *_: Any) -> None:
    old, new = str(old), str(new)
    grown = text.count(old) * max(len(new) - len(old), 0)
    _meter().fits(len(text) + grown)


# Filters


def _metered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that weighs what it is given and what it makes."""
    passed = hasattr(function, "jinja_pass_arg")
    widest = _WIDE.get(name)
    lenient = name in ("default", "d")

    @wraps(function)
    def metered(*args: Any, **kwargs: Any) -> Any:
        meter = _meter()
        meter.step()
        value, *others = args[1:] if passed else args
        if not lenient:
            _defined(value)
        for other in (*others, *kwargs.values()):
            _defined(other)
            is_wide = isinstance(other, int) and widest is not None
            if is_wide and abs(other) > widest:
                raise ContentError(f"`{name}` goes to {widest:,} at most")
        if name in _BEFORE:
            _BEFORE[name](meter, value, *others, **kwargs)
        found = function(*args, **kwargs)
        if isinstance(found, Iterator):
            found = meter.listed(found)
        for each in found if isinstance(found, list) else ():
            _defined(each)
        if not isinstance(found, Undefined):
            meter.weigh(found)
        return found

    return metered


def _before_replace(meter: Meter, value: Any, old: Any, new: Any, *_: Any) -> None:
    _check_replace(_text(value), old, new)


def _before_indent(
    meter: Meter, value: Any, width: Any = 4, *_: Any, **__: Any
) -> None:
    text = _text(value)
    wide = len(width) if isinstance(width, str) else width
    meter.fits(len(text) + (text.count("\n") + 1) * abs(wide))


def _before_wrap(
    meter: Meter,
    value: Any,
    width: Any = 79,
    break_long_words: Any = True,
    wrapstring: Any = None,
    **_: Any,
) -> None:
    if len(_text(value)) > _LONGEST_WRAPPED:
        raise ContentError(f"`wordwrap` takes {_LONGEST_WRAPPED // 1024} KB at most")
    if wrapstring is not None and len(_text(wrapstring)) > _LONGEST_END:
        raise ContentError(
            f"`wordwrap` ends lines by {_LONGEST_END} characters at most"
        )


def _before_json(meter: Meter, value: Any, indent: Any = None) -> None:
    if indent is not None:  # which multiplies by the depth
        raise ContentError("`tojson` has no indent here")


def _before_text(meter: Meter, value: Any, *_: Any, **__: Any) -> None:
    _text(value)


_BEFORE: Final[Mapping[str, Callable[..., None]]] = {
    "indent": _before_indent,
    "replace": _before_replace,
    "tojson": _before_json,
    "wordwrap": _before_wrap,
    **dict.fromkeys(
        [
            "capitalize",
            "center",
            "e",
            "escape",
            "forceescape",
            "lower",
            "safe",
            "string",
            "title",
            "trim",
            "truncate",
            "upper",
            "wordcount",
        ],
        _before_text,
    ),
}


def _format(pattern: str, *args: Any, **kwargs: Any) -> str:
    """Printf's patterns, of a width that somebody could have meant."""
    shown = 0
    for found in _FORMAT.finditer(pattern):
        shown += int(found[3] or 0) + int(found[4] or 0)
    if "%" in _FORMAT.sub("", pattern):
        raise ContentError("a pattern that it formats by is none, or is too wide")
    sizes = (len(each) for each in (*args, *kwargs.values()) if isinstance(each, str))
    for each in (*args, *kwargs.values()):
        _text(each)
    _meter().fits(len(pattern) + shown + sum(sizes) * (pattern.count("%") or 1))
    return pattern % (kwargs or args)


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """Null is as good as missing: a profile has both."""
    if value is None or isinstance(value, Undefined) or (boolean and not value):
        return default_value
    return value


@pass_eval_context
def _join(
    context: nodes.EvalContext, value: Any, d: Any = "", attribute: Any = None
) -> str:
    """Put texts and numbers together; a list in the list is none."""
    if isinstance(value, Undefined | str) or not isinstance(value, Iterable):
        raise ContentError("`join` takes a list")
    if attribute is not None:
        get = make_attrgetter(context.environment, attribute)
        value = map(get, value)
    between, texts = _text(d), [_text(each) for each in _meter().listed(value)]
    _meter().fits(6 * (sum(map(len, texts)) + len(between) * len(texts)))
    if context.autoescape:
        return escape(between).join(texts)
    return between.join(texts)


def _striptags(value: Any) -> str:
    """Leave out tags, in one pass: Markup's own takes the square of the length."""
    text, parts, end = _text(value), [], 0
    while (start := text.find("<", end)) >= 0 and (stop := text.find(">", start)) >= 0:
        parts.append(text[end:start])
        end = stop + 1
    return " ".join("".join([*parts, text[end:]]).split())


def _sum(
    value: Iterable[Any], attribute: str | int | None = None, start: Any = 0
) -> Any:
    """Add numbers up; lists would take the square of their length."""
    for item in value:
        if attribute is not None:
            for part in str(attribute).split("."):
                item = item[int(part) if part.isdigit() else part]
        if isinstance(item, bool) or not isinstance(item, int | float):
            raise ContentError("`sum` adds numbers, and nothing else")
        start = operator.add(start, item)
    return start


@pass_context
def _number(context: runtime.Context, value: Any, decimals: int | None = None) -> str:
    return filters.number(value, decimals, locale=_locale(context))


@pass_context
def _percent(context: runtime.Context, value: Any, decimals: int = 0) -> str:
    return filters.percent(value, decimals, locale=_locale(context))


@pass_context
def _currency(
    context: runtime.Context, value: Any, code: str, decimals: int | None = None
) -> str:
    return filters.currency(value, code, decimals, locale=_locale(context))


@pass_context
def _date(context: runtime.Context, value: Any, style: str = "medium") -> str:
    return filters.date(value, style, locale=_locale(context), zone=_zone())


@pass_context
def _time(context: runtime.Context, value: Any, style: str = "short") -> str:
    return filters.time(value, style, locale=_locale(context), zone=_zone())


@pass_context
def _plural(context: runtime.Context, value: Any, **forms: str) -> str:
    return filters.plural(value, forms, locale=_locale(context))


@pass_eval_context
def _isolated(context: nodes.EvalContext, value: Any) -> str:
    if context.autoescape:
        text = escape(filters.without_marks(_text(value)))
        return Markup("<bdi>{}</bdi>").format(text)
    return filters.isolated(_text(value))


def _later(value: Any, **units: int) -> datetime | date:
    return filters.later(value, units, zone=_zone())


def _locale(context: runtime.Context) -> str:
    found = context.get("locale", "")
    return found if isinstance(found, str) else ""


def _zone() -> Any:
    at = _RENDERING.get().at
    return at.tzinfo if at is not None else None


_OWN_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "currency": _currency,
    "d": _default,
    "date": _date,
    "default": _default,
    "format": _format,
    "isolated": _isolated,
    "join": _join,
    "later": _later,
    "number": _number,
    "percent": _percent,
    "plural": _plural,
    "striptags": _striptags,
    "sum": _sum,
    "time": _time,
}


# Errors


@contextmanager
def _told(name: str = "") -> Iterator[None]:
    """Make whatever goes wrong a ContentError that quotes no value."""
    try:
        yield
    except ContentError as error:
        if error.source is not None:
            raise
        raise ContentError(error.message, source=_where(error, name)) from None
    except TemplateNotFound as error:
        message = f"there is no layout or partial{_as_written(error.name)}"
        raise ContentError(message, source=_where(error, name)) from None
    except TemplateSyntaxError as error:
        message = (error.message or "is no template").rstrip(".")
        source = Source(error.name or name, error.lineno)
        raise ContentError(message, source=source) from None
    except UndefinedError as error:
        message = error.message or "a variable is missing"
        raise ContentError(message, source=_where(error, name)) from None
    except RecursionError as error:
        raise ContentError("it nests too deep", source=_where(error, name)) from None
    except MemoryError as error:
        raise ContentError(
            "it takes too much memory", source=_where(error, name)
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever an expression comes to
        words = next((w for cls, w in _FAILURES if isinstance(error, cls)), _UNKNOWN)
        raise ContentError(words, source=_where(error, name)) from None


_UNKNOWN = "it can't be worked out"
_FAILURES: Final = (
    (SecurityError, "it reaches for what templates may not have"),
    (SyntaxError, "it nests too deep"),  # of Python, for what was made of it
    (TemplateRuntimeError, "it names a filter or a test that isn't there"),
    (ZeroDivisionError, "it divides by zero"),
    (OverflowError, "a number is too large"),
    (TypeError, "it treats a value as what it is not, such as a text as a number"),
    (ValueError, "a value is not what a filter or a method takes"),
)


def _as_written(name: object) -> str:
    """A file's name if it stands in the template; it may as well be a value."""
    quoted = (f'"{name}"', f"'{name}'")
    rendering = _RENDERING.get(None)
    sources = rendering.sources if rendering is not None else ()
    stands = any(each in source for source in sources for each in quoted)
    return f" {name!r:.80}" if stands else " of the name that it works out"


def _where(error: BaseException, name: str) -> Source:
    """Find the line of a template that an error comes from: the innermost one."""
    found = Source(name, 1)
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            line = template.get_corresponding_lineno(trace.tb_lineno)
            found = Source(template.name or "", line)
        trace = trace.tb_next
    return found


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [*known], 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def compiles(sandbox: Sandbox, source: str, name: str) -> None:
    """Compile a template, to see whether that works.

    Raises:
        ContentError: It doesn't.
    """

    def load(name: str) -> str:
        raise LookupError(name)

    with _rendering(LIMITS, load, None):
        sandbox.compiled(source, name)

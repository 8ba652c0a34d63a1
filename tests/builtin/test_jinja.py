"""Jinja templates: what authors are used to, and nothing that could do harm."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest

from journeykit.builtin.jinja import JinjaEngine
from journeykit.content.engine import TemplateEngine
from journeykit.errors import ContentError, PluginLoadError
from journeykit.testing import TemplateEngineContract

AT = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=1)))

DOUBLED = (
    "{% set ns = namespace(v=START) %}{% for n in range(99) %}{% set ns.v = STEP %}"
)


def doubled(start: str, step: str) -> str:
    """A value that is doubled again and again."""
    return f"{DOUBLED.replace('START', start).replace('STEP', step)}{{% endfor %}}"


ATTACKS = {
    # What one expression makes.
    "repeated text": "{{ 'a' * 10**9 }}",
    "repeated list": "{{ ([1] * 10**9)|length }}",
    "a power": "{{ 9**(9**9) }}",
    "a product": "{{ 2**1000 * 2**1000 }}",
    "range": "{% for n in range(10**9) %}{% endfor %}",
    "reversed range": "{{ range(10**30)|list }}",
    "center": "{{ 'x'|center(10**9) }}",
    "center, folded": "{{ 'x'|center(1000000000) }}",
    "indent": "{{ ('\\n' * 400000)|indent(100) }}",
    "indent by text": "{{ ('\\n' * 4000)|indent('x' * 4000) }}",
    "format, width": "{{ '%1000000000d'|format(1) }}",
    "format, star": "{{ '%*d'|format(1000000000, 1) }}",
    "format, precision": "{{ '%.999999999f' % 1.5 }}",
    "format, many": "{{ ('%999d' * 5000)|format(1) }}",
    "format, a lot": "{{ ('%s' * 200000)|format(1) }}",
    "wordwrap by much": "{{ ('a ' * 8000)|wordwrap(1, true, 'x' * 400000) }}",
    "wordwrap by much, named": "{{ ('a ' * 8000)|wordwrap(1, wrapstring='x' * 400000) }}",
    "JSON, indented": "{{ [[[[1]]]]|tojson(1000000000) }}",
    "JSON, indented by text": "{{ [[[[1]]]]|tojson(indent='x' * 400000) }}",
    "JSON, deep": "{% set ns = namespace(v=1) %}{% for n in range(60) %}"
    "{% for m in range(60) %}{% set ns.v = [ns.v] %}{% endfor %}{% endfor %}{{ ns.v|tojson }}",
    "str.format": "{{ '{:>1000000000}'.format(1) }}",
    "replace": "{{ ('a' * 400000)|replace('a', 'b' * 400000) }}",
    "replace nothing": "{{ ('a' * 400000)|replace('', 'b' * 400000) }}",
    "str.replace": "{{ ('a' * 400000).replace('a', 'b' * 400000) }}",
    "join": "{{ (['a' * 400] * 9999)|join('b' * 400) }}",
    "join by much": "{{ range(9999)|join('b' * 400000) }}",
    "round": "{{ 1|round(10**9, 'ceil') }}",
    "batch": "{{ [1]|batch(10**9, 'x')|list }}",
    "slice": "{{ [1]|slice(10**9)|list }}",
    "wordwrap": "{{ ('a' * 400000)|wordwrap(1) }}",
    "urlencode": "{{ ('ä' * 400000)|urlencode }}",
    "sum of lists": "{{ [[1], [2]]|sum(start=[]) }}",
    "letters": "{{ ('a' * 400000)|list|length }}",
    "split": "{{ ('a ' * 200000).split()|length }}",
    # What grows in a loop.
    "~": doubled("'a'", "ns.v ~ ns.v"),
    "+": doubled("'a'", "ns.v + ns.v"),
    "+ of lists": doubled("[1]", "ns.v + ns.v"),
    "list in list": doubled("[1]", "[ns.v, ns.v]"),
    "tuple in tuple": doubled("(1,)", "(ns.v, ns.v)"),
    "dict in dict": doubled("{}", "{'a': ns.v, 'b': ns.v}"),
    "dict()": doubled("{}", "dict(a=ns.v, b=ns.v)"),
    "join of itself": doubled("'a'", "[ns.v, ns.v]|join"),
    "map": doubled("'ab'", "[ns.v, ns.v]|map('upper')|join"),
    "varargs": "{% macro m(a) %}{{ m(varargs, varargs, varargs) }}{% endmacro %}"
    "{{ m(1, 2, 3) }}",
    "captured": "{% set x %}{% for n in range(9999) %}{{ 'a' * 400 }}{% endfor %}"
    "{% endset %}",
    "captured text": "{% set x %}{% for n in range(9999) %}"
    + "a" * 400
    + "{% endfor %}"
    "{% endset %}",
    "much on the way": "{% set x = 'a' * 400000 %}{% for n in range(9999) %}"
    "{% set y = x ~ n %}{% endfor %}",
    # Loops that don't look like one.
    "nested loops": "{% for n in range(9999) %}{% for m in range(9999) %}{% endfor %}"
    "{% endfor %}",
    "filtered loops": "{% for n in range(999) %}{% for m in range(999) if false %}"
    "{% endfor %}{% endfor %}",
    "a macro of itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a tree of macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}"
    "{% endmacro %}{{ m(35) }}",
    "a recursive loop": "{% for n in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "a block of itself": "{% block b %}{{ self.b() }}{% endblock %}",
    # Texts that make the parser, or Python's, run deep.
    "parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "nots": "{{ " + "not " * 5000 + "1 }}",
    "a sum": "{{ " + "1 + " * 5000 + "1 }}",
    "nested ifs": "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "nested fors": "{% for n in [1] %}" * 30 + "{% endfor %}" * 30,
    "long": "x" * 300_000,
    # What is none of a template's business.
    "a class": "{{ ''.__class__ }}",
    "a class by key": "{{ ''['__class__'] }}",
    "a class by filter": "{{ ''|attr('__class__') }}",
    "a class by map": "{{ ['']|map(attribute='__class__')|join }}",
    "a class by sort": "{{ ['', 'a']|sort(attribute='__class__')|join }}",
    "a class by format": "{{ '{0.__class__}'.format(1) }}",
    "a class by format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "globals of a function": "{{ range.__globals__ }}",
    "globals of a class": "{{ cycler.__init__.__globals__.os }}",
    "the context": "{{ self._TemplateReference__context }}",
    "a loop's insides": "{% for n in [1] %}{{ loop._iterable }}{% endfor %}",
    "a macro's insides": "{% macro m() %}{% endmacro %}{{ m._func }}",
    "a namespace's insides": "{% set ns = namespace() %}{{ ns._Namespace__attrs }}",
    "lipsum": "{{ lipsum(100) }}",
    "random": "{{ [1, 2]|random }}",
    "a class's function": "{{ dict.fromkeys('ab') }}",
    "changing a list": "{{ items.append(1) }}",
    "changing a mapping": "{{ {'a': 1}.pop('a') }}",
    "calling a text": "{{ name() }}",
    "autoescape": "{% autoescape false %}{{ name }}{% endautoescape %}",
    "a test by name": "{{ ['']|select('callable')|join }}",
    "a filter by name": "{{ ['']|map('attr', '__class__')|join }}",
}


class TestJinja(TemplateEngineContract):
    asking = "Hello{% if name %} {{ name }}{% endif %}!"
    looping = "{% for item in items %}{{ item }},{% endfor %}"
    including = "[{% include '_part.txt' %}]"
    broken = ("Hello\n{{ name", "\n{% if %}", "\n{% for %}", "\n{% nothing %}")
    endless = (
        "{% for n in range(9999) %}{% for n in range(9999) %}{% endfor %}{% endfor %}"
    )
    growing = "{% for n in range(2000) %}{{ 'a' * 1000 }}{% endfor %}"
    attacks: ClassVar[Mapping[str, str]] = ATTACKS

    def engine(self) -> TemplateEngine:
        return JinjaEngine()


@pytest.fixture(scope="module")
def engine() -> JinjaEngine:
    return JinjaEngine()


def render(
    engine: JinjaEngine,
    source: str,
    /,
    *,
    escape: bool = False,
    partials: Mapping[str, str] | None = None,
    **variables: object,
) -> str:
    load = dict(partials or {}).__getitem__
    return engine.render(source, variables, load=load, escape=escape, at=AT)


def names(
    source: str, partials: Mapping[str, str] | None = None
) -> tuple[set[str], set[str]]:
    load, engine = dict(partials or {}).__getitem__, JinjaEngine()
    return {*engine.variables(source, load=load)}, {*engine.optional(source, load=load)}


@pytest.mark.parametrize("attack", [*ATTACKS])
def test_each_attack_is_refused_in_two_seconds_of_work(
    engine: JinjaEngine, attack: str
) -> None:
    with pytest.raises(ContentError):
        render(engine, ATTACKS[attack], name="Ada", items=["a"])


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ 7 % 2 }} {{ 2 ** 8 }}", "7 3 1 256"),
        ("{{ true }} {{ 1.5 }} {{ 'a' ~ 1 }}", "true 1.5 a1"),
        ("{{ 'a b'|title }} {{ ' x '|trim }} {{ 'abc'|length }}", "A B x 3"),
        ("{{ [3, 1, 2]|sort|join('-') }}", "1-2-3"),
        ("{{ items|map(attribute='n')|join(',') }}", "2,1"),
        ("{{ items|sort(attribute='n')|map(attribute='n')|join }}", "12"),
        ("{{ items|sum(attribute='n') }}", "3"),
        ("{{ items|selectattr('n', 'gt', 1)|list|length }}", "1"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for n in range(3) %}{{ loop.index }}{{ loop.last }} {% endfor %}", None),
        ("{% set o = namespace(n=0) %}{% for i in [1] %}{% set o.n = i %}{% endfor %}{{ o.n }}", "1"),
        ("{% macro m(a, b='c') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }}", "xc"),
        ("{% set x %}<{{ 1 }}>{% endset %}{{ x }}", "<1>"),
        ("{{ 'Hi, %s: %5.2f%%'|format('you', 1.5) }}", "Hi, you:  1.50%"),
        ("{{ 'a' if items else 'b' }}", "a"),
        ("{{ none|default('x') }}{{ nobody|d('y') }}", "xy"),
        ("{% for x in [[1], 2] recursive %}{{ x if x is number else loop(x) }}{% endfor %}", "12"),
        ("{{ 'a-b-c'.split('-')|last }} {{ name.upper() }}", "c ADA"),
        ("{{ '<b>x</b> y'|striptags }}", "x y"),
        ("{{ {'a': [1, '<']}|tojson }}", '{"a": [1, "\\u003c"]}'),
        ("{{ order.items }}", "3"),  # the key, and not the mapping's method
        ("a\n{% if true %}\nb\n{% endif %}\nc", "a\nb\nc"),
        ("{# nothing #}x{% raw %}{{ y }}{% endraw %}", "x{{ y }}"),
    ],
)  # fmt: skip
def test_what_authors_are_used_to_works(
    engine: JinjaEngine, source: str, result: str | None
) -> None:
    items = [{"n": 2}, {"n": 1}]

    found = render(engine, source, items=items, name="Ada", order={"items": 3})

    assert found == (result or "1false 2false 3true ")


def test_a_layout_has_blocks_that_a_template_fills(engine: JinjaEngine) -> None:
    partials = {
        "_base.html": "<{% block a %}A{% endblock %}|{% block b %}B{% endblock %}>",
        "_m.html": "{% macro m(x) %}({{ x }}){% endmacro %}",
    }
    source = (
        "{% extends '_base.html' %}{% from '_m.html' import m %}"
        "{% block b %}{{ super() }}{{ m(name) }}{% endblock %}"
    )

    found = render(engine, source, partials=partials, name="<x>", escape=True)

    assert found == "<A|B(&lt;x&gt;)>"


def test_a_partial_that_is_imported_is_that_of_this_rendering(
    engine: JinjaEngine,
) -> None:
    """Macros are kept by Jinja; another locale's must not come up."""
    source = "{% import '_m.txt' as m %}{{ m.x() }}"
    macro = "{% macro x() %}{% include '_x.txt' %}{% endmacro %}"

    found = [
        render(engine, source, partials={"_m.txt": macro, "_x.txt": text})
        for text in ("one", "two")
    ]

    assert found == ["one", "two"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ null }}", "null; give it a default"),
        ("{{ items }}", "prints a list"),
        ("{{ order }}", "prints a mapping"),
        ("{{ now }}", "prints a moment"),
        ("{{ 1 / 0 }}", "divides by zero"),
        ("{{ 'a' + 1 }}", "treats a value as what it is not"),
        ("{{ order.note }}", "`note` is missing"),
        ("{{ order[name] }}", "an item that it asks for is missing"),
        ("{{ 'a'|uper }}", "there is no filter `uper`; did you mean `upper`?"),
        ("{{ 'a' is strnig }}", "there is no test `strnig`; did you mean `string`?"),
        ("{{ items.push(1) }}", "`push` is missing"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(
    engine: JinjaEngine, source: str, words: str
) -> None:
    variables = {"null": None, "items": [1], "order": {}, "now": AT, "name": "s3cret"}

    with pytest.raises(ContentError, match="line 2: ") as caught:
        render(engine, f"\n{source}", **variables)

    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_numbers_and_dates_are_written_as_the_locale_does(engine: JinjaEngine) -> None:
    source = (
        "{{ n|number }} {{ n|currency('EUR') }} {{ 0.25|percent }} {{ now|date }} "
        "{{ now|date('full') }} {{ now|time }} {{ now|date('d. MMM') }}"
    )

    german = render(engine, source, n=1234.5, now=AT, locale="de")

    assert german.replace("\u00a0", " ") == (
        "1.234,5 1.234,50 € 25 % 02.03.2026 Montag, 2. März 2026 09:30 2. März"
    )


def test_an_instant_is_written_by_the_templates_clock(engine: JinjaEngine) -> None:
    source = "{{ at|date('short') }} {{ at|time }} {{ at|later(days=1)|date('short') }}"

    found = render(engine, source, at="2026-03-02T23:30:00Z", locale="en")

    assert found.replace("\u202f", " ") == "3/3/26 12:30 AM 3/4/26"


def test_a_name_in_another_script_is_isolated(engine: JinjaEngine) -> None:
    name = "\u202eشركة <b>"

    html = render(engine, "{{ name|isolated }}", name=name, escape=True)
    text = render(engine, "{{ name|isolated }}", name=name)

    assert html == "<bdi>شركة &lt;b&gt;</bdi>"
    assert text == "\u2068شركة <b>\u2069"


@pytest.mark.parametrize(
    ("source", "needed", "optional"),
    [
        ("{{ a }}{{ b.c }}", {"a", "b"}, set()),
        ("{{ a|default('x') }}{{ b is defined }}", set(), {"a", "b"}),
        ("{{ a|upper|default('x') }}", {"a"}, set()),
        ("{{ a.b|default('x') }}", {"a"}, set()),
        ("{% if a %}{{ a }}{{ b }}{% endif %}", {"b"}, {"a"}),
        ("{% if a %}{% elif b %}{{ b }}{% else %}{{ a }}{% endif %}", {"a"}, {"b"}),
        ("{% if not a %}{% else %}{{ a }}{% endif %}", set(), {"a"}),
        ("{% if a and b == 1 %}{{ b }}{% endif %}", {"b"}, {"a"}),
        ("{{ a or b }}{{ 'x' if c else d }}", {"b", "d"}, {"a", "c"}),
        ("{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}", {"xs"}, set()),
        ("{% set a = 1 %}{{ a }}{% macro m(b) %}{{ b }}{{ c }}{% endmacro %}", {"c"}, set()),
        ("{% include '_p.txt' %}", {"p"}, {"q"}),
        ("{% if p %}{% include '_p.txt' %}{% endif %}", set(), {"p", "q"}),
        ("{% set p = 1 %}{% include '_p.txt' %}", set(), {"q"}),
        ("{% include ['_no.txt', '_p.txt'] %}{% include '_no.txt' ignore missing %}",
         {"p"}, {"q"}),
        ("{% extends '_l.txt' %}{% block a %}{{ x }}{% endblock %}", {"x", "lb"}, set()),
        ("{% extends '_l.txt' %}{% block a %}{{ super() }}{% endblock %}",
         {"la", "lb"}, set()),
        ("{% extends '_l.txt' %}", {"la", "lb"}, set()),
        ("{{ range(3)|join }}{{ namespace(a=1).a }}", set(), set()),
    ],
)  # fmt: skip
def test_it_knows_which_variables_a_template_needs(
    source: str, needed: set[str], optional: set[str]
) -> None:
    partials = {
        "_p.txt": "{{ p }}{{ q|d('') }}",
        "_l.txt": "{% block a %}{{ la }}{% endblock %}{% block b %}{{ lb }}{% endblock %}",
    }

    found = names(source, partials)

    assert found == (needed, optional)


def test_a_partial_that_is_not_there_is_found_before_it_is_needed() -> None:
    with pytest.raises(
        ContentError, match="line 2: there is no layout or partial '_no'"
    ):
        names("x\n{% include '_no' %}")


def test_without_jinja2_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "journeykit.builtin.sandbox", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(PluginLoadError, match=r"pip install 'journeykit\[templates\]'"):
        render(JinjaEngine(), "x")


def test_the_time_of_a_template_is_the_one_it_is_given(engine: JinjaEngine) -> None:
    found = render(engine, "{{ now|date('y-MM-dd') }}", now=AT.astimezone(UTC))

    assert found == "2026-03-02"


SECRET = "jane@secret.example"


@pytest.mark.parametrize(
    "source",
    [
        "{% include name %}",
        "{% include [name, other] %}",
        "{% extends name %}",
        "{% import name as x %}",
        "{% from name import x %}",
        "{{ namespace(**{name: 1})[other] }}",
        "{{ cycler(1)[name] }}",
        "{{ self[name] }}",
        "{{ now[name] }}",
        "{{ 1[name] }}",
        "{{ {}[name] }}",
        "{{ [now]|map(attribute=name)|first }}",
        "{{ [{}]|groupby(name) }}",
        "{{ [1]|sort(attribute=name) }}",
        "{{ 1|date(name) }}",
        "{{ now|date(name) }}",
        "{{ 1|currency(name) }}",
    ],
)
def test_an_error_quotes_no_value_that_serves_as_a_name(source: str) -> None:
    variables = {"name": SECRET, "other": "v-secret", "now": AT}

    with pytest.raises(ContentError) as caught:
        JinjaEngine().render(source, variables, load=nothing, escape=False, at=AT)

    assert "secret" not in str(caught.value)
    assert "jane" not in str(caught.value)


def test_a_file_that_stands_in_the_template_is_named() -> None:
    with pytest.raises(ContentError, match=r"no layout or partial '_x\.html'"):
        JinjaEngine().render(
            "{% include '_x.html' %}", {}, load=nothing, escape=False, at=AT
        )


def nothing(name: str) -> str:
    raise LookupError(name)

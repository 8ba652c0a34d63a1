"""Liquid templates: the language as it is known, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import ClassVar

import pytest

from journeykit.content.engine import TemplateEngine
from journeykit.errors import ContentError
from journeykit.testing import TemplateEngineContract
from journeykit_liquid import LiquidEngine, journeykit_template_engines

AT = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=1)))
DOUBLED = "{% assign v = 'ab' %}{% for n in (1..99) %}{% assign v = STEP %}{% endfor %}"
MANY = "{% assign v = 'x ' %}{% for n in (1..18) %}{% assign v = v | append: v %}{% endfor %}"

ATTACKS = {
    "a range": "{% for n in (1..1000000000) %}{% endfor %}",
    "a range that is no number of a machine": "{% for n in (1..99999999999999999999999) %}"
    "{% endfor %}",
    "a range reversed": "{% for n in (1..1000000000) reversed %}x{% endfor %}",
    "a range joined": "{{ (1..1000000000) | join: '' }}",
    "a range in a table": "{% tablerow n in (1..1000000000) %}x{% endtablerow %}",
    "a range sorted": "{% assign x = (1..1000000000) | sort %}",
    "append": DOUBLED.replace("STEP", "v | append: v"),
    "prepend": DOUBLED.replace("STEP", "v | prepend: v"),
    "replace": DOUBLED.replace("STEP", "v | replace: 'a', v"),
    "replace nothing": f"{MANY}{{{{ v | replace: '', v }}}}",
    "concat": "{% assign v = 'a b' | split: ' ' %}{% for n in (1..99) %}"
    "{% assign v = v | concat: v %}{% endfor %}",
    "captured": "{% capture x %}{% for n in (1..9999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}"
    "{% for m in (1..9) %}aaaaaaaaaaaaaa{% endfor %}{% endfor %}{% endcapture %}",
    "nested loops": "{% for n in (1..9999) %}{% for n in (1..9999) %}{% endfor %}{% endfor %}",
    "join by much": f"{MANY}{{{{ v | split: '' | join: v }}}}",
    "letters": f"{MANY}{{{{ v | split: '' | size }}}}",
    "uniq": f"{MANY}{{{{ v | slice: 0, 9000 | split: '' | uniq | size }}}}",
    "a product": "{% assign v = 9 %}{% for n in (1..99) %}{% assign v = v | times: v %}"
    "{% endfor %}",
    "much on the way": f"{MANY}{{% for n in (1..9999) %}}{{% assign w = v | upcase %}}"
    "{% endfor %}",
    "a range in steps": "{% for n in (1..9) limit: 99999999999999999999999 %}{{ q }}{% endfor %}",
    "nested ifs": "{% if true %}" * 500 + "{% endif %}" * 500,
    "a class": "{{ name.__class__.x }}{{ name.__class__ }}",
    "long": "x" * 300_000,
    "no such filter": "{{ name | attr: 'x' }}",
}


class TestLiquid(TemplateEngineContract):
    asking = "Hello{% if name %} {{ name }}{% endif %}!"
    looping = "{% for item in items %}{{ item }},{% endfor %}"
    including = "[{% include '_part.txt' %}]"
    broken = ("Hello\n{{ name", "\n{% for %}{% endfor %}", "\n{% nothing %}")
    endless = "{% for n in (1..9999) %}{% for n in (1..9999) %}{% endfor %}{% endfor %}"
    growing = "{% for n in (1..9999) %}" + "a" * 200 + "{% endfor %}"
    attacks: ClassVar[Mapping[str, str]] = ATTACKS

    def engine(self) -> TemplateEngine:
        return LiquidEngine()


@pytest.fixture(scope="module")
def engine() -> LiquidEngine:
    return LiquidEngine()


def render(engine: LiquidEngine, source: str, /, **variables: object) -> str:
    partials = {"_p.txt": "({{ p }})", "_q.txt": "({{ q }})"}
    return engine.render(
        source, variables, load=partials.__getitem__, escape=False, at=AT
    )


@pytest.mark.parametrize("attack", [*ATTACKS])
def test_each_attack_is_refused_in_two_seconds_of_work(
    engine: LiquidEngine, attack: str
) -> None:
    with pytest.raises(ContentError) as caught:
        render(engine, ATTACKS[attack], name="Ada")

    assert "a value is not what" not in caught.value.message  # it got that far


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{ 'a b' | capitalize }} {{ 7 | divided_by: 2 }}", "A b 3"),
        ("{{ items | map: 'n' | sort | join: ',' }}", "1,2"),
        ("{% unless name %}x{% else %}{{ name | upcase }}{% endunless %}", "ADA"),
        ("{% case name %}{% when 'Ada' %}1{% else %}2{% endcase %}", "1"),
        ("{% for n in (1..3) %}{{ forloop.index }}{% endfor %}", "123"),
        ("{% assign p = 1 %}{% include '_p.txt' %}{% render '_q.txt', q: 2 %}", "(1)(2)"),
        ("{{ nobody | default: 'x' }}{{ null | default: 'y' }}", "xy"),
        ("{{ order.items.size }} {{ order.items[0] }} {{ order.items.first }}", "2 a a"),
        ("{% capture x %}<{{ name }}>{% endcapture %}{{ x }}", "<Ada>"),
        ("{{ '<b>x</b> y' | strip_html }}", "x y"),
        ("{% tablerow n in (1..2) %}{{ n }}{% endtablerow %}", None),
    ],
)  # fmt: skip
def test_what_authors_are_used_to_works(
    engine: LiquidEngine, source: str, result: str | None
) -> None:
    found = render(
        engine,
        source,
        items=[{"n": 2}, {"n": 1}],
        name="Ada",
        null=None,
        order={"items": ["a", "b"]},
    )

    if result is None:
        assert found.count("<td") == 2
    else:
        assert found == result


def test_numbers_and_dates_are_written_as_the_locale_does(engine: LiquidEngine) -> None:
    source = (
        "{{ n | number }} {{ n | currency: 'EUR' }} {{ 'now' | date: '%A, %e. %B %Y' }} "
        "{{ at | date: 'short' }} {{ at | time }} {{ at | later: days: 1 | date: '%d.%m.' }}"
    )

    found = render(engine, source, n=1234.5, at="2026-03-02T23:30:00Z", locale="de")

    assert found.replace("\u00a0", " ") == (
        "1.234,5 1.234,50 € Montag, 2. März 2026 03.03.26 00:30 04.03."
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ order }}", "prints a mapping"),
        ("{{ items }}", "prints a list"),
        ("{{ at }}", "prints a moment"),
        ("{{ order.note }}", "`order.note` is missing"),
        ("{{ name | uper }}", "unknown filter 'uper'"),
        ("{{ 'x' | date: '%Q' }}", "`%Q`, which isn't known"),
        ("{{ 'x' | date }}", "a date is written that is none"),
    ],
)
def test_an_error_says_what_is_wrong_and_where(
    engine: LiquidEngine, source: str, words: str
) -> None:
    with pytest.raises(ContentError, match="line 2: ") as caught:
        render(
            engine,
            f"\n{source}",
            order={"a": "s3cret"},
            items=[{}],
            at=AT,
            name="s3cret",
        )

    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "needed", "optional"),
    [
        ("{{ a }}{{ b.c }}", {"a", "b"}, set()),
        ("{{ a | default: 'x' }}", set(), {"a"}),
        ("{% if a %}{{ a }}{{ b }}{% endif %}", {"b"}, {"a"}),
        ("{% if a %}{% elsif b %}{{ b }}{% else %}{{ a }}{% endif %}", {"a"}, {"b"}),
        ("{% unless a %}x{% else %}{{ a }}{% endunless %}", set(), {"a"}),
        ("{% if a and b == 1 %}{{ b }}{% endif %}", {"b"}, {"a"}),
        ("{% for x in xs %}{{ x }}{{ forloop.index }}{% endfor %}", {"xs"}, set()),
        ("{% assign a = 1 %}{{ a }}", set(), set()),
        ("{% include '_p.txt' %}", {"p"}, set()),
        ("{% if p %}{% include '_p.txt' %}{% endif %}", set(), {"p"}),
        ("{% render '_p.txt', p: q %}", {"q"}, set()),
    ],
)
def test_it_knows_which_variables_a_template_needs(
    engine: LiquidEngine, source: str, needed: set[str], optional: set[str]
) -> None:
    load = {"_p.txt": "{{ p }}"}.__getitem__

    found = engine.variables(source, load=load), engine.optional(source, load=load)

    assert found == (needed, optional)


def test_the_plugin_yields_the_engine() -> None:
    (engine,) = journeykit_template_engines()

    assert engine.name == "liquid"


def test_an_error_quotes_no_value_that_serves_as_a_name() -> None:
    def load(name: str) -> str:
        raise LookupError(name)

    for source, words in {
        "{% include name %}": "there is no partial of the name that it works out",
        "{% include '_x.html' %}": "there is no partial '_x.html'",
    }.items():
        with pytest.raises(ContentError, match=words) as caught:
            LiquidEngine().render(
                source, {"name": "jane@secret"}, load=load, escape=False, at=AT
            )
        assert "jane" not in str(caught.value)

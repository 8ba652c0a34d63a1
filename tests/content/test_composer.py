"""A message is composed of the template that fits, with the decision's time as its clock."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.content.test_templates import write

from journeykit.builtin.jinja import JinjaEngine
from journeykit.channels import Content, Message
from journeykit.content.composer import Composer
from journeykit.content.engine import LIMITS, Limits
from journeykit.content.templates import Library
from journeykit.credentials import Secret
from journeykit.errors import ContentError
from journeykit.links import Links

MESSAGE = Message(
    delivery_id="d" * 32,
    customer="ada",
    channel="email",
    address="ada@example.com",
    template="hello",
    variables={"name": "Ada"},
    at=datetime(2026, 3, 2, 23, 30, tzinfo=UTC),
    journey="welcome",
    step="send-email-hello",
    purpose="marketing",
    locale="de-CH",
    zone="Europe/Berlin",
)
LINKS = Links("https://post.example.com", Secret("x" * 40))


@pytest.fixture
def compose(tmp_path: Path) -> Any:
    def compose(
        files: Mapping[str, str],
        medium: str = "email",
        links: Links | None = None,
        limits: Limits = LIMITS,
        **fields: Any,
    ) -> Content:
        library = Library.read(write(tmp_path, files))
        published = Library.from_bytes(library.to_bytes())
        engines = {"jinja": JinjaEngine()}
        composer = Composer(lambda: published, engines, links, limits=limits)
        return composer.compose(replace(MESSAGE, **fields), medium)

    return compose


def test_front_matter_and_body_are_rendered(compose: Any) -> None:
    files = {
        "hello.email.html": "---\nsubject: Hi {{ name }}\nheaders: {X-Who: '{{ name }}'}\n"
        "ttl: 5\n---\n<p>{{ name }}</p>",
        "hello.email.txt": "Hi {{ name }}",
    }

    found = compose(files, variables={"name": "A & B"})

    assert found.settings == {
        "subject": "Hi A & B",
        "headers": {"X-Who": "A & B"},
        "ttl": 5,
    }
    assert found.parts == {"html": "<p>A &amp; B</p>", "txt": "Hi A & B"}


def test_a_layout_goes_around_and_gives_settings(compose: Any) -> None:
    files = {
        "_outer.email.html": "---\nfrom: '{{ brand.sender }}'\nsubject: no\n---\n"
        "<html lang={{ locale }} dir={{ direction }}>{{ content }}",
        "_inner.email.html": "---\nlayout: _outer.email.html\n---\n"
        "<h1>{{ settings.subject }}</h1>{{ content }}",
        "hello.email.html": "---\nlayout: _inner.email.html\nsubject: Hi\n---\n<p>{{ name }}",
        "brand.toml": 'sender = "shop@example.com"',
    }

    found = compose(files, variables={"name": "<"})

    assert found.settings == {"from": "shop@example.com", "subject": "Hi"}
    assert found.parts["html"] == "<html lang=en dir=ltr><h1>Hi</h1><p>&lt;"


def test_json_is_rendered_text_by_text(compose: Any) -> None:
    files = {
        "hello.push.json": '{"title": "{{ name }}", "data": {"n": 1, "on": [true, "{{ 1 }}"]}}'
    }

    found = compose(files, "push", variables={"name": '", "title": "mine\n'})

    assert json.loads(found.parts["json"]) == {
        "title": '", "title": "mine\n',
        "data": {"n": 1, "on": [True, "1"]},
    }


def test_everybody_gets_their_language_and_its_direction(compose: Any) -> None:
    files = {
        "hello.sms.txt": "Hi {% include '_bye.txt' %}",
        "hello.sms.de.txt": "Hallo {% include '_bye.txt' %} {{ 1234.5|number }}",
        "hello.sms.ar.txt": "{{ locale }} {{ direction }}",
        "_bye.txt": "bye",
        "_bye.de.txt": "tschüss",
    }

    german, arabic, french = (
        compose(files, "sms", locale=locale) for locale in ("de-CH", "ar-EG", "fr")
    )

    assert german.parts["txt"] == "Hallo tschüss 1’234.5"  # noqa: RUF001 - as the Swiss do
    assert (german.locale, german.direction) == ("de", "ltr")
    assert arabic.parts["txt"] == "ar-EG rtl"
    assert (arabic.locale, arabic.direction) == ("ar", "rtl")
    assert (french.parts["txt"], french.locale) == ("Hi bye", "en")


def test_the_clock_is_that_of_the_decision_where_the_customer_is(compose: Any) -> None:
    files = {"hello.sms.txt": "{{ now|date('y-MM-dd') }} {{ now|time('HH:mm') }}"}

    berlin, unknown = (
        compose(files, "sms", zone=zone).parts["txt"]
        for zone in ("Europe/Berlin", "No/Where")
    )

    assert berlin == "2026-03-03 00:30"
    assert unknown == "2026-03-02 23:30"


def test_the_same_message_is_composed_the_same_again(compose: Any) -> None:
    files = {"hello.email.html": "{{ now|date }} {{ name }} {{ unsubscribe_url }}"}

    assert compose(files, links=LINKS) == compose(files, links=LINKS)


def test_its_own_links_are_there(compose: Any) -> None:
    names = ("unsubscribe_url", "preferences_url", "confirm_url")
    files = {"hello.email.html": " ".join(f"{{{{ {name} }}}}" for name in names)}

    found = compose(files, links=LINKS)

    urls = [found.links[name.removesuffix("_url")] for name in names]
    assert found.parts["html"] == " ".join(urls)
    assert all(url.startswith("https://post.example.com/") for url in urls)


def test_a_survey_has_a_link_for_each_score(compose: Any) -> None:
    scores = (
        "{% for link in survey.links %}{{ link.score }}:{{ link.url }} {% endfor %}"
    )
    files = {"hello.email.html": "{{ survey.url }} " + scores}
    tracking = replace(LINKS, track=True)

    found = compose(files, links=tracking, survey="checkout", asks="csat")

    url, *each = found.parts["html"].split()
    assert url.startswith("https://post.example.com/s/")
    assert each == [f"{n}:{url}?score={n}" for n in range(1, 6)]


def test_a_message_that_asks_nothing_has_no_survey(compose: Any) -> None:
    files = {"hello.email.html": "{{ survey.url }}"}

    with pytest.raises(ContentError, match="only the message of a Survey asks"):
        compose(files, links=LINKS)
    with pytest.raises(ContentError, match="no links are set up"):
        compose(files, survey="checkout", asks="nps")


def test_no_variable_stands_in_for_what_is_there_for_all(compose: Any) -> None:
    files = {"hello.email.html": "{{ unsubscribe_url }}{{ locale }}"}
    variables = {"unsubscribe_url": "https://evil.example", "locale": "xx"}

    found = compose(files, links=LINKS, variables=variables)

    assert "evil" not in found.parts["html"]
    assert "xx" not in found.parts["html"]


def test_links_are_led_over_ours_where_that_is_wanted(compose: Any) -> None:
    files = {
        "hello.email.html": '<a href="https://shop.example.com/?a=1&amp;b=2">x</a>',
        "hello.email.txt": "https://shop.example.com/",
        "hello.sms.txt": "Look: https://shop.example.com/cart.",
    }
    links = replace(LINKS, track=True)

    mail, text = compose(files, links=links), compose(files, "sms", links=links)

    assert 'href="https://post.example.com/l/' in mail.parts["html"]
    assert mail.parts["txt"] == "https://shop.example.com/"
    assert "https://post.example.com/l/" in text.parts["txt"]
    assert "shop.example.com" in compose(files, links=LINKS).parts["html"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"hello.email.html": "---\nsubject: x\n---\na\n{{ nothing }}"},
            "templates/hello.email.html:5: `nothing` is missing",
        ),
        (
            {"hello.email.html": "---\na: b\nsubject: '{{ nothing }}'\n---\n"},
            "templates/hello.email.html:3: `nothing` is missing",
        ),
        (
            {
                "hello.email.html": "{% include '_p.html' %}",
                "_p.html": "\n{{ nothing }}",
            },
            "templates/_p.html:2: `nothing` is missing",
        ),
        (
            {
                "hello.email.html": "{% include '_p.html' %}",
                "_p.en.html": "{{ nothing }}",
            },
            "templates/_p.en.html:1: `nothing` is missing",
        ),
        (
            {
                "hello.email.html": "---\nlayout: _l.email.html\n---\n",
                "_l.email.html": "---\nx: y\n---\n\n{{ nothing }}",
            },
            "templates/_l.email.html:5: `nothing` is missing",
        ),
        (
            {"hello.email.html": "---\nengine: mustache\n---\n"},
            (
                "templates/hello.email.html:1: there is no template engine 'mustache'; "
                "installed: jinja"
            ),
        ),
        (
            {"hello.email.html": "\n{{ unsubscribe_url }}"},
            (
                "templates/hello.email.html:2: `unsubscribe_url` is missing: no links are "
                "set up; write [links] in journeykit.toml"
            ),
        ),
        (
            {
                "hello.email.html": "---\nlayout: _a.html\n---\n",
                "_a.html": "---\nlayout: _a.html\n---\n",
            },
            "templates/hello.email.html:1: there are more than 5 layouts around each other",
        ),
        ({}, "there is no template 'hello' for email in templates/"),
    ],
    ids=[
        "body",
        "front",
        "partial",
        "localized",
        "layout",
        "engine",
        "links",
        "circle",
        "no",
    ],
)
def test_what_goes_wrong_is_said_with_the_place_in_the_file(
    compose: Any, files: Mapping[str, str], message: str
) -> None:
    with pytest.raises(ContentError) as caught:
        compose(files, locale="en", variables={"name": "s3cret"})

    assert str(caught.value) == message


def test_a_text_of_json_is_placed_as_well(compose: Any) -> None:
    files = {"hello.push.json": '{\n  "title": "a",\n  "body": "{{ nothing }}"\n}'}

    with pytest.raises(ContentError, match=r"templates/hello.push.json:3: `nothing`"):
        compose(files, "push")


def test_half_a_character_does_not_stop_a_message(compose: Any) -> None:
    found = compose({"hello.email.html": "{{ name }}"}, variables={"name": "a\ud800b"})

    assert found.parts["html"] == "a\ufffdb"


def test_several_threads_compose_at_once(tmp_path: Path) -> None:
    files = {
        "hello.email.html": "---\nsubject: '{{ name }}'\n---\n{% include '_p.html' %}",
        "_p.html": "{% for n in range(50) %}{{ name }}{% endfor %}",
        "_p.de.html": "{{ name }}",
    }
    library = Library.read(write(tmp_path, files))
    composer = Composer(lambda: library, {"jinja": JinjaEngine()})

    def compose(number: int) -> tuple[Any, str]:
        message = replace(MESSAGE, variables={"name": f"<{number}>"})
        found = composer.compose(message, "email")
        return found.settings["subject"], found.parts["html"]

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(compose, range(60))]

    assert found == [(f"<{n}>", f"&lt;{n}&gt;" * 50) for n in range(60)]


# --- limits ------------------------------------------------------------------------------

SLOW = (
    "{% for n in range(300) %}{% set x = ('a' * 2000)|upper|lower|title %}{% endfor %}"
)


def test_the_time_is_that_of_all_texts_of_a_message(compose: Any) -> None:
    texts = {f"k{n}": SLOW for n in range(100)}
    files = {"hello.push.json": json.dumps({"title": "Hi", "data": texts})}

    begun = time.thread_time()
    with pytest.raises(ContentError, match="takes too long") as caught:
        compose(files, medium="push", limits=Limits(seconds=0.1))

    assert time.thread_time() - begun < 2
    assert caught.value.source is not None
    assert caught.value.source.file == "templates/hello.push.json"


def test_all_texts_of_a_message_together_are_of_a_size(compose: Any) -> None:
    texts = {f"k{n}": "{{ 'a' * 500000 }}" for n in range(20)}
    files = {"hello.push.json": json.dumps({"title": "Hi", "data": texts})}

    with pytest.raises(ContentError, match="all its texts together"):
        compose(files, medium="push")


def test_an_address_that_is_a_value_is_not_led_over_ours(compose: Any) -> None:
    links = replace(LINKS, track=True)
    files = {
        "brand.toml": 'site = "brand.example"',
        "hello.sms.txt": "{{ name }} https://shop.example/{{ path }} "
        "https://{{ brand.site }}/ https://shop.example{{ at }}",
    }
    variables = {
        "name": "https://evil.example/login",
        "path": "a",
        "at": "@evil.example/",
    }

    text = compose(files, medium="sms", links=links, variables=variables).parts["txt"]

    first, second, third, fourth = text.split()
    assert first == "https://evil.example/login"
    assert second.startswith("https://post.example.com/l/")
    assert third.startswith("https://post.example.com/l/")
    assert fourth == "https://shop.example@evil.example/"

"""E-mail: headers nobody can write into, HTML that clients show, a text part, a way out."""

import builtins
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.media.messages import UNSUBSCRIBE, message

from journeykit.errors import ContentError
from journeykit.media.email import CLIPPED, SIZE, Email, email_of, inlined

FROM = "Shop <shop@shop.example>"


def mail(
    html: str = "<p>Hi</p>", settings: dict[str, object] | None = None, **more: Any
) -> Email:
    given_ = {"subject": "Hi", "from": FROM, **(settings or {})}
    return email_of(message("email", {"html": html}, given_, **more))


def test_a_mail_has_all_that_is_sent() -> None:
    found = mail(
        "<html><head><title>x</title></head><body><p>Hi <b>you</b></p></body></html>",
        {
            "subject": "Your cart",
            "preheader": "Still & here",
            "reply_to": "a@b.example",
        },
        locale="de-CH",
    )

    assert found.subject == "Your cart"
    assert str(found.sender) == FROM
    assert [str(each) for each in found.reply_to] == ["a@b.example"]
    assert found.text == "Hi you"
    assert found.html.startswith('<!doctype html><html lang="de-CH" dir="ltr">')
    assert re.search(
        r'<body><div style="display:none[^"]*">Still &amp; here', found.html
    )
    assert found.size == len(found.html.encode()) + len(found.text)
    assert found.headers == {}
    assert found.warnings == ()


def test_a_fragment_becomes_a_document() -> None:
    found = mail("<p>Salut</p>", {"subject": "<Hi>"}, locale="fr")

    assert '<html lang="fr" dir="ltr">' in found.html
    assert "<title>&lt;Hi&gt;</title>" in found.html
    assert "<body><p>Salut</p></body>" in found.html


def test_the_template_may_say_language_and_direction_itself() -> None:
    found = mail('<html lang="en" dir="auto"><body>x</body></html>', locale="ar")

    assert '<html lang="en" dir="auto">' in found.html


def test_right_to_left_text_runs_so() -> None:
    style = "<style>[dir=rtl] p{text-align:left}</style>"

    found = mail(f"{style}<p>مرحبا</p>", locale="ar", direction="rtl")

    assert '<html lang="ar" dir="rtl">' in found.html
    assert '<p style="text-align: left;">' in found.html


def test_the_text_part_is_the_one_that_was_written() -> None:
    parts = {"html": "<p>Hi</p>", "txt": "Hello\r\n\r\nthere  \n"}

    found = email_of(message("email", parts, {"subject": "Hi", "from": FROM}))

    assert found.text == "Hello\n\nthere"


def test_a_mail_may_be_text_alone() -> None:
    found = email_of(
        message("email", {"txt": "Hello"}, {"subject": "Hi", "from": FROM})
    )

    assert (found.html, found.text) == ("", "Hello")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"subject": "Hi\nBcc: x@evil.example"}, id="subject"),
        pytest.param({"subject": "Hi\r\n\r\n<script>"}, id="body by subject"),
        pytest.param({"subject": "Hi\u2028Bcc: x"}, id="line separator"),
        pytest.param({"subject": "Hi\x85Bcc: x"}, id="next line"),
        pytest.param({"subject": "Hi\x0bBcc: x"}, id="vertical tab"),
        pytest.param({"from": "a@b.example\nBcc: x@evil.example"}, id="from"),
        pytest.param({"from": "A\r\nBcc: x <a@b.example>"}, id="a name"),
        pytest.param({"reply_to": "a@b.example,\n x@evil.example"}, id="reply-to"),
        pytest.param({"headers": {"X-A": "1\nBcc: x"}}, id="a header"),
    ],
)
def test_nobody_writes_headers_by_a_variable(settings: dict[str, object]) -> None:
    with pytest.raises(ContentError, match="line break") as refusal:
        mail(settings=settings)

    assert "evil" not in str(refusal.value)


@given(
    st.fixed_dictionaries(
        {
            "subject": st.text(max_size=60),
            "preheader": st.text(max_size=60),
            "from": st.text(max_size=40).map(lambda name: f"{name} <a@b.example>"),
            "reply_to": st.text(max_size=40),
            "headers": st.dictionaries(st.just("X-A"), st.text(max_size=30)),
        }
    )
)
def test_whatever_is_set_no_header_has_two_lines(settings: dict[str, object]) -> None:
    try:
        found = mail(settings=settings)
    except ContentError:
        return

    values = [
        found.subject,
        str(found.sender),
        *map(str, found.reply_to),
        *found.headers.values(),
    ]
    assert all(len(value.splitlines()) == 1 for value in values)
    assert all(value.isascii() for value in values[1:])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"subject": " "}, "the subject is empty", id="no subject"),
        pytest.param({"subject": None}, "the subject is empty", id="none at all"),
        pytest.param({"subject": "a" * 251}, "251 characters; 250", id="long subject"),
        pytest.param({"preheader": "a" * 251}, "251 characters", id="long preheader"),
        pytest.param({"from": "me"}, "the sender must be like", id="no address"),
        pytest.param({"from": "Me <a@b@c.de>"}, "the sender must be", id="two signs"),
        pytest.param({"from": "jörg@shop.example"}, "must be ASCII", id="not ASCII"),
        pytest.param({"reply_to": "a@b.example, x"}, "reply-to address", id="reply-to"),
        pytest.param(
            {"reply_to": ",".join(["a@b.example"] * 11)},
            "11 of the",
            id="many reply-tos",
        ),
        pytest.param(
            {"headers": {"Bcc": "x"}}, "like `X-Campaign`", id="foreign header"
        ),
        pytest.param({"headers": {"X-A": "ü"}}, "must be ASCII", id="header not ASCII"),
        pytest.param({"headers": "X-A: 1"}, "names and values", id="headers as text"),
    ],
)
def test_settings_that_can_not_be_are_refused(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ContentError, match=words):
        mail(settings=settings)


def test_the_channel_says_who_it_is_from_if_the_template_does_not() -> None:
    plain = message("email", {"html": "Hi"}, {"subject": "Hi"})

    assert email_of(plain, sender="a@b.example").sender.address == "a@b.example"
    with pytest.raises(ContentError, match="no sender"):
        email_of(plain)


def test_an_empty_mail_is_refused() -> None:
    with pytest.raises(ContentError, match="the mail is empty"):
        mail("<html><body><style>p{}</style></body></html>")


# Size


def test_what_gmail_would_clip_is_a_warning_and_what_nobody_reads_an_error() -> None:
    long = mail("<p>" + "word " * (CLIPPED // 5))

    assert any("Gmail shows 102" in warning for warning in long.warnings)
    with pytest.raises(ContentError, match=f"{SIZE} are the most"):
        mail("<p>" + "word " * (SIZE // 5))


# CSS


def test_styles_are_put_into_the_elements_and_what_can_not_be_stays() -> None:
    style = "<style>p{color:red} a:hover{color:blue} @media (max-width:9px){p{margin:0}}</style>"

    found = inlined(f"<html><head>{style}</head><body><p>Hi</p></body></html>")

    assert '<p style="color: red;">' in found
    assert "a:hover" in found
    assert "@media" in found
    assert "p{color:red}" not in found.replace(" ", "")


def test_nothing_is_fetched_for_it() -> None:
    sheet = '<link rel="stylesheet" href="https://127.0.0.1:9/a.css"><style>p{}</style>'

    found = mail(f"<html><head>{sheet}</head><body><p>Hi</p></body></html>")

    assert any("<link>" in warning for warning in found.warnings)


def test_without_a_style_html_is_left_as_it_is() -> None:
    odd = "<P CLASS=a>Hi<br>you"

    assert inlined(odd) == odd


def test_a_style_without_css_inline_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "css_inline":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    assert mail("<p>Hi</p>").text == "Hi"
    with pytest.raises(ContentError, match=r"journeykit\[email\]"):
        mail("<style>p{color:red}</style><p>Hi</p>")


# What clients do not show


@pytest.mark.parametrize(
    ("html", "words"),
    [
        pytest.param("<p>x</p><script>a()</script>", "<script>", id="script"),
        pytest.param("<form>x<input></form>", "<form>", id="form"),
        pytest.param("x<iframe src=a></iframe>", "<iframe>", id="frame"),
        pytest.param('<p onclick="a()">x</p>', "onclick", id="handler"),
        pytest.param(
            "x<img src=https://a.example/b>", "1 image has no alt", id="one alt"
        ),
        pytest.param("x<img src=a><img src=b>", "2 images have no alt", id="two alts"),
        pytest.param(
            '<a href="HTTP://x.example">x</a>', "1 address is http:", id="http"
        ),
        pytest.param('x<img alt="" src="data:a">', "data:", id="embedded"),
    ],
)
def test_what_clients_drop_is_a_warning(html: str, words: str) -> None:
    assert any(words in warning for warning in mail(html).warnings)


def test_a_decoration_needs_no_words() -> None:
    assert mail('x<img src="https://a.example/b" alt="">').warnings == ()


# Unsubscribing


def test_marketing_mail_has_one_click_unsubscribing() -> None:
    found = mail(
        f'<a href="{UNSUBSCRIBE}">Stop</a>',
        purpose="marketing",
        links={"unsubscribe": UNSUBSCRIBE},
    )

    # RFC 8058 §8.1
    assert found.headers == {
        "List-Unsubscribe": f"<{UNSUBSCRIBE}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert found.warnings == ()


def test_transactional_mail_has_none() -> None:
    assert mail(links={"unsubscribe": UNSUBSCRIBE}).headers == {}


def test_a_way_out_that_lacks_something_is_a_warning() -> None:
    nowhere = mail(purpose="marketing")
    hidden = mail(purpose="marketing", links={"unsubscribe": UNSUBSCRIBE})
    plain = mail(
        "<p>http://localhost/u/T</p>",
        purpose="marketing",
        links={"unsubscribe": "http://localhost/u/T"},
    )

    assert "no way to unsubscribe" in nowhere.warnings[0]
    assert nowhere.headers == {}
    assert "{{ unsubscribe_url }}" in hidden.warnings[0]
    assert "https" in plain.warnings[0]
    assert plain.headers == {"List-Unsubscribe": "<http://localhost/u/T>"}


def test_an_address_that_would_break_the_header_is_refused() -> None:
    with pytest.raises(ContentError, match="can't stand in a header"):
        mail(
            purpose="marketing", links={"unsubscribe": "https://a.example/>\r\nBcc: x"}
        )


def test_opens_are_counted_only_where_that_is_set_up() -> None:
    counted = mail("<body>Hi</body>", links={"open": "https://a.example/o/T"})

    assert counted.html.endswith(
        '<img src="https://a.example/o/T" width="1" height="1" alt=""></body></html>'
    )
    assert "<img" not in mail("<body>Hi</body>").html

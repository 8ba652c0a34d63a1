"""Links are led over ours, and whatever else stands in a text stays as it is."""

from __future__ import annotations

import time

import pytest

from journeykit.content.tracking import tracked_html, tracked_text


def lead(url: str) -> str:
    return f"https://l/?{len(url)}&{url[8:12]}"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<a href="https://x.yz/">x</a>', '<a href="https://l/?13&amp;x.yz">x</a>'),
        (
            "<A class=b HREF = 'https://x.yz/'>",
            "<A class=b HREF = 'https://l/?13&amp;x.yz'>",
        ),
        ('<a href="https://x.yz/?a&amp;b">', '<a href="https://l/?17&amp;x.yz">'),
        (
            '<v:roundrect href="https://x.yz/">',
            '<v:roundrect href="https://l/?13&amp;x.yz">',
        ),
        ('<a\n  href="https://x.yz/"\n>', '<a\n  href="https://l/?13&amp;x.yz"\n>'),
    ],
)
def test_links_of_the_web_are_led_over_ours(html: str, found: str) -> None:
    assert tracked_html(html, lead) == found


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@b.c">',
        '<a href="tel:+49">',
        '<a href="#top">',
        '<a href="/cart">',
        '<a href="javascript:alert(1)">',
        '<a data-no-track href="https://x.yz/">',
        '<link href="https://x.yz/">',
        '<img src="https://x.yz/">',
        '<a data-href="https://x.yz/">',
        "https://x.yz/ <abbr href='https://x.yz/'>",
    ],
)
def test_what_nobody_follows_stays_as_it_is(html: str) -> None:
    assert tracked_html(html, lead) == html


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://x.yz/", "https://l/?13&x.yz"),
        ("Look (https://x.yz/a).", "Look (https://l/?14&x.yz)."),
        ("no link, x.yz/ mailto:a@b.c", "no link, x.yz/ mailto:a@b.c"),
        ("https://x.yz/! https://x.yz/", "https://l/?13&x.yz! https://l/?13&x.yz"),
    ],
)
def test_addresses_in_plain_text_are_led_over_ours(text: str, found: str) -> None:
    assert tracked_text(text, lead) == found


@pytest.mark.parametrize(
    "part", ["<a ", "<a href=", '<a href="', "<a x>", "https://", "<"]
)
def test_no_text_takes_long(part: str) -> None:
    text = part * (400_000 // len(part))
    began = time.thread_time()

    tracked_html(text, lead)
    tracked_text(text, lead)

    assert time.thread_time() - began < 2

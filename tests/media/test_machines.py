"""Who opened and clicked: a person, or a machine on the way to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.media.machines import FASTEST_S, machine

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/146.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
OUTLOOK = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)"
# https://www.scientiamobile.com/what-is-google-image-proxy/
GMAIL = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 "
    "(via ggpht.com GoogleImageProxy)"
)
CUBOT = (
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36"
)
# https://github.com/pentacent/keila/pull/164
AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
# https://github.com/mssola/user_agent/issues/71
SAMPLING = AHEAD.removesuffix("Mozilla/5.0") + "Gmail-content-sampling"


@pytest.mark.parametrize(
    "user_agent",
    [CHROME, IPHONE, CUBOT, None],
    ids=["Chrome", "iPhone", "CUBOT", "not known"],
)
@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_a_browser_is_a_person(kind: Any, user_agent: str | None) -> None:
    assert machine(kind, user_agent=user_agent, seconds=60) == ""


@pytest.mark.parametrize("user_agent", [OUTLOOK, GMAIL, "YahooMailProxy; https://x"])
def test_a_picture_that_is_loaded_for_somebody_is_their_opening(
    user_agent: str,
) -> None:
    assert machine("opened", user_agent=user_agent, seconds=1) == ""


@pytest.mark.parametrize(
    "user_agent", ["Mozilla/5.0", " Mozilla/5.0 ", AHEAD, SAMPLING]
)
def test_pictures_that_are_loaded_ahead_are_nobodys_opening(user_agent: str) -> None:
    assert machine("opened", user_agent=user_agent) == "privacy"


@pytest.mark.parametrize(
    "user_agent",
    [
        "Barracuda Link Protection",
        "Mozilla/5.0 (compatible; Proofpoint URL Defense)",
        "Mimecast/1.0",
        "CiscoSecureEmail",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) BingPreview/1.0b",
        "SkypeUriPreview Preview/0.5",
        "facebookexternalhit/1.1",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "WhatsApp/2.23.20.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/113.0.5672.63 Safari/537.36",
        "curl/8.5.0",
        "python-requests/2.31.0",
        "Python/3.11 aiohttp/3.9.1",
        "Go-http-client/2.0",
        "Microsoft Office Existence Discovery",
    ],
)
@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_who_calls_itself_a_machine_is_one(kind: Any, user_agent: str) -> None:
    assert machine(kind, user_agent=user_agent, seconds=600) == "named"


@pytest.mark.parametrize("method", ["HEAD", "head", "OPTIONS"])
def test_who_asks_without_wanting_the_page_is_a_machine(method: str) -> None:
    assert machine("clicked", user_agent=CHROME, method=method) == "method"


@pytest.mark.parametrize(
    "header",
    [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
    ],
    ids=": ".join,
)
def test_what_a_browser_fetches_ahead_nobody_has_clicked(
    header: tuple[str, str],
) -> None:
    found = machine("clicked", user_agent=CHROME, headers=dict([header]))

    assert found == "prefetch"


@pytest.mark.parametrize("user_agent", ["", "   "])
def test_who_does_not_say_who_it_is_is_a_machine(user_agent: str) -> None:
    assert machine("clicked", user_agent=user_agent) == "no_name"


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(-1, "too_fast"), (0.2, "too_fast"), (2.9, "too_fast"), (FASTEST_S, ""), (9, "")],
)
def test_nobody_clicks_as_soon_as_it_is_sent(seconds: float, found: str) -> None:
    assert machine("clicked", user_agent=CHROME, seconds=seconds) == found


def test_somebody_may_open_as_soon_as_it_arrives() -> None:
    assert machine("opened", user_agent=CHROME, seconds=0.5) == ""


@given(
    st.sampled_from(["opened", "clicked"]),
    st.none() | st.text(),
    st.text(max_size=9),
    st.dictionaries(st.sampled_from(["purpose", "x-moz", "accept"]), st.text()),
    st.none() | st.floats(),
)
def test_whatever_asks_is_told_apart(
    kind: Any, user_agent: str | None, method: str, headers: Any, seconds: float | None
) -> None:
    found = machine(
        kind, user_agent=user_agent, method=method, headers=headers, seconds=seconds
    )

    assert found in (
        "",
        "method",
        "prefetch",
        "no_name",
        "named",
        "privacy",
        "too_fast",
    )

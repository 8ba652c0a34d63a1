"""Whether a person opened or clicked, or a machine on the way to them.

Mail scanners open every message and follow every link before anybody sees it, and Apple's
Mail loads the pictures of all mail in the background. What is known of that is looked at
here: how the request is made, who says that they are making it, and how soon it comes. All
of it can be wrong: a machine that does not want to be known isn't, and a person behind a
scanner may be taken for it. So what a machine did is kept and marked, never dropped.

Not machines: Gmail's and Yahoo's picture proxies, which load a picture when somebody opens
the message (https://www.scientiamobile.com/what-is-google-image-proxy/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Machine = Literal["method", "prefetch", "no_name", "named", "privacy", "too_fast"]
"""Why something is taken for a machine: `method`: it asks like none that shows a page ·
`prefetch`: a browser that fetches ahead · `no_name`: it does not say what it is · `named`: a
scanner, a preview or a library by its own word · `privacy`: Apple's Mail Privacy
Protection, or Gmail fetching ahead · `too_fast`: nobody reads so fast."""

FASTEST_S = 3.0
"""Seconds from sending to a click that a person may take: to arrive, to be seen, to be
opened and to be tapped. Scanners need one or two."""

# Of Chrome, Safari and Firefox, in that order of their appearance:
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Purpose
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_IS_AHEAD = re.compile(r"prefetch|prerender|preview|instant", re.IGNORECASE).search

_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE).search

# Apple's (https://github.com/ua-parser/uap-core/issues/509), and the two of Gmail that
# come by themselves (https://github.com/pentacent/keila/pull/164,
# https://github.com/mssola/user_agent/issues/71).
_PRIVACY = re.compile(
    r"Mozilla/5\.0|.*Edge/12\.246 (?:Mozilla/5\.0|Gmail-content-sampling)"
).fullmatch

_NAMED = re.compile(
    # scanners of mail
    r"barracuda|proofpoint|mimecast|ironport|ciscosecure|forcepoint|fortinet|fortiguard"
    r"|sophos|symantec|messagelabs|trend ?micro|\btmes\b|trustwave|mailguard|spamexperts"
    r"|safelinks|microsoft office existence discovery|virustotal|urlscan|bitdefender"
    # previews in chats and elsewhere
    r"|bingpreview|skypeuripreview|facebookexternalhit|slack-imgproxy|whatsapp/|redditbot"
    r"|embedly|google-read-aloud|google-safety|googledocs|yahoo link preview|quora link"
    # anything that calls itself a bot, but for a maker of telephones
    r"|(?<!cu)bot\b|crawler|spider|\bscan(?:ner)?\b"
    # libraries and browsers without a screen
    r"|headless|phantomjs|puppeteer|playwright|selenium|\bcurl/|\bwget/|python-|aiohttp"
    r"|\bhttpx/|urllib|go-http-client|\bjava/|apache-httpclient|libwww|lwp::|node-fetch"
    r"|\baxios/|\bgot \(|guzzle|\bruby\b|\bphp/|winhttp|\bscrapy/",
    re.IGNORECASE,
).search

_LONGEST_NAME = 1000  # characters of a user agent that are looked at


def machine(
    kind: Literal["opened", "clicked"],
    *,
    user_agent: str | None = None,
    method: str = "GET",
    headers: Mapping[str, str] = {},
    seconds: float | None = None,
) -> Machine | Literal[""]:
    """Return why something that opened or clicked is taken for a machine; empty: it isn't.

    Args:
        kind: What was done.
        user_agent: What the request called itself; None: that is not known, as where a
            provider doesn't tell.
        method: How the request was made, as far as that is known.
        headers: Its other headers, the names in small letters.
        seconds: How long after the message was sent; None: not known.
    """
    if method.upper() not in ("GET", "POST"):
        return "method"
    if any(_IS_AHEAD(headers.get(name, "")) for name in _AHEAD):
        return "prefetch"
    if user_agent is not None and (named := _by_name(kind, user_agent)):
        return named
    if kind == "clicked" and seconds is not None and seconds < FASTEST_S:
        return "too_fast"
    return ""


def _by_name(kind: str, user_agent: str) -> Machine | Literal[""]:
    name = user_agent[:_LONGEST_NAME].strip()
    if not name:
        return "no_name"
    if kind == "opened" and _PROXIES(name):
        return ""
    if _PRIVACY(name):
        return "privacy"
    return "named" if _NAMED(name) else ""

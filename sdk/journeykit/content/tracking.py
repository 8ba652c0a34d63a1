"""Leads the links of a text over ours, so that clicks can be counted.

What is not a link of the web stays as it is: `mailto:`, `tel:`, `#top`. An author keeps a
link as it is by `data-no-track` in its tag.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

Lead = Callable[[str], str]
"""Returns the address that leads to one over ours; the same where it can't be."""

# Tags that are followed by a click; Outlook's buttons are VML. It ends at the next `<`, so
# that no text, however odd, is looked through twice.
_TAG = re.compile(r"<(?:a|area|v:\w{1,20})\s[^<>]*>", re.IGNORECASE)
_HREF = re.compile(r"""(?<=\s)(href\s{0,9}=\s{0,9})("[^"]*"|'[^']*')""", re.IGNORECASE)
_URL = re.compile(r"""\bhttps?://[^\s<>"']{1,2048}""", re.IGNORECASE)
_BEHIND = ".,;:!?)]}\u2026\u00bb\u201d\u2019"  # ends the sentence and not the address
_LEFT_ALONE = "data-no-track"

_HOST = re.compile(r"""https?://([\w.-]{1,253})(?=[/?#:\s"'<>)]|\{|$)""", re.IGNORECASE)
_BARE_HOST = re.compile(r"(?:[\w-]{1,63}\.){1,8}[a-z]{2,63}", re.IGNORECASE)


def hosts_in(text: str) -> set[str]:
    """Return the hosts of the addresses in a text, or the one that it is."""
    bare = {text} if _BARE_HOST.fullmatch(text) else set()
    return {host.lower() for host in {*_HOST.findall(text), *bare}}


def is_of(url: str, hosts: Collection[str]) -> bool:
    """Whether an address leads to one of these hosts, however a browser reads it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_plain = not {"@", "\\"} & {*parts.netloc}
    return is_plain and host.lower() in hosts


def tracked_html(text: str, lead: Lead) -> str:
    """Return HTML whose links lead over ours."""

    def of_tag(tag: re.Match[str]) -> str:
        if _LEFT_ALONE in tag[0].lower():
            return tag[0]
        return _HREF.sub(of_link, tag[0], count=1)

    def of_link(found: re.Match[str]) -> str:
        quote = found[2][0]
        url = html.unescape(found[2][1:-1]).strip()
        if not url.lower().startswith(("http://", "https://")):
            return found[0]
        return f"{found[1]}{quote}{html.escape(lead(url))}{quote}"

    return _TAG.sub(of_tag, text)


def tracked_text(text: str, lead: Lead) -> str:
    """Return plain text whose addresses lead over ours."""

    def of_url(found: re.Match[str]) -> str:
        url = found[0].rstrip(_BEHIND)
        return f"{lead(url)}{found[0][len(url) :]}"

    return _URL.sub(of_url, text)

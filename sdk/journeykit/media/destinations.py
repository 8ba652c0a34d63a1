"""Where links in messages may lead: https, and into an app where one reads them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from journeykit.errors import ContentError

LONGEST = 2000
"""Characters of a link; what some clients and providers cut beyond."""

# RFC 3986: scheme. What a web view or a browser would run or open from the device is never
# an app's own scheme.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_DANGEROUS = frozenset(
    [
        "about",
        "blob",
        "content",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "intent",
        "javascript",
        "jar",
        "view-source",
        "vbscript",
        "ws",
        "wss",
    ]
)
_UNSAFE = re.compile(r"[\s\x00-\x20\x7f\"<>\\^`{|}]")


def link_of(url: str, *, what: str, apps: bool = False) -> str:
    """Return a link that may stand in a message.

    Args:
        url: An absolute URL.
        what: What to call it in an error.
        apps: Whether an app's own scheme will do, such as `shop://cart`, or `tel:` and
            `mailto:`.

    Raises:
        ContentError: It is none, leads elsewhere or is too long.
    """
    url = url.strip()
    if len(url) > LONGEST:
        raise ContentError(
            f"the {what} has {len(url)} characters; {LONGEST} are the most"
        )
    if _UNSAFE.search(url):
        raise ContentError(f"the {what} has a character that a URL can't have")
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme == "https" and colon:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        if not host:
            raise ContentError(f"the {what} names no host")
        return url
    if (
        apps
        and colon
        and rest
        and _SCHEME.fullmatch(scheme)
        and scheme not in _DANGEROUS
    ):
        return url
    wanted = "https://… or an app's own scheme" if apps else "https://…"
    raise ContentError(f"the {what} must be {wanted}")

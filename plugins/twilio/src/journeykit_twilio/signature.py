"""Twilio's signature of what it posts: HMAC-SHA1 over the URL and all parameters.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

_PORTS = {"https": 443, "http": 80}


def signature(token: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return what stands in `X-Twilio-Signature`.

    Args:
        token: The account's auth token.
        url: As Twilio called it, with its query.
        parameters: Of the form that it posted.
    """
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(parameters)))
    digest = hmac.new(token.encode(), text.encode(errors="replace"), hashlib.sha1)
    return b64encode(digest.digest()).decode()


def is_signed(
    token: str, url: str, parameters: Iterable[tuple[str, str]], given: str
) -> bool:
    """Whether Twilio has signed it, with the port in the URL or without.

    Which of both it signs has changed, and differs by the kind of the number.
    """
    parameters = list(parameters)
    expected = [signature(token, way, parameters) for way in _ways(url)]
    said = given.encode(errors="replace")
    return any(hmac.compare_digest(one.encode(), said) for one in expected)


def _ways(url: str) -> Iterable[str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    yield url
    if parts.port is None:
        with_port = f"{host}:{_PORTS.get(parts.scheme, 443)}"
        yield urlunsplit(parts._replace(netloc=with_port))
    else:
        yield urlunsplit(parts._replace(netloc=host))

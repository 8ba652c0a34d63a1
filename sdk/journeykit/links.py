"""Signed links: addresses that say who may do what, without a password or a session.

Whoever holds the link of a message can unsubscribe, confirm, see and change preferences,
answer its survey, or be led on to what the message links to; nobody can make such a link
up, or change what one is for. Nothing of it is kept anywhere: a link holds what it says.

    https://post.example.com/u/SIGNATURE.CLAIMS

`CLAIMS` is compact JSON in URL-safe Base64 (RFC 4648 §5, no padding): signed, not
encrypted, so whoever holds a link can read the customer's id in it. `SIGNATURE` is
HMAC-SHA256 (RFC 2104) cut to its first 16 bytes, over the version, the workspace's name and
the claims. The claims come last because they never end in a `-` or `_`, which programs that
look for addresses in plain text may leave out.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from journeykit.channels import Message
from journeykit.credentials import Secret
from journeykit.errors import InputError

Kind = Literal[
    "unsubscribe", "preferences", "confirm", "click", "open", "inbox", "survey"
]
"""What a link is for; it is signed, so that none can serve for another."""

PATHS: Mapping[Kind, str] = MappingProxyType(
    {
        "unsubscribe": "/u/",
        "preferences": "/p/",
        "confirm": "/c/",
        "click": "/l/",
        "open": "/o/",
        "survey": "/s/",
    }
)
"""Where each kind is answered; an `inbox` token is none of a page."""

LIFETIMES: Mapping[Kind, timedelta] = MappingProxyType(
    {
        "preferences": timedelta(days=90),
        "confirm": timedelta(days=30),
        "inbox": timedelta(days=1),
        "survey": timedelta(days=90),
    }
)
"""For how long after the decision; see also `CLICKS_LEAD`. Others never expire: mail is kept for years, and
whoever finds some must still be able to unsubscribe (RFC 8058 knows no end either)."""

CLICKS_LEAD = timedelta(days=400)
"""For how long after the decision a click is led on: an address of yours that leads away is
worth something to whoever cheats people. It stands in no token, which SMS pays for."""

MAX_TOKEN = 3_500
"""Characters, so that a request's first line stays within the 4 KB of `serve`."""

MAX_URL = 2048
"""Characters of an address that a click leads on to."""

SHORTEST_SECRET = 32
"""Characters. RFC 2104 §3 asks for 32 bytes with SHA-256."""

ONE_CLICK = "List-Unsubscribe=One-Click"
"""What a mailbox provider posts (RFC 8058 §3.1), and `List-Unsubscribe-Post` says."""

_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"  # what may stand in an address as it is
_MAC_BYTES = 16  # RFC 2104 §5: no less than half of the hash
_MAC_CHARACTERS = 22
_VERSION = "1"
_LETTERS: Mapping[Kind, str] = MappingProxyType(
    {
        "unsubscribe": "u",
        "preferences": "p",
        "confirm": "c",
        "click": "l",
        "open": "o",
        "inbox": "i",
        "survey": "s",
    }
)
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_KEYS = "it takes url, secret, previous_secret, track, track_opens, origins, brand, …"
_OUT_OF = 'the environment\'s, such as secret = "$JOURNEYKIT_LINK_SECRET"'


class LinkExpired(InputError):
    """A link of ours whose time is over."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What a link says.

    Attributes:
        kind: What it is for.
        customer: Whose it is.
        channel: The channel of the message that it stood in; empty for an inbox.
        topic: The topic of that message; empty: it had none.
        delivery_id: That message; empty for an inbox.
        url: Where a click leads.
        locale: The locale that the message was written in.
        at: When the message was decided, aware, to the second.
        expires_at: From when on it is of no use, aware; None: never.
        test: Whether the message was test traffic.
        survey: The name of the survey that the message asks; empty: it asks none.
        asks: What the survey asks for: `nps`, `csat`, `ces`, `text`.
    """

    kind: Kind
    customer: str
    channel: str = ""
    topic: str = ""
    delivery_id: str = ""
    url: str = ""
    locale: str = ""
    at: datetime
    expires_at: datetime | None = None
    test: bool = False
    survey: str = ""
    asks: str = ""


class _Claims(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A link in as few characters as may be: what it doesn't have isn't there."""

    k: str
    c: str
    a: int
    n: str = ""
    t: str = ""
    d: str = ""
    u: str = ""
    l: str = ""
    x: int = 0
    m: bool = False
    s: str = ""
    q: str = ""


_claims = msgspec.json.Decoder(_Claims)


class LinkSettings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """`[links]` of journeykit.toml, and of the manifest.

    Attributes:
        url: Where the pages are, such as `https://post.example.com`.
        secret: Signs the links; `$NAME` is the environment's NAME.
        previous_secret: Is still accepted, after the secret was changed.
        track: Whether links in messages lead over ours, so that clicks are counted.
        track_opens: Whether e-mail holds a picture of ours, so that opens are counted.
        origins: The web sites that may ask for inboxes, such as
            `https://shop.example.com`.
        brand: The name on the pages; empty: none.
        color: Of the pages' buttons, such as `#0a6e4f`.
        logo: The address of a picture, `https://…`.
    """

    url: str = ""
    secret: str = ""
    previous_secret: str = ""
    track: bool = False
    track_opens: bool = False
    origins: tuple[str, ...] = ()
    brand: str = ""
    color: str = ""
    logo: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be: a ValueError, for whoever decodes it."""
        given = [self.url, *self.origins, self.logo]
        others = (self.secret, self.previous_secret, self.track, self.track_opens)
        more = (self.origins, self.brand, self.color, self.logo)
        if not self.url and (any(others) or any(more)):
            raise ValueError("url: is missing, such as https://post.example.com")
        if self.url and not self.secret:
            raise ValueError(f"secret: is missing; best is {_OUT_OF}")
        if any(len(one) > MAX_URL for one in given) or len(self.origins) > 20:
            raise ValueError("has more, or longer ones, than anybody needs")
        for name, secret in (
            ("secret", self.secret),
            ("previous_secret", self.previous_secret),
        ):
            if secret and not secret.startswith("$") and len(secret) < SHORTEST_SECRET:
                raise ValueError(f"{name}: {_too_short(len(secret))}")
        if self.url:
            checked_url(self.url)
        for origin in self.origins:
            if origin != origin_of(origin):
                raise ValueError(
                    "origins: write each as browsers do: https://shop.example.com"
                )
        if self.logo and not self.logo.startswith("https://"):
            raise ValueError("logo: needs an address that begins with https://")
        if self.color and not _is_color(self.color):
            raise ValueError("color: write it as #rrggbb")

    def links(self, workspace: str = "") -> Links | None:
        """Return what makes and reads links; None: none are set up.

        Args:
            workspace: Its name: another's links are none here.
        """
        if not self.url:
            return None
        return Links(
            self.url,
            Secret(self.secret),
            Secret(self.previous_secret) if self.previous_secret else None,
            track=self.track,
            track_opens=self.track_opens,
            workspace=workspace,
        )


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links and reads them. Equal messages get equal links.

    Attributes:
        url: Where the pages are; a path may stand behind the host.
        secret: Signs them. It is read when it is needed.
        previous_secret: Is still accepted, after the secret was changed.
        track: Whether links in messages are to lead over ours.
        track_opens: Whether `of` has an `open`, the address of a picture.
        workspace: The workspace's name: another's links are none here, even if both
            have one secret.
    """

    url: str
    secret: Secret
    previous_secret: Secret | None = None
    track: bool = False
    track_opens: bool = False
    workspace: str = ""

    def of(self, message: Message) -> dict[str, str]:
        """Return a message's own links: `unsubscribe`, `preferences` and `confirm`.

        With `track_opens` also `open`, the address of a picture that is to stand in an
        e-mail's HTML; and `survey`, the answer page, if the message asks something.

        Raises:
            InputError: The secret isn't there, or too short.
        """
        kinds: list[Kind] = ["unsubscribe", "preferences", "confirm"]
        if self.track_opens:
            kinds.append("open")
        if message.survey:
            kinds.append("survey")
        return {kind: self._address(kind, message) for kind in kinds}

    def tracked(self, message: Message, url: str) -> str:
        """Return the link over which a click is counted and led on to an address.

        An address that can't be is returned as it is: one that isn't of the web
        (`mailto:`), that is too long, or a link of ours already.

        Raises:
            InputError: The secret isn't there, or too short.
        """
        plain = quote(url, safe=_URL_CHARACTERS)  # a header can't hold what isn't ASCII
        if not is_web(url) or len(plain) > MAX_URL or self._is_ours(url):
            return url
        found = self._address("click", message, url=plain)
        # Quotation marks in an address double in JSON, so a short one may be too long.
        return found if len(found) - len(self._base) <= MAX_TOKEN else url

    def inbox(
        self, customer: str, *, now: datetime, lifetime: timedelta = LIFETIMES["inbox"]
    ) -> str:
        """Return a token with which a customer's app reads the customer's own inbox.

        It is made by your own server, for somebody who is signed in there.

        Raises:
            InputError: The secret isn't there, or too short.
        """
        return self.token(
            Link(kind="inbox", customer=customer, at=now, expires_at=now + lifetime)
        )

    def token(self, link: Link) -> str:
        """Return the one token that says what a link says.

        Raises:
            InputError: The secret isn't there, or too short.
        """
        return self._signed(_packed(link), self.secret)

    def read(self, token: str, *, kind: Kind, now: datetime) -> Link:
        """Return what a token says, if it is ours and for this.

        Args:
            token: Of a link's path, or of a customer's app.
            kind: What it is to be for.
            now: The clock.

        Raises:
            LinkExpired: Its time is over.
            InputError: It was altered or cut off, is for something else, of another
                workspace, or the secret it was signed with is known no more.
        """
        claims = _unpacked(token)
        if (
            claims is None
            or _KINDS.get(claims.k) != kind
            or not self._is_signed(token, claims)
        ):
            raise InputError("is not one of ours, or not whole", place="link")
        link = _link(claims, kind)
        ends = link.at + CLICKS_LEAD if kind == "click" else link.expires_at
        if ends is not None and ends <= now:
            raise LinkExpired("is of no use any more", place="link")
        return link

    def check(self) -> None:
        """See whether links can be signed, before a message needs one.

        Raises:
            InputError: The secret isn't there, or too short.
        """
        _key(self.secret)

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def _address(self, kind: Kind, message: Message, *, url: str = "") -> str:
        lifetime = LIFETIMES.get(kind)
        link = Link(
            kind=kind,
            customer=message.customer,
            channel=message.channel,
            topic=message.topic or "",
            delivery_id=message.delivery_id,
            url=url,
            locale="" if url else message.locale,
            at=message.at,
            expires_at=None if lifetime is None else message.at + lifetime,
            test=message.test,
            survey=message.survey if kind == "survey" else "",
            asks=message.asks if kind == "survey" else "",
        )
        return f"{self._base}{PATHS[kind]}{self.token(link)}"

    def _is_ours(self, url: str) -> bool:
        return any(url.startswith(f"{self._base}{path}") for path in PATHS.values())

    def _is_signed(self, token: str, claims: _Claims) -> bool:
        """Whether it is just the token that one of the secrets makes of the claims."""
        given = token.encode()
        secrets = [self.secret]
        if self.previous_secret is not None:
            secrets.append(self.previous_secret)
        # Compared as a whole: of each meaning there is one token, byte for byte.
        found = [
            hmac.compare_digest(self._signed(claims, secret).encode(), given)
            for secret in secrets
        ]
        return any(found)

    def _signed(self, claims: _Claims, secret: Secret) -> str:
        body = _in_base64(msgspec.json.encode(claims))
        said = f"journeykit link {_VERSION}\x1f{self.workspace}\x1f{body}"
        mac = hmac.digest(_key(secret), said.encode(), "sha256")
        return f"{_in_base64(mac[:_MAC_BYTES])}.{body}"


def list_unsubscribe(url: str) -> dict[str, str]:
    """Return the headers by which mailbox providers show their own way to unsubscribe.

    `List-Unsubscribe` is RFC 2369's; with `List-Unsubscribe-Post` (RFC 8058) the provider
    posts to the address by itself, which needs https. Both must be covered by the DKIM
    signature, which is up to whoever signs. No header may be folded within the address.

    Args:
        url: `Content.links["unsubscribe"]`; empty: there is none.
    """
    if not url:
        return {}
    headers = {"List-Unsubscribe": f"<{url}>"}
    if url.startswith("https://"):
        headers["List-Unsubscribe-Post"] = ONE_CLICK
    return headers


def is_web(url: str) -> bool:
    """Whether a click may lead to an address: one of the web, whole, and plain."""
    if (
        len(url) > MAX_URL
        or not url.isprintable()
        or any(c in url for c in ' "<>\\^`{|}')
    ):
        return False
    try:
        parts = urlsplit(url)
        # A host in other letters is to be written in its ASCII form (IDNA).
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.netloc.isascii()
        )
    except ValueError:
        return False


def checked_url(url: str) -> str:
    """Return where the pages are, if they can be there.

    Raises:
        ValueError: It is no address of the web, has a query, or is neither https nor of
            this machine.
    """
    parts = urlsplit(url)
    if not is_web(url) or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("url: needs an address such as https://post.example.com")
    if parts.scheme != "https" and not _is_here(parts.hostname or ""):
        raise ValueError(
            "url: needs https; mailbox providers and browsers insist on it"
        )
    return url


def origin_of(url: str) -> str:
    """Return the origin of an address as browsers write it (RFC 6454 §6.2); empty: none."""
    if not is_web(url):
        return ""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError:
        return ""
    if ":" in host:
        host = f"[{host}]"
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")


def _packed(link: Link) -> _Claims:
    return _Claims(
        k=_LETTERS[link.kind],
        c=link.customer,
        a=int(link.at.timestamp()),
        n=link.channel,
        t=link.topic,
        d=link.delivery_id,
        u=link.url,
        l=link.locale,
        x=0 if link.expires_at is None else int(link.expires_at.timestamp()),
        m=link.test,
        s=link.survey,
        q=link.asks,
    )


def _link(claims: _Claims, kind: Kind) -> Link:
    return Link(
        kind=kind,
        customer=claims.c,
        channel=claims.n,
        topic=claims.t,
        delivery_id=claims.d,
        url=claims.u,
        locale=claims.l,
        at=datetime.fromtimestamp(claims.a, UTC),
        expires_at=datetime.fromtimestamp(claims.x, UTC) if claims.x else None,
        test=claims.m,
        survey=claims.s,
        asks=claims.q,
    )


def _unpacked(token: str) -> _Claims | None:
    """What a token claims, whoever made it; None: it is no token."""
    if not _MAC_CHARACTERS + 1 < len(token) <= MAX_TOKEN or not token.isascii():
        return None
    if token[_MAC_CHARACTERS] != ".":
        return None
    body = token[_MAC_CHARACTERS + 1 :]
    try:
        text = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return _claims.decode(text)
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None


def _in_base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _key(secret: Secret) -> bytes:
    key = secret.reveal()
    if len(key) < SHORTEST_SECRET:
        raise InputError(_too_short(len(key)), place="links.secret")
    return key.encode()


def _too_short(found: int) -> str:
    return (
        f"has {found} characters and needs {SHORTEST_SECRET}, drawn by a machine: "
        "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_color(text: str) -> bool:
    digits = text[1:]
    return (
        text[:1] == "#"
        and len(digits) == 6
        and all(c in "0123456789abcdefABCDEF" for c in digits)
    )


def settings_of(table: Mapping[str, Any]) -> LinkSettings:
    """Read `[links]`.

    Raises:
        InputError: It is not what can be set; the place is the field.
    """
    try:
        return msgspec.convert(table, LinkSettings)
    except msgspec.ValidationError as error:
        names = LinkSettings.__struct_fields__
        for name in table:
            if name not in names:
                close = get_close_matches(str(name), names, n=1)
                way_out = f"did you mean {close[0]!r}?" if close else _KEYS
                raise InputError(
                    f"there is no such key; {way_out}", place=f"links.{name:.80}"
                ) from error
        field, colon, why = str(error).partition(": ")
        place = f"links.{field}" if colon and field.isidentifier() else "links"
        raise InputError(why if colon else str(error), place=place) from error

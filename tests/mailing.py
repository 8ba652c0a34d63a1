"""A shop that writes by push, SMS, e-mail and in its app, and doubles of who carries that.

The plugins are the real ones, and so are the shapes of what their providers take and say.
What Google and Twilio answer is made up here; mails go to a real mail server on loopback.
"""

from __future__ import annotations

import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from journeykit.network import Network
from journeykit.transport import MockTransport, Outcome, Request, Response, Transport
from journeykit_fcm import FcmChannel
from journeykit_twilio import TwilioChannel, signature

POST = "https://post.example.com"
"""Where the shop's pages are, as its customers see it."""

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "token-of-the-account"
NUMBER = "+15005550006"
CALLBACK = f"{POST}/v1/feedback/sms"
SMS = {
    "account_sid": ACCOUNT,
    "auth_token": TOKEN,
    "sender": NUMBER,
    "callback_url": CALLBACK,
}
PHONE = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"  # as FCM's tokens look
ADA = {
    "email": "ada@example.org",
    "phone": "+49 170 1234567",
    "push_token": PHONE,
    "name": "Ada <3",
    "locale": "de-AT",
}

JOURNEYS = """
from journeykit import Journey, Send, entry, hours, on, profile

reminder = Journey(
    id="reminder",
    trigger=on("cart.updated"),
    reentry="always",
    topic="offers",
    steps=[
        Send(
            ["push", "sms", "email"],
            "cart-reminder",
            fallback_after=hours(2),
            variables={"name": profile.name, "total": entry.total},
        )
    ],
)
offer = Journey(
    id="offer",
    trigger=on("offer.made"),
    reentry="always",
    topic="offers",
    steps=[Send("email", "offer")],
)
receipt = Journey(
    id="receipt",
    trigger=on("order.placed"),
    reentry="always",
    steps=[Send("email", "receipt", purpose="transactional", variables={"id": entry.id})],
)
text = Journey(
    id="text",
    trigger=on("text.wanted"),
    reentry="always",
    topic="offers",
    steps=[Send("sms", "cart-reminder", variables={"name": "you", "total": 1})],
)
hello = Journey(
    id="hello",
    trigger=on("app.opened"),
    steps=[Send("inapp", "hello", variables={"name": profile.name})],
)
"""

TEMPLATES = {
    "brand.toml": 'name = "Lindenhof"\nurl = "https://shop.example.com"\n',
    "_layout.email.html": """---
from: "Lindenhof <post@shop.example.com>"
---
<!doctype html>
<html lang="{{ locale }}">
<head><meta charset="utf-8"><title>{{ settings.subject }}</title>
<style>.button { color: #fff; background: #0a6e4f } h1 { margin: 0 }</style></head>
<body>
{{ content }}
{% if unsubscribe_url %}<p><a href="{{ unsubscribe_url }}">Unsubscribe</a>
<a href="{{ preferences_url }}">Preferences</a></p>{% endif %}
</body>
</html>
""",
    "cart-reminder.push.json": json.dumps(
        {"title": "Your cart waits", "body": "It is worth {{ total }}."}
    ),
    "cart-reminder.sms.txt": "{{ brand.name }}: {{ name }}, your cart waits.\n",
    "cart-reminder.email.html": """---
subject: "{{ name }}, your cart waits"
preheader: "{{ total|currency('EUR') }} worth of good things"
layout: _layout.email.html
---
<h1>Hello {{ name }}</h1>
<p><a class="button" href="{{ brand.url }}/cart">Your cart</a></p>
""",
    "cart-reminder.email.de.html": """---
subject: "{{ name }}, dein Warenkorb wartet"
preheader: "{{ total|currency('EUR') }}, die warten"
layout: _layout.email.html
---
<h1>Grüß dich, {{ name }}</h1>
<p><a class="button" href="{{ brand.url }}/cart">Zum Warenkorb</a></p>
""",
    "offer.email.html": """---
subject: An offer
layout: _layout.email.html
---
<p>Everything for less.</p>
""",
    "receipt.email.html": """---
subject: "Your order {{ id }}"
layout: _layout.email.html
---
<p>Thank you.</p>
""",
    "hello.inapp.json": json.dumps(
        {"title": "Hello {{ name }}", "body": "Look around."}
    ),
}


def written(folder: Path, settings: str) -> Path:
    """Write the workspace into a folder."""
    files = {
        "journeykit.toml": settings,
        "policies.yaml": "topics: [{id: offers, name: Offers}]\n"
        "consent: [{default: allow}]\n",
        "journeys/all.py": JOURNEYS,
        **{f"templates/{name}": text for name, text in TEMPLATES.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


# --- Firebase ----------------------------------------------------------------------------


@cache
def service_account() -> str:
    """A key file as Firebase's console hands it out, for a key that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "shop-3f9a5",
            "private_key_id": "5c1f0a77",
            "private_key": pem,
            "client_email": "admin@shop-3f9a5.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


class Google:
    """Takes every push message, and says nothing of it later: FCM never does.

    https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def channel(self) -> FcmChannel:
        return FcmChannel(MockTransport(self._answer))

    def _answer(self, request: Request) -> Outcome:
        if request.url == "https://oauth2.googleapis.com/token":
            token = {
                "access_token": "ya29.1",
                "expires_in": 3599,
                "token_type": "Bearer",
            }
            return Response(200, body=json.dumps(token).encode())
        self.asked.append(json.loads(request.body)["message"])
        name = f"projects/shop-3f9a5/messages/{len(self.asked)}"
        return Response(200, body=json.dumps({"name": name}).encode())


# --- Twilio ------------------------------------------------------------------------------


class Twilio:
    """Twilio's Messages resource.

    https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource

    Attributes:
        texts: What was posted, in order.
    """

    def __init__(self, url: str = "") -> None:
        self.texts: list[dict[str, str]] = []
        self._url = url

    def channel(self) -> TwilioChannel:
        """One that asks this double: over loopback if it is served."""
        if self._url:
            return TwilioChannel(_ToLoopback(self._url))
        return TwilioChannel(MockTransport(self._answer))

    def _answer(self, request: Request) -> Outcome:
        return Response(201, body=json.dumps(self.created(request.body)).encode())

    def created(self, body: bytes) -> dict[str, Any]:
        """The answer to a POST."""
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        self.texts.append(form)
        return {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "date_created": "Mon, 01 Jun 2026 11:00:00 +0000",
            "date_sent": None,
            "date_updated": "Mon, 01 Jun 2026 11:00:00 +0000",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form["From"],
            "num_media": "0",
            "num_segments": "1",
            "sid": self.sid(len(self.texts)),
            "status": "queued",
            "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{self.sid(1)}.json",
        }

    @staticmethod
    def sid(number: int) -> str:
        return f"SM{number:032x}"

    def status(self, number: int, status: str, code: str = "") -> Posted:
        """What it posts about a text.

        https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
        """
        text = self.texts[number - 1]
        form = {
            "SmsSid": self.sid(number),
            "SmsStatus": status,
            "MessageStatus": status,
            "To": text["To"],
            "MessageSid": self.sid(number),
            "AccountSid": ACCOUNT,
            "From": text["From"],
            "ApiVersion": "2010-04-01",
            **({"ErrorCode": code} if code else {}),
        }
        return Posted.signed(text["StatusCallback"], form)

    def answer(self, text: str, *, id: int = 1000) -> Posted:
        """What it posts when Ada writes back: urlencoded, and signed as well.

        https://www.twilio.com/docs/messaging/guides/webhook-request
        """
        form = {
            "ToCountry": "US",
            "SmsMessageSid": self.sid(id),
            "NumMedia": "0",
            "SmsSid": self.sid(id),
            "SmsStatus": "received",
            "Body": text,
            "FromCountry": "DE",
            "To": NUMBER,
            "NumSegments": "1",
            "MessageSid": self.sid(id),
            "AccountSid": ACCOUNT,
            "From": "+491701234567",
            "ApiVersion": "2010-04-01",
        }
        return Posted.signed(CALLBACK, form)


class Posted:
    """A form that a provider posts.

    Attributes:
        path: With its query.
        headers: Content type and signature.
        body: The form.
    """

    def __init__(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @classmethod
    def signed(cls, url: str, form: Mapping[str, str]) -> Posted:
        """What Twilio posts to a URL."""
        parts = urlsplit(url)
        return cls(
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            {
                "content-type": "application/x-www-form-urlencoded",
                "x-twilio-signature": signature(TOKEN, url, form.items()),
            },
            urlencode(form).encode(),
        )


class _ToLoopback(Transport):
    """A transport for which api.twilio.com is on this machine."""

    def __init__(self, url: str) -> None:
        super().__init__(network=Network(["127.0.0.1"]))
        self._url = url

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Outcome:
        assert url == (
            f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        )
        return super().post(f"{self._url}{urlsplit(url).path}", body, headers)


@contextmanager
def twilio() -> Iterator[Twilio]:
    """Serve Twilio's double until the end of the block."""
    double = Twilio()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = json.dumps(double.created(body)).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    double._url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- a mail server -----------------------------------------------------------------------


class Mailbox:
    """What a mail server has taken.

    Attributes:
        port: The server's.
        mails: In order, parsed as a mail reader would.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.mails: list[EmailMessage] = []

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        return "250 2.0.0 queued"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["subject"]) for mail in self.mails]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run a mail server until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        box = Mailbox(free.getsockname()[1])
    # By its own name: the default looks this host's up, which may take its time.
    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, server_hostname="mx.test"
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()

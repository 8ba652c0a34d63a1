"""What goes over the wire to a mail server, and what becomes of it.

The servers are real ones on loopback: aiosmtpd, with TLS and logins, and for what a sound
server never does, a socket that says what it is told.
"""

from __future__ import annotations

import email
import email.policy
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from journeykit.channels import (
    Capabilities,
    Channel,
    Content,
    Message,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import ContentError, InputError
from journeykit.media.addresses import recipient_of
from journeykit.media.email import Email
from journeykit.media.mailbox import mailbox_of
from journeykit.testing import ChannelContract
from journeykit_smtp import SmtpChannel
from journeykit_smtp.mime import message_id, wire
from journeykit_smtp.settings import SmtpSettings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REFUSED = "nobody@example.com"
PASSWORD = "the-password-of-shop"
LONG = f"https://shop.example.com/u/{'t0ken_' * 60}"
Trouble = Literal["busy", "refusing", "silent", "unreachable"]

MESSAGE = Message(
    delivery_id="3f9a52c1",
    customer="c1",
    channel="email",
    address="ada@example.com",
    template="welcome",
    variables={},
    at=NOON,
    journey="welcome-series",
    step="send-email-welcome",
    purpose="marketing",
    content=Content(
        parts={"html": "<p>Grüße aus Zürich</p>", "txt": "Grüße\n.\n.Punkt\nFrom me"},
        settings={"subject": "Grüße", "reply_to": "help@example.com"},
        links={"unsubscribe": LONG},
    ),
)


class Server:
    """A mail server, as far as it is polite; passes on what it takes."""

    def __init__(self) -> None:
        self.trouble = ""
        self.mails: list[Envelope] = []
        self.sessions: list[int] = []
        self.refuse: dict[str, str] = {
            REFUSED: "550 5.1.1 <nobody@example.com> unknown"
        }

    async def handle_MAIL(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.trouble == "busy":
            return "451 4.3.2 try again later"
        if self.trouble == "refusing":
            return "550 5.7.1 not with us"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        self.sessions.append(id(session))
        if self.trouble == "silent":
            assert server.transport is not None
            server.transport.abort()
        return "250 2.0.0 queued"

    def ids(self) -> list[str]:
        return [str(mail["Message-ID"])[1:].partition("@")[0] for mail in self.read()]

    def read(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(envelope.content, policy=email.policy.default)
            for envelope in self.mails
            if isinstance(envelope.content, bytes)
        ]


class Certificate:
    """A certificate for 127.0.0.1, and what trusts it."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file = folder / "certificate.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = folder / "key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file, key_file)


def authenticated(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        b"shop",
        PASSWORD.encode(),
    )
    return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


class Loopback:
    """The servers that listen, one of each kind, and the one that the contract asks."""

    server: ClassVar[Server] = Server()
    ports: ClassVar[dict[str, int]] = {}
    ca_file: ClassVar[str] = ""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module", autouse=True)
def servers(certificate: Certificate) -> Iterator[None]:
    logger = logging.getLogger("mail.log")  # the server's own, which tells whom it got
    level = logger.level
    logger.setLevel(logging.WARNING)
    Loopback.ca_file = str(certificate.file)
    shared: dict[str, Any] = {"authenticator": authenticated, "enable_SMTPUTF8": True}
    ways: dict[str, dict[str, Any]] = {
        "starttls": {
            "tls_context": certificate.context,
            "require_starttls": True,
            "auth_required": True,
        },
        "tls": {"ssl_context": certificate.context, "auth_require_tls": False},
        "none": {"auth_require_tls": False},
        "old": {"auth_require_tls": False, "enable_SMTPUTF8": False},
    }
    running = []
    for name, options in ways.items():
        port = free_port()
        controller = Controller(
            Passing(), hostname="127.0.0.1", port=port, **(shared | options)
        )
        controller.start()
        running.append(controller)
        Loopback.ports[name] = port
    yield
    for controller in running:
        controller.stop()
    logger.setLevel(level)


class Passing:
    """Hands everything to the server of the test that runs."""

    async def handle_MAIL(self, *told: Any) -> str:
        return await Loopback.server.handle_MAIL(*told)

    async def handle_RCPT(self, *told: Any) -> str:
        return await Loopback.server.handle_RCPT(*told)

    async def handle_DATA(self, *told: Any) -> str:
        return await Loopback.server.handle_DATA(*told)


@pytest.fixture(autouse=True)
def server() -> Server:
    Loopback.server = Server()
    return Loopback.server


def settings(way: str = "starttls", **changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "host": "127.0.0.1",
        "port": Loopback.ports[way],
        "security": "none" if way == "old" else way,
        "sender": "Jörgs Laden <shop@example.com>",
        "username": "shop",
        "password": PASSWORD,
        "hello": "shop.example.com",
        "timeout": 5,
        "ca_file": Loopback.ca_file,
    }
    return {
        name: value for name, value in (found | changes).items() if value is not None
    }


def smtp(way: str = "starttls", **changes: object) -> Channel:
    return SmtpChannel().configured(settings(way, **changes))


def sent(channel: Channel, *messages: Message) -> Sequence[object]:
    return channel.send([channel.render(message) for message in messages or [MESSAGE]])


RIGHT: dict[str, object] = {"host": "mail.example.com", "sender": "shop@example.com"}


class TestContract(ChannelContract):
    bad_settings = (
        {},
        {"host": "mail.example.com"},
        RIGHT | {"no_such_setting": 1},
        RIGHT | {"sender": "Jörgs Laden"},
        RIGHT | {"security": "none"},
        RIGHT | {"security": "ssl"},
        RIGHT | {"username": "shop"},
        RIGHT | {"password": PASSWORD},
        RIGHT | {"hello": "shop\r\nMAIL FROM:<>"},
        RIGHT | {"host": "mail example"},
        RIGHT | {"return_path": "bounces"},
        RIGHT | {"port": 0},
        RIGHT | {"batch_size": 0},
        RIGHT | {"daily_quota": 0},
    )
    secrets = (PASSWORD, REFUSED)

    def channel(self) -> Channel:
        Loopback.server.trouble = ""
        return smtp(batch_size=5)

    def accepted(self) -> list[str]:
        return Loopback.server.ids()

    def troubled(self, trouble: Trouble) -> Channel:
        channel = self.channel()
        Loopback.server.trouble = trouble
        if trouble == "unreachable":
            return smtp(port=free_port())
        return channel

    def bad_message(self) -> Message:
        return self.message(9, address=REFUSED)

    def too_long(self) -> Content:
        return Content(parts={"txt": "x" * 2_000_000}, settings={"subject": "Hello"})


@pytest.mark.parametrize("way", ["starttls", "tls", "none"])
def test_a_mail_arrives_as_it_was_meant(way: str, server: Server) -> None:
    receipts = sent(smtp(way))

    assert receipts == [Sent("3f9a52c1", "<3f9a52c1@example.com>")]
    [envelope] = server.mails
    assert envelope.mail_from == "shop@example.com"
    assert envelope.rcpt_tos == ["ada@example.com"]
    [mail] = server.read()
    assert mail["From"] == "Jörgs Laden <shop@example.com>"
    assert mail["To"] == "ada@example.com"
    assert mail["Reply-To"] == "help@example.com"
    assert mail["Subject"] == "Grüße"
    assert mail["Date"].datetime == NOON
    assert mail["Message-ID"] == "<3f9a52c1@example.com>"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert text.get_content().split("\r\n") == ["Grüße", ".", ".Punkt", "From me", ""]
    assert "<p>Grüße aus Zürich</p>" in html.get_content()


def test_a_batch_goes_over_one_connection(server: Server) -> None:
    batch = [replace(MESSAGE, delivery_id=f"d{n}") for n in range(5)]

    sent(smtp(), *batch)
    sent(smtp(), MESSAGE)

    assert server.ids() == [*(f"d{n}" for n in range(5)), "3f9a52c1"]
    assert len(set(server.sessions[:5])) == 1


# Headers


def header_line(written: bytes, name: str) -> str:
    head = written.partition(b"\r\n\r\n")[0].decode()
    [line] = [one for one in head.split("\r\n") if one.lower().startswith(f"{name}:")]
    return line.partition(": ")[2]


def test_a_long_unsubscribe_address_arrives_whole(server: Server) -> None:
    sent(smtp())

    [envelope] = server.mails
    assert isinstance(envelope.content, bytes)
    assert header_line(envelope.content, "list-unsubscribe") == f"<{LONG}>"
    assert (
        header_line(envelope.content, "list-unsubscribe-post")
        == "List-Unsubscribe=One-Click"
    )


def test_pythons_own_policy_would_mangle_it() -> None:
    """So the plugin has one of its own; if this fails, that may go."""
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["List-Unsubscribe"] = f"<{LONG}>"

    assert LONG.encode() not in mail.as_bytes()
    assert b"=?utf-8?q?" in mail.as_bytes()


def email_with(**changes: Any) -> Email:
    plain: dict[str, Any] = {
        "subject": "Hello",
        "html": "",
        "text": "Hello",
        "sender": mailbox_of("shop@example.com"),
    }
    return Email(**(plain | changes))


def written(mail: Email, address: str = "ada@example.com") -> bytes:
    return wire(mail, recipient_of(address), id="<d1@example.com>", at=NOON)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("X-Campaign", "spring\r\nBcc: eve@example.com", "a character"),
        ("X-Campaign", "spring\nBcc: eve@example.com", "a character"),
        ("X-Campaign\r\nBcc", "eve@example.com", "a character"),
        ("X-Campaign", "s" * 990, "too long"),
        ("X-Campaign", "Frühling", "not ASCII"),
        ("Bcc", "eve@example.com", "by the channel"),
        ("To", "eve@example.com", "by the channel"),
        ("Content-Type", "text/plain", "by the channel"),
    ],
    ids=range(8),
)
def test_nobody_smuggles_a_header_in(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ContentError, match=complaint) as refused:
        written(email_with(headers={name: value}))

    assert "eve" not in str(refused.value)


def test_a_subject_with_a_line_break_is_refused() -> None:
    with pytest.raises(ContentError, match="a character"):
        written(email_with(subject="Hello\r\nBcc: eve@example.com"))


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=250)
)
def test_every_subject_arrives_and_every_line_is_short_enough(subject: str) -> None:
    out = written(
        email_with(subject=subject, sender=mailbox_of("Shöp <s@example.com>"))
    )

    assert max(map(len, out.split(b"\r\n"))) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?\S*", out))
    read = email.message_from_bytes(out, policy=email.policy.default)
    assert "".join(read["Subject"].split()) == "".join(subject.split())


LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])


@given(st.text(LETTERS | st.just("\n"), max_size=400).filter(str.strip))
def test_every_text_arrives(text: str) -> None:
    out = written(email_with(text=text, html=f"<p>{text}</p>"))

    assert max(map(len, out.split(b"\r\n"))) <= 998
    out.decode("ascii")
    read = email.message_from_bytes(out, policy=email.policy.default)
    plain, html = read.iter_parts()
    assert plain.get_content().rstrip().split("\r\n") == text.rstrip().split("\n")
    assert "<p>" in html.get_content()


def test_a_message_id_is_the_same_each_time_and_always_one() -> None:
    assert message_id("3f9a52c1", "example.com") == "<3f9a52c1@example.com>"
    odd = message_id("a b>\r\nBcc: eve", "example.com")
    assert odd == message_id("a b>\r\nBcc: eve", "example.com")
    assert re.fullmatch(r"<[0-9a-f]{64}@example\.com>", odd)


# Addresses


def test_a_domain_of_another_alphabet_is_written_in_ascii(server: Server) -> None:
    """As IDNA 2008 has it: what is for faß.de must not reach fass.de."""
    sent(smtp(), replace(MESSAGE, address="ada@Faß.de"))

    assert server.mails[0].rcpt_tos == ["ada@xn--fa-hia.de"]


def test_an_address_of_another_alphabet_needs_smtputf8(server: Server) -> None:
    message = replace(MESSAGE, address="дада@example.com")

    assert sent(smtp("old"), message) == [
        Rejected("3f9a52c1", "the server has no SMTPUTF8, which the address needs")
    ]
    assert sent(smtp("none"), message)[0] == Sent("3f9a52c1", "<3f9a52c1@example.com>")

    [envelope] = server.mails
    assert envelope.rcpt_tos == ["дада@example.com"]
    assert isinstance(envelope.content, bytes)
    assert header_line(envelope.content, "to") == "дада@example.com"


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@",
        "@example.com",
        "a b@example.com",
        "ada@example",
        '"a b"@example.com',
        "ada@example.com\r\nBcc: eve@example.com",
        "a@b@example.com",
        f"{'x' * 65}@a.de",
    ],
    ids=range(9),
)
def test_what_is_no_address_is_never_asked_about(address: str, server: Server) -> None:
    [receipt] = sent(smtp(), replace(MESSAGE, address=address))

    assert isinstance(receipt, Rejected)
    assert receipt.says == "hard_bounce"
    assert server.mails == []


def test_bounces_may_go_elsewhere(server: Server) -> None:
    sent(smtp(return_path="bounces@mail.example.com"))

    assert server.mails[0].mail_from == "bounces@mail.example.com"


# Trust


def test_a_server_that_is_not_trusted_gets_nothing(server: Server) -> None:
    receipts = sent(smtp("tls", ca_file=None)), sent(smtp(ca_file=None))

    assert receipts == ([RetryAfter("3f9a52c1", 0)], [RetryAfter("3f9a52c1", 0)])
    assert server.mails == []


def test_a_server_without_starttls_gets_neither_password_nor_mail(
    server: Server,
) -> None:
    """Somebody in between may have left it out."""
    channel = smtp(port=Loopback.ports["none"])

    assert sent(channel) == [RetryAfter("3f9a52c1", 0)]
    assert server.mails == []


def test_a_wrong_password_is_tried_again_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receipts = sent(smtp(password="not-the-password"))

    assert receipts == [RetryAfter("3f9a52c1", 0)]
    assert "AUTH: 535" in caplog.text
    assert "not-the-password" not in caplog.text


def test_a_missing_password_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMTP_PASSWORD", raising=False)

    with pytest.raises(InputError, match="SMTP_PASSWORD"):
        sent(smtp(password="$SMTP_PASSWORD"))


# What the server says


@pytest.mark.parametrize(
    ("reply", "receipt"),
    [
        (
            "550 5.1.1 no such user",
            Rejected("3f9a52c1", "RCPT: 550 5.1.1", says="hard_bounce"),
        ),
        (
            "550 5.1.10 null MX",
            Rejected("3f9a52c1", "RCPT: 550 5.1.10", says="hard_bounce"),
        ),
        ("550 5.7.1 policy", Rejected("3f9a52c1", "RCPT: 550 5.7.1")),
        ("552 mailbox full", Rejected("3f9a52c1", "RCPT: 552")),
        ("450 4.2.0 greylisted", RetryAfter("3f9a52c1", 300)),
        ("421 4.3.0 going down", RetryAfter("3f9a52c1", 300)),
    ],
    ids=range(6),
)
def test_each_reply_about_a_recipient_has_its_receipt(
    reply: str, receipt: object, server: Server
) -> None:
    server.refuse["ada@example.com"] = reply

    other = replace(MESSAGE, delivery_id="d2", address="bob@example.com")
    receipts = sent(smtp(), MESSAGE, other)

    assert receipts == [receipt, Sent("d2", "<d2@example.com>")]


GREETING = b"220 mail.example.com ESMTP\r\n"
EHLO = b"250 mail.example.com\r\n"


def talking(*replies: bytes) -> tuple[int, Callable[[], bytes]]:
    """A server that gives these replies, one for each thing it is told, then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = bytearray()

    def talk() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            for place, reply in enumerate(replies):
                if place:
                    end = b"\r\n.\r\n" if heard.endswith(b"DATA\r\n") else b"\r\n"
                    piece = bytearray()
                    while not piece.endswith(end) and (more := connection.recv(65536)):
                        piece += more
                    heard.extend(piece)
                connection.sendall(reply)

    thread = threading.Thread(target=talk)
    thread.start()

    def done() -> bytes:
        thread.join(10)
        return bytes(heard)

    return listener.getsockname()[1], done


def plain(port: int, **changes: object) -> Channel:
    return smtp("none", port=port, username=None, password=None, **changes)


@pytest.mark.parametrize(
    ("replies", "receipt"),
    [
        ([GREETING], RetryAfter("3f9a52c1", 0)),
        ([b"554 5.7.1 no service for you\r\n"], RetryAfter("3f9a52c1", 0)),
        ([GREETING, EHLO], RetryAfter("3f9a52c1", 0)),
        ([GREETING, EHLO, b"250 OK\r\n", b"250 OK\r\n"], RetryAfter("3f9a52c1", 0)),
        (
            [GREETING, EHLO, b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"],
            Uncertain("3f9a52c1", "the end of the mail: SMTPServerDisconnected"),
        ),
        (
            [
                *[GREETING, EHLO],
                *[b"250 OK\r\n"] * 2,
                b"354 go on\r\n",
                b"452 4.3.1 full\r\n",
            ],
            RetryAfter("3f9a52c1", 0),
        ),
        (
            [
                *[GREETING, EHLO],
                *[b"250 OK\r\n"] * 2,
                b"354 go on\r\n",
                b"554 5.6.0 spam\r\n",
            ],
            Rejected("3f9a52c1", "the end of the mail: 554 5.6.0"),
        ),
        ([GREETING, EHLO, b"?? what\r\n"], RetryAfter("3f9a52c1", 0)),
    ],
    ids=range(8),
)
def test_where_a_conversation_ends_decides(
    replies: Sequence[bytes], receipt: object
) -> None:
    port, done = talking(*replies)

    assert sent(plain(port)) == [receipt]

    done()


def test_a_server_that_falls_silent_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receipts = sent(plain(listener.getsockname()[1], timeout=0.2))

    assert receipts == [RetryAfter("3f9a52c1", 0)]


def test_after_a_broken_connection_the_others_get_a_new_one(server: Server) -> None:
    server.trouble = "silent"
    batch = [replace(MESSAGE, delivery_id=f"d{n}") for n in range(3)]

    receipts = sent(smtp(), *batch)

    assert [type(receipt) for receipt in receipts] == [Uncertain] * 3
    assert server.ids() == ["d0", "d1", "d2"]


def test_an_operator_says_how_much_the_server_takes() -> None:
    channel = smtp(rate=3, daily_quota=2000, batch_size=20, on_uncertain="resend")

    assert channel.capabilities == Capabilities(
        batch_size=20, rate=3, daily_quota=2000, on_uncertain="resend"
    )


def test_the_mock_works_where_no_password_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SMTP_PASSWORD", raising=False)
    channel = smtp(password="$SMTP_PASSWORD").mock()

    assert sent(channel) == [Sent("3f9a52c1", "<3f9a52c1@example.com>")]


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", readme, re.MULTILINE))

    assert rows.keys() == SmtpSettings.model_fields.keys()
    for name, setting in SmtpSettings.model_fields.items():
        if isinstance(setting.default, bool | int | float | str):
            assert rows[name] == f"`{str(setting.default).lower()}`", name

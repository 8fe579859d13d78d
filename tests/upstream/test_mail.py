"""Mail is handed to a real server: in clear on the loopback, with STARTTLS and a password elsewhere."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import AuthResult, LoginPassword

from aiservice.kit.secret import Secret
from aiservice.kit.smtp_url import SmtpServer
from aiservice.upstream.mail import Mailer, MailFailed
from tests.harness.process import free_port
from tests.upstream.servers import Authority


class Inbox(MessageHandler):
    """Keeps what it is given; refuses recipients of `refused.example`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.endswith("@refused.example"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data.password == b"right"
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def server_context(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return authority.context(tmp_path, "localhost")


def started(inbox: Inbox, **options: Any) -> Iterator[Controller]:
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    yield controller
    controller.stop()


def port_of(controller: Controller) -> int:
    return int(controller.port)


@pytest.fixture
def plain(inbox: Inbox) -> Iterator[Controller]:
    yield from started(inbox)


@pytest.fixture
def with_starttls(inbox: Inbox, server_context: ssl.SSLContext) -> Iterator[Controller]:
    yield from started(
        inbox, tls_context=server_context, require_starttls=True, authenticator=authenticate, auth_required=True
    )


async def test_a_message_arrives_as_it_was_written(plain: Controller, inbox: Inbox) -> None:
    mailer = Mailer(SmtpServer("127.0.0.1", port_of(plain), "none"), "aiservice@example.org")
    await mailer.send(["ada@example.org"], "Spent\r\nBcc: x@evil.example", "All of it: 3 €.", "msg_1")
    mailer.close()
    [message] = inbox.messages
    assert message["Subject"] == "Spent  Bcc: x@evil.example"
    assert (message["To"], message["Bcc"]) == ("ada@example.org", None)
    assert message["Message-ID"] == "<msg_1@example.org>"
    assert "3 €" in message.get_payload(decode=True).decode()  # type: ignore[union-attr]


async def test_starttls_and_the_password(with_starttls: Controller, inbox: Inbox, authority: Authority) -> None:
    trusted = ssl.create_default_context(cadata=authority.pem.decode())
    server = SmtpServer("localhost", port_of(with_starttls), "starttls", "u", Secret("right"))
    mailer = Mailer(server, "aiservice@example.org", trusted)
    await mailer.send(["ada@example.org"], "Hello", "Text")
    mailer.close()
    assert len(inbox.messages) == 1


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (SmtpServer("localhost", 0, "starttls", "u", Secret("wrong")), "user name and password"),
        (SmtpServer("localhost", 0, "tls"), "TLS version|lost"),
        (SmtpServer("localhost", 1, "none"), "could not be reached"),
        (SmtpServer("localhost", 0, "none"), "refused the message|every recipient"),
    ],
)
async def test_what_goes_wrong_is_said_in_our_words(
    with_starttls: Controller, inbox: Inbox, authority: Authority, server: SmtpServer, words: str
) -> None:
    trusted = ssl.create_default_context(cadata=authority.pem.decode())
    server = replace(server, port=server.port or port_of(with_starttls))
    mailer = Mailer(server, "aiservice@example.org", trusted)
    with pytest.raises(MailFailed, match=words) as raised:
        await mailer.send(["ada@example.org"], "Hello", "Text")
    mailer.close()
    assert "wrong" not in str(raised.value)
    assert inbox.messages == []


async def test_t36_an_unknown_certificate_gets_neither_password_nor_message(
    with_starttls: Controller, inbox: Inbox
) -> None:
    server = SmtpServer("localhost", port_of(with_starttls), "starttls", "u", Secret("right"))
    mailer = Mailer(server, "aiservice@example.org")
    with pytest.raises(MailFailed, match="certificate"):
        await mailer.send(["ada@example.org"], "Hello", "Text")
    mailer.close()
    assert inbox.messages == []


async def test_a_server_without_starttls_gets_nothing_where_it_is_asked_for(plain: Controller, inbox: Inbox) -> None:
    mailer = Mailer(SmtpServer("localhost", port_of(plain), "starttls"), "aiservice@example.org")
    with pytest.raises(MailFailed, match="STARTTLS"):
        await mailer.send(["ada@example.org"], "Hello", "Text")
    mailer.close()
    assert inbox.messages == []


async def test_a_refused_recipient_among_others_is_no_failure(plain: Controller, inbox: Inbox) -> None:
    mailer = Mailer(SmtpServer("127.0.0.1", port_of(plain), "none"), "aiservice@example.org")
    await mailer.send(["x@refused.example", "ada@example.org"], "Hello", "Text")
    with pytest.raises(MailFailed, match="every recipient"):
        await mailer.send(["x@refused.example"], "Hello", "Text")
    mailer.close()
    assert len(inbox.messages) == 1

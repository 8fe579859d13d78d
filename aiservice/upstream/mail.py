"""The door out for mail: hands one message to the configured server, in a thread of its own.

The server is the operator's choice and may be anywhere; TLS is verified. Fails closed: a server that offers no STARTTLS
where it is asked for gets neither password nor message. What speaks SMTP is loaded by the first message, in its thread.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING

import certifi

from aiservice.kit.smtp_url import SmtpServer

if TYPE_CHECKING:
    import smtplib

_SECONDS = 15.0
_THREADS = 2


class MailFailed(Exception):
    """The server did not take the message; the text is ours, with at most the server's reply code."""


class Mailer:
    """Sends mail from `sender`. Opens nothing before the first message."""

    def __init__(self, server: SmtpServer, sender: str, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self.sender = sender
        self._tls = tls
        self._threads: ThreadPoolExecutor | None = None

    async def send(self, recipients: Sequence[str], subject: str, text: str, message_id: str = "") -> None:
        """Hands over one message; `message_id` is the same for the same message, so that a second one is known as such.

        Raises:
            MailFailed: no recipient was accepted, or the server cannot be used.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "mail")
        message = _message(self.sender, recipients, subject, text, message_id)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message, list(recipients))

    def close(self) -> None:
        """Lets the threads end with what they are doing."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _send(self, message: EmailMessage, recipients: list[str]) -> None:
        import smtplib  # noqa: PLC0415 - see above

        try:
            with self._open() as smtp:
                smtp.send_message(message, self.sender, recipients)
        except smtplib.SMTPRecipientsRefused:
            raise MailFailed("The mail server refused every recipient.") from None
        except smtplib.SMTPAuthenticationError:
            raise MailFailed("The mail server did not accept the user name and password.") from None
        except smtplib.SMTPNotSupportedError:
            raise MailFailed("The mail server does not offer what is asked of it (STARTTLS or sign-in).") from None
        except smtplib.SMTPResponseException as exc:
            raise MailFailed(f"The mail server refused the message (code {exc.smtp_code}).") from None
        except ssl.SSLError:
            raise MailFailed("The mail server's certificate or TLS version was not accepted.") from None
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError):
            raise MailFailed("The mail server could not be reached, or the connection was lost.") from None

    def _open(self) -> "smtplib.SMTP":
        import smtplib  # noqa: PLC0415 - as above

        server = self._server
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=self._context())
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
        try:
            if server.security == "starttls":
                smtp.starttls(context=self._context())
            if server.password is not None:
                smtp.login(server.user, server.password.reveal_text())
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=certifi.where())
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls


def default_sender() -> str:
    """Where nothing is set: aiservice at this machine's name."""
    return f"aiservice@{socket.gethostname() or 'localhost'}"


def _message(sender: str, recipients: Sequence[str], subject: str, text: str, message_id: str) -> EmailMessage:
    message = EmailMessage()
    host = sender.rpartition("@")[2] or "localhost"
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    # A line break in a header would begin another one.
    message["Subject"] = "".join(c if c.isprintable() else " " for c in subject)[:200]
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}@{host}>" if message_id else make_msgid(domain=host)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message

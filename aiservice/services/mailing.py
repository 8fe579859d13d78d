"""Mail to a person about their own account, where there is a mail server. Fails open: links can be handed over, and
what a notice says stands in the audit log too."""

import asyncio
import logging
from collections.abc import Awaitable

from aiservice.upstream.mail import Mailer, MailFailed

log = logging.getLogger(__name__)

_NOT_ME = "If that was not you, change your password now and tell your admin."
_MOST_WAITING = 100


class PersonMail:
    """Sends notices in the background: nobody waits for a mail server, and no timing tells whether one was written."""

    def __init__(self, mail: Mailer | None) -> None:
        self.mailer = mail
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, email: str, what: str, text: str) -> None:
        """A notice about the person's own account; nothing happens where there is no mail server."""
        if self.mailer is not None:
            self.in_background(self._send(email, f"aiservice: {what}", f"{text}\n\n{_NOT_ME}"))

    def tell_of_new_factor(self, email: str, what: str) -> None:
        self.tell(email, "a second factor was added", f"Your account at aiservice now has {what}.")

    def in_background(self, work: Awaitable[None]) -> None:
        """Does `work` without anybody waiting; it raises nothing that is not logged."""

        async def done() -> None:
            try:
                await work
            except Exception:
                log.exception("A mail to a person could not be made.")

        if len(self._tasks) >= _MOST_WAITING:
            log.warning("Too many mails to people wait; one is not sent.")
            if asyncio.iscoroutine(work):
                work.close()
            return
        task = asyncio.get_running_loop().create_task(done(), name="person-mail")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Waits for what was begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, email: str, subject: str, text: str) -> None:
        if self.mailer is None:
            return
        try:
            await self.mailer.send([email], subject, text)
        except MailFailed as exc:
            log.warning("A notice to a person was not mailed: %s", exc)


async def mail_link(mail: Mailer | None, email: str, subject: str, url: str) -> str:
    """Sends a one-time link; a sentence on how that went, "" where nothing can be sent (no server, no public address).

    `url` is a whole address only where PUBLIC_URL is set: a path alone is of no use in a mail.
    """
    if mail is None or not email or not url.startswith(("http://", "https://")):
        return ""
    text = f"{subject}\n\nOpen this link. It works once:\n{url}\n\nIf you did not expect it, ignore this mail."
    try:
        await mail.send([email], subject, text)
    except MailFailed as exc:
        return f"It was not mailed: {exc} Hand it over yourself."
    return f"It was also mailed to {email}."


async def mail_single_sign_on(mail: Mailer | None, email: str, url: str) -> None:
    """Tells who has forgotten a password that it opens nothing here any more. `url` is that of the sign-in page."""
    if mail is None:
        return
    text = (
        "Somebody, you perhaps, asked for a new password for aiservice.\n\nPeople come in by single sign-on here, and "
        f"a password opens nothing. Sign in with the button on this page:\n{url}\n\n"
        "If you did not expect it, ignore this mail."
    )
    try:
        await mail.send([email], "How to sign in to aiservice", text)
    except MailFailed as exc:
        log.warning("Where to sign in was not mailed: %s", exc)

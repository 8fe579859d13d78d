"""A forgotten password: a link by mail to whoever has an account, and the same answer in the same time to everybody.

Links go out only where there is a mail server and a PUBLIC_URL: what a request says of its own host is never put into
a mail. Without, an admin hands the link over, or whoever runs the server sets the password. To whom single sign-on is
the only way in, a link would open nothing: the mail says where to sign in instead.
"""

from aiservice.errors import Unprocessable
from aiservice.services.audit_entry import record
from aiservice.services.emails import checked_email
from aiservice.services.entrance import Browser
from aiservice.services.links import Links
from aiservice.services.mailing import PersonMail, mail_link, mail_single_sign_on
from aiservice.services.sign_in_limits import SignInLimits
from aiservice.services.sso_rule import are_other_ways_on
from aiservice.settings import Settings
from aiservice.store import people
from aiservice.store.session import Database


class Forgotten:
    """Mails reset links to those who ask for one themselves."""

    def __init__(self, db: Database, settings: Settings, links: Links, limits: SignInLimits, mail: PersonMail) -> None:
        self._db = db
        self._settings = settings
        self._links = links
        self._limits = limits
        self._mail = mail

    @property
    def is_mailed(self) -> bool:
        """Whether this installation can mail a link at all."""
        return self._mail.mailer is not None and self._settings.public_url is not None

    async def ask(self, email: str, browser: Browser) -> None:
        """Mails a link, good once and for 30 minutes, if there is an account of this address; or, if its person comes
        in by single sign-on alone, where that is. Nothing that is answered or measured says whether there is one.

        Raises:
            Unprocessable: no address, or no mail is sent from here (`no_mail`). RateLimited.
        """
        if not self.is_mailed:
            raise Unprocessable("No mail is sent from here. Ask an admin for a reset link.", code="no_mail")
        email = checked_email(email)
        await self._limits.forgotten(email, browser.address)
        self._mail.in_background(self._send(email, browser))

    async def _send(self, email: str, browser: Browser) -> None:
        async with self._db.write() as session:
            user = await people.by_email(session, email)
            if user is None or user.is_disabled:
                return
            record(session, "system", "person.forgot_password", user.id, address=browser.address)
            has_password = await are_other_ways_on(session, user.id)
            path = await self._links.make(session, "reset", email=email) if has_password else "/sign-in"
        url = (self._settings.public_url or "").rstrip("/") + path
        if has_password:
            await mail_link(self._mail.mailer, email, "A new password for aiservice", url)
        else:
            await mail_single_sign_on(self._mail.mailer, email, url)

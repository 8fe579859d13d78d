"""People: how an account comes to be, signs in and out, and changes its password.

Never a default password, and no word about whether an account exists to who does not own it.
"""

from aiservice.errors import PermissionDenied, Unauthenticated
from aiservice.kit.clock import now_us
from aiservice.kit.passwords import PasswordsBusy
from aiservice.principal import Person, Role
from aiservice.services.administration import Administration, PersonSummary, busy, person_of, require_password
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.confirming import Confirming
from aiservice.services.emails import checked_email
from aiservice.services.entrance import Browser, Entrance, SignedIn, admitted, answering_database
from aiservice.services.factor_making import FactorMaking
from aiservice.services.factor_proofs import FactorProofs, Keeps
from aiservice.services.factors import Factors
from aiservice.services.first_factor import FirstFactor
from aiservice.services.forgotten import Forgotten
from aiservice.services.links import invalid_link
from aiservice.services.mailing import PersonMail
from aiservice.services.rights import needs
from aiservice.services.second_step import SecondStep
from aiservice.services.sessions import SessionSummary, hash_of
from aiservice.services.sign_in_limits import Attempt
from aiservice.services.sso_rule import require_other_ways_on
from aiservice.settings import Settings
from aiservice.store import held_sign_ins, personal_tokens, portal_sessions, sso
from aiservice.store import people as store
from aiservice.store.cluster import take_turn
from aiservice.store.session import Database
from aiservice.upstream.mail import Mailer

__all__ = ["Accounts", "Browser", "PersonSummary", "SessionSummary", "SignedIn"]


class Accounts(Administration):
    """Users, sign-in, sessions, one-time links. The methods without an `actor` are how one becomes an actor.

    Where a password alone is not enough, they raise SecondFactorNeeded after their work is committed; it goes on in
    `second_step` or `first_factor`.
    """

    def __init__(
        self, db: Database, vault: Keeps, settings: Settings, changes: ChangeFeed, mailer: Mailer | None = None
    ) -> None:
        super().__init__(db, vault, settings, changes)
        proofs, mail = FactorProofs(vault), PersonMail(mailer)
        making = FactorMaking(vault, proofs)
        self.entrance = Entrance(db, self._sessions, proofs)
        self.second_step = SecondStep(db, self.entrance, proofs, self._limits, mail)
        self.first_factor = FirstFactor(db, self.entrance, making, proofs, mail)
        self.factors = Factors(db, making, proofs, self._sessions, mail)
        self.confirming = Confirming(db, proofs, self._limits, self._passwords)
        self.forgotten = Forgotten(db, settings, self._links, self._limits, mail)
        self._making = making
        self.sessions, self.mail = self._sessions, mail

    async def start(self) -> None:
        """Creates the admin that ADMIN_EMAIL and ADMIN_PASSWORD name, once; an account that exists stays as it is.

        Raises:
            Unprocessable: the address or the password cannot be one.
        """
        if self._settings.admin_email is None or self._settings.admin_password is None:
            return
        email = checked_email(self._settings.admin_email)
        async with self._db.read() as session:
            if await store.by_email(session, email) is not None:
                return
        password_hash = await self._hash(self._settings.admin_password.reveal_text())
        async with self._db.write() as session:
            await take_turn(session)
            if await store.by_email(session, email) is None:  # another worker may have been first
                await self._add(session, email, password_hash, Role.ADMIN)

    async def setup_link_if_needed(self) -> str | None:
        """The path of the link by which the first admin is made, good for an hour; None when there is an admin.

        Each call voids the link before it, so only the one printed last works.
        """
        async with self._db.write() as session:
            if await store.has_admin(session):
                return None
            return await self._links.make(session, "setup", role=Role.ADMIN)

    async def has_admin(self) -> bool:
        """Whether somebody may administer this installation by now."""
        async with self._db.read() as session:
            return await store.has_admin(session)

    def link_url(self, path: str, listening: str = "") -> str:
        """A link to hand out: `path` below PUBLIC_URL, else below `listening` (the address this server itself
        listens at), else as it is. Never below what a request said in its Host header."""
        return (self._settings.public_url or listening).rstrip("/") + path

    async def close(self) -> None:
        """Ends the password threads."""
        self._passwords.close()

    async def purge(self) -> None:
        """Deletes attempts, links and sessions that are of no more use; a job for once an hour."""
        await self._limits.purge()
        await self._links.purge()
        await self._sessions.purge()
        async with self._db.write() as session:
            await held_sign_ins.delete_expired(session, now_us())
            await self._making.purge(session)
            await sso.purge(session, now_us())

    async def resolve(self, cookie: str | None) -> Person | None:
        """Who holds this session cookie; None when nobody does (see `Sessions.resolve`).

        Raises:
            Overloaded: the database does not answer.
        """
        async with answering_database():
            return await self._sessions.resolve(cookie)

    async def peek(self, session_hash: str) -> Person | None:
        """As `resolve`, for a session named by its hash, without keeping it alive: for pushes nobody asked for."""
        async with answering_database():
            return await self._sessions.peek(session_hash)

    async def sign_in(self, email: str, password: str, browser: Browser) -> SignedIn:
        """Opens a session, always with a new id.

        Raises:
            Unauthenticated: no such account, a wrong password or a disabled account: the same words, the same time.
            PermissionDenied: passwords are off (`sso_required`).
            RateLimited: too many tries. Unprocessable: no address, or no possible password.
            Overloaded: too many at once, or no database: nobody signs in then.
        """
        email = checked_email(email)
        require_password(password)
        async with answering_database():
            async with self._db.read() as session:
                user = await store.by_email(session, email)
                known = await portal_sessions.addresses_of(session, "" if user is None else user.id)
            attempt = await self._limits.sign_in(email, browser.address, known)
            # Who comes in by single sign-on has none: as long as for nobody, so that no time tells.
            is_right = await self._verify(attempt, password, (user.password_hash or None) if user else None)
            async with self._db.read() as session:
                # Right or wrong, so that what is off here tells nobody which password was right.
                await require_other_ways_on(session, user.id if user is not None and is_right else None)
            if user is None or user.is_disabled or not is_right:
                raise wrong_credentials()
            async with self._db.write() as session:
                # What was verified must still hold: the password may have been changed while we computed.
                now_user = await store.by_email(session, email)
                if now_user is None or now_user.is_disabled or now_user.password_hash != user.password_hash:
                    raise wrong_credentials()
                await self._limits.succeeded(session, attempt)
                entered = await self.entrance.enter(session, now_user, browser)
        return admitted(entered)

    async def sign_out(self, cookie: str | None) -> None:
        """Ends this session; one that is not there is signed out already."""
        if cookie:
            await self._sessions.end(hash_of(cookie))

    async def sign_up(self, email: str, password: str, browser: Browser) -> SignedIn:
        """Makes a developer account where SIGNUP is open.

        Raises:
            PermissionDenied: sign-up is by invitation (`signup_by_invitation`) or closed (`signup_closed`).
            Conflict: the address is taken. RateLimited. Unprocessable.
        """
        if self._settings.signup == "invite":
            raise PermissionDenied("Ask an admin for an invitation link.", code="signup_by_invitation")
        if self._settings.signup == "closed":
            raise PermissionDenied("Sign-up is closed here. An admin can make an account.", code="signup_closed")
        await self._require_other_ways_on()
        email = checked_email(email)
        require_password(password)
        await self._limits.sign_up(browser.address)
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            user = await self._add(session, email, password_hash, Role.DEVELOPER)
            entered = await self.entrance.enter(session, user, browser)
        return admitted(entered)

    async def set_up(self, token: str, email: str, password: str, browser: Browser) -> SignedIn:
        """Makes the first admin with the setup link.

        Raises:
            InvalidRequest: the link is not valid, or there is an admin already. Conflict, Unprocessable.
        """
        email = checked_email(email)
        require_password(password)
        await self._links.look(token, "setup")
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            await self._links.use(session, token, "setup")
            if await store.has_admin(session):
                raise invalid_link("setup")
            user = await self._add(session, email, password_hash, Role.ADMIN)
            entered = await self.entrance.enter(session, user, browser)
        return admitted(entered)

    async def accept_invite(self, token: str, password: str, browser: Browser) -> SignedIn:
        """Makes the account that the invitation names.

        Raises:
            InvalidRequest: the link is not valid. Conflict: the person has an account by now. Unprocessable.
        """
        require_password(password)
        await self._require_other_ways_on()
        await self._links.look(token, "invite")
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            link = await self._links.use(session, token, "invite")
            user = await self._add(session, link.email or "", password_hash, Role(link.role or Role.DEVELOPER))
            entered = await self.entrance.enter(session, user, browser)
        return admitted(entered)

    async def reset_by_link(self, token: str, password: str, browser: Browser) -> SignedIn:
        """Sets a new password with a reset link; all other sessions end, and so do the person's access tokens. A second
        factor is asked for all the same.

        Raises:
            InvalidRequest: the link is not valid, or the account is disabled. Unprocessable.
        """
        require_password(password)
        link_email = (await self._links.look(token, "reset")).email
        async with self._db.read() as session:
            owner = await store.by_email(session, link_email or "")
            await require_other_ways_on(session, None if owner is None else owner.id)
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            link = await self._links.use(session, token, "reset")
            user = await store.by_email(session, link.email or "")
            if user is None or user.is_disabled:
                raise invalid_link("reset")
            await self._replace_password(session, user, password_hash)
            await personal_tokens.revoke_all(session, user.id, now_us())
            record(session, person_of(user), "person.reset_password", user.id, address=browser.address)
            entered = await self.entrance.enter(session, user, browser)
        self._sessions.forget(user.id)
        return admitted(entered)

    @needs("account.change_password")
    async def change_password(self, actor: Person, current: str, new: str, browser: Browser) -> SignedIn:
        """Changes the actor's own password: every session ends, this browser's goes on under a new id.

        Raises:
            Unauthenticated: the current password is not right. RateLimited. Unprocessable. Overloaded.
        """
        require_password(current)
        require_password(new)
        async with self._db.read() as session:
            user = await self._user(session, actor.user_id)
        attempt = await self._limits.confirm(user.id)
        if not await self._verify(attempt, current, user.password_hash):
            raise _wrong_current_password()
        password_hash = await self._hash(new)
        async with self._db.write() as session:
            user_now = await self._user(session, actor.user_id)
            if user_now.is_disabled or user_now.password_hash != user.password_hash:
                raise _wrong_current_password()
            await self._limits.succeeded(session, attempt)
            await self._replace_password(session, user, password_hash)
            record(session, actor, "person.change_password", user.id, address=browser.address)
            signed_in = self.entrance.open(session, user, browser)
        self._sessions.forget(user.id)
        return signed_in

    @needs("account.confirm")
    async def confirm(self, actor: Person, said: str) -> None:
        """See `Confirming.say`."""
        await self.confirming.say(actor, said)

    async def _require_other_ways_on(self) -> None:
        async with self._db.read() as session:
            await require_other_ways_on(session)

    async def _verify(self, attempt: Attempt, password: str, stored: str | None) -> bool:
        try:
            return await self._passwords.verify(password, stored)
        except PasswordsBusy as exc:
            await self._limits.withdraw(attempt)
            raise busy() from exc


def wrong_credentials() -> Unauthenticated:
    return Unauthenticated("The e-mail address or the password is not right.", code="wrong_credentials")


def _wrong_current_password() -> Unauthenticated:
    return Unauthenticated("The current password is not right.", code="wrong_credentials", param="current")

"""Whose account a person at a provider has here: from the first time on by issuer and subject, the first time by an
address that the provider has seen to.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from aiservice.errors import BrokerError, Conflict, PermissionDenied
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person, Role
from aiservice.services.accounts import Accounts
from aiservice.services.administration import person_of
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.entrance import Browser, Held, SignedIn
from aiservice.services.sso_terms import Known
from aiservice.settings import Settings
from aiservice.store import factors, people
from aiservice.store import sso as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import SsoIdentity, SsoProvider, User

_MOST_CLAIMS, _MOST_CHARACTERS = 60, 400
NO_PASSWORD = ""  # which no password fits


class SsoAdmission:
    """Finds, links or makes the account, in one unit of work with the session that it opens."""

    def __init__(self, db: Database, settings: Settings, changes: ChangeFeed, accounts: Accounts) -> None:
        self._db = db
        self._settings = settings
        self._changes = changes
        self._accounts = accounts

    async def let_in(self, row: SsoProvider, known: Known, browser: Browser) -> tuple[SignedIn | Held, bool]:
        """The session of whoever the provider knows, and whether their account was made now.

        Raises:
            PermissionDenied: `sso_account_disabled`; and the first time `sso_email_missing`, `sso_email_unverified`,
                `sso_no_account` or `sso_account_exists`.
            Conflict: two first sign-ins at once.
        """
        is_new = False
        async with self._db.write() as session:
            identity = await store.identity(session, known.issuer, known.subject)
            if identity is None:
                user, is_new = await self._first_time(session, row, known, browser)
            else:
                identity.last_used_us = now_us()
                user = await self._person(session, identity.user_id)
            if user.is_disabled:
                raise PermissionDenied("Your account is disabled here. Ask an admin.", code="sso_account_disabled")
            role_before = user.role
            await self._follow_groups(session, row, user, known.role)
            email, has_other_role = user.email, user.role != role_before
            entrance = self._accounts.entrance
            if row.asks_second_factor:
                entered: SignedIn | Held = await entrance.enter(session, user, browser)
            else:
                entered = entrance.open(session, user, browser, "single sign-on")
            user_id = user.id
        if has_other_role:
            self._accounts.sessions.forget(user_id)
        if identity is None and not is_new:
            text = f"Your account at aiservice opens with '{row.label}' now, too."
            self._accounts.mail.tell(email, "single sign-on was connected", text)
        return entered, is_new

    async def foretell(self, row: SsoProvider, known: Known) -> str:
        """What a sign-in by these claims would do. Raises: as `let_in`; nothing is changed."""
        async with self._db.read() as session:
            identity = await store.identity(session, known.issuer, known.subject)
            user = (
                await people.by_ref(session, identity.user_id) if identity else await self._match(session, row, known)
            )
        if user is None:
            role = known.role or Role.DEVELOPER
            return f"A new account would be made for {known.email}, as {role.value}."
        if user.is_disabled:
            raise PermissionDenied("Your account is disabled here. Ask an admin.", code="sso_account_disabled")
        how = "is known by issuer and subject" if identity else "would be linked by the address"
        return f"The account {user.email} {how}, as {(known.role or Role(user.role)).value}."

    async def _first_time(
        self, session: AsyncSession, row: SsoProvider, known: Known, browser: Browser
    ) -> tuple[User, bool]:
        user = await self._match(session, row, known)
        is_new = user is None
        if user is None:
            role = known.role or Role.DEVELOPER
            user = User(
                id=new_id("usr"),
                email=known.email or "",
                password_hash=NO_PASSWORD,
                role=role.value,
                created_us=now_us(),
            )
            if not await people.add(session, user):
                raise Conflict("Somebody with that address has come in at this very moment. Try again.")
            record(
                session, person_of(user), "person.create", user.id, address=browser.address,
                after={"email": user.email, "role": role, "by": f"single sign-on {row.name}"},
            )  # fmt: skip
            self._changes.publish(session, "person", user.id)
        if not user.is_disabled:
            now = now_us()
            link = SsoIdentity(
                issuer=known.issuer, subject=known.subject, user_id=user.id, created_us=now, last_used_us=now
            )
            store.add(session, link)
            await session.flush()
            after = {"provider": row.name, "issuer": known.issuer, "subject": known.subject}
            record(session, person_of(user), "sso.link", user.id, after=after, address=browser.address)
        return user, is_new

    async def _match(self, session: AsyncSession, row: SsoProvider, known: Known) -> User | None:
        """The account that has the person's address; None: one is to be made."""
        if known.email is None:
            message = f"{row.label} does not tell your e-mail address. An admin adds 'email' to scopes or claims."
            raise PermissionDenied(message, code="sso_email_missing")
        if not known.is_verified:
            message = (
                f"{row.label} has not verified your address {known.email} (email_verified). Verify it there; or an "
                "admin says here that all addresses of this provider are its own."
            )
            raise PermissionDenied(message, code="sso_email_unverified")
        user = await people.by_email(session, known.email)
        if user is None and not row.makes_accounts:
            message = f"There is no account for {known.email} here, and none is made by itself. Ask an admin for one."
            raise PermissionDenied(message, code="sso_no_account")
        if user is not None and self._settings.signup == "open":
            # Whoever signed up under an address has not shown that it is theirs: they may wait for its owner.
            message = (
                "There is an account with your address, and as anybody may sign up here it may be another's. An admin "
                "sets AISERVICE_SIGNUP=invite, or disables that account."
            )
            raise PermissionDenied(message, code="sso_account_exists")
        return user

    async def _person(self, session: AsyncSession, user_id: str) -> User:
        user = await factors.lock_person(session, user_id)
        if user is None:
            raise PermissionDenied("Your account is gone. Ask an admin.", code="sso_account_disabled")
        return user

    async def _follow_groups(self, session: AsyncSession, row: SsoProvider, user: User, role: Role | None) -> None:
        """Gives a person the role that their groups say, but never takes the last admin away."""
        if role is None or user.role == role.value:
            return
        if role is not Role.ADMIN and await people.admin_ids_for_update(session) == [user.id]:
            return
        before = user.role
        await self._accounts.sessions.end_all(session, user.id)
        user.role = role.value
        session.add(user)
        actor = f"single sign-on {row.name}"
        record(session, actor, "person.role", user.id, before={"role": before}, after={"role": role})


def trial_of(person: Person, claims: Mapping[str, Any], words: str, failed: BrokerError | None) -> str:
    """What a test came to, as JSON for the admins' page: `ok`, `words`, `code`, `by`, and the claims as texts."""
    shown = {
        str(name)[:100]: (value if isinstance(value, str) else orjson.dumps(value).decode())[:_MOST_CHARACTERS]
        for name, value in [*claims.items()][:_MOST_CLAIMS]
        if name not in ("nonce", "at_hash", "c_hash", "sid")
    }
    told = {
        "ok": failed is None,
        "words": words if failed is None else failed.message,
        "code": "" if failed is None else failed.code,
        "by": person.email,
        "claims": shown,
    }
    return orjson.dumps(told).decode()

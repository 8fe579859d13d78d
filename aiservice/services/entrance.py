"""The door of the portal: who has proved enough gets a session, who has only said the password waits for the rest.

What waits is named by a cookie of its own that opens nothing else, for ten minutes: so nothing that asks for a session
can take a sign-in that is half done for a whole one. Fails closed: without the database nobody gets in.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiservice.errors import Overloaded, Unauthenticated
from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.principal import Person, Role
from aiservice.services.administration import person_of
from aiservice.services.audit_entry import record
from aiservice.services.factor_proofs import FactorProofs, Standing
from aiservice.services.factor_rule import is_asked_of
from aiservice.services.sessions import Sessions, hash_of
from aiservice.store import factors, held_sign_ins
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import HeldSignIn, User

HELD_US = 10 * MINUTE_US
HELD_SECONDS = HELD_US // 1_000_000


@dataclass(slots=True, frozen=True)
class Browser:
    """Where a sign-in comes from."""

    address: str
    user_agent: str = ""


@dataclass(slots=True, frozen=True)
class SignedIn:
    """A new session. `cookie` is the session id itself: it goes into the Set-Cookie line and nowhere else."""

    person: Person
    cookie: str

    def __repr__(self) -> str:
        return f"SignedIn({self.person!r})"


@dataclass(slots=True, frozen=True)
class Held:
    """A sign-in that waits. `ticket` goes into a cookie; `is_set_up`: the person has no factor yet, and makes one."""

    ticket: str
    is_set_up: bool

    def __repr__(self) -> str:
        return "Held(***)"


@dataclass(slots=True, frozen=True)
class Waiting:
    """Whose sign-in waits, and what they can show."""

    person: Person
    standing: Standing


class SecondFactorNeeded(Unauthenticated):
    """The password was right, and is not enough: `held` says how it goes on."""

    default_code = "second_factor_required"

    def __init__(self, held: Held) -> None:
        super().__init__("The password is right. Now show your second factor.")
        self.held = held


class Entrance:
    """Opens sessions and holds sign-ins."""

    def __init__(self, db: Database, sessions: Sessions, proofs: FactorProofs) -> None:
        self._db = db
        self._sessions = sessions
        self._proofs = proofs

    async def enter(self, session: AsyncSession, user: User, browser: Browser) -> SignedIn | Held:
        """What the password alone is good for, in the caller's unit of work; `admitted` after its commit."""
        standing = await self._proofs.standing(session, user.id)
        if not standing.has_factor and not is_asked_of(await factors.rule(session), Role(user.role)):
            return self.open(session, user, browser)
        ticket = new_ticket()
        now = now_us()
        row = HeldSignIn(id_hash=hash_of(ticket), user_id=user.id, created_us=now, expires_us=now + HELD_US)
        held_sign_ins.add(session, row)
        return Held(ticket, is_set_up=not standing.has_factor)

    def open(self, session: AsyncSession, user: User, browser: Browser, shown: str = "") -> SignedIn:
        """A session, always with a new id, in the caller's unit of work. `shown` is the factor that was, if any."""
        cookie = self._sessions.open(session, user, browser.address, browser.user_agent)
        after = {"factor": shown} if shown else None
        record(session, person_of(user), "session.open", user.id, after=after, address=browser.address)
        return SignedIn(person_of(user, hash_of(cookie)), cookie)

    async def waiting(self, ticket: str | None) -> Waiting | None:
        """Whose sign-in waits under this cookie; None: nobody's any more. Raises: Overloaded: no database."""
        if not ticket:
            return None
        async with answering_database(), self._db.read() as session:
            user = await held_sign_ins.person_of(session, hash_of(ticket), now_us())
            return None if user is None else Waiting(person_of(user), await self._proofs.standing(session, user.id))

    async def held_person(self, session: AsyncSession, ticket: str) -> User:
        """Whose sign-in waits. Raises: Unauthenticated: it took too long (`sign_in_expired`)."""
        user = await held_sign_ins.person_of(session, hash_of(ticket), now_us()) if ticket else None
        if user is None:
            raise expired()
        return user

    async def let_in(
        self, session: AsyncSession, ticket: str, browser: Browser, shown: str, user_id: str | None = None
    ) -> SignedIn:
        """Ends the wait with a session, in the caller's unit of work. `user_id`: whose it must be.

        Raises:
            Unauthenticated: somebody else was faster, or it took too long.
        """
        user = await self.held_person(session, ticket)
        if user_id is not None and user.id != user_id:
            raise expired()
        if await held_sign_ins.take(session, hash_of(ticket), now_us()) != user.id:
            raise expired()
        return self.open(session, user, browser, shown)


def admitted(entered: SignedIn | Held) -> SignedIn:
    """The session. Raises: SecondFactorNeeded: the sign-in waits."""
    if isinstance(entered, Held):
        raise SecondFactorNeeded(entered)
    return entered


def new_ticket() -> str:
    """256 random bits for a cookie that is no session's."""
    return secrets.token_urlsafe(32)


def expired() -> Unauthenticated:
    return Unauthenticated("Signing in took too long. Begin again.", code="sign_in_expired")


@asynccontextmanager
async def answering_database() -> AsyncIterator[None]:
    """Raises: Overloaded: the database did not answer what was asked inside."""
    try:
        yield
    except DATABASE_ERRORS as exc:
        raise Overloaded(
            "The database does not answer. Try again in a moment.", code="database_unavailable", retry_after=2
        ) from exc

"""What admins, and the command line as OPERATOR, do with people's accounts."""

from dataclasses import dataclass

from aiservice.errors import Conflict, NotFound, Overloaded, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.kit.passwords import PasswordRefused, Passwords, PasswordsBusy, check_password
from aiservice.principal import Person, Role
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.emails import checked_email
from aiservice.services.links import Links
from aiservice.services.rights import Reach, may, needs, scope
from aiservice.services.sessions import Sessions, SessionSummary
from aiservice.services.sign_in_limits import Derives, SignInLimits
from aiservice.services.step_up import require_password_said
from aiservice.settings import Settings
from aiservice.store import factors, personal_tokens
from aiservice.store import people as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import User


@dataclass(slots=True, frozen=True)
class PersonSummary:
    """An account as an admin sees it. Times are µs UTC; `last_seen_us` None: not in the last 30 days."""

    user_id: str
    email: str
    role: Role
    is_disabled: bool
    created_us: int
    last_seen_us: int | None
    has_second_factor: bool = False


class Administration:
    """Every method takes the `actor` first and checks the role; a person is named by id or e-mail address.

    Whatever changes a credential, a role or a state ends the person's sessions in the same unit of work.
    """

    def __init__(self, db: Database, vault: Derives, settings: Settings, changes: ChangeFeed) -> None:
        self._db = db
        self._settings = settings
        self._changes = changes
        self._passwords = Passwords()
        self._limits = SignInLimits(db, vault)
        self._links = Links(db)
        self._sessions = Sessions(db, changes)

    @needs("person.create")
    async def create_user(self, actor: Person, email: str, password: str, role: Role) -> Person:
        """Creates an account.

        Raises:
            PermissionDenied: the actor is no admin. Conflict: the address is taken (`email_taken`).
            Unprocessable: the address or the password is none.
        """
        return await self._create(actor, checked_email(email), password, role)

    @needs("person.list")
    async def list_users(self, actor: Person) -> list[PersonSummary]:
        """All accounts, oldest first. Raises: PermissionDenied."""
        async with self._db.read() as session:
            rows = await store.all_with_last_seen(session)
            having = await factors.people_with_factor(session)
        return [
            PersonSummary(u.id, u.email, Role(u.role), u.is_disabled, u.created_us, seen, u.id in having)
            for u, seen in rows
        ]

    @needs("person.invite")
    async def invite(self, actor: Person, email: str, role: Role) -> str:
        """The path of a link, good for 7 days, that makes an account with this address and role.

        Raises:
            PermissionDenied (also `step_up_required`); Unprocessable (`email_invalid`); Conflict: the person is already
                here (`email_taken`).
        """
        email = checked_email(email)
        async with self._db.write() as session:
            await require_password_said(session, actor)
            if await store.by_email(session, email) is not None:
                raise email_taken()
            record(session, actor, "person.invite", email, after={"role": role})
            return await self._links.make(session, "invite", email=email, role=role)

    @needs("person.reset_link")
    async def reset_link(self, actor: Person, ref: str) -> str:
        """The path of a link, good for 30 minutes, by which the person chooses a new password.

        Raises:
            PermissionDenied (also `step_up_required`); NotFound.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            user = await self._user(session, ref)
            record(session, actor, "person.reset_link", user.id)
            return await self._links.make(session, "reset", email=user.email)

    @needs("person.reset_password")
    async def reset_password(self, actor: Person, ref: str, password: str) -> None:
        """Sets a person's password and ends their sessions and access tokens.

        Raises:
            PermissionDenied, NotFound, Unprocessable.
        """
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            user = await self._user(session, ref)
            await self._replace_password(session, user, password_hash)
            await personal_tokens.revoke_all(session, user.id, now_us())
            record(session, actor, "person.reset_password", user.id)
        self._sessions.forget(user.id)

    @needs("person.disable")
    async def disable_user(self, actor: Person, ref: str) -> None:
        """Keeps a person out, at once. Raises: PermissionDenied, NotFound, Conflict (`last_admin`)."""
        async with self._db.write() as session:
            user = await self._user(session, ref)
            await self._keep_an_admin(session, user)
            await store.set_disabled(session, user.id, True)
            record(session, actor, "person.disable", user.id)
            await self._sessions.end_all(session, user.id)
        self._sessions.forget(user.id)

    @needs("person.enable")
    async def enable_user(self, actor: Person, ref: str) -> None:
        """Lets a disabled person in again. Raises: PermissionDenied, NotFound."""
        async with self._db.write() as session:
            user = await self._user(session, ref)
            await store.set_disabled(session, user.id, False)
            record(session, actor, "person.enable", user.id)
            self._changes.publish(session, "person", user.id)

    @needs("person.role")
    async def set_role(self, actor: Person, ref: str, role: Role) -> None:
        """Makes a person an admin or a developer.

        Raises:
            PermissionDenied (also `step_up_required`); NotFound; Conflict (`last_admin`).
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            user = await self._user(session, ref)
            if user.role == role:
                return
            await self._keep_an_admin(session, user)
            record(session, actor, "person.role", user.id, before={"role": user.role}, after={"role": role})
            await store.set_role(session, user.id, role)
            await self._sessions.end_all(session, user.id)
        self._sessions.forget(user.id)

    @needs("session.list")
    async def sessions_of(self, actor: Person, ref: str | None = None) -> list[SessionSummary]:
        """The signed-in browsers of a person, by default the actor's own. Raises: NotFound: not the actor's to see."""
        return await self._sessions.live_of(await self._owner_seen_by(actor, ref))

    @needs("session.end_all")
    async def end_sessions(self, actor: Person, ref: str) -> None:
        """Signs a person out of every browser. Raises: PermissionDenied, NotFound."""
        async with self._db.write() as session:
            user = await self._user(session, ref)
            record(session, actor, "session.end_all", user.id)
            await self._sessions.end_all(session, user.id)
        self._sessions.forget(user.id)

    @needs("session.end")
    async def revoke_session(self, actor: Person, session_hash: str) -> None:
        """Ends one session: the actor's own, or anybody's if the actor is an admin. Raises: NotFound."""
        owner = scope(actor, "session.end")
        if not await self._sessions.end(session_hash, owner=owner):
            raise NotFound("There is no such session.")

    async def _owner_seen_by(self, actor: Person, ref: str | None) -> str:
        if ref is None or ref in (actor.user_id, actor.email):
            return actor.user_id
        if not may(actor, "session.list", Reach.ANYONE):
            raise _no_such_person()
        async with self._db.read() as session:
            return (await self._user(session, ref)).id

    async def _user(self, session: AsyncSession, ref: str) -> User:
        user = await store.by_ref(session, ref.strip().lower() if "@" in ref else ref)
        if user is None:
            raise _no_such_person()
        return user

    async def _keep_an_admin(self, session: AsyncSession, user: User) -> None:
        if await store.admin_ids_for_update(session) == [user.id]:
            raise Conflict(
                "This is the last admin. Make somebody else an admin first.", code="last_admin", param="user"
            )

    async def _create(self, actor: Person, email: str, password: str, role: Role) -> Person:
        password_hash = await self._hash(password)
        async with self._db.write() as session:
            return person_of(await self._add(session, email, password_hash, role, by=actor))

    async def _add(
        self, session: AsyncSession, email: str, password_hash: str, role: Role, *, by: Person | None = None
    ) -> User:
        """A new account, made by `by` or by whoever it is of."""
        user = User(id=new_id("usr"), email=email, password_hash=password_hash, role=role.value, created_us=now_us())
        if not await store.add(session, user):
            raise email_taken()
        record(session, by or person_of(user), "person.create", user.id, after={"email": email, "role": role})
        self._changes.publish(session, "person", user.id)
        return user

    async def _replace_password(self, session: AsyncSession, user: User, password_hash: str) -> None:
        await store.set_password(session, user.id, password_hash)
        await self._sessions.end_all(session, user.id)
        await self._links.void(session, "reset", user.email)
        await self._limits.clear(session, user.email)

    async def _hash(self, password: str) -> str:
        require_password(password)
        try:
            return await self._passwords.hash(password)
        except PasswordsBusy as exc:
            raise busy() from exc


def person_of(user: User, session_hash: str = "") -> Person:
    """The account as an actor."""
    return Person(user.id, user.email, Role(user.role), session_hash, time_zone=user.time_zone or "UTC")


def require_password(password: str) -> None:
    """Raises: Unprocessable: the text cannot be a password; the message is the rule (`password_refused`)."""
    try:
        check_password(password)
    except PasswordRefused as exc:
        raise Unprocessable(str(exc), code="password_refused", param="password") from exc


def busy() -> Overloaded:
    return Overloaded(
        "Too many people are signing in at this moment. Try again in a few seconds.", code="sign_in_busy", retry_after=3
    )


def email_taken() -> Conflict:
    return Conflict(
        "This address cannot be used for a new account. If it is yours, sign in or have the password reset.",
        code="email_taken",
        param="email",
    )


def _no_such_person() -> NotFound:
    return NotFound("There is no such person.", param="user")

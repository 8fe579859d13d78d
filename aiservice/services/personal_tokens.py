"""Access tokens by which a program acts for a person: their own rights, never more, or to read alone.

A token is made by its person, who says their password for it, or on the command line; never with another token, so a
stolen one cannot outlive its end. It is kept as client keys are: a keyed digest, and the part that may be shown. What a
session asks the password for again, a token that may write does without: making it asked.

Fails closed: without the database, or with a sealed vault, no token is good.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aiservice.errors import NotFound, Overloaded, PermissionDenied, Unauthenticated, Unprocessable
from aiservice.kit import keyformat
from aiservice.kit.clock import DAY_US, MINUTE_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.administration import person_of
from aiservice.services.audit_entry import record
from aiservice.services.failure_limiter import FailureLimiter
from aiservice.services.key_rights import valid_name
from aiservice.services.key_standing import Refusal, error_of
from aiservice.services.rights import Reach, may, needs, require, scope
from aiservice.services.step_up import require_password_said
from aiservice.services.vault import Vault
from aiservice.store import people
from aiservice.store import personal_tokens as store
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import PersonalToken, User

DEFAULT_DAYS, MAX_DAYS = 90, 365
MAX_LIVE = 50
_TOUCH_US = MINUTE_US
_NO_DIGEST = bytes(32)

TokenState = Literal["active", "expired", "revoked"]


@dataclass(slots=True, frozen=True)
class NewToken:
    """What `create` gives, once."""

    id: str
    name: str
    token: Secret
    may_write: bool
    expires_us: int


@dataclass(slots=True, frozen=True)
class TokenView:
    """A token as people see it. Times are microseconds UTC."""

    id: str
    owner: str
    name: str
    public_id: str
    may_write: bool
    state: TokenState
    created_us: int
    expires_us: int
    last_used_us: int | None
    last_address: str


class Bearer(NamedTuple):
    """Who a program acts for, and whether it may change anything."""

    person: Person
    may_write: bool


class PersonalTokens:
    """Everybody sees to their own; an admin may end anybody's."""

    def __init__(self, db: Database, vault: Vault, failures: FailureLimiter) -> None:
        self._db = db
        self._vault = vault
        self._failures = failures

    @needs("access_token.create")
    async def create(
        self, actor: Person, name: str, *, may_write: bool, days: int = DEFAULT_DAYS, owner: str | None = None
    ) -> NewToken:
        """A new token of the actor, good for `days`; on the command line, of the `owner` (id or e-mail address).

        Raises:
            PermissionDenied: by a token (`not_by_token`), for somebody else, or the password was not said lately
                (`step_up_required`).
            Unprocessable: the name or the days are not good, or there are too many (`too_many_tokens`).
            NotFound: no such person.
        """
        if actor.token_id:
            raise PermissionDenied("A token cannot make a token. Make it on the portal's page.", code="not_by_token")
        if not 1 <= days <= MAX_DAYS:
            raise Unprocessable(f"A token is good for 1 to {MAX_DAYS} days.", param="days")
        now, minted = now_us(), keyformat.mint_personal()
        async with self._db.write() as session:
            person = await self._owner(session, actor, owner)
            await require_password_said(session, actor)
            if await store.count_live(session, person.id, now) >= MAX_LIVE:
                raise Unprocessable(f"There are {MAX_LIVE} tokens already. End one first.", code="too_many_tokens")
            row = PersonalToken(
                id=new_id("pat"),
                user_id=person.id,
                name=valid_name(name),
                public_id=minted.public_id,
                digest=self._digest(minted.text.reveal()),
                may_write=may_write,
                created_us=now,
                expires_us=now + days * DAY_US,
            )
            store.add(session, row)
            told = {"name": row.name, "owner": person.email, "may_write": may_write, "days": days}
            record(session, actor, "access_token.create", row.id, after=told)
        return NewToken(row.id, row.name, minted.text, may_write, row.expires_us)

    @needs("access_token.list")
    async def list(self, actor: Person, *, of_everybody: bool = False) -> Sequence[TokenView]:
        """The actor's tokens, newest first, those that ended within 30 days too; or everybody's.

        Raises:
            PermissionDenied: everybody's, and the actor is no admin.
        """
        require(actor, "access_token.list", Reach.ANYONE if of_everybody else Reach.OWN)
        now = now_us()
        async with self._db.read() as session:
            rows = await store.listed(session, None if of_everybody else actor.user_id)
        views = [_view(row, email, now) for row, email in rows]
        return [one for one in views if one.state == "active" or one.expires_us > now - 30 * DAY_US]

    @needs("access_token.revoke")
    async def revoke(self, actor: Person, token_id: str) -> None:
        """Ends a token for good, from its next use on; one that has ended stays so.

        Raises:
            NotFound: no such token, or it is not the actor's.
        """
        async with self._db.write() as session:
            row = await store.find(session, token_id, scope(actor, "access_token.revoke"))
            if row is None:
                raise NotFound(f"There is no access token '{token_id[:40]}'.", code="token_not_found")
            if row.revoked_us is None:
                row.revoked_us = now_us()
                record(session, actor, "access_token.revoke", row.id, before={"name": row.name})

    async def verify(self, credential: str, address: str) -> Bearer:
        """Whose token `credential` is, for a caller at `address`.

        Raises:
            Unauthenticated: no token, unknown or wrong (`invalid_token`); told only to its holder, `token_expired` or
                `token_revoked`.
            PermissionDenied: its person is disabled (`account_disabled`).
            RateLimited: too many failures from this address. Overloaded: `database_unavailable` or `sealed`.
        """
        public_id = keyformat.parse_personal(credential)
        if public_id is None:
            raise _invalid()
        if (wait := self._failures.wait_seconds(address)) > 0:
            raise error_of(Refusal.LIMITED, wait)
        digest = self._digest(credential.encode())
        try:
            async with self._db.read() as session:
                found = await store.with_person(session, public_id)
            if not hmac.compare_digest(_NO_DIGEST if found is None else found[0].digest, digest) or found is None:
                self._failures.record(address)
                raise _invalid()
            return await self._standing(*found, address)
        except DATABASE_ERRORS as error:
            words = "The access token cannot be looked up right now. Try again in a moment."
            raise Overloaded(words, code="database_unavailable", retry_after=1) from error

    async def _standing(self, row: PersonalToken, user: User, address: str) -> Bearer:
        now = now_us()
        if row.revoked_us is not None:
            raise Unauthenticated("This access token was revoked. Make another one.", code="token_revoked")
        if row.expires_us <= now:
            raise Unauthenticated("This access token has expired. Make another one.", code="token_expired")
        if user.is_disabled:
            raise PermissionDenied("The account that this token is of is disabled.", code="account_disabled")
        if now - (row.last_used_us or 0) >= _TOUCH_US or row.last_address != address[:64]:
            async with self._db.write() as session:
                await store.touch(session, row.id, now, address)
        person = person_of(user)
        return Bearer(Person(person.user_id, person.email, person.role, token_id=row.id), row.may_write)

    async def _owner(self, session: AsyncSession, actor: Person, owner: str | None) -> User:
        is_for_anybody = may(actor, "access_token.create", Reach.ANYONE)
        if not is_for_anybody and owner not in (None, actor.user_id, actor.email):
            raise PermissionDenied("Everybody makes their own tokens.", code="not_your_token")
        user = await people.by_ref(session, (owner or "").strip().lower() if is_for_anybody else actor.user_id)
        if user is None:
            raise NotFound("There is no such person.", param="owner")
        return user

    def _digest(self, credential: bytes) -> bytes:
        return hmac.digest(self._vault.derive(b"personal token pepper v1"), credential, "sha256")


def _view(row: PersonalToken, email: str, now: int) -> TokenView:
    state: TokenState = "revoked" if row.revoked_us is not None else "expired" if row.expires_us <= now else "active"
    times = (row.created_us, row.expires_us, row.last_used_us)
    return TokenView(row.id, email, row.name, row.public_id, row.may_write, state, *times, row.last_address)


def _invalid() -> Unauthenticated:
    return Unauthenticated(
        "The access token is not valid. Send one as 'Authorization: Bearer ais_pat_…'; make it on the portal's page "
        "Access tokens, or with `token create`.",
        code="invalid_token",
    )

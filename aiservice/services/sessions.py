"""Portal sessions: opened, resolved on every event, ended. The cookie's SHA-256 is all that is kept of it.

A resolved session is believed for at most 5 seconds, and only while the change feed is being read; a revocation drops
it at once, in every process. Fails closed: when the database does not answer, nobody is signed in.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Person, Role
from aiservice.services.changes import ChangeFeed
from aiservice.store import held_sign_ins
from aiservice.store import portal_sessions as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import PortalSession, User

IDLE_US = 30 * MINUTE_US
ABSOLUTE_US = 12 * HOUR_US
ABSOLUTE_SECONDS = ABSOLUTE_US // 1_000_000
CACHE_SECONDS = 5.0
_TOUCH_US = MINUTE_US
_REMEMBER_US = 30 * DAY_US  # ended sessions, for the addresses in them
_MAX_CACHED = 10_000


@dataclass(slots=True, frozen=True)
class SessionSummary:
    """A signed-in browser, to be shown to its owner. `session_hash` names it and opens nothing. Times are µs UTC."""

    session_hash: str
    created_us: int
    last_seen_us: int
    expires_us: int
    address: str
    user_agent: str


@dataclass(slots=True, frozen=True)
class _Cached:
    person: Person
    read_at: float
    valid_until_us: int


class Sessions:
    """All portal sessions of the installation, and this process's short memory of them."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self._cache: dict[str, _Cached] = {}
        self._drops = 0
        changes.subscribe(self._on_change)

    def open(self, session: AsyncSession, user: User, address: str, user_agent: str) -> str:
        """Adds a session in the caller's unit of work and returns its id: 256 new bits, for the cookie alone."""
        cookie = secrets.token_urlsafe(32)
        now = now_us()
        row = PortalSession(
            id_hash=hash_of(cookie),
            user_id=user.id,
            created_us=now,
            last_seen_us=now,
            expires_us=now + ABSOLUTE_US,
            address=address[:64],
            user_agent="".join(c if c.isprintable() else " " for c in user_agent[:256]),
        )
        store.add(session, row)
        return cookie

    async def resolve(self, cookie: str | None) -> Person | None:
        """Whose session this is; None when it is unknown, ended, idle for 30 minutes, 12 hours old, or its owner is
        disabled. Using a session keeps it alive."""
        if not cookie:
            return None
        id_hash = hash_of(cookie)
        cached = self._cache.get(id_hash)
        if cached is not None and self._is_believable(cached):
            return cached.person
        return await self._read(id_hash)

    async def peek(self, session_hash: str) -> Person | None:
        """As `resolve`, for a session named by its hash; looking at it does not keep it alive."""
        cached = self._cache.get(session_hash)
        if cached is not None and self._is_believable(cached):
            return cached.person
        async with self._db.read() as session:
            found = await store.with_user(session, session_hash)
        if (
            found is None
            or found[1].is_disabled
            or now_us() >= min(found[0].last_seen_us + IDLE_US, found[0].expires_us)
        ):
            return None
        return _person(found[1], session_hash)

    async def live_of(self, user_id: str) -> list[SessionSummary]:
        """The person's sessions, newest first."""
        now = now_us()
        async with self._db.read() as session:
            rows = await store.live_of(session, user_id, now, now - IDLE_US)
        return [
            SessionSummary(r.id_hash, r.created_us, r.last_seen_us, r.expires_us, r.address, r.user_agent) for r in rows
        ]

    async def end(self, session_hash: str, *, owner: str | None = None) -> bool:
        """Ends one session (of `owner`, when given); False when there was none alive."""
        async with self._db.write() as session:
            found = await store.with_user(session, session_hash)
            if found is None or (owner is not None and found[1].id != owner):
                return False
            is_ended = await store.end(session, session_hash, now_us())
            self._changes.publish(session, "session", session_hash)
        self._on_change("session", session_hash)
        return is_ended

    async def end_all(self, session: AsyncSession, user_id: str) -> None:
        """Ends every session of a person, and every sign-in of theirs that waits, in the caller's unit of work, which
        must call `forget` after its commit."""
        await held_sign_ins.delete_of(session, user_id)
        for id_hash in await store.delete_of(session, user_id):
            self._changes.publish(session, "session", id_hash)
        self._changes.publish(session, "person", user_id)

    def forget(self, user_id: str) -> None:
        """Drops what this process remembers of the person's sessions."""
        self._on_change("person", user_id)

    async def purge(self) -> None:
        """Deletes rows that are of no more use."""
        async with self._db.write() as session:
            await store.delete_created_before(session, now_us() - _REMEMBER_US)

    def _is_believable(self, cached: _Cached) -> bool:
        return (
            time.monotonic() - cached.read_at < CACHE_SECONDS
            and now_us() < cached.valid_until_us
            and self._changes.is_fresh(CACHE_SECONDS)
        )

    async def _read(self, id_hash: str) -> Person | None:
        drops, read_at, now = self._drops, time.monotonic(), now_us()
        async with self._db.read() as session:
            found = await store.with_user(session, id_hash)
        self._cache.pop(id_hash, None)
        if found is None:
            return None
        row, user = found
        valid_until = min(row.last_seen_us + IDLE_US, row.expires_us)
        if user.is_disabled or now >= valid_until:
            return None
        if now - row.last_seen_us >= _TOUCH_US:
            async with self._db.write() as session:
                await store.touch(session, id_hash, now)
        person = _person(user, id_hash)
        # A revocation that came in while we read must not be overwritten by what was read before it.
        if drops == self._drops:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[id_hash] = _Cached(person, read_at, valid_until)
        return person

    def _on_change(self, kind: str, subject: str) -> None:
        if kind == "session":
            self._drops += 1
            self._cache.pop(subject, None)
        elif kind == "person":
            self._drops += 1
            for id_hash in [h for h, cached in self._cache.items() if cached.person.user_id == subject]:
                del self._cache[id_hash]


def _person(user: User, session_hash: str) -> Person:
    zone = user.time_zone or "UTC"
    return Person(user.id, user.email, Role(user.role), session_hash=session_hash, time_zone=zone)


def hash_of(secret: str) -> str:
    """SHA-256 (hex) of 256 random bits: nothing to guess, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()

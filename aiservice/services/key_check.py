"""Is this credential good, and for whom? Cheapest questions first: form, checksum, memory, and only then one query.

Fails closed, but never with a 401 because the database is away: a key that was good stays good for 45 seconds after
the change feed was last read, then the answer is 503.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from hashlib import sha256

from aiservice.errors import BrokerError, Overloaded, PermissionDenied, RateLimited, Unauthenticated
from aiservice.kit.clock import now_us
from aiservice.kit.keyformat import parse
from aiservice.principal import Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.failure_limiter import FailureLimiter
from aiservice.services.key_cache import Entry, KeyCache
from aiservice.services.limit_names import limits_of
from aiservice.services.vault import PEPPER_VERSION, Vault
from aiservice.store import keys as store
from aiservice.store import tokens as token_store
from aiservice.store.session import DATABASE_ERRORS, Database

CACHE_ENTRIES = 250_000
FRESH_SECONDS = 5.0
# An outage of 30 s is lived through: 4 s until the feed would have been read again, 30, and the time to come back.
STALE_SECONDS = 45.0
_NEGATIVE_SECONDS = 2.0
_NEGATIVE_ENTRIES = 10_000
_LOOKUP_TIMEOUT_SECONDS = 2.0
_LOOKUPS_AT_ONCE = 8
_AWAY_SECONDS = 1.0  # after a failed look-up: how long nobody tries again
_FOREVER_US = 2**62
_NO_DIGEST = bytes(32)

log = logging.getLogger(__name__)


class Refusal(Enum):
    """Why a well-formed credential is refused."""

    UNKNOWN = "invalid_api_key"
    EXPIRED = "key_expired"
    REVOKED = "key_revoked"
    CLIENT_DISABLED = "client_disabled"
    LIMITED = "too_many_failed_authentications"
    AWAY = "database_unavailable"


Read = Callable[[], Awaitable[Entry | Refusal]]


def key_digest(pepper: bytes, credential: bytes) -> bytes:
    """What the database keeps of a client key: 32 bytes, useless without the pepper and bound to the public id."""
    return hmac.digest(pepper, b"ais-key-v1\0" + credential, "sha256")


class KeyCheck:
    """Verifies client keys and remembers the good ones."""

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed) -> None:
        self._db = db
        self._vault = vault
        self._is_fresh = changes.is_fresh
        self._age: Callable[[], float] = lambda: changes.age
        self._cache = KeyCache(CACHE_ENTRIES)
        self._refused: dict[bytes, tuple[Refusal, float]] = {}
        self._pending: dict[bytes, asyncio.Task[Entry | Refusal]] = {}
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)
        self.failures = FailureLimiter()
        self._used_us: dict[str, int] = {}
        self.epoch = 0  # how many changes were heard of
        self._away_until = 0.0
        changes.subscribe(self._on_change)

    def cached(self, credential: bytes) -> Principal | None:
        """The principal of a key that was verified before and is still good; None means: ask `verify`. About 2 µs."""
        return self._fresh(sha256(credential).digest())

    async def verify(self, credential: str, address: str) -> Principal:
        """See `Keys.verify`."""
        public_id = parse(credential)
        if public_id is None:
            raise Unauthenticated
        digest = sha256(credential.encode()).digest()
        principal = self._fresh(digest)
        if principal is not None:
            return principal

        async def read() -> Entry | Refusal:
            pepper = self._vault.pepper(PEPPER_VERSION)
            row = await store.credential(self._db, public_id)
            return _judge(row, key_digest(pepper, credential.encode()))

        principal = self.use(await self._entry(digest, address, read))
        if principal is None:
            raise _error(Refusal.EXPIRED, 0.0)
        return principal

    async def standing(self, public_id: str, address: str) -> Entry:
        """How the key with a secret of this public id stands now, for a token made with it. Raises as `verify`."""
        name = public_id.encode()
        entry = self._cache.get(name)
        if entry is not None and self._is_fresh(FRESH_SECONDS) and now_us() < entry.ends_us:
            return entry

        async def read() -> Entry | Refusal:
            found = _standing(await store.credential(self._db, public_id))
            if isinstance(found, Refusal):
                return found
            async with self._db.read() as session:
                return found._replace(ended_tokens=await token_store.ended(session, found.principal.key_id, now_us()))

        return await self._entry(name, address, read)

    def keep(self, credential: bytes, entry: Entry, since_epoch: int) -> None:
        """Remembers what `verify` elsewhere made of a credential, unless something changed since `epoch` was taken."""
        if since_epoch == self.epoch and self._is_fresh(FRESH_SECONDS):
            self._cache.put(sha256(credential).digest(), entry)

    def take_used(self) -> dict[str, int]:
        """When each public id was last used since the last call, in microseconds UTC."""
        used, self._used_us = self._used_us, {}
        return used

    def put_back_used(self, used_us: dict[str, int]) -> None:
        """Returns what could not be written."""
        self._used_us = used_us | self._used_us

    def _fresh(self, digest: bytes) -> Principal | None:
        entry = self._cache.get(digest)
        if entry is None or not self._is_fresh(FRESH_SECONDS):
            return None
        return self.use(entry)

    def use(self, entry: Entry) -> Principal | None:
        """The principal of a verified credential, which counts as used now; None when it is over."""
        at_us = time.time_ns() // 1000
        if at_us >= entry[1]:
            return None
        principal = entry[0]
        self._used_us[principal.public_id] = at_us
        return principal

    async def _entry(self, name: bytes, address: str, read: Read) -> Entry:
        """What `read` finds, for all who ask for `name` at the same time; raises what it refuses."""
        refused = self._refused.get(name)
        if refused is not None and refused[1] > time.monotonic():
            raise _error(refused[0], 0.0)
        task = self._pending.get(name)
        if task is None:
            task = self._pending[name] = asyncio.ensure_future(self._look_up(name, address, read))
            task.add_done_callback(lambda _done: self._pending.pop(name, None))
        found = await asyncio.shield(task)
        if isinstance(found, Refusal):
            raise _error(found, self.failures.wait_seconds(address))
        return found

    async def _look_up(self, name: bytes, address: str, read: Read) -> Entry | Refusal:
        async with self._lookups:
            # Asked here and not earlier, so that of many attempts that arrive together most see the first ones fail.
            if self.failures.wait_seconds(address) > 0:
                return Refusal.LIMITED
            if time.monotonic() < self._away_until:
                return self._stale(name)
            epoch, was_fresh = self.epoch, self._is_fresh(FRESH_SECONDS)
            try:
                async with asyncio.timeout(_LOOKUP_TIMEOUT_SECONDS):
                    found = await read()
            except DATABASE_ERRORS as error:
                log.warning("A client key could not be looked up: %s.", type(error).__name__)
                self._away_until = time.monotonic() + _AWAY_SECONDS
                return self._stale(name)
        if isinstance(found, Refusal):
            if found is Refusal.UNKNOWN:
                self.failures.record(address)
            self._refuse(name, found)
        # A change that came in while we read may be about this very key: use the answer, but do not keep it.
        elif was_fresh and epoch == self.epoch:
            self._cache.put(name, found)
        return found

    def _stale(self, name: bytes) -> Entry | Refusal:
        entry = self._cache.get(name) if self._age() <= STALE_SECONDS else None
        return entry if entry is not None and now_us() < entry.ends_us else Refusal.AWAY

    def _refuse(self, digest: bytes, refusal: Refusal) -> None:
        if len(self._refused) >= _NEGATIVE_ENTRIES:
            self._refused.clear()
        self._refused[digest] = (refusal, time.monotonic() + _NEGATIVE_SECONDS)

    def _on_change(self, kind: str, subject: str) -> None:
        if kind in ("key", "client", "person"):
            self.epoch += 1
            self._cache.drop(subject)
            self._refused.clear()


def _judge(row: store.Credential, digest: bytes) -> Entry | Refusal:
    """What the holder of a credential with `digest` is told. Who has not the right secret learns nothing else."""
    is_known = row.public_id is not None and row.pepper_version == PEPPER_VERSION
    expected = row.digest if is_known and isinstance(row.digest, bytes) else _NO_DIGEST
    if not hmac.compare_digest(expected, digest) or expected is _NO_DIGEST:
        return Refusal.UNKNOWN
    return _standing(row)


def _standing(row: store.Credential) -> Entry | Refusal:
    """What a secret is good for now, whoever asks."""
    if row.public_id is None:
        return Refusal.UNKNOWN
    if row.secret_revoked_us is not None or row.key_revoked_us is not None:
        return Refusal.REVOKED
    ends_us = min(_FOREVER_US if at is None else at for at in (row.secret_expires_us, row.key_expires_us))
    if ends_us <= now_us():
        return Refusal.EXPIRED
    if row.is_client_disabled or row.is_owner_disabled:
        return Refusal.CLIENT_DISABLED
    principal = Principal(
        client_id=row.client_id,
        client_name=row.client_name,
        key_id=row.key_id,
        public_id=row.public_id,
        scopes=_names(row.scopes),
        connections=_both(_names(row.key_connections), _names(row.client_connections)),
        models=_both(_names(row.key_models), _names(row.client_models)),
        expires_us=None if ends_us == _FOREVER_US else ends_us,
        is_test=row.is_test,
        limits=(*limits_of("key", row.key_id, row.key_limits), *limits_of("client", row.client_id, row.client_limits)),
    )
    rests_on = (row.key_id, row.client_id, row.owner_id)
    return Entry(principal, ends_us, tuple(subject for subject in rests_on if subject is not None), row.token_version)


def _names(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _both(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    if first is None or second is None:
        return first if second is None else second
    return first & second


def too_many_failures(wait_seconds: float) -> RateLimited:
    """What an address is told that has failed too often."""
    return RateLimited(
        "Too many failed authentications from this address. Check the API key, then try again later.",
        code=Refusal.LIMITED.value,
        retry_after=max(1.0, round(wait_seconds, 1)),
    )


def _error(refusal: Refusal, wait_seconds: float) -> BrokerError:
    code = refusal.value
    match refusal:
        case Refusal.UNKNOWN:
            return Unauthenticated()
        case Refusal.EXPIRED:
            return Unauthenticated("This API key has expired. Regenerate it on the portal's Keys page.", code=code)
        case Refusal.REVOKED:
            return Unauthenticated("This API key was revoked. Create another on the portal's Keys page.", code=code)
        case Refusal.CLIENT_DISABLED:
            return PermissionDenied("The client of this API key is disabled. Ask an admin to enable it.", code=code)
        case Refusal.LIMITED:
            return too_many_failures(wait_seconds)
        case Refusal.AWAY:
            return Overloaded(
                "API keys cannot be checked right now. Try again shortly.", code=code, retry_after=_AWAY_SECONDS
            )

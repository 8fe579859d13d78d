"""Is this credential good, and for whom? Cheapest questions first: form, checksum, memory, and only then one query.

Fails closed, but never with a 401 because the database is away: a key that was good stays good for 45 seconds after
the change feed was last read, then the answer is 503.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from itertools import islice

from aiservice.errors import Unauthenticated
from aiservice.kit.clock import now_us
from aiservice.kit.keyformat import parse
from aiservice.principal import Principal
from aiservice.services.caller_budgets import budgets_of
from aiservice.services.changes import ChangeFeed
from aiservice.services.failure_limiter import FailureLimiter
from aiservice.services.key_cache import Entry, KeyCache
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_standing import AWAY_SECONDS, Refusal, error_of, judge, key_digest, standing_of
from aiservice.services.outgoing import Outgoing
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
_LAST_USED_BATCH = 500

log = logging.getLogger(__name__)


Read = Callable[[], Awaitable[Entry | Refusal]]


class KeyCheck:
    """Verifies client keys and remembers the good ones."""

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed, policy: KeyPolicy) -> None:
        self._policy = policy
        self._db = db
        self._vault = vault
        self._is_fresh = changes.is_fresh
        self._age: Callable[[], float] = lambda: changes.age
        self._cache = KeyCache(CACHE_ENTRIES)
        self._refused: dict[bytes, tuple[Refusal, float]] = {}
        self._pending: dict[bytes, asyncio.Task[Entry | Refusal]] = {}
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)
        self.failures = FailureLimiter()
        # Who is told of every key that was looked up and refused: what was found, why, and where it came from.
        self.tell_refused: Callable[[store.Credential, Refusal, str], None] = lambda _row, _refusal, _address: None
        self._used_us: dict[str, int] = {}
        self.outgoing = Outgoing(db)
        self.epoch = 0  # how many changes were heard of
        self._away_until = 0.0
        changes.subscribe(self._on_change)

    def cached(self, credential: bytes) -> Principal | None:
        """The principal of a key that was verified before and is still good; None means: ask `verify`. About 2 µs."""
        entry = self._cache.get(sha256(credential).digest())
        return self.use(entry) if entry is not None and self._is_fresh(FRESH_SECONDS) else None

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
            found = judge(row, key_digest(pepper, credential.encode()), self._policy)
            if row.secret_expires_us is not None:
                self.outgoing.add(public_id)
            if isinstance(found, Refusal):
                self.tell_refused(row, found, address)
            return await self._with_budgets(row, found)

        principal = self.use(await self._entry(digest, address, read))
        if principal is None:
            raise error_of(Refusal.EXPIRED, 0.0)
        return principal

    async def standing(self, public_id: str, address: str) -> Entry:
        """How the key with a secret of this public id stands now, for a token made with it. Raises as `verify`."""
        name = public_id.encode()
        entry = self._cache.get(name)
        if entry is not None and self._is_fresh(FRESH_SECONDS) and now_us() < entry.ends_us:
            return entry

        async def read() -> Entry | Refusal:
            row = await store.credential(self._db, public_id)
            found = await self._with_budgets(row, standing_of(row, self._policy))
            if isinstance(found, Refusal):
                return found
            async with self._db.read() as session:
                return found._replace(ended_tokens=await token_store.ended(session, found.principal.key_id, now_us()))

        return await self._entry(name, address, read)

    def keep(self, credential: bytes, entry: Entry, since_epoch: int) -> None:
        """Remembers what `verify` elsewhere made of a credential, unless something changed since `epoch` was taken."""
        if since_epoch == self.epoch and self._is_fresh(FRESH_SECONDS):
            self._cache.put(sha256(credential).digest(), entry)

    async def flush_used(self, most: int | None = None) -> int:
        """Writes when secrets were last used, of at most `most` of them, those that wait longest; returns how many.

        Raises:
            DATABASE_ERRORS: the database is away; what could not be written stays for the next call.
        """
        await self.outgoing.flush()
        used = self._take_used(most)
        try:
            names = sorted(used)
            for start in range(0, len(names), _LAST_USED_BATCH):
                batch = names[start : start + _LAST_USED_BATCH]
                await store.write_last_used(self._db, {public_id: used[public_id] for public_id in batch})
        except DATABASE_ERRORS:
            self._used_us = used | self._used_us
            raise
        return len(used)

    def _take_used(self, most: int | None) -> dict[str, int]:
        used = self._used_us
        if most is None or len(used) <= most:
            self._used_us = {}
            return used
        taken = dict(islice(used.items(), most))
        for public_id in taken:
            del used[public_id]
        return taken

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
        if self.outgoing.secrets and principal.public_id in self.outgoing.secrets:
            self.outgoing.came(principal.public_id)
        return principal

    async def _with_budgets(self, row: store.Credential, found: Entry | Refusal) -> Entry | Refusal:
        if isinstance(found, Refusal) or not row.has_budgets:
            return found
        budgets = await budgets_of(
            self._db, [each for each in (row.key_id, row.client_id, row.team_id) if each is not None]
        )
        return found._replace(principal=replace(found.principal, budgets=budgets))

    async def _entry(self, name: bytes, address: str, read: Read) -> Entry:
        """What `read` finds, for all who ask for `name` at the same time; raises what it refuses."""
        refused = self._refused.get(name)
        if refused is not None and refused[1] > time.monotonic():
            raise error_of(refused[0], 0.0)
        task = self._pending.get(name)
        if task is None:
            task = self._pending[name] = asyncio.ensure_future(self._look_up(name, address, read))
            task.add_done_callback(lambda _done: self._pending.pop(name, None))
        found = await asyncio.shield(task)
        if isinstance(found, Refusal):
            raise error_of(found, self.failures.wait_seconds(address))
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
                self._away_until = time.monotonic() + AWAY_SECONDS
                return self._stale(name)
        if isinstance(found, Refusal):
            if found in (Refusal.UNKNOWN, Refusal.DECOY):
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
        if kind in ("key", "client", "team", "person"):
            self.epoch += 1
            self._cache.drop(subject)
            self._refused.clear()

"""The vault: secrets at rest as envelopes under a master key that the database never sees.

Fails closed: without the right master key it is *sealed*. The process runs, nothing that needs a secret works, nothing
is written, and a new key is never made for a database that has one. `open()` may be called again at any time.

Rotation (`rotate`) is online and resumable; `services/rotation.py` tells how. A running process learns of it through
the change feed (`on_change`) or from the first envelope that it cannot open.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.services import envelopes, master_key, rotation
from aiservice.services.envelopes import Binding
from aiservice.services.keyring import Keyring, Locked, first_version, unlock
from aiservice.settings import Settings, SettingsError
from aiservice.store import vault as store
from aiservice.store.cluster import take_turn
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import MasterKeyVersion

CACHE_SECONDS = 300.0
CACHE_ENTRIES = 1_000
PEPPER_VERSION = 1
_CHECK_BATCH = 200

log = logging.getLogger(__name__)


class Vault:
    """Seals and opens secrets; sealed itself until `open()` has found the right master key."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._ring: Keyring | None = None
        self._versions: frozenset[int] = frozenset()
        self._at_hand: tuple[Secret, ...] = ()
        self._generated_path: Path | None = None
        self._pepper: bytes | None = None
        self._cache: OrderedDict[store.RowName, tuple[bytes, Secret, float]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.sealed_reason: str | None = "The vault has not been opened yet."

    @property
    def is_sealed(self) -> bool:
        """Whether secrets are out of reach; `sealed_reason` then says why, in words for an admin."""
        return self.sealed_reason is not None

    async def open(self) -> None:
        """Finds the master key; makes one only for an empty SQLite installation that has none configured.

        Afterwards the vault is open, or sealed with a reason.

        Raises:
            SettingsError: the settings cannot work whatever the database holds; the process must exit with 1.
        """
        source = await asyncio.to_thread(master_key.load, self._settings)
        self._at_hand, self._generated_path = source.keys, source.generated_path
        try:
            async with self._db.read() as session:
                versions = await store.versions(session)
            versions = versions or await self._start_empty(source)
            if not self._at_hand:  # another worker may have made the key between our two looks
                self._at_hand = (await asyncio.to_thread(master_key.load, self._settings)).keys
            self._unlock(versions)
        except Locked as reason:
            self._lock(str(reason))

    # Derived keys

    @property
    def pepper_version(self) -> int:
        """The version of the client-key pepper that new digests use."""
        return PEPPER_VERSION

    def pepper(self, version: int) -> bytes:
        """The 32-byte client-key pepper of `version`.

        Raises:
            Overloaded: the vault is sealed (`sealed`), or there is no such version (`secret_integrity`).
        """
        if version != PEPPER_VERSION:
            raise envelopes.integrity_error()
        if self._pepper is None:
            self._pepper = self.derive(b"client key pepper v1")
        return self._pepper

    def derive(self, purpose: bytes) -> bytes:
        """32 bytes for one purpose, the same in every process and after every rotation of the master key.

        Raises:
            Overloaded: the vault is sealed (`sealed`).
        """
        return crypto.hkdf(self._require_ring().root.reveal(), b"aiservice " + purpose)

    # Envelopes

    async def seal(self, session: AsyncSession, *, secret: Secret, **binding: Unpack[Binding]) -> None:
        """Keeps `secret`, in place of what (purpose, row_id) held, in the caller's unit of work (a `db.write()`).

        Raises:
            Overloaded: the vault is sealed (`sealed`).
        """
        self._require_ring()
        # Asked twice: PostgreSQL answers "none" to the one who waited for the very switch from one version to the next.
        version = await store.active_version(session) or await store.active_version(session)
        if version is None:
            raise envelopes.integrity_error()
        row = envelopes.make(binding, secret, await self._key(session, version), version)
        self._cache.pop((row.purpose, row.row_id), None)
        await store.put(session, row)

    async def unseal(self, session: AsyncSession, **binding: Unpack[Binding]) -> Secret:
        """The secret kept for exactly this binding; from memory for up to 5 minutes, without a query.

        Raises:
            Overloaded: `sealed`; `secret_missing` where nothing is kept; `secret_integrity` where what is kept was
                made for another owner, row, provider, address or revision, or was changed.
        """
        name, aad = (binding["purpose"], binding["row_id"]), envelopes.aad_of(binding)
        self._require_ring()
        known = self._cache.get(name)
        if known is not None and known[0] == aad and known[2] > time.monotonic():
            return known[1]
        row = await store.get(session, *name)
        if row is None:
            raise envelopes.missing_error()
        try:
            secret = envelopes.open_row(row, await self._key(session, row.kek_version), aad)
        except crypto.BadEnvelope:
            self._cache.pop(name, None)
            log.error("ALERT: the %s secret of %s does not open for what it is used for.", *name)  # noqa: TRY400
            raise envelopes.integrity_error() from None
        self._remember(name, aad, secret)
        return secret

    async def discard(self, session: AsyncSession, purpose: str, row_id: str) -> None:
        """Deletes a secret in the caller's unit of work. With its wrapped key gone, no copy of the rest opens."""
        await store.remove(session, purpose, row_id)
        self._cache.pop((purpose, row_id), None)

    async def check(self) -> list[store.RowName]:
        """Opens every envelope and returns (purpose, row_id) of those that do not open, with an alert in the log.

        Nothing is repaired. For a job to call about every hour.

        Raises:
            Overloaded: the vault is sealed (`sealed`).
        """
        keys = self._require_ring().keys
        damaged: list[store.RowName] = []
        after = ("", "")
        while True:
            async with self._db.read() as session:
                rows = await store.sample(session, after, _CHECK_BATCH)
            if not rows:
                return damaged
            for row in rows:
                if not envelopes.is_whole(row, keys.get(row.kek_version)):
                    damaged.append((row.purpose, row.row_id))
                    log.error("ALERT: the %s secret of %s is damaged.", row.purpose, row.row_id)
            after = (rows[-1].purpose, rows[-1].row_id)
            await asyncio.sleep(0)

    # Rotation

    async def rotate(
        self,
        new_key: Secret | None = None,
        progress: Callable[[int, int], None] | None = None,
        *,
        is_bridged: bool = True,
        grace_seconds: float = rotation.GRACE_SECONDS,
    ) -> rotation.Report:
        """Moves every secret under `new_key`, or goes on where a killed run stopped. Servers may run meanwhile.

        `new_key` may be None where the key file is of our own making: a key is made and the file replaced. Where the
        old key is known to others, stop the servers and say `is_bridged=False`: nothing then leads from the old key
        to the new one. `progress(done, total)` is called after each batch.

        Raises:
            Overloaded: the vault is sealed (`sealed`).
            Conflict: a rotation to another key is under way.
            InvalidRequest: no key given and none can be made.
        """
        if self.is_sealed and new_key is not None and self._at_hand:
            # An earlier run has got so far that the old key alone opens nothing any more.
            self._at_hand = (*self._at_hand, new_key)
            await self._follow()
        if self.is_sealed:
            raise envelopes.sealed_error()
        source = await asyncio.to_thread(master_key.load, self._settings)
        plan = rotation.Plan(source, is_bridged=is_bridged, grace_seconds=grace_seconds)
        report = await rotation.rotate(self._db, self._require_ring(), plan, new_key, progress)
        self._at_hand = tuple(report.ring.keys.values())
        await self._follow()
        return report

    def on_change(self, kind: str, _subject: str) -> None:
        """A subscriber for the change feed: follows a rotation made by another process."""
        if kind == "vault":
            task = asyncio.get_running_loop().create_task(self._follow())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        try:
            async with self._db.read() as session:
                await self._refresh(session)
        except DATABASE_ERRORS:
            log.warning("A change of the master key could not be read; the next use of a secret tries again.")

    async def _refresh(self, session: AsyncSession) -> None:
        with contextlib.suppress(SettingsError):  # a key file that is being replaced: what we hold may do
            read = (await asyncio.to_thread(master_key.load, self._settings)).keys
            self._at_hand += tuple(key for key in read if key not in self._at_hand)
        try:
            self._unlock(await store.versions(session))
        except Locked as reason:
            self._lock(str(reason))  # what was derived stays usable: the root outlives every rotation

    async def _start_empty(self, source: master_key.KeySource) -> list[MasterKeyVersion]:
        async with self._db.write() as session:
            await take_turn(session)
            versions = await store.versions(session)
            if versions:
                return versions
            if await store.has_dependants(session):
                raise Locked("The record of the master key was deleted from the database. Restore a backup.")
            if source.generated_path is not None and not source.keys:
                self._at_hand = (await asyncio.to_thread(master_key.generate, source.generated_path),)
            await store.add_version(session, first_version(self._at_hand[0]))
            return await store.versions(session)

    def _unlock(self, versions: list[MasterKeyVersion]) -> None:
        held = tuple(self._ring.keys.values()) if self._ring is not None else ()
        self._versions = frozenset(row.version for row in versions)
        if not held and not self._at_hand:
            raise Locked(f"The master key file {self._generated_path} is missing. Put it back: it is never replaced.")
        self._ring = unlock(versions, (*held, *self._at_hand))
        self.sealed_reason = None

    async def _key(self, session: AsyncSession, version: int) -> Secret:
        if version not in self._require_ring().keys:
            await self._refresh(session)
        key = self._require_ring().keys.get(version)
        if key is None:
            raise envelopes.sealed_error() if version in self._versions else envelopes.integrity_error()
        return key

    def _require_ring(self) -> Keyring:
        if self._ring is None:
            raise envelopes.sealed_error()
        return self._ring

    def _lock(self, reason: str) -> None:
        if reason != self.sealed_reason:
            log.error("THE VAULT IS SEALED. %s", reason)
        self.sealed_reason = reason

    def _remember(self, name: store.RowName, aad: bytes, secret: Secret) -> None:
        self._cache[name] = (aad, secret, time.monotonic() + CACHE_SECONDS)
        self._cache.move_to_end(name)
        while len(self._cache) > CACHE_ENTRIES:
            self._cache.popitem(last=False)

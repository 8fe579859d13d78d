"""Moves all secrets from one master key to the next while servers run; killed anywhere, the next run goes on.

    1. A new version row: check value, the pepper root wrapped anew, and two bridges (`services/keyring.py`). From here
       every process seals under the new key, and every process opens rows of both versions, whichever key it has.
    2. Batches: the wrapped data key of each envelope is wrapped anew, by compare-and-swap, so a secret that is replaced
       at the same moment is never overwritten. Payloads are not touched.
    3. After a grace in which running servers cross the bridge, and only with no envelope left behind: the old version
       is retired; its copy of the pepper and both bridges are erased.

A key file of our own making holds both keys between 1 and 3. Operators with a configured key put the new one into the
setting after the run (or both into the file before it) and restart servers when it suits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiservice.errors import Conflict, InvalidRequest
from aiservice.kit import crypto
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services import master_key
from aiservice.services.audit_entry import record
from aiservice.services.keyring import Keyring, is_check_of, next_version, unlock
from aiservice.store import changes as change_store
from aiservice.store import vault as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import MasterKeyVersion, SealedSecret

GRACE_SECONDS = 10.0
BATCH = 50
_PAUSE_SECONDS = 0.02  # between batches: the writer belongs to the traffic

Progress = Callable[[int, int], None]


@dataclass(slots=True, frozen=True)
class Plan:
    """How to rotate; `source` is where this process has its keys from."""

    source: master_key.KeySource
    is_bridged: bool
    grace_seconds: float


@dataclass(slots=True, frozen=True)
class Report:
    """What a run did. Secrets in `damaged` (purpose, row_id) do not open; the old version stays until they are gone."""

    ring: Keyring
    moved: int
    damaged: tuple[store.RowName, ...]

    @property
    def version(self) -> int:
        """The version of the key that secrets are under now."""
        return self.ring.active

    @property
    def is_finished(self) -> bool:
        """Whether nothing depends on the old key any more."""
        return not self.damaged


async def rotate(db: Database, ring: Keyring, plan: Plan, new_key: Secret | None, progress: Progress | None) -> Report:
    """See `Vault.rotate`."""
    async with db.read() as session:
        versions = await store.versions(session)
    if not _is_under_way(versions):
        if new_key is None and plan.source.generated_path is None:
            raise InvalidRequest("Give the new master key: base64 of 32 bytes.", code="missing_master_key")
        if _is_done(versions, plan, new_key):
            await _tidy_file(plan, ring)
            return Report(ring, 0, ())
        key = new_key or _pending_key(versions, plan.source) or Secret(crypto.new_key())
        await _keep_both(plan, ring, key)
        ring = await _begin(db, ring, plan, key)
    elif new_key is not None and not is_check_of(_active(versions), new_key):
        raise Conflict(
            "A rotation to another key is under way. Finish it with that key first.", code="rotation_running"
        )
    moved, damaged = await _move_all(db, ring, progress or _silent)
    if not damaged:
        moved += await _retire(db, ring, plan)
        await _tidy_file(plan, ring)
    return Report(ring, moved, tuple(damaged))


async def _begin(db: Database, ring: Keyring, plan: Plan, key: Secret) -> Keyring:
    async with db.write() as session:
        versions = await store.versions(session)
        if _active(versions).version != ring.active:
            raise Conflict("Another rotation has just begun.", code="rotation_running")
        for row in versions:
            row.is_active = False
        session.add(next_version(ring, key, is_bridged=plan.is_bridged))
        record(session, OPERATOR, "master_key.rotate", "vault", before={"version": ring.active})
        change_store.publish(session, "vault", "rotation")
        await session.flush()
        return unlock(await store.versions(session), (*ring.keys.values(), key))


async def _move_all(db: Database, ring: Keyring, progress: Progress) -> tuple[int, list[store.RowName]]:
    moved, damaged, after = 0, list[store.RowName](), ("", "")
    async with db.read() as session:
        total = await store.count_not_under(session, ring.active)
    while True:
        async with db.write() as session:
            rows = await store.batch_not_under(session, ring.active, after, BATCH)
            for row in rows:
                is_moved = await _move(session, ring, row)
                moved += is_moved is True
                if is_moved is None:
                    damaged.append((row.purpose, row.row_id))
        if not rows:
            return moved, damaged
        after = (rows[-1].purpose, rows[-1].row_id)
        progress(moved, max(total, moved))
        await asyncio.sleep(_PAUSE_SECONDS)


async def _move(session: AsyncSession, ring: Keyring, row: SealedSecret) -> bool | None:
    """True: moved; False: replaced by somebody at that moment; None: does not open."""
    kek = ring.keys.get(row.kek_version)
    if kek is None:
        return None
    try:
        dek = crypto.unwrap(kek.reveal(), row.kek_version, row.wrapped_dek, row.bound)
    except crypto.BadEnvelope:
        return None
    wrapped = crypto.wrap(ring.keys[ring.active].reveal(), ring.active, dek, row.bound)
    return await store.move(session, row, ring.active, wrapped)


async def _retire(db: Database, ring: Keyring, plan: Plan) -> int:
    """Ends the rotation; returns how many latecomers it moved first."""
    async with db.read() as session:
        began_us = _active(await store.versions(session)).created_us
    await asyncio.sleep(max(0.0, plan.grace_seconds - (now_us() - began_us) / SECOND_US))
    moved = 0
    while True:
        async with db.write() as session:
            versions = await store.versions(session)
            if await store.count_not_under(session, ring.active) == 0:
                for row in versions:
                    _erase_ways(row, is_old=row.version != ring.active)
                record(session, OPERATOR, "master_key.retire_old", "vault", after={"version": ring.active})
                change_store.publish(session, "vault", "retired")
                return moved
        late, damaged = await _move_all(db, ring, _silent)
        moved += late
        if damaged:
            raise Conflict("A secret was damaged while the rotation ran. Run it again.", code="secret_integrity")


def _silent(_done: int, _total: int) -> None:
    """The progress of whoever did not ask for it."""


def _erase_ways(row: MasterKeyVersion, *, is_old: bool) -> None:
    row.wrapped_by_previous = row.wrapped_previous = None
    if is_old and row.retired_us is None:
        row.retired_us = now_us()
        row.wrapped_pepper = b""


def _active(versions: list[MasterKeyVersion]) -> MasterKeyVersion:
    return next(row for row in versions if row.is_active)


def _is_under_way(versions: list[MasterKeyVersion]) -> bool:
    return any(not row.is_active and row.retired_us is None for row in versions)


def _is_done(versions: list[MasterKeyVersion], plan: Plan, new_key: Secret | None) -> bool:
    """Whether an earlier run was killed after its last commit: the active key is the wanted one already."""
    active = _active(versions)
    if new_key is not None:
        return is_check_of(active, new_key)
    others = [key for key in plan.source.keys if not is_check_of(active, key)]
    return bool(others) and any(is_check_of(row, key) for row in versions for key in others)


def _pending_key(versions: list[MasterKeyVersion], source: master_key.KeySource) -> Secret | None:
    """A key that an earlier run wrote into the file before it was killed."""
    unknown = [key for key in source.keys if not any(is_check_of(row, key) for row in versions)]
    return unknown[0] if unknown else None


async def _keep_both(plan: Plan, ring: Keyring, key: Secret) -> None:
    if plan.source.generated_path is not None:
        await asyncio.to_thread(master_key.replace, plan.source.generated_path, (ring.keys[ring.active], key))


async def _tidy_file(plan: Plan, ring: Keyring) -> None:
    if plan.source.generated_path is not None:
        await asyncio.to_thread(master_key.replace, plan.source.generated_path, (ring.keys[ring.active],))

"""Deletes audit entries for their age, where `AISERVICE_AUDIT_KEPT` says how long they are kept; without it, none ever.

What goes is looked at first: an entry that is not as it was written stays, with all behind it, and is told of. In its
place the chain has a signed checkpoint, so that `verify` still knows whether the rest is whole, and an entry that says
what was deleted. Fails closed: with a sealed vault nothing is deleted.
"""

from aiservice.kit.clock import SECOND_US, now_us
from aiservice.services.audit_chain import Damage, beginning, faults, seal
from aiservice.services.audit_entry import record
from aiservice.services.vault import Vault
from aiservice.store import audit as store
from aiservice.store.session import AsyncSession, Database

AT_ONCE = 5_000
"""Entries in one unit of work: on SQLite all others who write wait for it."""


class AuditRetention:
    """`kept_seconds` None: for ever."""

    def __init__(self, db: Database, vault: Vault, kept_seconds: float | None) -> None:
        self._db = db
        self._vault = vault
        self._kept_seconds = kept_seconds

    async def prune(self) -> tuple[int, Damage | None]:
        """How many entries were deleted, and what kept the rest from it. The newest entry always stays."""
        if self._kept_seconds is None or self._vault.is_sealed:
            return 0, None
        before_us = now_us() - int(self._kept_seconds * SECOND_US)
        total = 0
        while True:
            async with self._db.write() as session:
                deleted, damage = await self._prune_some(session, before_us)
            total += deleted
            if deleted < AT_ONCE or damage is not None:
                return total, damage

    async def _prune_some(self, session: AsyncSession, before_us: int) -> tuple[int, Damage | None]:
        key = self._vault.derive(b"audit chain v1")
        head = await store.head_for_update(session)
        first = beginning(key, await store.checkpoint(session))
        if first.is_altered:
            return 0, Damage(None, "where the log begins was altered")
        newest_kept = min(await store.first_since(session, before_us) or head.number, head.number)
        last, mac = first.number, first.mac
        damage: Damage | None = None
        for row in await store.after(session, first.number, AT_ONCE):
            if row.number >= newest_kept:
                break
            damage = next(iter(faults(key, row, last + 1, mac)), None)
            if damage is not None:
                break
            last, mac = row.number, row.mac
        session.expunge_all()
        if last == first.number:
            return 0, damage
        deleted = await store.cut(session, last, mac, seal(key, last, mac))
        record(session, "system", "audit.delete", f"1-{last}", after={"entries": deleted, "before_us": before_us})
        return deleted, damage

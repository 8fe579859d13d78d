"""Decoy keys: good for nothing, and an alarm on any use. Put one where no key should ever be taken from.

Whoever uses one is told what the holder of an unknown key is told, and as quickly: the alarm is raised beside the
answer, not before it. Fails open: a database that is away costs the audit entry, never the refusal.
"""

import asyncio
import logging

from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.audit_entry import record
from aiservice.store.session import DATABASE_ERRORS, Database

log = logging.getLogger(__name__)


class Decoys:
    """Raises the alarm of decoy keys."""

    def __init__(self, db: Database, alerts: AlertNotes) -> None:
        self._db = db
        self._alerts = alerts
        self._writing: set[asyncio.Task[None]] = set()

    def used(self, key_id: str, client_id: str, public_id: str, address: str) -> None:
        """Says that a decoy was used from `address`; returns at once."""
        self._alerts.note(
            "decoy_used",
            key_id,
            f"The decoy key {public_id} was used from {address}. Whoever has it has read the place where it was kept.",
            severity=Severity.CRITICAL,
            client_id=client_id,
            evidence={"address": address, "key_id": key_id, "public_id": public_id},
        )
        task = asyncio.get_running_loop().create_task(self._record(key_id, public_id, address))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.gather(*self._writing)

    async def _record(self, key_id: str, public_id: str, address: str) -> None:
        try:
            async with self._db.write() as session:
                record(session, "unknown", "decoy.use", key_id, after={"public_id": public_id}, address=address)
        except DATABASE_ERRORS as error:
            log.warning("The use of a decoy key is not in the audit log (%s).", type(error).__name__)

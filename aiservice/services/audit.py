"""The audit log: who changed what, when and from where, in the same unit of work as the change itself.

Entries are a chain: each is signed, with the one before it, under a key that only the master key opens. So whoever can
write to the database can destroy entries, but not without `verify` naming the place. What it cannot see by itself is a
log that was cut back to an earlier end as a whole: for that the server writes to its own log where the chain stands
(an *anchor*), at its start and every hour, and `verify` takes one.

Fails closed: a change whose entry cannot be signed or stored is not made.
"""

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, dataclass

import orjson

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import iso
from aiservice.principal import Person
from aiservice.services.audit_chain import Damage, beginning, faults, missing
from aiservice.services.audit_entry import Entry, entry_of, record, sign, take_pending
from aiservice.services.request_log import csv_line
from aiservice.services.rights import needs
from aiservice.services.vault import Vault
from aiservice.store import audit as store
from aiservice.store.session import AsyncSession, Database

CSV_COLUMNS = ("number", "at", "actor", "actor_id", "address", "action", "subject", "before", "after")
MAX_ROWS = 500
FOREVER_US = 2**62
_BATCH = 1_000
_ANCHOR_DIGITS = 32

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class AuditFilter:
    """Which entries are asked for; an empty field means any. `action` may be a group: "key." is all of keys.

    `actor` is an id or an e-mail address. Made in [start_us, end_us), microseconds UTC.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    start_us: int = 0
    end_us: int = FOREVER_US


@dataclass(slots=True, frozen=True)
class Verdict:
    """What `verify` found. `anchor` names the chain's end; keep it elsewhere for a later `verify`. `deleted`:
    up to which number entries were deleted for their age."""

    entries: int
    anchor: str
    damage: tuple[Damage, ...]
    deleted: int = 0


class Audit:
    """Signs and stores what `record` was told; shows and verifies it, to admins alone."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self.record = record
        db.before_commit(self._append)

    async def _append(self, session: AsyncSession) -> None:
        """The last work of a unit of work: the chain's end is held for no longer than it takes."""
        pending = take_pending(session)
        if not pending:
            return
        key = self._key()
        head = await store.head_for_update(session)
        if head.number == 0 and (found := await store.last(session)) is not None:
            log.error("ALERT: the end of the audit log was lost; it goes on behind entry %d.", found.number)
            head.number, head.mac = found.number, found.mac
        for entry in pending:
            entry.number, entry.previous = head.number + 1, head.mac
            entry.mac = sign(key, entry)
            head.number, head.mac = entry.number, entry.mac
            store.add(session, entry)
        await session.flush()

    @needs("audit.list")
    async def page(
        self, actor: Person, asked: AuditFilter, limit: int = 50, before: str = ""
    ) -> tuple[list[Entry], str]:
        """Entries, newest first, from behind the cursor `before` on, and the next cursor ("" at the end).

        Raises:
            PermissionDenied: the actor is no admin. InvalidRequest: `before` is no cursor of ours.
        """
        if before and not (before.isascii() and before.isdecimal() and len(before) < 19):
            raise InvalidRequest("That is no place in the audit log.", param="before")
        count = max(1, min(limit, MAX_ROWS))
        async with self._db.read() as session:
            rows = await store.page(session, *_query(asked), int(before) if before else None, count + 1)
        return [entry_of(row) for row in rows[:count]], str(rows[count - 1].number) if len(rows) > count else ""

    @needs("audit.list")
    async def names(self, actor: Person, ids: Collection[str]) -> dict[str, str]:
        """What the subjects of entries are called now, by id; what is gone has no name. Raises: PermissionDenied."""
        async with self._db.read() as session:
            return await store.names(session, ids)

    @needs("audit.list")
    async def actions(self, actor: Person) -> list[str]:
        """Every action that the log holds, by name. Raises: PermissionDenied."""
        async with self._db.read() as session:
            return await store.actions(session)

    @needs("audit.export")
    async def export_csv(self, actor: Person, asked: AuditFilter) -> AsyncIterator[str]:
        """The entries as lines of CSV (RFC 4180), the header first, newest first. Raises: PermissionDenied."""
        return self._lines(asked)

    @needs("audit.export")
    async def export_json(self, actor: Person, asked: AuditFilter) -> AsyncIterator[str]:
        """The entries as one JSON array, newest first, an entry a line. Raises: PermissionDenied."""
        return self._json_lines(asked)

    async def _json_lines(self, asked: AuditFilter) -> AsyncIterator[str]:
        before: int | None = None
        mark = "[\n"
        while True:
            async with self._db.read() as session:
                rows = await store.page(session, *_query(asked), before, _BATCH)
            for row in rows:
                told = {**asdict(entry_of(row)), "at": iso(row.at_us)}
                yield mark + orjson.dumps(told).decode()
                mark = ",\n"
            if len(rows) < _BATCH:
                break
            before = rows[-1].number
        yield "[]\n" if mark == "[\n" else "\n]\n"

    @needs("audit.verify")
    async def verified(self, actor: Person) -> Verdict:
        """What `verify` finds, for who may know. Raises: PermissionDenied, Overloaded."""
        return await self.verify()

    async def _lines(self, asked: AuditFilter) -> AsyncIterator[str]:
        yield csv_line(CSV_COLUMNS)
        before: int | None = None
        while True:
            async with self._db.read() as session:
                rows = await store.page(session, *_query(asked), before, _BATCH)
            for row in rows:
                at, told = iso(row.at_us), (row.actor, row.actor_id, row.address, row.action, row.subject)
                yield csv_line([str(row.number), at or "", *told, row.before, row.after])
            if len(rows) < _BATCH:
                return
            before = rows[-1].number

    async def verify(self, anchor: str = "") -> Verdict:
        """Looks at every entry of one moment. `anchor`, from the log or an earlier verdict, says what must be there.

        Raises:
            Overloaded: the vault is sealed.
            InvalidRequest: the anchor is none, or of an entry that was deleted for its age (`anchor_too_old`).
        """
        key, wanted = self._key(), _read_anchor(anchor)
        async with self._db.read() as session:
            head = await store.head(session)
            first = beginning(key, await store.checkpoint(session))
            if wanted is not None and wanted[0] <= first.number:
                raise InvalidRequest(
                    f"Entries up to {first.number} were deleted for their age. Take a newer anchor.",
                    code="anchor_too_old",
                    param="anchor",
                )
            damage = [Damage(None, "where the log begins was altered")] if first.is_altered else []
            count, expected, previous = 0, first.number + 1, first.mac
            while rows := await store.after(session, expected - 1, _BATCH):
                for row in rows:
                    damage += faults(key, row, expected, previous)
                    if wanted is not None and row.number == wanted[0] and not row.mac.hex().startswith(wanted[1]):
                        damage.append(Damage(row.number, "it is not the one of the anchor; the log was written anew"))
                    count, expected, previous = count + 1, row.number + 1, row.mac
                session.expunge_all()
        stands = head.number if head is not None else 0
        if stands >= expected:
            damage.append(missing(expected, stands))
        elif stands < expected - 1:
            damage.append(Damage(None, f"the chain's end was set back from {expected - 1} to {stands}"))
        elif head is not None and head.mac != previous:
            damage.append(Damage(None, "the chain's end was altered"))
        if wanted is not None and wanted[0] >= expected:
            damage.append(missing(expected, wanted[0]))
        first_of_each = {each.number or each.what: each for each in reversed(damage)}
        return Verdict(count, _anchor(expected - 1, previous), tuple(reversed(first_of_each.values())), first.number)

    async def anchor(self) -> str:
        """The chain's end, as `verify` takes it."""
        async with self._db.read() as session:
            head = await store.head(session)
        return _anchor(0, b"") if head is None else _anchor(head.number, head.mac)

    async def tell_anchor(self) -> None:
        """Writes to the server's own log where the chain stands; a job for once an hour."""
        log.info("The audit log stands at %s (audit verify --anchor takes that).", await self.anchor())

    async def latest_of(self, actions: Sequence[str]) -> list[Entry]:
        """For each subject the newest entry of these actions."""
        async with self._db.read() as session:
            return [entry_of(row) for row in await store.latest_of(session, actions)]

    def _key(self) -> bytes:
        return self._vault.derive(b"audit chain v1")


def _anchor(number: int, mac: bytes) -> str:
    return f"{number}:{mac.hex()[:_ANCHOR_DIGITS]}"


def _read_anchor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    number, _, digits = text.partition(":")
    if not (number.isascii() and number.isdecimal() and len(number) < 19 and len(digits) in (0, _ANCHOR_DIGITS)):
        raise InvalidRequest("An anchor is a number, a colon and 32 digits, as the log has it.", param="anchor")
    return int(number), digits.lower()


def _query(asked: AuditFilter) -> tuple[dict[str, str], tuple[int, int]]:
    return {name: getattr(asked, name) for name in ("actor", "action", "subject")}, (asked.start_us, asked.end_us)

"""One write of stored terms, in one transaction: row, version, entry in the audit log, and the news of it."""

from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.routing_history import Json, Place, keep_version
from aiservice.store import connections as connection_store
from aiservice.store import preferences as store
from aiservice.store.session import AsyncSession
from aiservice.tables import Preference


def said_by(row: Preference) -> Json:
    """The terms that a row holds, as JSON."""
    return {**(row.terms or {}), **({"order": list(row.chain)} if row.chain else {})}


class PreferenceWriting:
    """Writes for one actor within one unit of work."""

    def __init__(self, session: AsyncSession, changes: ChangeFeed, actor: Person) -> None:
        self._session = session
        self._changes = changes
        self._actor = actor

    async def put(
        self, scope: str, subject: str, task: str, said: Json | None, reverted_to: int | None = None
    ) -> Preference | None:
        """Stores `said` (None: nothing any more) in place of what is stored; the row, if there is one now."""
        session = self._session
        row = await store.find(session, scope, subject, task)
        before = None if row is None else said_by(row)
        if before == said:
            return row
        action = "preference.clear" if said is None else "preference.set"
        told = [None if each is None else {"task": task, **each} for each in (before, said)]
        record(session, self._actor, action, subject, before=told[0], after=told[1])
        await keep_version(session, self._actor, Place("terms", scope, subject, task), (before, said), reverted_to)
        self._changes.publish(session, "preference", subject)
        if said is None:
            await session.delete(row)
            return None
        if row is None:
            client_id = subject if scope == "client" else None
            row = Preference(id=new_id("prf"), scope=scope, subject=subject, client_id=client_id, task=task, chain=[])
            session.add(row)
        _fill(row, said)
        return row


async def forget_connection(session: AsyncSession, changes: ChangeFeed, actor: Person, name: str) -> None:
    """Takes the connection `name`, which is about to go, out of all orders and `ignore`s, unless another of that kind
    is meant as well. An `only` keeps it: without it, it would let everything in."""
    others = [row for row in await connection_store.everything(session) if row.name != name]
    if any(row.kind == name for row in others):
        return
    writing = PreferenceWriting(session, changes, actor)
    for row in await store.everything(session):
        said = said_by(row)
        left = {**said}
        for field in ("order", "ignore"):
            if field in said:
                left[field] = [entry for entry in said[field] if entry.partition(":")[0] != name]
                if not left[field]:
                    del left[field]
        if left != said:
            await writing.put(row.scope, row.subject or row.client_id or "", row.task, left or None)


def _fill(row: Preference, said: Json) -> None:
    """A client's order stands where the release before looks for it."""
    is_client = row.scope == "client"
    terms = {name: value for name, value in said.items() if not (is_client and name == "order")}
    row.chain = list(said.get("order", ())) if is_client else []
    row.terms = terms or None
    row.updated_us = now_us()

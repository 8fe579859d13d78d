"""Stored preferences: an ordered fallback chain per client and task. First usable entry wins."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import owner_scope, visible_client
from aiservice.services.connection_rules import is_model_name
from aiservice.services.names import shown, suggestion
from aiservice.services.reload import Reload
from aiservice.store import connections as connection_store
from aiservice.store import preferences as store
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Client, Preference
from aiservice.tasks import registry

Names = list[str]
ANY_TASK = "*"
MAX_ENTRIES = 10
MAX_STORED = 100_000

Chain = tuple[str, ...]


@dataclass(slots=True, frozen=True)
class PreferenceView:
    """A stored chain; `task` may be "*" (any task without a chain of its own)."""

    client_id: str
    client: str
    task: str
    chain: Chain
    updated_us: int


class Preferences:
    """Developers see and change the chains of clients they own, admins everybody's."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self._chains: dict[str, dict[str, Chain]] = {}
        self._stale: set[str] = set()
        self._turn = asyncio.Lock()  # an older read must not overwrite a newer one
        self._reload = Reload(self._refresh_stale)
        changes.subscribe(self._on_change)

    # What routing reads

    def chain_for(self, client_id: str, task: str) -> Chain | None:
        """The client's chain for `task`, else its chain for any task, else None."""
        chains = self._chains.get(client_id)
        if chains is None:
            return None
        return chains.get(task) or chains.get(ANY_TASK)

    async def refresh(self) -> None:
        """Reads all chains anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._turn:
            self._stale.clear()
            async with self._db.read() as session:
                rows = await store.chains(session, None, MAX_STORED)
            self._chains = {}
            self._keep(rows)

    async def _refresh_stale(self) -> None:
        async with self._turn:
            wanted, self._stale = self._stale, set()
            try:
                async with self._db.read() as session:
                    rows = await store.chains(session, wanted, MAX_STORED)
            except DATABASE_ERRORS:
                self._stale |= wanted
                raise
            for client_id in wanted:
                self._chains.pop(client_id, None)
            self._keep(rows)

    def _keep(self, rows: Sequence[store.Chain]) -> None:
        for client_id, task, chain in rows:
            self._chains.setdefault(client_id, {})[task] = tuple(chain)

    def _on_change(self, kind: str, subject: str) -> None:
        if kind == "preference":
            self._stale.add(subject)
            self._reload.request()

    # What people do

    async def set(self, actor: Person, client: str, task: str, chain: Names) -> PreferenceView:
        """Stores the chain for the client's `task`, in place of the one before.

        Raises:
            NotFound: no such client, or not the actor's.
            Unprocessable: an unknown task or connection (named, with the nearest), a repeated or empty entry,
                more than 10 of them, or a connection that the client may not use.
        """
        _check_task(task)
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            owner = await visible_client(session, actor, client)
            await _check_chain(session, owner, chain)
            row = await store.find(session, owner.id, task)
            if row is None:
                await self._check_room(session)
                row = Preference(id=new_id("prf"), client_id=owner.id, task=task, chain=chain, updated_us=0)
                session.add(row)
            before = None if not row.updated_us else {"task": task, "chain": row.chain}
            record(session, actor, "preference.set", owner.id, before=before, after={"task": task, "chain": chain})
            row.chain = list(chain)
            row.updated_us = now_us()
            self._changes.publish(session, "preference", owner.id)
            stored = _view(row, owner.name)
        await self._read_again(owner.id)
        return stored

    async def list(self, actor: Person, client: str | None = None) -> Sequence[PreferenceView]:
        """The stored chains of one client, or of all the actor may see.

        Raises:
            NotFound: no such client, or not the actor's.
        """
        async with self._db.read() as session:
            client_id = None if client is None else (await visible_client(session, actor, client)).id
            return [_view(row, name) for row, name in await store.listed(session, owner_scope(actor), client_id)]

    async def clear(self, actor: Person, client: str, task: str | None = None) -> int:
        """Removes the client's chain for `task`, or all of its chains; returns how many there were.

        Raises:
            NotFound: no such client, or not the actor's.
            Unprocessable: an unknown task.
        """
        if task is not None:
            _check_task(task)
        async with self._db.write() as session:
            owner = await visible_client(session, actor, client)
            removed = await store.remove(session, owner.id, task)
            record(session, actor, "preference.clear", owner.id, before={"task": task or "all"})
            self._changes.publish(session, "preference", owner.id)
        await self._read_again(owner.id)
        return removed

    async def _read_again(self, client_id: str) -> None:
        self._stale.add(client_id)
        await self._refresh_stale()

    async def _check_room(self, session: AsyncSession) -> None:
        if await store.count(session) >= MAX_STORED:
            raise Unprocessable(f"There are {MAX_STORED} stored preferences already; clear some.", code="too_many")


def _check_task(task: str) -> None:
    known = registry()
    if task != ANY_TASK and task not in known:
        raise Unprocessable(
            f"'{shown(task)}' is not a task.{suggestion(task, known)} '*' stands for any task.",
            code="unknown_task",
            param="task",
        )


async def _check_chain(session: AsyncSession, client: Client, chain: list[str]) -> None:
    if not chain:
        raise _invalid("The chain is empty. Name at least one connection, or clear the preference instead.")
    if len(chain) > MAX_ENTRIES:
        raise _invalid(f"A chain has at most {MAX_ENTRIES} entries, this one has {len(chain)}.")
    if len(set(chain)) != len(chain):
        repeated = next(entry for place, entry in enumerate(chain) if entry in chain[:place])
        raise _invalid(f"'{shown(repeated)}' is in the chain twice.")
    usable = {row.name: row for row in await connection_store.usable_by_client(session, client.id)}
    for entry in chain:
        name, colon, model = entry.partition(":")
        if colon and not is_model_name(model):
            raise _invalid(
                f"'{shown(entry)}' has no valid model after the colon. Write connection or connection:model."
            )
        if name not in usable:
            message = f"There is no provider connection '{shown(name)}'.{suggestion(name, usable)}"
            raise Unprocessable(message, code="connection_not_found", param="order")
        is_own = usable[name].owner_client_id == client.id
        if client.allowed_connections is not None and name not in client.allowed_connections and not is_own:
            message = f"The client '{client.name}' may not use the connection '{name}'."
            raise Unprocessable(message, code="connection_not_allowed", param="order")


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_chain", param="order")


def _view(row: Preference, client: str) -> PreferenceView:
    return PreferenceView(row.client_id, client, row.task, tuple(row.chain), row.updated_us)

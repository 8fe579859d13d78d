"""What clients and keys may use, as people set it. The gateway's side is `services/limiter.py`.

An admin limits clients; whoever manages a client limits its keys, within the client's own limits. A change reaches
every worker like any edit of a key: through the change feed, which drops the cached principals.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiservice.errors import PermissionDenied
from aiservice.principal import Person
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.limit_names import Amounts, changed, check_within, without
from aiservice.services.managed_keys import managed_key
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey


@dataclass(slots=True, frozen=True)
class StoredLimits:
    """The limits of one key or client (`scope`), by name (`services/limit_names.py`); `of_client` are those of a key's
    client, which hold for all its keys together."""

    scope: str
    id: str
    name: str
    client: str
    amounts: dict[str, int]
    of_client: dict[str, int]


class Limits:
    """Reads and changes stored limits."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    async def of_key(self, actor: Person, key: str) -> StoredLimits:
        """The limits of a key, by its id or public id.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        async with self._db.read() as session:
            return _of_key(*await managed_key(session, actor, key, to_change=False))

    async def of_client(self, actor: Person, client: str) -> StoredLimits:
        """The limits of a client, by its name or id.

        Raises:
            NotFound: no such client, or it is not the actor's.
        """
        async with self._db.read() as session:
            return _of_client(await visible_client(session, actor, client))

    async def set_key(self, actor: Person, key: str, amounts: Amounts) -> StoredLimits:
        """Sets the limits that `amounts` names and leaves the others.

        Raises:
            NotFound: as in `of_key`.
            PermissionDenied: wider than the client's own (`wider_than_client`).
            Unprocessable: a name or an amount that is none.
        """
        async with self._db.write() as session:
            row, client = await managed_key(session, actor, key)
            check_within(amounts, client.limits)
            row.limits = changed(row.limits, amounts)
            return self._key_changed(session, row, client)

    async def clear_key(self, actor: Person, key: str, names: Iterable[str] | None = None) -> StoredLimits:
        """Takes limits away: those named, or all.

        Raises:
            NotFound: as in `of_key`.
            Unprocessable: a name that is none.
        """
        async with self._db.write() as session:
            row, client = await managed_key(session, actor, key)
            row.limits = None if names is None else without(row.limits, [*names])
            return self._key_changed(session, row, client)

    async def set_client(self, actor: Person, client: str, amounts: Amounts) -> StoredLimits:
        """As `set_key`, for a client.

        Raises:
            NotFound: as in `of_client`.
            PermissionDenied: the actor is no admin.
            Unprocessable: a name or an amount that is none.
        """
        async with self._db.write() as session:
            row = await _client_of_admin(session, actor, client)
            row.limits = changed(row.limits, amounts)
            self._changes.publish(session, "client", row.id)
            return _of_client(row)

    async def clear_client(self, actor: Person, client: str, names: Iterable[str] | None = None) -> StoredLimits:
        """As `clear_key`, for a client; raises as `set_client`."""
        async with self._db.write() as session:
            row = await _client_of_admin(session, actor, client)
            row.limits = None if names is None else without(row.limits, [*names])
            self._changes.publish(session, "client", row.id)
            return _of_client(row)

    def _key_changed(self, session: AsyncSession, row: ClientKey, client: Client) -> StoredLimits:
        self._changes.publish(session, "key", row.id)
        return _of_key(row, client)


async def _client_of_admin(session: AsyncSession, actor: Person, client: str) -> Client:
    row = await visible_client(session, actor, client)
    if not actor.is_admin:
        raise PermissionDenied("Only an admin may limit a client.", code="admin_only")
    return row


def _of_key(row: ClientKey, client: Client) -> StoredLimits:
    return StoredLimits("key", row.id, row.name, client.name, dict(row.limits or {}), dict(client.limits or {}))


def _of_client(row: Client) -> StoredLimits:
    return StoredLimits("client", row.id, row.name, row.name, dict(row.limits or {}), {})

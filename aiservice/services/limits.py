"""What keys, clients and teams may use, as people set it. The gateway's side is `services/limiter.py`.

An admin limits clients and teams; whoever manages a client limits its keys, within the client's own limits. All limits
hold, so the narrowest decides. A change reaches every worker like any edit of a key: through the change feed, which
drops the cached principals.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed, Kind
from aiservice.services.clients import visible_client
from aiservice.services.limit_names import Amounts, changed, check_within, without
from aiservice.services.managed_keys import managed_key
from aiservice.services.rights import needs
from aiservice.services.teams import visible_team
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey, Team

_KINDS: dict[type[ClientKey | Client | Team], Kind] = {ClientKey: "key", Client: "client", Team: "team"}


@dataclass(slots=True, frozen=True)
class StoredLimits:
    """The limits of one key, client or team (`scope`), by name (`services/limit_names.py`); `of_client` are those of
    a key's client, which hold for all its keys together."""

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

    @needs("limit.get")
    async def of_key(self, actor: Person, key: str) -> StoredLimits:
        """The limits of a key, by its id or public id.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        async with self._db.read() as session:
            return _of_key(*await managed_key(session, actor, key, "limit.get", to_change=False))

    @needs("limit.get")
    async def of_client(self, actor: Person, client: str) -> StoredLimits:
        """The limits of a client, by its name or id.

        Raises:
            NotFound: no such client, or it is not the actor's.
        """
        async with self._db.read() as session:
            return _of_client(await visible_client(session, actor, client))

    @needs("key.limits")
    async def set_key(self, actor: Person, key: str, amounts: Amounts) -> StoredLimits:
        """Sets the limits that `amounts` names and leaves the others.

        Raises:
            NotFound: as in `of_key`.
            PermissionDenied: wider than the client's own (`wider_than_client`).
            Unprocessable: a name or an amount that is none.
        """
        async with self._db.write() as session:
            row, client = await managed_key(session, actor, key, "key.limits")
            check_within(amounts, client.limits)
            self._change(session, actor, row, changed(row.limits, amounts))
            return _of_key(row, client)

    @needs("key.limits")
    async def clear_key(self, actor: Person, key: str, names: Iterable[str] | None = None) -> StoredLimits:
        """Takes limits away: those named, or all.

        Raises:
            NotFound: as in `of_key`.
            Unprocessable: a name that is none.
        """
        async with self._db.write() as session:
            row, client = await managed_key(session, actor, key, "key.limits")
            self._change(session, actor, row, None if names is None else without(row.limits, [*names]))
            return _of_key(row, client)

    @needs("client.limits")
    async def set_client(self, actor: Person, client: str, amounts: Amounts) -> StoredLimits:
        """As `set_key`, for a client.

        Raises:
            NotFound: as in `of_client`.
            PermissionDenied: the actor is no admin.
            Unprocessable: a name or an amount that is none.
        """
        async with self._db.write() as session:
            row = await visible_client(session, actor, client)
            self._change(session, actor, row, changed(row.limits, amounts))
            return _of_client(row)

    @needs("client.limits")
    async def clear_client(self, actor: Person, client: str, names: Iterable[str] | None = None) -> StoredLimits:
        """As `clear_key`, for a client; raises as `set_client`."""
        async with self._db.write() as session:
            row = await visible_client(session, actor, client)
            self._change(session, actor, row, None if names is None else without(row.limits, [*names]))
            return _of_client(row)

    @needs("limit.get")
    async def of_team(self, actor: Person, team: str) -> StoredLimits:
        """The limits of a team, by its name or id.

        Raises:
            NotFound: no such team, or no client of the actor's is in it.
        """
        async with self._db.read() as session:
            return _of_team(await visible_team(session, actor, team))

    @needs("team.limits")
    async def set_team(self, actor: Person, team: str, amounts: Amounts) -> StoredLimits:
        """As `set_client`, for a team; raises the same."""
        async with self._db.write() as session:
            row = await visible_team(session, actor, team)
            self._change(session, actor, row, changed(row.limits, amounts))
            return _of_team(row)

    @needs("team.limits")
    async def clear_team(self, actor: Person, team: str, names: Iterable[str] | None = None) -> StoredLimits:
        """As `clear_key`, for a team; raises as `set_team`."""
        async with self._db.write() as session:
            row = await visible_team(session, actor, team)
            self._change(session, actor, row, None if names is None else without(row.limits, [*names]))
            return _of_team(row)

    def _change(
        self, session: AsyncSession, actor: Person, row: ClientKey | Client | Team, limits: dict[str, int] | None
    ) -> None:
        kind = _KINDS[type(row)]
        record(session, actor, f"{kind}.limits", row.id, before=row.limits or {}, after=limits or {})
        row.limits = limits
        self._changes.publish(session, kind, row.id)


def _of_key(row: ClientKey, client: Client) -> StoredLimits:
    return StoredLimits("key", row.id, row.name, client.name, dict(row.limits or {}), dict(client.limits or {}))


def _of_client(row: Client) -> StoredLimits:
    return StoredLimits("client", row.id, row.name, row.name, dict(row.limits or {}), {})


def _of_team(row: Team) -> StoredLimits:
    return StoredLimits("team", row.id, row.name, "", dict(row.limits or {}), {})

"""SQL of clients' keys and their secrets."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import JSON, Boolean, ColumnElement, Select, bindparam, func, literal_column, or_, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey, KeySecret, User, metadata


class Credential(NamedTuple):
    """A secret with all that decides whether and for what it is good.

    For an unknown public id every field is None: the answer takes the same time and form as for a known one.
    """

    public_id: str | None
    digest: bytes | None
    pepper_version: int | None
    secret_expires_us: int | None
    secret_revoked_us: int | None
    key_id: str
    is_test: bool
    key_expires_us: int | None
    key_revoked_us: int | None
    leaked_us: int | None
    creator_id: str | None
    key_scopes: list[str] | None
    key_networks: list[str] | None
    key_connections: list[str] | None
    key_models: list[str] | None
    key_limits: dict[str, int] | None
    token_version: int
    client_id: str
    client_name: str
    owner_id: str | None
    client_scopes: list[str] | None
    client_networks: list[str] | None
    client_connections: list[str] | None
    client_models: list[str] | None
    client_limits: dict[str, int] | None
    client_weight: int
    is_client_disabled: bool
    team_id: str | None
    team_name: str | None
    team_connections: list[str] | None
    team_models: list[str] | None
    team_limits: dict[str, int] | None
    is_owner_disabled: bool | None
    creator_role: str | None
    is_creator_disabled: bool | None
    secret_created_us: int | None
    has_budgets: bool
    is_decoy: bool | None
    sanction: dict[str, Any] | None
    keeps_payloads: bool | None


_secret, _key, _client, _team, _person = (
    metadata.tables[name] for name in ("key_secret", "client_key", "client", "team", "person")
)
_creator = _person.alias("creator")
_budget = metadata.tables["budget"]
_CREDENTIAL = (
    select(
        _secret.c.public_id,
        _secret.c.digest,
        _secret.c.pepper_version,
        _secret.c.expires_us,
        _secret.c.revoked_us,
        _key.c.id,
        _key.c.is_test,
        _key.c.expires_us,
        _key.c.revoked_us,
        _key.c.leaked_us,
        _key.c.creator_id,
        _key.c.scopes,
        _key.c.allowed_networks,
        _key.c.allowed_connections,
        _key.c.allowed_models,
        _key.c.limits,
        _key.c.token_version,
        _client.c.id,
        _client.c.name,
        _client.c.owner_id,
        _client.c.allowed_scopes,
        _client.c.allowed_networks,
        _client.c.allowed_connections,
        _client.c.allowed_models,
        _client.c.limits,
        _client.c.weight,
        _client.c.is_disabled,
        _team.c.id,
        _team.c.name,
        _team.c.allowed_connections,
        _team.c.allowed_models,
        _team.c.limits,
        _person.c.is_disabled,
        _creator.c.role,
        _creator.c.is_disabled,
        _secret.c.created_us,
        select(_budget.c.id)
        .where(_budget.c.subject.in_([_key.c.id, _client.c.id, _team.c.id]))
        .exists()
        .label("has_budgets"),
        _key.c.is_decoy,
        _client.c.sanction,
        _client.c.keeps_payloads,
    )
    .select_from(select(literal_column("1").label("one")).subquery())
    .outerjoin(_secret, _secret.c.public_id == bindparam("public_id"))
    .outerjoin(_key, _key.c.id == _secret.c.key_id)
    .outerjoin(_client, _client.c.id == _key.c.client_id)
    .outerjoin(_team, _team.c.id == _client.c.team_id)
    .outerjoin(_person, _person.c.id == _client.c.owner_id)
    .outerjoin(_creator, _creator.c.id == _key.c.creator_id)
)


_CREDENTIAL_SQLITE = str(_CREDENTIAL.compile(dialect=sqlite.dialect()))
_CREDENTIAL_TYPES = [column.type for column in _CREDENTIAL.selected_columns]
_SECRET_USED = "UPDATE key_secret SET last_used_us = %s WHERE public_id = %s AND coalesce(last_used_us, 0) < %s"
_KEY_USED = (
    "UPDATE client_key SET last_used_us = %s WHERE id = (SELECT key_id FROM key_secret WHERE public_id = %s) "
    "AND coalesce(last_used_us, 0) < %s"
)


async def credential(db: Database, public_id: str) -> Credential:
    """Everything about one secret, in one indexed query that gives one row whether the secret exists or not."""
    if db.is_sqlite:
        row = await db.read_at_once(lambda connection: connection.execute(_CREDENTIAL_SQLITE, (public_id,)).fetchone())
        return Credential._make(_plain(column, value) for column, value in zip(_CREDENTIAL_TYPES, row, strict=True))
    async with db.read() as session:
        connection = await session.connection()
        return Credential._make((await connection.execute(_CREDENTIAL, {"public_id": public_id})).one())


def _plain(kind: TypeEngine[Any], value: Any) -> Any:
    """A value of SQLite's driver as the one that the column stands for."""
    if value is None:
        return None
    if isinstance(kind, JSON):
        return orjson.loads(value)
    return bool(value) if isinstance(kind, Boolean) else value


async def key(session: AsyncSession, key_or_public_id: str, *, to_change: bool) -> tuple[ClientKey, Client] | None:
    """A key with its client, by the key's id or the public id of any of its secrets; locked `to_change` it, where rows
    can be."""
    of_secret = select(col(KeySecret.key_id)).where(col(KeySecret.public_id) == key_or_public_id)
    query = (
        select(ClientKey, Client)
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(or_(col(ClientKey.id) == key_or_public_id, col(ClientKey.id).in_(of_secret)))
    )
    if to_change:
        query = query.with_for_update(of=ClientKey)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


class Scope(NamedTuple):
    """Which keys: of one client, of one owner's clients, that work and were not used since then, that are older than
    the one of that id; None is all."""

    client_id: str | None
    owner_id: str | None
    unused_since_us: int | None = None
    older_than_id: str | None = None


async def keys(
    session: AsyncSession, scope: Scope, first: int = 0, limit: int | None = None
) -> list[tuple[ClientKey, Client]]:
    """Keys with their clients, newest first, from the `first` (0 is the newest) on."""
    query = select(ClientKey, Client).join(Client, col(Client.id) == col(ClientKey.client_id))
    query = query.where(*_within(scope)).order_by(col(ClientKey.id).desc()).offset(first).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def limitable(
    session: AsyncSession, owner_id: str | None, now_us: int, most: int
) -> list[tuple[str, str, str, dict[str, int] | None]]:
    """(id, name, its client's name, limits) of keys that work: those with limits first, then the newest; of one owner's
    clients. Each of the two has an index in whose order it is read: to sort them would be to read every key."""
    found: list[tuple[str, str, str, dict[str, int] | None]] = []
    for is_limited in (True, False):
        if len(found) < most:
            rows = await session.execute(limitable_query(owner_id, now_us, most - len(found), is_limited=is_limited))
            found += [(row[0], row[1], row[2], row[3]) for row in rows]
    return found


def limitable_query(
    owner_id: str | None, now_us: int, most: int, *, is_limited: bool
) -> Select[str, str, str, dict[str, int] | None]:
    """The half of `limitable` that has limits, or the half that has none."""
    query = select(col(ClientKey.id), col(ClientKey.name), col(Client.name), col(ClientKey.limits))
    query = query.join(Client, col(Client.id) == col(ClientKey.client_id)).where(
        *_within(Scope(None, owner_id)),
        col(ClientKey.limits).is_not(None) if is_limited else col(ClientKey.limits).is_(None),
        col(ClientKey.revoked_us).is_(None),
        or_(col(ClientKey.expires_us).is_(None), col(ClientKey.expires_us) > now_us),
    )
    return query.order_by(col(ClientKey.id).desc()).limit(most)


async def key_count(session: AsyncSession, scope: Scope) -> int:
    """How many keys there are."""
    query = select(func.count()).select_from(ClientKey).join(Client, col(Client.id) == col(ClientKey.client_id))
    return await session.scalar(query.where(*_within(scope))) or 0


async def stopped(session: AsyncSession, key_ids: Sequence[str]) -> set[str]:
    """Those of `key_ids` whose maker may not use their client: neither owns it nor is an admin, or is disabled."""
    query = (
        select(col(ClientKey.id))
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .outerjoin(User, col(User.id) == col(ClientKey.creator_id))
        .where(
            col(ClientKey.id).in_(key_ids),
            col(ClientKey.creator_id).is_not(None),
            col(Client.owner_id).is_distinct_from(col(ClientKey.creator_id)),
            or_(col(User.id).is_(None), col(User.role) != "admin", col(User.is_disabled)),
        )
    )
    return set(await session.scalars(query))


def _within(scope: Scope) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if scope.client_id is not None:
        found.append(col(ClientKey.client_id) == scope.client_id)
    if scope.owner_id is not None:
        found.append(col(Client.owner_id) == scope.owner_id)
    if scope.unused_since_us is not None:
        found.append(func.coalesce(ClientKey.last_used_us, ClientKey.created_us) < scope.unused_since_us)
        found += [col(ClientKey.revoked_us).is_(None), col(ClientKey.is_decoy).is_(False)]
    if scope.older_than_id is not None:
        found.append(col(ClientKey.id) < scope.older_than_id)
    return found


async def live_secrets(session: AsyncSession, key_ids: Sequence[str], now_us: int) -> list[KeySecret]:
    """The secrets of `key_ids` that are neither revoked nor expired, oldest first."""
    query = select(KeySecret).where(
        col(KeySecret.key_id).in_(key_ids),
        col(KeySecret.revoked_us).is_(None),
        or_(col(KeySecret.expires_us).is_(None), col(KeySecret.expires_us) > now_us),
    )
    return list(await session.scalars(query.order_by(col(KeySecret.created_us), col(KeySecret.public_id))))


async def secrets_with_copy(session: AsyncSession, ended_before_us: int | None) -> list[KeySecret]:
    """The secrets of which there is a sealed copy; those alone that had ended by then, where a time is given."""
    query = select(KeySecret).join(ClientKey, col(ClientKey.id) == col(KeySecret.key_id))
    query = query.where(col(KeySecret.copy_owner_id).is_not(None))
    if ended_before_us is not None:
        is_over = [col(at) <= ended_before_us for at in (KeySecret.expires_us, ClientKey.expires_us)]
        is_revoked = [col(at).is_not(None) for at in (KeySecret.revoked_us, ClientKey.revoked_us)]
        query = query.where(or_(*is_over, *is_revoked))
    return list(await session.scalars(query))


async def add_key(session: AsyncSession, row: ClientKey, secret: KeySecret) -> None:
    """A key with its first secret."""
    session.add(row)
    await session.flush()
    session.add(secret)


async def add_secret(session: AsyncSession, secret: KeySecret) -> None:
    """Another secret of a key."""
    session.add(secret)


async def write_last_used(db: Database, used_us: Mapping[str, int]) -> None:
    """Moves last-used times of secrets (by public id) and of their keys forward, never back. A unit of work of its own,
    of two statements."""
    if db.is_sqlite:
        values = [(at_us, public_id, at_us) for public_id, at_us in used_us.items()]

        def write(connection: sqlite3.Connection) -> None:
            for statement in (_SECRET_USED, _KEY_USED):
                connection.executemany(statement % ("?", "?", "?"), values)

        await db.write_at_once(write)
        return
    rows = [{"used_id": public_id, "at": at_us} for public_id, at_us in used_us.items()]
    async with db.write() as session:
        connection = await session.connection()
        for statement in (_SECRET_USED, _KEY_USED):
            await connection.execute(text(statement % (":at", ":used_id", ":at")), rows)

"""SQL of clients' keys and their secrets."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import JSON, Boolean, ColumnElement, bindparam, func, literal_column, or_, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey, KeySecret, metadata


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
    scopes: list[str] | None
    key_connections: list[str] | None
    key_models: list[str] | None
    key_limits: dict[str, int] | None
    token_version: int
    client_id: str
    client_name: str
    owner_id: str | None
    client_connections: list[str] | None
    client_models: list[str] | None
    client_limits: dict[str, int] | None
    is_client_disabled: bool
    is_owner_disabled: bool | None


_secret, _key, _client, _person = (metadata.tables[name] for name in ("key_secret", "client_key", "client", "person"))
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
        _key.c.scopes,
        _key.c.allowed_connections,
        _key.c.allowed_models,
        _key.c.limits,
        _key.c.token_version,
        _client.c.id,
        _client.c.name,
        _client.c.owner_id,
        _client.c.allowed_connections,
        _client.c.allowed_models,
        _client.c.limits,
        _client.c.is_disabled,
        _person.c.is_disabled,
    )
    .select_from(select(literal_column("1").label("one")).subquery())
    .outerjoin(_secret, _secret.c.public_id == bindparam("public_id"))
    .outerjoin(_key, _key.c.id == _secret.c.key_id)
    .outerjoin(_client, _client.c.id == _key.c.client_id)
    .outerjoin(_person, _person.c.id == _client.c.owner_id)
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


async def keys(
    session: AsyncSession, client_id: str | None, owner_id: str | None, first: int = 0, limit: int | None = None
) -> list[tuple[ClientKey, Client]]:
    """Keys with their clients, newest first, from the `first` (0 is the newest) on; of one client and of one owner's
    clients where given."""
    query = select(ClientKey, Client).join(Client, col(Client.id) == col(ClientKey.client_id))
    query = query.where(*_mine(client_id, owner_id)).order_by(col(ClientKey.id).desc()).offset(first).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def key_count(session: AsyncSession, owner_id: str | None) -> int:
    """How many keys there are, of one owner's clients where given."""
    query = select(func.count()).select_from(ClientKey).join(Client, col(Client.id) == col(ClientKey.client_id))
    return await session.scalar(query.where(*_mine(None, owner_id))) or 0


def _mine(client_id: str | None, owner_id: str | None) -> list[ColumnElement[bool]]:
    of_client = [] if client_id is None else [col(ClientKey.client_id) == client_id]
    of_owner = [] if owner_id is None else [col(Client.owner_id) == owner_id]
    return [*of_client, *of_owner]


async def live_secrets(session: AsyncSession, key_ids: Sequence[str], now_us: int) -> list[KeySecret]:
    """The secrets of `key_ids` that are neither revoked nor expired, oldest first."""
    query = select(KeySecret).where(
        col(KeySecret.key_id).in_(key_ids),
        col(KeySecret.revoked_us).is_(None),
        or_(col(KeySecret.expires_us).is_(None), col(KeySecret.expires_us) > now_us),
    )
    return list(await session.scalars(query.order_by(col(KeySecret.created_us), col(KeySecret.public_id))))


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

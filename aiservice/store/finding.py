"""Queries of the command palette: a few rows by name or id. `owner_id` narrows to that person's; None is all."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import col

from aiservice.tables import Client, ClientKey, Connection, KeySecret, LedgerEntry, User


class Row(NamedTuple):
    """Something found: its id, its name, and whose or what it is."""

    id: str
    name: str
    of: str


def _like(column: Mapped[str], text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


async def keys(session: AsyncSession, text: str, owner_id: str | None, most: int) -> list[Row]:
    """Keys whose name holds the text, or one of whose secrets has it as its public id; newest first."""
    of_secret = select(col(KeySecret.key_id)).where(col(KeySecret.public_id) == text)
    query = (
        select(col(ClientKey.id), col(ClientKey.name), col(Client.name))
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(or_(_like(col(ClientKey.name), text), col(ClientKey.id) == text, col(ClientKey.id).in_(of_secret)))
        .order_by(col(ClientKey.id).desc())
        .limit(most)
    )
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    return [Row(*row) for row in await session.execute(query)]


async def clients(session: AsyncSession, text: str, owner_id: str | None, most: int) -> list[Row]:
    """Clients whose name holds the text, with their owner's e-mail."""
    query = (
        select(col(Client.id), col(Client.name), func.coalesce(col(User.email), ""))
        .outerjoin(User, col(User.id) == col(Client.owner_id))
        .where(or_(_like(col(Client.name), text), col(Client.id) == text))
        .order_by(col(Client.name))
        .limit(most)
    )
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    return [Row(*row) for row in await session.execute(query)]


async def request(session: AsyncSession, request_id: str, owner_id: str | None) -> Row | None:
    """The request of that whole id."""
    query = select(col(LedgerEntry.request_id), col(LedgerEntry.request_id), col(Client.name)).join(
        Client, col(Client.id) == col(LedgerEntry.client_id)
    )
    query = query.where(col(LedgerEntry.request_id) == request_id)
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    row = (await session.execute(query.limit(1))).first()
    return None if row is None else Row(*row)


async def people(session: AsyncSession, text: str, most: int) -> list[Row]:
    """People whose e-mail holds the text."""
    query = select(col(User.id), col(User.email), col(User.role)).where(_like(col(User.email), text))
    return [
        Row(row[0], row[1], str(row[2])) for row in await session.execute(query.order_by(col(User.email)).limit(most))
    ]


async def connections(session: AsyncSession, text: str, most: int) -> list[Row]:
    """Provider connections whose name holds the text."""
    query = select(col(Connection.id), col(Connection.name), col(Connection.kind)).where(
        _like(col(Connection.name), text)
    )
    return [Row(*row) for row in await session.execute(query.order_by(col(Connection.name)).limit(most))]

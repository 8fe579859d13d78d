"""SQL of bodies that are kept sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import NamedTuple

from sqlalchemy import delete, func, select, tuple_
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.store.units import Steps
from aiservice.tables import Client, SealedBody, SealedSecret

PURPOSE = "client_body_key"
"""Of the data keys of clients, in the vault."""
_KEY = "SELECT revision FROM sealed_secret WHERE purpose = :purpose AND row_id = :client_id"
_NAMED = " FROM sealed_body WHERE client_id = :client_id AND kind = :kind AND id = :id"
_COLUMNS = ("client_id", "kind", "id", "key_revision", "sealed", "created_us", "expires_us")
_ANEW = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])
_ROWS_AT_ONCE = (32, *range(16, 0, -1))  # in one statement; few forms, so that each is prepared once


class NewBody(NamedTuple):
    """A body to be kept: the row of `SealedBody`, at a sixtieth of its cost."""

    client_id: str
    kind: str
    id: str
    key_revision: int
    sealed: bytes
    created_us: int
    expires_us: int


@dataclass(slots=True, frozen=True)
class FoundBody:
    """A body as it was found, with the revision of the data key that its client has now (None: no key)."""

    sealed: bytes
    key_revision: int
    expires_us: int
    current_revision: int | None


def key_revision_of(client_id: str) -> Steps[int | None]:
    """The revision of a client's data key; None where it has none."""
    rows = yield _KEY, {"purpose": PURPOSE, "client_id": client_id}
    return rows[0][0] if rows else None


def body_named(client_id: str, kind: str, body_id: str) -> Steps[FoundBody | None]:
    """A body; None where there is none."""
    given = {"client_id": client_id, "kind": kind, "id": body_id}
    rows = yield "SELECT sealed, key_revision, expires_us" + _NAMED, given
    if not rows:
        return None
    [(sealed, key_revision, expires_us)] = rows
    return FoundBody(sealed, key_revision, expires_us, (yield from key_revision_of(client_id)))


def put_body(row: NewBody, expires_us: int) -> Steps[None]:
    """Keeps a body in place of what had its name."""
    yield from _put([row._replace(expires_us=expires_us)])


def put_bodies(groups: Sequence[Sequence[NewBody]]) -> Steps[list[bool]]:
    """Keeps groups of bodies, each of one client and sealed under one data key. Of each, whether it is kept: not where
    that key has gone meanwhile."""
    current: dict[str, int | None] = {}
    kept, all_rows = [], dict[tuple[str, str, str], NewBody]()
    for rows in groups:
        client_id = rows[0].client_id
        if client_id not in current:
            current[client_id] = yield from key_revision_of(client_id)
        kept.append(current[client_id] == rows[0].key_revision)
        if kept[-1]:
            all_rows.update({row[:3]: row for row in rows})  # of two with one name the later
    yield from _put([*all_rows.values()])
    return kept


def remove_named(client_id: str, bodies: Iterable[tuple[str, str]]) -> Steps[None]:
    """Deletes bodies of a client: (kind, id) of each. Those that are not there are no fault."""
    for kind, body_id in bodies:
        yield "DELETE" + _NAMED, {"client_id": client_id, "kind": kind, "id": body_id}


def _put(rows: Sequence[NewBody]) -> Steps[None]:
    """Keeps bodies of different names, each in place of what had its name."""
    at = 0
    for count in _ROWS_AT_ONCE:
        while len(rows) - at >= count:
            statement, names = _put_of(count)
            yield statement, dict(zip(names, chain.from_iterable(rows[at : at + count]), strict=True))
            at += count


@cache
def _put_of(count: int) -> tuple[str, tuple[str, ...]]:
    """The statement for so many bodies, and the names of its parameters."""
    names = [[f"{name}_{number}" for name in _COLUMNS] for number in range(count)]
    values = ", ".join(f"({', '.join(':' + name for name in row)})" for row in names)
    put = f"INSERT INTO sealed_body ({', '.join(_COLUMNS)}) VALUES {values}"  # noqa: S608
    return f"{put} ON CONFLICT (client_id, kind, id) DO UPDATE SET {_ANEW}", tuple(chain.from_iterable(names))


async def key_revision(session: AsyncSession, purpose: str, client_id: str, *, is_held: bool = False) -> int | None:
    """The revision of a client's data key; None where it has none. With `is_held` it stays until the end of the
    caller's unit of work."""
    query = select(col(SealedSecret.revision)).where(
        col(SealedSecret.purpose) == purpose, col(SealedSecret.row_id) == client_id
    )
    return await session.scalar(query.with_for_update(read=True) if is_held else query)


async def is_served(session: AsyncSession, client_id: str) -> bool:
    """Whether the client exists and is not disabled."""
    query = select(col(Client.id)).where(col(Client.id) == client_id, col(Client.is_disabled).is_(False))
    return await session.scalar(query) is not None


async def put(session: AsyncSession, row: NewBody) -> None:
    """Keeps a body in place of what had its name."""
    await remove(session, row.client_id, row.kind, row.id)
    session.add(SealedBody(**row._asdict()))
    await session.flush()


async def get(session: AsyncSession, client_id: str, kind: str, body_id: str) -> SealedBody | None:
    return await session.get(SealedBody, (client_id, kind, body_id))


async def remove(session: AsyncSession, client_id: str, kind: str, body_id: str) -> bool:
    """Deletes a body; whether there was one."""
    done = delete(SealedBody).where(
        col(SealedBody.client_id) == client_id, col(SealedBody.kind) == kind, col(SealedBody.id) == body_id
    )
    return (await session.execute(done.returning(col(SealedBody.id)))).first() is not None


async def remove_of_client(session: AsyncSession, client_id: str) -> int:
    """Deletes every body of a client; how many there were."""
    done = delete(SealedBody).where(col(SealedBody.client_id) == client_id)
    return len((await session.execute(done.returning(col(SealedBody.id)))).all())


async def remove_expired(session: AsyncSession, now_us: int, limit: int) -> int:
    """Deletes up to `limit` bodies whose time is over; how many."""
    name = (col(SealedBody.client_id), col(SealedBody.kind), col(SealedBody.id))
    query = select(*name).where(col(SealedBody.expires_us) <= now_us).order_by(col(SealedBody.expires_us)).limit(limit)
    over = (await session.execute(query)).all()
    if over:
        names = [(row[0], row[1], row[2]) for row in over]
        await session.execute(delete(SealedBody).where(tuple_(*name).in_(names)))
    return len(over)


async def remove_beyond(session: AsyncSession, kinds: tuple[str, ...], most_bytes: int, limit: int) -> int:
    """Deletes up to `limit` bodies of `kinds` beyond the newest `most_bytes` of their client; how many."""
    name = (col(SealedBody.client_id), col(SealedBody.kind), col(SealedBody.id))
    newest_first = (col(SealedBody.created_us).desc(), col(SealedBody.id))
    size = func.sum(func.length(col(SealedBody.sealed)))
    total = size.over(partition_by=col(SealedBody.client_id), order_by=newest_first).label("total")
    sums = select(*name, total).where(col(SealedBody.kind).in_(kinds)).subquery()
    found = select(sums.c.client_id, sums.c.kind, sums.c.id).where(sums.c.total > most_bytes).limit(limit)
    over = [(row[0], row[1], row[2]) for row in (await session.execute(found)).all()]
    if over:
        await session.execute(delete(SealedBody).where(tuple_(*name).in_(over)))
    return len(over)

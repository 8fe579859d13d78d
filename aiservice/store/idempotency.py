"""SQL of requests with an Idempotency-Key, and of streams that can be resumed: who runs a call, and how it ended."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlmodel import col

from aiservice.store.bodies import FoundBody, NewBody, body_named, key_revision_of, put_body
from aiservice.store.session import AsyncSession
from aiservice.store.units import Steps
from aiservice.tables import IdempotentCall

RUNNING, ANSWERED, UNKEPT = "running", "answered", "unkept"
MOST_PARTS = 32
"""How many parts of a stream are read at once."""
REPLAY, PART = "replay", "stream"
"""Kinds of sealed bodies: an answer under its call's name; what a stream has said so far, under its request's id."""
Name = tuple[str, str]  # (client id, name)
_name = tuple_(col(IdempotentCall.client_id), col(IdempotentCall.name))
# The names in these statements are those of our own tables; values only ever come as parameters.
_WRITTEN = (
    "client_id", "name", "fingerprint", "request_id", "state", "holder", "fence", "lease_us", "created_us",
    "expires_us", "rights", "surface",
)  # fmt: skip
_FOUND = "name, fingerprint, request_id, state, fence, lease_us, expires_us, rights, surface"
_ADD = (
    f"INSERT INTO idempotent_call ({', '.join(_WRITTEN)}) VALUES ({', '.join(':' + name for name in _WRITTEN)}) "  # noqa: S608
    "ON CONFLICT (client_id, name) DO NOTHING RETURNING name"
)
_FIND = f"SELECT {_FOUND} FROM idempotent_call WHERE client_id = :client_id AND name = :name"  # noqa: S608
_FIND_REQUEST = f"SELECT {_FOUND} FROM idempotent_call WHERE request_id = :request_id AND client_id = :client_id"  # noqa: S608
_AS_FOUND = (
    " WHERE client_id = :client_id AND name = :name AND state = :state AND fence = :fence AND lease_us = :lease_us "
    "RETURNING name"
)
_RENAME = "UPDATE idempotent_call SET name = :new_name" + _AS_FOUND  # noqa: S608
_REMOVE = "DELETE FROM idempotent_call" + _AS_FOUND  # noqa: S608
_HELD = " WHERE client_id = :client_id AND name = :name AND holder = :holder AND fence = :fence AND state = 'running' "
_END = (
    "UPDATE idempotent_call SET state = :state, expires_us = :expires_us, "  # noqa: S608
    "settlement = :settlement, name = :new_name" + _HELD + "RETURNING name"
)
_DROP = "DELETE FROM idempotent_call" + _HELD  # noqa: S608
_UNKEPT = "UPDATE idempotent_call SET state = 'unkept' WHERE client_id = :client_id AND name = :name"
_PARTS = " FROM sealed_body WHERE client_id = :client_id AND kind = 'stream' AND id > :after AND id < :end"


@dataclass(slots=True, frozen=True)
class FoundCall:
    """A call as it was found. `surface` and `rights` are None where its answer is no stream that can be resumed."""

    name: str
    fingerprint: bytes
    request_id: str
    state: str
    fence: int
    lease_us: int
    expires_us: int
    rights: bytes | None
    surface: str | None


@dataclass(slots=True, frozen=True)
class Found:
    """A call, when that was (microseconds UTC), and the body of its answer, if it has one."""

    call: FoundCall
    at_us: int
    body: FoundBody | None = None


def add(row: dict[str, Any]) -> Steps[bool]:
    """Adds a call; False where there is one of its name."""
    return bool((yield _ADD, row))


def find(name: Name, at_us: int) -> Steps[Found | None]:
    """A call by its name, with its answer."""
    rows = yield _FIND, {"client_id": name[0], "name": name[1]}
    return (yield from _with_body(name[0], rows, at_us))


def add_or_find(row: dict[str, Any], at_us: int) -> Steps[Found | None]:
    """Adds a call (None), or gives the one of its name."""
    while not (yield from add(row)):
        found = yield from find((row["client_id"], row["name"]), at_us)
        if found is not None:  # else it was forgotten between the two statements
            return found
    return None


def take_over(found: FoundCall, row: dict[str, Any], new_name: str | None) -> Steps[bool]:
    """Puts a call in the place of one that was found over, or whose holder is dead; False where another was faster.
    The old one goes, or goes on under `new_name`."""
    given = {
        "client_id": row["client_id"],
        "name": found.name,
        "state": found.state,
        "fence": found.fence,
        "lease_us": found.lease_us,
    }
    if new_name is not None:
        is_ours = bool((yield _RENAME, {**given, "new_name": new_name}))
    else:
        is_ours = bool((yield _REMOVE, given))
    return is_ours and (yield from add(row))


@dataclass(slots=True, frozen=True)
class Ending:
    """How a call ends: whose it is, what is kept of it, and what it is called from then on."""

    name: Name
    holder: str
    fence: int
    new_name: str
    expires_us: int
    body: NewBody | None = None
    settlement: bytes | None = None
    request_id_of_parts: str | None = None


def end(ending: Ending) -> Steps[str | None]:
    """Ends a call; its state then, or None where it is another's by now."""
    client_id, body = ending.name[0], ending.body
    given = {
        **_held(ending.name, ending.holder, ending.fence),
        "state": UNKEPT if body is None else ANSWERED,
        "expires_us": ending.expires_us,
        "settlement": ending.settlement,
        "new_name": ending.new_name,
    }
    if not (yield _END, given):
        return None
    if ending.request_id_of_parts is not None:
        yield "DELETE" + _PARTS, _range(client_id, ending.request_id_of_parts, None)
    if body is None:
        return UNKEPT
    if (yield from key_revision_of(client_id)) != body.key_revision:
        yield _UNKEPT, {"client_id": client_id, "name": ending.new_name}
        return UNKEPT
    yield from put_body(body, ending.expires_us)
    return ANSWERED


def drop(name: Name, holder: str, fence: int) -> Steps[None]:
    """Forgets a call that came to nothing, if it is still the holder's."""
    yield _DROP, _held(name, holder, fence)


def put_parts(parts: Collection[NewBody]) -> Steps[int]:
    """Keeps what streams have said since the last time, where their clients' keys are still those; how many."""
    revisions: dict[str, int | None] = {}
    count = 0
    for part in parts:
        if part.client_id not in revisions:
            revisions[part.client_id] = yield from key_revision_of(part.client_id)
        if revisions[part.client_id] == part.key_revision:
            yield from put_body(part, part.expires_us)
            count += 1
    return count


def stream_of(
    client_id: str, request_id: str, part_id: str | None, at_us: int
) -> Steps[tuple[Found | None, list[tuple[str, FoundBody]]]]:
    """A call by the id of its request, with its answer; while it runs, what its stream has said after a part, in order:
    ids and bodies, `MOST_PARTS` at most."""
    rows = yield _FIND_REQUEST, {"client_id": client_id, "request_id": request_id}
    found = yield from _with_body(client_id, rows, at_us)
    if found is None or found.call.state != RUNNING:
        return found, []
    revision = yield from key_revision_of(client_id)
    said = yield (
        "SELECT id, sealed, key_revision, expires_us" + _PARTS + " ORDER BY id LIMIT :most",
        {**_range(client_id, request_id, part_id), "most": MOST_PARTS},
    )
    return found, [(row[0], FoundBody(row[1], row[2], row[3], revision)) for row in said]


def settlements_of(request_ids: Collection[str]) -> Steps[dict[str, bytes]]:
    """The settlements that were kept with the answers to some requests, as they stand in a journal."""
    found: dict[str, bytes] = {}
    statement = "SELECT settlement FROM idempotent_call WHERE request_id = :request_id AND settlement IS NOT NULL"
    for request_id in request_ids:  # of a worker that died: those it had under way
        rows = yield statement, {"request_id": request_id}
        if rows:
            found[request_id] = rows[0][0]
    return found


async def renew(session: AsyncSession, names: Collection[Name], holder: str, lease_us: int) -> None:
    """Moves the ends of the holder's leases."""
    done = update(IdempotentCall).where(
        _name.in_(list(names)), col(IdempotentCall.holder) == holder, col(IdempotentCall.state) == RUNNING
    )
    await session.execute(done.values(lease_us=lease_us).execution_options(synchronize_session=False))


async def remove_expired(session: AsyncSession, now_us: int, limit: int) -> int:
    """Deletes up to `limit` calls whose time is over; how many."""
    query = select(col(IdempotentCall.client_id), col(IdempotentCall.name))
    over = (await session.execute(query.where(col(IdempotentCall.expires_us) <= now_us).limit(limit))).all()
    if over:
        await session.execute(delete(IdempotentCall).where(_name.in_([(row[0], row[1]) for row in over])))
    return len(over)


def _with_body(client_id: str, rows: list[tuple[Any, ...]], at_us: int) -> Steps[Found | None]:
    if not rows:
        return None
    call = FoundCall(*rows[0])
    body = (yield from body_named(client_id, REPLAY, call.name)) if call.state == ANSWERED else None
    return Found(call, at_us, body)


def _held(name: Name, holder: str, fence: int) -> dict[str, Any]:
    return {"client_id": name[0], "name": name[1], "holder": holder, "fence": fence}


def _range(client_id: str, request_id: str, part_id: str | None) -> dict[str, str]:
    """All parts of a stream after one: their ids are the request's, a colon and a number of fixed width."""
    return {"client_id": client_id, "after": part_id or f"{request_id}:", "end": f"{request_id};"}

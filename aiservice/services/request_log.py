"""The log of requests, for those who may see it: admins everything, developers what their clients did.

Pages are in the order in which requests began, newest first. A page of what is rare does not read all that is not: the
roll-ups name the hours that hold it (see `store/request_log.py`).
"""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from aiservice.errors import InvalidRequest, NotFound
from aiservice.kit.clock import HOUR_US, iso
from aiservice.principal import Person
from aiservice.store import request_log as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.usage import Scope
from aiservice.tables import LedgerEntry

EndingName = Literal[
    "",
    "finished",
    "unfinished",
    "failed",
    "client_left",
    "upstream_truncated",
    "broker_stopped",
    "budget_exhausted",
    "interrupted",
]
ENDINGS: tuple[EndingName, ...] = EndingName.__args__  # type: ignore[attr-defined]
MAX_ROWS = 500
FOREVER_US = 2**62
_FIRST_HOURS = 6  # how many hours of what is sought are looked at first; four times as many each time after that
_FEW_KEYS = 6  # an hour
_EXPORT_PAGE = 1000
_Keys = frozenset[tuple[str, str]]  # (client id, key id)
CSV_COLUMNS = (
    "request_id", "client", "key_id", "task", "surface", "provider", "model", "status", "input_tokens",
    "output_tokens", "cost_nano_usd", "usage_source", "started_at", "ended_at", "attempts",
    # and what the contract does not name
    "client_id", "requested_model", "is_stream", "outcome", "error_code", "cached_input_tokens", "cache_write_tokens",
    "reasoning_tokens", "overhead_us",
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class LogFilter:
    """Which requests are asked for; an empty field means any. Begun in [start_us, end_us), microseconds UTC."""

    client_id: str = ""
    key_id: str = ""
    task: str = ""
    model: str = ""
    provider: str = ""
    ending: EndingName = ""
    status: int | None = None
    start_us: int | None = None
    end_us: int | None = None

    @property
    def span(self) -> tuple[int, int]:
        return (self.start_us or 0, FOREVER_US if self.end_us is None else self.end_us)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """What is asked of columns that the roll-ups have too."""
        names = ("client_id", "key_id", "task", "model", "provider")
        return tuple((name, value) for name in names if (value := getattr(self, name)))

    def ends(self) -> store.Ending:
        is_unfinished = self.ending == "unfinished"
        return store.Ending(None if is_unfinished else self.ending or None, is_unfinished, self.status)


LoggedRequest = LedgerEntry
"""A request as the ledger has it, for who may not know of tables."""


@dataclass(slots=True)
class LogPage:
    """Requests, newest first; `next_before` is the cursor of the next page, "" at the end."""

    entries: list[LedgerEntry]
    next_before: str


class RequestLog:
    """Reads single requests from the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, actor: Person, asked: LogFilter, limit: int = 50, before: str = "") -> LogPage:
        """Requests in the order of their beginning, newest first, from behind the cursor `before` on.

        Raises:
            InvalidRequest: `before` is no cursor of ours.
        """
        count = max(1, min(limit, MAX_ROWS)) + 1
        place = _place(before)
        entries: list[LedgerEntry] = []
        async with self._db.read() as session:
            scope = await _scope(session, actor, asked)
            ending = asked.ends()
            async for part, span in _parts(session, scope, ending, asked.span, place):
                entries += await store.page(session, part, ending, span, place, limit=count - len(entries))
                if len(entries) == count:
                    break
        page = entries[: count - 1]
        return LogPage(page, f"{page[-1].started_us}-{page[-1].id}" if len(entries) == count else "")

    async def one(self, actor: Person, request_id: str) -> LedgerEntry:
        """One request.

        Raises:
            NotFound: there is none, or it is of somebody else's client (the two are not told apart).
        """
        async with self._db.read() as session:
            entry = await store.one(session, _visible(actor), request_id)
        if entry is None:
            raise NotFound(f"There is no request {request_id[:60]}.", code="request_not_found")
        return entry

    async def of_key(self, client_id: str, key_id: str, request_id: str) -> LoggedRequest:
        """A request that a key has made, once it has ended.

        Raises:
            NotFound: there is none, it is another key's (the two are not told apart), or it has not ended yet.
        """
        async with self._db.read() as session:
            own = Scope(filters=(("client_id", client_id), ("key_id", key_id)))
            entry = await store.one(session, own, request_id)
        if entry is None:
            raise NotFound(
                f"This key has made no request {request_id[:60]}, or it has not ended yet: ask again in a second.",
                code="request_not_found",
            )
        return entry

    async def newest_id(self) -> int:
        """The number of the request that was settled last, whoever's: cheap, and it changes with every one."""
        async with self._db.read() as session:
            return await store.newest_id(session)

    async def settled_after(self, actor: Person, asked: LogFilter, after_id: int) -> int:
        """How many requests that were asked for have been settled after the one of that number."""
        async with self._db.read() as session:
            scope = await _scope(session, actor, asked)
            return await store.count_after(session, scope, asked.ends(), asked.span, after_id)

    async def key_names(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of keys by their ids."""
        async with self._db.read() as session:
            return await store.key_names(session, ids)

    async def export_csv(self, actor: Person, asked: LogFilter) -> AsyncIterator[str]:
        """The requests as lines of CSV (RFC 4180), the header first, in the order of their beginning.

        Read page by page, each in a transaction of its own: an export of any size holds nothing up.
        """
        yield csv_line(CSV_COLUMNS)
        after = (asked.span[0], 0)
        while True:
            async with self._db.read() as session:
                scope = await _scope(session, actor, asked)
                entries = await store.page_by_start(session, scope, asked.ends(), asked.span, after, limit=_EXPORT_PAGE)
            for entry in entries:
                yield csv_line([_cell(entry, name) for name in CSV_COLUMNS])
            if len(entries) < _EXPORT_PAGE:
                return
            after = (entries[-1].started_us, entries[-1].id or 0)


def _visible(actor: Person) -> Scope:
    return Scope(None if actor.is_admin else actor.user_id)


async def _scope(session: AsyncSession, actor: Person, asked: LogFilter) -> Scope:
    """What may be seen and is asked for. A developer's clients by name, and a key with its client: the ledger has an
    index by client."""
    scope = Scope(None, asked.columns)
    if not actor.is_admin:
        scope = replace(scope, client_ids=await store.client_ids(session, actor.user_id))
    if asked.key_id and not asked.client_id:
        client_id = await store.client_of_key(session, asked.key_id)
        if client_id is not None:
            scope = replace(scope, filters=(("client_id", client_id), *scope.filters))
    return scope


async def _parts(
    session: AsyncSession, scope: Scope, ending: store.Ending, span: tuple[int, int], before: store.Place | None
) -> AsyncIterator[tuple[Scope, tuple[int, int]]]:
    """Where requests of the scope may be, newest first: ranges, and the scope narrowed to whose they are in each.

    One range, where everything is asked for or what an index of its own finds.
    """
    end_us = span[1] if before is None else min(span[1], before.started_us + 1)
    if ending.is_rare or (not scope.filters and scope.client_ids is None):
        yield scope, (span[0], end_us)
        return
    low, high, count = span[0] // HOUR_US * HOUR_US, (end_us - 1) // HOUR_US * HOUR_US, _FIRST_HOURS
    in_doubt = await store.hours_in_doubt(session, low, high)
    while high >= low:
        found = await store.hours_with(session, scope, low, high, count)
        floor = found[-1] if len(found) == count else low
        doubtful = {hour: None for hour in in_doubt if floor <= hour <= high}
        for keys, first, last in _runs({**await _keys(session, scope, found), **doubtful}):
            yield _of_keys(scope, keys), (max(first, span[0]), min(last + HOUR_US, end_us))
        high, count = floor - HOUR_US, count * 4


async def _keys(session: AsyncSession, scope: Scope, hours: list[int]) -> dict[int, _Keys | None]:
    """Whose requests the hours hold, where that is worth asking: few in many."""
    if hours and not {"client_id", "key_id"} & {name for name, _ in scope.filters}:
        found = await store.keys_in(session, scope, hours, _FEW_KEYS * len(hours))
        if found is not None:
            return {**found}
    return dict.fromkeys(hours)


def _runs(hours: Mapping[int, _Keys | None]) -> list[tuple[_Keys | None, int, int]]:
    """Consecutive hours of the same keys as (keys, first, last), newest first."""
    runs: list[tuple[_Keys | None, int, int]] = []
    for hour in sorted(hours, reverse=True):
        if runs and runs[-1][1] == hour + HOUR_US and runs[-1][0] == hours[hour]:
            runs[-1] = (hours[hour], hour, runs[-1][2])
        else:
            runs.append((hours[hour], hour, hour))
    return runs


def _of_keys(scope: Scope, keys: _Keys | None) -> Scope:
    if keys is None:
        return scope
    clients, ids = {client for client, _ in keys}, {key for _, key in keys}
    return replace(scope, client_ids=tuple(sorted(clients)), chosen=("key_id", tuple(sorted(ids))))


def _place(cursor: str) -> store.Place | None:
    if not cursor:
        return None
    started, _, number = cursor.partition("-")
    if not (started.isdecimal() and number.isdecimal() and len(cursor) <= 40):
        raise InvalidRequest("This is no place in the log. Begin at its first page.", param="before")
    place = store.Place(int(started), int(number))
    if max(place.started_us, place.id) >= FOREVER_US:
        raise InvalidRequest("This is no place in the log. Begin at its first page.", param="before")
    return place


def _cell(entry: LedgerEntry, name: str) -> object:
    if name == "started_at":
        return iso(entry.started_us)
    if name == "ended_at":
        return iso(entry.ended_us)
    if name == "attempts":
        return orjson.dumps(entry.attempts).decode()
    return getattr(entry, name)


def csv_line(cells: Sequence[object]) -> str:
    """One line of CSV; a text that a spreadsheet would run as a formula is made text by an apostrophe."""
    line = io.StringIO()
    csv.writer(line).writerow([_unformula(cell) for cell in cells])
    return line.getvalue()


def _unformula(cell: object) -> object:
    return "'" + cell if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell

"""The log of requests, for those who may see it: admins everything, developers what their clients did.

Pages are in the order in which requests began, newest first. A page of what is rare does not read all that is not: the
roll-ups name the hours that hold it (see `store/request_log.py`).
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from aiservice.errors import InvalidRequest, NotFound
from aiservice.kit.clock import iso
from aiservice.principal import Person
from aiservice.services.request_bars import Bars, bars_of
from aiservice.services.request_parts import FOREVER_US, parts
from aiservice.services.rights import needs, scope
from aiservice.store import request_log as store
from aiservice.store import usage as usage_store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.usage import Scope
from aiservice.tables import LedgerEntry
from aiservice.tables.ledger import UNIT_SUMS

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
CacheName = Literal["", "hit", "coalesced", "miss"]
CACHES: tuple[CacheName, ...] = CacheName.__args__  # type: ignore[attr-defined]
UNITS = tuple(UNIT_SUMS)
"""In what work is counted that is not counted in tokens."""
MAX_ROWS = 500
_EXPORT_PAGE = 1000
CSV_COLUMNS = (
    "request_id", "client", "key_id", "task", "surface", "provider", "model", "status", "input_tokens",
    "output_tokens", "cost_nano_usd", "usage_source", "started_at", "ended_at", "attempts",
    # and what the contract does not name
    "client_id", "requested_model", "is_stream", "outcome", "error_code", "cached_input_tokens", "cache_write_tokens",
    "reasoning_tokens", "overhead_us", "cache", "trace_id", "upstream_id",
    "units", "unit",
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class LogFilter:
    """Which requests are asked for; an empty field means any. Begun in [start_us, end_us), microseconds UTC.

    `text_id` is the id of the request itself, of its client's trace, or what its provider called the answer.
    """

    client_id: str = ""
    key_id: str = ""
    task: str = ""
    model: str = ""
    provider: str = ""
    ending: EndingName = ""
    status: int | None = None
    cache: CacheName = ""
    was_tried_again: bool = False
    text_id: str = ""
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
        return store.Ending(
            None if is_unfinished else self.ending or None,
            is_unfinished,
            self.status,
            self.cache or None,
            self.was_tried_again,
            self.text_id or None,
        )


LoggedRequest = LedgerEntry
"""A request as the ledger has it, for who may not know of tables."""


@dataclass(slots=True)
class LogPage:
    """Requests, newest first; `next_before` is the cursor of the next page, `next_after` that of the one with newer
    ones; each "" at its end."""

    entries: list[LedgerEntry]
    next_before: str
    next_after: str = ""


class RequestLog:
    """Reads single requests from the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("request.list")
    async def page(
        self, actor: Person, asked: LogFilter, limit: int = 50, before: str = "", after: str = ""
    ) -> LogPage:
        """Requests in the order of their beginning, newest first, from behind the cursor `before` on, or the page
        before the cursor `after`; where that is the first one, it is a whole one.

        Raises:
            InvalidRequest: a cursor is none of ours.
        """
        count = max(1, min(limit, MAX_ROWS))
        if after:
            newer = await self._read(actor, asked, store.Cut(count + 1, _place(after), is_newer=True))
            if len(newer) > count:
                page = newer[:count][::-1]
                return LogPage(page, _cursor(page[-1]), _cursor(page[0]))
        place = None if after else _place(before)
        entries = await self._read(actor, asked, store.Cut(count + 1, place))
        page = entries[:count]
        older = _cursor(page[-1]) if len(entries) > count else ""
        return LogPage(page, older, _cursor(page[0]) if place is not None and page else "")

    async def _read(self, actor: Person, asked: LogFilter, cut: store.Cut) -> list[LedgerEntry]:
        entries: list[LedgerEntry] = []
        async with self._db.read() as session:
            seen, ending = await _scope(session, actor, "request.list", asked), asked.ends()
            async for part, span in parts(session, seen, ending, asked.span, cut):
                left = replace(cut, limit=cut.limit - len(entries))
                entries += await store.page(session, part, ending, span, left)
                if len(entries) == cut.limit:
                    break
        return entries

    @needs("request.list")
    async def bars(self, actor: Person, asked: LogFilter, span: tuple[int, int]) -> Bars:
        """How many requests that are asked for began when in the span, which is that of `asked` or inside of it."""
        async with self._db.read() as session:
            await usage_store.hold_still(session)
            return await bars_of(session, await _scope(session, actor, "request.list", asked), asked.ends(), span)

    @needs("request.get")
    async def one(self, actor: Person, request_id: str) -> LedgerEntry:
        """One request.

        Raises:
            NotFound: there is none, or it is of somebody else's client (the two are not told apart).
        """
        async with self._db.read() as session:
            entry = await store.one(session, Scope(scope(actor, "request.get")), request_id)
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

    @needs("request.list")
    async def settled_after(self, actor: Person, asked: LogFilter, after_id: int) -> int:
        """How many requests that were asked for have been settled after the one of that number."""
        async with self._db.read() as session:
            seen = await _scope(session, actor, "request.list", asked)
            return await store.count_after(session, seen, asked.ends(), asked.span, after_id)

    async def key_names(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of keys by their ids."""
        async with self._db.read() as session:
            return await store.key_names(session, ids)

    @needs("request.export")
    async def export_csv(self, actor: Person, asked: LogFilter) -> AsyncIterator[str]:
        """The requests as lines of CSV (RFC 4180), the header first, in the order of their beginning.

        Read page by page, each in a transaction of its own: an export of any size holds nothing up.
        """
        yield csv_line(CSV_COLUMNS)
        async for entry in self._in_order(actor, asked):
            yield csv_line([_cell(entry, name) for name in CSV_COLUMNS])

    @needs("request.export")
    async def export_json(self, actor: Person, asked: LogFilter) -> AsyncIterator[str]:
        """The same as one JSON array, an object a line, whose fields are the columns of the CSV."""
        before = "["
        async for entry in self._in_order(actor, asked):
            said = {name: entry.attempts if name == "attempts" else _cell(entry, name) for name in CSV_COLUMNS}
            yield f"{before}\n{orjson.dumps(said).decode()}"
            before = ","
        yield "[]\n" if before == "[" else "\n]\n"

    async def _in_order(self, actor: Person, asked: LogFilter) -> AsyncIterator[LedgerEntry]:
        after = (asked.span[0], 0)
        while True:
            async with self._db.read() as session:
                seen = await _scope(session, actor, "request.export", asked)
                entries = await store.page_by_start(session, seen, asked.ends(), asked.span, after, limit=_EXPORT_PAGE)
            for entry in entries:
                yield entry
            if len(entries) < _EXPORT_PAGE:
                return
            after = (entries[-1].started_us, entries[-1].id or 0)


async def _scope(session: AsyncSession, actor: Person, action: str, asked: LogFilter) -> Scope:
    """What may be seen and is asked for. A developer's clients by name, and a key with its client: the ledger has an
    index by client."""
    owner_id, seen = scope(actor, action), Scope(None, asked.columns)
    if owner_id is not None:
        seen = replace(seen, client_ids=await store.client_ids(session, owner_id))
    if asked.key_id and not asked.client_id:
        client_id = await store.client_of_key(session, asked.key_id)
        if client_id is not None:
            seen = replace(seen, filters=(("client_id", client_id), *seen.filters))
    return seen


def _cursor(entry: LedgerEntry) -> str:
    return f"{entry.started_us}-{entry.id}"


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

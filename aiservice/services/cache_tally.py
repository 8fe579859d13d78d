"""What the cache did and saved: counted by each worker in memory, added to hours in the database, shown to people.

Fails open: counts wait while the database is away; a killed worker loses those of its last seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.principal import Person
from aiservice.services.clients import visible_client
from aiservice.services.rights import needs, scope
from aiservice.store import cache as store
from aiservice.store.session import Database

CacheResult = Literal["hit", "coalesced", "miss", "bypass"]
FLUSH_SECONDS = 5.0
_KEPT_US = 90 * DAY_US
_MOST_WAITING = 20_000
_PLACES = {"hit": 0, "coalesced": 1, "miss": 2}


@dataclass(slots=True, frozen=True)
class Saved:
    """What an answer was worth when it was made: tokens, 10⁻⁹ USD (0 where nobody knows), microseconds."""

    tokens: int = 0
    cost_nano_usd: int = 0
    took_us: int = 0


NOTHING_SAVED = Saved()


@dataclass(slots=True, frozen=True)
class CacheStanding:
    """What the cache did for a client's task: requests by how they went, and what was saved. Of the hits `similar` were
    the answers to similar questions; `judged` were asked all the same, and of these `agreed` with what was kept."""

    client_id: str
    client: str
    task: str
    hits: int
    coalesced: int
    misses: int
    saved: Saved
    similar: int = 0
    judged: int = 0
    agreed: int = 0

    @property
    def served_percent(self) -> int:
        """How many of 100 requests that might have been served from the cache were; followers count."""
        served = self.hits + self.coalesced
        return served * 100 // max(1, served + self.misses)


class CacheTally:
    """Counts in memory until `flush`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[tuple[int, str, str], list[int]] = {}
        self._totals = [0, 0, 0]

    def note(
        self,
        client_id: str,
        task: str,
        result: CacheResult,
        saved: Saved = NOTHING_SAVED,
        *,
        is_similar: bool = False,
    ) -> None:
        """One request. Never waits."""
        place = _PLACES[result]
        self._totals[place] += 1
        counts = self._counts(client_id, task)
        if counts is None:
            return
        counts[place] += 1
        counts[3] += saved.tokens
        counts[4] += saved.cost_nano_usd
        counts[5] += saved.took_us
        counts[6] += is_similar

    def judged(self, client_id: str, task: str, *, is_same: bool) -> None:
        """A similar question that was asked all the same, and whether its answer was. Never waits."""
        counts = self._counts(client_id, task)
        if counts is not None:
            counts[7] += 1
            counts[8] += is_same

    def _counts(self, client_id: str, task: str) -> list[int] | None:
        """This hour's; None where too many wait."""
        name = (now_us() // HOUR_US * HOUR_US, client_id, task)
        counts = self._waiting.get(name)
        if counts is None and len(self._waiting) < _MOST_WAITING:
            counts = self._waiting[name] = [0] * len(store.COUNTS)
        return counts

    def said(self) -> dict[str, int]:
        """This worker's totals, for /metrics. May be called in any thread."""
        return dict(zip(_PLACES, self._totals, strict=True))

    async def flush(self) -> None:
        """Adds what was counted to the database. For a job.

        Raises:
            DATABASE_ERRORS: the database did not answer; the counts wait.
        """
        if not self._waiting:
            return
        taken, self._waiting = self._waiting, {}
        rows: list[dict[str, int | str]] = [
            {"start_us": start, "client_id": client, "task": task, **dict(zip(store.COUNTS, counts, strict=True))}
            for (start, client, task), counts in sorted(taken.items())
        ]
        try:
            async with self._db.write() as session:
                await store.add_counts(session, rows)
        except BaseException:
            for name, counts in taken.items():
                more = self._waiting.get(name, [0] * len(counts))
                self._waiting[name] = [a + b for a, b in zip(counts, more, strict=True)]
            raise

    @needs("cache.list")
    async def standing(self, actor: Person, since_us: int, client: str | None = None) -> Sequence[CacheStanding]:
        """What the cache did since then (cut to its hour) for the actor's clients, or one of them, by task.

        Raises:
            NotFound: there is no such client, or it is not the actor's.
        """
        await self.flush()
        async with self._db.read() as session:
            client_id = None if client is None else (await visible_client(session, actor, client)).id
            rows = await store.saved(session, scope(actor, "cache.list"), client_id, since_us // HOUR_US * HOUR_US)
        return [
            CacheStanding(*row[:6], Saved(row.saved_tokens, row.saved_nano_usd, row.saved_us), *row[9:]) for row in rows
        ]

    async def purge(self) -> None:
        """Forgets old hours. For a job."""
        async with self._db.write() as session:
            await store.purge_hours(session, now_us() - _KEPT_US)

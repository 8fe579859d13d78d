"""The ledger: a journal first, the database second.

An intent is in the journal before a provider is asked, its settlement before the client has the last byte; a flusher
takes settlements to the database, where the request id makes every row unique. While the database is away rows wait
in memory and in the journal; a worker that dies leaves its journal to the next one that looks.

Fails closed: with no journal, or too many rows waiting, no metered request is begun.
"""

import asyncio
import contextlib
import errno
import logging
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from aiservice.errors import Overloaded
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.journal import RESERVE_BYTES, SEGMENT_BYTES, Journal, JournalFailed
from aiservice.kit.segments import Segment, adopt_orphans, keep
from aiservice.services.kept_settlements import with_kept
from aiservice.services.prices import Prices
from aiservice.services.settlement import (
    HEADER,
    Intent,
    Price,
    Progress,
    Settlement,
    encode_intent,
    encode_progress,
    encode_settlement,
    is_valid,
    repair,
    rows_of,
)
from aiservice.settings import Settings
from aiservice.store import budget_slices
from aiservice.store import ledger as store
from aiservice.store.session import DATABASE_ERRORS, Database

FLUSH_SECONDS = 0.1
BATCH_ROWS = 500
ADOPTION_SECONDS = 5.0
MAX_WAITING_ROWS = 50_000
REFUSED = "refused.records"
_MAX_PAUSE_SECONDS = 0.5

log = logging.getLogger(__name__)


class Ledger:
    """Every metered request passes `intend` and then `settle`, both on the event loop and both without waiting. `price`
    (the published one, where none is given) says what a request cost whose worker died."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        price: Price | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        max_waiting_rows: int = MAX_WAITING_ROWS,
    ) -> None:
        self._db = db
        self._price = price or Prices().cost_nano_usd
        self._directory = settings.journal_dir
        self.is_full = settings.ledger_sync == "full"
        self._journal = Journal(
            self._directory,
            is_full=self.is_full,
            header=HEADER,
            segment_bytes=segment_bytes,
            reserve_bytes=reserve_bytes,
        )
        self.life = self._journal.life  # this worker's slices of budgets are held by it, and given back with it
        self._max_waiting_rows = max_waiting_rows
        self._open: dict[str, tuple[Intent, Segment]] = {}
        self._waiting: deque[tuple[Settlement, Segment]] = deque()
        self._callbacks: list[Callable[[Settlement], None]] = []
        self._flush_turn = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begins this worker's journal, adopts those of dead ones and starts the flusher. Call it in the worker."""
        self._journal.open(self._write_again)
        try:
            await self.adopt()
        except DATABASE_ERRORS as exc:
            log.warning("Journals left behind are adopted later: the database did not answer (%s).", type(exc).__name__)
        self._flusher = asyncio.create_task(self._run(), name="ledger-flush")

    async def close(self) -> None:
        """Takes what is settled to the database and ends this life. What could not be taken stays in the journal."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        try:
            await self.flush()
        except DATABASE_ERRORS as exc:
            log.warning("%d rows stay in the journal (%s).", len(self._waiting), type(exc).__name__)
        await asyncio.to_thread(self._journal.close)

    # The hot path.

    def intend(self, intent: Intent) -> None:
        """Notes that a request is about to be sent to a provider.

        Raises:
            Overloaded: the journal does not take it ("storage_full") or too many rows wait for the database
                ("ledger_backlog"): the request must not be sent.
        """
        journal = self._journal
        if journal.failure is not None or len(self._waiting) >= self._max_waiting_rows:
            raise self._refusal()
        if intent.request_id in self._open:
            raise ValueError(f"{intent.request_id} is already under way")
        try:
            journal.append(encode_intent(intent))
        except JournalFailed as exc:
            raise self._refusal() from exc
        segment = journal.segment
        segment.pins += 1
        self._open[intent.request_id] = (intent, segment)

    def progress(self, progress: Progress) -> None:
        """Notes what a request has cost so far; only read if this worker dies before the settlement."""
        with contextlib.suppress(JournalFailed):
            self._journal.append(encode_progress(progress))

    def settle(self, row: Settlement) -> int:
        """Settles a request, exactly once: a second settlement of the same id changes nothing.

        Counts that cannot be are replaced by the estimate. A journal that fails does not lose the row: it is in memory
        and goes to the database. Returns what `durable` waits for.
        """
        begun = self._open.pop(row.request_id, None)
        if begun is None:
            log.error("%s was settled twice, or without an intent; the first settlement stands.", row.request_id)
            return 0
        if not is_valid(row):
            repair(row, begun[0].est_input_tokens)
        self._waiting.append((row, begun[1]))
        try:
            return self._journal.append(encode_settlement(row))
        except (JournalFailed, TypeError, ValueError):  # the last two: a value JSON cannot hold, or far too large
            return -1

    # Around it.

    async def durable(self, token: int) -> None:
        """In mode "full": returns when the settlement with this token would survive a power cut. Else at once.

        Raises:
            Overloaded: neither the disk nor the database has it.
        """
        if not self.is_full:
            return
        if token >= 0:
            with contextlib.suppress(JournalFailed):
                await self._journal.synced(token)
                return
        try:
            await self.flush()
        except DATABASE_ERRORS as exc:
            raise self._refusal() from exc

    def on_settled(self, callback: Callable[[Settlement], None]) -> None:
        """Calls `callback` for every row of this worker once it can be read from the database. It must not block."""
        self._callbacks.append(callback)

    @property
    def in_flight(self) -> int:
        """Requests begun and not settled."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Settled rows that are not in the database yet."""
        return len(self._waiting)

    @property
    def lag_seconds(self) -> float:
        """For how long the oldest of the waiting rows has been settled."""
        return max(0.0, (now_us() - self._waiting[0][0].ended_us) / SECOND_US) if self._waiting else 0.0

    @property
    def failure(self) -> str | None:
        """Why no metered request is begun; None while all is well."""
        is_behind = len(self._waiting) >= self._max_waiting_rows
        return self._journal.failure or ("too many rows wait for the database" if is_behind else None)

    async def flush(self) -> int:
        """Takes all waiting rows to the database and returns how many that were.

        Raises:
            DATABASE_ERRORS: it did not answer. Nothing is lost, and nothing will be counted twice.
        """
        async with self._flush_turn:
            count = 0
            while self._waiting:
                batch = list(islice(self._waiting, BATCH_ROWS))
                await self._post([row for row, _ in batch], self._journal.life)
                segments: dict[Segment, int] = {}
                for row, segment in batch:
                    self._waiting.popleft()
                    segments[segment] = segments.get(segment, 0) + 1
                    for callback in self._callbacks:
                        callback(row)
                for segment, pins in segments.items():
                    self._journal.unpin(segment, pins)
                count += len(batch)
            return count

    async def adopt(self) -> int:
        """Takes over the journals of workers that died and returns how many rows were theirs.

        Raises:
            DATABASE_ERRORS: as for `flush`; the journals stay for the next time.
        """
        orphans, count = await asyncio.to_thread(adopt_orphans, self._directory), 0
        try:
            for orphan in orphans:
                rows = await asyncio.to_thread(rows_of, orphan.records(), orphan.last_written_us, self._price)
                rows = await with_kept(self._db, rows)
                for begin in range(0, len(rows), BATCH_ROWS):
                    await self._post(rows[begin : begin + BATCH_ROWS], orphan.life)
                await budget_slices.end_all_of(self._db, orphan.life)
                await asyncio.to_thread(orphan.remove)
                count += len(rows)
                log.info("Adopted the journal of a worker that died: %d rows.", len(rows))
        finally:
            for orphan in orphans:
                orphan.let_go()
        return count

    async def _post(self, rows: list[Settlement], life: str) -> None:
        try:
            await store.insert_entries(self._db, rows, life)
        except DATABASE_ERRORS as exc:
            if store.is_disk_full(exc):
                self._journal.fail(OSError(errno.ENOSPC, "the database's disk is full"))
            if not store.is_refusal(exc):
                raise
            for row in rows:
                await self._post_alone(row, life)

    async def _post_alone(self, row: Settlement, life: str) -> None:
        """One row the database will never take must not hold up all behind it: it is kept in a file of its own."""
        try:
            await store.insert_entries(self._db, [row], life)
        except DATABASE_ERRORS as exc:
            if not store.is_refusal(exc):
                raise
            log.exception("The database refused the row of %s; it is kept in %s.", row.request_id, REFUSED)
            await asyncio.to_thread(keep, self._directory / REFUSED, encode_settlement(row))

    async def _run(self) -> None:
        pause, adopt_at, is_away = FLUSH_SECONDS, time.monotonic() + ADOPTION_SECONDS, False
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                await self.flush()
                if began >= adopt_at:
                    await self.adopt()
                    adopt_at = began + ADOPTION_SECONDS
            except DATABASE_ERRORS as exc:
                if not is_away:
                    log.warning("The ledger waits for the database (%s).", type(exc).__name__)
                is_away, pause = True, min(pause * 2, _MAX_PAUSE_SECONDS)
                continue
            except Exception:
                log.exception("A flush of the ledger failed; it goes on.")
                continue
            if is_away:
                log.warning("The ledger has caught up with the database.")
            # A transaction costs much more than a row, so a busy ledger takes more rows less often.
            is_away, pause = False, min(max(FLUSH_SECONDS, 10 * (time.monotonic() - began)), _MAX_PAUSE_SECONDS)

    def _refusal(self) -> Overloaded:
        if self._journal.failure is None and len(self._waiting) >= self._max_waiting_rows:
            reason, code = "the database is away", "ledger_backlog"
        else:
            reason, code = "the disk is full or failing", "storage_full"
        return Overloaded(f"Usage cannot be recorded right now: {reason}.", code=code, retry_after=5)

    def _write_again(self) -> None:
        """A new file after a disk error: what is still open or waiting must be in it."""
        with contextlib.suppress(JournalFailed):  # it says so itself, and calls us again when it is well
            for intent, _ in self._open.values():
                self._journal.append(encode_intent(intent))
            for row, _ in self._waiting:
                self._journal.append(encode_settlement(row))

"""Saying that something happened: any service, in any worker or command, at any time.

`note` only puts words into memory. A writer takes them to the database, where one thing is one open alert with a count,
however often and by however many workers it is said. While the database is away they wait, as many as fit; a killed
process loses those of its last moment. Fails open: nothing that works is ever held up by an alert.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Any

import orjson

from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.store import alerts as store
from aiservice.store.ledger import is_refusal
from aiservice.store.session import DATABASE_ERRORS, Database

MAX_WAITING = 1_000
_MAX_EVIDENCE_BYTES = 8_000
_BATCH = 100
_LAST_WRITE_SECONDS = 3.0
_RETRY_SECONDS = (0.25, 1.0, 5.0)

log = logging.getLogger(__name__)


class Severity(IntEnum):
    """How bad it is."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(slots=True)
class _Said:
    """One thing to write: that it happens, or (`is_over`) that it does not any more."""

    kind: str
    subject: str
    at_us: int
    is_over: bool
    first_us: int = 0
    count: int = 1
    severity: int = Severity.WARNING
    words: str = ""
    evidence: Mapping[str, Any] | None = None
    client_id: str | None = None
    ends_us: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.subject


class AlertNotes:
    """Takes what services say and writes it in the background."""

    def __init__(self, db: Database, *, worker: str = "", may_write: Callable[[], bool] = lambda: True) -> None:
        """`may_write` False (a sealed vault: the database is not ours) keeps what is said in memory."""
        self._db = db
        self._worker = worker
        self._may_write = may_write
        self._lock = Lock()
        self._waiting: list[_Said] = []
        self._in_hand = 0
        self._latest: dict[tuple[str, str], _Said] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self.dropped = 0
        """What was said and found no room."""

    @property
    def waiting(self) -> int:
        """Things that are not in the database yet."""
        return len(self._waiting) + self._in_hand

    def note(
        self,
        kind: str,
        subject: str,
        words: str,
        *,
        severity: Severity = Severity.WARNING,
        client_id: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        ends_after_seconds: float | None = None,
    ) -> None:
        """Says that something happened. Returns at once, raises nothing, may be called in any thread.

        `kind` is a stable snake_case word, `subject` the id or name of what it is about; the two together are one
        alert, which opens now or is counted again. `words` are for people and hold no secret; `evidence` is JSON.
        `client_id` lets that client's owner see it. With `ends_after_seconds` it resolves by itself unless it is said
        again in time; without, `over` or a person resolves it.
        """
        now = now_us()
        ends_us = None if ends_after_seconds is None else now + int(ends_after_seconds * SECOND_US)
        self._put(_Said(kind, subject, now, False, now, 1, severity, words, evidence, client_id, ends_us))

    def over(self, kind: str, subject: str) -> None:
        """Says that it is over: the alert, if one is open, resolves. As cheap and safe as `note`."""
        self._put(_Said(kind, subject, now_us(), True))

    def _put(self, said: _Said) -> None:
        with self._lock:
            latest = self._latest.get(said.key)
            if latest is not None and latest.is_over == said.is_over:
                _merge(latest, said)
                return
            if len(self._waiting) >= MAX_WAITING:
                self.dropped += 1
                return
            self._waiting.append(said)
            self._latest[said.key] = said
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended; `close` or nobody writes it
                loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Writes what is said until cancelled."""
        self._loop = asyncio.get_running_loop()
        failures = 0
        while True:
            if not self._waiting:
                await self._wake.wait()
            self._wake.clear()
            try:
                if self._may_write():
                    await self.flush()
                    failures = 0
                    continue
            except DATABASE_ERRORS as error:
                if not failures:
                    log.warning("Alerts wait for the database (%s).", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def flush(self) -> None:
        """Writes everything that was said until now.

        Raises:
            DATABASE_ERRORS: the database did not answer; nothing is lost.
        """
        async with self._turn:
            while batch := self._take():
                self._in_hand = len(batch)
                try:
                    await self._write(batch)
                except BaseException as error:
                    if isinstance(error, DATABASE_ERRORS) and is_refusal(error):
                        await self._write_singly(batch)
                    else:
                        self._put_back(batch)
                        raise
                finally:
                    self._in_hand = 0

    async def close(self) -> None:
        """Writes the rest, for at most three seconds; what is left then is counted as dropped."""
        self._loop = None
        if self._waiting and self._may_write():
            try:
                async with asyncio.timeout(_LAST_WRITE_SECONDS):
                    await self.flush()
            except DATABASE_ERRORS as error:
                log.warning("%d alerts were not written (%s).", len(self._waiting), type(error).__name__)
        self.dropped += len(self._waiting)

    def _take(self) -> list[_Said]:
        with self._lock:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            for said in batch:
                if self._latest.get(said.key) is said:
                    del self._latest[said.key]
            return batch

    def _put_back(self, batch: list[_Said]) -> None:
        with self._lock:
            room = max(0, MAX_WAITING - len(self._waiting))
            self.dropped += len(batch[room:])
            self._waiting = batch[:room] + self._waiting
            for said in batch[:room]:
                self._latest.setdefault(said.key, said)

    async def _write(self, batch: list[_Said]) -> None:
        async with self._db.write() as session:
            for said in batch:
                key = _open_key(said.kind, said.subject)
                if said.is_over:
                    await store.end(session, key, said.at_us)
                else:
                    await store.begin_or_count(session, {**self._row(said), "open_key": key})

    async def _write_singly(self, batch: list[_Said]) -> None:
        """One that the database will never take must not hold up the others."""
        for place, said in enumerate(batch):
            try:
                await self._write([said])
            except BaseException as error:
                if not (isinstance(error, DATABASE_ERRORS) and is_refusal(error)):
                    self._put_back(batch[place:])
                    raise
                self.dropped += 1
                log.warning("An alert of kind %s was refused by the database (%s).", said.kind, type(error).__name__)

    def _row(self, said: _Said) -> dict[str, Any]:
        return {
            "id": new_id("alt"),
            "kind": _text(said.kind, 48),
            "subject": _text(said.subject, 120),
            "client_id": said.client_id,
            "severity": int(said.severity),
            "words": _text(said.words, 500),
            "evidence": _as_json(said.evidence),
            "count": said.count,
            "worker": self._worker,
            "first_us": said.first_us,
            "last_us": said.at_us,
            "ends_us": said.ends_us,
        }


def _merge(latest: _Said, said: _Said) -> None:
    """The same thing said again before it was written."""
    latest.count += said.count
    latest.at_us = said.at_us
    latest.ends_us = said.ends_us
    latest.severity = max(latest.severity, said.severity)
    latest.words, latest.evidence = said.words, said.evidence


def _open_key(kind: str, subject: str) -> str:
    return f"{_text(kind, 48)}:{_text(subject, 120)}"


def _text(text: str, most: int) -> str:
    """As both databases hold it: PostgreSQL knows no zero bytes, neither knows half a surrogate pair."""
    return text[:most].replace("\0", "").encode("utf-8", "replace").decode()


def _as_json(evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    """The evidence as a database can hold it; what is no JSON becomes text, and too much of it is left out."""
    if not evidence:
        return {}
    try:
        text = orjson.dumps(dict(evidence), default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return {"left_out": "not JSON"}
    if len(text) > _MAX_EVIDENCE_BYTES:
        return {"left_out": f"{len(text)} bytes"}
    plain: dict[str, Any] = orjson.loads(text)
    return plain

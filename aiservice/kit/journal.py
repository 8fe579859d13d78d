"""An append-only journal of one worker's life. What was appended survives the worker's `kill -9`; what was synced
survives a power cut as well. It fails closed: after a disk error it says so until the disk takes writes again."""

import asyncio
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from aiservice.kit.ids import new_id
from aiservice.kit.records import frame
from aiservice.kit.reserve import Reserve
from aiservice.kit.segments import Segment, has_segments

SEGMENT_BYTES = 16 * 1024 * 1024
RESERVE_BYTES = 64 * 1024 * 1024
SYNC_INTERVAL_SECONDS = 0.05
PROBE_SECONDS = 0.5
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class JournalFailed(Exception):
    """The disk does not take what we write."""


class Journal:
    """Appends on the event loop, syncs on a thread of its own.

    With `is_full` nothing waits between two syncs and `synced()` is the group commit; else at most one sync begins
    every 50 ms. `header` is the first record of every file. Open it inside the worker: a thread, a lock and a file do
    not survive a fork. Positions are bytes written in this life, so they only grow.
    """

    def __init__(
        self,
        directory: Path,
        *,
        is_full: bool = False,
        header: bytes = b"",
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._directory = directory
        self._pause_seconds = 0.0 if is_full else SYNC_INTERVAL_SECONDS
        self._header = header
        self._segment_bytes = segment_bytes
        self._reserve = Reserve(directory / "reserve", reserve_bytes)
        self.life = new_id("jrn")
        """Names this writer, in its files' names and wherever else it holds something."""
        self._position = 0
        self._synced = 0
        self._segments: deque[Segment] = deque()
        self._unsynced: list[Segment] = []
        self._unsynced_lock = threading.Lock()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._chores: SimpleQueue[Segment | None] = SimpleQueue()
        self._is_woken = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._on_recovered: Callable[[], None] = lambda: None
        self._sync_error: str | None = None
        self._is_incomplete = False  # something we were given is not, or perhaps not, on the disk
        self.failure: str | None = None
        """Why nothing more may be begun; None while all is well."""

    def open(self, on_recovered: Callable[[], None] = lambda: None) -> None:
        """Begins this life. `on_recovered` is called on the loop when, after a failure, all that is still needed must
        be written again.

        Raises:
            OSError: the folder or its first file cannot be made.
        """
        self._loop = asyncio.get_running_loop()
        self._on_recovered = on_recovered
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._begin_segment()
        if not self._reserve.restore():
            self.failure = "there is no room for the reserve file"
        self._thread.start()
        self._wake()

    @property
    def segment(self) -> Segment:
        """The file that the next record goes to. Whoever needs its records later adds to `pins` and calls `unpin`."""
        return self._current

    def append(self, payload: bytes) -> int:
        """Writes one record with one system call and returns the position after it.

        On a full disk the reserve is released and the record written all the same; `failure` then says that nothing
        new may be begun.

        Raises:
            JournalFailed: the record is not in the journal.
            ValueError: `payload` is larger than a record may be.
        """
        record = frame(payload)
        segment, size = self._current, len(record)
        try:
            if os.write(segment.fd, record) == size:
                segment.size += size
            else:
                segment.take_back()
        except OSError as exc:
            self._write_again(record, exc)
        self._position += size
        if not self._is_woken:
            self._is_woken = True
            self._chores.put(None)
        if segment.size > self._segment_bytes:
            self._rotate()
        return self._position

    async def synced(self, position: int) -> None:
        """Returns when everything up to `position` would survive a power cut.

        Raises:
            JournalFailed: it cannot be said to.
        """
        if position <= self._synced:
            return
        waiter = self._loop.create_future()
        self._waiters.append((position, waiter))
        self._wake()
        await waiter

    def unpin(self, segment: Segment, count: int = 1) -> None:
        """Takes back `count` pins; files that nobody needs any more are deleted, oldest first."""
        segment.pins -= count
        if segment is self._segments[0] and not segment.pins:
            self._drop_finished()

    def fail(self, exc: OSError) -> None:
        """Stops metered traffic; on a full disk the reserve is released. Ends by itself when the disk is well."""
        if exc.errno in _NO_SPACE:
            self._reserve.release()
        self.failure = exc.strerror or str(exc)
        self._wake()

    def close(self) -> None:
        """Syncs, stops the thread and lets go of the files; those that nobody needs are deleted."""
        self._stopping.set()
        self._wake()
        self._thread.join()
        for segment in self._segments:
            if not any(each.pins for each in self._segments):
                segment.path.unlink(missing_ok=True)
            os.close(segment.fd)
        self._segments.clear()
        if not has_segments(self._directory):
            self._reserve.release()

    # On the loop's thread.

    def _begin_segment(self) -> None:
        number = self._segments[-1].number + 1 if self._segments else 1
        segment = Segment(self._directory, self.life, number)
        record = frame(self._header) if self._header else b""
        try:
            segment.write(record)
        except OSError:
            segment.delete()
            raise
        self._position += segment.size
        self._segments.append(segment)
        with self._unsynced_lock:
            if self._sync_error is not None:
                self._unsynced.clear()  # what could not be synced is written again by whoever still needs it
            self._unsynced.append(segment)
        self._current = segment

    def _rotate(self) -> None:
        try:
            self._begin_segment()
        except OSError as exc:
            self.fail(exc)
        self._drop_finished()

    def _drop_finished(self) -> None:
        # Oldest first and never the current one: an intent must not outlive the settlement written after it.
        while len(self._segments) > 1 and not self._segments[0].pins:
            self._chores.put(self._segments.popleft())

    def _write_again(self, record: bytes, exc: OSError) -> None:
        self.fail(exc)
        try:
            if exc.errno not in _NO_SPACE:
                raise exc
            self._current.write(record)
        except OSError as again:
            self._is_incomplete = True
            raise JournalFailed(str(again)) from again

    def _recover(self) -> None:
        """A file whose sync failed is not trusted again: what is still needed is written into a new one."""
        if self.failure is None:
            return
        is_incomplete, self._is_incomplete = self._is_incomplete, False
        if is_incomplete:
            try:
                self._begin_segment()
            except OSError:
                self._is_incomplete = True
                return
        self.failure = self._sync_error = None
        if is_incomplete:
            self._on_recovered()

    def _answer(self, sync_error: str | None) -> None:
        while self._waiters and (sync_error is not None or self._waiters[0][0] <= self._synced):
            position, waiter = self._waiters.popleft()
            if waiter.done():
                continue
            if position <= self._synced:
                waiter.set_result(None)
            else:
                waiter.set_exception(JournalFailed(sync_error))

    def _wake(self) -> None:
        self._is_woken = True
        self._chores.put(None)

    # On the journal's own thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_failing = self.failure is not None
            try:
                chore = self._chores.get(timeout=PROBE_SECONDS if is_failing else None)
            except Empty:
                chore = None
            if chore is not None:
                self._drop(chore)
                continue
            began = time.monotonic()
            self._sync()
            if is_failing and self._probe():
                self._loop.call_soon_threadsafe(self._recover)
            pause = PROBE_SECONDS if is_failing else self._pause_seconds
            self._stopping.wait(max(0.0, pause - (time.monotonic() - began)))
        self._sync()
        while not self._chores.empty():
            chore = self._chores.get()
            if chore is not None:
                self._drop(chore)

    def _drop(self, segment: Segment) -> None:
        with self._unsynced_lock:
            if segment in self._unsynced:
                self._unsynced.remove(segment)
        segment.delete()

    def _sync(self) -> None:
        self._is_woken = False  # first: whatever is written from here on wakes us again
        if self._sync_error is None:
            self._sync_files()
        if self._waiters:
            self._loop.call_soon_threadsafe(self._answer, self._sync_error)

    def _sync_files(self) -> None:
        position = self._position
        with self._unsynced_lock:
            segments = list(self._unsynced)
        try:
            for segment in segments:
                os.fdatasync(segment.fd)
                if segment.is_new:
                    _sync_directory(self._directory)
                    segment.is_new = False
        except OSError as exc:
            # The kernel may have dropped what it could not write, and say yes the next time: only a new file will do.
            self._sync_error, self._is_incomplete = str(exc), True
            self.fail(exc)
        else:
            with self._unsynced_lock:
                self._unsynced = [each for each in self._unsynced if each not in segments or each is self._current]
            self._synced = max(self._synced, position)

    def _probe(self) -> bool:
        """Whether the disk takes a small file and the reserve again."""
        path = self._directory / f"{self.life}.probe"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, b"probe")
                os.fdatasync(handle)
            finally:
                os.close(handle)
                path.unlink(missing_ok=True)
        except OSError:
            return False
        return self._reserve.restore()


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

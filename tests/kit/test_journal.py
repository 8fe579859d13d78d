"""The journal: synced in time, failing closed, well again by itself, adopted only when its writer is gone."""

import asyncio
import errno
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aiservice.kit.journal import Journal, JournalFailed
from aiservice.kit.records import read_records
from aiservice.kit.reserve import Reserve
from aiservice.kit.segments import adopt_orphans, has_segments
from tests.harness.waiting import until

RECORD = b'["a record"]'


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path, header=b'{"names":{}}', reserve_bytes=1 << 16)
    journal.open()
    yield journal
    journal.close()


def records_in(folder: Path) -> list[bytes]:
    return [each for path in sorted(folder.glob("*.journal")) for each in read_records(path.read_bytes())]


def failing(monkeypatch: pytest.MonkeyPatch, name: str, code: int, times: int | None = None) -> list[int]:
    """Makes the system call `os.<name>` of the journal's own files fail; returns the list of its failures."""
    failures: list[int] = []
    real = getattr(os, name)

    def call(fd: int, *rest: object) -> object:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.suffix in {".journal", ".probe"} and (times is None or len(failures) < times):
            failures.append(code)
            raise OSError(code, os.strerror(code))
        return real(fd, *rest)

    monkeypatch.setattr(os, name, call)
    return failures


async def test_a_record_is_in_the_file_when_append_returns(journal: Journal, tmp_path: Path) -> None:
    journal.append(RECORD)
    assert records_in(tmp_path) == [b'{"names":{}}', RECORD]


async def test_one_append_is_one_write(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    writes, write = [], os.write

    def count(fd: int, data: bytes) -> int:
        writes.append(fd)
        return write(fd, data)

    monkeypatch.setattr(os, "write", count)
    journal.append(RECORD)
    assert len(writes) == 1


async def test_an_idle_journal_syncs_at_once_and_a_busy_one_every_fifty_milliseconds(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: journal._synced == journal._position)
    await asyncio.sleep(0.1)
    syncs: list[float] = []
    sync = os.fdatasync

    def note(fd: int) -> None:
        syncs.append(time.monotonic())
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", note)
    seen = []
    for _ in range(5):  # a machine that is busy with other things makes some of them late
        syncs.clear()
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            journal.append(RECORD)
            await asyncio.sleep(0.001)
        seen.append((syncs[0] - began, len(syncs)))
        if seen[-1][0] < 0.03 and 4 <= len(syncs) <= 12:
            break
        await until(lambda: journal._synced == journal._position)
        await asyncio.sleep(0.1)
    else:
        pytest.fail(f"first sync after so many seconds, and so many of them: {seen}")
    await until(lambda: journal._synced == journal._position)


async def test_many_who_wait_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, is_full=True, reserve_bytes=1 << 16)
    journal.open()
    syncs: list[int] = []
    sync = os.fdatasync

    def slow(fd: int) -> None:
        time.sleep(0.02)
        sync(fd)
        syncs.append(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    positions = [journal.append(RECORD) for _ in range(200)]
    await asyncio.wait_for(asyncio.gather(*(journal.synced(position) for position in positions)), 5)
    assert len(syncs) <= 3
    journal.close()


async def test_the_sync_thread_is_the_journals_own(journal: Journal) -> None:
    assert [thread.name for thread in threading.enumerate()].count("journal-sync") == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_r14_a_failed_sync_stops_it_until_the_disk_is_well(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    failures = failing(monkeypatch, "fdatasync", code, times=2)
    journal.append(RECORD)
    await until(lambda: journal.failure is not None)
    await until(lambda: journal.failure is None)
    assert len(failures) == 2
    assert len(list(tmp_path.glob("*.journal"))) == 2, "a file whose sync failed is not written to again"
    position = journal.append(RECORD)
    await asyncio.wait_for(journal.synced(position), 5)


async def test_those_who_wait_for_a_failed_sync_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, is_full=True, reserve_bytes=1 << 16)
    journal.open()
    await until(lambda: journal._synced == journal._position)
    position = journal.append(RECORD)
    failing(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(JournalFailed):
        await asyncio.wait_for(journal.synced(position + 1), 5)
    monkeypatch.undo()
    journal.close()


async def test_a_write_error_is_told_and_the_next_file_is_good(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str | None] = []
    journal._on_recovered = lambda: again.append(journal.failure)
    failing(monkeypatch, "write", errno.EIO, times=1)
    with pytest.raises(JournalFailed):
        journal.append(RECORD)
    assert journal.failure is not None
    await until(lambda: journal.failure is None)
    assert again == [None]
    journal.append(RECORD)
    assert records_in(tmp_path).count(RECORD) == 1


async def test_r14_on_a_full_disk_the_reserve_is_given_up_and_the_record_still_written(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reserve, "restore", lambda _self: False)
    failing(monkeypatch, "write", errno.ENOSPC, times=1)
    journal.append(RECORD)
    assert records_in(tmp_path)[-1] == RECORD
    assert journal.failure is not None
    assert not (tmp_path / "reserve").exists()


async def test_a_short_write_leaves_no_torn_record_behind(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, cut = os.write, [True]

    def short(fd: int, data: bytes) -> int:
        return write(fd, data[:5]) if cut.pop() else write(fd, data)

    cut += [True]
    cut.insert(0, False)
    monkeypatch.setattr(os, "write", lambda fd, data: short(fd, data) if cut else write(fd, data))
    with pytest.raises(JournalFailed):
        journal.append(RECORD)
    journal.append(RECORD)
    (path,) = tmp_path.glob("*.journal")
    assert path.read_bytes().count(b"a rec") == 1


async def test_files_are_begun_anew_and_go_when_nobody_needs_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100, reserve_bytes=1 << 16)
    journal.open()
    first = journal.segment
    first.pins += 1
    for _ in range(30):
        journal.append(RECORD)
    assert len(list(tmp_path.glob("*.journal"))) > 3
    journal.unpin(first)
    await until(lambda: len(list(tmp_path.glob("*.journal"))) == 1)
    journal.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_journal_that_is_still_needed_is_left_for_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path, reserve_bytes=1 << 16)
    journal.open()
    journal.segment.pins += 1
    journal.append(RECORD)
    assert adopt_orphans(tmp_path) == []
    journal.close()
    (orphan,) = adopt_orphans(tmp_path)
    assert list(orphan.records()) == [RECORD]
    assert adopt_orphans(tmp_path) == [], "one adopter at a time"
    orphan.let_go()
    (orphan,) = adopt_orphans(tmp_path)
    orphan.remove()
    assert not has_segments(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(handle, bytes(4096)):
            pass
    except OSError as exc:
        assert exc.errno == errno.ENOSPC
    os.close(handle)


async def test_r14_a_disk_that_really_fills_up(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal")
    journal.open()
    assert not journal.failure
    filler = small_disk / "filler"
    fill_up(filler)
    written = 0
    while journal.failure is None or written % 10:  # and some more, into the space that the reserve gave back
        journal.append(b'["' + b"x" * 2000 + b'"]')
        written += 1
    assert len(records_in(small_disk / "journal")) == written
    filler.unlink()
    began = time.monotonic()
    await until(lambda: not journal.failure)
    assert time.monotonic() - began < 5
    journal.append(RECORD)
    journal.close()

"""The files of a journal: each locked for as long as its writer lives, so that only a dead one's are adopted."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from aiservice.kit.records import frame, read_records

SUFFIX = ".journal"


class Segment:
    """One file of one writer's life. `pins` counts what is still needed from it."""

    __slots__ = ("fd", "is_new", "number", "path", "pins", "size")

    def __init__(self, directory: Path, life: str, number: int) -> None:
        self.path = directory / f"{life}.{number:06d}{SUFFIX}"
        self.number = number
        self.pins = 0
        self.size = 0
        self.is_new = True
        self.fd = _create_locked(self.path)

    def write(self, record: bytes) -> None:
        """Appends all of `record` with one system call, or nothing of it.

        Raises:
            OSError: the disk does not take it; ENOSPC where it takes only a part.
        """
        written = os.write(self.fd, record)
        if written != len(record):
            self.take_back()
        self.size += written

    def take_back(self) -> NoReturn:
        """Takes away what was written of a record that is not whole.

        Raises:
            OSError: ENOSPC, always.
        """
        os.ftruncate(self.fd, self.size)
        raise OSError(errno.ENOSPC, "short write")

    def delete(self) -> None:
        """Deletes the file, then lets go of it."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


def _create_locked(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An adopter may have locked and removed the empty file between our open and our lock.
            if os.fstat(fd).st_nlink:
                return fd
        except BlockingIOError:
            pass
        except OSError:
            os.close(fd)
            raise
        os.close(fd)


class Orphan:
    """All files of one dead writer's life, locked by us, oldest first."""

    def __init__(self, life: str, paths: list[Path], handles: list[int]) -> None:
        self.life = life
        self.paths = paths
        self._handles = handles

    @property
    def size_bytes(self) -> int:
        return sum(os.fstat(handle).st_size for handle in self._handles)

    @property
    def last_written_us(self) -> int:
        """When the writer last wrote, microseconds UTC: about when it died."""
        return max(os.fstat(handle).st_mtime_ns for handle in self._handles) // 1000

    def records(self) -> Iterator[bytes]:
        """Every whole record of the life, in the order it was written."""
        for path in self.paths:
            yield from read_records(path.read_bytes())

    def remove(self) -> None:
        """Deletes the files and lets go of them: everything in them is safe elsewhere."""
        for path in self.paths:
            path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Unlocks the files and leaves them for the next who looks."""
        while self._handles:
            os.close(self._handles.pop())


def adopt_orphans(directory: Path) -> list[Orphan]:
    """Locks and returns the journals of writers that are no more; those of living ones are left alone."""
    found = []
    for life in sorted(_lives(directory)):
        orphan = _adopt(directory, life)
        if orphan is not None:
            found.append(orphan)
    return found


def has_segments(directory: Path) -> bool:
    """Whether any journal file, anybody's, is in the folder."""
    return any(True for _ in directory.glob(f"*{SUFFIX}"))


def _lives(directory: Path) -> set[str]:
    return {path.name.split(".", 1)[0] for path in directory.glob(f"*{SUFFIX}")}


def _adopt(directory: Path, life: str) -> Orphan | None:
    paths = sorted(directory.glob(f"{life}.*{SUFFIX}"))
    handles: list[int] = []
    orphan = Orphan(life, paths, handles)
    try:
        for path in paths:
            handles.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            fcntl.flock(handles[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        orphan.let_go()
        return None
    # A living writer may have begun a new file since we listed them; then this life is not over.
    if not paths or sorted(directory.glob(f"{life}.*{SUFFIX}")) != paths:
        orphan.let_go()
        return None
    return orphan


def keep(path: Path, payload: bytes) -> None:
    """Adds a record to a file of its own, which nobody adopts."""
    with path.open("ab") as file:
        file.write(frame(payload))

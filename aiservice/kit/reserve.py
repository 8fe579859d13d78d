"""Disk space kept back, so that a full disk still has room to finish what was begun."""

import contextlib
import os
from pathlib import Path

SHARE_OF_A_SMALL_DISK = 20


class Reserve:
    """A file of allocated blocks: `release()` gives them back to the disk, `restore()` takes them again.

    Processes that share the folder share the file: whoever needs the space releases it for all.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def restore(self) -> bool:
        """True if the space is held (64 MB, say, or a twentieth of a smaller disk); False if there is no room."""
        disk = os.statvfs(self._path.parent)
        size = min(self._size_bytes, disk.f_blocks * disk.f_frsize // SHARE_OF_A_SMALL_DISK)
        try:
            if self._path.stat().st_blocks * 512 >= size:
                return True
        except FileNotFoundError:
            pass
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(handle, 0, max(size, 1))
        except OSError:
            self.release()
            return False
        finally:
            os.close(handle)
        return True

    def release(self) -> None:
        """Gives the space back; nothing happens when it is already given back."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

"""How a worker that may not serve ends its whole server: its words on standard error, and exit status 2.

A supervisor would start it again, or exit with 1; so the supervisor shares one byte with its workers.
"""

import atexit
import mmap
import os
import sys

TYPE_CHECKING = False  # typing's own is a megabyte, in a process that watches others for months
if TYPE_CHECKING:
    from typing import NoReturn

EXIT_STATUS = 2

_shared: mmap.mmap | None = None


def heed_refusals() -> None:
    """In the supervisor, before it forks: once a worker has refused, this process exits with status 2."""
    global _shared  # noqa: PLW0603 - a supervisor's whole process is concerned
    if _shared is None:
        _shared = mmap.mmap(-1, 1)
        atexit.register(_exit, os.getpid())


def was_refused() -> bool:
    """Whether a worker has refused to serve."""
    return _shared is not None and _shared[0] != 0


def refuse_to_serve(reason: str) -> "NoReturn":
    """In a worker: says why, and ends this process at once."""
    sys.stdout.flush()
    sys.stderr.write(reason + "\n")
    sys.stderr.flush()
    if _shared is not None:
        _shared[0] = 1
    os._exit(EXIT_STATUS)


def _exit(supervisor: int) -> None:
    if was_refused() and os.getpid() == supervisor:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_STATUS)

"""No core file, no memory for others to read, and no secret in the block that `/proc/<pid>/environ` shows.

A process that only watches others loads this for months, so it imports next to nothing.
"""

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4
_ENV_START, _ENV_END = 47, 48  # after the closing parenthesis of /proc/self/stat; proc(5) numbers them 50 and 51


def harden_process() -> None:
    """No core file, and no other process of the same user may read this one's memory. Once per process, after exec."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def withhold(name: str) -> str | None:
    """Takes the variable `name` out of `os.environ` and out of the block the kernel shows; gives its value."""
    value = os.environ.pop(name, None)
    if value is not None:
        wipe_initial_environment(name)
    return value


def wipe_initial_environment(name: str) -> None:
    """Overwrites the value of `name` in the block the kernel shows; Python and libc hold copies of their own."""
    if sys.platform != "linux":
        return
    with open("/proc/self/stat") as stat:  # noqa: PTH123 - pathlib is half a megabyte
        fields = stat.read().rpartition(")")[2].split()
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    if not 0 < start < end:
        return
    block = ctypes.string_at(start, end - start)
    at = 0
    for entry in block.split(b"\0"):
        label, _, value = entry.partition(b"=")
        if label == name.encode():
            ctypes.memset(start + at + len(label) + 1, 0, len(value))
        at += len(entry) + 1

"""What a process must not leave lying about: secrets in its environment, and memory that it no longer needs.

`/proc/<pid>/environ` shows the block a process was started with, whatever it later does to `os.environ`; and what is
in `os.environ` reaches every child, Node and npm included. `take_from_environment` therefore removes a secret from
both. Our own workers need it all the same, and a server may start them by fork, by spawn, or again after a crash: so
the value stays in `os.environ` under another name, encrypted with a key derived from multiprocessing's `authkey`:
random, in memory only, inherited by fork and handed to spawned children through multiprocessing's own pipe. Any other
child sees 60 bytes that it cannot read.
"""

import base64
import binascii
import ctypes
import multiprocessing
import os
import resource
import socket
import uuid
from contextlib import suppress
from pathlib import Path

from aiservice.kit import crypto
from aiservice.kit.hardening import wipe_initial_environment
from aiservice.kit.secret import Secret

_HANDED_OVER = "HANDED_OVER_"
_M_ARENA_MAX = -8


def take_from_environment(name: str) -> Secret | None:
    """The value of the environment variable `name`, which no other process can read from then on; None if unset.

    Call it as early as possible in every process that needs the value, as often as needed: processes started through
    `multiprocessing` (fork, forkserver or spawn) get it from their parent. A program started any other way does not.
    """
    value = os.environ.get(name)
    if value is None:
        return _handed_over(name)
    secret = Secret(value)
    sealed = crypto.seal(_transport_key(), secret.reveal(), _aad(name))
    os.environ[_HANDED_OVER + name] = base64.b64encode(sealed).decode()
    del os.environ[name]
    wipe_initial_environment(name)
    return secret


def is_withheld(name: str) -> bool:
    """Whether the process that started this one had the variable `name` and did not hand it over."""
    return name not in os.environ and _HANDED_OVER + name in os.environ and _handed_over(name) is None


def share_arenas() -> None:
    """At most two of glibc's arenas for all threads to come: Python's lock lets one of ours allocate at a time, and an
    arena a thread keeps what it has got. Another C library has none of this."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def most_open_files() -> int:
    """How many files and connections this process may have open. Granian has asked for as many as the system allows,
    whatever the shell's `ulimit -S -n` was."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def return_free_memory() -> None:
    """Gives pages that the C library holds and nobody uses back to the system (a few milliseconds)."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def place() -> str:
    """Names this boot of this machine and its process numbers' space: within one place a pid means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return f"{socket.gethostname()}/{uuid.getnode():x}"


def started_ticks(pid: int) -> int | None:
    """When the process `pid` of this place was started, in clock ticks after the boot; None when there is none (a
    zombie is none). A pid is given again; a pid with its start is not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _handed_over(name: str) -> Secret | None:
    sealed = os.environ.get(_HANDED_OVER + name)
    if sealed is None:
        return None
    wipe_initial_environment(name)
    try:
        return Secret(crypto.unseal(_transport_key(), base64.b64decode(sealed), _aad(name)))
    except (crypto.BadEnvelope, binascii.Error):
        return None  # started by other means than multiprocessing: the value was not meant for this process


def _transport_key() -> bytes:
    return crypto.hkdf(bytes(multiprocessing.current_process().authkey), b"aiservice environment hand-over v1")


def _aad(name: str) -> bytes:
    return crypto.bind("environment", {"name": name})

"""Identifiers: a prefix naming the kind, then 32 hexadecimal digits that sort by time."""

import os
import time
from collections import deque

_RANDOM_BYTES = 10
_AT_ONCE = 256  # ids for which the system is asked together: a call of it costs as much as all the rest of an id
_random: deque[str] = deque()
os.register_at_fork(after_in_child=_random.clear)  # a child that took its parent's would make the same ids


def new_id(prefix: str) -> str:
    """`<prefix>_`, 48 bits of milliseconds since the epoch and 80 random bits: ULID's content, cheaper to write."""
    try:
        random = _random.popleft()  # one step: two threads never take the same
    except IndexError:
        random = _more()
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{random}"


def _more() -> str:
    digits, each = os.urandom(_RANDOM_BYTES * _AT_ONCE).hex(), 2 * _RANDOM_BYTES
    _random.extend(digits[at : at + each] for at in range(each, len(digits), each))
    return digits[:each]

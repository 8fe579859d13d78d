"""Identifiers: a prefix naming the kind, then 26 Crockford base-32 characters that sort by time (ULID's layout)."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def new_id(prefix: str) -> str:
    """`<prefix>_` and a ULID: 48 bits of milliseconds, 80 random bits (github.com/ulid/spec)."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    pairs = _PAIRS
    out = []
    for shift in range(120, -1, -10):
        out.append(pairs[number >> shift & 1023])
    return prefix + "_" + "".join(out)

"""Identifiers: a prefix naming the kind, then 32 hexadecimal digits that sort by time."""

import os
import time


def new_id(prefix: str) -> str:
    """`<prefix>_`, 48 bits of milliseconds since the epoch and 80 random bits: ULID's content, cheaper to write."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"

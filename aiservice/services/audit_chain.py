"""The chain of the audit log: what is wrong with an entry in its place, and where the chain begins.

It begins with entry 1, until entries were deleted for their age: then behind a signed checkpoint, the last of those.
"""

import hmac
from dataclasses import dataclass

from aiservice.services.audit_entry import sign
from aiservice.tables import AuditCheckpoint, AuditEntry

_DOMAIN = b"aiservice audit checkpoint v1"


@dataclass(slots=True, frozen=True)
class Damage:
    """An entry that is not as it was written, or not there. `number` is None where no entry can be named."""

    number: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.number is None else f"entry {self.number}: {self.what}"


@dataclass(slots=True, frozen=True)
class Beginning:
    """Behind which entry the chain begins (0: it is whole), and that one's `mac`."""

    number: int = 0
    mac: bytes = b""
    is_altered: bool = False


def beginning(key: bytes, row: AuditCheckpoint | None) -> Beginning:
    """Where the chain begins. A checkpoint that was not signed by us counts for nothing."""
    if row is None:
        return Beginning()
    if not hmac.compare_digest(seal(key, row.number, row.mac), row.seal):
        return Beginning(is_altered=True)
    return Beginning(row.number, row.mac)


def seal(key: bytes, number: int, mac: bytes) -> bytes:
    """Signs that all entries up to `number`, whose `mac` this is, were deleted for their age."""
    return hmac.digest(key, b"%s:%d:%s" % (_DOMAIN, number, mac), "sha256")


def faults(key: bytes, row: AuditEntry, expected: int, previous: bytes) -> list[Damage]:
    """What is wrong with the row that stands where entry `expected` should, after one signed `previous`."""
    found = []
    if row.number != expected:
        found.append(missing(expected, row.number - 1))
    if not hmac.compare_digest(sign(key, row), row.mac):
        found.append(Damage(row.number, "it is not as it was written"))
    elif row.number == expected and row.previous != previous:
        found.append(Damage(row.number - 1, "it is not the one that stood before the next"))
    return found


def missing(first: int, last: int) -> Damage:
    return Damage(first, "it is missing" if first == last else f"it and all up to {last} are missing")

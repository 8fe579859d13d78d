"""Vectors of questions that were answered, in one worker's memory, and the nearest to another's.

They are only ever compared within a hard key: whose they are, where they may go, and all of the request but its last
words. Nothing of a question is kept but its vector, and that is never written anywhere.

The nearest is found in two steps: by the signs of the numbers, which a machine compares by the thousand, then by the
cosine itself among the few that are left.
"""

import heapq
import math
import sys
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiservice.kit.clock import now_us

MOST_BYTES = 16 << 20
_MOST_OF_A_KEY = 200
_CLOSER_LOOK = 5
_ENTRY_BYTES = 300  # what an entry takes beside its numbers
_LAST_BYTE = 3 if sys.byteorder == "little" else 0
_SIGN = bytes(ord("1") if byte & 0x80 else ord("0") for byte in range(256))

if TYPE_CHECKING:
    Vector = array[float]
else:
    Vector = array  # of 32-bit floats; the class takes no type at run time


@dataclass(slots=True, frozen=True)
class Known:
    """A question that was answered: its answer's key in the cache, and until when (µs UTC) that is kept."""

    vector: Vector
    signs: int
    key: bytes
    client_id: str
    ends_us: int

    @property
    def size(self) -> int:
        return _ENTRY_BYTES + len(self.vector) * self.vector.itemsize + len(self.vector) // 8


def unit(numbers: Iterable[float]) -> Vector | None:
    """A vector of length 1; None where it has none."""
    given = tuple(numbers)
    length = math.hypot(*given)
    if not math.isfinite(length) or length == 0:
        return None
    return array("f", [number / length for number in given])


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors of length 1; 0 where they are not of one kind. From their distance, which is one call of C."""
    return 1 - math.dist(one, other) ** 2 / 2 if len(one) == len(other) else 0.0


class SemanticIndex:
    """At most `most_bytes`; what was asked for least lately goes first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._known: OrderedDict[bytes, list[Known]] = OrderedDict()
        self.held_bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def nearest(self, hard_key: bytes, vector: Vector) -> tuple[Known, float] | None:
        """The nearest question of a hard key, and its cosine."""
        known = self._known.get(hard_key)
        if known is None:
            return None
        self._known.move_to_end(hard_key)
        now, signs = now_us(), _signs(vector)
        left = [one for one in known if one.ends_us > now]
        closer = heapq.nsmallest(_CLOSER_LOOK, left, key=lambda one: (one.signs ^ signs).bit_count())
        return max(((one, cosine(one.vector, vector)) for one in closer), key=lambda found: found[1], default=None)

    def add(self, hard_key: bytes, vector: Vector, key: bytes, client_id: str, ends_us: int) -> None:
        """Notes that a question was answered; in place of what was known of the same answer."""
        entry = Known(vector, _signs(vector), key, client_id, ends_us)
        now = now_us()
        before = self._known.pop(hard_key, [])
        kept = [one for one in before if one.key != key and one.ends_us > now][1 - _MOST_OF_A_KEY :]
        self._known[hard_key] = [*kept, entry]
        self.held_bytes += sum(one.size for one in kept) + entry.size - sum(one.size for one in before)
        while self.held_bytes > self._most_bytes and self._known:
            _, oldest = self._known.popitem(last=False)
            self.held_bytes -= sum(one.size for one in oldest)

    def remove(self, hard_key: bytes, gone: Known) -> None:
        """Forgets a question whose answer is not there any more."""
        known = self._known.get(hard_key, [])
        if gone in known:
            known.remove(gone)
            self.held_bytes -= gone.size
            if not known:
                del self._known[hard_key]

    def remove_of(self, client_id: str) -> None:
        """Forgets every question of a client."""
        for hard_key, known in list(self._known.items()):
            for one in [one for one in known if one.client_id == client_id]:
                self.remove(hard_key, one)

    def clear(self) -> None:
        self._known.clear()
        self.held_bytes = 0


def _signs(vector: Vector) -> int:
    """A bit for each number: whether it is negative. In IEEE 754 that is the first bit of the last byte here."""
    return int(vector.tobytes()[_LAST_BYTE::4].translate(_SIGN), 2)

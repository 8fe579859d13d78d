"""An answer that was kept, and the memory of one worker for such: bounded in bytes, shared fairly by clients."""

from collections import OrderedDict
from dataclasses import dataclass

from aiservice.kit.clock import now_us

_ENTRY_BYTES = 400  # what an entry takes beside its answer, measured


@dataclass(slots=True, frozen=True)
class CachedAnswer:
    """`packed` is the answer as `gateway/answer_form.py` writes it; it was made by `request_id`, a request of
    `client_id`, at `made_us`, and goes at `ends_us` (microseconds UTC)."""

    client_id: str
    request_id: str
    made_us: int
    ends_us: int
    packed: bytes

    @property
    def age_seconds(self) -> int:
        return max(0, now_us() - self.made_us) // 1_000_000


class AnswerMemory:
    """Answers by key, `most_bytes` of them. The least used goes first; a client that holds more than an equal share
    makes room from its own, so that none can push out what the others have kept."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()
        self._clients: dict[str, _Held] = {}
        self.held_bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes) -> CachedAnswer | None:
        """The answer, if its time is not over."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.ends_us <= now_us():
            self.remove(key)
            return None
        self._answers.move_to_end(key)
        self._clients[answer.client_id].keys.move_to_end(key)
        return answer

    def put(self, key: bytes, answer: CachedAnswer) -> None:
        """Keeps an answer, unless it alone is an eighth of all there is room for."""
        self.remove(key)
        size = _size(answer)
        if size * 8 > self._most_bytes:
            return
        held = self._clients.get(answer.client_id)
        if held is None:
            held = self._clients[answer.client_id] = _Held()
        self._answers[key] = answer
        held.keys[key] = None
        held.size += size
        self.held_bytes += size
        while self.held_bytes > self._most_bytes:
            is_over_share = len(held.keys) > 1 and held.size * len(self._clients) > self._most_bytes
            self.remove(next(iter(held.keys if is_over_share else self._answers)))
            self.evicted += 1

    def remove(self, key: bytes) -> None:
        gone = self._answers.pop(key, None)
        if gone is None:
            return
        size, held = _size(gone), self._clients[gone.client_id]
        self.held_bytes -= size
        held.size -= size
        del held.keys[key]
        if not held.keys:
            del self._clients[gone.client_id]

    def remove_of(self, client_id: str) -> None:
        """Removes every answer that a client got first."""
        held = self._clients.get(client_id)
        for key in () if held is None else tuple(held.keys):
            self.remove(key)

    def clear(self) -> None:
        self._answers.clear()
        self._clients.clear()
        self.held_bytes = 0


class _Held:
    """What a client holds: the keys, least used first, and their bytes."""

    __slots__ = ("keys", "size")

    def __init__(self) -> None:
        self.keys: OrderedDict[bytes, None] = OrderedDict()
        self.size = 0


def _size(answer: CachedAnswer) -> int:
    return len(answer.packed) + _ENTRY_BYTES

"""An answer that was kept, and the memory of one worker for such: bounded in bytes, the least used go first."""

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
    """Answers by key, `most_bytes` of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()
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
        return answer

    def put(self, key: bytes, answer: CachedAnswer) -> None:
        """Keeps an answer, unless it alone is an eighth of all there is room for."""
        self.remove(key)
        size = _size(answer)
        if size * 8 > self._most_bytes:
            return
        self._answers[key] = answer
        self.held_bytes += size
        while self.held_bytes > self._most_bytes:
            _, oldest = self._answers.popitem(last=False)
            self.held_bytes -= _size(oldest)
            self.evicted += 1

    def remove(self, key: bytes) -> None:
        gone = self._answers.pop(key, None)
        if gone is not None:
            self.held_bytes -= _size(gone)

    def remove_of(self, client_id: str) -> None:
        """Removes every answer that a client got first."""
        for key in [key for key, answer in self._answers.items() if answer.client_id == client_id]:
            self.remove(key)

    def clear(self) -> None:
        self._answers.clear()
        self.held_bytes = 0


def _size(answer: CachedAnswer) -> int:
    return len(answer.packed) + _ENTRY_BYTES

"""The mock's own rate limits: a sliding minute, or another window, of requests and tokens; in headers or hidden."""

import time
from collections import deque
from dataclasses import dataclass, field

from tests.mock.shapes import Shape
from tests.mock.shapes.anthropic import AnthropicShape
from tests.mock.shapes.gemini import GeminiShape


@dataclass(slots=True)
class Limits:
    """At most `rpm` requests and `tpm` tokens in any `window_seconds`; None is no limit. `is_hidden`: no header says
    so."""

    rpm: int | None = None
    tpm: int | None = None
    is_hidden: bool = False
    window_seconds: float = 60.0
    refused: int = 0
    _taken: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, tokens: int) -> float:
        """Counts a request; 0 when it fits, else the seconds after which it would."""
        now = time.monotonic()
        while self._taken and self._taken[0][0] <= now - self.window_seconds:
            self._taken.popleft()
        used = sum(spent for _, spent in self._taken)
        is_over = (self.rpm is not None and len(self._taken) >= self.rpm) or (
            self.tpm is not None and used + tokens > self.tpm
        )
        if is_over:
            self.refused += 1
            return max(self._taken[0][0] + self.window_seconds - now, 0.001) if self._taken else self.window_seconds
        self._taken.append((now, tokens))
        return 0.0

    def headers(self, shape: Shape, wait_seconds: float) -> dict[str, str]:
        """What an answer of `shape` says of the limits; underscores stand for hyphens."""
        told: dict[str, str] = {}
        if self.is_hidden or isinstance(shape, GeminiShape):
            return told
        if wait_seconds:
            told["retry_after"] = str(int(wait_seconds) + 1)
        if self.rpm is not None:
            left = str(max(self.rpm - len(self._taken), 0))
            if isinstance(shape, AnthropicShape):
                told |= {"anthropic_ratelimit_requests_limit": str(self.rpm)}
                told |= {"anthropic_ratelimit_requests_remaining": left}
            else:
                told |= {"x_ratelimit_limit_requests": str(self.rpm), "x_ratelimit_remaining_requests": left}
                told |= {"x_ratelimit_reset_requests": f"{wait_seconds:.3f}s"}
        return told

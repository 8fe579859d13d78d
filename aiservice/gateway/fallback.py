"""What may be done about a failed attempt, before the client was given a byte. Pure rules, no clock of their own.

| the attempt failed with | what follows |
| --- | --- |
| what is the caller's fault (a 400 of theirs) | the caller is told |
| a prompt too long for the model | the next candidate that is not known to hold as little |
| a prompt or answer that the provider's policy blocks | the next candidate |
| anything else | the next candidate at once; without one, the same again after a wait, where that may help |
"""

import random
from collections.abc import Callable

from aiservice.wire import AttemptFailure, Blame

MOST_TRIES = 3
"""Attempts at one and the same candidate, the first included."""
_BASE_SECONDS = 0.2
_MOST_WAIT_SECONDS = 2.0
_TOO_LONG = "context_length_exceeded"
# The caller's fault with this provider, though another's policy may be another.
_BLOCKED = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
# The provider said no, or was never reached: asked again, nothing is paid twice.
_UNPAID = frozenset({"upstream_connect_failed"})
_UNPAID_STATUSES = frozenset({502, 503, 529})

ContextOf = Callable[[], int | None]


def may_go_on(failure: AttemptFailure) -> bool:
    """Whether any other candidate could do better."""
    return failure.blame is not Blame.CALLER or failure.code == _TOO_LONG or failure.code in _BLOCKED


def is_large_enough(failure: AttemptFailure, failed_tokens: ContextOf, next_tokens: ContextOf) -> bool:
    """Whether the next candidate may hold what was too long for the one that failed: unknown may, as little may not."""
    if failure.code != _TOO_LONG:
        return True
    there, here = next_tokens(), failed_tokens()
    return there is None or here is None or there > here


def wait_before_again(failure: AttemptFailure, tries: int, left_seconds: float) -> float | None:
    """How long to wait before the same candidate is asked again, after `tries` attempts; None: it is not.

    Full jitter: any wait up to a bound that doubles, so that clients of one failure do not come back together. What
    the provider itself asks for is waited out, if the request has that long and it is no more than a moment.
    """
    if tries >= MOST_TRIES or not _helps(failure):
        return None
    wait = random.uniform(0.0, min(_MOST_WAIT_SECONDS, _BASE_SECONDS * 2**tries))  # noqa: S311 - no secret
    if failure.retry_after_seconds:
        wait += failure.retry_after_seconds
    return wait if wait <= min(_MOST_WAIT_SECONDS, left_seconds) else None


def _helps(failure: AttemptFailure) -> bool:
    if failure.code == "provider_quota_exhausted":
        return False  # `quota_turns` sees to that, in fair turns
    return failure.code in _UNPAID or failure.upstream_status in _UNPAID_STATUSES

"""The place in its caller's limits of requests that is taken by whoever asks for no new answer of a provider: for an
explanation, for what was used, done or stored, for a token; for a stream's rest, or again with an Idempotency-Key. No
tokens, no money, and no place among those at once: nothing is under way for long, or the call has that place still.

Nothing is taken by lists of what there is, which libraries and pages ask for by themselves, by the question what is
left, and by ending tokens, which must always be possible.
"""

from dataclasses import replace

from aiservice.errors import BrokerError
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.principal import Principal
from aiservice.services.limiter import Limiter


async def count_request(limiter: Limiter, principal: Principal, request_id: str) -> None:
    """Counts one request.

    Raises:
        RateLimited: the caller's limits of requests are used up.
    """
    limits = tuple(limit for limit in principal.limits if limit.measure == "requests")
    if not limits:
        return
    # Limits are remembered by key: these are fewer than the key's own.
    counted = replace(principal, key_id=f"{principal.key_id} alone", limits=limits)
    try:
        grant = await limiter.admit(counted, f"alone {request_id}", "chat", 0, 0)
    except BrokerError as error:
        error.headers = tuple(headers_of_caller(limiter, principal))
        raise
    grant.settle(0)

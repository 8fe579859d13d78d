"""The place in its caller's limits of requests that an answer takes which was paid for before: a stream resumed, an
Idempotency-Key that comes again. No tokens, no money, and no place among those at once: the call may have it still.
"""

from dataclasses import replace

from aiservice.errors import BrokerError
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.principal import Principal
from aiservice.services.limiter import Limiter


async def count_again(limiter: Limiter, principal: Principal, request_id: str) -> None:
    """Counts one request.

    Raises:
        RateLimited: the caller's limits of requests are used up.
    """
    limits = tuple(limit for limit in principal.limits if limit.measure == "requests")
    if not limits:
        return
    # Limits are remembered by key: these are fewer than the key's own.
    counted = replace(principal, key_id=f"{principal.key_id} again", limits=limits)
    try:
        grant = await limiter.admit(counted, f"again {request_id}", "chat", 0, 0)
    except BrokerError as error:
        error.headers = tuple(headers_of_caller(limiter, principal))
        raise
    grant.settle(0)

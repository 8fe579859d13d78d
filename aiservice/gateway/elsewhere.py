"""The same question under way in another process: one of them makes the call, and its answer is found in Redis.

A request that would make a call claims it first. Where another process holds the claim, it waits for that one's answer:
as long as the claim is held, and no longer than a bound; a stream's client, who would rather see its first words, less
long. Who follows it in this process waits with it. It has taken its place in its caller's limits and budgets before, so
that it may make the call itself where no answer comes; what it does not use is given back.

Fails open: without Redis, or where it is slow, each process makes its own call, as if there were no other.
"""

import asyncio
import time

from aiservice.gateway.exchange import CacheUse, Exchange
from aiservice.gateway.flights import Flight
from aiservice.services.answer_cache import AnswerCache
from aiservice.services.answer_claims import AnswerClaims, Standing
from aiservice.services.cached_answer import CachedAnswer

MOST_STREAM_SECONDS = 5.0
_PAUSES_SECONDS = (0.02, 0.2)


class Elsewhere:
    """One object a worker. `wait_seconds` is the bound."""

    def __init__(self, cache: AnswerCache, wait_seconds: float) -> None:
        self._cache = cache
        self._wait_seconds = wait_seconds

    async def answer(self, exchange: Exchange, use: CacheUse, flight: Flight) -> CachedAnswer | None:
        """What another process' call has given; None: the call is the exchange's to make, by a claim where that was to
        be had."""
        claims = self._cache.claims
        if claims is None or not claims.is_up or use.is_fresh_wanted or exchange.continuation is not None:
            return None
        standing = await claims.take(use.key)
        flight.has_claim = standing is Standing.OURS
        if standing is None or flight.has_claim:
            return None
        began = time.monotonic()
        bound = min(self._wait_seconds, MOST_STREAM_SECONDS) if exchange.request.ask.is_stream else self._wait_seconds
        try:
            return await self._waited(claims, use.key, began + bound)
        finally:
            exchange.upstream_seconds += time.monotonic() - began

    def over(self, key: bytes, flight: Flight) -> None:
        """The flight has landed: whoever waits for it finds its answer, or makes a call. Never waits."""
        if flight.has_claim and self._cache.claims is not None:
            flight.has_claim = False
            self._cache.claims.give_back(key, flight.writing)

    async def _waited(self, claims: AnswerClaims, key: bytes, until: float) -> CachedAnswer | None:
        pause, most = _PAUSES_SECONDS
        while True:
            found = await claims.look(key)
            if isinstance(found, bytes):
                return await self._cache.opened(key, found)
            if not found or time.monotonic() + pause > until:  # it failed, may not be kept, or takes too long
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, most)

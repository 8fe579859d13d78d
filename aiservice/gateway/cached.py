"""The cache's hop: an answer that was kept, the answer to the same question under way, or a new one that is kept.

| header `x-aiservice-cache` | the answer |
| --- | --- |
| `bypass` | the cache had no part in it: nobody asked for it, or it is off |
| `miss` | is new, and kept if it is whole |
| `hit` | was kept |
| `coalesced` | is that of the same request, under way when this one came |

Everything that decides an answer is in its key, so what asks for several answers, tools or a high temperature is kept
like anything else: who wants another answer says `no-cache`. Not kept are failures, what a provider broke off, what its
filter or its own limit ended (a limit that the request set is part of its key), what a budget cut short, counts of
tokens, and what names an object that a provider keeps.

A request that is given an answer takes its place in its caller's limits of requests; it costs no tokens and no money.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiservice.dialects._base import ClientRequest
from aiservice.gateway.answer_form import Said, pack, unpack
from aiservice.gateway.elsewhere import Elsewhere
from aiservice.gateway.exchange import HINTS, CacheUse, Exchange, ProviderGaveUp, Scope
from aiservice.gateway.flights import Flight, KeptStream, LedStream
from aiservice.gateway.following import follow_stream, follow_whole
from aiservice.gateway.keepable import is_whole, says_anything
from aiservice.gateway.semantic import Semantic
from aiservice.gateway.source import AnswerSource, EventSource
from aiservice.kit.clock import now_us
from aiservice.services.answer_cache import AnswerCache, Asked
from aiservice.services.cache_tally import CacheResult, Saved
from aiservice.services.cache_terms import NOTHING_SAID, agreed_ttl, terms_of
from aiservice.services.cached_answer import CachedAnswer
from aiservice.services.candidates import Candidate
from aiservice.services.preferences import Preferences
from aiservice.wire import AI_SERVICE_WIRE, Answer, FinishReason, Usage

# Files and what is made of them are large, and seldom asked for twice.
_NEVER_KEPT = frozenset({"token-count", "image", "speech", "transcription"})
_APART = frozenset({"cache", "metadata", "resumable"})  # of /ai-service: no provider is told of them
Cost = Callable[[Exchange, Usage], int | None]


class Cached:
    """An `AnswerSource` in front of the one that asks providers. One object a worker."""

    def __init__(
        self,
        inner: AnswerSource,
        cache: AnswerCache,
        preferences: Preferences,
        cost: Cost,
        semantic: Semantic,
        *,
        wait_seconds: float,
    ) -> None:
        self._inner = inner
        self._semantic = semantic
        self._elsewhere = Elsewhere(cache, wait_seconds)
        self._cache = cache
        self._preferences = preferences
        self._tally = cache.tally
        self._cost = cost
        self._flights: dict[bytes, Flight] = {}

    # Before the request is admitted.

    def plan(
        self, exchange: Exchange, scope: Scope, body: dict[str, Any], candidates: tuple[Candidate, ...]
    ) -> CacheUse | None:
        """What the cache may do for a request; None: nothing.

        Raises:
            InvalidRequest: what the request says of the cache cannot be.
        """
        ask = exchange.request.ask
        given = body.get("cache") if ask.wire == AI_SERVICE_WIRE else None
        policies = self._cache.policies
        terms = NOTHING_SAID
        if given is not None or (HINTS in scope and says_anything(scope)):
            terms = terms_of(scope["headers"], given)
            if terms.ttl_seconds is None and not policies.is_any:
                return None
        elif not policies.is_any:
            return None
        rule = policies.rule_for(exchange.principal, ask.task)
        ttl_seconds = agreed_ttl(rule, terms)
        if not ttl_seconds or ask.kind in _NEVER_KEPT or ask.may_drop:
            return None
        if ask.wire == AI_SERVICE_WIRE:
            body = {name: value for name, value in body.items() if name not in _APART}
        # Sorted: whose turn it is changes no answer, and an order that somebody asked for is in the key as well.
        places = sorted(f"{one.connection.id} {one.connection.revision} {one.model}" for one in candidates)
        stored = self._preferences.terms_for(exchange.principal, ask.task)
        said = (ask.native_headers, None if stored is None else stored.order, _own_order(exchange.request))
        asked = Asked(exchange.dialect.surface, places, said, body)
        key = self._cache.key_of(exchange.principal, rule, asked)
        if key is None:
            return None
        use = CacheUse(key, ttl_seconds, terms.most_age_seconds, terms.is_fresh_wanted)
        if rule.semantic is not None:
            use.semantic = self._semantic.of(exchange, rule, asked)
        return use

    async def look(self, exchange: Exchange, use: CacheUse, candidates: tuple[Candidate, ...]) -> None:
        """Looks for an answer to the request. Where there is one, the exchange `is_free` from now on."""
        exchange.caching = use
        exchange.cache = "miss"
        if use.is_fresh_wanted:
            return
        found = self._cache.find(use.key)
        if found is None:
            use.flight = self._joinable(exchange, use.key)
            if use.flight is None and self._cache.is_shared:
                found = await self._cache.find_shared(use.key)
                use.flight = self._joinable(exchange, use.key)  # somebody may have been faster
            if found is None and use.flight is None and use.semantic is not None:
                found = await self._semantic.find(exchange, use)
                use.flight = self._joinable(exchange, use.key)
        if found is not None and self._take(exchange, use, found, candidates):
            exchange.est_input_tokens = 0
        elif use.flight is not None:
            exchange.cache, exchange.est_input_tokens = "coalesced", 0

    def would_give(self, use: CacheUse) -> bool:
        """Whether an answer is at hand in this worker, as far as can be told without giving it."""
        found = None if use.is_fresh_wanted else self._cache.find(use.key)
        return found is not None and (use.most_age_seconds is None or found.age_seconds <= use.most_age_seconds)

    def _take(self, exchange: Exchange, use: CacheUse, found: CachedAnswer, candidates: tuple[Candidate, ...]) -> bool:
        """Whether an answer that was found is given out: it is young enough, and its place one that may serve."""
        if use.most_age_seconds is not None and found.age_seconds > use.most_age_seconds:
            return False
        unpacked = unpack(found.packed)
        if unpacked is None:
            return False
        for one in candidates:
            if one.connection.id == unpacked.connection_id and one.model == unpacked.model:
                use.found, use.unpacked, exchange.cache, exchange.candidate = found, unpacked, "hit", one
                return True
        return False

    def _joinable(self, exchange: Exchange, key: bytes) -> Flight | None:
        if exchange.continuation is not None:  # it may have to go on where others end
            return None
        flight = self._flights.get(key)
        return flight if flight is not None and flight.is_joinable else None

    # In the place of a provider.

    async def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Answer:
        """The answer; raises as who asks providers does."""
        use = exchange.caching
        assert use is not None  # noqa: S101 - `look` was there
        kept: Said | None = use.unpacked
        if kept is not None and kept.answer is not None:
            self._given(exchange, kept)
            return kept.answer
        flight = self._flight(exchange, use)
        if flight.leader is not exchange:
            return await follow_whole(exchange, flight, self._tally)
        if exchange.left is not None:
            exchange.left = flight.left_by_all(exchange.left)
        try:
            said = await self._said_elsewhere(exchange, use, flight, candidates)
            if said is not None and said.answer is not None:
                flight.end(said.answer, said.saved)
                return said.answer
            began_us = now_us()
            answer = await self._inner.whole(exchange, candidates)
            saved = self._saved(exchange, began_us)
            flight.end(answer, saved)
            if is_whole(exchange, [answer.finish_reason] if answer.finish_reason else []):
                self._keep(exchange, use, saved, flight)
        except BaseException as error:
            flight.fail(error)
            raise
        finally:
            self._landed(use.key, flight)
        return answer

    async def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> EventSource:
        """The stream, at its first event; raises as who asks providers does."""
        use = exchange.caching
        assert use is not None  # noqa: S101 - `look` was there
        if use.unpacked is not None:
            self._given(exchange, use.unpacked)
            return KeptStream(use.unpacked.batches)
        flight = self._flight(exchange, use)
        if flight.leader is not exchange:
            return await follow_stream(exchange, flight, self._tally)
        if exchange.outlet is not None:
            exchange.outlet.flight = flight
        try:
            said = await self._said_elsewhere(exchange, use, flight, candidates)
            if said is not None:
                for batch in said.batches:
                    flight.note(batch)
                flight.end(saved=said.saved)
                self._landed(use.key, flight)
                return KeptStream(said.batches)
            began_us = now_us()
            stream = await self._inner.open_stream(exchange, candidates)
        except BaseException as error:
            self._landed(use.key, flight)
            flight.fail(error)
            raise

        def at_end(reasons: list[FinishReason | None]) -> None:
            saved = self._saved(exchange, began_us)
            flight.end(saved=saved)
            if is_whole(exchange, reasons):
                self._keep(exchange, use, saved, flight)
            self._landed(use.key, flight)

        return LedStream(stream, flight, at_end, lambda: self._landed(use.key, flight))

    def continued(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[EventSource | None]:
        """A stream that goes on from what was delivered, of who asks providers; such an answer is not kept."""
        return self._inner.continued(exchange, candidates)

    def broke_off(self, exchange: Exchange, gave_up: ProviderGaveUp) -> None:
        """A stream has failed: its leader says so to who asks providers, once."""
        if not exchange.is_free:
            self._inner.broke_off(exchange, gave_up)

    def _flight(self, exchange: Exchange, use: CacheUse) -> Flight:
        """The call that the exchange follows, or its own, which others may follow from now on."""
        flight: Flight | None = use.flight
        if flight is None and not use.is_fresh_wanted:
            flight = self._joinable(exchange, use.key)
        if flight is None:
            flight = Flight(exchange)
            if exchange.continuation is None:
                self._flights[use.key] = flight
        else:
            use.flight, exchange.cache = flight, "coalesced"
        return flight

    def _landed(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        self._elsewhere.over(key, flight)

    async def _said_elsewhere(
        self, exchange: Exchange, use: CacheUse, flight: Flight, candidates: tuple[Candidate, ...]
    ) -> Said | None:
        """What another process was told that asked the same at once; None: this one asks."""
        found = await self._elsewhere.answer(exchange, use, flight)
        if found is not None and self._take(exchange, use, found, candidates):
            exchange.cache, said = "coalesced", use.unpacked
            self._given(exchange, said, "coalesced")
            return cast(Said, said)
        self._tally.note(exchange.principal.client_id, exchange.request.ask.task, "miss")
        return None

    def _given(self, exchange: Exchange, unpacked: Said, result: CacheResult = "hit") -> None:
        exchange.finish_reason, exchange.usage = unpacked.finish_reason, Usage()
        is_similar = exchange.caching is not None and exchange.caching.similarity is not None
        client_id, task = exchange.principal.client_id, exchange.request.ask.task
        self._tally.note(client_id, task, result, unpacked.saved, is_similar=is_similar)

    def _saved(self, exchange: Exchange, began_us: int) -> Saved:
        usage = exchange.usage or exchange.counted()
        return Saved(usage.total_tokens, self._cost(exchange, usage) or 0, now_us() - began_us)

    def _keep(self, exchange: Exchange, use: CacheUse, saved: Saved, flight: Flight) -> None:
        candidate = exchange.candidate
        if candidate is None or not flight.is_joinable:
            return
        place = candidate.connection.id, candidate.model
        said = Said(*place, exchange.finish_reason, saved, flight.answer, flight.batches)
        packed = pack(said, exchange.request.ask.wire, keeps_text=use.semantic is not None)
        if packed is not None:
            now = now_us()
            principal = exchange.principal
            ends_us = now + use.ttl_seconds * 1_000_000
            flight.writing = self._cache.keep(
                use.key, CachedAnswer(principal.client_id, exchange.request_id, now, ends_us, packed)
            )
            if use.semantic is not None:
                self._semantic.keep(exchange, use, said, ends_us)


def _own_order(request: ClientRequest) -> object:
    """The order that the request says itself, or that its alias leads to: most surfaces take it out of the body."""
    own = request.preferences
    return request.order or (own.get("order") or own.get("chain") if isinstance(own, dict) else None)

"""Similar questions share answers, where a policy lets them: a question's vector is made by a provider, and the nearest
question of the same hard key gives its answer if it is near enough.

The hard key holds whose it is, where it may go, and all of the request but its last words. Vectors are made by a
connection that the caller may use, in a row of the ledger of its own (surface `cache`), at the caller's cost; equal
questions at once are one vector. Of the questions that would be given an answer a sample is asked all the same, and the
two answers are compared (`services/semantic_watch.py`).

Fails open: without a vector the question is asked.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

from aiservice.dialects.openai_embeddings import OpenAiEmbeddings
from aiservice.errors import BrokerError, ProviderTimedOut
from aiservice.gateway.admit import InFlight, Permit
from aiservice.gateway.answer_form import Said, text_of, unpack
from aiservice.gateway.charge import Charges
from aiservice.gateway.exchange import CacheUse, Exchange, ProviderGaveUp
from aiservice.gateway.meter import Meter
from aiservice.gateway.source import AnswerSource
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Principal
from aiservice.services.answer_cache import Asked
from aiservice.services.cache_terms import CacheRule
from aiservice.services.cached_answer import CachedAnswer
from aiservice.services.candidates import Candidate, candidate
from aiservice.services.core import Core
from aiservice.services.routing import may_see
from aiservice.services.semantic_index import Vector, cosine, unit
from aiservice.services.semantic_terms import SemanticRule, question_in
from aiservice.wire import Answer

SURFACE = "cache"
_PATIENCE_SECONDS = 5.0  # that a question waits for its vector
_SAME_ANSWER = 0.9  # cosine of two answers that say the same
_MOST_JUDGING = 8
_MOST_COMPARED = 8_000  # characters of an answer
_CHARACTERS_PER_TOKEN = 4

log = logging.getLogger(__name__)


class _OfTheCache(OpenAiEmbeddings):
    surface = SURFACE


_DIALECT = _OfTheCache()


@dataclass(slots=True)
class Similar:
    """What is known of a request's question: its `vector`, and the answer of a similar one that it is `judged` by: it
    is asked all the same."""

    rule: SemanticRule
    hard_key: bytes
    question: str
    vector: Vector | None = None
    judged: CachedAnswer | None = None


class Semantic:
    """One object a worker."""

    def __init__(
        self, core: Core, dispatcher: AnswerSource, meter: Meter, in_flight: InFlight, charges: Charges
    ) -> None:
        self._core = core
        self._dispatcher = dispatcher
        self._meter = meter
        self._in_flight = in_flight
        self._charges = charges
        self._making: dict[bytes, asyncio.Task[list[Vector] | None]] = {}
        self._judging: set[asyncio.Task[None]] = set()

    def of(self, exchange: Exchange, rule: CacheRule, asked: Asked) -> Similar | None:
        """What there is to compare of a request; None where similar questions have nothing to do with it."""
        semantic, principal = rule.semantic, exchange.principal
        if semantic is None or exchange.request.ask.kind != "chat" or principal.is_test:
            return None
        if not self._core.semantic.is_on(semantic) or not self._may_be_compared(exchange, semantic):
            return None
        question = question_in(asked.body)
        if question is None:
            return None
        rest = asked._replace(surface=f"{asked.surface}, but for its question", body=question.rest)
        hard_key = self._core.cache.key_of(principal, rule, rest)
        return None if hard_key is None else Similar(semantic, hard_key, question.text)

    def _may_be_compared(self, exchange: Exchange, rule: SemanticRule) -> bool:
        """Whether what the request says of data lets who makes vectors see its question."""
        core, request = self._core, exchange.request
        stored = core.preferences.terms_for(exchange.principal, request.ask.task)
        return all(may_see(one, request, stored) for one in core.connections.snapshot() if one.name == rule.connection)

    async def find(self, exchange: Exchange, use: CacheUse) -> CachedAnswer | None:
        """The answer to a similar question; None where there is none, or it is to be judged."""
        similar: Similar = use.semantic
        began_us = now_us()
        vectors = await self._vectors(exchange.principal, similar.rule, [similar.question], use.key)
        exchange.upstream_seconds += (now_us() - began_us) / 1_000_000
        if not vectors:
            return None
        similar.vector = vectors[0]
        cache = self._core.cache
        nearest = cache.similar.nearest(similar.hard_key, similar.vector)
        if nearest is None or nearest[1] * 1_000 < similar.rule.least_permille:
            return None
        known, similarity = nearest
        found = cache.find(known.key) or await cache.find_shared(known.key)
        if found is None:
            cache.similar.remove(similar.hard_key, known)
            return None
        if self._core.semantic.is_sampled(similar.rule):
            similar.judged = found
            return None
        use.similarity = similarity
        return found

    def keep(self, exchange: Exchange, use: CacheUse, said: Said, ends_us: int) -> None:
        """Notes that a question was answered, and compares its answer with that of a similar one where it was asked
        for that. Never waits."""
        similar: Similar = use.semantic
        if similar.vector is None or not (text := text_of(said)):
            return
        client_id = exchange.principal.client_id
        self._core.cache.similar.add(similar.hard_key, similar.vector, use.key, client_id, ends_us)
        before = unpack(similar.judged.packed) if similar.judged is not None else None
        kept = text_of(before) if before is not None else ""
        if kept and len(self._judging) < _MOST_JUDGING:
            judging = asyncio.create_task(self._judge(exchange, similar.rule, kept, text), name="similar answers")
            self._judging.add(judging)
            judging.add_done_callback(self._judging.discard)

    async def settled(self) -> None:
        """Waits until what is compared so far has been."""
        await asyncio.gather(*self._judging)

    async def _judge(self, exchange: Exchange, rule: SemanticRule, kept: str, new: str) -> None:
        is_same = kept.strip() == new.strip()
        if not is_same:
            texts = [text[:_MOST_COMPARED] for text in (kept, new)]
            vectors = await self._vectors(exchange.principal, rule, texts, exchange.request_id.encode())
            if not vectors:
                return
            is_same = cosine(*vectors) >= _SAME_ANSWER
        self._core.cache.tally.judged(exchange.principal.client_id, exchange.request.ask.task, is_same=is_same)
        await self._core.semantic.judged(rule, is_same=is_same)

    async def _vectors(
        self, principal: Principal, rule: SemanticRule, texts: list[str], key: bytes
    ) -> list[Vector] | None:
        """The vectors of texts; None where nobody gives them in time. Who asks for the same `key` at once is told by
        one call."""
        making = self._making.get(key)
        if making is None:
            place = self._place(principal, rule)
            if place is None:
                return None
            making = self._making[key] = asyncio.create_task(self._make(principal, place, texts), name="vectors")
            making.add_done_callback(lambda _task: self._making.pop(key, None))
        await asyncio.wait({making})  # it goes on where this caller leaves
        return None if making.cancelled() else making.result()

    def _place(self, principal: Principal, rule: SemanticRule) -> Candidate | None:
        """Who makes vectors, if the caller may use it."""
        for view in self._core.connections.snapshot():
            if view.name == rule.connection:
                is_own = view.owner_client_id in (None, principal.client_id)
                is_allowed = principal.connections is None or view.name in principal.connections
                is_model_allowed = principal.models is None or bool(
                    {rule.model, f"{view.name}/{rule.model}"} & principal.models
                )
                if is_own and is_allowed and is_model_allowed and not view.is_disabled:
                    return candidate(view, rule.model, "similar questions")
        return None

    async def _make(self, principal: Principal, place: Candidate, texts: list[str]) -> list[Vector] | None:
        request = _DIALECT.read({"model": place.model, "input": texts})
        tokens = sum(map(len, texts)) // _CHARACTERS_PER_TOKEN + 1
        # It is the cache that asks: of its caller's limits the question itself has its place already.
        asking = replace(principal, limits=())
        exchange = Exchange(new_id("req"), _DIALECT, asking, request, now_us(), time.monotonic(), tokens)
        exchange.candidates, exchange.candidate = (place,), place
        meter, task = self._meter, asyncio.current_task()
        exchange.task = task

        def stop(_why: BrokerError) -> None:
            if task is not None:
                task.cancel()

        try:
            permit = Permit(exchange, self._in_flight, meter, self._core.limiter, stop, charges=self._charges)
            if (pending := permit.take()) is not None:
                await pending
            with permit:
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        answer = await self._dispatcher.whole(exchange, (place,))
                except TimeoutError:
                    meter.failed(exchange, ProviderTimedOut("The vector of a question took too long."))
                    return None
                except (ProviderGaveUp, BrokerError) as error:
                    meter.failed(exchange, error)
                    return None
                exchange.status, exchange.outcome = 200, "finished"
        except BrokerError as error:  # a budget that is spent, or a journal that takes nothing
            log.info("No vectors for the cache: %s", error.code)
            return None
        return _vectors_in(answer, len(texts))


def _vectors_in(answer: Answer, count: int) -> list[Vector] | None:
    """An answer's vectors, of length 1; None where they are not what was asked for."""
    found: list[Vector] = []
    data: Any = answer.body.get("data")
    if not isinstance(data, list) or len(data) != count:
        return None
    for item in data:
        numbers = item.get("embedding") if isinstance(item, dict) else None
        if not isinstance(numbers, list) or not numbers or not all(type(one) in (int, float) for one in numbers):
            return None
        vector = unit(numbers)
        if vector is None:
            return None
        found.append(vector)
    return found

"""Puts the hops of an inference request in order: authenticate, read, admit, route, dispatch, meter, respond."""

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

from aiservice.dialects import (
    ai_service,
    anthropic_messages,
    cohere_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_moderations,
    openai_responses,
)
from aiservice.dialects._base import ClientRequest, Dialect, Json, headers_of_wire
from aiservice.dialects._object_ids import object_id_in
from aiservice.errors import BrokerError
from aiservice.gateway.admit import InFlight, Permit, check_scope, check_taking_requests
from aiservice.gateway.answering import ClientStream, WholeAnswer
from aiservice.gateway.attempts import Attempts
from aiservice.gateway.authenticate import authenticate, recognised
from aiservice.gateway.cached import Cached
from aiservice.gateway.charge import Charges
from aiservice.gateway.choice import Choice, json_object, small_object, token_in
from aiservice.gateway.continuation import continuation_of
from aiservice.gateway.conversations import Conversations
from aiservice.gateway.counting import estimated_input
from aiservice.gateway.dispatch import Dispatcher
from aiservice.gateway.exchange import (
    EXCHANGE,
    HINTS,
    RECORDED,
    TOLD,
    AsksToResume,
    Exchange,
    Handler,
    Receive,
    Recorded,
    Routes,
    Scope,
    Send,
)
from aiservice.gateway.flights import Outlet
from aiservice.gateway.forms import form_object, form_type
from aiservice.gateway.intake import read_body
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.lossy import lossy_in
from aiservice.gateway.meter import Meter
from aiservice.gateway.quota_turns import QuotaTurns
from aiservice.gateway.semantic import Semantic
from aiservice.gateway.shadowing import Shadowing
from aiservice.gateway.source import AnswerSource
from aiservice.gateway.targets import Targets
from aiservice.gateway.trace_ids import trace_id_in
from aiservice.kit.addresses import client_address
from aiservice.kit.clock import now_us
from aiservice.kit.strict_json import SMALL_BYTES
from aiservice.principal import Principal
from aiservice.services.abuse_observing import Seen, note_prompt
from aiservice.services.candidates import Candidate
from aiservice.services.core import Core
from aiservice.services.limit_plans import Plan
from aiservice.services.limit_watch import LimitWatch
from aiservice.services.payloads import Payload
from aiservice.services.routing_filters import able
from aiservice.wire import AI_SERVICE_WIRE


class Pipeline:
    """The inference routes. One object a worker; a request's own state is its `Exchange`."""

    def __init__(self, core: Core, meter: Meter, in_flight: InFlight) -> None:
        self._core = core
        self._meter = meter
        self._in_flight = in_flight
        self._charges = Charges(core.spending, core.prices)
        self._choice = Choice(core, self._charges)
        turns = QuotaTurns(core.quotas, core.settings.quota_wait)
        deadlines = core.settings.deadlines
        targets = Targets(core.connections)
        attempts = Attempts(core.upstream, targets, deadlines, core.health, turns)
        self._shadowing = Shadowing(core, targets)
        self._dispatcher = Dispatcher(
            attempts,
            core.health,
            turns,
            context_tokens=lambda candidate: able(candidate).context_tokens,
            total_seconds=deadlines.total,
            facts=core.router.facts,
        )
        self._limit_watch = LimitWatch(core.alerts)
        self._conversations = Conversations(core.responses)
        semantic = Semantic(core, self._dispatcher, meter, in_flight, self._charges)
        wait_seconds = core.settings.coalesce_wait
        self._cached = Cached(
            self._dispatcher, core.cache, core.preferences, meter.cost, semantic, wait_seconds=wait_seconds
        )

    @property
    def cached(self) -> Cached:
        """The cache in front of the providers."""
        return self._cached

    def routes(self) -> Routes:
        """The routes, each with the dialect its clients speak."""
        ai_service.prepare()
        dialects = {
            "/ai-service": ai_service.DIALECT,
            "/v1/chat/completions": openai_chat.DIALECT,
            "/v1/completions": openai_completions.DIALECT,
            "/v1/embeddings": openai_embeddings.DIALECT,
            "/v1/moderations": openai_moderations.DIALECT,
            "/v1/images/generations": openai_images.DIALECT,
            "/v1/images/edits": openai_images.EDITS_DIALECT,
            "/v1/audio/speech": openai_audio.SPEECH_DIALECT,
            "/v1/audio/transcriptions": openai_audio.DIALECT,
            "/v1/audio/translations": openai_audio.TRANSLATIONS_DIALECT,
            "/v1/messages": anthropic_messages.DIALECT,
            "/v1/rerank": cohere_rerank.DIALECT,
            "/v2/rerank": cohere_rerank.DIALECT,  # as Cohere's own library asks
            "/v1/messages/count_tokens": anthropic_messages.COUNT_DIALECT,
            "/v1/responses": openai_responses.DIALECT,
            "/v1/responses/input_tokens": openai_responses.COUNT_DIALECT,
        }
        return {path: {"POST": self.handler(dialect)} for path, dialect in dialects.items()}

    def handler(self, dialect: Dialect) -> Handler:
        """What answers a route whose clients speak `dialect`."""
        return Handler(partial(self.infer, dialect), dialect, scope_name="task")

    def infer(
        self, dialect: Dialect, scope: Scope, receive: Receive, send: Send, request_id: str
    ) -> Coroutine[Any, Any, None]:
        """Answers a request whose client speaks `dialect`: what it gives is awaited. For a key that is known that is
        the answer itself, without a step between."""
        started, started_us = time.monotonic(), now_us()
        if self._in_flight.is_draining:
            check_taking_requests(self._in_flight)
        principal = recognised(self._core, scope)
        asked = (request_id, started, started_us)
        if principal is None:
            return self._infer(dialect, scope, receive, send, asked)
        plan = None
        if principal.limits:
            if RECORDED in scope:  # an error is then told by others
                return self._infer(dialect, scope, receive, send, asked)
            scope[TOLD] = partial(self._refused, principal)
            plan = self._core.limiter.check(principal)
        caller = (principal, *asked, self._seen(principal, scope, started_us), plan)
        return self._answer(dialect, scope, receive, send, caller)

    async def _infer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send, asked: "Asked") -> None:
        principal = await authenticate(self._core, scope)
        seen = self._seen(principal, scope, asked[2])
        try:
            plan = self._core.limiter.check(principal) if principal.limits else None
            await self._answer(dialect, scope, receive, send, (principal, *asked, seen, plan))
        except BrokerError as error:
            if principal.limits:
                self._refused(principal, error)
            raise

    def _refused(self, principal: Principal, error: BrokerError) -> None:
        """Says in an error how its caller's limits stand, once."""
        if error.headers:
            return
        self._meter.figures.count_refusal(error)
        self._limit_watch.refused(principal, error)
        error.headers = tuple(headers_of_caller(self._core.limiter, principal))

    def _seen(self, principal: Principal, scope: Scope, started_us: int) -> Seen:
        """The minute of its client in which a request is counted, unless a reading that came before has counted it."""
        if RECORDED in scope:
            recorded: Recorded = scope[RECORDED]
            if recorded.is_counted:
                return Seen()
        # Without a trusted proxy the peer's own text will do for an address: 3 µs less than reading it.
        trusted, peer = self._core.settings.trusted_proxies, scope.get("client")
        address = client_address(scope, trusted) if trusted or peer is None else peer[0]
        return self._core.observer.request(principal.client_id, address, started_us)

    async def _answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send, caller: "Caller") -> None:
        core, (principal, request_id, started, started_us, seen, plan) = self._core, caller
        raw = await read_body(scope, receive, core.settings.max_body_bytes)
        note_prompt(seen, raw)
        if dialect.takes_forms and (kind := form_type(scope)) is not None:
            body = await form_object(raw, kind)
        else:
            body = small_object(raw) if len(raw) <= SMALL_BYTES else await json_object(raw)
        turn = None
        if dialect.keeps_answers:
            turn, body = await self._conversations.begun(principal, body)
        given = (dialect, scope, body, len(raw))  # in a thread what is large: it would hold everybody up
        request, tokens = _read_in(*given) if len(raw) <= SMALL_BYTES else await asyncio.to_thread(_read_in, *given)
        if turn is not None:
            send = turn.answered(request.ask, request_id, send)
        is_recorded = RECORDED in scope
        if request.is_resumable and not is_recorded:
            raise AsksToResume(principal, raw, body)
        check_scope(principal, request.ask.task)
        exchange = Exchange(request_id, dialect, principal, request, started_us, started, tokens)
        exchange.is_recorded, exchange.limits = is_recorded, plan
        scope[EXCHANGE] = exchange
        if request.continues or HINTS in scope:
            _heed(exchange, scope)
        if principal.keeps_payloads and core.payloads.is_allowed:
            exchange.payload = Payload(principal.client_id, request_id, raw)
        candidates: tuple[Candidate, ...] = ()
        unroutable: BrokerError | None = None
        try:
            candidates = await self._route(exchange, scope, body, raw)
        except BrokerError as error:
            unroutable = error  # in the ledger too: it was asked for
        answering, meter = self._answering(exchange, receive, send), self._meter
        permit = Permit(exchange, self._in_flight, meter, core.limiter, answering.stop, charges=self._charges)
        if (principal.limits or principal.budgets) and (pending := permit.take()) is not None:
            await pending
        with permit:
            try:
                if unroutable is not None:
                    raise unroutable  # noqa: TRY301 - it must pass the permit to be in the ledger
                await answering.run(candidates)
            except Exception as error:
                # The permit settles on the way out; the edge renders what was not answered yet.
                meter.failed(exchange, error)
                raise meter.words_for(error) from error
            finally:
                if exchange.payload is not None:
                    core.payloads.hand_over(exchange.payload)
                if core.shadows.has_rules:
                    self._shadowing.consider(exchange)

    async def _route(self, exchange: Exchange, scope: Scope, body: Json, raw: bytes) -> tuple[Candidate, ...]:
        """Where the request may go; nowhere, where the cache has its answer. Raises as `Choice.decide`."""
        core, principal, request = self._core, exchange.principal, exchange.request
        token = token_in(scope["headers"]) if HINTS in scope else None
        told = None if token is None else core.explain_tokens.read(principal, await json_object(raw), token)
        decided = self._choice.decide(principal, request, exchange.est_input_tokens, told)
        ask = request.ask
        plain = ask.body["messages"] if ask.has_plain_messages else None
        object_id = await asyncio.to_thread(object_id_in, body) if ask.is_large else object_id_in(body, plain)
        if object_id is not None:
            decided = self._choice.own(principal, decided, object_id)
        elif (core.cache.policies.is_any or HINTS in scope or ask.wire == AI_SERVICE_WIRE) and (
            use := self._cached.plan(exchange, scope, body, decided.candidates)
        ) is not None:
            await self._cached.look(exchange, use, decided.candidates)
        if exchange.caching is None or not exchange.is_free:
            if principal.budgets:
                decided = self._choice.affordable(principal, decided)
            exchange.candidates, exchange.candidate = decided.candidates, decided.candidates[0]
            if decided.known.takes_turns:
                core.router.went(principal.client_id, decided)
        if (known := decided.known).is_hurried:
            request.stall_seconds, request.least_rate = known.stall_seconds, known.least_rate
        exchange.decision_id = decided.trace_id or core.decisions.note(decided, core.connections.snapshot())
        return decided.candidates

    def _answering(self, exchange: Exchange, receive: Receive, send: Send) -> WholeAnswer | ClientStream:
        if self._in_flight.is_draining:  # the body may have taken until after the drain's last look
            check_taking_requests(self._in_flight)
        source: AnswerSource = self._dispatcher if exchange.caching is None else self._cached
        if not exchange.request.ask.is_stream:
            return WholeAnswer(exchange, source, self._meter, receive, send)
        if exchange.caching is not None:
            exchange.outlet = send = Outlet(send)
        return ClientStream(exchange, source, self._meter, receive, send, charges=self._charges)


def _heed(exchange: Exchange, scope: Scope) -> None:
    """Does what the request asks for in its headers."""
    exchange.continuation = continuation_of(exchange.request, scope["headers"])
    exchange.request.ask.may_drop = lossy_in(scope["headers"])
    exchange.trace_id = trace_id_in(scope["headers"])
    ask = exchange.request.ask
    if exchange.is_recorded and ask.kind == "speech":  # sound that is given out again is given whole
        ask.is_stream = exchange.dialect.wants_stream(ask.body)


def _read_in(dialect: Dialect, scope: Scope, body: Json, size: int) -> tuple[ClientRequest, int]:
    """The request that a body of so many bytes is, and about how many tokens go in."""
    request = dialect.read(body)
    request.ask.is_large = size > SMALL_BYTES
    if dialect.native_headers:
        request.ask.native_headers = headers_of_wire(dialect, scope["headers"])
    return request, estimated_input(request.ask, size)


Asked = tuple[str, float, int]
"""A request's id, and since when it is here: seconds of the monotonic clock, and microseconds UTC."""
Caller = tuple[Principal, str, float, int, Seen, Plan | None]
"""Who asks, and the three of `Asked`; in which minute of theirs it is counted, and what limits them, if anything does.
No NamedTuple: making one is a step more, for every request."""

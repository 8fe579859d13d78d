"""Asks a second provider what a client has just been answered by the first. Never waited for, never billed.

It begins when the real answer is over, a few at a time; what finds no room, and what would take a turn at the second
provider's limits from a real request, is left out.
"""

import asyncio
import time
from dataclasses import dataclass, replace

from aiservice.errors import BrokerError
from aiservice.gateway.attempts import failure_of
from aiservice.gateway.exchange import Exchange
from aiservice.gateway.targets import Targets
from aiservice.kit.clock import now_us
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed, Provider
from aiservice.services.candidates import Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.core import Core
from aiservice.services.quota_turn import Turn
from aiservice.services.routing import may_see
from aiservice.services.shadows import Shadow, Shadowed
from aiservice.upstream.failures import UpstreamFailure
from aiservice.wire import AI_SERVICE_WIRE, Answer, Ask, AttemptFailure, Usage

MOST_AT_ONCE = 8
_STREAM_FIELDS = ("stream", "stream_options")


@dataclass(slots=True, frozen=True)
class _Call:
    """One call to make."""

    request_id: str
    ask: Ask
    rule: Shadow
    candidate: Candidate
    turn: Turn
    real_ms: int


class Shadowing:
    """The shadow calls of one worker. Fails open: whatever goes wrong here is noted with the rule, and nowhere else."""

    def __init__(self, core: Core, targets: Targets) -> None:
        self._core = core
        self._targets = targets
        self._tasks: set[asyncio.Task[None]] = set()

    def consider(self, exchange: Exchange) -> None:
        """Begins a call, where the request that has just been answered is one of a rule's part."""
        rule = self._core.shadows.chosen(exchange.principal.client_id, exchange.request.ask.task)
        if rule is None or exchange.outcome != "finished" or exchange.is_free or len(self._tasks) >= MOST_AT_ONCE:
            return
        candidate, ask = self._candidate(exchange, rule), exchange.request.ask
        if candidate is None or ask.uncarried or ask.kind == "token-count":
            return
        turn = self._turn(exchange, candidate)
        if turn is None:
            return
        real_ms = int((time.monotonic() - exchange.started) * 1000)
        call = self._ask(_Call(exchange.request_id, _whole(ask), rule, candidate, turn, real_ms))
        task = asyncio.get_running_loop().create_task(call, name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _candidate(self, exchange: Exchange, rule: Shadow) -> Candidate | None:
        """The rule's place; None where it may not be asked for this caller, or gave the real answer itself."""
        principal, ask = exchange.principal, exchange.request.ask
        view = next((view for view in self._core.connections.snapshot() if view.id == rule.connection_id), None)
        if view is None or view.is_disabled or principal.is_test:
            return None
        stored = self._core.preferences.terms_for(principal, ask.task)
        is_allowed = principal.connections is None or view.name in principal.connections
        is_allowed = is_allowed and may_see(view, exchange.request, stored)
        provider, model = registry().get(view.kind), rule.model
        if not is_allowed or view.owner_client_id not in (None, principal.client_id) or provider is None:
            return None
        model = model or _model_of(view, provider, ask)
        if not model or (principal.models is not None and model not in principal.models):
            return None
        if exchange.candidate is not None and (exchange.candidate.connection.id, exchange.candidate.model) == (
            view.id,
            model,
        ):
            return None
        return Candidate(view, provider.at(view.base_url), model, "shadow", ())

    def _turn(self, exchange: Exchange, candidate: Candidate) -> Turn | None:
        """A turn at the provider's limits, where it takes none from a real request; None: not now."""
        quotas = self._core.quotas
        now = quotas.now()
        lane = quotas.lane(candidate.connection, candidate.model, now)
        turn = lane.turn(exchange.principal.client_id, exchange.principal.weight, exchange.est_input_tokens)
        return turn if lane.enter(turn, now) else None

    async def _ask(self, call: "_Call") -> None:
        candidate, turn = call.candidate, call.turn
        began = time.monotonic()
        answer: Answer | None = None
        failure: AttemptFailure | None = None
        try:
            answer = await self._answer(call.request_id, call.ask, candidate)
        except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
            failure = failure_of(exc)
        usage = (answer.usage if answer is not None else None) or Usage(source="counted")
        if answer is None:
            turn.lane.failed(turn)
        else:
            turn.lane.settled(turn, usage.input_tokens, usage.output_tokens)
        core, view = self._core, candidate.connection
        price = core.prices.cost_nano_usd
        cost = price(view.kind, view.base_url, candidate.model, usage, now_us()) if answer is not None else 0
        took_ms = int((time.monotonic() - began) * 1000)
        status = 200 if failure is None else failure.upstream_status or failure.status
        code = None if failure is None else failure.code
        told = Shadowed(
            call.rule,
            call.request_id,
            view.name,
            candidate.model,
            took_ms,
            call.real_ms,
            status,
            code,
            usage,
            cost,
        )
        core.shadows.note(told)

    async def _answer(self, request_id: str, ask: Ask, candidate: Candidate) -> Answer:
        provider = candidate.provider
        call = provider.build(ask, candidate.model)
        target = await self._targets.of(candidate)
        deadlines = self._core.settings.deadlines
        reply = await self._core.upstream.send(target, call, request_id=request_id, deadlines=deadlines)
        if reply.status != 200:
            raise AttemptFailed(provider.failure(reply))
        return provider.read(ask, call, reply)


def _whole(ask: Ask) -> Ask:
    """The same, to be answered in one piece and in nobody's own wire."""
    body = {name: value for name, value in ask.body.items() if name not in _STREAM_FIELDS}
    return replace(ask, body=body, is_stream=False, wire=AI_SERVICE_WIRE, native=None, native_headers=())


def _model_of(view: ConnectionView, provider: Provider, ask: Ask) -> str:
    names = view.models or provider.default_models
    return next((name for name in names if provider.serves(name, ask.kind)), "")

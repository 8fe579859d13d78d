"""`POST /ai-service/explain`: what a call with the same body would do now, and why. It sends and costs nothing, and
takes one request of its caller's limits; the token in its answer makes the call take that same decision."""

import time
from typing import Any

import orjson

from aiservice.dialects import ai_service
from aiservice.dialects._base import ClientRequest
from aiservice.dialects._object_ids import object_id_in
from aiservice.errors import BrokerError
from aiservice.gateway.admit import check_scope, most_output
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.cached import Cached
from aiservice.gateway.charge import Charges
from aiservice.gateway.choice import Choice, json_object
from aiservice.gateway.counting import estimated_input
from aiservice.gateway.exchange import Exchange, Handler, Receive, Routes, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.limits import limit_json
from aiservice.gateway.own_budgets import told_budgets
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import send_whole
from aiservice.kit.clock import iso
from aiservice.kit.money import to_usd_text
from aiservice.principal import Principal
from aiservice.providers.capabilities import requirements_of
from aiservice.services.core import Core
from aiservice.services.cost_range import CostRange, cost_range
from aiservice.services.decision_trace import table_of
from aiservice.services.routing import Decided, wish_of
from aiservice.services.routing_decision import removed_of
from aiservice.services.routing_filters import capability_rule

Json = dict[str, Any]


_NOWHERE: Json = {"candidates": [], "token": None, "cost": None, "warnings": []}


class Explain:
    """The route. It asks `Choice`, as a call does."""

    def __init__(self, core: Core, cached: Cached) -> None:
        self._core = core
        self._cached = cached
        self._choice = Choice(core, Charges(core.spending, core.prices))

    def routes(self) -> Routes:
        return {"/ai-service/explain": {"POST": Handler(self._answer, ai_service.DIALECT, scope_name="key")}}

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        core = self._core
        began = time.monotonic()
        principal = await authenticate(core, scope)
        await count_request(core.limiter, principal, request_id)
        raw = await read_body(scope, receive, core.settings.max_body_bytes)
        body, as_sent = await json_object(raw), await json_object(raw)
        request = ai_service.DIALECT.read(body)
        check_scope(principal, request.ask.task)
        said = await self._explained(scope, principal, request, (body, as_sent), len(raw))
        said = {"id": request_id, "object": "ai_service.explanation", **said}
        headers = [
            (b"x-request-id", request_id.encode()),
            (b"x-aiservice-overhead-ms", b"%.2f" % ((time.monotonic() - began) * 1000)),
            *headers_of_caller(core.limiter, principal),
        ]
        await send_whole(send, 200, headers, orjson.dumps(said))

    async def _explained(
        self, scope: Scope, principal: Principal, request: ClientRequest, bodies: tuple[Json, Json], body_bytes: int
    ) -> Json:
        """`bodies` are the body as it was read and as it was sent."""
        core, ask, (body, as_sent) = self._core, request.ask, bodies
        input_tokens = estimated_input(ask, body_bytes)
        decided, refusal = self._decided(principal, request, body, input_tokens)
        stored = core.preferences.terms_for(principal, ask.task)
        task = {"name": ask.task, "why": request.task_reason}
        said: Json = {"task": task, "model": ask.requested_model, "alias": request.alias}
        if decided is not None:
            table = table_of(decided, core.connections.snapshot())
            token, ends_us = core.explain_tokens.sign(principal, as_sent, decided)
            said |= {**table, "token": token, "token_expires_at": iso(ends_us)}
            said["cost"] = self._cost(decided, request, input_tokens)
            said["warnings"] = _warnings(decided, request, input_tokens)
        else:
            said |= {**_NOWHERE, "removed": self._all_removed(principal, request)}
        standing = await core.limiter.look(principal) if principal.limits else []
        chosen = {one.connection.id for one in decided.candidates} if decided is not None else set()
        return {
            **said,
            "refusal": None if refusal is None else _refusal(refusal),
            "preferences": None if stored is None else stored.to_json(),
            "estimated_input_tokens": input_tokens,
            "limits": [limit_json(one) for one in standing],
            "budgets": await told_budgets(core.budgets, principal),
            "quotas": core.quotas.shares_of(principal.client_id, principal.weight, lambda view: view.id in chosen),
            "cache": self._cache(scope, principal, request, body, decided),
        }

    def _decided(
        self, principal: Principal, request: ClientRequest, body: Json, input_tokens: int
    ) -> tuple[Decided | None, BrokerError | None]:
        """Where a call would go, or what it would be refused with."""
        try:
            decided = self._choice.decide(principal, request, input_tokens)
            if (object_id := object_id_in(body)) is not None:
                decided = self._choice.own(principal, decided, object_id)
            return self._choice.affordable(principal, decided), None
        except BrokerError as error:
            return None, error

    def _cache(
        self, scope: Scope, principal: Principal, request: ClientRequest, body: Json, decided: Decided | None
    ) -> str:
        """What `x-aiservice-cache` would say, but for a call of others that it might join."""
        if decided is None or object_id_in(body) is not None:
            return "bypass"
        exchange = Exchange("", ai_service.DIALECT, principal, request, 0, 0.0)
        use = self._cached.plan(exchange, scope, body, decided.candidates)
        if use is None:
            return "bypass"
        return "hit" if self._cached.would_give(use) else "miss"

    def _all_removed(self, principal: Principal, request: ClientRequest) -> list[Json]:
        """The rule that removed each, where none was left."""
        core = self._core
        try:
            wish = wish_of(principal, request, core.preferences.terms_for(principal, request.ask.task))
        except BrokerError:
            return []
        removed = removed_of(wish, (), (), core.connections.snapshot())
        return [{"provider": r.connection, "kind": r.kind, "rule": r.rule, "why": r.words} for r in removed]

    def _cost(self, decided: Decided, request: ClientRequest, input_tokens: int) -> Json | None:
        """What the first place is likely to cost."""
        most = most_output(request.ask)
        found = cost_range(self._core.router.facts, self._core.prices, decided.candidates[0], input_tokens, most)
        return None if found is None else _range_json(found)


def _warnings(decided: Decided, request: ClientRequest, input_tokens: int) -> list[str]:
    """What the first place is known not to do of what is asked: where no other does, it is the one to say so."""
    needs = requirements_of(request.ask, input_tokens)
    rule = capability_rule(needs, decided.candidates[0], is_strict=False)
    return [] if rule is None else [rule.words]


def _range_json(found: CostRange) -> Json:
    return {
        "low": to_usd_text(found.low),
        "high": None if found.high is None else to_usd_text(found.high),
        "currency": "USD",
        "basis": found.basis,
    }


def _refusal(error: BrokerError) -> Json:
    return {"status": error.status, "code": error.code, "message": error.message, "param": error.param}

"""What a key has left: `GET /ai-service/limits`. Takes nothing of it itself."""

from collections.abc import Callable

import orjson

from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.own_budgets import told_budgets
from aiservice.gateway.respond import send_whole
from aiservice.principal import Principal
from aiservice.services.connection_views import ConnectionView
from aiservice.services.core import Core
from aiservice.services.limiter import Standing


class OwnLimits:
    """The limits and budgets of the key that asks, of its client and of their team."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> Routes:
        return {"/ai-service/limits": {"GET": Handler(self._answer, scope_name="read", is_free=True)}}

    async def _answer(self, scope: Scope, _receive: Receive, send: Send, request_id: str) -> None:
        principal = await authenticate(self._core, scope)
        check_scope(principal, "read")
        limiter = self._core.limiter
        standing = await limiter.look(principal) if principal.limits else []
        body = {
            "object": "ai_service.limits",
            "key_id": principal.key_id,
            "client": principal.client_name,
            "team": principal.team_name,
            "limits": [limit_json(one) for one in standing],
            "providers": self._core.quotas.shares_of(principal.client_id, principal.weight, self._may_use(principal)),
            "budgets": await told_budgets(self._core.budgets, principal),
        }
        headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(limiter, principal)]
        await send_whole(send, 200, headers, orjson.dumps(body))

    def _may_use(self, principal: Principal) -> Callable[[ConnectionView], bool]:
        theirs = {
            view.id
            for view in self._core.connections.snapshot()
            if view.owner_client_id in (None, principal.client_id)
            and not view.is_disabled
            and (principal.connections is None or view.name in principal.connections)
        }
        return lambda view: view.id in theirs


def limit_json(standing: Standing) -> dict[str, object]:
    """How one limit stands."""
    limit = standing.limit
    return {
        "name": limit.name,
        "scope": limit.scope,
        "measure": limit.measure,
        "window_seconds": limit.window_seconds or None,
        "limit": limit.amount,
        "used": standing.used,
        "remaining": standing.remaining,
        "reset_seconds": -(-standing.reset_us // 1_000) / 1_000 if limit.window_seconds else None,
    }

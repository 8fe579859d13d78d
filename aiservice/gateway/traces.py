"""What became of a request: `GET /ai-service/requests/{id}`, for the key that made it and for nobody else."""

import re
from typing import Any

import orjson

from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import send_whole
from aiservice.kit.clock import iso
from aiservice.kit.money import to_usd_text
from aiservice.services.core import Core
from aiservice.services.request_log import LoggedRequest

_PATH = re.compile(r"/ai-service/requests/([^/]{1,100})")
Json = dict[str, Any]


class Traces:
    """Reads the ledger, and the decision that a request went by."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def route_with_argument(self, path: str) -> dict[str, Handler] | None:
        """The route of a request's trace, or None."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        asked = found[1]

        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            core = self._core
            principal = await authenticate(core, scope)
            check_scope(principal, "read")
            await count_request(core.limiter, principal, request_id)
            entry = await core.requests.of_key(principal.client_id, principal.key_id, asked)
            body = orjson.dumps({**_told(entry), "decision": await core.decisions.find(entry.decision)})
            headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(core.limiter, principal)]
            await send_whole(send, 200, headers, body)

        return {"GET": Handler(run, scope_name="read")}


def _told(entry: LoggedRequest) -> Json:
    first_byte_us = entry.first_byte_us
    return {
        "id": entry.request_id,
        "object": "ai_service.request",
        "task": entry.task,
        "surface": entry.surface,
        "requested_model": entry.requested_model or None,
        "provider": entry.provider or None,
        "model": entry.model or None,
        "status": entry.status,
        "outcome": entry.outcome,
        "error_code": entry.error_code,
        "stream": entry.is_stream,
        "started_at": iso(entry.started_us),
        "ended_at": iso(entry.ended_us),
        "first_byte_ms": None if first_byte_us is None else (first_byte_us - entry.started_us) // 1_000,
        "overhead_ms": None if entry.overhead_us is None else entry.overhead_us / 1_000,
        "usage": {
            "input_tokens": entry.input_tokens,
            "output_tokens": entry.output_tokens,
            "cached_input_tokens": entry.cached_input_tokens,
            "reasoning_tokens": entry.reasoning_tokens,
            "total_tokens": entry.input_tokens + entry.output_tokens,
            **({"units": entry.units, "unit": entry.unit} if entry.unit else {}),
            "source": entry.usage_source,
        },
        "cost": None
        if entry.cost_nano_usd is None
        else {"amount": to_usd_text(entry.cost_nano_usd), "currency": "USD"},
        "cache": entry.cache or "bypass",
        "attempts": [_attempt(one) for one in entry.attempts],
    }


def _attempt(kept: Json) -> Json:
    """An attempt, with its cost as money."""
    cost = kept.get("cost_nano_usd")
    told = {name: value for name, value in kept.items() if name != "cost_nano_usd"}
    return told if cost is None else {**told, "cost": {"amount": to_usd_text(cost), "currency": "USD"}}

"""What a key has used: `GET /ai-service/usage`. One query or two of the roll-ups, exact to the minute."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import orjson

from aiservice.errors import InvalidRequest
from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.own_budgets import told_budgets
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import send_whole
from aiservice.kit.clock import DAY_US, MINUTE_US, SECOND_US, iso, now_us
from aiservice.kit.money import to_usd_text
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.usage_sums import Sums

_DEFAULT_DAYS = 30
_PARAMS = {"from", "to"}


class OwnUsage:
    """Sums of the key that asks, and of nobody else. `from` and `to` are RFC 3339 (default: the last 30 days)."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> Routes:
        return {"/ai-service/usage": {"GET": Handler(self._answer, scope_name="read")}}

    async def _answer(self, scope: Scope, _receive: Receive, send: Send, request_id: str) -> None:
        principal = await authenticate(self._core, scope)
        check_scope(principal, "read")
        await count_request(self._core.limiter, principal, request_id)
        start_us, end_us = _span(scope["query_string"])
        # The sums are by the minute: what is told is the range they are of.
        start_us, last_us = start_us // MINUTE_US * MINUTE_US, (end_us - 1) // MINUTE_US * MINUTE_US
        sums = await self._core.usage.of_client(principal.client_id, start_us, principal.key_id, last_us)
        budgets = await told_budgets(self._core.budgets, principal)
        body = orjson.dumps({**_told(principal, start_us, last_us + MINUTE_US, sums), "budgets": budgets})
        headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(self._core.limiter, principal)]
        await send_whole(send, 200, headers, body)


def _told(principal: Principal, start_us: int, end_us: int, sums: Sums) -> dict[str, object]:
    return {
        "object": "ai_service.usage",
        "key_id": principal.key_id,
        "client": principal.client_name,
        "from": iso(start_us),
        "to": iso(end_us),
        "requests": sums.requests,
        "errors": sums.errors,
        "usage": {
            "input_tokens": sums.input_tokens,
            "output_tokens": sums.output_tokens,
            "cached_input_tokens": sums.cached_input_tokens,
            "reasoning_tokens": sums.reasoning_tokens,
            "total_tokens": sums.tokens,
            **sums.units,
        },
        "cost": {"amount": to_usd_text(sums.cost_nano_usd), "currency": "USD"},
        "unpriced_requests": sums.unpriced,
    }


def _span(query: bytes) -> tuple[int, int]:
    given = dict(parse_qsl(query.decode("latin-1")))
    unknown = sorted(given.keys() - _PARAMS)
    if unknown:
        raise InvalidRequest(
            f"There is no parameter '{unknown[0][:40]}' here, only from and to.", param=unknown[0][:40]
        )
    end_us = _moment(given["to"], "to") if "to" in given else now_us()
    start_us = _moment(given["from"], "from") if "from" in given else end_us - _DEFAULT_DAYS * DAY_US
    if start_us >= end_us:
        raise InvalidRequest("The range ends before it begins.", param="from")
    return start_us, end_us


def _moment(text: str, param: str) -> int:
    """Microseconds UTC of an ISO 8601 date or time; UTC where it names no zone.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        # A + that nobody escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * SECOND_US)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"'{param}' must be a time like 2026-11-01T00:00:00Z.", param=param) from None

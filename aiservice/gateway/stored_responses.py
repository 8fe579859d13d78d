"""Answers that were stored, for the client that asked: `GET` and `DELETE /v1/responses/{id}`, and what led to one."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import orjson

from aiservice.dialects._base import Json
from aiservice.errors import InvalidRequest, NotFound
from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import send_whole
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.kept_responses import KeptResponse

_PATH = re.compile(r"/v1/responses/([^/]{1,200})(/input_items|/cancel)?")
_LIMIT = re.compile(r"[1-9][0-9]?|100")
_TASK = "chat"  # who may not ask may not read what was answered
_Answer = Callable[[Principal, str, Scope], Awaitable[Json]]


class StoredResponses:
    """Answers from what is kept; no provider is asked."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def route_with_argument(self, path: str) -> dict[str, Handler] | None:
        """The route of a path that holds a response's id, or None."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        if found[2] == "/input_items":
            return {"GET": self._handler(found[1], self._input_items)}
        if found[2] == "/cancel":
            return {"POST": self._handler(found[1], self._cancel)}
        return {"GET": self._handler(found[1], self._get), "DELETE": self._handler(found[1], self._delete)}

    def _handler(self, response_id: str, answer: _Answer) -> Handler:
        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            principal = await authenticate(self._core, scope)
            check_scope(principal, _TASK)
            await count_request(self._core.limiter, principal, request_id)
            body = await answer(principal, response_id, scope)
            headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(self._core.limiter, principal)]
            await send_whole(send, 200, headers, orjson.dumps(body))

        return Handler(run, scope_name="key")  # the task's scope is asked for inside

    async def _get(self, principal: Principal, response_id: str, scope: Scope) -> Json:
        if _query(scope).get("stream", ["false"])[-1] == "true":
            raise InvalidRequest(
                "A stored answer is given whole: leave 'stream' out. A stream that broke off can be resumed where it "
                "was asked for with x-aiservice-resumable: true.",
                param="stream",
            )
        return (await self._kept(principal, response_id)).response

    async def _delete(self, principal: Principal, response_id: str, _scope: Scope) -> Json:
        if not await self._core.responses.delete(principal, response_id):
            raise _no_such(response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    async def _cancel(self, principal: Principal, response_id: str, _scope: Scope) -> Json:
        await self._kept(principal, response_id)
        raise InvalidRequest("Only an answer in the background can be cancelled; this one has been given.")

    async def _input_items(self, principal: Principal, response_id: str, scope: Scope) -> Json:
        kept = await self._kept(principal, response_id)
        query = _query(scope)
        limit, order = query.get("limit", ["20"])[-1], query.get("order", ["desc"])[-1]
        if not _LIMIT.fullmatch(limit):
            raise InvalidRequest("'limit' must be a number from 1 to 100.", param="limit")
        if order not in ("asc", "desc"):
            raise InvalidRequest("'order' must be 'asc' or 'desc'.", param="order")
        items = [{**item, "id": item.get("id") or f"item_{response_id}_{n}"} for n, item in enumerate(kept.input)]
        if order == "desc":
            items.reverse()
        after = query.get("after", [None])[-1]
        if after is not None:
            place = next((place for place, item in enumerate(items) if item["id"] == after), None)
            if place is None:
                raise InvalidRequest("'after' must be the id of an item of this response.", param="after")
            items = items[place + 1 :]
        page = items[: int(limit)]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        return {"object": "list", "data": page, **ends, "has_more": len(items) > len(page)}

    async def _kept(self, principal: Principal, response_id: str) -> KeptResponse:
        kept = await self._core.responses.get(principal, response_id)
        if kept is None:
            raise _no_such(response_id)
        return kept


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _no_such(response_id: str) -> NotFound:
    return NotFound(
        f"There is no stored response '{response_id[:100]}' of this client. They are kept for 30 days where 'store' is "
        "not false.",
        code="response_not_found",
        param="response_id",
    )

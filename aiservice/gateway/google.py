"""Google's routes, whose address names the model and the method: `POST /v1beta/models/{model}:{method}`, and the list
of models in Google's form. Its libraries of today say /v1 instead of /v1beta: both are the same here.

Matched only where no route has the very path: what others send passes none of this.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson

from aiservice.dialects._base import Dialect, Json
from aiservice.dialects.google_generate import DIALECT, METHODS, StreamGenerateContent
from aiservice.errors import InvalidRequest, NotFound
from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.catalogue import Catalogue, Listed
from aiservice.gateway.exchange import HINTS, Handler, Receive, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.respond import send_whole
from aiservice.principal import Principal
from aiservice.providers import registry
from aiservice.services.core import Core

_PREFIX = "/v1beta"
_MODELS = (f"{_PREFIX}/models", "/v1/models")
_CALL = re.compile(r"/(?:v1beta|v1)/models/(.{1,300}):([A-Za-z]{1,40})")
_CHAT_METHODS = ("generateContent", "streamGenerateContent", "countTokens")
_EMBEDDING_METHODS = ("embedContent", "batchEmbedContents")
_PAGE, _MOST = 50, 1000
_MOST_CALLS = 1024
# What changes the form of an answer, and is not done here.
_REFUSED = frozenset({"fields", "$fields", "callback", "$callback", "$alt", "$.xgafv"})
_NO_QUERY: Mapping[str, str] = {}
_JSON = (b"content-type", b"application/json")
Infer = Callable[[Dialect, Scope, Receive, Send, str], Awaitable[None]]


class GoogleRoutes:
    """`handler` makes the handler of an inference route that speaks a dialect; `infer` answers as that does where the
    headers hold no hints."""

    def __init__(self, core: Core, catalogue: Catalogue, handler: Callable[[Dialect], Handler], infer: Infer) -> None:
        self._core = core
        self._catalogue = catalogue
        self._handler = handler
        self._infer = infer
        self._calls: dict[str, dict[str, Handler]] = {}  # by path: there are twice as many as models

    def dialects(self) -> list[Dialect]:
        """One of each surface."""
        return [kind() for kind in METHODS.values()]

    def route_with_argument(self, path: str) -> dict[str, Handler] | None:
        """The route of a path that names a model and a method; of every other path under /v1beta, one that says what
        there is; None where the path is none of these."""
        if (known := self._calls.get(path)) is not None:
            return known
        found = _CALL.fullmatch(path)
        if found is not None and found[2] in METHODS:
            if len(self._calls) >= _MOST_CALLS:
                self._calls.clear()
            made = self._calls[path] = {"POST": self._call(found[1], found[2])}
            return made
        if not path.startswith(f"{_PREFIX}/"):
            return None
        if path == _MODELS[0]:
            return {"GET": self._reading(self._list)}
        if path.startswith(f"{_MODELS[0]}/") and found is None:
            return {"GET": self._reading(partial(self._one, path.removeprefix(f"{_MODELS[0]}/")))}
        missing = Handler(_missing, DIALECT)
        return dict.fromkeys(("GET", "POST", "PATCH", "PUT", "DELETE"), missing)

    def for_googles_clients(self, path: str, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """The handlers of `/v1/models` or a path below it: who sends the key as Google's libraries do is told of models
        as Google does."""
        theirs = handlers["GET"]
        wanted = path.removeprefix(_MODELS[1]).removeprefix("/")
        ours = self._reading(partial(self._one, wanted) if wanted else self._list)

        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            is_google = any(name == b"x-goog-api-key" for name, _ in scope["headers"])
            await (ours if is_google else theirs).run(scope, receive, send, request_id)

        return {**handlers, "GET": replace(theirs, run=run)}

    def _call(self, model: str, method: str) -> Handler:
        kind = METHODS[method]
        may_be_array = kind is StreamGenerateContent

        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            query = _checked_query(scope) if scope["query_string"] else _NO_QUERY
            is_array = may_be_array and query.get("alt") != "sse"
            dialect, send = kind(model, is_array=is_array), _as_json(send) if is_array else send
            if HINTS in scope:
                await self._handler(dialect).run(scope, receive, send, request_id)
            else:
                await self._infer(dialect, scope, receive, send, request_id)

        return Handler(run, DIALECT, scope_name="task")

    def _reading(self, answer: Callable[[Principal, Mapping[str, str]], Json]) -> Handler:
        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            principal = await authenticate(self._core, scope)
            check_scope(principal, "read")
            headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(self._core.limiter, principal)]
            await send_whole(send, 200, headers, orjson.dumps(answer(principal, _query(scope))))

        return Handler(run, DIALECT, scope_name="read", is_free=True)

    def _list(self, principal: Principal, query: Mapping[str, str]) -> Json:
        size, begin = _number(query, "pageSize", _PAGE), _number(query, "pageToken", 0)
        size = min(size or _PAGE, _MOST)
        found = list({model.name: model for model in reversed(self._catalogue.listed(principal))}.values())[::-1]
        told: Json = {"models": [self._model_json(model) for model in found[begin : begin + size]]}
        if begin + size < len(found):
            told["nextPageToken"] = str(begin + size)
        return told

    def _one(self, wanted: str, principal: Principal, query: Mapping[str, str]) -> Json:
        return self._model_json(self._catalogue.one(principal, wanted.removeprefix("models/")))

    def _model_json(self, model: Listed) -> Json:
        views = self._core.connections.snapshot()
        view = next((view for view in views if view.name == model.connection), None)
        provider = registry().get(view.kind) if view is not None else None
        methods: list[str] = []
        if provider is None or provider.serves(model.name, "chat"):
            methods += _CHAT_METHODS
        if provider is None or provider.serves(model.name, "embedding"):
            methods += _EMBEDDING_METHODS
        told: Json = {
            "name": f"models/{model.name}",
            "version": model.name,
            "displayName": model.name,
            "description": f"{model.name}, by {model.connection}",
            "supportedGenerationMethods": methods,
        }
        if model.context_tokens is not None:
            told["inputTokenLimit"] = model.context_tokens
        return told


async def _missing(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
    methods = ", ".join(f":{name}" for name in METHODS)
    raise NotFound(
        f"There is no such route. Under {_PREFIX} there are GET {_MODELS[0]}, and POST {_MODELS[0]}/{{model}} with one "
        f"of {methods}."
    )


def _checked_query(scope: Scope) -> Mapping[str, str]:
    """The query of a call.

    Raises:
        InvalidRequest: it asks for what is not done here.
    """
    query = _query(scope)
    named = _REFUSED.intersection(query)
    if named or query.get("alt", "json") not in ("json", "sse"):
        name = sorted(named)[0] if named else "alt"
        raise InvalidRequest(
            f"The query's '{name}' is not taken: answers are JSON, or events with alt=sse.", param=name
        )
    return query


def _as_json(send: Send) -> Send:
    """`send` for a stream that is one JSON document."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                _JSON if value.startswith(b"text/event-stream") else (name, value) for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return sending


def _query(scope: Scope) -> dict[str, str]:
    query: bytes = scope["query_string"]
    return dict(parse_qsl(query.decode("latin-1"))) if query else {}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isdecimal() or len(value) > 9:
        raise InvalidRequest(f"The query's '{name}' must be a whole number.", param=name)
    return int(value)

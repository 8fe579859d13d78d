"""What a key may use: `GET /v1/models` and `GET /ai-service/tasks`."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson

from aiservice.dialects._base import ClientRequest
from aiservice.errors import BrokerError, NotFound
from aiservice.gateway.admit import check_scope
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.respond import send_whole
from aiservice.kit.clock import iso
from aiservice.principal import Principal
from aiservice.providers.capabilities import capabilities_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.core import Core
from aiservice.services.model_abilities import abilities_of
from aiservice.services.model_pricing import pricing_of
from aiservice.services.routing import follow, models_for
from aiservice.tasks import registry
from aiservice.wire import Ask

Json = dict[str, Any]


class Listed(NamedTuple):
    """A model that a key may use, and the connection that offers it first; `context_tokens` is how many prompt and
    answer may have together, where anybody knows."""

    name: str
    connection: str
    created_us: int
    context_tokens: int | None = None


MODELS = "/v1/models"
_LENGTHS = {"context_length": "max_input_tokens", "max_output_tokens": "max_tokens"}  # Anthropic's names for them
OWN = "aiservice"


class Catalogue:
    """Answers from memory: no query, no provider is asked."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> Routes:
        return {
            MODELS: {"GET": Handler(self._for_key(self._models), scope_name="read", is_free=True)},
            "/ai-service/tasks": {"GET": Handler(self._for_key(self._tasks), scope_name="read", is_free=True)},
        }

    def route_with_argument(self, path: str) -> "dict[str, Handler] | None":
        """The route of a path that ends in an id, or None."""
        if not path.startswith(MODELS + "/"):
            return None
        wanted = path.removeprefix(MODELS + "/")
        run = self._for_key(lambda principal: self._model(principal, wanted))
        return {"GET": Handler(run, scope_name="read", is_free=True)}

    def _for_key(self, answer: Callable[[Principal], Json]) -> "Callable[[Scope, Receive, Send, str], Awaitable[None]]":
        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            principal = await authenticate(self._core, scope)
            check_scope(principal, "read")
            headers = [(b"x-request-id", request_id.encode()), *headers_of_caller(self._core.limiter, principal)]
            await send_whole(send, 200, headers, orjson.dumps(answer(principal)))

        return run

    def listed(self, principal: Principal) -> list[Listed]:
        """The models of a key, aliases first; one that several connections offer is there several times."""
        snapshot = self._core.connections.snapshot()
        views = {view.name: view for view in snapshot}
        return [
            *self._aliases(principal),
            *(
                Listed(name, place, created_us, _context_tokens(views[place], name))
                for name, place, created_us in models_for(principal, snapshot)
            ),
        ]

    def one(self, principal: Principal, wanted: str) -> Listed:
        """The model called `wanted`, as it is or with its connection before it.

        Raises:
            NotFound: this key has none of that name.
        """
        for model in self.listed(principal):
            if wanted in (model.name, f"{model.connection}/{model.name}"):
                return model
        raise NotFound(
            f"This key has no model '{wanted[:200]}'. GET /v1/models lists those it has.",
            code="model_not_found",
            param="model",
        )

    def _models(self, principal: Principal) -> Json:
        found = self.listed(principal)
        models = [self._told(model) for model in {model[0]: model for model in reversed(found)}.values()][::-1]
        return {
            "object": "list",
            "data": models,
            "has_more": False,
            "first_id": models[0]["id"] if models else None,
            "last_id": models[-1]["id"] if models else None,
        }

    def _model(self, principal: Principal, wanted: str) -> Json:
        return self._told(self.one(principal, wanted))

    def _told(self, model: Listed) -> Json:
        """A model's object, with what it can do; an alias is as able as what it leads to, which may change."""
        views = (view for view in self._core.connections.snapshot() if view.name == model.connection)
        view = next(views, None)
        if view is None:
            return _model_json(*model)
        told = {**_model_json(*model), **abilities_of(view, model.name)}
        told |= {theirs: told[ours] for ours, theirs in _LENGTHS.items() if ours in told}
        pricing = pricing_of(self._core.prices, view, model.name)
        return told if pricing is None else {**told, "pricing": pricing}

    def _aliases(self, principal: Principal) -> list[Listed]:
        """As `models_for`: the aliases that lead this key anywhere, by name. They are ours, and as old as what they
        lead to first."""
        found = []
        for name in sorted(self._core.aliases.routes.visible_to(principal)):
            for task in (registry()["chat"], registry()["embedding"]):
                request = ClientRequest(Ask(task.name, task.kind, {}), name)
                try:
                    route = self._core.aliases.resolve(principal, name)
                    if route is not None:
                        follow(route, request)
                    snapshot = self._core.connections.snapshot()
                    first = self._core.router.candidates(principal, request, None, snapshot)[0]
                except BrokerError:
                    continue
                context_tokens = _context_tokens(first.connection, first.model)
                found.append(Listed(name, OWN, first.connection.created_us, context_tokens))
                break
        return found

    def _tasks(self, principal: Principal) -> Json:
        snapshot = self._core.connections.snapshot()
        tasks = []
        for task in registry().values():
            ask = Ask(task.name, task.kind, {})
            terms = self._core.preferences.terms_for(principal, task.name)
            try:
                candidates = self._core.router.for_ask(principal, ask, terms, snapshot)
            except BrokerError:
                candidates = ()
            may_use = principal.scopes is None or task.name in principal.scopes
            order = [
                {
                    "provider": c.connection.name,
                    "model": c.model,
                    "reason": c.reason,
                    **abilities_of(c.connection, c.model),
                }
                for c in candidates
            ]
            tasks.append(
                {"task": task.name, "title": task.title, "available": bool(order) and may_use, "candidates": order}
            )
        return {"object": "list", "data": tasks}


def _context_tokens(view: ConnectionView, model: str) -> int | None:
    return capabilities_of(view.kind, model, view.base_url, view.stated).context_tokens


def _model_json(name: str, connection: str, created_us: int, context_tokens: int | None) -> Json:
    """One object for both SDKs: OpenAI's fields and Anthropic's, which each ignore the other's; and the length of
    context under OpenRouter's name for it, where it is known."""
    length = {} if context_tokens is None else {"context_length": context_tokens}
    return {
        "id": name,
        "object": "model",
        "created": created_us // 1_000_000,
        "owned_by": connection,
        "type": "model",
        "display_name": name,
        "created_at": iso(created_us),
        **length,
    }

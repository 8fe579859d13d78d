"""Where a request goes, as far as its caller's rights, budgets and objects go: for a call and for explain alike."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from aiservice.dialects._base import ClientRequest, Json
from aiservice.dialects._object_ids import object_not_found
from aiservice.errors import InvalidRequest
from aiservice.gateway.charge import Charges
from aiservice.kit.strict_json import SMALL_BYTES, BadJson, parse
from aiservice.principal import Principal
from aiservice.services.connection_views import ConnectionView
from aiservice.services.core import Core
from aiservice.services.explain_tokens import Told
from aiservice.services.routing import Decided, follow
from aiservice.services.routing_filters import Rule
from aiservice.services.routing_terms import Terms

_MANY_VENDORS = frozenset({"openai-compatible", "openrouter"})
EXPLAIN_HEADER = b"x-aiservice-explain"
_NOT_OWN = Rule("object", "The request names an object of another provider account: only your own may be shown it.")
_UNPRICED = Rule("budget", "Nobody knows its price, and this caller has a budget of money.")


async def json_object(raw: bytes) -> Json:
    """The object that a body is, however large.

    Raises:
        InvalidRequest: it is none.
    """
    return small_object(raw) if len(raw) <= SMALL_BYTES else await asyncio.to_thread(small_object, raw)


def small_object(raw: bytes) -> Json:
    """`json_object` of a body of at most `SMALL_BYTES`, which holds nobody up."""
    try:
        body = parse(raw)
    except BadJson as exc:
        raise InvalidRequest(str(exc), code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    return body


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The explain token that a call brings back, if it does."""
    return next((value for name, value in headers if name == EXPLAIN_HEADER), None)


class Choice:
    """Decides for one worker. It changes nothing: only a call takes its turn."""

    def __init__(self, core: Core, charges: Charges) -> None:
        self._core = core
        self._charges = charges

    def decide(
        self, principal: Principal, request: ClientRequest, input_tokens: int, told: Told | None = None
    ) -> Decided:
        """The places to try. With what an explanation has `told`, those and no others.

        Raises:
            BrokerError: as `Router.decide`.
            Conflict: what was told cannot be done any more.
        """
        core = self._core
        snapshot = core.connections.snapshot()
        if request.is_provider_field:
            _leave_to_vendor(principal, request, snapshot)
        terms = self.terms(principal, request)
        decided = core.router.decide(principal, request, terms, snapshot, input_tokens=input_tokens)
        if told is not None:
            decided = replace(decided, candidates=told.among(decided), trace_id=None)
        return decided

    def own(self, principal: Principal, decided: Decided, object_id: str) -> Decided:
        """Of a request that names an object which its provider keeps, the places that are the client's own.

        Raises:
            NotFound: there are none.
        """
        own = tuple(one for one in decided.candidates if one.connection.owner_client_id == principal.client_id)
        if not own:
            raise object_not_found(object_id)
        return decided.narrowed(own, _NOT_OWN)

    def affordable(self, principal: Principal, decided: Decided) -> Decided:
        """The places that the caller's budgets can be counted at; raises as `Charges.affordable`."""
        if not principal.counts_money:
            return decided
        return decided.narrowed(self._charges.affordable(principal, decided.candidates), _UNPRICED)

    def terms(self, principal: Principal, request: ClientRequest) -> Terms | None:
        """What is stored for the caller, once the alias that the request may name is followed."""
        core = self._core
        routes, stored = core.aliases.routes, core.preferences.stored
        if request.alias is None and request.model in routes.names:
            route = routes.resolve(principal, request.model)
            if route is not None:
                follow(route, request)
        return stored.terms_for(principal, request.ask.task) if stored.by_subject else None


def _leave_to_vendor(principal: Principal, request: ClientRequest, snapshot: tuple[ConnectionView, ...]) -> None:
    """A request that pins a connection of OpenRouter, or an OpenAI-compatible one, leaves us nothing to choose: its
    `provider` object is the vendor's own, and goes on as it came, for OpenRouter knows providers of its own."""
    prefix, slash, _ = (request.model or "").partition("/")
    own = (None, principal.client_id)
    if slash and any(
        prefix in (view.name, view.kind) and view.kind in _MANY_VENDORS and view.owner_client_id in own
        for view in snapshot
    ):
        ask = request.ask
        ask.body["provider"] = request.preferences
        if ask.native is not None:
            ask.native = {**ask.native, "provider": request.preferences}
        request.preferences = None
        request.is_provider_field = False

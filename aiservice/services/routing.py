"""Where a request goes: the one function that a call, explain, the portal's dry run and a draft's trial all ask.

A wish's plan is remembered; what a request needs, and what is known of the places at that moment, decide in it. With
the same plan, facts and turn the decision is the same: only a call takes its turn (`Router.went`).
"""

from operator import itemgetter
from typing import Any

from aiservice.dialects._base import ClientRequest
from aiservice.kit.clock import now_us
from aiservice.principal import Principal
from aiservice.providers.capabilities import requirements_of
from aiservice.services.alias_terms import Route
from aiservice.services.candidates import SANDBOX, Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.health import ConnectionHealth
from aiservice.services.prices import Prices
from aiservice.services.quotas import Quotas
from aiservice.services.routing_decided import Decided, Worked, check_left, unable_of
from aiservice.services.routing_facts import RoutingFacts
from aiservice.services.routing_filters import Rule, policy_rule, price_rule
from aiservice.services.routing_plan import Wish, models_for, plan_of
from aiservice.services.routing_strategies import SPREADING, Need, Rotation, World, arranged, in_turns, runs_of_keys
from aiservice.services.routing_terms import Terms
from aiservice.wire import Ask

__all__ = ["SANDBOX", "Decided", "Router", "follow", "may_see", "models_for", "own_terms", "wish_of"]

_MEMO_SIZE = 10_000
_USUAL_OUTPUT_TOKENS = 256
_LEAST_CACHED_TOKENS = 1_024
"""Shorter prompts no provider keeps in its cache."""
_NOTHING = Terms()
LEFT_ALONE = Rule("health", "It does not answer at the moment, and there are others.")


class Router:
    """Remembers the plans of equal wishes until a connection changes."""

    def __init__(
        self,
        *,
        facts: RoutingFacts | None = None,
        health: ConnectionHealth | None = None,
        quotas: Quotas | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._world = World(facts or RoutingFacts(), quotas or Quotas(), prices or Prices())
        self._health = health
        self.facts = self._world.facts
        self._memo: dict[tuple[object, ...], tuple[Worked, Decided | None]] = {}
        self._rotations: dict[tuple[tuple[str, int], ...], Rotation] = {}
        self._snapshot: tuple[ConnectionView, ...] | None = None

    def alike(self) -> "Router":
        """Another that knows the same of the places, and whose plans and turns are its own: for what is only tried."""
        quotas, prices = self._world.quotas, self._world.prices
        return Router(facts=self._world.facts, health=self._health, quotas=quotas, prices=prices)

    def decide(
        self,
        principal: Principal,
        request: ClientRequest,
        stored: Terms | None,
        snapshot: tuple[ConnectionView, ...],
        *,
        input_tokens: int = 0,
    ) -> Decided:
        """Where the request goes now; at least one place. `input_tokens` is an estimate of its prompt's.

        Raises:
            NotFound: no connection has the requested model, or a pinned connection does not exist.
            InvalidRequest: the request's own preferences name something unknown, or no place honours its parameters.
            PermissionDenied: the model is outside what the key may use.
            NoProvider: nothing is configured for this task, or nothing that meets what is said of data or price.
        """
        if snapshot is not self._snapshot or len(self._memo) > _MEMO_SIZE:
            self._memo.clear()
            self._rotations.clear()
            self._snapshot = snapshot
        own, ask = None if request.preferences is None else own_terms(request), request.ask
        key = (
            principal.client_id,
            principal.connections,
            principal.models,
            principal.is_test,
            ask.kind,
            ask.task,
            request.model,
            request.order,
            request.alias,
            own,
            id(stored),
        )
        known = self._memo.get(key)
        if known is None:
            worked = Worked(plan_of(_wish(principal, request, own, stored), snapshot), stored, self._rotation)
            known = self._memo[key] = (worked, worked.fixed())
        return known[1] or self._arranged(known[0], principal, ask, input_tokens)

    def went(self, client_id: str, decided: Decided) -> None:
        """A call goes by it: the next is the next one's turn, and the prompt will be in the first one's cache."""
        known = decided.known
        if known.strategy is not None:
            for rotation in known.rotations:
                rotation.turn += 1
            if decided.prefix is not None:
                self.facts.stick(client_id, decided.prefix, decided.candidates[0].connection.id)
        elif known.key_turns:
            for rotation in known.key_turns:
                rotation.turn += 1

    def candidates(
        self,
        principal: Principal,
        request: ClientRequest,
        stored: Terms | None,
        snapshot: tuple[ConnectionView, ...],
    ) -> tuple[Candidate, ...]:
        """The places of `decide` alone; raises as it."""
        return self.decide(principal, request, stored, snapshot).candidates

    def for_ask(
        self,
        principal: Principal,
        ask: Ask,
        stored: Terms | None,
        snapshot: tuple[ConnectionView, ...],
    ) -> tuple[Candidate, ...]:
        """`candidates` for a request that says nothing but its task."""
        return self.candidates(principal, ClientRequest(ask), stored, snapshot)

    def _rotation(self, group: tuple[Candidate, ...]) -> Rotation:
        """One for equal groups, whoever's plan they are in: turns are the places', not the callers'."""
        key = tuple((each.connection.id, each.connection.weight) for each in group)
        found = self._rotations.get(key)
        if found is None:
            found = self._rotations[key] = Rotation([each.connection.weight for each in group])
        return found

    def _arranged(self, known: Worked, principal: Principal, ask: Ask, input_tokens: int) -> Decided:
        removed, prefix = self._removed(known, ask, input_tokens), None
        found: list[Candidate]
        if known.is_by_needs_alone:
            found = [each for each in known.places if each not in removed] if removed else list(known.places)
        else:
            prefix = prefix_of(ask, input_tokens) if known.strategy in SPREADING else None
            need = Need(principal.client_id, ask.is_stream, input_tokens, _output_of(ask), now_us(), prefix)
            found = self._by_strategy(known, removed, need)
        health = self._health
        if known.plan.is_open and health is not None and len(found) > 1:
            alone = [health.is_left_alone(each.connection.id, each.model) for each in found]
            if any(alone):
                found = [each for _, each in sorted(zip(alone, found, strict=True), key=itemgetter(0))]
        most = _most_with_keys(found, known.plan.most) if known.key_turns else known.plan.most
        return Decided(tuple(found[:most]), tuple(removed.items()) if removed else (), known, prefix)

    def _by_strategy(self, known: Worked, removed: dict[Candidate, Rule], need: Need) -> list[Candidate]:
        terms, found = known.plan.wish.terms, list[Candidate]()
        for group, rotation in zip(known.plan.groups, known.rotations, strict=True):
            left = tuple(each for each in group if each not in removed) if removed else group
            if known.key_turns:
                left = self._by_turns_of_keys(left)
            if len(left) > 1 and (known.strategy is not None or known.is_preferring):
                turns = rotation if len(left) == len(group) else self._rotation(left)
                left = arranged(left, terms, need, self._world, turns)
            found += left
        return found

    def _by_turns_of_keys(self, group: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        runs = runs_of_keys(group)
        in_order = (in_turns(run, self._rotation(run)) if len(run) > 1 else run for run in runs)
        return tuple(each for run in in_order for each in run)

    def _removed(self, known: Worked, ask: Ask, input_tokens: int) -> dict[Candidate, Rule]:
        limit, removed = known.plan.wish.terms.max_price, dict[Candidate, Rule]()
        if limit is not None:
            at_us = now_us()
            for each in known.places:
                if rule := price_rule(limit, each, self._world.prices, input_tokens, at_us):
                    removed[each] = rule
            check_left(known, removed)
        if known.is_able:
            return removed
        unable = unable_of(known, requirements_of(ask, input_tokens))
        is_strict = bool(known.plan.wish.terms.require_parameters)
        if unable and (is_strict or any(each not in unable and each not in removed for each in known.places)):
            # Where nobody can, who is asked says so in its own words, unless the request wants it known before.
            removed = {**unable, **removed}
            check_left(known, removed)
        return removed


def _most_with_keys(found: list[Candidate], most: int | None) -> int | None:
    """How many places are tried where `most` connections are: a connection's further keys are no connections."""
    names: set[str] = set()
    for place, each in enumerate(found):
        names.add(each.connection.name)
        if most is not None and len(names) > most:
            return place
    return None


def prefix_of(ask: Ask, input_tokens: int) -> int | None:
    """Stands for how a long prompt begins: its first two messages, which stay while a conversation grows."""
    messages = ask.body.get("messages")
    if input_tokens < _LEAST_CACHED_TOKENS or type(messages) is not list:
        return None
    texts = [message.get("content") for message in messages[:2] if type(message) is dict]
    return hash(tuple(text for text in texts if type(text) is str))


def _output_of(ask: Ask) -> int:
    most = ask.body.get("max_completion_tokens") or ask.body.get("max_tokens")
    return min(most, _USUAL_OUTPUT_TOKENS) if type(most) is int and most > 0 else _USUAL_OUTPUT_TOKENS


def own_terms(request: ClientRequest) -> Terms | None:
    """What the request's body says of where it may go.

    Raises:
        InvalidRequest: a preference is unknown or of the wrong shape.
    """
    return None if request.preferences is None else Terms.read(request.preferences)


def follow(route: Route, request: ClientRequest) -> None:
    """Where the alias that the request names as its model leads becomes the request's own order.

    Raises:
        InvalidRequest: its own order names none of the alias's places.
    """
    own = own_terms(request)
    request.order, request.model, request.alias = route.within(own.order if own else None), None, route.name


def may_see(view: ConnectionView, request: ClientRequest, stored: Terms | None) -> bool:
    """Whether what is said of data, by the request or for its caller, lets the connection see the request, though it is
    not one that answers it."""
    own = own_terms(request)
    terms = own or stored or _NOTHING if own is None or stored is None else own.over(stored)
    return policy_rule(terms, view) is None


def wish_of(principal: Principal, request: ClientRequest, stored: Terms | None) -> Wish:
    """What the request says itself, and where it says nothing, what is stored for its caller."""
    return _wish(principal, request, own_terms(request), stored)


def _wish(principal: Principal, request: ClientRequest, own: Terms | None, stored: Terms | None) -> Wish:
    terms = own or stored or _NOTHING if own is None or stored is None else own.over(stored)
    said: Any = request.order or (own.order if own is not None else None)
    kind = request.ask.kind
    return Wish(
        principal.client_id,
        principal.connections,
        principal.models,
        principal.is_test,
        "chat" if kind == "token-count" else kind,  # what may chat is what may be counted for
        request.ask.task,
        request.model,
        said or terms.order,
        said is None or request.alias is not None,
        request.alias,
        terms,
    )

"""Where a request goes: the one function that a call, explain, the portal's dry run and a draft's trial all ask.

A wish's plan is remembered; what a request needs, and what is known of the places at that moment, decide in it. With
the same plan, facts and turn the decision is the same: only a call takes its turn (`Router.went`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiservice.dialects._base import ClientRequest
from aiservice.errors import InvalidRequest
from aiservice.kit.clock import now_us
from aiservice.principal import Principal
from aiservice.providers.capabilities import Requirements, requirements_of
from aiservice.services.alias_terms import Route
from aiservice.services.candidates import SANDBOX, Candidate
from aiservice.services.connection_views import ConnectionView
from aiservice.services.health import ConnectionHealth
from aiservice.services.prices import Prices
from aiservice.services.quotas import Quotas
from aiservice.services.routing_facts import RoutingFacts
from aiservice.services.routing_filters import Rule, able, capability_rule, price_rule
from aiservice.services.routing_plan import Plan, Wish, models_for, plan_of
from aiservice.services.routing_strategies import SPREADING, Need, Rotation, World, arranged, strategy_of
from aiservice.services.routing_terms import Terms
from aiservice.wire import Ask

__all__ = ["SANDBOX", "Decided", "Router", "follow", "models_for", "own_terms", "wish_of"]

_MEMO_SIZE = 10_000
_USUAL_OUTPUT_TOKENS = 256
_LEAST_CACHED_TOKENS = 1_024
"""Shorter prompts no provider keeps in its cache."""
_NOTHING = Terms()
LEFT_ALONE = Rule("health", "It does not answer at the moment, and there are others.")


class Worked:
    """A plan, and what is worked out once for it. `places` are all of it; `stored` is kept so that its identity stays
    its own."""

    __slots__ = ("is_able", "places", "plan", "rotations", "stored", "strategy", "traced")

    def __init__(self, plan: Plan, stored: Terms | None, rotation: Callable[[tuple[Candidate, ...]], Rotation]) -> None:
        self.plan, self.stored = plan, stored
        self.strategy = strategy_of(plan.wish.terms)
        self.places = tuple(each for group in plan.groups for each in group)
        self.rotations = tuple(rotation(group) for group in plan.groups)
        abilities = [able(c) for c in self.places]
        # Where all can do the same, or there is one place alone, the provider itself says best what it cannot.
        self.is_able = len(set(abilities)) <= 1 and not plan.wish.terms.require_parameters
        self.traced: dict[tuple[object, ...], str] = {}  # the ids of decisions by it (`services/decision_trace.py`)

    def fixed(self) -> "Decided | None":
        """The decision, where neither the request's needs nor anything that is known can change it."""
        plan, terms = self.plan, self.plan.wish.terms
        is_preferring = terms.preferred_max_latency_ms is not None or terms.preferred_min_throughput is not None
        is_cut = plan.most is not None and len(self.places) > plan.most
        if self.strategy is None and terms.max_price is None and self.is_able and not is_preferring:
            return None if plan.is_open and is_cut else Decided(self.places[: plan.most], (), self, None)
        return None


@dataclass(slots=True, frozen=True)
class Decided:
    """The places to try, best first, and those that this request's needs removed, each with its rule. `known` is the
    plan it came from; `prefix` stands for the beginning of a long prompt."""

    candidates: tuple[Candidate, ...]
    removed: tuple[tuple[Candidate, Rule], ...]
    known: Worked
    prefix: int | None

    @property
    def plan(self) -> Plan:
        return self.known.plan

    @property
    def places(self) -> tuple[Candidate, ...]:
        """All places that the plan has, tried or not."""
        return self.known.places

    def narrowed(self, candidates: tuple[Candidate, ...], rule: Rule) -> "Decided":
        """The same without the places that `rule` has removed."""
        if len(candidates) == len(self.candidates):
            return self
        gone = tuple((each, rule) for each in self.candidates if each not in candidates)
        return Decided(candidates, self.removed + gone, self.known, self.prefix)


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
        own = own_terms(request)
        ask = request.ask
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
            plan = plan_of(_wish(principal, request, own, stored), snapshot)
            worked = Worked(plan, stored, self._rotation)
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
        terms, strategy, at_us = known.plan.wish.terms, known.strategy, now_us()
        removed = {} if known.is_able and terms.max_price is None else self._removed(known, ask, input_tokens, at_us)
        prefix = prefix_of(ask, input_tokens) if strategy in SPREADING else None
        need: Need | None = None
        found: list[Candidate] = []
        for group, rotation in zip(known.plan.groups, known.rotations, strict=True):
            left = tuple(each for each in group if each not in removed) if removed else group
            if len(left) > 1 and (
                strategy is not None or terms.preferred_max_latency_ms or terms.preferred_min_throughput
            ):
                if need is None:
                    output = _output_of(ask)
                    need = Need(principal.client_id, ask.is_stream, input_tokens, output, at_us, prefix)
                turns = rotation if len(left) == len(group) else self._rotation(left)
                left = arranged(left, terms, need, self._world, turns)
            found += left
        if known.plan.is_open and self._health is not None and len(found) > 1:
            health = self._health
            found.sort(key=lambda each: health.is_left_alone(each.connection.id, each.model))
        return Decided(tuple(found[: known.plan.most]), tuple(removed.items()), known, prefix)

    def _removed(self, known: Worked, ask: Ask, input_tokens: int, at_us: int) -> dict[Candidate, Rule]:
        terms, removed = known.plan.wish.terms, dict[Candidate, Rule]()
        if terms.max_price is not None:
            for each in known.places:
                if rule := price_rule(terms.max_price, each, self._world.prices, input_tokens, at_us):
                    removed[each] = rule
            _check_left(known, removed)
        if known.is_able:
            return removed
        needs = requirements_of(ask, input_tokens)
        unable = _unable(known.places, needs, is_strict=bool(terms.require_parameters))
        if terms.require_parameters or any(each not in unable and each not in removed for each in known.places):
            # Where nobody can, who is asked says so in its own words, unless the request wants it known before.
            removed = {**unable, **removed}
            _check_left(known, removed)
        return removed


def _unable(places: tuple[Candidate, ...], needs: Requirements, *, is_strict: bool) -> dict[Candidate, Rule]:
    found = ((each, capability_rule(needs, each, is_strict=is_strict)) for each in places)
    return {each: rule for each, rule in found if rule is not None}


def _check_left(known: Worked, removed: dict[Candidate, Rule]) -> None:
    if len(removed) < len(known.places):
        return
    rule = next(iter(removed.values()))
    raise InvalidRequest(
        f"No place that this request may go to is left. {rule.words} Ask for another model, or take "
        f"'{'require_parameters' if rule.name == 'capability' else rule.name}' out of the preferences.",
        code="no_place_left",
        param=f"preferences.{'require_parameters' if rule.name == 'capability' else rule.name}",
    )


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

"""A plan with what is worked out once for it, and a decision by it. See `services/routing.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from aiservice.errors import InvalidRequest
from aiservice.providers.capabilities import Requirements
from aiservice.services.candidates import Candidate
from aiservice.services.routing_filters import Rule, able, capability_rule
from aiservice.services.routing_plan import Plan
from aiservice.services.routing_strategies import Rotation, runs_of_keys, strategy_of
from aiservice.services.routing_terms import Terms

_MOST_NEEDS = 256


class Worked:
    """A plan, and what is worked out once for it. `places` are all of it; `stored` is kept so that its identity stays
    its own."""

    __slots__ = (
        "is_able",
        "is_by_needs_alone",
        "is_hurried",
        "is_preferring",
        "key_turns",
        "least_rate",
        "most_input",
        "most_output",
        "of_needs",
        "places",
        "plan",
        "rotations",
        "stall_seconds",
        "stored",
        "strategy",
        "takes_turns",
        "traced",
    )

    def __init__(self, plan: Plan, stored: Terms | None, rotation: Callable[[tuple[Candidate, ...]], Rotation]) -> None:
        self.plan, self.stored = plan, stored
        self.strategy = strategy_of(plan.wish.terms)
        self.places = tuple(each for group in plan.groups for each in group)
        self.rotations = tuple(rotation(group) for group in plan.groups)
        terms = plan.wish.terms
        latency_ms = terms.preferred_max_latency_ms
        self.stall_seconds = None if latency_ms is None else latency_ms / 1000
        self.least_rate = terms.fallback_below_throughput
        self.is_hurried = self.stall_seconds is not None or self.least_rate is not None
        self.is_preferring = self.is_hurried or terms.preferred_min_throughput is not None
        # Where no strategy says otherwise, the keys of one connection take turns.
        runs = [run for group in plan.groups for run in runs_of_keys(group) if len(run) > 1]
        self.key_turns = () if self.strategy is not None else tuple(rotation(run) for run in runs)
        self.takes_turns = self.strategy is not None or bool(self.key_turns)
        is_fixed = self.strategy is None and not self.key_turns
        self.is_by_needs_alone = is_fixed and terms.max_price is None and not self.is_preferring
        abilities = [able(c) for c in self.places]
        # Up to so many tokens nothing is too long for any place, and equal needs have equal answers.
        self.most_input = min(each.context_tokens or inf for each in abilities)
        self.most_output = min(each.output_tokens or inf for each in abilities)
        self.of_needs: dict[tuple[object, ...], dict[Candidate, Rule]] = {}
        # Where all can do the same, or there is one place alone, the provider itself says best what it cannot.
        self.is_able = len(set(abilities)) <= 1 and not terms.require_parameters
        self.traced: dict[tuple[object, ...], str] = {}  # the ids of decisions by it (`services/decision_trace.py`)

    def fixed(self) -> "Decided | None":
        """The decision, where neither the request's needs nor anything that is known can change it."""
        plan = self.plan
        is_cut = plan.most is not None and len(self.places) > plan.most
        if self.is_by_needs_alone and self.is_able and not (plan.is_open and is_cut):
            return Decided(self.places[: plan.most], (), self, None)
        return None


@dataclass(slots=True)  # not frozen: that would cost three times as much to make
class Decided:
    """The places to try, best first, and those that this request's needs removed, each with its rule. `known` is the
    plan it came from; `prefix` stands for the beginning of a long prompt, `trace_id` for what is kept of it."""

    candidates: tuple[Candidate, ...]
    removed: tuple[tuple[Candidate, Rule], ...]
    known: Worked
    prefix: int | None
    trace_id: str | None = None

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


def unable_of(known: Worked, needs: Requirements) -> dict[Candidate, Rule]:
    """The places whose models cannot do it; remembered, where it does not depend on how long the request is."""
    is_short = needs.prompt_tokens <= known.most_input and needs.output_tokens <= known.most_output
    key = (needs.features, needs.parameters)
    if is_short and (remembered := known.of_needs.get(key)) is not None:
        return remembered
    is_strict = bool(known.plan.wish.terms.require_parameters)
    rules = ((each, capability_rule(needs, each, is_strict=is_strict)) for each in known.places)
    found = {each: rule for each, rule in rules if rule is not None}
    if is_short and len(known.of_needs) < _MOST_NEEDS:
        known.of_needs[key] = found
    return found


def check_left(known: Worked, removed: dict[Candidate, Rule]) -> None:
    """Raises `InvalidRequest` where what is `removed` is all there is; what removed the first of it is named."""
    if len(removed) < len(known.places):
        return
    rule = next(iter(removed.values()))
    raise InvalidRequest(
        f"No place that this request may go to is left. {rule.words} Ask for another model, or take "
        f"'{'require_parameters' if rule.name == 'capability' else rule.name}' out of the preferences.",
        code="no_place_left",
        param=f"preferences.{'require_parameters' if rule.name == 'capability' else rule.name}",
    )

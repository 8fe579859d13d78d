"""In which order the places of one group are tried. Pure: what is known is given, chance is a number.

| strategy | what comes first |
| --- | --- |
| weighted | each in its turn, as often as its weight says (nginx's smooth weighted round robin) |
| least_loaded | what has the fewest attempts under way for its weight |
| latency | of two by chance, the quicker one for those who wait there already (power of two choices on peak-EWMA) |
| cheapest | what the request is likely to cost least at |
| quota | what has the largest share of its provider's limits left |
| lowest latency, throughput | OpenRouter's `sort`: strictly by what was measured; what nobody knows comes first |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import floor, gcd, inf, log10

from aiservice.services.candidates import Candidate
from aiservice.services.prices import Prices
from aiservice.services.quotas import Quotas
from aiservice.services.routing_facts import Fact, RoutingFacts
from aiservice.services.routing_terms import Terms
from aiservice.wire import Usage

Group = tuple[Candidate, ...]
SPREADING = frozenset({"weighted", "least_loaded", "latency", "quota"})
_MOST_TURNS = 2_000
_UNMEASURED_SECONDS = 1.0
_MASK = 2**64 - 1


@dataclass(slots=True)  # not frozen: made for every request
class Need:
    """What a request is, as far as an order depends on it. `prefix` stands for how its prompt begins, where that is
    long enough for a provider's prompt cache; `at_us` is the price's time, microseconds UTC."""

    client_id: str
    is_stream: bool
    input_tokens: int
    output_tokens: int
    at_us: int
    prefix: int | None = None


@dataclass(slots=True, frozen=True)
class World:
    """What this worker knows."""

    facts: RoutingFacts
    quotas: Quotas
    prices: Prices


class Rotation:
    """The turns of one group. `turn` counts the calls; `sequence` is one round of them, by weight. `named` are its
    places with their throughput in their reasons."""

    __slots__ = ("named", "sequence", "turn")

    def __init__(self, weights: Sequence[int]) -> None:
        self.turn = 0
        self.named: dict[tuple[Candidate, str], Candidate] = {}
        self.sequence = _round(weights)


def arranged(group: Group, terms: Terms, need: Need, world: World, rotation: Rotation) -> Group:
    """The group in the order of the strategy, what is preferred of latency and throughput before the rest, and first
    where the provider's prompt cache is likely to know the prompt."""
    now, turn, strategy = world.facts.clock(), rotation.turn, strategy_of(terms)
    found = group
    if strategy == "weighted":
        found = _weighted(group, rotation)
    elif strategy == "latency":
        found = _two_choices(group, need, world, now, turn)
    elif strategy is not None:
        key = _KEYS[strategy]
        measured = [
            (key(each, need, world, now), (place - turn) % len(group), place) for place, each in enumerate(group)
        ]
        found = tuple(group[place] for _, _, place in sorted(measured))
    least = least_rate_of(terms)
    if terms.preferred_max_latency_ms is not None or least is not None:
        found = tuple(sorted(found, key=lambda each: _is_too_slow(each, terms, need, world, now)))
    if strategy == "throughput" or least is not None:
        found = tuple(_with_speed(each, world, None if strategy == "throughput" else least, rotation) for each in found)
    if need.prefix is not None and strategy in SPREADING:
        found = _cached_first(found, need, world)
    return found


def runs_of_keys(group: Group) -> list[Group]:
    """The group in runs: the keys of one connection for one model are one."""
    return [tuple(run) for _, run in groupby(group, key=_by_connection)]


def _by_connection(each: Candidate) -> tuple[str, str]:
    return (each.connection.name, each.model)


def in_turns(run: Group, rotation: Rotation) -> Group:
    """The keys of one connection, each first as often as its weight says."""
    return _weighted(run, rotation)


def strategy_of(terms: Terms) -> str | None:
    """By what the places of a group are sorted: a strategy, or a `sort` that is none of them."""
    return terms.strategy or _SORTED.get(terms.sort or "")


def least_rate_of(terms: Terms) -> float | None:
    """The tokens a second that a place should give: the more of what is preferred and what it may not fall below."""
    said = [each for each in (terms.preferred_min_throughput, terms.fallback_below_throughput) if each is not None]
    return max(said, default=None)


def _with_speed(each: Candidate, world: World, below: float | None, rotation: Rotation) -> Candidate:
    """The place with what its throughput is about, where it stands where it does for that: where it is `below` so many
    tokens a second. A coarse figure: what is said is kept with the decision, and decisions are few."""
    fact = _fact(each, world)
    rate = 0.0 if fact is None else fact.tokens_per_second
    if not rate or (below is not None and rate >= below):
        return each
    words = f"about {_coarse(rate)} tokens/s"
    found = rotation.named.get((each, words))
    if found is None:
        found = rotation.named[each, words] = each.because(f"{each.reason}, {words}")
    return found


def _coarse(rate: float) -> str:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(rate))
    lead = rate / power
    return f"{power * (1 if lead < 1.5 else 2 if lead < 3.5 else 5 if lead < 7.5 else 10):g}"


_SORTED = {"price": "cheapest", "latency": "lowest latency", "throughput": "throughput"}


def _round(weights: Sequence[int]) -> tuple[int, ...]:
    """One round of smooth weighted round robin: places, each as often as its weight says, spread evenly."""
    shares = [weight // gcd(*weights) for weight in weights]
    while sum(shares) > _MOST_TURNS:
        shares = [max(1, share // 2) for share in shares]
    total, current, found = sum(shares), [0] * len(shares), []
    for _ in range(total):
        current = [have + share for have, share in zip(current, shares, strict=True)]
        place = max(range(len(shares)), key=current.__getitem__)
        current[place] -= total
        found.append(place)
    return tuple(found)


def _weighted(group: Group, rotation: Rotation) -> Group:
    sequence = rotation.sequence
    at = rotation.turn % len(sequence)
    places = dict.fromkeys((*sequence[at:], *sequence[:at]))
    return tuple(group[place] for place in places)


def _two_choices(group: Group, need: Need, world: World, now: float, turn: int) -> Group:
    costs = [_waiting(each, need, world, now) for each in group]
    chance = _mixed(turn)
    one = chance % len(group)
    other = (one + 1 + (chance >> 32) % (len(group) - 1)) % len(group)
    first = other if costs[other] < costs[one] else one
    rest = sorted((place for place in range(len(group)) if place != first), key=costs.__getitem__)
    return (group[first], *(group[place] for place in rest))


def _mixed(turn: int) -> int:
    """A number that looks like chance, and is the same for the same turn (splitmix64)."""
    mixed = (turn + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 31


def _fact(each: Candidate, world: World) -> Fact | None:
    return world.facts.fact((each.connection.id, each.model))


def _waiting(each: Candidate, need: Need, world: World, now: float) -> float:
    """Seconds that a request is likely to wait there behind those who do already."""
    fact = _fact(each, world)
    if fact is None:
        return 0.0
    seconds = fact.latency(now, is_stream=need.is_stream)
    return seconds * (fact.in_flight + 1) if seconds else fact.in_flight * _UNMEASURED_SECONDS


def _load(each: Candidate, _need: Need, world: World, _now: float) -> float:
    fact = _fact(each, world)
    return 0.0 if fact is None else fact.in_flight / each.connection.weight


def _cost(each: Candidate, need: Need, world: World, _now: float) -> float:
    view, usage = each.connection, Usage(need.input_tokens, need.output_tokens)
    cost = world.prices.cost_nano_usd(view.kind, view.base_url, each.model, usage, need.at_us)
    return inf if cost is None else cost


def _quota_used(each: Candidate, _need: Need, world: World, _now: float) -> float:
    """Rounded to hundredths, so that equals take turns."""
    return -round(world.quotas.share_left(each.connection, each.model), 2)


def _latency(each: Candidate, need: Need, world: World, now: float) -> float:
    fact = _fact(each, world)
    return 0.0 if fact is None else fact.latency(now, is_stream=need.is_stream)


def _slowness(each: Candidate, _need: Need, world: World, _now: float) -> float:
    fact = _fact(each, world)
    return -inf if fact is None or not fact.tokens_per_second else -fact.tokens_per_second


_KEYS: dict[str, Callable[[Candidate, Need, World, float], float]] = {
    "least_loaded": _load,
    "cheapest": _cost,
    "quota": _quota_used,
    "lowest latency": _latency,
    "throughput": _slowness,
}


def _is_too_slow(each: Candidate, terms: Terms, need: Need, world: World, now: float) -> bool:
    fact = _fact(each, world)
    if fact is None:
        return False
    most, least = terms.preferred_max_latency_ms, least_rate_of(terms)
    is_late = most is not None and fact.latency(now, is_stream=need.is_stream) * 1000 > most
    return is_late or (least is not None and 0 < fact.tokens_per_second < least)


def _cached_first(group: Group, need: Need, world: World) -> Group:
    known = world.facts.stuck(need.client_id, need.prefix or 0)
    for each in group:
        if each.connection.id == known:
            view = each.connection
            rates = world.prices.rates(view.kind, view.base_url, each.model, need.input_tokens, need.at_us)
            if rates is not None and rates.cache_read < (rates.input or 0):
                return (each, *(other for other in group if other is not each))
    return group

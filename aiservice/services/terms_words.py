"""Terms in words: one sentence for people, and what changes between two of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiservice.kit.money import to_usd_text
from aiservice.services.routing_terms import FIELDS, MaxPrice, Terms

_SORTS = {"price": "the cheapest first", "latency": "the quickest to answer first", "throughput": "the fastest first"}
_STRATEGIES = {
    "weighted": "in turn, by weight",
    "least_loaded": "the least busy first",
    "latency": "the quickest of two at random",
    "cheapest": "the cheapest first",
    "quota": "whoever has the most quota left first",
}


@dataclass(slots=True, frozen=True)
class Difference:
    """A field that changes; the words for what it says, "not set" where it says nothing."""

    field: str
    before: str
    after: str


def sentence(terms: Terms, what: str = "Requests") -> str:
    """What the terms mean for `what` ("Chat"), as one sentence without its full stop."""
    said = [_way(terms, what), *(words(value) for name, words in _CLAUSES if (value := getattr(terms, name)))]
    if terms.allow_fallbacks is False:
        said.append("and nowhere else when that fails")
    return "; ".join(said)


def differences(before: Terms, after: Terms) -> list[Difference]:
    """The fields that say something else afterwards."""
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in FIELDS]
    return [Difference(_title(name), _value(name, old), _value(name, new)) for name, old, new in pairs if old != new]


def price_words(price: MaxPrice) -> str:
    """`$3 per million tokens in, $15 out`."""
    said = []
    if price.prompt is not None:
        said.append(f"${to_usd_text(price.prompt)} per million tokens in")
    if price.completion is not None:
        said.append(f"${to_usd_text(price.completion)} per million tokens out")
    if price.request is not None:
        said.append(f"${to_usd_text(price.request)} a request")
    return ", ".join(said)


def _way(terms: Terms, what: str) -> str:
    verb = "go" if what.endswith("s") else "goes"
    if not terms.order:
        return f"{what} {verb} where the broker chooses"
    first, *others = terms.order
    return f"{what} {verb} to {first} first" + "".join(f", then {other}" for other in others)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


_CLAUSES: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("only", lambda names: f"only ever to {_listed(names)}"),
    ("ignore", lambda names: f"never to {_listed(names)}"),
    ("strategy", lambda name: f"otherwise {_STRATEGIES[name]}"),
    ("sort", lambda name: _SORTS[name]),
    ("max_price", lambda price: f"at most {price_words(price)}"),
    ("preferred_max_latency_ms", lambda ms: f"preferably within {ms:,} ms"),
    ("preferred_min_throughput", lambda speed: f"preferably at {speed:g} tokens a second or more"),
    ("fallback_below_throughput", lambda speed: f"elsewhere when a stream gives under {speed:g} tokens a second"),
    ("data_collection", lambda word: "only where nothing is collected" if word == "deny" else "data may be collected"),
    ("zdr", lambda _: "only where nothing is retained"),
    ("regions", lambda names: f"only in {_listed(names)}"),
    ("require_parameters", lambda _: "only where every parameter is honoured"),
)


def _title(name: str) -> str:
    return "zero data retention" if name == "zdr" else name.replace("_ms", "").replace("_", " ")


def _value(name: str, value: Any) -> str:
    if value is None or value == frozenset():
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, MaxPrice):
        return price_words(value)
    if isinstance(value, tuple):
        return ", then ".join(value)
    if isinstance(value, frozenset):
        return _listed(value)
    return f"{value:,} ms" if name.endswith("_ms") else f"{value}"

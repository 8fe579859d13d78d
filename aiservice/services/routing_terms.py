"""The terms on which a request is routed: one object for a request's `preferences` and for every stored scope.

The vocabulary is OpenRouter's (`order`, `only`, `ignore`, `allow_fallbacks`, `require_parameters`, `sort`, `max_price`,
`data_collection`, `zdr`), with `strategy`, `regions`, what is preferred of latency and throughput, and
`fallback_below_throughput` beside it.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from aiservice.errors import InvalidRequest
from aiservice.kit.money import NANO_USD, to_nano, to_usd_text

Json = dict[str, Any]
Sort = Literal["price", "latency", "throughput"]
Strategy = Literal["weighted", "least_loaded", "latency", "cheapest", "quota"]
DataCollection = Literal["allow", "deny"]
SORTS: tuple[Sort, ...] = Sort.__args__  # type: ignore[attr-defined]
STRATEGIES: tuple[Strategy, ...] = Strategy.__args__  # type: ignore[attr-defined]
DATA_COLLECTIONS: tuple[DataCollection, ...] = DataCollection.__args__  # type: ignore[attr-defined]
MAXFIELDS = 10
_MAX_NAME = 265  # a connection, a colon and a model
_MAX_USD = 1_000_000
_MAX_LATENCY_MS = 3_600_000
_MAX_THROUGHPUT = 1_000_000
_PRICES = ("prompt", "completion", "request")
FIELDS = (
    "order",
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "sort",
    "strategy",
    "max_price",
    "preferred_max_latency_ms",
    "preferred_min_throughput",
    "fallback_below_throughput",
    "data_collection",
    "zdr",
    "regions",
)


@dataclass(slots=True, frozen=True)
class MaxPrice:
    """The most that may be asked, in 10⁻⁹ USD: per million tokens in and out, and per request. None: anything."""

    prompt: int | None = None
    completion: int | None = None
    request: int | None = None

    def to_json(self) -> Json:
        """In USD, as it is read."""
        said = {name: getattr(self, name) for name in _PRICES}
        return {name: _number(Decimal(to_usd_text(nano))) for name, nano in said.items() if nano is not None}


@dataclass(slots=True, frozen=True)
class Terms:
    """Wishes; a field that is None (`ignore`: empty) says nothing.

    `order` holds "connection", "kind" or either with ":model"; `only` and `ignore` hold connections and kinds.
    `preferred_min_throughput` and `fallback_below_throughput` are in tokens a second: whoever is slower comes later,
    and a stream that is slower than the second is given up. `strategy` is by what the places that no order names are
    sorted, and `sort` does the same in OpenRouter's words.
    """

    order: tuple[str, ...] | None = None
    only: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    sort: Sort | None = None
    strategy: Strategy | None = None
    max_price: MaxPrice | None = None
    preferred_max_latency_ms: int | None = None
    preferred_min_throughput: float | None = None
    fallback_below_throughput: float | None = None
    data_collection: DataCollection | None = None
    zdr: bool | None = None
    regions: frozenset[str] | None = None
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        # Once, since routing looks the same terms up for every request.
        object.__setattr__(self, "_hash", hash(tuple(getattr(self, name) for name in FIELDS)))

    def __hash__(self) -> int:
        return self._hash

    @staticmethod
    def read(given: Any, param: str = "preferences") -> "Terms":
        """The terms that a JSON object says; null is "nothing said". `chain` is an accepted alias of `order`.

        Raises:
            InvalidRequest: no object, or a field that is unknown or of the wrong shape (named in `param`).
        """
        if not isinstance(given, dict):
            raise InvalidRequest(f"'{param}' must be an object.", param=param)
        if given.get("order") is not None and given.get("chain") is not None:
            raise InvalidRequest("Give 'order' or 'chain', not both: they mean the same.", param=f"{param}.chain")
        said: Json = {}
        for name, value in given.items():
            reader = _READERS.get(name)
            if reader is None:
                raise _unknown(name, param)
            if value is not None:
                said["order" if name == "chain" else name] = reader(value, f"{param}.{name}")
        return Terms(**said)

    def to_json(self) -> Json:
        """What is said, as `read` reads it; sets are sorted."""
        said: Json = {}
        for name in FIELDS:
            value = getattr(self, name)
            if _is_said(name, value):
                said[name] = _plain(value)
        return said

    def over(self, other: "Terms") -> "Terms":
        """These terms where they say something, else those of `other`.

        What is said of data only ever narrows, as at OpenRouter: `deny` and `zdr` hold whoever says them, and of
        regions those that both allow.
        """
        return _over(self, other)


@lru_cache(maxsize=4096)
def _over(mine: Terms, theirs: Terms) -> Terms:
    said = {}
    for name in FIELDS:
        value = getattr(mine, name)
        said[name] = value if _is_said(name, value) else getattr(theirs, name)
    if "deny" in (mine.data_collection, theirs.data_collection):
        said["data_collection"] = "deny"
    if mine.zdr or theirs.zdr:
        said["zdr"] = True
    if mine.regions is not None and theirs.regions is not None:
        said["regions"] = mine.regions & theirs.regions
    return Terms(**said)


def _is_said(name: str, value: Any) -> bool:
    """No regions at all is something said: two who have none in common."""
    return value is not None and (name != "ignore" or bool(value))


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, MaxPrice):
        return value.to_json()
    return list(value) if isinstance(value, tuple) else value


def _unknown(name: str, param: str) -> InvalidRequest:
    near = difflib.get_close_matches(name[:60], FIELDS, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known ones: {', '.join(FIELDS)}."
    return InvalidRequest(f"'{name[:60]}' is not a preference. {hint}", param=f"{param}.{name[:60]}")


def _names(value: Any, param: str) -> list[str]:
    is_list = isinstance(value, list) and 1 <= len(value) <= MAXFIELDS
    if not is_list or not all(isinstance(item, str) and 0 < len(item) <= _MAX_NAME for item in value):
        raise InvalidRequest(f"'{param}' must be a list of 1 to {MAXFIELDS} names.", param=param)
    names: list[str] = value
    return names


def _order(value: Any, param: str) -> tuple[str, ...]:
    return tuple(_names(value, param))


def _set(value: Any, param: str) -> frozenset[str]:
    return frozenset(_names(value, param))


def _none_or_set(value: Any, param: str) -> frozenset[str]:
    return frozenset() if value == [] else _set(value, param)


def _flag(value: Any, param: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"'{param}' must be true or false.", param=param)
    return value


def _one_of(known: tuple[str, ...]) -> Callable[[Any, str], str]:
    def read(value: Any, param: str) -> str:
        if value not in known:
            raise InvalidRequest(f"'{param}' must be one of: {', '.join(known)}.", param=param)
        return str(value)

    return read


def _max_price(value: Any, param: str) -> MaxPrice:
    if not isinstance(value, dict) or not value or not set(value) <= set(_PRICES):
        raise InvalidRequest(f"'{param}' must be an object with {', '.join(_PRICES)} in USD.", param=param)
    return MaxPrice(**{name: _usd(each, f"{param}.{name}") for name, each in value.items() if each is not None})


def _usd(value: Any, param: str) -> int:
    number = _decimal(value)
    if number is None or not 0 <= number <= _MAX_USD or number * NANO_USD % 1:
        raise InvalidRequest(f"'{param}' must be an amount in USD, such as 2.5.", param=param)
    return to_nano(number)


def _decimal(value: Any) -> Decimal | None:
    """A number, or a text that is one: OpenRouter's clients send both."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > 30:
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _up_to(most: int, what: str) -> Callable[[Any, str], int | float]:
    def read(value: Any, param: str) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            raise InvalidRequest(f"'{param}' must be {what} between 0 and {most:,}.", param=param)
        return value

    return read


def _milliseconds(value: Any, param: str) -> int:
    return max(1, round(_up_to(_MAX_LATENCY_MS, "milliseconds")(value, param)))


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "order": _order,
    "chain": _order,
    "only": _set,
    "ignore": _none_or_set,
    "allow_fallbacks": _flag,
    "require_parameters": _flag,
    "sort": _one_of(SORTS),
    "strategy": _one_of(STRATEGIES),
    "max_price": _max_price,
    "preferred_max_latency_ms": _milliseconds,
    "preferred_min_throughput": _up_to(_MAX_THROUGHPUT, "tokens a second"),
    "fallback_below_throughput": _up_to(_MAX_THROUGHPUT, "tokens a second"),
    "data_collection": _one_of(DATA_COLLECTIONS),
    "zdr": _flag,
    "regions": _set,
}

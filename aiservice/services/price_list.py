"""What every model costs and who says so: an admin, the published table, a vendor's list; or nobody, which is not 0."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from importlib.metadata import version

from aiservice.kit.clock import DAY_US, HOUR_US, from_us, now_us
from aiservice.kit.price_table import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, TieredPrices
from aiservice.principal import Person
from aiservice.providers import registry
from aiservice.providers.capabilities import published
from aiservice.services.connection_views import ConnectionView
from aiservice.services.own_prices import OwnPrices, OwnPriceView
from aiservice.services.prices import SANDBOX_KIND
from aiservice.services.rights import needs
from aiservice.services.unit_prices import LISTED, unit_source, unit_words
from aiservice.store import own_prices as store
from aiservice.store.session import Database

PAGE_ROWS = 50
COUNTED_DAYS = 30
_TABLE_NAMES = {
    "input_mtok": "input_mtok",
    "output_mtok": "output_mtok",
    "cache_read_mtok": "cache_read_mtok",
    "cache_write_mtok": "cache_write_mtok",
    "output_reasoning_mtok": "reasoning_mtok",
}
Snapshot = tuple[ConnectionView, ...]


@dataclass(slots=True, frozen=True)
class PricedModel:
    """A model of a kind of provider. `amounts` are USD as text, by the names of `services/own_amounts.py`.

    `source` is "own", "published", "listed", "built_in" or "none"; `since` the day from which the price holds, as far
    as that is known. `steps` says in words where a price changes with the length of the prompt or the time of day.
    `unpriced_calls` are those of the last 30 days that are in no sum of money.
    """

    kind: str
    model: str
    connections: tuple[str, ...]
    source: str
    source_words: str
    amounts: Mapping[str, str]
    unit_words: str
    steps: str
    since: str
    unpriced_calls: int
    own: OwnPriceView | None


@dataclass(slots=True, frozen=True)
class PricePage:
    """`models` by kind and name; `following` is the place of the next page, "" at the end."""

    models: Sequence[PricedModel]
    following: str
    total: int
    unpriced: int


class PriceList:
    """For admins. Reads roll-ups and memory, never the ledger."""

    def __init__(self, db: Database, own: OwnPrices) -> None:
        self._db = db
        self._own = own

    @needs("price.list")
    async def page(
        self,
        actor: Person,
        snapshot: Snapshot,
        *,
        containing: str = "",
        source: str = "",
        after: str = "",
        limit: int = PAGE_ROWS,
    ) -> PricePage:
        """The models that our connections offer, that have an own price, or that were used without a price.

        `source` narrows it to one of `PricedModel.source`. Raises: PermissionDenied.
        """
        found = await self._all(actor, snapshot)
        unpriced = sum(1 for each in found if each.source == "none")
        words = containing.lower().split()
        chosen = [
            each
            for each in found
            if (not source or each.source == source) and all(word in _name(each).lower() for word in words)
        ]
        left = [each for each in chosen if not after or _name(each) > after]
        shown = left[:limit]
        following = _name(shown[-1]) if len(left) > limit else ""
        return PricePage(shown, following, len(chosen), unpriced)

    async def _all(self, actor: Person, snapshot: Snapshot) -> list[PricedModel]:
        own = {(each.kind, each.model): each for each in await self._own.list(actor)}
        firsts = [view for view in snapshot if view.key_number == 1]
        unpriced = await self._unpriced(firsts)
        offered: dict[tuple[str, str], list[ConnectionView]] = {}
        for view in firsts:
            provider = registry().get(view.kind)
            models = view.models or (() if provider is None else provider.default_models)
            for model in {*models, *(name for kind, name in unpriced if kind == view.kind)}:
                offered.setdefault((view.kind, model), []).append(view)
        names = sorted({*offered, *own, *unpriced}, key="/".join)
        return [_priced(name, offered.get(name, []), own.get(name), unpriced.get(name, 0), now_us()) for name in names]

    async def _unpriced(self, views: Iterable[ConnectionView]) -> dict[tuple[str, str], int]:
        """Calls without a price by kind and model, of connections that there are; as far as days are rolled up."""
        kinds = {view.name: view.kind for view in views if view.kind != SANDBOX_KIND}
        now = now_us()
        today = now // DAY_US * DAY_US
        days = [today - back * DAY_US for back in range(1, COUNTED_DAYS)]
        async with self._db.read() as session:
            rows = await store.unpriced(session, days, range(today, now, HOUR_US))
        found: dict[tuple[str, str], int] = {}
        for provider, model, calls in rows:
            if model and provider in kinds:
                found[kinds[provider], model] = found.get((kinds[provider], model), 0) + calls
        return found


def _name(each: PricedModel) -> str:
    return f"{each.kind}/{each.model}"


def _priced(
    name: tuple[str, str], views: Sequence[ConnectionView], own: OwnPriceView | None, unpriced: int, at_us: int
) -> PricedModel:
    kind, model = name
    connections = tuple(dict.fromkeys(view.name for view in views))
    rest: tuple[str, str, Mapping[str, str], str, str, str]
    if own is not None:
        day = f"{from_us(own.set_us):%Y-%m-%d}"
        rest = ("own", f"set by {own.set_by}", own.amounts, "", "", day)
    elif kind == SANDBOX_KIND:
        rest = ("built_in", "built in, costs nothing", {}, "", "", "")
    else:
        rest = _public(kind, views[0].base_url if views else "", model, at_us)
    source, words, amounts, unit, steps, since = rest
    return PricedModel(kind, model, connections, source, words, amounts, unit, steps, since, unpriced, own)


def _public(kind: str, base_url: str, model: str, at_us: int) -> tuple[str, str, Mapping[str, str], str, str, str]:
    """(source, its words, amounts, unit, steps, since) of what is published."""
    if unit := unit_words(kind, model):
        return ("listed", unit_source(kind, model), {}, unit, "", LISTED)
    info = _published(kind, base_url, model)
    price = None if info is None else info.get_prices(from_us(at_us))
    amounts = {} if price is None else _amounts(price)
    if info is None or not amounts:
        return ("none", "nobody", {}, "", "", "")
    since = ""
    steps = "prompts beyond a length cost more" if _is_tiered(price) else ""
    if not isinstance(info.prices, ModelPrice):
        since = _since(info.prices, price)
        if not since and len(info.prices) > 1:
            steps = ", ".join(filter(None, (steps, "by the time of day")))
    return ("published", _table(), amounts, "", steps, since)


def _amounts(price: ModelPrice) -> dict[str, str]:
    found = {
        ours: _text(value) for name, ours in _TABLE_NAMES.items() if (value := getattr(price, name, None)) is not None
    }
    per_thousand = getattr(price, "requests_kcount", None)
    if per_thousand is not None:
        found["request"] = f"{(_base(per_thousand) / 1000).normalize():f}"
    return found


def _base(value: Decimal | TieredPrices) -> Decimal:
    return Decimal(value.base) if isinstance(value, TieredPrices) else value


def _text(value: Decimal | TieredPrices) -> str:
    return f"{_base(value).normalize():f}"


def _is_tiered(price: ModelPrice | None) -> bool:
    return price is not None and any(isinstance(each, TieredPrices) for each in vars(price).values())


def _since(prices: Sequence[ConditionalPrice], now: ModelPrice | None) -> str:
    """The day from which the price of now holds; "" where nothing is said of days."""
    of_now = [each.constraint for each in prices if each.prices is now]
    days = [each.start_date for each in of_now if isinstance(each, StartDateConstraint)]
    return f"{max(days):%Y-%m-%d}" if days else ""


@lru_cache(maxsize=8_192)
def _published(kind: str, base_url: str, model: str) -> ModelInfo | None:
    """As `published`, remembered: a name that the table does not have takes it two milliseconds to miss."""
    return published(kind, base_url, model)


@cache
def _table() -> str:
    return f"genai-prices {version('genai-prices')}"

"""What a request costs, from the price table that the package genai-prices carries (nothing is fetched at run time).

A price is compiled once into integers, so that the exact amount costs a few multiplications per request; the library
itself still says which provider and model are meant and which price held at that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

from aiservice.kit.clock import MINUTE_US, from_us
from aiservice.kit.money import NANO_USD
from aiservice.kit.price_table import ModelInfo, ModelPrice, TieredPrices, get_snapshot
from aiservice.providers.capabilities import published
from aiservice.services.own_amounts import decimals, unit_price
from aiservice.services.unit_prices import cost_of_units, is_given_away, is_sold_by_unit
from aiservice.wire import MediaTokens, Usage

SANDBOX_KIND = "sandbox"
_MAX_CACHED = 4096
_PER_MILLION = Fraction(NANO_USD, 1_000_000)
_PER_THOUSAND = Fraction(NANO_USD, 1_000)


@dataclass(slots=True, frozen=True)
class Rates:
    """Nano-dollars per token (and per request), each times `scale`, which makes them whole. None: not sold by token.

    `media` is what tokens of pictures and sound cost more than others (or less), in the order of `MediaTokens`.
    """

    scale: int
    per_request: int
    input: int | None
    cache_read: int
    cache_write: int
    output: int | None
    reasoning: int
    media: tuple[int, int, int, int] = (0, 0, 0, 0)

    def cost(self, usage: Usage) -> int | None:
        """The exact amount, rounded once, half to even; None for tokens that have no price.

        Parts larger than their whole are cut: some vendors send such.
        """
        read = min(usage.cached_input_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - read)
        fresh = usage.input_tokens - read - written
        thought = min(usage.reasoning_tokens, usage.output_tokens)
        if (self.input is None and usage.input_tokens) or (self.output is None and usage.output_tokens):
            return None
        exact = (
            self.per_request
            + fresh * (self.input or 0)
            + read * self.cache_read
            + written * self.cache_write
            + (usage.output_tokens - thought) * (self.output or 0)
            + thought * self.reasoning
        )
        if usage.media is not None:
            exact += self._more_for(usage.media, fresh, usage.output_tokens - thought)
        whole, rest = divmod(exact, self.scale)
        return whole + (2 * rest > self.scale or (2 * rest == self.scale and whole & 1))

    def _more_for(self, media: MediaTokens, fresh: int, said: int) -> int:
        """What pictures and sound among so many tokens cost more; of what a cache gave they are taken to be none."""
        seen, drawn = min(media.image_input, fresh), min(media.image_output, said)
        heard, spoken = min(media.audio_input, fresh - seen), min(media.audio_output, said - drawn)
        return sum(count * more for count, more in zip((seen, drawn, heard, spoken), self.media, strict=True))


# The rates that hold above each number of input tokens, highest first; the last begins below zero.
_Steps = tuple[tuple[int, Rates], ...]


class _Model:
    """One model's compiled prices; where they depend on the time, those of the last minute asked for."""

    __slots__ = ("_compiled", "_info", "_is_fixed", "_minute", "_steps")

    def __init__(self, info: ModelInfo) -> None:
        self._info = info
        self._is_fixed = isinstance(info.prices, ModelPrice)
        self._compiled: dict[int, _Steps | None] = {}
        self._minute = -1
        self._steps: _Steps | None = None

    def steps(self, at_us: int) -> _Steps | None:
        minute = 0 if self._is_fixed else at_us // MINUTE_US
        if minute != self._minute:
            price = self._info.get_prices(from_us(at_us))
            if id(price) not in self._compiled:
                self._compiled[id(price)] = _compile(price)
            self._minute, self._steps = minute, self._compiled[id(price)]
        return self._steps


class _Own:
    """What an admin says a model costs: of tokens as published prices are, and of one unit."""

    __slots__ = ("_steps", "_unit")

    def __init__(self, amounts: Mapping[str, str]) -> None:
        self._steps: _Steps = ((-1, _rates(decimals(amounts))),)
        self._unit = unit_price(amounts)

    def of_units(self, usage: Usage) -> int | None:
        return None if self._unit is None else self._unit.cost(usage)

    def steps(self, _at_us: int) -> _Steps:
        return self._steps


class Prices:
    """Prices by connection kind, address and model."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str, str], _Model | _Own | None] = {}
        self._own: dict[tuple[str, str], _Own] = {}

    def go_by(self, own: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        """From now on the amounts (`services/own_amounts.py`) by kind and model go before what is published."""
        self._own = {name: _Own(amounts) for name, amounts in own.items()}
        self._models.clear()

    def load(self) -> None:
        """Reads the table (about 0.3 s, kept for the life of the process), which the first price would else do."""
        get_snapshot()

    def cost_nano_usd(self, kind: str, base_url: str, model: str, usage: Usage, at_us: int) -> int | None:
        """The cost in nano-dollars at the price of that time; None for what has no price, which is not free.

        The built-in sandbox is ours and costs nothing. Long cache writes are charged as short ones: our usage does not
        tell them apart.
        """
        key = (kind, base_url, model)
        try:
            found = self._models[key]
        except KeyError:
            found = self._remember(key)
        if usage.unit is not None:
            of_units = found.of_units(usage) if type(found) is _Own else cost_of_units(kind, model, usage)
            if of_units is not None:
                return of_units
        if found is None:
            return 0 if kind == SANDBOX_KIND or _is_nothing(kind, model, usage) else None
        steps = found.steps(at_us)
        if steps is None:
            return 0 if _is_nothing(kind, model, usage) else None
        if usage.billed is not None:
            usage = Usage(*usage.billed)
        for above, rates in steps:
            if usage.input_tokens > above:
                return rates.cost(usage)
        return None

    def rates(self, kind: str, base_url: str, model: str, input_tokens: int, at_us: int) -> Rates | None:
        """The rates that hold for a prompt of so many tokens at that time; None for what has no price."""
        key = (kind, base_url, model)
        found = self._models[key] if key in self._models else self._remember(key)
        steps = None if found is None else found.steps(at_us)
        return next((rates for above, rates in steps or () if input_tokens > above), None)

    def is_priced(self, kind: str, base_url: str, model: str, at_us: int) -> bool:
        """Whether a request to this model would have a price."""
        return self.cost_nano_usd(kind, base_url, model, Usage(), at_us) is not None

    def _remember(self, key: tuple[str, str, str]) -> _Model | _Own | None:
        if len(self._models) >= _MAX_CACHED:
            self._models.clear()  # model names may come from callers: never let them fill the memory
        kind, base_url, model = key
        own = self._own.get((kind, model))
        if own is not None:
            self._models[key] = own
            return own
        info = None if kind == SANDBOX_KIND else published(kind, base_url, model)
        self._models[key] = None if info is None else _Model(info)
        return self._models[key]


def _compile(price: ModelPrice) -> _Steps | None:
    """The price as integers; None where nothing of it can be told from tokens (speech by the hour, pages, ...)."""
    prices: dict[str, Decimal | TieredPrices] = {name: each for name, each in vars(price).items() if each is not None}
    if not prices.keys() & {"input_mtok", "output_mtok", "requests_kcount"}:
        return None
    starts = {tier.start for each in prices.values() if isinstance(each, TieredPrices) for tier in each.tiers}
    steps = [(start, _rates({name: _above(each, start) for name, each in prices.items()})) for start in starts]
    steps.append((-1, _rates({name: _above(each, -1) for name, each in prices.items()})))
    return tuple(sorted(steps, key=lambda step: -step[0]))


def _above(price: Decimal | TieredPrices, start: int) -> Decimal:
    """The price that holds when there are more than `start` input tokens."""
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return reached[-1] if reached else price.base


def _rates(prices: dict[str, Decimal]) -> Rates:
    exact = {name: Fraction(price) * _PER_MILLION for name, price in prices.items() if name.endswith("_mtok")}
    per_request = Fraction(prices.get("requests_kcount", Decimal(0))) * _PER_THOUSAND
    scale = lcm(per_request.denominator, *(each.denominator for each in exact.values()))

    def scaled(*names: str) -> int | None:
        """The first of `names` that has a price: what has none of its own costs what its whole costs."""
        return next((int(exact[name] * scale) for name in names if name in exact), None)

    def more(name: str, base: str) -> int:
        """What `name` costs over the tokens that it is among; nothing where it has no price of its own."""
        return int((exact[name] - exact[base]) * scale) if name in exact and base in exact else 0

    return Rates(
        scale=scale,
        per_request=int(per_request * scale),
        input=scaled("input_mtok"),
        cache_read=scaled("cache_read_mtok", "input_mtok") or 0,
        cache_write=scaled("cache_write_mtok", "input_mtok") or 0,
        output=scaled("output_mtok"),
        reasoning=scaled("output_reasoning_mtok", "output_mtok") or 0,
        media=(
            more("input_image_mtok", "input_mtok"),
            more("output_image_mtok", "output_mtok"),
            more("input_audio_mtok", "input_mtok"),
            more("output_audio_mtok", "output_mtok"),
        ),
    )


def _is_nothing(kind: str, model: str, usage: Usage) -> bool:
    """Whether nothing was used of what is sold by the unit (tokens of it have no price), or it is given away."""
    return is_sold_by_unit(kind, model) and (not usage.total_tokens or is_given_away(kind, model))

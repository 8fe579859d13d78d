"""What a model costs, told to those who choose one: in the form that OpenRouter's list of models has."""

from decimal import Decimal

from aiservice.kit.clock import now_us
from aiservice.kit.money import NANO_USD
from aiservice.services.connection_views import ConnectionView
from aiservice.services.prices import Prices
from aiservice.wire import Json


def pricing_of(prices: Prices, view: ConnectionView, model: str) -> Json | None:
    """USD for one token (and for a request), as decimal texts; None where nobody knows, or it is not sold by token.

    Where a long prompt costs more, this is what a short one costs: a request's own range is what explain tells.
    """
    rates = prices.rates(view.kind, view.base_url, model, 0, now_us())
    if rates is None or rates.input is None:
        return None
    amounts = {
        "prompt": rates.input,
        "completion": rates.output or 0,
        "request": rates.per_request,
        "input_cache_read": rates.cache_read,
        "input_cache_write": rates.cache_write,
        "internal_reasoning": rates.reasoning,
    }
    return {name: _text(amount, rates.scale) for name, amount in amounts.items()}


def _text(amount: int, scale: int) -> str:
    """Plain digits, never an exponent; exact for every published price."""
    return f"{(Decimal(amount) / (scale * NANO_USD)).normalize():f}"

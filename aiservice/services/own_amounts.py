"""A price as an admin writes it: decimals of USD, for a million tokens, a request or a unit. Pure.

Vendors and tables give prices per token, per thousand or per million; mixing them up is an error of a million. Here
every name says what it is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import get_args

from aiservice.errors import Unprocessable
from aiservice.kit.money import NANO_USD
from aiservice.wire import Unit, Usage

PER_MILLION = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "reasoning_mtok")
"""USD for a million tokens. What is left out of the last three costs what the whole it is part of costs."""
NAMES = (*PER_MILLION, "request", "unit", "per_unit", "units")
"""`request`: USD for each request. `per_unit`: USD for `units` (1) of `unit`."""
UNITS: tuple[Unit, ...] = get_args(Unit)
_MOST_USD = Decimal(1_000_000)
_MOST_DIGITS = 12  # after the point; a nano-dollar has nine


@dataclass(slots=True, frozen=True)
class UnitPrice:
    """USD for `units` of `unit`."""

    unit: Unit
    usd: Decimal
    units: int

    def cost(self, usage: Usage) -> int | None:
        """In nano-dollars, rounded half to even; None where the usage is of another unit."""
        return round(self.usd * NANO_USD * usage.units / self.units) if usage.unit == self.unit else None


def clean_amounts(given: Mapping[str, str]) -> dict[str, str]:
    """The amounts as they are stored: every decimal in its shortest form, what is empty left out.

    Raises:
        Unprocessable: a name, number or unit is none of ours, or nothing of use is priced; `param` says which.
    """
    said = {name: text.strip() for name, text in given.items() if text.strip()}
    unknown = said.keys() - set(NAMES)
    if unknown:
        raise _wrong(min(unknown), f"is none of {', '.join(NAMES)}.")
    found = {name: _decimal(name, said[name]) for name in (*PER_MILLION, "request", "per_unit") if name in said}
    found |= _unit(said)
    is_by_token = "input_mtok" in found or "output_mtok" in found
    if not (is_by_token or "request" in found or "per_unit" in found):
        raise _wrong("input_mtok", "is missing: say what input, output, a request or a unit costs; 0 is free.")
    return {name: found[name] for name in NAMES if name in found}


def decimals(amounts: Mapping[str, str]) -> dict[str, Decimal]:
    """The prices of tokens and requests, under the names of the published table."""
    found = {name: Decimal(amounts[name]) for name in PER_MILLION if name in amounts}
    if "reasoning_mtok" in found:
        found["output_reasoning_mtok"] = found.pop("reasoning_mtok")
    if "request" in amounts:
        found["requests_kcount"] = Decimal(amounts["request"]) * 1000
    return found


def unit_price(amounts: Mapping[str, str]) -> UnitPrice | None:
    """What a unit costs, where that is said."""
    if "per_unit" not in amounts:
        return None
    unit = next(unit for unit in UNITS if unit == amounts["unit"])
    return UnitPrice(unit, Decimal(amounts["per_unit"]), int(amounts.get("units", "1")))


def _unit(said: Mapping[str, str]) -> dict[str, str]:
    if "per_unit" not in said:
        if "unit" in said or "units" in said:
            raise _wrong("per_unit", "is missing: say what a unit costs.")
        return {}
    if said.get("unit") not in UNITS:
        raise _wrong("unit", f"must be one of {', '.join(UNITS)}.")
    count = said.get("units", "1")
    if not (count.isascii() and count.isdecimal() and 0 < int(count[:10]) <= 10**9):
        raise _wrong("units", "must be a whole number from 1 on.")
    return {"unit": said["unit"], "units": str(int(count))}


def _decimal(name: str, text: str) -> str:
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise _wrong(name, "must be an amount of USD, such as 2.50.") from None
    if not amount.is_finite() or not 0 <= amount <= _MOST_USD:
        raise _wrong(name, f"must be from 0 to {_MOST_USD:,} USD.")
    if amount != round(amount, _MOST_DIGITS):
        raise _wrong(name, f"has at most {_MOST_DIGITS} digits after the point.")
    return f"{amount.normalize():f}"


def _wrong(param: str, words: str) -> Unprocessable:
    return Unprocessable(f"'{param[:40]}' {words}", code="invalid_price", param=param[:40])

"""What a budget says, checked: so much money or so many tokens in a window. Rules, and no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.kit.money import to_nano
from aiservice.services.budget_windows import PERIODS
from aiservice.services.budget_words import amount_words
from aiservice.services.names import shown
from aiservice.tables import Budget

SCOPES = ("key", "client", "team")
MEASURES = ("money", "tokens")
WARN_PERCENT = (50, 80, 100)
_MAX_CAP = 2**62
_MAX_LEVELS = 5
_MAX_UNPRICED = 200
_MAX_MODEL = 200


@dataclass(slots=True, frozen=True)
class Terms:
    """`cap` in 10⁻⁹ USD or tokens. `warn_percent` are the levels at which people are told, `unpriced_models` the names
    of models that may be used though they have no price."""

    measure: str
    period: str
    cap: int
    is_rolling: bool = False
    warn_percent: tuple[int, ...] = WARN_PERCENT
    unpriced_models: tuple[str, ...] = ()


def nano_of(text: str) -> int:
    """An amount of USD as people write it (`12.50`, `$12.50`), in 10⁻⁹ USD.

    Raises:
        Unprocessable: it is none, or not above nothing.
    """
    try:
        amount = to_nano(Decimal(text.strip().removeprefix("$")))
    except (InvalidOperation, ValueError, OverflowError):
        raise _wrong(f"'{shown(text)}' is not an amount of USD such as 12.50.") from None
    return checked_cap(amount)


def checked_cap(cap: int) -> int:
    """`cap` where it can be one; raises `Unprocessable`."""
    if not 0 < cap < _MAX_CAP:
        raise _wrong("A budget is more than nothing, and less than 4.6 billion USD. To stop a key, revoke it.")
    return cap


def check_terms(terms: Terms) -> None:
    """Raises `Unprocessable` where terms are none."""
    if terms.measure not in MEASURES:
        raise _wrong(f"A budget is of money or tokens, not of '{shown(terms.measure)}'.")
    if terms.period not in PERIODS:
        raise _wrong(f"A budget is for a day, week or month, not for '{shown(terms.period)}'.")
    checked_cap(terms.cap)
    levels = terms.warn_percent
    if len(levels) > _MAX_LEVELS or any(not 1 <= level <= 100 for level in levels):
        raise _wrong(f"Warning levels are at most {_MAX_LEVELS} percentages from 1 to 100.")
    models = terms.unpriced_models
    if len(models) > _MAX_UNPRICED or any(not 0 < len(name) <= _MAX_MODEL or not name.isprintable() for name in models):
        raise _wrong(f"Models without a price are at most {_MAX_UNPRICED} names.")


def check_within(terms: Terms, of_parent: Iterable[Budget]) -> None:
    """Raises `PermissionDenied` where a key's budget is wider than its client's: it would promise what is not given."""
    for parent in of_parent:
        if (parent.measure, parent.period) == (terms.measure, terms.period) and terms.cap > parent.cap:
            raise PermissionDenied(
                f"The client itself has {amount_words(parent.measure, parent.cap)} a {parent.period}; a key of it "
                f"cannot have {amount_words(terms.measure, terms.cap)}.",
                code="wider_than_client",
                param="budget",
            )


def _wrong(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_budget", param="budget")

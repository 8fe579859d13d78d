"""Limits as they are stored and written: a name such as `requests/minute` and a number. Rules, and no I/O."""

from collections.abc import Iterable, Mapping

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.principal import Limit
from aiservice.services.names import shown, suggestion

CONCURRENCY = "concurrency"
KINDS: dict[str, tuple[str, int]] = {
    "requests/minute": ("requests", 60),
    "requests/hour": ("requests", 3_600),
    "requests/day": ("requests", 86_400),
    "tokens/minute": ("tokens", 60),
    "tokens/hour": ("tokens", 3_600),
    "tokens/day": ("tokens", 86_400),
    CONCURRENCY: (CONCURRENCY, 0),
}
"""What can be limited: (measure, seconds of the sliding window; 0 is at once)."""
MAX_AMOUNT = 10**12

Amounts = Mapping[str, int]


def words_of(name: str) -> str:
    """A limit's name as people say it, such as "requests a minute"."""
    measure, _, window = name.partition("/")
    return f"{measure} {'an' if window == 'hour' else 'a'} {window}" if window else "requests at once"


def limits_of(scope: str, subject: str, amounts: Amounts | None) -> tuple[Limit, ...]:
    """Stored limits of one key or client. Names of a later release are left out."""
    return tuple(
        Limit(scope, subject, name, *KINDS[name], amount) for name, amount in (amounts or {}).items() if name in KINDS
    )


def clean_amounts(amounts: Amounts | None) -> dict[str, int] | None:
    """Limits to be stored; None where there are none.

    Raises:
        Unprocessable: a name that is none, or an amount out of range.
    """
    for name, amount in (amounts or {}).items():
        if name not in KINDS:
            raise Unprocessable(
                f"'{shown(name)}' is not a limit.{suggestion(name, KINDS)}", code="unknown_limit", param="limits"
            )
        if not 1 <= amount <= MAX_AMOUNT:
            raise Unprocessable(f"{name} takes 1 to {MAX_AMOUNT:,}.", code="invalid_limit", param="limits")
    return {name: amounts[name] for name in KINDS if name in amounts} or None if amounts else None


def changed(stored: Amounts | None, given: Amounts) -> dict[str, int] | None:
    """What is stored with `given` in its place; raises as `clean_amounts`."""
    return clean_amounts({**(stored or {}), **given})


def without(stored: Amounts | None, names: Iterable[str]) -> dict[str, int] | None:
    """What is stored without `names`; raises as `clean_amounts` for a name that is none."""
    clean_amounts(dict.fromkeys(names, 1))
    return clean_amounts({name: amount for name, amount in (stored or {}).items() if name not in set(names)})


def check_within(amounts: Amounts | None, of_client: Amounts | None) -> None:
    """Raises `PermissionDenied` where a key's limit is wider than its client's: it would promise what is not given."""
    for name, amount in (amounts or {}).items():
        most = (of_client or {}).get(name)
        if most is not None and amount > most:
            raise PermissionDenied(
                f"The client itself has {most} {name}; a key of it cannot have {amount}.",
                code="wider_than_client",
                param="limits",
            )

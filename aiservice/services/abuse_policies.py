"""How far the answer to abuse may go for a client, and the ceilings that people set. Rules, and no I/O.

Ceilings hold from the first minute, whatever a client's usual is; each has an answer of its own, which no policy caps:
somebody has asked for it by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiservice.errors import Unprocessable
from aiservice.services.abuse_features import Counts, Evidence, Level
from aiservice.services.names import shown, suggestion

DEFAULT = "alert_only"
POLICIES = {
    "alert_only": Level.ALERT,
    "throttle": Level.THROTTLE,
    "quarantine": Level.QUARANTINE,
    "automatic": Level.BLOCK,
}
"""By name, the last step that is taken without a person."""
ANSWERS = {"alert": Level.ALERT, "throttle": Level.THROTTLE, "quarantine": Level.QUARANTINE, "block": Level.BLOCK}
CEILINGS = {
    "requests/minute": "requests in a minute",
    "failures/minute": "failed authentications in a minute",
    "errors/percent": "percent of at least 20 requests in 10 minutes failed",
    "new_addresses/hour": "networks seen for the first time in an hour",
    "tokens/hour": "tokens in an hour",
    "cost/hour": "nano USD in an hour",
}
_MAX_AMOUNT = 10**15
_NANO = 1_000_000_000
_CEILING_BANS = 99.0
_FEWEST_FOR_ERRORS = 20


@dataclass(slots=True, frozen=True)
class Ceiling:
    """More than `amount` brings `answer` about."""

    amount: int
    answer: Level


@dataclass(slots=True, frozen=True)
class Policy:
    """What holds for one client."""

    name: str = DEFAULT
    ceilings: Mapping[str, Ceiling] = field(default_factory=dict)

    @property
    def most(self) -> Level:
        """The last step that is taken without a person."""
        return POLICIES.get(self.name, Level.ALERT)


def policy_of(name: str | None, ceilings: Mapping[str, Any] | None, default: Policy | None = None) -> Policy:
    """A policy as it is stored; what it leaves out is as in `default`. Names of a later release are left out."""
    base = default or Policy()
    own = {
        key: Ceiling(int(value["amount"]), ANSWERS[value["answer"]])
        for key, value in (ceilings or {}).items()
        if key in CEILINGS and value.get("answer") in ANSWERS
    }
    return Policy(name if name in POLICIES else base.name, {**base.ceilings, **own})


def clean_policy(name: str | None) -> str | None:
    """Raises `Unprocessable` for a policy that is none."""
    if name is not None and name not in POLICIES:
        raise Unprocessable(
            f"'{shown(name)}' is not a policy.{suggestion(name, POLICIES)}", code="unknown_policy", param="policy"
        )
    return name


def clean_ceilings(ceilings: Mapping[str, tuple[int, str]]) -> dict[str, dict[str, Any]]:
    """Ceilings as they are stored.

    Raises:
        Unprocessable: a name, an amount or an answer that is none.
    """
    for name, (amount, answer) in ceilings.items():
        if name not in CEILINGS:
            raise Unprocessable(
                f"'{shown(name)}' is not a ceiling.{suggestion(name, CEILINGS)}",
                code="unknown_ceiling",
                param="ceiling",
            )
        if not 0 <= amount <= _MAX_AMOUNT:
            raise Unprocessable(f"{name} takes 0 to {_MAX_AMOUNT:,}.", code="invalid_ceiling", param="ceiling")
        if answer not in ANSWERS:
            raise Unprocessable(
                f"'{shown(answer)}' is not an answer.{suggestion(answer, ANSWERS)}",
                code="invalid_ceiling",
                param="ceiling",
            )
    return {name: {"amount": amount, "answer": answer} for name, (amount, answer) in ceilings.items()}


def read_ceilings(texts: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Ceilings as people write them: `requests/minute=600:throttle`; costs are in USD.

    Raises:
        Unprocessable: one is not like that.
    """
    found = {}
    for text in texts:
        head, _, answer = text.rpartition(":")
        name, _, amount = head.partition("=")
        try:
            number = float(amount)
            found[name.strip()] = (int(number * _NANO) if name.strip() == "cost/hour" else int(number), answer.strip())
        except (ValueError, OverflowError):
            raise Unprocessable(
                f"'{shown(text)}' is not like requests/minute=600:throttle.", code="invalid_ceiling", param="ceiling"
            ) from None
    return found


def written(name: str, ceiling: Ceiling) -> str:
    """A ceiling as people write it."""
    amount = f"{ceiling.amount / _NANO:g}" if name == "cost/hour" else str(ceiling.amount)
    return f"{name}={amount}:{ceiling.answer.name.lower()}"


def beyond(policy: Policy, minute: Counts, ten: Counts, hour: Counts) -> tuple[Level, list[Evidence]]:
    """The furthest answer of the ceilings that are broken, and which those are; `hour` is the one under way."""
    if not policy.ceilings:
        return Level.NONE, []
    errors = 100 * ten.errors // ten.requests if ten.requests >= _FEWEST_FOR_ERRORS else 0
    observed = {
        "requests/minute": minute.requests,
        "failures/minute": minute.failures,
        "errors/percent": errors,
        "new_addresses/hour": hour.arrivals,
        "tokens/hour": hour.tokens,
        "cost/hour": hour.cost_nano_usd,
    }
    level, found = Level.NONE, []
    for name, ceiling in policy.ceilings.items():
        if observed[name] > ceiling.amount:
            level = max(level, ceiling.answer)
            feature, _, window = name.partition("/")
            found.append(Evidence(feature, "ceiling", window, observed[name], ceiling.amount, _CEILING_BANS))
    return level, found

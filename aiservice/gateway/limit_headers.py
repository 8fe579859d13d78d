"""What an answer says of its caller's limits: the x-ratelimit headers of OpenAI's API, and the fields `RateLimit` and
`RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11."""

from functools import lru_cache

from aiservice.principal import Limit, Principal
from aiservice.services.limit_plans import Plan, Wording
from aiservice.services.limiter import Limiter

Header = tuple[bytes, bytes]

_UNITS = {"requests": "", "tokens": ';qu="tokens"', "concurrency": ';qu="concurrent-requests"'}
_NAMES = {
    measure: (
        f"x-ratelimit-limit-{measure}".encode(),
        f"x-ratelimit-remaining-{measure}".encode(),
        f"x-ratelimit-reset-{measure}".encode(),
    )
    for measure in ("requests", "tokens")
}


def headers_of_caller(limiter: Limiter, principal: Principal) -> list[Header]:
    """The headers for a caller, who may have no limits."""
    return headers_of(limiter, limiter.plan(principal)) if principal.limits else []


def headers_of(limiter: Limiter, plan: Plan) -> list[Header]:
    """The headers for a plan. Of several limits of one measure the x-ratelimit headers tell the one of which least is
    left; `RateLimit` tells all."""
    wording = plan.wording or _wording_of(plan)
    left, resets_us = limiter.left(plan)
    headers: list[Header] = [wording.policy, (b"ratelimit", wording.ratelimit % tuple(left))]
    for limits, remaining_name, reset_name in wording.measures:
        place, limit = limits[0] if len(limits) == 1 else min(limits, key=lambda each: left[2 * each[0]])
        headers.append(limit)
        headers.append((remaining_name, b"%d" % left[2 * place]))
        headers.append((reset_name, _written(-(-resets_us[place] // 1_000))))
    return headers


def _wording_of(plan: Plan) -> Wording:
    limits = [limit for limit, _, _ in plan.windows] + [limit for limit, _ in plan.slots]
    of: dict[str, list[tuple[int, Header]]] = {}
    for place, limit in enumerate(limits):
        if limit.measure in _NAMES:
            header = (_NAMES[limit.measure][0], b"%d" % limit.amount)
            of.setdefault(limit.measure, []).append((place, header))
    plan.wording = Wording(
        (b"ratelimit-policy", ", ".join(_policy(limit) for limit in plan.limits).encode()),
        b", ".join(f'"{limit.scope}-{limit.name}";r=%d;t=%d'.encode() for limit in limits),
        tuple((tuple(found), *_NAMES[measure][1:]) for measure, found in of.items()),
    )
    return plan.wording


def duration(microseconds: int) -> bytes:
    """As OpenAI's API writes it: `20ms`, `1.500s`, `6m0s`, `1h0m30s`; rounded up."""
    return _written(-(-microseconds // 1_000))


@lru_cache(maxsize=4_096)
def _written(milliseconds: int) -> bytes:
    if milliseconds < 1_000:
        return b"%dms" % milliseconds
    if milliseconds < 60_000:
        return b"%d.%03ds" % divmod(milliseconds, 1_000)
    minutes, seconds = divmod(-(-milliseconds // 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, seconds) if hours else b"%dm%ds" % (minutes, seconds)


def _policy(limit: Limit) -> str:
    window = f";w={limit.window_seconds}" if limit.window_seconds else ""
    return f'"{limit.scope}-{limit.name}";q={limit.amount}{_UNITS[limit.measure]}{window}'

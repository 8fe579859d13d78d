"""What an answer says of its caller's limits: the x-ratelimit headers of OpenAI's API, and the fields `RateLimit` and
`RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11."""

from aiservice.principal import Limit, Principal
from aiservice.services.limit_plans import Plan
from aiservice.services.limiter import Limiter

Header = tuple[bytes, bytes]

_UNITS = {"requests": "", "tokens": ';qu="tokens"', "concurrency": ';qu="concurrent-requests"'}
_NAMES = {
    measure: tuple(f"x-ratelimit-{what}-{measure}".encode() for what in ("limit", "remaining", "reset"))
    for measure in ("requests", "tokens")
}


def headers_of_caller(limiter: Limiter, principal: Principal) -> list[Header]:
    """The headers for a caller, who may have no limits."""
    return headers_of(limiter, limiter.plan(principal)) if principal.limits else []


def headers_of(limiter: Limiter, plan: Plan) -> list[Header]:
    """The headers for a plan. Of several limits of one measure the x-ratelimit headers tell the one of which least is
    left; `RateLimit` tells all."""
    if not plan.policy:
        plan.policy = ", ".join(_policy(limit) for limit in plan.limits).encode()
    headers: list[Header] = [(b"ratelimit-policy", plan.policy)]
    tightest: dict[str, tuple[int, int, int]] = {}
    left = []
    figures, place = limiter.figures(plan), 0
    for label, measure, amount in plan.labels:
        remaining, reset_us = amount - figures[place], figures[place + 1]
        place += 2
        remaining = max(remaining, 0)
        left.append(label % (remaining, -(-reset_us // 1_000_000)))
        if measure not in tightest or remaining < tightest[measure][0]:
            tightest[measure] = remaining, amount, reset_us
    headers.append((b"ratelimit", b", ".join(left)))
    for measure, (remaining, amount, reset_us) in tightest.items():
        if measure in _NAMES:
            limit_name, remaining_name, reset_name = _NAMES[measure]
            headers.append((limit_name, b"%d" % amount))
            headers.append((remaining_name, b"%d" % remaining))
            headers.append((reset_name, duration(reset_us)))
    return headers


def duration(microseconds: int) -> bytes:
    """As OpenAI's API writes it: `20ms`, `1.500s`, `6m0s`, `1h0m30s`; rounded up."""
    milliseconds = -(-microseconds // 1_000)
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

"""What an answer says of its caller's limits: the x-ratelimit headers of OpenAI's API, and the fields `RateLimit` and
`RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11."""

import time
from functools import lru_cache

from aiservice.kit.sliding_window import SlidingWindow
from aiservice.principal import Limit, Principal
from aiservice.services.limit_plans import Plan, Wording
from aiservice.services.limiter import Limiter

Header = tuple[bytes, bytes]
AtOnce = tuple[tuple[SlidingWindow, int, Header, bytes, bytes], ...]

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
    if wording.at_once is not None and limiter.shared is None:
        return _at_once(plan, wording, wording.at_once)
    left, resets_us = limiter.left(plan)
    headers: list[Header] = [wording.policy, (b"ratelimit", wording.ratelimit % tuple(left))]
    for limits, remaining_name, reset_name in wording.measures:
        place, limit = limits[0] if len(limits) == 1 else min(limits, key=lambda each: left[2 * each[0]])
        headers.append(limit)
        headers.append((remaining_name, b"%d" % left[2 * place]))
        headers.append((reset_name, _written(-(-resets_us[place] // 1_000))))
    return headers


def _at_once(plan: Plan, wording: Wording, windows: AtOnce) -> list[Header]:
    """The same for limits that are counted here, one for each measure: in one pass, as `Limiter.left` has it."""
    now = time.monotonic_ns() // 1_000
    headers: list[Header] = [wording.policy]
    numbers: list[int] = []
    for window, amount, limit, remaining_name, reset_name in windows:
        if window.sum and window.still_from <= now < window.still_until:
            used, reset_us = window.total, window.latest_us + window.window_us - now
        else:
            used, reset_us = window.standing(now)
        left = amount - used if used < amount else 0
        numbers += (left, -(-reset_us // 1_000_000))
        headers += (
            limit,
            (remaining_name, b"%d" % left),
            (reset_name, _written(-(-reset_us // 1_000))),
        )
    for slot, amount in plan.at_once:
        numbers += (amount - slot.held if slot.held < amount else 0, 0)
    headers.append((b"ratelimit", wording.ratelimit % tuple(numbers)))
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
        _one_each(plan),
    )
    return plan.wording


def _one_each(plan: Plan) -> AtOnce | None:
    measures = [limit.measure for limit, _, _ in plan.windows]
    if len(set(measures)) < len(measures) or not _NAMES.keys() >= set(measures):
        return None
    return tuple(
        (window, limit.amount, (_NAMES[limit.measure][0], b"%d" % limit.amount), *_NAMES[limit.measure][1:])
        for limit, window, _ in plan.windows
    )


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

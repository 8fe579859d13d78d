"""May this request pass its key's and its client's limits? What is taken is corrected at the settlement, once.

Counted in this worker's memory; where workers share a Redis, there (`services/shared_limits.py`), and in memory as
well: while Redis is away each of N workers allows an N-th of every limit, of which it knows what it has given.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from aiservice.errors import RateLimited, RequestOverLimit
from aiservice.principal import Limit, Principal
from aiservice.services.limit_counts import SharedCounts, Taken
from aiservice.services.limit_names import words_of
from aiservice.services.limit_plans import Plan, Plans

_AT_ONCE_RETRY_US = 1_000_000  # nobody knows when an answer under way will end
_SCOPES = {
    "key": "This key's",
    "client": "This client's",
    "team": "The team's",
    "sanction": "This client was slowed down for unusual traffic: its",
}
_LOOKED_AT_ONCE = 50  # one script in Redis: it must not hold the others up
_CODES = {
    "requests/minute": "client_rpm_exceeded",
    "requests/hour": "client_rph_exceeded",
    "requests/day": "client_rpd_exceeded",
    "tokens/minute": "client_tpm_exceeded",
    "tokens/hour": "client_tph_exceeded",
    "tokens/day": "client_tpd_exceeded",
    "concurrency": "client_concurrency_exceeded",
}


class Standing(NamedTuple):
    """How one limit stands: `reset_us` is how long until nothing of what is used now counts any more."""

    limit: Limit
    used: int
    reset_us: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit.amount - self.used)


class Grant:
    """What one request has taken, at `now`. `settle` corrects it and ends the lease; only the first call counts."""

    __slots__ = (
        "_lease",
        "_shared",
        "_taken_us",
        "_task",
        "is_settled",
        "limiter",
        "plan",
        "shared_us",
        "tokens",
    )

    def __init__(self, limiter: "Limiter", plan: Plan, task: str, tokens: int, lease: str, *, now: int) -> None:
        self.limiter = limiter
        self.plan = plan
        self.tokens = tokens
        self.is_settled = False
        self._task = task
        self._taken_us = now
        self._lease = lease
        self._shared: SharedCounts | None = None
        for window, _ in plan.of_requests:
            window.sum += 1
            window.total += 1
            window.latest_us = now
        for window, _ in plan.of_tokens:
            window.sum += tokens
            window.total += tokens
            window.latest_us = now
        for slot, _ in plan.at_once:
            slot.held += 1

    def counts_in(self, shared: SharedCounts, at_us: int) -> None:
        """Says that it was taken from the shared counts as well."""
        self._shared, self.shared_us = shared, at_us

    def settle(self, used_tokens: int, output_tokens: int | None = None) -> None:
        """Corrects the reservation to `used_tokens`; learns from `output_tokens`. Never waits, never fails."""
        if self.is_settled:
            return
        self.is_settled = True
        plan = self.plan
        for slot, _ in plan.at_once:
            slot.held -= 1
        if plan.of_tokens and used_tokens != self.tokens:
            correct(plan, self._taken_us, used_tokens - self.tokens)
        if self._shared is not None:
            self._shared.give_back(plan, self.shared_us, self.tokens, used_tokens, self._lease)
        if output_tokens is not None:
            plan.learn(self._task, output_tokens)


class Limiter:
    """The limits of one worker's requests."""

    def __init__(self, shared: SharedCounts | None = None) -> None:
        self._plans = Plans()
        self.shared = shared
        if shared is not None:
            shared.known = self._plans.counted
        self.sharers: Callable[[], int] = lambda: 1
        """How many workers share the limits while they cannot count together."""

    def plan(self, principal: Principal) -> Plan:
        """What limits a caller that has limits."""
        return self._plans.of(principal, _now())

    def check(self, principal: Principal) -> Plan:
        """Refuses at once, before anything of the request is read, where a window of requests is known to be full;
        else what limits the caller.

        Raises:
            RateLimited: it is.
        """
        plan = self._plans.known.get(principal.key_id)
        if plan is None or plan.limits is not principal.limits:
            plan = self._plans.of(principal, _now())
        if self.shared is not None:
            self._check_shared(plan)
            return plan
        for window, amount in plan.of_requests:
            if window.total >= amount:  # it may have become less since: then it is looked at
                self._check_here(plan)
                break
        return plan

    def _check_shared(self, plan: Plan) -> None:
        if not self._is_shared():
            self._check_here(plan)
        elif (now := _now()) < plan.until_us:
            raise _refusal(self._fullest(plan), plan.until_us - now)

    def _check_here(self, plan: Plan) -> None:
        sharers, now = self._sharers(), _now()
        for limit, window, is_tokens in plan.windows:
            if not is_tokens and window.used(now) >= _share(limit, sharers):
                raise _refusal(limit, window.wait_us(now, 1, _share(limit, sharers)))

    async def admit(
        self, principal: Principal, lease: str, task: str, input_tokens: int, most_output: int | None
    ) -> Grant:
        """Takes one request, its tokens (the prompt's, and of the answer what is likely) and a place among those at
        once; `lease` names it. All of it or nothing.

        Raises:
            RateLimited: a limit is used up; with when to come again.
            RequestOverLimit: the prompt alone is more than a limit of tokens.
        """
        plan = self.plan(principal)
        if self.shared is None:
            return self.admit_here(plan, lease, task, input_tokens, plan.expected_output(task, most_output))
        expected = plan.expected_output(task, most_output)
        tokens = _to_reserve(plan, input_tokens, expected)
        if self.shared.is_up:
            taken = await self.shared.take(plan, tokens, lease)
            if taken is not None:
                return self._shared_grant(plan, task, tokens, lease, taken)
        now = _now()
        self._look_here(plan, tokens, now)
        grant = Grant(self, plan, task, tokens, lease, now=now)
        self.shared.missed(plan, tokens, lease)
        grant.counts_in(self.shared, 0)  # Redis will be told of it when it is back
        return grant

    def admit_here(self, plan: Plan, lease: str, task: str, input_tokens: int, expected: int) -> Grant:
        """`admit` for whoever shares no counts with anybody, and knows the plan and how many tokens of answer are
        expected: without a wait. Raises as it."""
        now = _now()
        tokens = input_tokens + expected
        if tokens > plan.least_tokens:
            tokens = _to_reserve(plan, input_tokens, expected)
        for window, amount in plan.of_requests:
            if not window.still_from <= now < window.still_until:
                window.look(now)
            if window.total >= amount:
                self._look_here(plan, tokens, now)
        for window, amount in plan.of_tokens:
            if not window.still_from <= now < window.still_until:
                window.look(now)
            if window.total + tokens > amount:
                self._look_here(plan, tokens, now)
        for slot, amount in plan.at_once:
            if slot.held >= amount:
                self._look_here(plan, tokens, now)
        return Grant(self, plan, task, tokens, lease, now=now)

    def standing(self, plan: Plan) -> list[Standing]:
        """How the limits of a plan stand, as far as is known without asking."""
        limits = [limit for limit, _, _ in plan.windows] + [limit for limit, _ in plan.slots]
        if plan.standing and self._is_shared():
            pairs = list(zip(plan.standing[::2], plan.standing[1::2], strict=True))
        else:
            now = _now()
            pairs = [window.standing(now) for _, window, _ in plan.windows]
            pairs += [(slot.held, 0) for _, slot in plan.slots]
        return [Standing(limit, used, reset_us) for limit, (used, reset_us) in zip(limits, pairs, strict=True)]

    def left(self, plan: Plan) -> tuple[list[int], list[int]]:
        """The same for whoever writes headers: of each limit, in the order of the plan's `names`, what is left,
        followed by the whole seconds until nothing of it is used; and those times once more, in microseconds."""
        if self.shared is not None:
            return _left_of(self.standing(plan))
        now = time.monotonic_ns() // 1_000
        left: list[int] = []
        resets_us: list[int] = []
        for window, amount in plan.rated:
            if window.sum and window.still_from <= now < window.still_until:
                used, reset_us = window.total, window.latest_us + window.window_us - now
            else:
                used, reset_us = window.standing(now)
            left.append(amount - used if used < amount else 0)
            left.append(-(-reset_us // 1_000_000))
            resets_us.append(reset_us)
        for slot, amount in plan.at_once:
            left.append(amount - slot.held if slot.held < amount else 0)
            left.append(0)
            resets_us.append(0)
        return left, resets_us

    async def look(self, principal: Principal) -> list[Standing]:
        """How they stand now, for whoever asks for nothing else."""
        plan = self.plan(principal)
        if self.shared is not None and self.shared.is_up:
            taken = await self.shared.look(plan)
            if taken is not None:
                plan.standing = taken.standing
        return self.standing(plan)

    async def look_at(self, limits: tuple[Limit, ...]) -> tuple[list[Standing], bool]:
        """How any limits stand, in their order, and whether that is what all workers counted."""
        standing: list[Standing] = []
        is_whole = True
        for first in range(0, len(limits), _LOOKED_AT_ONCE):
            some = limits[first : first + _LOOKED_AT_ONCE]
            plan = self._plans.seen(some)
            if self.shared is not None:
                taken = await self.shared.look(plan)
                is_whole = is_whole and taken is not None
                plan.standing = () if taken is None else taken.standing
            else:
                await asyncio.sleep(0)  # of thousands of limits, or others would wait for all of them
            by_limit = {one.limit: one for one in self.standing(plan)}
            standing += [by_limit[limit] for limit in some]
        return standing, is_whole

    def _shared_grant(self, plan: Plan, task: str, tokens: int, lease: str, taken: Taken) -> Grant:
        plan.standing = taken.standing
        now = _now()
        if taken.refused >= 0:
            windows = plan.windows
            if taken.refused >= len(windows):
                raise _refusal(plan.slots[taken.refused - len(windows)][0], _AT_ONCE_RETRY_US)
            limit, _, is_tokens = windows[taken.refused]
            if not is_tokens:
                plan.until_us = now + taken.wait_us
            raise _refusal(limit, taken.wait_us)
        for _, window, _ in plan.windows:
            window.used(now)
        grant = Grant(self, plan, task, tokens, lease, now=now)
        if self.shared is not None:
            grant.counts_in(self.shared, taken.at_us)
        return grant

    def _look_here(self, plan: Plan, tokens: int, now: int) -> None:
        """Refuses what this worker's own counts do not allow."""
        sharers = self._sharers()
        refusing: Limit | None = None
        longest = 0
        for limit, window, is_tokens in plan.windows:
            cost, amount = tokens if is_tokens else 1, limit.amount if sharers == 1 else _share(limit, sharers)
            cost = min(cost, amount)  # a share may be less than one request: then it is let through alone
            if window.used(now) + cost > amount:
                wait = window.wait_us(now, cost, amount)
                if wait >= longest:
                    refusing, longest = limit, wait
        if refusing is not None:
            raise _refusal(refusing, longest)
        for limit, slot in plan.slots:
            if slot.held >= (limit.amount if sharers == 1 else _share(limit, sharers)):
                raise _refusal(limit, _AT_ONCE_RETRY_US)

    def _is_shared(self) -> bool:
        return self.shared is not None and self.shared.is_up

    def _sharers(self) -> int:
        return 1 if self.shared is None else max(1, self.sharers())

    def _fullest(self, plan: Plan) -> Limit:
        requests = [standing for standing in self.standing(plan) if standing.limit.measure == "requests"]
        return min(requests, key=lambda standing: standing.remaining).limit


def _left_of(standing: list[Standing]) -> tuple[list[int], list[int]]:
    left = [number for one in standing for number in (one.remaining, -(-one.reset_us // 1_000_000))]
    return left, [one.reset_us for one in standing]


def correct(plan: Plan, taken_us: int, more: int) -> None:
    """Adds what was used beyond a reservation, now; or takes back what was not, where it was reserved."""
    now = _now()
    for window, _ in plan.of_tokens:
        if not window.still_from <= now < window.still_until:
            window.look(now)
        if more > 0:
            window.add(now, more)
        else:
            window.give_back(window.part_of(taken_us), -more)


def _to_reserve(plan: Plan, input_tokens: int, expected: int) -> int:
    tokens = input_tokens + expected
    for limit, _, is_tokens in plan.windows:
        if is_tokens and tokens > limit.amount:
            if input_tokens > limit.amount:
                raise RequestOverLimit(
                    f"This request alone has about {input_tokens} tokens; the limit is {_words(limit)}.",
                    code=_CODES[limit.name],
                )
            tokens = limit.amount
    return tokens


def _share(limit: Limit, sharers: int) -> int:
    return limit.amount if sharers == 1 else max(1, limit.amount // sharers)


def _refusal(limit: Limit, wait_us: int) -> RateLimited:
    seconds = -(-wait_us // 1_000) / 1_000
    return RateLimited(
        f"{_SCOPES.get(limit.scope, limit.scope)} limit of {_words(limit)} is used up. Try again in {seconds:g} s.",
        code=_CODES[limit.name],
        retry_after=seconds,
    )


def _words(limit: Limit) -> str:
    things, _, when = words_of(limit.name).partition(" ")
    return f"{limit.amount} {things if limit.amount != 1 else things.removesuffix('s')} {when}"


def _now() -> int:
    return time.monotonic_ns() // 1_000


refusal_of = _refusal  # for whoever shows beforehand what a caller will be told

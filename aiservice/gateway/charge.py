"""What a request may cost its caller's budgets: reserved before the provider is asked, extended while it streams.

A stream begins with what its answer is likely to cost, takes more as it grows, and ends where no more is to be had. A
whole answer cannot be ended from here, so all that it may cost is reserved; where the budgets do not have that, the
provider is asked for a shorter one. Fails closed: without a reservation nothing is sent.
"""

import time
from dataclasses import replace

from aiservice.errors import PermissionDenied
from aiservice.gateway.exchange import UNMETERED_OUTPUT, Exchange
from aiservice.kit.clock import now_us
from aiservice.principal import Budget, Principal
from aiservice.services.candidates import Candidate
from aiservice.services.prices import Prices
from aiservice.services.purses import Cost, Reservation
from aiservice.services.spending import Spending
from aiservice.wire import GOOGLE_WIRE, RESPONSES_WIRE, Ask, Usage

DEFAULT_MAX_TOKENS = 4_096
"""The longest whole answer of a caller with a budget, where the request does not say: every chat model takes it."""
STEP_TOKENS, TIGHT_STEP_TOKENS = 64, 16
"""What a stream takes at a time; the second where more than half of a budget is spent or reserved. It begins with as
much where this worker does not hold what its answer is likely to cost: many streams share what little there is."""
_UNIT = 1_000
_NOTHING = Usage()
_LIMITS = ("max_tokens", "max_completion_tokens")
_SEVERAL = frozenset({"n", "best_of"})


class Charges:
    """Reserves for requests of callers with budgets. One a worker."""

    def __init__(self, spending: Spending, prices: Prices) -> None:
        self._spending = spending
        self._prices = prices

    def affordable(self, principal: Principal, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """The candidates that have a price, or are allowed by name without one, where the caller's money is counted.

        Raises:
            PermissionDenied: there are none (`model_unpriced`).
        """
        if not principal.counts_money:
            return candidates
        counted = [budget for budget in principal.budgets if budget.measure == "money"]
        at_us = now_us()
        found = tuple(each for each in candidates if self._is_priced(each, at_us) or _is_allowed(each, counted))
        if not found:
            raise PermissionDenied(
                f"Nobody knows what '{candidates[0].model}' costs, and this caller has a budget of money. Ask for "
                "another model, or have this one allowed by name: --allow-unpriced of 'budget set'.",
                code="model_unpriced",
                param="model",
            )
        return found

    def reserve_here(self, exchange: Exchange, expected: int, most: int | None) -> bool:
        """`reserve`, where this worker holds enough and nobody has to wait; False: it does not hold enough."""
        ask, budgets = exchange.request.ask, exchange.principal.budgets
        cost, wanted = self._cost_of(exchange), _wanted(ask, expected, most)
        taken = self._spending.take(budgets, cost, wanted, exchange.started_us)
        if taken is None:
            return False
        exchange.charge = taken
        if _is_paid_as_it_goes(ask):
            exchange.paid_outputs = wanted if most is None or wanted < most else UNMETERED_OUTPUT
        elif most is None and ask.kind == "chat":
            _shorten(ask, DEFAULT_MAX_TOKENS)
        return True

    async def reserve(self, exchange: Exchange, expected: int, most: int | None) -> None:
        """Takes what the request may cost; `expected` tokens of answers are likely, `most` are allowed (None: any
        number). A whole answer that the budgets cannot pay to its end is asked for no longer than they can.

        Raises:
            BudgetExceeded: they cannot pay for any.
            Overloaded: the database is away, and this worker holds too little.
        """
        ask, budgets = exchange.request.ask, exchange.principal.budgets
        cost, wanted = self._cost_of(exchange), _wanted(ask, expected, most)
        if _is_paid_as_it_goes(ask):
            least = min(wanted, TIGHT_STEP_TOKENS)
            taken = await self._spending.begin(budgets, cost, min(wanted, STEP_TOKENS), least)
        else:
            taken = await self._spending.reserve(budgets, cost, wanted, min(expected, wanted))
        exchange.charge = taken
        if _is_paid_as_it_goes(ask):
            exchange.paid_outputs = taken.covers if most is None or taken.covers < most else UNMETERED_OUTPUT
        elif ask.kind == "chat" and (most is None or taken.covers < wanted):
            exchange.is_shortened = taken.covers < wanted
            _shorten(ask, max(1, taken.covers // answers_of(ask)))

    def cover(self, exchange: Exchange, outputs: int) -> bool:
        """Whether a stream that has given `outputs` tokens may go on; False: wait for `extend`."""
        charge = exchange.charge
        assert charge is not None  # noqa: S101 - who asks has one
        missing = outputs + 1 - charge.covers
        taken = charge.extend(max(missing, _step(charge)), time.monotonic()) if missing > 0 else 0
        self._spending.refill_soon(charge)
        exchange.paid_outputs = charge.covers
        return taken >= missing

    async def extend(self, exchange: Exchange, outputs: int) -> bool:
        """Waits until a stream may go on; False where its budgets have no more.

        Raises:
            Overloaded: the database is away.
        """
        charge = exchange.charge
        assert charge is not None  # noqa: S101 - as above
        while (missing := outputs + 1 - charge.covers) > 0:
            if not await self._spending.extend(charge, max(missing, _step(charge))):
                return False
        exchange.paid_outputs = charge.covers
        return True

    def _cost_of(self, exchange: Exchange) -> Cost:
        tokens = exchange.est_input_tokens
        if not exchange.principal.counts_money:
            return tuple.__new__(Cost, (0, 0, tokens))  # without a step into its maker
        at_most = exchange.request.ask.at_most or _NOTHING
        return self._cost(exchange.candidates, tokens, exchange.started_us, at_most)

    def _cost(
        self,
        candidates: tuple[Candidate, ...],
        input_tokens: int,
        at_us: int,
        at_most: Usage,
    ) -> Cost:
        """At the dearest of the candidates' prices, written to a cache and thought about where that costs more, with
        the units that it may use `at_most`."""
        money = each = 0
        for candidate in candidates:
            view, model = candidate.connection, candidate.model
            prompt = Usage(input_tokens, cache_write_tokens=input_tokens if at_most.media is None else 0)
            if at_most.units:
                prompt.units, prompt.unit, prompt.unit_quality = at_most.units, at_most.unit, at_most.unit_quality
            spoken = replace(prompt, output_tokens=_UNIT, reasoning_tokens=_UNIT)
            if at_most.media is not None:  # pictures or sound: it is no thought that costs most
                prompt.media = at_most.media
                spoken = replace(prompt, output_tokens=_UNIT)
            of_prompt = self._prices.cost_nano_usd(view.kind, view.base_url, model, prompt, at_us) or 0
            of_all = self._prices.cost_nano_usd(view.kind, view.base_url, model, spoken, at_us) or 0
            money = max(money, of_prompt)
            each = max(each, -(-(of_all - of_prompt) // _UNIT))
        return Cost(money, each, input_tokens)

    def _is_priced(self, candidate: Candidate, at_us: int) -> bool:
        view = candidate.connection
        return self._prices.is_priced(view.kind, view.base_url, candidate.model, at_us)


def _is_allowed(candidate: Candidate, budgets: list[Budget]) -> bool:
    names = {candidate.model, f"{candidate.connection.name}/{candidate.model}"}
    return all(names & budget.unpriced for budget in budgets)


def _wanted(ask: Ask, expected: int, most: int | None) -> int:
    """How many tokens of answers to reserve: of a stream as many as are likely, of a whole answer all there may be."""
    if _is_paid_as_it_goes(ask):
        wanted = max(expected, STEP_TOKENS)
        return wanted if most is None or wanted < most else most
    return most if most is not None else DEFAULT_MAX_TOKENS * answers_of(ask)


def _is_paid_as_it_goes(ask: Ask) -> bool:
    """Whether an answer can be stopped where its budget ends: pictures and sound are made whole, however they come."""
    return ask.is_stream and ask.at_most is None


def _step(charge: Reservation) -> int:
    return TIGHT_STEP_TOKENS if charge.is_tight else STEP_TOKENS


def answers_of(ask: Ask) -> int:
    """How many answers are paid for: several may be asked for, or the best of several."""
    body = ask.body
    if _SEVERAL.isdisjoint(body):
        return 1
    counts = [body.get(name) for name in ("n", "best_of")]
    return max([1, *(count for count in counts if type(count) is int)])


def _shorten(ask: Ask, most: int) -> None:
    """Asks for an answer of at most `most` tokens, by the word that the request used."""
    body = ask.body
    name = _LIMITS[1] if body.get(_LIMITS[1]) is not None and body.get(_LIMITS[0]) is None else _LIMITS[0]
    body[name] = most
    if ask.native is None:
        return
    if ask.wire == GOOGLE_WIRE:
        ask.native["generationConfig"] = {**(ask.native.get("generationConfig") or {}), "maxOutputTokens": most}
    else:
        ask.native["max_output_tokens" if ask.wire == RESPONSES_WIRE else "max_tokens"] = most

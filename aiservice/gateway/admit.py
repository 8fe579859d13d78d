"""Whether a verified caller may make this request now; the permit spans the whole answer and settles it once.

Fails closed: while the journal cannot be written, or the broker is draining, nothing metered is admitted.
"""

import logging
import time
from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from aiservice.errors import BrokerError, Overloaded, PermissionDenied, Unauthenticated
from aiservice.gateway.charge import Charges, answers_of
from aiservice.gateway.exchange import Exchange
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.principal import Principal
from aiservice.services.limiter import Limiter
from aiservice.wire import Ask

log = logging.getLogger(__name__)
Stop = Callable[[BrokerError], None]


class UnderWay(NamedTuple):
    """A request, by the key and the client that make it, and the way to end it with an error."""

    key_id: str
    client_id: str
    stop: Stop


class InFlight:
    """The requests under way in this worker, and the way to end each."""

    def __init__(self) -> None:
        self.is_draining = False
        self.under_way: dict[str, UnderWay] = {}
        """By the request's id; a permit, of which there is one a request, puts itself here without a call."""

    @property
    def count(self) -> int:
        """Requests under way."""
        return len(self.under_way)

    def add(self, request_id: str, principal: Principal, stop: Stop) -> None:
        """Registers a request and how to end it; `remove` undoes it."""
        self.under_way[request_id] = tuple.__new__(UnderWay, (principal.key_id, principal.client_id, stop))

    def remove(self, request_id: str) -> None:
        self.under_way.pop(request_id, None)

    def stop_all(self) -> int:
        """Ends every request under way: the broker is shutting down. The number of them."""
        return self._stop(list(self.under_way.values()), stopping())

    def stop_of(self, subject: str, error: BrokerError) -> int:
        """Ends every request under way of one key or client (its id) with `error`; the number of them."""
        found = [one for one in self.under_way.values() if subject in (one.key_id, one.client_id)]
        return self._stop(found, error)

    def _stop(self, found: list[UnderWay], error: BrokerError) -> int:
        for one in found:
            one.stop(error)
        return len(found)

    def on_change(self, kind: str, subject: str) -> None:
        """A subscriber for the change feed: what is under way is cut where somebody chose so."""
        if kind == "cut":
            stopped = self.stop_of(subject, _cut(subject))
            if stopped:
                log.info("%d answers of %s were cut.", stopped, subject)


class Books(Protocol):
    """Where a request is written down: once before the provider is asked, once at its end."""

    def begin(self, exchange: Exchange) -> None: ...

    def settle(self, exchange: Exchange) -> None: ...


class Permit:
    """`permit.take()`, then `with permit`: inside, the caller's limits and budgets have given what the request
    needs and the intent is in the journal; after it, the settlement is there and what was not used is given back,
    whatever happens.
    What a limit or a budget refuses is no request in the ledger: it cost nothing, and a storm of them must not cost a
    row each."""

    __slots__ = ("_at_end", "_books", "_charges", "_exchange", "_in_flight", "_limiter", "_stop")

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        books: Books,
        limiter: Limiter,
        stop: Stop,
        *,
        charges: Charges,
    ) -> None:
        self._limiter = limiter
        self._charges = charges
        self._stop = stop
        self._exchange = exchange
        self._in_flight = in_flight
        self._books = books
        self._at_end: TimerHandle | None = None

    def take(self) -> Coroutine[Any, Any, None] | None:
        """Takes what the caller's limits and budgets must give; needless for a caller who has neither. Where that takes
        a wait, what is left of it is returned, to be awaited.

        Raises, at once or then:
            RateLimited, RequestOverLimit: a limit of the caller's.
            BudgetExceeded: a budget.
            Overloaded: the database is away.
        """
        exchange, limiter, plan = self._exchange, self._limiter, self._exchange.limits
        principal, ask = exchange.principal, exchange.request.ask
        if plan is None or plan.is_forgotten:
            plan = limiter.plan(principal)
        most = 0 if exchange.caching is not None and exchange.is_free else most_output(ask)
        expected = plan.expected_output(ask.task, most)
        if principal.limits:
            if limiter.shared is not None:
                return self._take_shared(expected, most)
            exchange.grant = limiter.admit_here(
                plan, exchange.request_id, ask.task, exchange.est_input_tokens, expected
            )
        return self._reserve(expected, most) if principal.budgets and self._needs_money(expected, most) else None

    def _needs_money(self, expected: int, most: int | None) -> bool:
        """Whether what the request may cost is still to be reserved, with a wait."""
        exchange = self._exchange
        if not exchange.candidates or exchange.request.ask.kind == "token-count":
            return False
        try:
            return not self._charges.reserve_here(exchange, expected, most)
        except BaseException:
            self._give_back()
            raise

    async def _take_shared(self, expected: int, most: int | None) -> None:
        exchange = self._exchange
        principal, task = exchange.principal, exchange.request.ask.task
        lease, tokens = exchange.request_id, exchange.est_input_tokens
        exchange.grant = await self._limiter.admit(principal, lease, task, tokens, most)
        if principal.budgets and self._needs_money(expected, most):
            await self._reserve(expected, most)

    async def _reserve(self, expected: int, most: int | None) -> None:
        try:
            await self._charges.reserve(self._exchange, expected, most)
        except BaseException:
            self._give_back()
            raise

    def _give_back(self) -> None:
        exchange = self._exchange
        if exchange.grant is not None:
            exchange.grant.settle(0)
        if exchange.charge is not None:
            exchange.charge.settle(0, 0, time.monotonic())

    def __enter__(self) -> None:
        """Writes the intent down.

        Raises:
            Overloaded: it cannot be; what was taken is given back.
        """
        exchange = self._exchange
        principal = exchange.principal
        try:
            self._books.begin(exchange)
        except BaseException:
            self._give_back()
            raise
        under_way = tuple.__new__(UnderWay, (principal.key_id, principal.client_id, self._stop))
        self._in_flight.under_way[exchange.request_id] = under_way
        ends_us = principal.key_ends_us
        if ends_us is not None and exchange.request.ask.is_stream:
            left_us = ends_us - now_us()
            if left_us < DAY_US:  # no stream lasts as long
                self._at_end = get_running_loop().call_later(max(0, left_us) / SECOND_US, self._key_ends)

    def _key_ends(self) -> None:
        self._stop(key_expired())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exchange = self._exchange
        self._in_flight.under_way.pop(exchange.request_id, None)
        if self._at_end is not None:
            self._at_end.cancel()
        try:
            if not exchange.is_settled:
                self._books.settle(exchange)
        finally:
            grant, charge = exchange.grant, exchange.charge
            if grant is not None and not grant.is_settled:  # it could not be settled: what was reserved stays used
                grant.settle(grant.tokens)
            if charge is not None:
                if grant is None:  # a caller with limits learns at its grant's settlement
                    self._learn(exchange)
                if not charge.is_settled:
                    charge.keep()

    def _learn(self, exchange: Exchange) -> None:
        is_told = exchange.outcome == "finished" and (exchange.caching is None or not exchange.is_free)
        if is_told and exchange.usage is not None:
            task = exchange.request.ask.task
            self._limiter.plan(exchange.principal).learn(task, exchange.usage.output_tokens)


def most_output(ask: Ask) -> int | None:
    """The most tokens that a request lets its answers have together; None where it does not say."""
    if ask.kind != "chat":
        return 0 if ask.at_most is None else ask.at_most.output_tokens
    body = ask.body
    most = body.get("max_tokens", body.get("max_completion_tokens"))
    if type(most) is not int or most < 0:
        return None
    return most * answers_of(ask)


def check_scope(principal: Principal, scope: str) -> None:
    """Raises `PermissionDenied` unless the credential's scopes hold `scope` (a task, or `read`)."""
    if principal.scopes is not None and scope not in principal.scopes:
        allowed = ", ".join(sorted(principal.scopes)) or "nothing"
        raise PermissionDenied(
            f"This key's scopes do not include '{scope}' (they are: {allowed}).", code="out_of_scope"
        )


def stopping() -> Overloaded:
    """What an answer ends with that the broker's shutdown cuts."""
    return Overloaded("The broker is restarting; the answer ends here.", code="broker_stopped", retry_after=5)


def key_expired() -> Unauthenticated:
    """What an answer ends with whose key expires on its way."""
    return Unauthenticated("The API key has expired; the answer ends here.", code="key_expired")


def _cut(subject: str) -> BrokerError:
    """What an answer ends with whose key was revoked or client disabled, and was to be cut."""
    if subject.startswith("cli_"):
        return PermissionDenied("The client was disabled; the answer ends here.", code="client_disabled")
    return Unauthenticated("This API key was revoked; the answer ends here.", code="key_revoked")


def check_taking_requests(in_flight: InFlight) -> None:
    """Raises `Overloaded` while the broker is shutting down."""
    if in_flight.is_draining:
        raise Overloaded("The broker is restarting. Try again in a moment.", code="draining", retry_after=5)

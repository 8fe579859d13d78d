"""Whether a verified caller may make this request now; the permit spans the whole answer and settles it once.

Fails closed: while the journal cannot be written, or the broker is draining, nothing metered is admitted.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from aiservice.errors import Overloaded, PermissionDenied
from aiservice.gateway.exchange import Exchange
from aiservice.principal import Principal
from aiservice.services.limiter import Limiter
from aiservice.wire import Ask

Stop = Callable[[], None]


class InFlight:
    """The requests under way in this worker, and the way to end each."""

    def __init__(self) -> None:
        self.is_draining = False
        self._stops: dict[str, Stop] = {}

    @property
    def count(self) -> int:
        """Requests under way."""
        return len(self._stops)

    def add(self, request_id: str, stop: Stop) -> None:
        """Registers a request and how to end it; `remove` undoes it."""
        self._stops[request_id] = stop

    def remove(self, request_id: str) -> None:
        self._stops.pop(request_id, None)

    def stop_all(self) -> int:
        """Ends every request under way with an error; the number of them."""
        stops = list(self._stops.values())
        for stop in stops:
            stop()
        return len(stops)


class Books(Protocol):
    """Where a request is written down: once before the provider is asked, once at its end."""

    def begin(self, exchange: Exchange) -> None: ...

    def settle(self, exchange: Exchange) -> None: ...


class Permit:
    """`async with Permit(…)`: inside, the caller's limits have given what the request needs and the intent is in the
    journal; after it, the settlement is there and what was not used is given back, whatever happens. What a limit
    refuses is no request in the ledger: it cost nothing, and a storm of them must not cost a row each."""

    __slots__ = ("_books", "_exchange", "_in_flight", "_limiter", "_stop")

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        books: Books,
        limiter: Limiter,
        stop: Stop,
    ) -> None:
        self._limiter = limiter
        self._stop = stop
        self._exchange = exchange
        self._in_flight = in_flight
        self._books = books

    async def __aenter__(self) -> None:
        exchange = self._exchange
        if exchange.principal.limits:
            exchange.grant = await self._limiter.admit(
                exchange.principal,
                exchange.request_id,
                exchange.request.ask.task,
                exchange.est_input_tokens,
                most_output(exchange.request.ask),
            )
        try:
            self._books.begin(exchange)
        except BaseException:
            if exchange.grant is not None:
                exchange.grant.settle(0)
            raise
        self._in_flight.add(exchange.request_id, self._stop)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.remove(self._exchange.request_id)
        try:
            if not self._exchange.is_settled:
                self._books.settle(self._exchange)
        finally:
            grant = self._exchange.grant
            if grant is not None and not grant.is_settled:  # it could not be settled: what was reserved stays used
                grant.settle(grant.tokens)


def most_output(ask: Ask) -> int | None:
    """The most tokens that a request lets its answers have together; None where it does not say."""
    if ask.kind != "chat":
        return 0
    body = ask.body
    most = body.get("max_tokens", body.get("max_completion_tokens"))
    if type(most) is not int or most < 0:
        return None
    answers = body.get("n")
    return most * answers if type(answers) is int and answers > 1 else most


def check_scope(principal: Principal, scope: str) -> None:
    """Raises `PermissionDenied` unless the credential's scopes hold `scope` (a task, or `read`)."""
    if principal.scopes is not None and scope not in principal.scopes:
        allowed = ", ".join(sorted(principal.scopes)) or "nothing"
        raise PermissionDenied(
            f"This key's scopes do not include '{scope}' (they are: {allowed}).", code="out_of_scope"
        )


def check_taking_requests(in_flight: InFlight) -> None:
    """Raises `Overloaded` while the broker is shutting down."""
    if in_flight.is_draining:
        raise Overloaded("The broker is restarting. Try again in a moment.", code="draining", retry_after=5)

"""Whether a verified caller may make this request now; the permit spans the whole answer and settles it once.

Fails closed: while the journal cannot be written, or the broker is draining, nothing metered is admitted.
"""

from collections.abc import Callable
from types import TracebackType

from aiservice.errors import Overloaded, PermissionDenied
from aiservice.gateway.exchange import Exchange
from aiservice.principal import Principal

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


class Permit:
    """`async with Permit(…)`: the intent is in the journal inside, the settlement after it, whatever happens."""

    __slots__ = ("_begin", "_exchange", "_in_flight", "_settle", "_stop")

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        begin: Callable[[Exchange], None],
        settle: Callable[[Exchange], None],
        stop: Stop,
    ) -> None:
        self._stop = stop
        self._exchange = exchange
        self._in_flight = in_flight
        self._begin = begin
        self._settle = settle

    async def __aenter__(self) -> None:
        self._begin(self._exchange)
        self._in_flight.add(self._exchange.request_id, self._stop)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.remove(self._exchange.request_id)
        if not self._exchange.is_settled:
            self._settle(self._exchange)


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

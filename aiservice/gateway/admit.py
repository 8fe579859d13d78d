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
    """The requests under way in this worker, and the way to end the streams among them."""

    def __init__(self) -> None:
        self.count = 0
        self.is_draining = False
        self._streams: dict[str, Stop] = {}

    def add_stream(self, request_id: str, stop: Stop) -> None:
        """Registers how to end a running stream; `remove_stream` undoes it."""
        self._streams[request_id] = stop

    def remove_stream(self, request_id: str) -> None:
        self._streams.pop(request_id, None)

    def stop_streams(self) -> int:
        """Ends all running streams with an error event; the number of them."""
        stops = list(self._streams.values())
        for stop in stops:
            stop()
        return len(stops)


class Permit:
    """`async with Permit(…)`: the intent is in the journal inside, the settlement after it, whatever happens."""

    __slots__ = ("_begin", "_exchange", "_in_flight", "_settle")

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        begin: Callable[[Exchange], None],
        settle: Callable[[Exchange], None],
    ) -> None:
        self._exchange = exchange
        self._in_flight = in_flight
        self._begin = begin
        self._settle = settle

    async def __aenter__(self) -> None:
        self._begin(self._exchange)
        self._in_flight.count += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.count -= 1
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

"""One request on its way through the hops: what each hop learned, in one place."""

from asyncio import Task
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiservice.dialects._base import ClientRequest, Dialect, Outcome
from aiservice.gateway.continuation import Continuation
from aiservice.principal import Principal
from aiservice.services.cache_tally import CacheResult
from aiservice.services.cached_answer import CachedAnswer
from aiservice.services.candidates import Candidate
from aiservice.services.limit_plans import Plan
from aiservice.services.limiter import Grant
from aiservice.services.payloads import Payload
from aiservice.services.purses import Reservation
from aiservice.services.quota_easy import Easy
from aiservice.services.quota_lane import Lane
from aiservice.services.quota_turn import Turn
from aiservice.services.routing_facts import Load
from aiservice.services.settlement import Outcome as LedgerOutcome
from aiservice.services.settlement import Settlement
from aiservice.wire import Attempt, AttemptFailure, FinishReason, QuotaNote, Usage, UsageSource

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


_CHARACTERS_PER_TOKEN = 4
# The code of an attempt that was cut off from our side before the provider had answered, or had even been asked.
ABANDONED, ABANDONED_UNSENT = "abandoned", "abandoned_unsent"
EXCHANGE = "aiservice.exchange"  # where a scope holds the exchange that it became
HINTS = "aiservice.hints"  # where a scope says that one of HINT_HEADERS is among its headers: hops need not look, else
CREDENTIALS = "aiservice.credentials"  # where a scope holds those of CREDENTIAL_HEADERS that came
CREDENTIAL_HEADERS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key"})
LENGTH = "aiservice.length"  # where a scope holds how many bytes its body is said to have; -1: it is not said
HINT_HEADERS = frozenset(
    {
        b"cache-control",
        b"content-encoding",
        b"idempotency-key",
        b"last-event-id",
        b"traceparent",
        b"x-aiservice-cache-ttl",
        b"x-aiservice-continue",
        b"x-aiservice-explain",
        b"x-aiservice-lossy",
        b"x-aiservice-resumable",
    }
)
"""What a request may ask for in a header."""
RECORDED = "aiservice.recorded"  # where a scope holds how its answer is recorded (`Recorded`), if it is
TOLD = "aiservice.told"  # where a scope holds what is done with an error before its client is told of it, if anything
UNMETERED_OUTPUT = 2**62  # tokens that a caller without a budget may be given
_FREE = frozenset({"hit", "coalesced"})
CIRCUIT_OPEN = "circuit_open"  # of a candidate that was passed over, because it has just failed others


@dataclass(slots=True, frozen=True)
class Handler:
    """What answers one method of one route: it gets the request id, and its errors are shown in `dialect`'s words.

    `scope_name` is the scope a key needs here, or "key" where any client key will do; None marks a route that takes no
    credential. `without_secret` makes of an answer's body, where that holds a secret, what may be given out again. What
    `is_free` takes nothing of its caller's limits of requests (`request_limits.py` says why).
    """

    run: Callable[[Scope, Receive, Send, str], Awaitable[None]]
    dialect: Dialect | None = None
    scope_name: str | None = None
    without_secret: Callable[[bytes], bytes] | None = None
    is_free: bool = False


Routes = Mapping[str, Mapping[str, Handler]]


class Outlet(Protocol):
    """Where a stream goes whose call others may follow."""

    flight: Any

    async def client_left(self) -> None:
        """Returns when the call need not go on."""
        ...


@dataclass(slots=True)
class CacheUse:
    """What the cache may do for a request of this `key`: keep its answer for `ttl_seconds`, and give it one that is no
    older than `most_age_seconds`, unless a new one `is_fresh_wanted`. `found` is one, and what it says `unpacked`; a
    `flight` is a call that is under way for the same. `semantic` is what is known of its question, where similar ones
    share answers, and `similarity` the cosine to that whose answer it is given."""

    key: bytes
    ttl_seconds: int
    most_age_seconds: int | None = None
    is_fresh_wanted: bool = False
    found: CachedAnswer | None = None
    unpacked: Any = None  # and the next: types of layers above
    flight: Any = None
    semantic: Any = None
    similarity: float | None = None


@dataclass(slots=True)
class Exchange:
    """Times: `started_us` is microseconds UTC; `started` and `upstream_seconds` are seconds of the monotonic clock.

    `outcome` is the ledger's word for how it ended; `delivered_pieces` and `delivered_characters` count what the
    client was given, for when the provider does not say; `reported_pieces` were given when it last did. Of `attempts`
    `passed_over` were none: a circuit breaker was open, or their turn did not come. The attempt under way
    `has_alternative` where another candidate is left; it may be a probe that is waited for `probe_seconds`.
    `is_attempt_sent`: a byte of the last attempt may have reached the provider. `limits` are its
    caller's, where there are any, and `grant` is what it took of them, `charge` what it reserved of their budgets: more
    than `paid_outputs` tokens of a stream are not paid yet, and an answer that `is_shortened` was asked for no longer
    than the budgets can pay.

    `turn` is the last attempt's at its provider's own limits; where it needed none it is `loose` in their lane,
    or went `easy`, counted;
    `quota_notes` are what a refusal of it said of them; it waited `quota_waited_us` for turns, and those it did not get
    may come in
    `quota_wait_seconds`. `left` ends when the
    client has hung up, where somebody may wait for that.
    `task` is the one that answers it.
    `dropped` are the fields that the last attempt's provider has no word for, where the client would rather have them
    dropped than refused, and `told_dropped` those that the answer's head has named, once that is out.
    `decision_id` is that of the decision it goes by; `trace_id` is what the client's `traceparent` names, `upstream_id`
    what the provider that was asked last calls its answer. `load` is the last attempt, as routing counts what is under
    way.
    `continuation` is there where another provider may go on with a stream that breaks off.
    `payload` is what is kept of body and answer, where that is wanted. Where `is_recorded` the `settlement`
    goes into the ledger by whoever keeps the answer, after it. `cache` is what the cache had to do with the answer,
    `caching` what it may do; `outlet` is where a stream goes that others may follow.
    """

    request_id: str
    dialect: Dialect
    principal: Principal
    request: ClientRequest
    started_us: int
    started: float
    est_input_tokens: int = 0
    upstream_seconds: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    candidate: Candidate | None = None
    usage: Usage | None = None
    is_usage_valid: bool = True
    finish_reason: FinishReason | None = None
    first_byte_us: int | None = None
    status: int = 500
    outcome: LedgerOutcome = "failed"
    error_code: str | None = None
    cost_nano_usd: int | None = None
    delivered_pieces: int = 0
    reported_pieces: int = 0
    delivered_characters: int = 0
    settlement_token: int = 0
    passed_over: int = 0
    has_alternative: bool = False
    probe_seconds: float | None = None
    is_attempt_sent: bool = False
    is_settled: bool = False
    limits: Plan | None = None
    grant: Grant | None = None
    candidates: tuple[Candidate, ...] = ()
    charge: Reservation | None = None
    paid_outputs: int = UNMETERED_OUTPUT
    is_shortened: bool = False
    turn: Turn | None = None
    loose: Lane | None = None
    easy: Easy | None = None
    load: Load | None = None
    decision_id: str | None = None
    trace_id: str | None = None
    upstream_id: str | None = None
    quota_notes: tuple[QuotaNote, ...] = ()
    quota_waited_us: int = 0
    quota_wait_seconds: float = 0.0
    was_asked_again: bool = False
    left: Callable[[], Awaitable[None]] | None = None
    task: "Task[Any] | None" = None
    payload: Payload | None = None
    continuation: Continuation | None = None
    is_recorded: bool = False
    settlement: Settlement | None = None
    cache: CacheResult = "bypass"
    caching: CacheUse | None = None
    outlet: Outlet | None = None
    dropped: tuple[str, ...] = ()
    told_dropped: tuple[str, ...] | None = None

    @property
    def is_free(self) -> bool:
        """Whether its answer was paid for by another request."""
        return self.cache in _FREE

    def used_of_quota(self, input_tokens: int, output_tokens: int, now_us: int) -> None:
        """Tells the provider's limits what the last attempt used by now, microseconds of the monotonic clock; only the
        first call for it counts."""
        if (lane := self.loose) is not None:
            self.loose = None
            lane.went(self.est_input_tokens, input_tokens, output_tokens, now_us)
        elif self.turn is not None:
            self.turn.lane.settled(self.turn, input_tokens, output_tokens)
        elif self.easy is not None:
            easy, self.easy = self.easy, None
            easy.lane.went_easily(easy, self.est_input_tokens, input_tokens, output_tokens)

    def counted(self) -> Usage:
        """The prompt by its size, and what was delivered.

        A stream's pieces are about a token each with most providers, four characters are about one with all: the larger
        of the two is the count.
        """
        source: UsageSource = "counted" if self.delivered_pieces else "estimated"
        return Usage(self.est_input_tokens, self.counted_output(), source=source)

    def counted_output(self) -> int:
        """The tokens of what was delivered."""
        return max(self.delivered_pieces, -(-self.delivered_characters // _CHARACTERS_PER_TOKEN))

    def told(self) -> Outcome:
        """What the answer says about itself."""
        candidate = self.candidate
        return Outcome(
            request_id=self.request_id,
            created_s=self.started_us // 1_000_000,
            task=self.request.ask.task,
            provider=candidate.connection.name if candidate else "",
            model=candidate.model if candidate else "",
            finish_reason=self.finish_reason,
            usage=self.usage or Usage(source="counted"),
            cost_nano_usd=self.cost_nano_usd,
            attempts=self.attempts,
            is_cached=self.caching is not None and self.is_free,
            ask=self.request.ask,
        )


@dataclass(slots=True, frozen=True)
class Recorded:
    """A request whose answer is recorded. `is_counted`: among what its client asks, by a reading that came before."""

    is_counted: bool = False


class AsksToResume(Exception):
    """A body asks that its stream can be resumed: its answer has to be recorded."""

    def __init__(self, principal: Principal, raw: bytes, body: object) -> None:
        super().__init__("a stream that can be resumed")
        self.principal = principal
        self.raw = raw
        self.body = body


class ProviderGaveUp(Exception):
    """No provider gave an answer; carries the last attempt's failure and where it happened."""

    def __init__(self, failure: AttemptFailure, connection: str) -> None:
        super().__init__(failure.code)
        self.failure = failure
        self.connection = connection
        self.code = failure.code

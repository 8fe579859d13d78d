"""Counts what a request used and cost: one intent, one settlement."""

import time
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from aiservice.errors import (
    BrokerError,
    InternalFault,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    TooLarge,
)
from aiservice.gateway.continuation import Given
from aiservice.gateway.exchange import ABANDONED, Exchange, ProviderGaveUp
from aiservice.gateway.figures import Figures
from aiservice.kit.clock import now_us
from aiservice.services.ledger import Ledger
from aiservice.services.prices import Prices
from aiservice.services.settlement import Intent, Progress, Settlement
from aiservice.wire import Attempt, EventKind, StreamEvent, Usage

_PIECES_PER_PROGRESS = 64  # how often a long stream notes what it has cost so far
# Members of an Enum take seven times as long to get at as a name does, and these are got at for each event.
_TEXT, _REASONING, _REFUSAL = EventKind.TEXT, EventKind.REASONING, EventKind.REFUSAL
_FINISH, _USAGE = EventKind.FINISH, EventKind.USAGE
_BY_STATUS: dict[int, type[BrokerError]] = {
    400: InvalidRequest,
    404: NotFound,
    413: TooLarge,
    429: RateLimited,
    503: Overloaded,
    504: ProviderTimedOut,
}


def _naming(connection: str, message: str) -> str:
    """Our words for a failure, with the provider's name in them: libraries show the message and nothing beside it."""
    said = "The provider "
    return f"{said}'{connection}' {message.removeprefix(said)}" if message.startswith(said) else message


class Meter:
    """Begins and settles the ledger entry of every exchange; the permit calls it on every way out."""

    def __init__(self, ledger: Ledger, prices: Prices) -> None:
        self._ledger = ledger
        self._prices = prices
        self.figures = Figures()

    def begin(self, exchange: Exchange) -> None:
        """Puts the intent into the journal.

        Raises:
            Overloaded: the journal does not take it.
        """
        principal, ask, first = exchange.principal, exchange.request.ask, exchange.candidate
        intent = (
            exchange.request_id,
            principal.client_id,
            principal.client_name,
            principal.key_id,
            ask.task,
            exchange.dialect.surface,
            ask.requested_model or "",
            ask.is_stream,
            exchange.started_us,
            exchange.est_input_tokens,
            first.connection.name if first else "",
            first.model if first else "",
            first.connection.kind if first else "",
            first.connection.base_url if first else "",
            exchange.charge.names if exchange.charge is not None else None,
        )
        self._ledger.intend(tuple.__new__(Intent, intent))  # as its own maker does, but for the step into that

    def count(self, exchange: Exchange, events: Iterable[StreamEvent]) -> None:
        """Notes what the events of a stream deliver and report."""
        before = exchange.delivered_pieces // _PIECES_PER_PROGRESS
        if exchange.caching is not None and exchange.is_free:
            events = [event for event in events if event.kind is _FINISH]
        for event in events:
            kind = event.kind
            if kind is _TEXT or kind is _REASONING or kind is _REFUSAL:
                exchange.delivered_pieces += 1
                exchange.delivered_characters += len(event.text)
            elif event.tool_call is not None:
                exchange.delivered_pieces += 1
                exchange.delivered_characters += len(event.tool_call.arguments)
            elif kind is _FINISH:
                exchange.finish_reason = exchange.finish_reason or event.finish_reason
            if event.usage is not None:
                exchange.usage, exchange.reported_pieces = event.usage, exchange.delivered_pieces
            elif kind is _USAGE:
                exchange.is_usage_valid = False
        if exchange.delivered_pieces // _PIECES_PER_PROGRESS != before:
            self._note_progress(exchange)

    def failed(self, exchange: Exchange, error: Exception) -> None:
        """Notes why an exchange failed before its answer began."""
        told = self.words_for(error)
        exchange.status, exchange.error_code, exchange.outcome = told.status, told.code, "failed"

    def words_for(self, error: Exception) -> BrokerError:
        """The error a caller may see for `error`."""
        if isinstance(error, BrokerError):
            return error
        if not isinstance(error, ProviderGaveUp):
            return InternalFault()
        failure = error.failure
        shown = _BY_STATUS.get(failure.status, ProviderFailed)
        told = shown(
            _naming(error.connection, failure.message),
            code=failure.code,
            param=failure.param,
            provider=error.connection,
            retry_after=failure.retry_after_seconds,
        )
        if failure.status >= 500:
            told.should_retry = False  # all that may be tried was
        return told

    def part_ended(self, exchange: Exchange, failure: ProviderGaveUp) -> None:
        """Accounts for what a stream gave that broke off, before another provider goes on with it.

        The client pays for its prompt once, and for all that it was given; what each attempt cost is kept with it.
        """
        continuation = exchange.continuation
        assert continuation is not None  # noqa: S101 - who asks has one
        usage = self._usage_of(exchange)
        of_part = usage if continuation.given is None else self._of_part(exchange, continuation.given)
        exchange.used_of_quota(of_part.input_tokens, of_part.output_tokens, time.monotonic_ns() // 1_000)
        cost = self._billed(exchange, usage)
        self._note_cost(exchange, of_part)
        exchange.attempts[-1].code = failure.code
        continuation.given = Given(usage, cost, exchange.counted_output())
        exchange.usage, exchange.reported_pieces = None, exchange.delivered_pieces

    def settle(self, exchange: Exchange) -> None:
        """Prices the exchange and puts its settlement into the journal, or where whoever records the answer finds it;
        only the first call counts."""
        if exchange.is_settled:
            return
        exchange.is_settled = True
        ended_us, ended = now_us(), time.monotonic()
        if (usage := exchange.usage) is None or exchange.delivered_pieces or exchange.caching or exchange.continuation:
            usage = self._usage_of(exchange)
        if exchange.continuation is not None and (given := exchange.continuation.given) is not None:
            self._note_cost(exchange, self._of_part(exchange, given))
        exchange.usage = usage
        tokens = usage.input_tokens + usage.output_tokens
        if exchange.grant is not None:
            # Before the last byte: who has the answer may ask again at once.
            is_whole = exchange.outcome == "finished" and (exchange.caching is None or not exchange.is_free)
            exchange.grant.settle(tokens, usage.output_tokens if is_whole else None)
        exchange.used_of_quota(usage.input_tokens, usage.output_tokens, int(ended * 1_000_000))
        if (load := exchange.load) is not None:
            load.ended(usage, exchange.est_input_tokens, ended) if exchange.outcome == "finished" else load.over()
        if tokens or usage.billed or usage.units:
            if exchange.continuation is not None or (at := exchange.candidate) is None:
                exchange.cost_nano_usd = self._billed(exchange, usage)
            else:
                place = at.connection
                exchange.cost_nano_usd = self._prices.cost_nano_usd(
                    place.kind, place.base_url, at.model, usage, exchange.started_us
                )
        else:
            exchange.cost_nano_usd = 0
        if exchange.charge is not None:
            exchange.charge.settle(exchange.cost_nano_usd or 0, tokens, ended)
        row = self._row(exchange, usage, ended_us)
        if exchange.is_recorded:
            exchange.settlement = row
        else:
            exchange.settlement_token = self._ledger.settle(row)
        self.figures.add(exchange, row, ended)

    def durable(self, exchange: Exchange) -> Awaitable[None] | None:
        """A wait until the settlement would survive a power cut, where the settings ask for that; else None."""
        return self._ledger.durable(exchange.settlement_token) if self._ledger.is_full else None

    def _note_progress(self, exchange: Exchange) -> None:
        candidate = exchange.candidate
        if candidate is not None:
            usage = exchange.counted()
            self._ledger.progress(
                Progress(
                    exchange.request_id,
                    candidate.connection.name,
                    candidate.model,
                    usage.output_tokens,
                    self.cost(exchange, usage),
                )
            )

    def cost(self, exchange: Exchange, usage: Usage) -> int | None:
        """What `usage` costs where the exchange went, in 10⁻⁹ USD; None where nobody knows."""
        candidate = exchange.candidate
        if candidate is None:
            return 0
        view = candidate.connection
        return self._prices.cost_nano_usd(view.kind, view.base_url, candidate.model, usage, exchange.started_us)

    def _billed(self, exchange: Exchange, usage: Usage) -> int | None:
        """What the client pays for `usage`: for a stream that was gone on with, each part at its provider's price."""
        given = exchange.continuation.given if exchange.continuation is not None else None
        if given is None:
            return self.cost(exchange, usage)
        rest = Usage(output_tokens=usage.output_tokens - given.usage.output_tokens)
        if rest.output_tokens <= 0:
            return given.cost_nano_usd
        of_rest = self.cost(exchange, rest)
        return None if given.cost_nano_usd is None or of_rest is None else given.cost_nano_usd + of_rest

    def _note_cost(self, exchange: Exchange, usage: Usage) -> None:
        """Keeps with the last attempt what its provider takes for it: its prompt, too, that held what was given."""
        attempt = exchange.attempts[-1]
        attempt.usage, attempt.cost_nano_usd = usage, self.cost(exchange, usage)

    def _of_part(self, exchange: Exchange, given: Given) -> Usage:
        """What the provider that went on used by itself."""
        counted = Usage(exchange.est_input_tokens + given.counted_tokens, source="counted")
        told = exchange.usage or counted
        unreported = exchange.delivered_pieces - exchange.reported_pieces
        if exchange.usage is None:
            unreported = exchange.counted_output() - given.counted_tokens
        return replace(told, output_tokens=told.output_tokens + max(unreported, 0))

    def _usage_of(self, exchange: Exchange) -> Usage:
        """What the provider reported; else the prompt and what was delivered of the answer, counted."""
        if exchange.caching is not None and exchange.is_free:
            return Usage()
        if exchange.continuation is not None and (given := exchange.continuation.given) is not None:
            part = self._of_part(exchange, given)
            return replace(given.usage, output_tokens=given.usage.output_tokens + part.output_tokens, source="counted")
        if exchange.usage is not None:
            # Some report in every chunk, or first of all: what came after the last report is theirs to bill, too.
            unreported = exchange.delivered_pieces - exchange.reported_pieces
            if unreported <= 0:
                return exchange.usage
            return replace(exchange.usage, output_tokens=exchange.usage.output_tokens + unreported, source="counted")
        if all(attempt.code not in (None, ABANDONED) for attempt in exchange.attempts):
            return Usage(source="counted")  # no provider began to answer
        return exchange.counted()

    def _row(self, exchange: Exchange, usage: Usage, ended_us: int) -> Settlement:
        principal, ask, candidate = exchange.principal, exchange.request.ask, exchange.candidate
        attempts, answered_us = exchange.attempts, exchange.first_byte_us or ended_us
        # What the broker itself took until the answer, or a stream's first byte, went out.
        overhead_us = answered_us - exchange.started_us - int(exchange.upstream_seconds * 1_000_000)
        return Settlement(  # by place: a third of what names would cost
            exchange.request_id,
            principal.client_id,
            principal.client_name,
            principal.key_id,
            ask.task,
            exchange.dialect.surface,
            candidate.connection.name if candidate else "",
            candidate.model if candidate else "",
            ask.requested_model or "",
            exchange.status,
            exchange.outcome,
            exchange.started_us,
            ended_us,
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            usage.source,
            not exchange.is_usage_valid,
            exchange.cost_nano_usd,
            exchange.first_byte_us,
            exchange.error_code,
            ask.is_stream,
            [_attempt_row(attempts[0])] if len(attempts) == 1 else [*map(_attempt_row, attempts)],
            overhead_us if overhead_us > 0 else 0,
            None if exchange.charge is None else exchange.charge.names,
            None if exchange.cache == "bypass" else exchange.cache,
            exchange.decision_id,
            exchange.trace_id,
            exchange.upstream_id,
            usage.units if usage.unit else None,
            usage.unit,
        )


def _attempt_row(attempt: Attempt) -> dict[str, object]:
    row: dict[str, object] = {
        "provider": attempt.connection,
        "model": attempt.model,
        "status": attempt.status,
        "start_ms": attempt.start_ms,
        "ms": attempt.duration_ms,
        "reason": attempt.reason,
        "code": attempt.code,
    }
    if attempt.cost_nano_usd is not None:
        row["cost_nano_usd"] = attempt.cost_nano_usd
    return row

"""Requests that are given the answer to the same one, under way in this process when they came."""

from aiservice.gateway.exchange import Exchange
from aiservice.gateway.flights import Flight, FollowedStream
from aiservice.gateway.source import EventSource
from aiservice.kit.clock import now_us
from aiservice.services.cache_tally import CacheTally
from aiservice.wire import Answer, Usage


async def follow_whole(exchange: Exchange, flight: Flight, tally: CacheTally) -> Answer:
    """The answer of the call that is followed; raises what it failed with."""
    flight.join()
    began_us = now_us()
    try:
        while not flight.is_over:
            await flight.news()
    finally:
        flight.leave()
        _followed(exchange, flight, began_us)
    if (error := flight.failure()) is not None:
        raise error
    answer = flight.answer
    assert answer is not None  # noqa: S101 - it is over and has not failed
    exchange.finish_reason, exchange.usage = answer.finish_reason, Usage()
    tally.note(exchange.principal.client_id, exchange.request.ask.task, "coalesced", flight.saved)
    return Answer(**{name: getattr(answer, name) for name in Answer.__slots__})


async def follow_stream(exchange: Exchange, flight: Flight, tally: CacheTally) -> EventSource:
    """The stream of the call that is followed, from its first event on; raises what it failed with before that."""
    flight.join()
    began_us = now_us()
    try:
        while not flight.batches and not flight.is_over:
            await flight.news()
        _followed(exchange, flight, began_us)
    except BaseException:
        flight.leave()
        raise
    if not flight.batches and (error := flight.failure()) is not None:
        flight.leave()
        raise error

    def at_end() -> None:
        tally.note(exchange.principal.client_id, exchange.request.ask.task, "coalesced", flight.saved)

    exchange.usage = Usage()
    return FollowedStream(flight, at_end)


def _followed(exchange: Exchange, flight: Flight, began_us: int) -> None:
    exchange.candidate = flight.leader.candidate
    exchange.upstream_seconds += (now_us() - began_us) / 1_000_000

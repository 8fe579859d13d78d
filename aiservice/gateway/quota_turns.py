"""Waits, for a moment, until a provider's limits have room for a call, in fair turns among clients.

Where nothing is known of a provider's limits this is a few counts and no wait. Fails open: a lane that knows nothing
lets everything through.
"""

import asyncio
from functools import partial

from aiservice.gateway.exchange import Exchange
from aiservice.kit.sliding_window import SlidingWindow
from aiservice.services.candidates import Candidate
from aiservice.services.quota_easy import Easy
from aiservice.services.quota_lane import Lane
from aiservice.services.quota_notes import SECOND_US
from aiservice.services.quota_turn import Turn
from aiservice.services.quotas import Quotas
from aiservice.wire import AttemptFailure, QuotaNote

QUOTA_EXHAUSTED = "provider_quota_exhausted"
_AGAIN_PART = 0.1  # of the requests of ten seconds: so many calls may be a second try after a refusal
_TICK_SECONDS = 0.001


class ClientLeft(Exception):
    """The client hung up while it waited for its turn: nothing was asked of anybody."""


class QuotaTurns:
    """The turns of one worker's requests. `wait_seconds` is how long one request may wait, all its waits together."""

    def __init__(self, quotas: Quotas, wait_seconds: float) -> None:
        self._quotas = quotas
        self._wait_us = int(wait_seconds * SECOND_US)
        self._timers: dict[Lane, asyncio.TimerHandle] = {}
        self._asked, self._again = SlidingWindow(10 * SECOND_US), SlidingWindow(10 * SECOND_US)

    def at_once(self, exchange: Exchange, candidate: Candidate) -> bool:
        """Takes a turn at the candidate if that needs no wait. What has no limits needs none."""
        if candidate.provider.is_local or exchange.request.ask.kind == "token-count":
            exchange.turn = exchange.loose = exchange.easy = None
            return True
        lane = self._quotas.at_hand.get(candidate)
        if lane is not None and lane.is_free and not lane.queue.waiting:
            lane.loose += 1
            exchange.turn, exchange.loose, exchange.easy = None, lane, None
            return True
        now = self._quotas.now()
        if lane is None or now >= lane.looked_after_until:
            lane = self._quotas.lane_of(candidate, now)
            if lane.is_free and not lane.queue.waiting:
                lane.loose += 1
                exchange.turn, exchange.loose, exchange.easy = None, lane, None
                return True
        exchange.turn = exchange.loose = None
        easy = exchange.easy = lane.goes_easily(exchange.est_input_tokens, now)
        if easy is not None:
            return True
        principal = exchange.principal
        turn = exchange.turn = lane.turn(principal.client_id, principal.weight, exchange.est_input_tokens)
        if (lane.bounds.known or lane.hold_us) and not exchange.attempts:
            self._asked.used(now)
            self._asked.add(now, 1)
        return lane.enter(turn, now)

    async def in_turn(self, exchange: Exchange, *, is_again: bool = False) -> bool:
        """Waits for the turn that `at_once` could not take. False: it does not come within the time that is left; then
        `exchange.quota_wait_seconds` says when to come again.

        Raises:
            ClientLeft: the client hung up meanwhile.
        """
        turn = exchange.turn
        if turn is None:
            return True
        lane, now = turn.lane, self._quotas.now()
        left_us = self._wait_us - exchange.quota_waited_us
        expected_us = lane.expected_wait_us(turn, now)
        if expected_us > left_us:
            self._give_up(exchange, expected_us)
            return False
        has_come = asyncio.get_running_loop().create_future()
        turn.wake = partial(_set, has_come)
        lane.join(turn, is_again=is_again)
        self._pump(lane)
        try:
            await self._wait(exchange, has_come, left_us)
        except BaseException:
            self._give_place_up(turn, has_come)
            raise
        finally:
            exchange.quota_waited_us += self._quotas.now() - now
        if has_come.done():
            return True
        lane.leave(turn)
        self._give_up(exchange, lane.expected_wait_us(turn, self._quotas.now()))
        return False

    def accepted(self, exchange: Exchange, notes: tuple[QuotaNote, ...]) -> None:
        """The provider has begun to answer the attempt under way; `notes` is what it said of its limits."""
        turn = exchange.turn
        if turn is None and notes:
            if exchange.easy is not None:
                turn = None if exchange.easy.lane.knows(notes) else self._turn_of(exchange, exchange.easy)
            elif exchange.loose is not None:
                turn = self._held(exchange, exchange.loose)
        if turn is not None:
            turn.lane.accepted(turn, notes, self._quotas.now())
            if turn.lane.queue.waiting:
                self._pump(turn.lane)

    def failed(self, exchange: Exchange, failure: AttemptFailure) -> bool:
        """The attempt under way has failed; whether that was the provider's limit."""
        is_refused = failure.code == QUOTA_EXHAUSTED and failure.upstream_status == 429
        if exchange.easy is not None:
            self._turn_of(exchange, exchange.easy)
        if (loose := exchange.loose) is not None:
            if is_refused:
                self._held(exchange, loose)
            else:
                exchange.loose = None
                self._ended(loose, exchange)
        turn = exchange.turn
        if turn is None:
            return False
        lane = turn.lane
        if is_refused:
            now = self._quotas.now()
            lane.refused(turn, failure.retry_after_seconds, exchange.quota_notes, now)
            wait = self._honest_wait(lane, failure.retry_after_seconds, now)
            exchange.quota_wait_seconds = min(exchange.quota_wait_seconds or wait, wait)
        elif exchange.is_attempt_sent:
            lane.failed(turn)
        else:
            lane.void(turn)
        if lane.queue.waiting:
            self._pump(lane)
        return is_refused

    @staticmethod
    def _turn_of(exchange: Exchange, easy: Easy) -> Turn:
        """A turn for an attempt that went easily, whose reply has to be looked at."""
        principal, lane = exchange.principal, easy.lane
        turn = lane.turn(principal.client_id, principal.weight, exchange.est_input_tokens)
        lane.turn_of(easy, turn)
        exchange.turn, exchange.easy = turn, None
        return turn

    @staticmethod
    def _held(exchange: Exchange, lane: Lane) -> Turn:
        """A turn for an attempt that went without one, and of which limits were told."""
        principal = exchange.principal
        turn = lane.turn(principal.client_id, principal.weight, exchange.est_input_tokens)
        lane.held(turn, lane.now())
        exchange.turn, exchange.loose = turn, None
        return turn

    @staticmethod
    def _ended(lane: Lane, exchange: Exchange) -> None:
        """An attempt without a turn failed; where it was sent the provider may have counted it."""
        if exchange.is_attempt_sent:
            lane.went(0, exchange.est_input_tokens, 0)
        else:
            lane.loose -= 1

    def may_ask_again(self, exchange: Exchange) -> bool:
        """Whether a refused request may ask the same provider once more, in its turn. Few may: a storm of refusals must
        not become one of retries."""
        turn = exchange.turn
        if turn is None or exchange.was_asked_again:
            return False
        now = self._quotas.now()
        if self._again.used(now) + 1 > _AGAIN_PART * self._asked.used(now):
            return False
        if turn.lane.expected_wait_us(turn, now) > self._wait_us - exchange.quota_waited_us:
            return False
        self._again.add(now, 1)
        exchange.was_asked_again = True
        return True

    def _honest_wait(self, lane: Lane, told: float | None, now: int) -> float:
        """When a refused caller should come again: when calls go again, at the latest of what we were told."""
        held = max(0, lane.hold_us - now) / SECOND_US
        return max(held, min(told or 0.0, 3_600.0), 1.0)

    async def _wait(self, exchange: Exchange, has_come: "asyncio.Future[None]", left_us: int) -> None:
        if exchange.left is None:
            await asyncio.wait((has_come,), timeout=left_us / SECOND_US)
            return
        leaving = asyncio.ensure_future(exchange.left())
        try:
            await asyncio.wait((has_come, leaving), timeout=left_us / SECOND_US, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not has_come.done():
                raise ClientLeft
        finally:
            leaving.cancel()

    def _give_place_up(self, turn: Turn, has_come: "asyncio.Future[None]") -> None:
        if has_come.done():
            turn.lane.void(turn)
        else:
            turn.lane.leave(turn)
        self._pump(turn.lane)

    def _give_up(self, exchange: Exchange, wait_us: int) -> None:
        wait = max(wait_us / SECOND_US, _TICK_SECONDS)
        exchange.quota_wait_seconds = min(exchange.quota_wait_seconds or wait, wait)
        exchange.turn = None

    def _pump(self, lane: Lane) -> None:
        """Lets those go whose turn it is, and looks again when the next one's may be."""
        released, again_us = lane.release(self._quotas.now())
        for turn in released:
            if turn.wake is not None:
                turn.wake()
        timer = self._timers.pop(lane, None)
        if timer is not None:
            timer.cancel()
        if again_us:
            after = max(again_us / SECOND_US, _TICK_SECONDS)
            self._timers[lane] = asyncio.get_running_loop().call_later(after, self._pump, lane)


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)

"""The limits of one provider connection and model, found out while it is used, and the turns of those who want to.

Nothing is known at first, and nobody waits. A refusal (429) shows what the window held when it came: that much is
given, and from then on calls stay a little under it, are spread evenly, and go to waiting clients in fair turns. Now
and then it is looked whether more is given (`services/quota_probe.py`). After refusals that no known limit explains,
one call at a time is tried, with growing pauses, until one is taken. What replies tell of the limits is believed, as
long as refusals do not contradict it. Until there is something to know, calls go without a turn and are counted at
their end.

Fails open: where nothing is known everything goes. Pure: times are microseconds of one monotonic clock, given from
outside, so that a simulation can drive it.
"""

import random
import time
from collections.abc import Callable, Sequence
from operator import add

from aiservice.services.call_window import CallWindow, Counts
from aiservice.services.fair_queue import FairQueue
from aiservice.services.quota_bound import EVEN_ABOVE, Bound, Bounds
from aiservice.services.quota_easy import Easy, Ended
from aiservice.services.quota_notes import MAX_HOLD_US, SECOND_US, told_in
from aiservice.services.quota_probe import NEAR, Probe
from aiservice.services.quota_turn import Turn
from aiservice.wire import QuotaNote

_UNKNOWN_SHARE = 1e-6
_COUNTED_AT_ONCE = 128


class Lane:
    """One connection's and model's limits and turns. A turn is asked for with `enter` or, where that says no, `join`
    and `release`; then `accepted` or `refused` when the provider has answered, `settled` when its tokens are known."""

    def __init__(
        self, window_us: int = 60 * SECOND_US, *, seed: int | None = None, clock: Callable[[], int] | None = None
    ) -> None:
        self.counted = CallWindow(window_us)
        """What went within the last window, but for calls without a turn that are counted with the next others."""
        self._going: list[Easy] = []  # calls without a turn that are not counted yet
        self._ended: list[Ended] = []  # such whose ends are not
        self.loose = 0
        """How many calls are under way without a turn."""
        self.now: Callable[[], int] = clock or _now
        self.queue: FairQueue[Turn] = FairQueue()
        self.bounds = Bounds()
        self.window_us = window_us
        self.hold_us = 0
        """Until when nothing goes at all."""
        self.refusals = 0
        self._dice = random.Random(seed)  # noqa: S311 - spreads retries, hides nothing
        self._episode_us = -1  # when the last refusal came that was news
        self._misses = 0  # refusals in a row of calls that were sent after one
        self._trouble_us: int | None = None  # since when one call at a time is tried
        self._trial: Turn | None = None
        self._probe = Probe(window_us)
        self._told_limits: tuple[int | None, ...] = ()
        self._mean_tokens = 0.0
        self._mean_output = 0.0
        self._input_scale = 1.0
        self.configured: tuple[int | None, int | None, int] = (None, None, 1)
        self.looked_after_until = 0
        """Until when whoever keeps the lanes need not look at what is configured, or long ago."""
        # So much may go before it is looked whether half of a limit is used: in a turn, and without one.
        self._easy_calls = self._easy_tokens = self._free_calls = self._free_tokens = 0.0

    # Turns

    def turn(self, client: str, weight: float, input_tokens: int) -> Turn:
        """A turn to ask for; its answer is taken to be as long as answers were lately."""
        if self._going or self._ended:
            self._count_easy()
        scaled, output_tokens = int(input_tokens * self._input_scale), int(self._mean_output)
        return Turn(self, client, weight, scaled, output_tokens, estimated_input=input_tokens)

    def held(self, turn: Turn, now: int) -> None:
        """Gives a call that went without a turn one after all, since its reply says something of the limits: it is
        counted now, and with it those like it that are still under way."""
        self.loose -= 1
        self.calls.move(now)
        turn.part = self.calls.add(now, turn.input_tokens, turn.output_tokens)
        requests, *tokens = self.calls.totals
        others = (self.loose * turn.cost(place) for place in range(1, 4))
        turn.counts = (requests + self.loose, *map(add, tokens, others))
        turn.sent_us = now

    @property
    def calls(self) -> CallWindow:
        """What went within the last window, all of it. For the event loop's thread."""
        if self._going or self._ended:
            self._count_easy()
        return self.counted

    @property
    def used(self) -> Counts:
        """What went within the last window, for whoever shows it. May be called in any thread."""
        requests, tokens, inputs, outputs = self.counted.totals
        for easy in tuple(self._going):
            requests, inputs, outputs = requests + 1, inputs + easy.input_tokens, outputs + easy.output_tokens
            tokens += easy.input_tokens + easy.output_tokens
        return requests, tokens, inputs, outputs

    def went(self, estimated_input: int, input_tokens: int, output_tokens: int, now: int | None = None) -> None:
        """A call that went without a turn has ended, and used so much: where nothing is known of limits this is all
        that is noted of it. It is counted when somebody looks, or with many others at once, which is cheaper."""
        self.loose -= 1
        ended = self._ended
        ended.append((None, self.now() if now is None else now, estimated_input, input_tokens, output_tokens))
        if len(ended) >= _COUNTED_AT_ONCE or self.bounds.known:
            self._count_easy()

    def _count_easy(self) -> None:
        """Counts what went and ended without a turn."""
        going, ended, self._going, self._ended = self._going, self._ended, [], []
        calls, learn = self.counted, self._learn
        for call in going:
            calls.move(call.went_us)
            call.part = calls.add(call.went_us, call.input_tokens, call.output_tokens)
            if call.estimated >= 0:
                learn(call.estimated, call.input_tokens, call.output_tokens)
        for easy, now, estimated_input, input_tokens, output_tokens in ended:
            if easy is None:
                calls.move(now)
                calls.add(now, input_tokens, output_tokens)
            elif easy.part is not None:
                calls.change(easy.part, 0, input_tokens - easy.input_tokens, output_tokens - easy.output_tokens)
            learn(estimated_input, input_tokens, output_tokens)

    def goes_easily(self, input_tokens: int, now: int) -> Easy | None:
        """Counts a call of so many tokens and lets it go without a turn, where less than half is used of what was told
        or configured: nothing more need be looked at. What was learned needs a closer look. In the end it is `went`, or
        has a turn after all (`turn_of`)."""
        inputs, outputs = int(input_tokens * self._input_scale), int(self._mean_output)
        tokens = inputs + outputs
        if self._free_calls < 1 or self._free_tokens < tokens:
            self.calls.move(now)
            is_watched = (
                self.hold_us or self._trouble_us is not None or self.queue.waiting or self.bounds.is_any_learned
            )
            if is_watched or not self.bounds.known:
                return None
            self._free_calls, self._free_tokens = self.bounds.left_to_half(self.calls.totals)
            self._easy_calls = 0.0
            if self._free_calls < 1 or self._free_tokens < tokens:
                return None
        self._free_calls -= 1
        self._free_tokens -= tokens
        easy = Easy(self, now, inputs, outputs)
        self._going.append(easy)
        if len(self._going) >= _COUNTED_AT_ONCE:
            self._count_easy()
        return easy

    def went_easily(self, easy: Easy, estimated_input: int, input_tokens: int, output_tokens: int) -> None:
        """Such a call has ended, and used so much."""
        if (more := input_tokens - easy.input_tokens) > 0:
            self._free_tokens -= more
        if (more := output_tokens - easy.output_tokens) > 0:
            self._free_tokens -= more
        if easy.part is None:
            easy.input_tokens, easy.output_tokens, easy.estimated = input_tokens, output_tokens, estimated_input
        else:
            self._ended.append((easy, 0, estimated_input, input_tokens, output_tokens))
            if len(self._ended) >= _COUNTED_AT_ONCE:
                self._count_easy()

    def turn_of(self, easy: Easy, turn: Turn) -> None:
        """Makes of such a call one that had its `turn`: its reply says something of the limits."""
        turn.counts = self.calls.totals
        turn.part, turn.input_tokens, turn.output_tokens = easy.part, easy.input_tokens, easy.output_tokens
        turn.sent_us = easy.went_us

    def knows(self, notes: Sequence[QuotaNote]) -> bool:
        """Whether nothing that matters is new in what a reply says of limits: so it is with most."""
        return self._told_limits == tuple([note.limit for note in notes]) and all(note.is_far for note in notes)

    def enter(self, turn: Turn, now: int) -> bool:
        """Lets a call through at once, where nobody waits and nothing is in its way."""
        if self.queue.waiting:
            return False
        if not self.hold_us and self._trouble_us is None:
            calls = self.calls
            calls.move(now)
            if not self.bounds.known or self._is_far(turn):
                turn.part = calls.add(now, turn.input_tokens, turn.output_tokens)
                turn.counts = calls.totals
                turn.sent_us = now
                return True
        turn.share = self._share_of(turn)
        if self._wait_us(turn, now):
            return False
        self.queue.served(turn.client, turn.weight, turn.share)
        self._count(turn, now)
        return True

    def expected_wait_us(self, turn: Turn, now: int) -> int:
        """How long the turn would have to wait if it joined now: an estimate."""
        turn.share = self._share_of(turn)
        return max(self._wait_us(turn, now), int(self.queue.ahead(turn) * self.window_us), 1)

    def join(self, turn: Turn, *, is_again: bool = False) -> None:
        """Waits for a turn; first in its client's line where it had one before."""
        turn.share = self._share_of(turn)
        self._free_calls = 0.0
        self.queue.join(turn, is_first=is_again)

    def leave(self, turn: Turn) -> None:
        """Gives a place in the queue up."""
        self.queue.leave(turn)

    def release(self, now: int) -> tuple[list[Turn], int]:
        """Those whose turn it is now, counted; and in how many microseconds to ask again (0: not until something has
        happened)."""
        released: list[Turn] = []
        while (first := self.queue.first()) is not None:
            wait = self._wait_us(first, now)
            if wait:
                return released, wait
            self.queue.take()
            self._count(first, now)
            released.append(first)
        return released, 0

    def share_left(self, now: int) -> float:
        """Which part of the limits is left, 0.0 to 1.0."""
        if self.hold_us > now or self._trouble_us is not None:
            return 0.0
        self.calls.move(now)
        totals = self.calls.totals
        used = [(totals[b.place] + b.used_by_others(now)) / b.limit for b in self.bounds if b.limit > 0]
        return max(0.0, 1.0 - max(used, default=0.0))

    # What came of it

    def accepted(self, turn: Turn, notes: Sequence[QuotaNote], now: int) -> None:
        """The provider has begun to answer."""
        self._probe.called()
        if notes:
            self._take_notes(turn, notes, now, is_refused=False)
        for bound in self.bounds.known:
            held = turn.counts[bound.place]
            bound.proven = max(bound.proven, held)
        if turn.is_beyond:
            self._probe.taken(turn, self.bounds, is_news=turn.sent_us >= self._episode_us)
        if self._misses and turn.sent_us >= self._episode_us:
            self._misses = 0
            if self._trouble_us is not None:
                self._trouble_over(turn, now)
        if self._trial is turn:
            self._trial = None

    def settled(self, turn: Turn, input_tokens: int, output_tokens: int) -> None:
        """Its tokens are known: what it was let through for is corrected. Only the first call counts."""
        if turn.is_settled:
            return
        turn.is_settled = True
        self._learn(turn.estimated_input, input_tokens, output_tokens)
        more_in, more_out = input_tokens - turn.input_tokens, output_tokens - turn.output_tokens
        if more_in or more_out:
            if turn.part is not None:
                self.calls.change(turn.part, 0, more_in, more_out)
            self._easy_tokens -= max(more_in, 0) + max(more_out, 0)
            if self.queue.knows(turn.client) and self.bounds:
                before = turn.share
                turn.input_tokens, turn.output_tokens = input_tokens, output_tokens
                self.queue.corrected(turn.client, turn.weight, self._share_of(turn) - before)

    def _learn(self, estimated_input: int, input_tokens: int, output_tokens: int) -> None:
        self._mean_tokens += (input_tokens + output_tokens - self._mean_tokens) * 0.05
        self._mean_output += (output_tokens - self._mean_output) * 0.05
        if estimated_input and input_tokens:  # an estimate that is always too high would make calls look dear
            ratio = input_tokens / estimated_input
            self._input_scale += ((ratio if ratio < 4.0 else 4.0) - self._input_scale) * 0.05

    def failed(self, turn: Turn) -> None:
        """The call failed for another reason: it may have been counted, and shows nothing of the limits."""
        if not turn.is_settled:
            self._let_go(turn)
            self.settled(turn, turn.input_tokens, 0)

    def void(self, turn: Turn) -> None:
        """The call came to nothing, and the provider has not counted it."""
        if not turn.is_settled:
            turn.is_settled = True
            if turn.part is not None:
                self.calls.change(turn.part, -1, -turn.input_tokens, -turn.output_tokens)
            self._let_go(turn)

    def refused(self, turn: Turn, retry_after: float | None, notes: Sequence[QuotaNote], now: int) -> None:
        """The provider has refused it (429). `retry_after` is in seconds, as the reply says."""
        self.refusals += 1
        self._easy_calls = self._free_calls = 0.0
        self.void(turn)
        if notes:
            self._take_notes(turn, notes, now, is_refused=True)
        if self.bounds.is_outlier(turn, self._mean_tokens):
            return  # one client's big request: what it shows is in `learned`, and no reason for others to wait
        if retry_after:
            self.hold(now + min(int(retry_after * SECOND_US), MAX_HOLD_US))
        is_news = turn.sent_us >= self._episode_us
        is_edge = self.bounds.refused(turn, notes)
        if not is_news:
            self._probe.refused_too()
            return
        self._episode_us = now
        self._misses += 1
        if turn.is_probe:
            self._probe.failed(turn, self.bounds, int((retry_after or 0.0) * SECOND_US), now)
            self._misses = min(self._misses, 1)
        elif not is_edge or self._misses > 2:
            self._pause(now)

    def hold(self, until_us: int) -> None:
        """Lets nothing go until then, at the least."""
        self.hold_us = max(self.hold_us, until_us)
        self._free_calls = 0.0

    def configure(self, rpm: int | None, tpm: int | None, sharers: int) -> None:
        """Sets what an admin says the provider gives: of it this worker takes its part, `sharers` being how many share
        it."""
        if self._going or self._ended:
            self._count_easy()
        self.configured = (rpm, tpm, sharers)
        self.bounds.configure(rpm, tpm, sharers, self.window_us)
        self._easy_calls = self._free_calls = 0.0

    @property
    def is_free(self) -> bool:
        """Whether nothing is known that could make anybody wait."""
        return not self.bounds.known and not self.hold_us and self._trouble_us is None

    @property
    def is_in_trouble(self) -> bool:
        """Whether only one call at a time is tried."""
        return self._trouble_us is not None

    def trouble_since(self, now: int) -> int:
        """Since when only one call at a time is tried; now where more are."""
        return now if self._trouble_us is None else self._trouble_us

    # What is in the way

    def _wait_us(self, turn: Turn, now: int) -> int:
        """0 where the call may go now; else in how long to ask again."""
        if now < self.hold_us:
            return self.hold_us - now
        self.hold_us = 0
        if self._trial is not None:
            return self.window_us // 240
        self.calls.move(now)
        is_light = self.queue.is_light(turn)
        worst, is_probe, is_beyond, totals = 0, False, False, self.calls.totals
        for bound in self.bounds:
            if self._trouble_us is not None and bound.source == "learned":
                continue  # the one call that is tried shows whether it still holds
            cost = min(turn.cost(bound.place), bound.limit)
            used, aim = totals[bound.place], bound.aim(now, turn.cost(bound.place), is_light=is_light)
            is_over = used + cost > aim
            is_early = not is_light and now < bound.next_us and used > aim * EVEN_ABOVE
            if not is_over and not is_early:
                continue
            if not self._may_probe(bound, used, now) or (is_early and not self._probe.is_ramp):
                full = self.calls.wait_us(now, bound.place, int(used + cost - aim) + 1) if is_over else 0
                worst = max(worst, full or bound.next_us - now)
            else:
                is_probe = True
                is_beyond |= self._probe.is_beyond(bound, used + cost)
        if is_beyond:
            worst = max(worst, self._probe.wait_us())
        turn.is_probe, turn.is_beyond = is_probe, is_beyond
        return worst

    def _is_far(self, turn: Turn) -> bool:
        """Whether with a call less than half of every limit is used: then nothing more need be looked at."""
        tokens = turn.input_tokens + turn.output_tokens
        if self._easy_calls < 1 or self._easy_tokens < tokens:
            self._easy_calls, self._easy_tokens = self.bounds.left_to_half(self.calls.totals)
            self._free_calls = 0.0
            if self._easy_calls < 1 or self._easy_tokens < tokens:
                return self.bounds.are_far(turn, self.calls.totals)
        self._easy_calls -= 1
        self._easy_tokens -= tokens
        return True

    def _may_probe(self, bound: Bound, used: int, now: int) -> bool:
        """Whether a call may go beyond what was learned, to see whether more is given by now."""
        is_binding = bound.learned < min(bound.configured, bound.told) and used >= bound.learned * NEAR
        return is_binding and self._trouble_us is None and self._probe.may_look(self.bounds, now)

    def _count(self, turn: Turn, now: int) -> None:
        """Counts a call that goes now."""
        calls = self.calls
        for bound in self.bounds:
            bound.spread(turn, calls, now, is_look=self._probe.room > 0)
        turn.part = calls.add(now, turn.input_tokens, turn.output_tokens)
        turn.counts = calls.totals
        turn.sent_us = now
        turn.is_settled = False
        if turn.is_beyond:
            self._probe.sent()
        if self._trouble_us is not None:
            self._trial = turn

    def _share_of(self, turn: Turn) -> float:
        """What part of a window a call takes: of the limit that it takes most of."""
        share = max((turn.cost(bound.place) / bound.limit for bound in self.bounds), default=0.0)
        return share or _UNKNOWN_SHARE

    # What is learned

    def _pause(self, now: int) -> None:
        """Leaves the provider alone for a while, then tries one call; longer each time it is refused."""
        if self._trouble_us is None:
            self._trouble_us = now
        self._probe.stop()
        pause = min(max(self.window_us // 50, (now - self._trouble_us) // 3), self.window_us)
        self.hold(now + int(pause * self._dice.uniform(1.0, 1.1)))

    def _trouble_over(self, turn: Turn, now: int) -> None:
        """A call was taken again: the limit is between what its window held and what the last refused one's did."""
        self._trouble_us, self._easy_calls, self._free_calls = None, 0.0, 0.0
        for bound in self.bounds:
            bound.found(turn.counts[bound.place])
        self._probe.begin_anew(now)

    def _let_go(self, turn: Turn) -> None:
        if self._trial is turn:
            self._trial = None
        if turn.is_beyond:
            self._probe.let_go()

    # What is told

    def _take_notes(self, turn: Turn, notes: Sequence[QuotaNote], now: int, *, is_refused: bool) -> None:
        if self.knows(notes):
            return
        limits = tuple([note.limit for note in notes])
        self._told_limits, self._easy_calls, self._free_calls = limits, 0.0, 0.0
        told, held_until = told_in(notes, turn.counts, self.window_us, now, is_refused=is_refused)
        self.hold(held_until)
        for place, (limit, others, ends_us) in told.items():
            self.bounds.at(place).tell(limit, others, now, ends_us)

    def forget_old(self, now: int) -> None:
        """Forgets what was learned long ago. To be called now and then."""
        self.calls.move(now)
        self.bounds.forget_old(now, self.calls.totals, self.window_us)
        if now >= self.hold_us:
            self.hold_us = 0


def _now() -> int:
    return time.monotonic_ns() // 1_000

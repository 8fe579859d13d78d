"""Which streams are too slow for the terms of their request, on a clock that the tests turn."""

from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from aiservice.gateway.pace import PROOF_SECONDS, WINDOW_SECONDS, Pace
from aiservice.wire import EventKind, StreamEvent, ToolCallDelta

SWEEP_SECONDS = 0.25
_TOKEN = [StreamEvent(EventKind.TEXT, "so")]


class Stream:
    """A stream on its way through the broker; `told` are the rates that a pace has given it up for."""

    def __init__(self, least: float, *, may_leave: bool = True) -> None:
        self.now = self.given = 0.0
        self.told: list[float] = []
        self.is_waiting = True
        self.is_held = True
        self.pace = Pace(least, 0.0, lambda: int(self.given), lambda: may_leave, self.told.append)

    def runs(self, rates: Iterable[float], seconds: float) -> bool:
        """Whether it is given up while it gives so many tokens a second, each of `rates` for `seconds`."""
        return any(self._run(rate, seconds) for rate in rates)

    def _run(self, rate: float, seconds: float) -> bool:
        for _ in range(round(seconds / SWEEP_SECONDS)):
            before = int(self.given)
            self.given += rate * SWEEP_SECONDS
            events = _TOKEN * (int(self.given) - before)
            if self.is_held and events and not self.pace.holds(events):
                self.is_held = False
                self.pace.released()
            self.now += SWEEP_SECONDS
            if self.pace.is_too_slow(self.now, is_waiting=self.is_waiting):
                return True
        return False


@given(least=st.floats(5, 200), part=st.floats(0.2, 0.75))
def test_a_stream_that_is_slow_from_the_start_is_given_up_before_its_client_has_a_byte(
    least: float, part: float
) -> None:
    stream = Stream(least)
    assert stream.runs([least * part], PROOF_SECONDS + 2 * SWEEP_SECONDS)
    assert stream.is_held
    assert 0 < stream.told[0] < least


@given(least=st.floats(1, 200), rates=st.lists(st.floats(1.3, 50), min_size=1, max_size=8))
def test_a_stream_that_keeps_up_is_never_given_up(least: float, rates: list[float]) -> None:
    assert not Stream(least).runs((least * rate for rate in rates), 3.0)


@given(least=st.floats(4, 100), pauses=st.lists(st.floats(0.5, 60), max_size=6))
def test_a_quick_stream_that_stops_to_think_is_not_slow(least: float, pauses: list[float]) -> None:
    stream = Stream(least)
    for pause in pauses:
        assert not stream.runs([least * 4], 3.0)
        assert not stream.runs([0.0], pause)


@given(least=st.floats(4, 100))
def test_one_that_becomes_slow_is_given_up_within_its_window(least: float) -> None:
    stream = Stream(least)
    assert not stream.runs([least * 3], 20.0)
    assert stream.runs([least / 3], WINDOW_SECONDS + 1)


def test_a_drip_is_slow_however_long_it_is_silent_between() -> None:
    stream = Stream(10)
    assert not stream.runs([40], 4.0)
    assert stream.runs([4, 0] * 10, 3.0)


def test_a_client_that_does_not_read_makes_no_provider_slow() -> None:
    stream = Stream(10)
    assert not stream.runs([40], 4.0)
    stream.is_waiting = False
    assert not stream.runs([0.1], 120.0)


def test_where_no_further_attempt_is_to_be_had_what_was_held_back_goes_out() -> None:
    stream = Stream(10, may_leave=False)
    assert not stream.runs([4], 10.0)
    assert not stream.is_held
    assert stream.told == []


def test_tokens_are_pieces_or_four_characters_whichever_are_more() -> None:
    def holds(events: Iterator[StreamEvent]) -> bool:
        return Pace(10, 0.0, lambda: 0, lambda: True, lambda _rate: None).holds(events)

    needed = int(10 * PROOF_SECONDS)
    assert holds(_TOKEN * (needed - 1))  # type: ignore[arg-type]
    assert not holds(_TOKEN * needed)  # type: ignore[arg-type]
    assert not holds(iter([StreamEvent(EventKind.TEXT, "four" * needed)]))
    call = ToolCallDelta(0, "call", "look", "{...}" * needed)
    assert not holds(iter([StreamEvent(EventKind.TOOL_CALL, tool_call=call)]))
    assert holds(iter([StreamEvent(EventKind.OTHER, "no word of the answer" * needed)]))

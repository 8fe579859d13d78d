"""Calls that go without a turn: they are noted as they go and as they end, and counted with many others at once, which
is cheaper, or when somebody looks."""

from typing import TYPE_CHECKING

from aiservice.services.call_window import Part

if TYPE_CHECKING:
    from aiservice.services.quota_lane import Lane


class Easy:
    """A call that went by what is known of its lane: with how many tokens of prompt and answer, and since when, in the
    lane's microseconds. `part` is where it is counted, once it is; of one that has ended before that, the tokens are
    those that it used, and `estimated` is what its prompt was thought to be (-1: it has not)."""

    __slots__ = ("estimated", "input_tokens", "lane", "output_tokens", "part", "went_us")

    def __init__(self, lane: "Lane", went_us: int, input_tokens: int, output_tokens: int) -> None:
        self.lane = lane
        self.went_us = went_us
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.part: Part | None = None
        self.estimated = -1


Ended = tuple[Easy | None, int, int, int, int]
"""A call that has ended: as what it went and was counted, or else when it ended; its estimated prompt, its tokens of
both."""

"""One call's turn at a provider: who asks, what it is likely to cost, and what the window held when it went."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiservice.services.call_window import Part

if TYPE_CHECKING:
    from aiservice.services.quota_lane import Lane


class Turn:
    """`share` is the part of a window that it costs; `wake` is called when the turn has come."""

    __slots__ = (
        "client",
        "counts",
        "estimated_input",
        "input_tokens",
        "is_beyond",
        "is_probe",
        "is_settled",
        "lane",
        "output_tokens",
        "part",
        "sent_us",
        "share",
        "wake",
        "weight",
    )

    def __init__(
        self,
        lane: "Lane",
        client: str,
        weight: float,
        input_tokens: int,
        output_tokens: int,
        *,
        estimated_input: int = 0,
    ) -> None:
        self.lane = lane
        self.client = client
        self.weight = weight
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.estimated_input = estimated_input
        self.share = 0.0
        self.part: Part | None = None
        self.counts: tuple[int, ...] = (0, 0, 0, 0)
        """What the window held with it, when it went, in the order of `call_window.MEASURES`."""
        self.sent_us = 0
        self.is_probe = False
        """Whether it went above what is aimed at, to see if more is given; `is_beyond`: above what was learned."""
        self.is_beyond = False
        self.is_settled = False
        self.wake: Callable[[], None] | None = None

    def cost(self, place: int) -> int:
        """What it costs of one measure (`call_window.MEASURES`)."""
        if place == 0:
            return 1
        if place == 1:
            return self.input_tokens + self.output_tokens
        return self.input_tokens if place == 2 else self.output_tokens

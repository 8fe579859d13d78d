"""What two common ways to keep a budget make of the same arrivals: reserve the worst case, and bill afterwards.

A simulation of their rules alone, on the times at which the streams of a real run arrived; a word is a token, and comes
every `word_seconds`.
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Streams:
    """Streams that arrive at these seconds and would say so many words each; `max_tokens` they may. Money: 10⁻⁹ USD."""

    arrivals: list[float]
    words: int
    max_tokens: int
    word_seconds: float
    prompt_nano: int
    word_nano: int

    @property
    def whole_nano(self) -> int:
        return self.prompt_nano + self.words * self.word_nano

    @property
    def seconds(self) -> float:
        return self.words * self.word_seconds


def reserve_the_worst_case(streams: Streams, cap_nano: int) -> dict[str, int]:
    """Each reserves its prompt and `max_tokens`, and is refused where that does not fit."""
    worst = streams.prompt_nano + streams.max_tokens * streams.word_nano
    under_way: list[float] = []
    spent = refused = 0
    for at in sorted(streams.arrivals):
        spent += sum(streams.whole_nano for end in under_way if end <= at)
        under_way = [end for end in under_way if end > at]
        if spent + len(under_way) * worst + worst <= cap_nano:
            under_way.append(at + streams.seconds)
        else:
            refused += 1
    return {"spent_nano": spent + len(under_way) * streams.whole_nano, "refused": refused}


def bill_afterwards(streams: Streams, cap_nano: int) -> dict[str, int]:
    """Each is let in while what has been billed is below the cap, and is billed when it ends."""
    ends: list[float] = []
    refused = 0
    for at in sorted(streams.arrivals):
        if sum(streams.whole_nano for end in ends if end <= at) < cap_nano:
            ends.append(at + streams.seconds)
        else:
            refused += 1
    return {"spent_nano": len(ends) * streams.whole_nano, "refused": refused}

"""One limit of a provider as far as it is known: what an admin configured, what replies tell, what refusals taught."""

from collections.abc import Iterable
from math import inf

from aiservice.services.call_window import MEASURES

_TOLD_MARGIN, _LEARNED_MARGIN = 0.99, 0.98  # what is aimed at: calls overtake each other on their way
_LIGHT_MARGIN = 0.995  # of what is aimed at by others, this is kept for clients that use little
_FORGOTTEN_WINDOWS = 10


class Bound:
    """At most so much of one measure a window. `configured` and `told` are never exceeded; `learned` is where the
    provider began to refuse, and is tried anew. `foreign` is what others use of a told limit (other programs with the
    same provider key, other workers): told by headers, and gone when the window is."""

    __slots__ = (
        "configured",
        "foreign",
        "foreign_ends_us",
        "foreign_us",
        "learned",
        "measure",
        "near_us",
        "next_us",
        "place",
        "told",
    )

    def __init__(self, place: int) -> None:
        self.place = place
        self.measure = MEASURES[place]
        self.configured = self.told = self.learned = inf
        self.foreign = 0
        self.foreign_us = self.foreign_ends_us = 0
        self.next_us = 0
        """When the next call may go, while calls are spread evenly."""
        self.near_us = 0
        """When the learned limit was last come near to."""

    @property
    def limit(self) -> float:
        """The limit as it is believed to be."""
        return min(self.configured, self.told, self.learned)

    @property
    def source(self) -> str:
        """Where the limit comes from: `configured`, `told` or `learned`."""
        limit = self.limit
        if limit == self.configured:
            return "configured"
        return "told" if limit == self.told else "learned"

    def aim(self, now: int, *, is_light: bool) -> float:
        """How much of the window may be used: a little under the limit, less what others use."""
        margin_told, margin_learned = (_LIGHT_MARGIN, _LIGHT_MARGIN) if is_light else (_TOLD_MARGIN, _LEARNED_MARGIN)
        aim = min(self.configured, self.told * margin_told, self.learned * margin_learned)
        return max(aim, 1.0) - self.used_by_others(now)

    def used_by_others(self, now: int) -> float:
        """What others are taken to have in the window: what was told, going evenly until it is over."""
        if not self.foreign or now >= self.foreign_ends_us:
            return 0.0
        return self.foreign * (self.foreign_ends_us - now) / (self.foreign_ends_us - self.foreign_us)

    def tell(self, limit: int, others: int, now: int, ends_us: int) -> None:
        """Takes what a reply says. A limit that is another than before is believed anew, whatever was learned."""
        if limit != self.told:
            self.told, self.learned = limit, inf
        self.foreign, self.foreign_us, self.foreign_ends_us = others, now, max(ends_us, now + 1)

    def cut(self, to: float) -> None:
        """A refusal showed that no more than `to` is given."""
        self.learned = max(1.0, min(self.learned, to))

    def grew(self, to: float) -> None:
        """A call was taken with `to` in the window: the limit is no lower."""
        self.learned = max(self.learned, to)

    def is_forgotten(self, now: int, used: int, window_us: int) -> bool:
        """Forgets what was learned once it has mattered to nobody for ten windows; whether no limit is left."""
        if self.learned < inf:
            if used * 2 > self.learned or not self.near_us:
                self.near_us = now
            elif now - self.near_us > _FORGOTTEN_WINDOWS * window_us:
                self.learned, self.near_us = inf, 0
        return self.limit == inf


def explaining(bounds: Iterable[Bound], counts: tuple[int, ...]) -> list[Bound]:
    """Of the limits those that a refusal with `counts` in the window is explained by: they were as good as used up."""
    return [bound for bound in bounds if bound.learned < inf and counts[bound.place] >= 0.93 * bound.learned]

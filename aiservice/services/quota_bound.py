"""One limit of a provider as far as it is known: what an admin configured, what replies tell, what refusals taught."""

from collections.abc import Iterator, Sequence
from math import inf

from aiservice.services.call_window import MEASURES, CallWindow
from aiservice.services.quota_turn import Turn
from aiservice.wire import QuotaNote

REQUESTS, TOKENS, INPUT_TOKENS = 0, 1, 2
EVEN_ABOVE = 0.7  # of a limit: up to there calls go as they come, above they are spread
_LEAST_PACE = 0.3  # of a limit in a window: where a burst has left less than that, the wall itself is waited for
_PACES = 120  # a window: so often it is looked how fast calls may go
_LOOK_ROOM = 0.05  # of a limit: what a look for more counts on
_USED_UP = 0.93
_CLOSE = 0.1
_PROOF = 0.97  # of a limit: calls overtake each other, and a refusal that close to what was taken is no other limit
_TOLD_MARGIN, _LEARNED_MARGIN = 0.99, 0.997  # what is aimed at, and a call less: calls overtake each other
_FEW_CALLS = 60  # in a window; fewer and a refusal say nothing of a limit that nobody has told of
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
        "pace",
        "paced_us",
        "place",
        "proven",
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
        self.pace, self.paced_us = 1.0, 0
        """How fast calls go while they are spread, and when that was last looked at: it is not for every call."""
        self.near_us = 0
        """When the learned limit was last come near to."""
        self.proven = 0
        """The most that a call was taken with, since less than that was refused."""

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

    def aim(self, now: int, cost: int, *, is_light: bool) -> float:
        """How much of the window may be used: a little under the limit, less what others use. Who uses little goes
        first, and has all of it."""
        if is_light:
            aim = min(self.configured, self.told, self.learned)
        else:
            aim = min(self.configured, self.told * _TOLD_MARGIN, self.learned * _LEARNED_MARGIN - cost)
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
        if to < self.proven * _PROOF:
            self.proven = 0

    def grew(self, to: float) -> None:
        """A call was taken with `to` in the window: the limit is hardly lower, since calls overtake each other."""
        self.learned = max(self.learned, to)

    def is_forgotten(self, now: int, used: int, window_us: int) -> bool:
        """Forgets what was learned once it has mattered to nobody for ten windows; whether no limit is left."""
        if self.learned < inf:
            if used * 2 > self.learned or not self.near_us:
                self.near_us = now
            elif now - self.near_us > _FORGOTTEN_WINDOWS * window_us:
                self.learned, self.near_us = inf, 0
        return self.limit == inf

    def spread(self, turn: Turn, calls: CallWindow, now: int, *, is_look: bool) -> None:
        """Says when the next call may go after this one, where so much is used that calls are spread evenly. While it
        is looked for more they go a little faster."""
        cost = turn.cost(self.place)
        aim, used = max(self.aim(now, cost, is_light=False), 1.0), calls.totals[self.place]
        if used > aim * EVEN_ABOVE:
            window_us = calls.window_us
            if now - self.paced_us > window_us // _PACES:
                room = aim - used + (_LOOK_ROOM * aim if is_look else 0.0)
                self.pace = max(calls.pace(now, self.place, room, aim), aim * _LEAST_PACE / window_us)
                self.paced_us = now
            step = int(cost / self.pace)
            self.next_us = min(max(self.next_us, now - window_us // 600) + step, now + 2 * step)

    def found(self, taken: int) -> None:
        """After refusals a call was taken again, with `taken` in the window: the limit is between that and what the
        last refused one's window held; or it is that, where as much was taken shortly before."""
        if taken < self.learned < inf and self.proven < self.learned * _PROOF:
            is_close = self.learned - taken <= _CLOSE * self.learned
            self.learned = max(1.0, taken if is_close else (taken + self.learned) / 2)


class Bounds:
    """The limits of one provider and model that are known. Iterating gives them; false where there are none. `known` is
    for whoever is in a hurry."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: list[Bound] = []

    def __iter__(self) -> Iterator[Bound]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    @property
    def is_any_learned(self) -> bool:
        """Whether refusals have taught one of them."""
        return any(bound.learned < inf for bound in self.known)

    def at(self, place: int) -> Bound:
        """The limit of a measure, made where there was none."""
        for bound in self.known:
            if bound.place == place:
                return bound
        bound = Bound(place)
        self.known.append(bound)
        return bound

    def are_far(self, turn: Turn, totals: Sequence[int]) -> bool:
        """Whether with a call less than half of every limit is used."""
        return all(
            totals[bound.place] + turn.cost(bound.place) <= 0.5 * bound.limit - bound.foreign for bound in self.known
        )

    def left_to_half(self, totals: Sequence[int]) -> tuple[float, float]:
        """How many more calls, and tokens of any kind, may go at least until half of a limit is used."""
        left = [(bound.place, 0.5 * bound.limit - bound.foreign - totals[bound.place]) for bound in self.known]
        calls = min((more for place, more in left if place == REQUESTS), default=inf)
        return calls, min((more for place, more in left if place != REQUESTS), default=inf)

    def configure(self, rpm: int | None, tpm: int | None, sharers: int, window_us: int) -> None:
        """Sets what is configured of a minute, divided among `sharers`; None takes it away."""
        for place, amount in ((REQUESTS, rpm), (TOKENS, tpm)):
            part = amount * window_us / (60_000_000 * max(1, sharers)) if amount else inf
            if amount or any(bound.place == place for bound in self.known):
                self.at(place).configured = max(1.0, part)
        self.known = [bound for bound in self.known if bound.limit < inf]

    def refused(self, turn: Turn, notes: Sequence[QuotaNote]) -> bool:
        """Lowers what explains a refusal to what the window held without it; whether something known explains it.

        What was as good as used up does; else what the reply names; else every measure may be the one, and those that
        are not are found out by looking for more.
        """
        if any(note.remaining == 0 and note.limit for note in notes) and not turn.is_probe:
            return True  # told, and so known: headers say the rest
        counts = turn.counts
        explained = [b for b in self.known if b.learned < inf and counts[b.place] >= _USED_UP * b.learned]
        if turn.is_probe and explained:
            explained = [max(explained, key=lambda bound: counts[bound.place] / bound.learned)]
        for bound in explained:
            held = counts[bound.place] - turn.cost(bound.place)
            bound.cut((held + bound.learned) / 2 if turn.is_probe else held)  # a look is made where counts are noisy
        if explained:
            return True
        if counts[REQUESTS] < _FEW_CALLS and not self.known and not any(note.limit for note in notes):
            return False  # so few calls show nothing: a provider that is only overloaded says the same
        named = {MEASURES.index(note.measure) for note in notes if note.remaining == 0 or note.limit}
        for place in named if len(named) == 1 else (REQUESTS, TOKENS, INPUT_TOKENS):
            held = counts[place] - turn.cost(place)
            if held < self.at(place).limit:
                self.at(place).cut(held)
        return False

    def is_outlier(self, turn: Turn, mean_tokens: float) -> bool:
        """Whether a refusal is likely to be about this one request's size; then all it shows is noted."""
        cost, held = turn.cost(TOKENS), turn.counts[TOKENS]
        if mean_tokens <= 0 or cost <= 4 * mean_tokens or cost < held // 5:
            return False
        if turn.counts[REQUESTS] >= _FEW_CALLS:
            self.at(TOKENS).cut(held - 1)
        return True

    def forget_old(self, now: int, totals: Sequence[int], window_us: int) -> None:
        """Forgets what was learned and has mattered to nobody for ten windows."""
        self.known = [bound for bound in self.known if not bound.is_forgotten(now, totals[bound.place], window_us)]

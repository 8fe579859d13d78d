"""What limits one key, ready to be asked: its limits beside what has been used of each in this worker."""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from aiservice.kit.sliding_window import SlidingWindow
from aiservice.principal import Limit, Principal

_FIRST_SWEEP = 1_000
UNKNOWN_OUTPUT_TOKENS = 500  # what an answer is taken to be as long as nothing was learned


class Slots:
    """How many requests of one key or client are under way in this worker."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = 0


class Said(NamedTuple):
    """What is always the same of a plan's commands to the shared store: the beginning of each, their common end, and
    the keys of its leases."""

    take: bytes
    give_back: bytes
    rest: bytes
    leases: tuple[bytes, ...]


class Wording(NamedTuple):
    """What is always the same of a plan's headers: a whole one, the one of what is left with a place for each number,
    and for each measure where its limits stand among those numbers, each with its header, and the names of
    the headers of what is left of it, and until when. Where no measure has two limits, all of that at once, for each
    window in turn: the window, its amount, the limit's header and the two names."""

    policy: tuple[bytes, bytes]
    ratelimit: bytes
    measures: tuple[tuple[tuple[tuple[int, tuple[bytes, bytes]], ...], bytes, bytes], ...]
    at_once: tuple[tuple[SlidingWindow, int, tuple[bytes, bytes], bytes, bytes], ...] | None


class Plan:
    """The limits of one key. `wording` is for whoever writes headers, `said` for whoever shares counts."""

    __slots__ = (
        "at_once",
        "is_forgotten",
        "learned",
        "least_tokens",
        "limits",
        "names",
        "of_requests",
        "of_tokens",
        "rated",
        "said",
        "slots",
        "standing",
        "until_us",
        "windows",
        "wording",
    )

    def __init__(self, limits: tuple[Limit, ...], windows: list[SlidingWindow], slots: list[Slots]) -> None:
        self.limits = limits
        rated = [limit for limit in limits if limit.window_seconds]
        at_once = [limit for limit in limits if not limit.window_seconds]
        self.windows = [
            (limit, window, limit.measure == "tokens") for limit, window in zip(rated, windows, strict=True)
        ]
        self.slots = list(zip(at_once, slots, strict=True))
        self.rated = [(window, limit.amount) for limit, window, _ in self.windows]
        self.of_requests = [(window, limit.amount) for limit, window, is_tokens in self.windows if not is_tokens]
        """These four are the same for whoever is in a hurry: each with its amount."""
        self.of_tokens = [(window, limit.amount) for limit, window, is_tokens in self.windows if is_tokens]
        self.at_once = [(slot, limit.amount) for limit, slot in self.slots]
        self.least_tokens: float = min((amount for _, amount in self.of_tokens), default=inf)
        self.is_forgotten = False
        """Whether its key is not known by it any more: then what it counts counts for nobody."""
        self.names: tuple[bytes, ...] = tuple(f"{limit.subject}:{limit.name}".encode() for limit in (*rated, *at_once))
        """The limits' keys where they are shared, windows first."""
        self.wording: Wording | None = None
        self.said: Said | None = None
        self.learned: dict[str, tuple[int, int]] = {}
        self.standing: tuple[int, ...] = ()
        """What the shared store said last: used and µs until empty, for each of `names` in turn."""
        self.until_us = 0
        """Until when a window of requests is known to be full (monotonic µs)."""

    def expected_output(self, task: str, most: int | None) -> int:
        """How many tokens an answer is likely to be: what this key's answers to `task` were, a mean and one deviation,
        and no more than the request allows."""
        learned = self.learned.get(task)
        expected = UNKNOWN_OUTPUT_TOKENS if learned is None else (learned[0] + learned[1]) >> 4
        return expected if most is None or expected < most else most

    def learn(self, task: str, output_tokens: int) -> None:
        """Notes how long an answer was, the way TCP learns its round-trip time (RFC 6298), in sixteenths."""
        now = output_tokens << 4
        learned = self.learned.get(task)
        if learned is None:
            self.learned[task] = (now, now >> 1)
        else:
            mean, deviation = learned
            off = now - mean
            self.learned[task] = (mean + (off >> 3), deviation + (((off if off >= 0 else -off) - deviation) >> 2))

    def is_idle(self, now: int) -> bool:
        """Whether nothing is lost when this is forgotten."""
        return not any(slot.held for _, slot in self.slots) and not any(w.used(now) for _, w, _ in self.windows)


class Plans:
    """The plans of the keys that called lately. Two keys of one client share the client's windows."""

    def __init__(self) -> None:
        self.known: dict[str, Plan] = {}
        """By the key's id: for whoever is in a hurry, who must see that the limits are still the key's."""
        self._windows: dict[tuple[str, str], SlidingWindow] = {}
        self._slots: dict[str, Slots] = {}
        self._sweep_at = _FIRST_SWEEP

    def of(self, principal: Principal, now: int) -> Plan:
        """The plan of a key; what was used stays when its limits change."""
        plan = self.known.get(principal.key_id)
        if plan is not None and (plan.limits is principal.limits or plan.limits == principal.limits):
            return plan
        if len(self.known) >= self._sweep_at:
            self._sweep(now)
        fresh = Plan(principal.limits, *self._parts(principal.limits))
        if plan is not None:
            fresh.learned = plan.learned
            plan.is_forgotten = True
        self.known[principal.key_id] = fresh
        return fresh

    def seen(self, limits: tuple[Limit, ...]) -> Plan:
        """A plan of limits that need not be one key's, to look at and not to take from: nothing is kept for it."""
        windows = [
            self._windows.get((limit.subject, limit.name)) or SlidingWindow(limit.window_seconds * 1_000_000)
            for limit in limits
            if limit.window_seconds
        ]
        return Plan(
            limits, windows, [self._slots.get(one.subject) or Slots() for one in limits if not one.window_seconds]
        )

    def counted(self) -> dict[bytes, tuple[Limit, SlidingWindow]]:
        """Every window of the keys that called lately, by the name under which it is shared."""
        return {
            name: (limit, window)
            for plan in self.known.values()
            for name, (limit, window, _) in zip(plan.names, plan.windows, strict=False)
        }

    def _parts(self, limits: Iterable[Limit]) -> tuple[list[SlidingWindow], list[Slots]]:
        windows, slots = [], []
        for limit in limits:
            if limit.window_seconds:
                key = (limit.subject, limit.name)
                window = self._windows.get(key)
                if window is None:
                    window = self._windows[key] = SlidingWindow(limit.window_seconds * 1_000_000)
                windows.append(window)
            else:
                slots.append(self._slots.setdefault(limit.subject, Slots()))
        return windows, slots

    def _sweep(self, now: int) -> None:
        """Forgets keys of which nothing is left to remember."""
        kept = {key: plan for key, plan in self.known.items() if not plan.is_idle(now)}
        for key, plan in self.known.items():
            plan.is_forgotten = key not in kept
        self.known = kept
        plans = self.known.values()
        self._windows = {(limit.subject, limit.name): window for plan in plans for limit, window, _ in plan.windows}
        self._slots = {limit.subject: slot for plan in plans for limit, slot in plan.slots}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self.known))

"""How long each parser takes at its worst: CPU of one call, with what the collector of garbage took of it."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Worst:
    """Of one parser: how often it was called, its slowest call (milliseconds of the thread's CPU), how much of that was
    the collector's, and what it was given then."""

    calls: int = 0
    ms: float = 0.0
    collector_ms: float = 0.0
    given: str = ""


class Stopwatch:
    """Takes the time of parsers, each by its name."""

    def __init__(self) -> None:
        self.worst: dict[str, Worst] = {}
        self.given = ""  # what they are given now, as the table names it
        self._collecting = 0.0
        self._began = 0.0

    def time(self, name: str, run: Callable[[], T]) -> T:
        """What `run` gives, or raises."""
        worst = self.worst.get(name)
        if worst is None:
            worst = self.worst[name] = Worst()
        worst.calls += 1
        self._collecting, began = 0.0, time.thread_time()
        try:
            return run()
        finally:
            ms = (time.thread_time() - began) * 1000
            if ms > worst.ms:
                worst.ms, worst.collector_ms, worst.given = ms, self._collecting * 1000, self.given

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sees the collector at work. What was there before is none of a parser's, and is not looked through."""
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self._collector)
        try:
            yield
        finally:
            gc.callbacks.remove(self._collector)
            gc.unfreeze()

    def table(self) -> list[str]:
        """A line for each parser, the slowest first."""
        ordered = sorted(self.worst.items(), key=lambda pair: -pair[1].ms)
        return [
            f"{name:44}{worst.calls:>9} calls, {worst.ms:>6.1f} ms at most ({worst.collector_ms:.1f} the collector's): "
            f"{worst.given[:60]}"
            for name, worst in ordered
        ]

    def figures(self) -> dict[str, list[Any]]:
        """The same as figures: calls, milliseconds, and of these the collector's."""
        return {
            name: [worst.calls, round(worst.ms, 1), round(worst.collector_ms, 1)]
            for name, worst in sorted(self.worst.items(), key=lambda pair: -pair[1].ms)
        }

    def _collector(self, phase: str, _info: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._began = now
        else:
            self._collecting += now - self._began

"""The printed result: provider by feature, passed / excluded / failed; and why what was excluded was."""

from collections import Counter
from dataclasses import dataclass, field

from tests.replay.traffic import Recording

PASSED, EXCLUDED, FAILED = 0, 1, 2


@dataclass(slots=True)
class Table:
    """Counts of recordings. One with several features is in several cells, and once in `total`."""

    cells: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, recording: Recording, differences: list[str]) -> None:
        if recording.excluded is not None:
            result = EXCLUDED
            self.reasons[f"{recording.provider}: {recording.excluded}"] += 1
        else:
            result = FAILED if differences else PASSED
        self.failures += [f"{recording.name}: {words}" for words in differences]
        for feature in ("total", *recording.features):
            self.cells.setdefault((recording.provider, feature), [0, 0, 0])[result] += 1

    def all(self) -> tuple[int, int, int]:
        """Of all providers: passed, excluded, failed."""
        totals = [counts for (_, feature), counts in self.cells.items() if feature == "total"]
        return (sum(c[PASSED] for c in totals), sum(c[EXCLUDED] for c in totals), sum(c[FAILED] for c in totals))

    def total(self, provider: str) -> list[int]:
        return self.cells.get((provider, "total"), [0, 0, 0])

    def features(self, provider: str) -> dict[str, str]:
        """Feature → "passed/excluded/failed", the total first."""
        found = {feature: counts for (name, feature), counts in self.cells.items() if name == provider}
        names = sorted(found, key=lambda name: (name != "total", name))
        return {name: "/".join(map(str, found[name])) for name in names}

    def text(self) -> str:
        """One line a provider and feature: passed, excluded, failed."""
        lines = [f"{'provider':<12}{'feature':<24}{'passed':>8}{'excluded':>10}{'failed':>8}"]
        for provider in sorted({name for name, _ in self.cells}):
            for feature, counts in self.features(provider).items():
                passed, excluded, failed = counts.split("/")
                lines.append(f"{provider:<12}{feature:<24}{passed:>8}{excluded:>10}{failed:>8}")
        lines += [f"excluded {count:>4}  {reason}" for reason, count in sorted(self.reasons.items())]
        return "\n".join([*lines, *(f"FAILED {failure}" for failure in self.failures)])

"""One client under watch, in whatever time drives it: hours are learned, minutes and hours are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiservice.services.abuse_baseline import PART_GATES, Baseline, Expectation
from aiservice.services.abuse_evidence import Drift, weigh, weigh_hour, without_forgiven
from aiservice.services.abuse_features import Counts, Evidence, Hour, Level
from aiservice.services.abuse_ladder import SECONDS, Case, Step, decide


@dataclass(slots=True)
class Watch:
    """`most` is the last step of the client's policy; `forgiven` is what people said is all right, by feature and
    window. Times are seconds of the clock that drives it; `end_hour` is called for every hour, in order."""

    most: Level = Level.BLOCK
    forgiven: Mapping[str, float] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline)
    case: Case = field(default_factory=Case)
    drift: Drift = field(default_factory=Drift)
    expectation: Expectation = field(init=False)

    def __post_init__(self) -> None:
        self.expectation = self.baseline.expect()

    def is_worth_a_look(self, minute: Counts, ten: Counts) -> bool:
        """Whether anything in the minute under way, or in the last ten with it, is beyond the usual at all."""
        gates, share = self.expectation.gates, self.expectation.share
        return (
            minute.requests >= gates.minute_requests
            or ten.requests >= gates.ten_requests
            or ten.failures >= gates.ten_failures
            or ten.repeated >= PART_GATES["repeated"] + share["repeated"] * ten.requests
            or ten.new_requests >= PART_GATES["new_requests"] + share["new_requests"] * ten.requests
            or ten.strange >= PART_GATES["strange"] + share["strange"] * ten.requests
        )

    def look(self, minute: Counts, ten: Counts, now: float) -> Step | None:
        """Judges the minute under way, as far as it is seen, and the last ten with it."""
        evidence = without_forgiven(weigh(self.expectation, minute, ten), self.forgiven)
        return decide(self.case, evidence, now, self.most)

    def ceiling(self, level: Level, evidence: list[Evidence], now: float) -> Step:
        """What people set as the answer to this much: at once, and whatever the policy."""
        case = self.case
        is_new = now >= case.until or level > case.level
        if is_new:
            case.level, case.since = max(level, case.level if now < case.until else Level.NONE), now
        case.until = max(case.until, now + SECONDS[case.level])
        case.evidence, case.seen = evidence, now
        return Step(case.level, case.until, is_new, max(each.bans for each in evidence), tuple(evidence))

    def end_hour(self, hour: Hour, now: float) -> Step | None:
        """Judges an hour that is over, learns it, and turns to the next."""
        step = None
        if hour.total.requests or hour.total.failures:
            drift = self.drift.add(self.expectation, hour.total)
            evidence = without_forgiven(weigh_hour(self.expectation, hour.total, drift), self.forgiven)
            step = decide(self.case, evidence, now, self.most)
        else:
            self.drift.add(self.expectation, hour.total)
        self.learn(hour)
        return step

    def learn(self, hour: Hour) -> None:
        """Takes an hour in without judging it."""
        self.baseline.learn(hour)
        self.expectation = self.baseline.expect()

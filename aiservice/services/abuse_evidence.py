"""What of a client's traffic is not as usual, and how unlikely: minutes against the usual, hours, and slow changes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiservice.services.abuse_baseline import (
    FAILURE_VARIANCE,
    LEAST,
    PART_VARIANCE,
    SLOT_VARIANCE,
    TOP_VARIANCE,
    Expectation,
)
from aiservice.services.abuse_features import Counts, Evidence
from aiservice.services.abuse_tails import surprise

VOLUME, TIMING, DRIFT, IDENTITY = "volume", "timing", "drift", "identity"
CONTENT, GUESSING, OUTCOME = "content", "guessing", "outcome"
LEAST_BANS = 1.0
_FORGIVEN_FACTOR = 1.5
_DRIFT_SLACK = 1.3
_DRIFT_STEP = (-2.0, 3.0)
_DRIFT_LIMIT = 60.0
_BANS_A_DRIFT = 0.25
_LEAST_DRIFT_BANS = 3.0
_HOUR_VARIANCE = 0.12
_TRIED_AGAIN = 0.3
_REPEATED_VARIANCE = 0.05
_BESIDE_FAMILIAR = 1.5
_DEARER = 2.0
_DEARER_COST = 1.4
GROUPS = {
    "requests": VOLUME,
    "requests at this time": TIMING,
    "errors": OUTCOME,
    "repeated prompts": CONTENT,
    "failed authentications": GUESSING,
}
# No feature alone is believed more than this.
CAPS = {
    "requests": 8.0,
    "requests at this time": 3.5,
    "tokens": 8.0,
    "cost": 8.0,
    "drift": 6.5,
    "repeated prompts": 6.5,
    "new addresses": 4.0,
    "unusual models": 4.0,
    "failed authentications": 8.0,
    "errors": 1.5,
}


@dataclass(slots=True)
class Drift:
    """A cumulative sum (E. S. Page, Biometrika 41, 1954) of how far each hour was above its usual: what no hour shows
    alone. It never gains more than 3 spreads an hour, and loses what is less than a little above."""

    reached: float = 0.0

    def add(self, expectation: Expectation, hour: Counts) -> float:
        """Takes an hour in; what is reached now, in spreads."""
        if expectation.is_young:
            return 0.0
        z = _spreads(hour.requests, expectation.level, expectation.spread)
        z = max(_DRIFT_STEP[0], min(_DRIFT_STEP[1], z))
        self.reached = min(_DRIFT_LIMIT, max(0.0, self.reached + z - _DRIFT_SLACK))
        return self.reached


def weigh(expectation: Expectation, minute: Counts, ten: Counts) -> list[Evidence]:
    """Of the minute under way (as far as it is seen) and the last ten with it."""
    found: list[Evidence] = []
    usual = expectation.in_ten
    if not expectation.is_young:
        top, top_ten = expectation.top_minute, expectation.top_ten
        _note(found, "requests", "minute", (minute.requests, top), TOP_VARIANCE)
        _note(found, "requests", "10 minutes", (ten.requests, top_ten), TOP_VARIANCE)
        slot = expectation.slot_ten
        _note(found, "requests at this time", "10 minutes", (ten.requests, slot), SLOT_VARIANCE)
        _note(found, "errors", "10 minutes", (ten.errors, usual["errors"]), PART_VARIANCE)
        _note_parts(found, expectation, ten, "10 minutes", 1.0)
    failures = usual["failures"]
    _note(found, "failed authentications", "10 minutes", (ten.failures, failures), FAILURE_VARIANCE)
    _note(found, "failed authentications", "minute", (minute.failures, failures / 5), FAILURE_VARIANCE)
    return found


def weigh_hour(expectation: Expectation, hour: Counts, drift: float) -> list[Evidence]:
    """Of an hour that is over; `drift` is what `Drift.add` gave for it."""
    found: list[Evidence] = []
    if expectation.is_young:
        return found
    tops = expectation.top_hour
    _note_parts(found, expectation, hour, "hour", 3.0)
    has_other_models = any(each.feature == "unusual models" and each.bans >= _DEARER for each in found)
    for feature, observed, top in (
        ("requests", hour.requests, tops["requests"]),
        ("tokens", hour.tokens, tops["tokens"]),
        ("cost", hour.cost_nano_usd, tops["cost_nano_usd"]),
    ):
        # Sums of sizes are no counts: they are weighed in units of which the usual peak has a hundred.
        unit = max(top / 100, 1.0) if feature != "requests" else 1.0
        bans = surprise(observed / unit, max(top / unit, 1.0), _HOUR_VARIANCE)
        if feature == "cost" and has_other_models:
            bans = min(bans, _DEARER_COST)  # of another model that is no news of its own
        _keep(found, Evidence(feature, VOLUME, "hour", observed, top, bans))
    mean = math.expm1(expectation.level)
    variance = max(expectation.spread**2, 0.04)
    _note(found, "requests at this time", "hour", (hour.requests, max(mean, 1.0)), variance)
    usual = expectation.in_ten
    failures = usual["failures"] * 6
    _note(found, "failed authentications", "hour", (hour.failures, failures), FAILURE_VARIANCE)
    if drift * _BANS_A_DRIFT >= _LEAST_DRIFT_BANS:  # a few loud hours are none
        _keep(found, Evidence("drift", DRIFT, "days", drift, 0.0, drift * _BANS_A_DRIFT))
    return found


def without_forgiven(evidence: Iterable[Evidence], forgiven: Mapping[str, float]) -> list[Evidence]:
    """What is left of it where a person said that as much of `forgiven` (by feature and window) is all right."""
    return [
        each
        for each in evidence
        if each.observed > _FORGIVEN_FACTOR * forgiven.get(f"{each.feature}/{each.window}", -1.0)
    ]


def _note_parts(found: list[Evidence], expectation: Expectation, counts: Counts, window: str, tens: float) -> None:
    """What is a share of the requests. Programs try again what failed, so errors explain as many repeated prompts."""
    share, asked = expectation.share, counts.requests
    for feature, name, group in (("new addresses", "new_requests", IDENTITY), ("unusual models", "strange", CONTENT)):
        usual = tens * LEAST[name] + share[name] * asked
        bans = surprise(getattr(counts, name), usual, PART_VARIANCE)
        if group is IDENTITY and _is_more_from_familiar(expectation, counts, tens):
            bans = min(bans, _BESIDE_FAMILIAR)
        _keep(found, Evidence(feature, group, window, getattr(counts, name), usual, bans))
    usual = tens * LEAST["repeated"] + share["repeated"] * asked + _TRIED_AGAIN * counts.errors
    _note(found, "repeated prompts", window, (counts.repeated, usual), _REPEATED_VARIANCE)


def _is_more_from_familiar(expectation: Expectation, counts: Counts, tens: float) -> bool:
    """Whether the networks that are known ask for more than usual, too: then new ones beside them are the client's."""
    top = expectation.top_ten if tens == 1.0 else expectation.top_hour["requests"]
    return surprise(counts.requests - counts.new_requests, max(top, 1.0), TOP_VARIANCE) >= _BESIDE_FAMILIAR


def _note(
    found: list[Evidence], feature: str, window: str, seen_and_usual: tuple[float, float], variance: float
) -> None:
    observed, usual = seen_and_usual
    bans = surprise(observed, usual, variance)
    _keep(found, Evidence(feature, GROUPS[feature], window, observed, usual, bans))


def _keep(found: list[Evidence], evidence: Evidence) -> None:
    if evidence.bans >= LEAST_BANS:
        found.append(evidence._replace(bans=min(evidence.bans, CAPS[evidence.feature])))


def _spreads(observed: float, level: float, spread: float) -> float:
    noise = 1 / (math.expm1(level) + 1)
    return (math.log1p(observed) - level) / math.sqrt(max(spread, 0.15) ** 2 + noise)

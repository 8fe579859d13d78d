"""From evidence to an answer: alert, throttle, quarantine, block, one step after the other and never further than the
client's policy lets it.

Nobody is blocked for asking much: it takes somebody else at work (new addresses, guessing) beside unusual traffic, and
that it goes on although the client is in quarantine.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiservice.services.abuse_evidence import CONTENT, GUESSING, IDENTITY
from aiservice.services.abuse_features import Evidence, Level

ALERT_BANS = 4.5
THROTTLE_BANS = 9.0
QUARANTINE_BANS = 11.0
BLOCK_BANS = 13.0
ALONE_FACTOR = 8.0
"""How many times the client's usual peak makes volume alone enough for a throttle, once it has lasted."""
LASTING_SECONDS = 900
LOOP_SHARE = 0.6
_PAUSE_SECONDS = 180
QUARANTINE_AFTER_SECONDS = 180
BLOCK_AFTER_SECONDS = 600
SECONDS = {Level.ALERT: 6 * 3600, Level.THROTTLE: 900, Level.QUARANTINE: 3600, Level.BLOCK: 4 * 3600}
"""How long each lasts from the last evidence on."""
TOLD_ONCE_SECONDS = 72 * 3600
"""For how long after it was last seen a reason is not told again."""
_GROUP_BANS = 2.0
_SOMEBODY_BANS = 3.5


@dataclass(slots=True)
class Case:
    """What is being done about one client. Times are seconds of whatever clock drives it."""

    level: Level = Level.NONE
    since: float = 0.0
    until: float = 0.0
    volume_since: float | None = None
    volume_seen: float = 0.0
    evidence: list[Evidence] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    seen: float = 0.0


@dataclass(slots=True, frozen=True)
class Step:
    """What to do now: a `level` that is new, or goes on, until then."""

    level: Level
    until: float
    is_new: bool
    score: float
    evidence: tuple[Evidence, ...]


def by_group(evidence: Iterable[Evidence]) -> dict[str, float]:
    """The strongest of each group, in bans."""
    groups: dict[str, float] = {}
    for each in evidence:
        groups[each.group] = max(groups.get(each.group, 0.0), each.bans)
    return groups


def decide(case: Case, evidence: list[Evidence], now: float, most: Level) -> Step | None:
    """Takes evidence in; what is to be done, or None where there is nothing to do. `most` is the policy's last step."""
    if now >= case.until:
        case.level = Level.NONE
    if now >= case.seen + TOLD_ONCE_SECONDS:
        case.reasons = set()
    groups = by_group(evidence)
    score = sum(groups.values())
    if score < ALERT_BANS:
        return None
    level = min(_level(case, evidence, groups, score, now), most)
    reasons = {each.group for each in evidence if each.bans >= _GROUP_BANS}
    # The same alert for the same reasons is no news for a while; for another reason it is.
    is_new = (level > case.level and level > Level.ALERT) or not reasons <= case.reasons
    if level > case.level:
        case.level, case.since = level, now
    case.reasons |= reasons
    case.seen = now
    case.until = max(case.until, now + SECONDS[case.level])
    case.evidence = evidence
    return Step(case.level, case.until, is_new, score, tuple(evidence))


def _level(case: Case, evidence: list[Evidence], groups: dict[str, float], score: float, now: float) -> Level:
    # Dearer models explain a dearer hour, so it has to be more requests or tokens beside something else.
    asks_more = max((each.bans for each in evidence if each.feature in ("requests", "tokens")), default=0.0)
    others = [groups.get(group, 0.0) for group in (IDENTITY, CONTENT, GUESSING)]
    is_joint = asks_more >= _GROUP_BANS and max(others) >= _GROUP_BANS
    somebody_else = max(groups.get(IDENTITY, 0.0), groups.get(GUESSING, 0.0))
    lasted = now - case.since
    if case.level >= Level.QUARANTINE:
        is_enough = score >= BLOCK_BANS and is_joint and somebody_else >= _SOMEBODY_BANS
        return Level.BLOCK if is_enough and lasted >= BLOCK_AFTER_SECONDS else case.level
    if case.level is Level.THROTTLE:
        is_enough = score >= QUARANTINE_BANS and is_joint
        return Level.QUARANTINE if is_enough and lasted >= QUARANTINE_AFTER_SECONDS else case.level
    is_lasting = _lasts(case, evidence, now)
    if score >= THROTTLE_BANS and is_joint and (somebody_else >= _GROUP_BANS or (is_lasting and _is_loop(evidence))):
        return Level.THROTTLE
    if is_lasting and any(each.observed >= ALONE_FACTOR * each.expected for each in evidence if _is_rate(each)):
        return Level.THROTTLE
    return Level.ALERT


def _lasts(case: Case, evidence: list[Evidence], now: float) -> bool:
    """Whether the client itself has been asking for more than its usual peak for a quarter of an hour."""
    if now - case.volume_seen > _PAUSE_SECONDS:
        case.volume_since = None
    if not any(_is_rate(each) and each.bans >= _GROUP_BANS for each in evidence):
        return False
    if case.volume_since is None:
        case.volume_since = now
    case.volume_seen = now
    return now - case.volume_since >= LASTING_SECONDS


def _is_loop(evidence: list[Evidence]) -> bool:
    """Whether most of what is asked is the same again."""
    seen = {each.feature: each.observed for each in evidence if each.window == "10 minutes"}
    return seen.get("repeated prompts", 0.0) >= LOOP_SHARE * seen.get("requests", math.inf)


def _is_rate(evidence: Evidence) -> bool:
    return evidence.feature == "requests" and evidence.window != "hour"

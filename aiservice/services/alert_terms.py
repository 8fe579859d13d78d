"""When a rule fires and when that is over: pure, so that every course of events can be tried.

A rule fires once its value has been beyond the threshold for long enough, and resolves once it has been back for as
long. Between the threshold and a tenth of it on the good side nothing changes: a value that trembles at the threshold
makes one alert, not many.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from aiservice.kit.clock import SECOND_US

_BAND = 0.1


class NoData(StrEnum):
    """What it means that there is nothing to measure."""

    OK = "ok"
    ALERT = "alert"
    KEEP = "keep"


class Verdict(StrEnum):
    """What a look at a value leads to."""

    NOTHING = "nothing"
    FIRE = "fire"
    RESOLVE = "resolve"


@dataclass(slots=True, frozen=True)
class Terms:
    """Of a rule: bad is above (or `is_below`) the `threshold`, for `for_seconds`. Units are the metric's."""

    threshold: float
    is_below: bool = False
    for_seconds: int = 0
    no_data: NoData = NoData.OK
    has_band: bool = True


@dataclass(slots=True, frozen=True)
class Course:
    """Where one subject of a rule stands: since when it has been bad, or, while it fires, good again."""

    is_firing: bool = False
    turned_us: int | None = None


def judge(terms: Terms, course: Course, value: float | None, at_us: int) -> tuple[Course, Verdict]:
    """What `value` (None: nothing was measured) at `at_us` makes of `course`."""
    has_turned = _is_turned(terms, course, value)
    if has_turned is None:
        return course, Verdict.NOTHING
    if not has_turned:
        return replace(course, turned_us=None), Verdict.NOTHING
    since_us = at_us if course.turned_us is None else min(course.turned_us, at_us)
    if at_us - since_us < terms.for_seconds * SECOND_US:
        return replace(course, turned_us=since_us), Verdict.NOTHING
    return Course(is_firing=not course.is_firing), Verdict.RESOLVE if course.is_firing else Verdict.FIRE


def recovers_at(terms: Terms) -> float:
    """The value at which what fires is good again."""
    if not terms.has_band:
        return terms.threshold
    margin = abs(terms.threshold) * _BAND
    return terms.threshold + margin if terms.is_below else terms.threshold - margin


def _is_turned(terms: Terms, course: Course, value: float | None) -> bool | None:
    """Whether the value speaks for the other of the two states; None where it says nothing."""
    if value is None:
        if terms.no_data is NoData.KEEP:
            return None
        return (terms.no_data is NoData.ALERT) is not course.is_firing
    if course.is_firing:
        good = recovers_at(terms)
        return value >= good if terms.is_below else value <= good
    return value < terms.threshold if terms.is_below else value > terms.threshold

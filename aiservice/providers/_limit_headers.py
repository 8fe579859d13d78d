"""How limits are written into headers: a row of names a limit, and the forms of their numbers. Each wire has its own
table of rows; a value that is none (negative, huge, text) is left out, never guessed."""

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from aiservice.wire import QuotaMeasure, QuotaNote

MINUTE, DAY, MONTH = 60, 86_400, 30 * 86_400
_MAX_AMOUNT = 10**12
_MAX_RESET_SECONDS = 31 * 86_400.0
_EPOCH_MS = 10**11  # a larger number is a moment in milliseconds, not a wait
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,12})?")
_GO_DURATION = re.compile(
    r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,12})?)s)?(?:(\d{1,9}(?:\.\d{1,12})?)ms)?"
)


class Row(NamedTuple):
    """The headers of one limit; an empty name is one that the wire does not have."""

    measure: QuotaMeasure
    window_seconds: int
    limit: str
    remaining: str
    reset: str = ""


def notes_of(rows: Iterable[Row], headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
    """A note for each row of which the headers say how much it is, or how much is left."""
    notes = []
    for measure, window_seconds, limit_name, remaining_name, reset_name in rows:
        limit, remaining = amount(headers.get(limit_name)), amount(headers.get(remaining_name))
        if limit is None and remaining is None:
            continue
        if limit == 0 and not remaining:  # "no such limit" where it is not "none at all": nobody can work with either
            continue
        reset = headers.get(reset_name)
        wait = None if reset is None else _plain_wait(reset)
        if wait is None:
            wait = wait_seconds(reset)
        notes.append(QuotaNote(measure, window_seconds, limit, remaining, wait))
    return tuple(notes)


def amount(text: str | None) -> int | None:
    """A count of requests or tokens; None for anything else."""
    if text is None or len(text) > 40:
        return None
    text = text.strip()
    if not text.isdigit() or not text.isascii() or len(text) > 13:
        return None
    number = int(text)
    return number if number <= _MAX_AMOUNT else None


def wait_seconds(text: str | None, now: float | None = None) -> float | None:
    """How long until then, 0 to 31 days: seconds (`1`, `17.4`), a Go duration (`6m0s`, `8.64s`, `120ms`), a moment as
    RFC 3339 or in milliseconds since 1970. `now` is in seconds since 1970."""
    if not text or len(text := text.strip()) > 40 or not text.isascii():
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        return _bounded(number / 1_000 - _now(now) if number > _EPOCH_MS else number)
    duration = _GO_DURATION.fullmatch(text)
    if duration is not None:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in duration.groups())
        return _bounded(hours * 3_600 + minutes * 60 + seconds + milliseconds / 1_000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else _bounded(moment.timestamp() - _now(now))


@lru_cache(4096)
def _plain_wait(text: str) -> float | None:
    """A wait that does not depend on when it is read: most are one of a few."""
    return wait_seconds(text, 0.0) if text[:1].isdigit() and "-" not in text and len(text) < 11 else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _MAX_RESET_SECONDS)


def _now(now: float | None) -> float:
    return time.time() if now is None else now

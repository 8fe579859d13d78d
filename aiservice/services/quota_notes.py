"""What a reply says of a provider's limits, in one lane's terms: amounts of its window, and moments of its clock."""

from collections.abc import Sequence
from typing import NamedTuple

from aiservice.services.call_window import MEASURES
from aiservice.wire import QuotaNote

SECOND_US = 1_000_000
MAX_HOLD_US = 3_600 * SECOND_US  # a wait that a reply asks for is believed up to an hour; then one call tries
_MAX_GOOD_HOLD_US = 60 * SECOND_US  # and up to a minute where the reply was a good answer
_LONGEST_WINDOW_SECONDS = 3_600  # of a longer one only that it is used up can be acted on
_MINUTE = 60


class Told(NamedTuple):
    """At most `limit` in the lane's window, of which others have `others`, gone at `ends_us`."""

    limit: int
    others: int
    ends_us: int


def told_in(
    notes: Sequence[QuotaNote], counts: tuple[int, ...], window_us: int, now: int, *, is_refused: bool
) -> tuple[dict[int, Told], int]:
    """By measure (its place in `MEASURES`) the tightest of what the notes say, and until when nothing is given: 0 where
    something is. `counts` is what the window held with the call that was answered; what the provider says is used
    beyond that, others have used."""
    told: dict[int, Told] = {}
    held_until = 0
    for note in notes:
        seconds = note.window_seconds
        reset_us = int(min(note.reset_seconds or seconds, seconds) * SECOND_US)
        if note.remaining == 0 and seconds != _MINUTE and (is_refused or reset_us < MAX_HOLD_US):
            held_until = max(held_until, now + min(reset_us, MAX_HOLD_US if is_refused else _MAX_GOOD_HOLD_US))
        if not note.limit or seconds > _LONGEST_WINDOW_SECONDS:
            continue
        place = MEASURES.index(note.measure)
        limit = max(1, note.limit * window_us // (seconds * SECOND_US))
        used = 0 if note.remaining is None or seconds != _MINUTE else note.limit - note.remaining
        found = Told(limit, max(0, used - counts[place]), now + min(reset_us, window_us))
        if place not in told or limit < told[place].limit:
            told[place] = found
    return told, held_until

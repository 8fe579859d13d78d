"""Folds minutes into hours and hours into days, a few seconds after they changed."""

from aiservice.services.usage import HOURS_AT_ONCE, Usage

EVERY_SECONDS = 5.0
NAME = "roll-up"


async def fold(usage: Usage) -> int:
    """Folds every hour that changed since it was folded last, and its day; returns how many hours that were.

    An hour that changes again meanwhile waits for the next turn: under load there would be no end.
    """
    count = 0
    while folded := await usage.fold_some():
        count += folded
        if folded < HOURS_AT_ONCE:
            break
    return count

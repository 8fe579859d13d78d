"""Durations as people write them: 90s, 15m, 24h, 30d, 2w, and sums of those (1d12h)."""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WHOLE = re.compile(r"(?:[0-9]{1,9}[smhdw])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([smhdw])", re.ASCII)


def parse_duration(text: str) -> int:
    """Seconds. `0` needs no unit; each unit may stand once.

    Raises:
        ValueError: not a duration; the message says how to write one.
    """
    cleaned = text.strip().lower()
    if cleaned == "0":
        return 0
    if not _WHOLE.fullmatch(cleaned):
        raise ValueError(f"'{text[:40]}' is not a duration. Write a number and a unit: 90s, 15m, 24h, 30d, 2w.")
    parts = _PART.findall(cleaned)
    if len({unit for _, unit in parts}) != len(parts):
        raise ValueError(f"'{text[:40]}' names a unit twice.")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: int) -> str:
    """The shortest sum of units that `parse_duration` reads as `seconds`; `0s` for none."""
    parts = []
    for unit in "wdhms":
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"

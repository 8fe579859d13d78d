"""How much a model is to think, in a vendor's own words: fewer levels, or only whether it thinks at all."""

from typing import Final

from aiservice.wire import Json

LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SWITCHES: Final = ("thinking", "enable_thinking")


def put_effort(body: Json, efforts: tuple[str, ...] | None, switch: str | None) -> None:
    """Puts `reasoning_effort` in the vendor's words: the nearest of `efforts` (the higher of two); where it has none of
    them, or is not to think, its `switch`. What a client says in the vendor's own words is left alone."""
    asked = body.get("reasoning_effort")
    if type(asked) is not str or asked not in LEVELS:
        return
    is_on = asked != "none"
    if switch is not None and (efforts == () or not is_on):
        if switch not in body:
            body[switch] = is_on if switch == "enable_thinking" else {"type": "enabled" if is_on else "disabled"}
            del body["reasoning_effort"]
        return
    if efforts:
        body["reasoning_effort"] = _nearest(asked, efforts)


def _nearest(asked: str, efforts: tuple[str, ...]) -> str:
    """To think or not is never changed where the vendor has both."""
    known = [level for level in efforts if (level == "none") == (asked == "none")] or list(efforts)
    place = LEVELS.index(asked)
    return min(known, key=lambda level: (abs(LEVELS.index(level) - place), -LEVELS.index(level)))

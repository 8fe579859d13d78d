"""Times as people read them: in the zone of whoever looks, which the session's gate says for each event."""

from contextvars import ContextVar
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiservice.kit.clock import SECOND_US

USUAL_ZONE: ContextVar[str] = ContextVar("usual_zone", default="UTC")
"""The zone that the person of this event has chosen for themselves."""


def in_zone_of_person(at_us: int) -> datetime:
    """The moment, in that zone; in UTC where this machine does not know it any more."""
    name = USUAL_ZONE.get()
    try:
        zone = UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    return datetime.fromtimestamp(at_us / SECOND_US, zone)


def shown_moment(at_us: int, form: str = "%Y-%m-%d %H:%M") -> str:
    """To the minute unless `form` says otherwise, with the zone's short name: "2026-11-01 09:30 CET"."""
    moment = in_zone_of_person(at_us)
    return f"{moment:{form}} {moment.tzname()}"


def shown_day(at_us: int) -> str:
    """The day that it is there."""
    return f"{in_zone_of_person(at_us):%Y-%m-%d}"

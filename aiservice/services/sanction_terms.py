"""What each answer to abuse means for a caller. Rules, and no I/O.

A throttled client keeps about what it usually asks for at most; one in quarantine a few requests a minute, one at a
time, real ones: a sandbox's answer must never stand in for one. A blocked one gets nothing. All of it ends by itself.
"""

from collections.abc import Mapping
from typing import Any

from aiservice.errors import PermissionDenied
from aiservice.kit.clock import SECOND_US, iso, now_us
from aiservice.principal import Limit, Sanction

QUARANTINE_RPM = 6
LEAST_THROTTLE_RPM = 6


def sanction_of(stored: Mapping[str, Any] | None, now: int) -> tuple[Sanction | None, tuple[Limit, ...]]:
    """What a client's stored sanction means now, and the limits that come with it."""
    if not stored or stored["until_us"] <= now:
        return None, ()
    sanction = Sanction(stored["id"], stored["level"], stored["until_us"])
    if sanction.level == "quarantine":
        return sanction, (
            Limit("sanction", sanction.id, "requests/minute", "requests", 60, QUARANTINE_RPM),
            Limit("sanction", sanction.id, "concurrency", "concurrency", 0, 1),
        )
    if sanction.level == "throttle":
        rpm = max(int(stored.get("rpm") or 0), LEAST_THROTTLE_RPM)
        return sanction, (Limit("sanction", sanction.id, "requests/minute", "requests", 60, rpm),)
    return sanction, ()


def check_blocked(sanction: Sanction) -> None:
    """Raises `PermissionDenied` while a client is blocked."""
    if sanction.level != "block":
        return
    now = now_us()
    if now >= sanction.until_us:
        return
    raise PermissionDenied(
        f"This client is blocked until {iso(sanction.until_us)} because of unusual traffic. Whoever manages it sees "
        "why in the portal; an admin can lift it there.",
        code="blocked_for_abuse",
        retry_after=-(-(sanction.until_us - now) // SECOND_US),
    )

"""A mail a day with the alerts of the day, for whoever wants one, in the morning of their own time zone.

Fails open: what cannot be mailed stands in the portal. It is noted before it is sent, so that nobody gets two.
"""

import logging
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from aiservice.kit.clock import DAY_US, HOUR_US, from_us, now_us
from aiservice.principal import Role
from aiservice.services.administration import person_of
from aiservice.services.alerts import Alerts, AlertView
from aiservice.services.own_settings import time_zones
from aiservice.store import own_settings as store
from aiservice.store.session import Database
from aiservice.tables import User
from aiservice.upstream.mail import MailFailed

log = logging.getLogger(__name__)

MORNING_HOUR = 7
_LEAST_US = 20 * HOUR_US  # a day with a change of the clock has 23 hours
_MOST = 100


class AlertDigest:
    """Looked at once an hour by one worker of all."""

    def __init__(self, db: Database, alerts: Alerts, public_url: str | None) -> None:
        self._db = db
        self._alerts = alerts
        self._public_url = public_url

    async def look(self, at_us: int | None = None) -> int:
        """Sends the digests that are due; how many were."""
        now = now_us() if at_us is None else at_us
        if self._alerts.mail is None:
            return 0
        async with self._db.read() as session:
            people = [each for each in await store.with_digest(session) if _is_due(each, now)]
        sent = 0
        for each in people:
            since_us = max(each.digest_us or 0, now - DAY_US)
            found = [one for one in await self._alerts.list(person_of(each), limit=_MOST) if one.last_us >= since_us]
            async with self._db.write() as session:
                is_ours = await store.claim_digest(session, each.id, each.digest_us, now)
            if found and is_ours:
                sent += await self._send(each, found)
        return sent

    async def _send(self, who: User, found: Sequence[AlertView]) -> bool:
        if self._alerts.mail is None:
            return False
        where = f"{self._public_url.rstrip('/')}/alerts" if self._public_url else "the portal's page Alerts"
        subject = f"[aiservice] {len(found)} alert{'' if len(found) == 1 else 's'} since yesterday"
        lines = [_line(one, who) for one in found]
        text = "\n".join([*lines, "", f"All of them: {where}", "Which mails come to you is set on the page Account."])
        try:
            await self._alerts.mail.send([who.email], subject, text)
        except MailFailed as exc:
            log.warning("A digest was not mailed: %s", exc)
            return False
        return True


def _is_due(who: User, now: int) -> bool:
    local = from_us(now).astimezone(_zone_of(who))
    return local.hour >= MORNING_HOUR and (who.digest_us is None or now - who.digest_us >= _LEAST_US)


def _line(one: AlertView, who: User) -> str:
    at = from_us(one.first_us).astimezone(_zone_of(who))
    client = f", client {one.client}" if one.client and who.role == Role.ADMIN else ""
    return f"{at:%a %H:%M}  {one.severity.name.lower()}, {one.state}{client}: {one.words}"


def _zone_of(who: User) -> ZoneInfo:
    name = who.time_zone or "UTC"
    return ZoneInfo(name if name in time_zones() else "UTC")

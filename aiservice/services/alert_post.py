"""Takes alerts to channels: a message a channel, tried on Standard Webhooks' schedule until it is taken.

Every worker may send. An attempt is claimed in the database before it is made, so two workers never make the same one;
a worker that dies in the middle leaves a message that is sent again after a minute, under the same id and with the same
bytes. After ten attempts the channel is disabled, and the others hear of it.
"""

import asyncio
import contextvars
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.services.alert_channels import view as channel_view
from aiservice.services.alert_messages import body_of
from aiservice.services.alert_metrics import EVENTS
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.alert_sending import Outcome, Sending
from aiservice.store import alert_delivery as store
from aiservice.store import alert_rules as rule_store
from aiservice.store import alerts as alert_store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import AlertChannel, AlertDelivery, AlertEvent, AlertMute, AlertRule

SCHEDULE_US = (
    0,
    5 * SECOND_US,
    5 * MINUTE_US,
    30 * MINUTE_US,
    2 * HOUR_US,
    5 * HOUR_US,
    10 * HOUR_US,
    14 * HOUR_US,
    20 * HOUR_US,
    24 * HOUR_US,
)
"""How long after the last attempt the next is made (Standard Webhooks, "Retries"); up to a tenth is added by chance."""
CLAIM_US = MINUTE_US
_MAX_IN_FLIGHT = 32
_JITTER = 0.1

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Routes:
    """What decides who hears of an alert, as it is now."""

    rules: dict[str, AlertRule]
    channels: list[AlertChannel]
    mutes: dict[str, AlertMute]

    @classmethod
    async def read(cls, session: AsyncSession, at_us: int) -> "_Routes":
        rules = {}
        for rule in await rule_store.rules(session):
            rules[rule.id] = rule
            if rule.metric in EVENTS:
                rules[rule.metric] = rule
        return cls(rules, await rule_store.channels(session), await alert_store.mutes(session, at_us))

    def rule_of(self, alert: AlertEvent) -> AlertRule | None:
        return self.rules.get(alert.rule_id or alert.kind)

    def is_held(self, alert: AlertEvent) -> bool:
        """Whether its beginning is muted; an end goes to whoever has heard of the beginning."""
        if alert.to_tell == alert_store.END:
            return False
        rule = self.rule_of(alert)
        targets = [f"kind:{alert.kind}", f"alert:{alert.open_key}", *([f"rule:{rule.id}"] if rule else [])]
        return any(target in self.mutes for target in targets)

    def channels_of(self, alert: AlertEvent) -> list[AlertChannel]:
        rule = self.rule_of(alert)
        if rule is not None and rule.is_disabled:
            return []
        named = None if rule is None or rule.channels is None else set(rule.channels)
        return [
            channel
            for channel in self.channels
            if channel.disabled_us is None
            and (channel.name in named if named is not None else alert.severity >= channel.min_severity)
        ]


class AlertPost:
    """The post of one worker. `clock` is microseconds UTC."""

    def __init__(
        self,
        db: Database,
        notes: AlertNotes,
        sending: Sending,
        *,
        public_url: str | None = None,
        clock: Callable[[], int] = now_us,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._db = db
        self._notes = notes
        self._sending = sending
        self._public_url = public_url
        self._clock = clock
        self._chance = chance
        self._under_way: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """Makes messages of what has not been told, and begins the attempts that are due; waits for none of them."""
        now = self._clock()
        async with self._db.read() as session:
            alerts = await store.untold(session)
            routes = await _Routes.read(session, now) if alerts else None
            has_due = await store.has_due(session, now)
        to_tell = [] if routes is None else [alert.id for alert in alerts if not routes.is_held(alert)]
        if to_tell:
            async with self._db.write() as session:
                routes = await _Routes.read(session, now)
                for alert in await store.untold(session, to_tell):
                    await self._tell(session, routes, alert, now)
        if to_tell or has_due:
            await self._begin(now)

    async def settle(self) -> None:
        """Waits for the attempts under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def close(self) -> None:
        """Gives up the attempts under way; they are made again from another worker, or after the next start."""
        for task in tuple(self._under_way):
            task.cancel()
        await self.settle()

    async def test(self, channel: AlertChannel) -> Outcome:
        """Sends a test message at once, without a place in the schedule, and notes how it went."""
        now = self._clock()
        row = AlertDelivery(
            id=new_id("msg"), channel_id=channel.id, event="alert.test", body="", created_us=now, attempts=1
        )
        row.body = body_of("alert.test", None, None, now, self._public_url)
        outcome = await self._sending.send(channel, row, None, now)
        row.log = [_entry(outcome, now)]
        row.state, row.ended_us = ("delivered" if outcome.is_delivered else "failed"), self._clock()
        async with self._db.write() as session:
            session.add(row)
        return outcome

    async def _tell(self, session: AsyncSession, routes: _Routes, alert: AlertEvent, now: int) -> None:
        """Makes the messages of one alert's beginning, or of its end for those who heard of the beginning."""
        is_end = alert.to_tell == alert_store.END
        channels = routes.channels_of(alert)
        if is_end:
            told = await store.told_channels(session, alert.id)
            channels = [channel for channel in routes.channels if channel.id in told and channel.disabled_us is None]
        event = "alert.resolved" if is_end else "alert.opened"
        client = None if alert.client_id is None else await alert_store.client_name(session, alert.client_id)
        body = body_of(event, alert, client, now, self._public_url)
        for channel in channels:
            session.add(
                AlertDelivery(
                    id=new_id("msg"),
                    alert_id=alert.id,
                    channel_id=channel.id,
                    event=event,
                    body=body,
                    next_us=now,
                    created_us=now,
                )
            )
        alert.to_tell = 0

    async def _begin(self, now: int) -> None:
        room = _MAX_IN_FLIGHT - len(self._under_way)
        if room <= 0:
            return
        async with self._db.write() as session:
            rows = await store.claim(session, now, now + CLAIM_US, room)
        for row in rows:
            # A context of its own: what is sent from a job under a lease must not be bound to that lease.
            task = asyncio.create_task(self._attempt(row), context=contextvars.Context())
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("An alert's message was not settled; it is sent again.", exc_info=task.exception())

    async def _attempt(self, row: AlertDelivery) -> None:
        at = self._clock()
        async with self._db.read() as session:
            channel = await rule_store.find_channel(session, row.channel_id)
            alert = None if row.alert_id is None else await alert_store.visible(session, row.alert_id, None)
        if channel is None or channel.disabled_us is not None:
            outcome = Outcome("dropped", "The channel is not in use.")
        else:
            outcome = await self._sending.send(channel, row, alert, at)
        async with self._db.write() as session:
            kept = await store.claimed(session, row.id, row.attempts)
            if kept is not None:
                await self._settle_attempt(session, kept, outcome, at)

    async def _settle_attempt(self, session: AsyncSession, row: AlertDelivery, outcome: Outcome, at: int) -> None:
        row.log = [*row.log, _entry(outcome, at)]
        channel = await rule_store.find_channel(session, row.channel_id)
        if outcome.result in ("delivered", "dropped"):
            row.state, row.next_us, row.ended_us = outcome.result, None, self._clock()
            if channel is not None and outcome.is_delivered:
                channel.delivered_us = at
            return
        if row.attempts >= len(SCHEDULE_US) or outcome.result == "gone":
            row.state, row.next_us, row.ended_us = "failed", None, self._clock()
            is_silent = channel is not None and (channel.delivered_us or 0) < row.created_us
            if channel is not None and (is_silent or outcome.result == "gone"):
                await self._disable(session, channel, outcome)
            return
        wait = int(SCHEDULE_US[row.attempts] * (1 + _JITTER * self._chance()))
        row.next_us = self._clock() + max(wait, min(outcome.retry_after_us, DAY_US))

    async def _disable(self, session: AsyncSession, channel: AlertChannel, outcome: Outcome) -> None:
        why = "It says that it is gone (410)." if outcome.result == "gone" else "Ten attempts in three days failed."
        channel.disabled_us, channel.disabled_why = self._clock(), f"{why} {outcome.words}"[:300]
        await rule_store.drop_waiting(session, channel.id, self._clock())
        self._notes.note(
            "channel_disabled",
            channel.name,
            f"The alert channel '{channel.name}' was disabled. {why} Mend it, and enable it again.",
            severity=Severity.CRITICAL,
            evidence={"channel": channel_view(channel).name, "last": outcome.words},
        )


def _entry(outcome: Outcome, at_us: int) -> dict[str, Any]:
    return {
        "at_us": at_us,
        "result": outcome.result,
        "status": outcome.status,
        "ms": outcome.ms,
        "words": outcome.words,
    }
